/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies, delays and damage; deliveries are calls of the clock. */
#include "tests/sim/sim_net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDINGS = 512 };

struct packet {
	unsigned to;
	size_t len;
	uint8_t bytes[];
};

struct sim_net {
	struct sim_clock *clock;
	struct sim_rng rng;
	struct sim_net_io io;
	struct sim_net_faults faults;
	struct sim_net_stats stats;
	unsigned nodes;
	size_t mtu;
	uint16_t cut[NODES_MAX][NODES_MAX];
	uint16_t unplugged[NODES_MAX][LINKS_MAX];
	uint32_t burst[NODES_MAX][NODES_MAX]; /* losses still to come on this way */
	struct packet *recording[RECORDINGS];
	uint64_t recorded;
};

struct sim_net *sim_net_new(struct sim_clock *clock, uint64_t seed, unsigned nodes,
			    const struct sim_net_io *io)
{
	struct sim_net *n = calloc(1, sizeof *n);

	assert(n && nodes <= NODES_MAX);
	n->clock = clock;
	n->io = *io;
	n->nodes = nodes;
	n->mtu = DATAGRAM_START;
	n->faults.delay_us[0] = 20;
	n->faults.delay_us[1] = 100;
	sim_rng_init(&n->rng, seed, 1);
	return n;
}

void sim_net_free(struct sim_net *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < RECORDINGS; i++)
		free(n->recording[i]);
	free(n);
}

void sim_net_set_faults(struct sim_net *n, const struct sim_net_faults *f)
{
	n->faults = *f;
	memset(n->burst, 0, sizeof n->burst);
}

const struct sim_net_faults *sim_net_faults(const struct sim_net *n)
{
	return &n->faults;
}

void sim_net_set_mtu(struct sim_net *n, size_t len_bytes)
{
	n->mtu = len_bytes;
}

size_t sim_net_mtu(const struct sim_net *n)
{
	return n->mtu;
}

void sim_net_cut(struct sim_net *n, unsigned from, unsigned to)
{
	n->cut[from][to]++;
}

void sim_net_join(struct sim_net *n, unsigned from, unsigned to)
{
	if (n->cut[from][to] > 0)
		n->cut[from][to]--;
}

void sim_net_join_all(struct sim_net *n)
{
	memset(n->cut, 0, sizeof n->cut);
	memset(n->unplugged, 0, sizeof n->unplugged);
}

void sim_net_unplug(struct sim_net *n, unsigned node, unsigned link)
{
	n->unplugged[node][link]++;
}

void sim_net_plug(struct sim_net *n, unsigned node, unsigned link)
{
	if (n->unplugged[node][link] > 0)
		n->unplugged[node][link]--;
}

bool sim_net_is_cut(const struct sim_net *n, unsigned from, unsigned to)
{
	return n->cut[from][to] > 0;
}

const struct sim_net_stats *sim_net_stats(const struct sim_net *n)
{
	return &n->stats;
}

static void arrive(void *ctx, uint64_t tag, void *arg)
{
	struct sim_net *n = ctx;
	const struct packet *p = arg;

	(void)tag;
	n->stats.delivered++;
	n->io.deliver(n->io.ctx, p->to, p->bytes, p->len);
}

static struct packet *packet_new(unsigned to, const uint8_t *dgram, size_t len)
{
	struct packet *p = malloc(sizeof *p + len);

	assert(p);
	p->to = to;
	p->len = len;
	memcpy(p->bytes, dgram, len);
	return p;
}

static void damage(struct sim_net *n, struct packet *p)
{
	if (p->len > 0 && sim_rng_chance(&n->rng, n->faults.corrupt)) {
		p->bytes[sim_rng_below(&n->rng, p->len)] ^=
			(uint8_t)(1u << sim_rng_below(&n->rng, 8));
		n->stats.damaged++;
	}
	if (sim_rng_chance(&n->rng, n->faults.truncate)) {
		p->len = sim_rng_below(&n->rng, p->len + 1);
		n->stats.damaged++;
	}
}

static void carry(struct sim_net *n, unsigned to, unsigned link, const uint8_t *dgram, size_t len)
{
	const struct sim_net_faults *f = &n->faults;
	uint64_t delay = sim_rng_range(&n->rng, f->delay_us[0], f->delay_us[1]) +
			 (uint64_t)link * f->link_us;
	struct packet *p = packet_new(to, dgram, len);

	damage(n, p);
	if (sim_rng_chance(&n->rng, f->reorder))
		delay += sim_rng_below(&n->rng, f->reorder_us + 1);
	sim_clock_at(n->clock, sim_clock_now(n->clock) + delay, arrive, n, 0, p);
}

static bool is_lost(struct sim_net *n, unsigned from, unsigned to)
{
	uint32_t *left = &n->burst[from][to];

	if (*left == 0 && sim_rng_chance(&n->rng, n->faults.burst))
		*left = (uint32_t)sim_rng_range(&n->rng, 1, n->faults.burst_max);
	if (*left > 0) {
		(*left)--;
		return true;
	}
	return sim_rng_chance(&n->rng, n->faults.loss);
}

struct way {
	unsigned from, to, link;
};

static void one_way(struct sim_net *n, struct way v, const uint8_t *dgram, size_t len)
{
	if (n->cut[v.from][v.to] > 0 || n->unplugged[v.from][v.link] > 0 ||
	    n->unplugged[v.to][v.link] > 0) {
		n->stats.cut++;
		return;
	}
	if (is_lost(n, v.from, v.to)) {
		n->stats.lost++;
		return;
	}
	carry(n, v.to, v.link, dgram, len);
	if (sim_rng_chance(&n->rng, n->faults.duplicate)) {
		n->stats.duplicated++;
		carry(n, v.to, v.link, dgram, len);
	}
}

/* Keeps the first of everything for ever and the rest by chance, so that all ages are at hand. */
static void attack(struct sim_net *n, const uint8_t *dgram, size_t len)
{
	uint64_t slot = n->recorded++;
	const struct packet *p;

	if (slot >= RECORDINGS)
		slot = RECORDINGS / 4 + sim_rng_below(&n->rng, RECORDINGS * 4);
	if (slot < RECORDINGS) {
		free(n->recording[slot]);
		n->recording[slot] = packet_new(0, dgram, len);
	}
	if (!sim_rng_chance(&n->rng, n->faults.replay))
		return;
	p = n->recording[sim_rng_below(&n->rng,
				       n->recorded < RECORDINGS ? n->recorded : RECORDINGS)];
	n->stats.replayed++;
	for (unsigned to = 0; to < n->nodes; to++)
		if (sim_rng_chance(&n->rng, 500))
			carry(n, to, 0, p->bytes, p->len);
}

void sim_net_send(struct sim_net *n, unsigned from, const uint8_t *dgram, size_t len)
{
	uint32_t copies = n->faults.links ? n->faults.links : 1;

	n->stats.sent++;
	if (len > n->mtu) {
		n->stats.oversized++;
		return;
	}
	for (unsigned to = 0; to < n->nodes; to++) {
		if (to == from && !sim_rng_chance(&n->rng, n->faults.loop))
			continue;
		for (uint32_t i = 0; i < copies; i++)
			one_way(n, (struct way){from, to, i}, dgram, len);
	}
	if (n->faults.replay > 0)
		attack(n, dgram, len);
}
