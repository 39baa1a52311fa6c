/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the fake kernel's table and its two edges share; nobody else includes this. */
#ifndef TESTS_SIM_KERNEL_PRIV_H
#define TESTS_SIM_KERNEL_PRIV_H

#include "proto/flow_codec.h"
#include "tests/sim/sim_kernel.h"
#include "tests/sim/sim_map.h"

/* An encoded flow with what is told about it. */
struct note {
	uint64_t at_us; /* not before */
	int what;	/* enum flow_event or enum sink_op */
	unsigned parts;
	bool live;
	bool ours;
	int err;
	size_t len;
	uint8_t bytes[];
};

struct queue {
	struct note **note;
	size_t head, n, cap;
};

void note_push(struct queue *q, struct note *note);
struct note *note_pop(struct queue *q); /* owned by the caller; NULL: empty */
void queue_clear(struct queue *q);

/* NULL where the flow cannot be encoded. */
struct note *note_new(const struct flow *f);
struct note *note_new_key(const struct flow_key *k); /* of a delete, of which only the key counts */

struct entry {
	struct flow flow; /* borrows from bytes */
	uint64_t expires_us;
	bool ours;	   /* made by the sink */
	uint8_t offloaded; /* dumps on end that told of it so */
	uint8_t bytes[FLOW_MAX];
};

struct sim_source;
struct sim_sink;

struct sim_kernel {
	struct sim_clock *clock;
	struct sim_rng rng;
	enum flow_kind kind;
	struct sim_kernel_io io;
	struct sim_kernel_faults faults;
	struct sim_kernel_stats stats;
	struct sim_map *flows;
	struct sim_source *source;
	struct sim_sink *sink;
};

struct entry *entry_find(const struct sim_kernel *k, const struct flow_key *key);
/* Makes it so, without an event. Returns 0 or -EINVAL. */
int entry_write(struct sim_kernel *k, const struct flow *f, uint64_t expires_us);
bool entry_remove(struct sim_kernel *k, const struct flow_key *key);

/* Queues an event for the source, if there is one that listens to it. */
void source_tell(struct sim_source *s, enum flow_event what, const struct flow *f, unsigned parts,
		 bool live);
/* A flow came into being while a dump may be running. */
void source_born(struct sim_source *s, const uint8_t *key, size_t len);
size_t source_waiting(const struct sim_source *s);
size_t sink_waiting(const struct sim_sink *s);

#endif
