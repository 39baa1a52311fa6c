/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One box: a kernel for each kind of flow, a disk, clocks that drift and jump, and (while it runs)
 * a daemon, which is syncd/engine.h with this as its owner. The daemon can be killed, stopped and
 * started again; the box can lose power. After each call into the engine the world is told, so that
 * it can look at every step.
 */
#ifndef TESTS_SIM_NODE_H
#define TESTS_SIM_NODE_H

#include "syncd/engine.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_kernel.h"

enum { SIM_GROUPS_MAX = 4, SIM_KINDS = 2 };

struct sim_node;

struct sim_node_io {
	void (*send)(void *ctx, struct sim_node *n, const uint8_t *dgram, size_t len);
	void (*on_record)(void *ctx, struct sim_node *n, enum engine_record what, uint16_t from,
			  uint64_t session, uint64_t counter, const uint8_t *bytes, size_t len);
	void (*on_state)(void *ctx, struct sim_node *n, uint32_t group, enum node_state from,
			 enum node_state to, const char *reason);
	void (*on_alarm)(void *ctx, struct sim_node *n, uint32_t group, const char *what);
	/* Its loop turns and turns with nothing to do. */
	void (*on_spin)(void *ctx, struct sim_node *n);
	/* An engine was made: nothing of the former one holds any more. */
	void (*on_start)(void *ctx, struct sim_node *n);
	/* A datagram is about to be handed to it. */
	void (*on_read)(void *ctx, struct sim_node *n, const uint8_t *dgram, size_t len);
	/* A call into the engine has just returned. */
	void (*after)(void *ctx, struct sim_node *n);
	void *ctx;
};

struct sim_node_config {
	uint16_t id; /* from 1 */
	uint64_t seed;
	uint32_t groups;
	const struct group_key *key; /* of the first rotation */
	bool insecure;
	enum engine_install install;
	size_t max_flows, retain_bytes;
	uint32_t datagram_max; /* what it believes the link to carry */
	uint32_t lease_s, true_s, reconcile_s;
	int32_t drift_ppm;
};

struct sim_node *sim_node_new(struct sim_clock *clock, const struct sim_node_config *cfg,
			      const struct sim_node_io *io);
void sim_node_free(struct sim_node *n);

/* ---- power, process, clocks ---- */

enum sim_stop {
	SIM_STOP,  /* the daemon ends in order: it keeps its tables, beside what stays of a kill */
	SIM_KILL,  /* the daemon dies; kernel, disk and runtime files stay */
	SIM_CRASH, /* the box loses power; only the disk stays */
};
void sim_node_stop(struct sim_node *n, enum sim_stop how);

/* Does to the tables that a stop has kept what a disk or a hand may do. Returns how many bytes. */
size_t sim_node_spoil(struct sim_node *n);

/* Starts the daemon, with the tables that the last stop kept. holds: bit per group - 1 whose
 * address this box still holds. */
void sim_node_start(struct sim_node *n, uint32_t holds);
void sim_node_pause(struct sim_node *n, bool paused);

/* A slow box takes `budget` datagrams each gap_us; gap 0: as they come. */
void sim_node_set_slow(struct sim_node *n, uint32_t gap_us, unsigned budget);
void sim_node_jump_wall(struct sim_node *n, int64_t by_us);

size_t sim_node_took(const struct sim_node *n);	 /* groups whose table this start had */
bool sim_node_up(const struct sim_node *n);	 /* the daemon runs, perhaps stopped */
bool sim_node_running(const struct sim_node *n); /* and is not stopped */

/* The key of a rotation, counted from 1, in a cluster whose first one is `first`. */
void sim_key(const struct group_key *first, uint16_t rotation, struct group_key *out);

/* ---- what is done to the daemon; each is a call into the engine ---- */

/* The keys configured from now on: that of a rotation, and with old the one before. */
void sim_node_set_keys(struct sim_node *n, uint16_t rotation, bool old);

void sim_node_deliver(struct sim_node *n, const uint8_t *dgram, size_t len);
void sim_node_set_role(struct sim_node *n, uint32_t group, enum node_role role, const char *reason);
int sim_node_handover(struct sim_node *n, uint32_t group);
void sim_node_reconcile(struct sim_node *n);
void sim_node_audit(struct sim_node *n);

/* ---- looking at it ---- */

uint16_t sim_node_id(const struct sim_node *n);
uint64_t sim_node_session(const struct sim_node *n); /* of the engine, or of the last one */
uint64_t sim_node_started_us(const struct sim_node *n);
struct engine *sim_node_engine(struct sim_node *n); /* NULL while it is down */
struct sim_kernel *sim_node_kernel(struct sim_node *n, enum flow_kind kind);
bool sim_node_status(struct sim_node *n, uint32_t group, struct engine_group_status *out);

/* The group of a flow: the last byte of the address that clients connect to; 0: none. */
uint32_t sim_node_classify(const struct flow_key *key, uint32_t groups);

#endif
