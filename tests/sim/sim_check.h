/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold at every step. It reads all that nodes send and apply, keeps its own model of each
 * stream and of each standby's table, and holds the engines against them:
 *   numbers   data is numbered without gaps, only the active speaks for a group
 *   nonce     no (session, kind, counter) is sealed twice with different bytes
 *   mtu       nothing is longer than the wire carries, but for padded hellos
 *   stream    what the active's digest says has changed is what its datagrams say
 *   order     a standby applies each datagram once, in order, as sent, none from before its start
 *   term      data of a lower term is not applied, and no node's term falls
 *   model     a standby's table is what it applied; ranges remove once the active is complete
 *   prefix    a standby that says equal has the active's table as of the counter it has applied
 *   return    a flow that the active has said is gone does not come back in its term
 *   again     a datagram read before, or of a daemon that ended long ago, changes nothing
 *   memory    what a table holds is bounded by the most flows it ever had, deleted ones that are
 *             not told yet or that a dump under way could bring back among them
 */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include "tests/sim/sim_node.h"

struct sim_check;

struct sim_check_io {
	/* The first violation ends the story. */
	void (*violation)(void *ctx, const struct sim_node *n, const char *invariant,
			  const char *text);
	void *ctx;
};

struct sim_check_config {
	const struct group_key *key; /* of the first rotation; borrowed */
	bool insecure;
	uint32_t groups;
	size_t mtu;
};

struct sim_check *sim_check_new(struct sim_clock *clock, const struct sim_check_config *cfg,
				const struct sim_check_io *io);
void sim_check_free(struct sim_check *c);

/* To be called by sim_node's callbacks of the same names. */
void sim_check_on_start(struct sim_check *c, struct sim_node *n);
void sim_check_on_send(struct sim_check *c, struct sim_node *n, const uint8_t *dgram, size_t len);
void sim_check_on_applied(struct sim_check *c, struct sim_node *n, uint16_t from, uint64_t session,
			  uint64_t counter, const uint8_t *payload, size_t len);
void sim_check_on_told(struct sim_check *c, const struct sim_node *n, const uint8_t *payload,
		       size_t len); /* by a predecessor, late */
void sim_check_on_read(struct sim_check *c, struct sim_node *n, const uint8_t *dgram, size_t len);
void sim_check_after(struct sim_check *c, struct sim_node *n);

/* Somebody has had his hands in this standby's table: what it says of itself is not held against it
 * until it is right again. */
void sim_check_tampered(struct sim_check *c, struct sim_node *n, uint32_t group);

/* A table's digest, counted anew from its flows. */
uint64_t sim_check_digest(const struct sim_check *c, const struct table *t);

/* All that was sent so far, by everybody. */
struct sim_check_totals {
	uint64_t data, puts, dels, put_bytes, ranges, range_puts, range_bytes, digests, checks;
	uint64_t applied, prefixes; /* how often equality was held against the model */
	uint64_t again;		    /* such datagrams read */
};
const struct sim_check_totals *sim_check_totals(const struct sim_check *c);

/* A number that depends on every datagram sent and its time: alike for two runs of one seed. */
uint64_t sim_check_trace(const struct sim_check *c);

#endif
