/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Repair between two tables without a node around them: an active's table with its server, standbys
 * with their clients, an ordered stream between them that may lose datagrams for good, and a count
 * of every byte as it would be on the wire.
 */
#ifndef TESTS_LIB_REPAIR_LOOP_H
#define TESTS_LIB_REPAIR_LOOP_H

#include "syncd/stream/repair.h"
#include "tests/lib/rng.h"

enum { LOOP_STANDBYS_MAX = 3, WIRE_OVERHEAD = FRAME_OVERHEAD + 28 /* IPv4 and UDP headers */ };

struct repair_loop {
	struct digest_key key;
	struct table *active;
	struct repair_server *server;
	struct rng *rng;
	uint64_t now_us;
	size_t standbys;
	struct {
		struct table *table;
		struct repair_client *client;
		bool equal;
	} standby[LOOP_STANDBYS_MAX];

	/* What may happen. */
	unsigned lose_per_mille;	      /* of data datagrams, for each standby by itself */
	unsigned lose_ask_per_mille;	      /* of requests */
	bool incomplete;		      /* nothing may be removed by repair */
	unsigned datagrams_per_turn;	      /* of repair, at most; a turn is a millisecond */
	void (*churn)(struct repair_loop *l); /* called each turn, or NULL */

	/* What did. */
	uint64_t bytes, data_datagrams, request_datagrams, turns, live_bytes;
	size_t longest;
};

void repair_loop_init(struct repair_loop *l, struct rng *rng, size_t standbys);
void repair_loop_fini(struct repair_loop *l);

/* Puts numbered flow i into a table, as sent and installed, with this mark. */
void repair_loop_load(struct table *t, uint32_t i, uint32_t mark);
void repair_loop_unload(struct table *t, uint32_t i);

/* Runs until all standbys are equal and, if so, returns true; false after turns_max. */
bool repair_loop_run(struct repair_loop *l, uint64_t turns_max);

/* True where both hold the same flows, byte for byte. */
bool tables_equal(const struct table *a, const struct table *b);

#endif
