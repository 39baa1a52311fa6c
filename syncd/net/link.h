/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One way to the other nodes: UDP multicast (or unicast to a list of peers) on one interface. Knows
 * sockets and nothing of what it carries.
 */
#ifndef SYNCD_NET_LINK_H
#define SYNCD_NET_LINK_H

#include "syncd/base/config.h"

struct link;

struct link_stats {
	uint64_t sent, sent_bytes, send_errors, received, received_bytes, ttl_refused;
	int last_error; /* errno of the last send that failed */
};

typedef void link_fn(void *ctx, const uint8_t *dgram, size_t len);

enum { LINK_ERROR_MAX = 256 };

/*
 * Opens the sockets of a configured link. Returns 0, or -errno with a line in err that says what to
 * do
 * (-ENODEV: no such interface, -EADDRINUSE: the port is taken, ...).
 */
int link_open(const struct config_link *cfg, struct link **out, char *err);
void link_close(struct link *l);

/* Sends to all. Errors are counted: the stream's naks are what heals them. */
void link_send(struct link *l, const uint8_t *dgram, size_t len);

/* Hands at most budget datagrams to fn. Returns how many, or -errno. */
int link_receive(struct link *l, unsigned budget, link_fn *fn, void *ctx);

int link_fd(const struct link *l);
const char *link_name(const struct link *l);

/* Bytes that a datagram may have by the interface's MTU (or the configured one). */
uint32_t link_datagram_max(const struct link *l);

/* True where the interface is up and has a carrier. Asks the kernel. */
bool link_is_up(const struct link *l);
const struct link_stats *link_stats(const struct link *l);

#endif
