/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a daemon as JSON. Members may be added, never renamed or taken away: scripts and
 * monitoring depend on them. syncctl(8) lists all of them; tests/net/test_daemon.c holds that.
 */
#ifndef SYNCD_STATUS_JSON_H
#define SYNCD_STATUS_JSON_H

#include <jansson.h>

#include "syncd/engine.h"
#include "syncd/kernel/ct_sink.h"
#include "syncd/net/link.h"

struct status_link {
	const char *name;
	bool up;   /* it has a carrier */
	bool data; /* data goes by it, not only control */
	const struct link_stats *stats;
};

/* What the engine does not know of its box. Borrowed. */
struct status_box {
	const char *node;
	uint16_t node_id;
	uint64_t session;
	uint64_t started_us; /* monotonic */
	struct status_link link[LINKS_MAX];
	size_t links;
	const char *conntrack, *ipvs;	     /* names of the back ends; NULL: none */
	const struct ct_sink_stats *ct_sink; /* NULL: none */
	/* The link on which a node was last heard; NULL: not known. The function may be NULL. */
	const char *(*peer_link)(void *ctx, uint16_t node);
	/* Names of what differs from a peer, into text; may be NULL. */
	size_t (*peer_drift)(void *ctx, const struct peer *p, char *text, size_t len);
	void *ctx;
};

/* All of it, as `syncctl -j status` prints it. To be freed by the caller; NULL: no memory. */
json_t *status_json(struct engine *e, const struct status_box *box, struct engine_now now);

/* Parts, for commands that answer less. */
json_t *status_group_json(const struct engine_group_status *st);
json_t *status_peers_json(struct engine *e, const struct status_box *box, struct engine_now now);
json_t *status_counters_json(const struct engine *e, const struct status_box *box);

#endif
