/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel's connection table, as syncd/kernel/kernel.h shows it: it lives on when the daemon dies,
 * tells events late, in part or (its queue being full) not at all, dumps piece by piece while
 * things change, refuses, fills up, and lets flows expire. What the world does to it (packets,
 * operators) makes events; what the node's own sink does makes none.
 */
#ifndef TESTS_SIM_KERNEL_H
#define TESTS_SIM_KERNEL_H

#include "syncd/kernel/kernel.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_rng.h"

struct sim_kernel;

struct sim_kernel_faults {
	uint32_t refuse;    /* permille of puts refused with -EBUSY */
	uint32_t interrupt; /* permille of dumps that end with -EINTR */
	size_t event_max;   /* events queued before the next is lost */
	size_t flows_max;   /* puts beyond it are refused with -ENFILE */
	size_t backlog_max; /* operations in one batch */
};

struct sim_kernel_io {
	/* There is something to poll for, in about so long. */
	void (*readable)(void *ctx, uint64_t delay_us);
	void *ctx;
};

struct sim_kernel *sim_kernel_new(struct sim_clock *clock, enum flow_kind kind, uint64_t seed,
				  const struct sim_kernel_io *io);
void sim_kernel_free(struct sim_kernel *k);
void sim_kernel_set_faults(struct sim_kernel *k, const struct sim_kernel_faults *f);

/* ---- the world's hand: expires_us is in the world's time ---- */

/* A packet or an operator makes or changes a flow (copied). parts: what an update's event carries.
 */
void sim_kernel_write(struct sim_kernel *k, const struct flow *f, unsigned parts,
		      uint64_t expires_us);

/* False where there is no such flow. live: it did not end by itself. */
bool sim_kernel_destroy(struct sim_kernel *k, const struct flow_key *key, bool live);

/* A packet of the flow: only its time changes. False where there is no such flow. */
bool sim_kernel_touch(struct sim_kernel *k, const struct flow_key *key, uint64_t expires_us);

void sim_kernel_flush(struct sim_kernel *k);  /* conntrack -F: an event each */
void sim_kernel_wipe(struct sim_kernel *k);   /* the box has lost power */
void sim_kernel_expire(struct sim_kernel *k); /* what is due by now */

/* Borrowed until the kernel changes; NULL where there is none. */
const struct flow *sim_kernel_get(const struct sim_kernel *k, const struct flow_key *key);
size_t sim_kernel_count(const struct sim_kernel *k);
const struct flow *sim_kernel_at(const struct sim_kernel *k, size_t index);

/* ---- the daemon's hand: one source and one sink at a time, freed by their owner ---- */

struct sim_kernel_timeouts {
	uint64_t lease_us, true_us;
};
struct source *sim_kernel_source(struct sim_kernel *k, const struct source_events *ev);
struct sink *sim_kernel_sink(struct sim_kernel *k, const struct sink_events *ev,
			     const struct sim_kernel_timeouts *t);

/* Events, dump records and results that a poll would now find. */
size_t sim_kernel_waiting(const struct sim_kernel *k);

struct sim_kernel_stats {
	uint64_t events, lost, overruns, dumps, interrupted, puts, renews, dels, refused, expired;
};
const struct sim_kernel_stats *sim_kernel_stats(const struct sim_kernel *k);

#endif
