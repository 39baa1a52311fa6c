/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire between nodes: each datagram goes to every other node, and on each of those ways it may
 * be lost (alone or in bursts), doubled, delayed, overtaken, damaged, cut short or held up by a
 * cut, which has a direction. An attacker records what passes and sends it again, at any age and to
 * anybody, whole or damaged, also while the sender is long gone.
 */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include "proto/limits.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_rng.h"

struct sim_net;

struct sim_net_faults {
	uint32_t loss, burst, duplicate, reorder, corrupt, truncate, loop; /* permille */
	uint32_t burst_max;   /* longest run of losses on one way */
	uint32_t delay_us[2]; /* least and most */
	uint32_t reorder_us;  /* most that one is held back */
	uint32_t replay;      /* permille of datagrams at which the attacker sends another */
	uint32_t links;	      /* copies of each datagram, each with its own luck; 0 is 1 */
	uint32_t link_us;     /* how much slower each link is than the one before */
};

struct sim_net_io {
	void (*deliver)(void *ctx, unsigned to, const uint8_t *dgram, size_t len);
	void *ctx;
};

struct sim_net_stats {
	uint64_t sent, delivered, lost, cut, duplicated, damaged, replayed, oversized;
};

/* Nodes are 0 to nodes - 1. The clock is borrowed. */
struct sim_net *sim_net_new(struct sim_clock *clock, uint64_t seed, unsigned nodes,
			    const struct sim_net_io *io);
void sim_net_free(struct sim_net *n);

void sim_net_set_faults(struct sim_net *n, const struct sim_net_faults *f);
const struct sim_net_faults *sim_net_faults(const struct sim_net *n);

/* Longer datagrams are lost, as with the don't-fragment bit. */
void sim_net_set_mtu(struct sim_net *n, size_t len_bytes);
size_t sim_net_mtu(const struct sim_net *n);

/* Cuts count: a way is open again when each has been undone. */
void sim_net_cut(struct sim_net *n, unsigned from, unsigned to);
void sim_net_join(struct sim_net *n, unsigned from, unsigned to);
void sim_net_join_all(struct sim_net *n);
bool sim_net_is_cut(const struct sim_net *n, unsigned from, unsigned to);

/* A node's port on a link (0 to LINKS_MAX - 1), which counts like a cut. */
void sim_net_unplug(struct sim_net *n, unsigned node, unsigned link);
void sim_net_plug(struct sim_net *n, unsigned node, unsigned link);

void sim_net_send(struct sim_net *n, unsigned from, const uint8_t *dgram, size_t len);
const struct sim_net_stats *sim_net_stats(const struct sim_net *n);

#endif
