/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GET /metrics over HTTP for Prometheus, by libmicrohttpd without threads of its own: it runs in
 * the caller's loop. Knows nothing of what it serves.
 */
#ifndef SYNCD_CTL_METRICS_HTTP_H
#define SYNCD_CTL_METRICS_HTTP_H

#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

struct metrics_http;

struct metrics_http_config {
	struct sockaddr_storage address; /* with the port */
	void (*print)(void *ctx, FILE *to);
	void *ctx;
};

/* Returns 0, -ENOMEM, or -errno of binding (-EADDRINUSE, -EADDRNOTAVAIL). */
int metrics_http_new(const struct metrics_http_config *cfg, struct metrics_http **out);
void metrics_http_free(struct metrics_http *m);

/* An epoll descriptor, readable whenever there is something to do. */
int metrics_http_fd(const struct metrics_http *m);

/* Does it, without blocking. Call it also about once a second: idle clients are dropped by it. */
void metrics_http_on_readable(struct metrics_http *m);

#endif
