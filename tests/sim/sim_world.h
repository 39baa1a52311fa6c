/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole story from one seed: boxes, wire, clients, an engine that decides who is active (what
 * keepalived is to the real thing) and a schedule of faults. It has a storm, in which the profile's
 * faults happen; then everything is healed, and must agree within a bounded time; then, now and
 * then, an epilogue that measures what agreement is worth (sim_epilogue.c).
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "tests/sim/sim_check.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_profile.h"
#include "tests/sim/sim_traffic.h"

struct sim_result {
	bool failed;
	char text[2048]; /* seed, profile, time, node, invariant, what */
	uint64_t trace;	 /* alike for two runs of the same seed */
	uint64_t flows_opened, flows_lost, datagrams, prefixes, again, simulated_us;
	uint32_t takeovers;
};

/* Runs one seed to its end. verbose: the trace goes to stdout as it happens; 2: with flows. */
void sim_world_run(const struct sim_profile *p, uint64_t seed, unsigned verbose,
		   struct sim_result *out);

/* ---- for the parts that make the story: sim_world.c, sim_fault.c, sim_epilogue.c ---- */

struct sim_world {
	const struct sim_profile *profile;
	uint64_t seed;
	unsigned verbose; /* 1: the trace, 2: flows too */
	bool healed, traffic_on;
	struct sim_rng rng;
	struct sim_clock *clock;
	struct sim_net *net;
	struct sim_check *check;
	struct sim_traffic *traffic;
	unsigned nodes;
	uint32_t groups;
	struct sim_node *node[NODES_MAX];
	uint32_t holders[SIM_GROUPS_MAX];	 /* bit per box: who has the address */
	uint64_t quiet_until_us[SIM_GROUPS_MAX]; /* clients wait while the address moves */
	uint16_t rotation;			 /* of keys, from 1 */
	bool rotating;
	uint32_t things; /* that happen to connections in each step of the traffic */
	struct sim_result *result;
};

__attribute__((format(printf, 2, 3))) void sim_trace(struct sim_world *w, const char *fmt, ...);
__attribute__((format(printf, 4, 5))) void sim_fail(struct sim_world *w, unsigned node,
						    const char *invariant, const char *fmt, ...);

/* Lets time pass, up to the first violation. */
void sim_world_pass(struct sim_world *w, uint64_t us);

/* The address of a group comes to, or leaves, a box; its daemon is told, if it listens. */
void sim_world_hold(struct sim_world *w, unsigned node, uint32_t group, bool hold);
/* Tells a daemon that has just (re)started or woken up what it holds. */
void sim_world_tell(struct sim_world *w, unsigned node);
void sim_world_start(struct sim_world *w, unsigned node);
void sim_world_stop(struct sim_world *w, unsigned node, enum sim_stop how, bool keep_address);

/* A box that holds the group; nodes where none does. */
unsigned sim_world_holder(const struct sim_world *w, uint32_t group);
/* Any running box but this; nodes where there is none. */
unsigned sim_world_other(struct sim_world *w, unsigned but);
/* One box holds each group from now on, whoever held it before. */
void sim_world_settle_roles(struct sim_world *w);

/* ---- sim_agree.c ---- */

/* True where all tables are the active's and all kernels their tables'; why: what is wrong. */
bool sim_world_agrees(struct sim_world *w, char *why, size_t cap);
/* Waits until they do; a violation where they do not within the time. */
void sim_world_wait_agreement(struct sim_world *w, const char *after, uint64_t within_us);

/* Removes or alters so many flows of a standby's table behind its back. Returns how many it did. */
unsigned sim_world_tamper(struct sim_world *w, unsigned node, uint32_t group, unsigned flows);

/* sim_fault.c */
void sim_fault_schedule(struct sim_world *w);
void sim_fault_heal(struct sim_world *w);

/* sim_epilogue.c */
void sim_epilogue(struct sim_world *w);

#endif
