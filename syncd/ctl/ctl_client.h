/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other end of the control socket: one request, one answer. For syncctl and the tests. */
#ifndef SYNCD_CTL_CTL_CLIENT_H
#define SYNCD_CTL_CTL_CLIENT_H

#include <jansson.h>

struct ctl_client;

/* Returns 0; -ENOENT or -ECONNREFUSED where no daemon is there; other -errno of connect(2). */
int ctl_client_open(const char *path, struct ctl_client **out);
void ctl_client_close(struct ctl_client *c);

/*
 * Sends a request and waits for its answer, at most timeout_ms. Returns the answer's code (0, 1 or
 * 2) with *response to be freed by json_decref; -ETIMEDOUT; -EPIPE where the daemon went away;
 * -EBADMSG where the answer makes no sense.
 */
int ctl_client_ask(struct ctl_client *c, const json_t *request, int timeout_ms, json_t **response);

#endif
