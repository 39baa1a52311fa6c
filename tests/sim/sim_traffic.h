/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clients. They open, change and close connections on whichever box holds their group's address
 * (on one of the two, in a split), keep their entry alive there, and are reset when the address
 * moves to a box that does not know them. This is the truth that kernels and tables are held
 * against.
 */
#ifndef TESTS_SIM_TRAFFIC_H
#define TESTS_SIM_TRAFFIC_H

#include "tests/sim/sim_kernel.h"

struct sim_traffic;

/* How the clients see the boxes. */
struct sim_traffic_io {
	uint32_t (*holders)(void *ctx, uint32_t group); /* bit per box */
	struct sim_kernel *(*kernel)(void *ctx, unsigned box, enum flow_kind kind);
	/* A connection is reset: this box does not know it. */
	void (*lost)(void *ctx, unsigned box, const struct flow *f);
	void *ctx;
};

struct sim_traffic_config {
	uint64_t seed;
	uint32_t groups;
	size_t flows;	     /* that a group settles at */
	uint32_t exotic;     /* permille of flows of every kind and shape; the rest is plain TCP */
	uint32_t ipvs;	     /* permille of those that may be IPVS */
	uint32_t related;    /* permille of flows with a master */
	uint64_t expires_us; /* true timeout in the kernel */
};

struct sim_traffic *sim_traffic_new(struct sim_clock *clock, const struct sim_traffic_config *cfg,
				    const struct sim_traffic_io *io);
void sim_traffic_free(struct sim_traffic *t);

/* So many things happen to connections of a group: opened, changed, closed. */
void sim_traffic_step(struct sim_traffic *t, uint32_t group, unsigned things);

/* Every open connection sends a packet. */
void sim_traffic_touch(struct sim_traffic *t);

/* A patient client whose box does not know its connection sends again, and is not reset. */
void sim_traffic_set_patient(struct sim_traffic *t, uint32_t group, bool patient);

struct sim_traffic_stats {
	uint64_t opened, changed, closed;
	uint64_t lost; /* reset: the box that got the address did not know them */
	size_t open;
};
const struct sim_traffic_stats *sim_traffic_stats(const struct sim_traffic *t);

/* The first of the group's open connections that its box does not know; NULL: all are known. */
const struct flow *sim_traffic_unknown(struct sim_traffic *t, uint32_t group);

/* The first of them that this box does not know, wherever their packets go. */
const struct flow *sim_traffic_unknown_to(const struct sim_traffic *t, uint32_t group,
					  unsigned box);

#endif
