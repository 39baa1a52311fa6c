/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections with a home, a state and a version that every change moves on. */
#include "tests/sim/sim_traffic.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/random_flow.h"

enum { NOWHERE = -1 };

struct client {
	struct flow f; /* borrows nothing: kinds with borrowed parts are not used */
	uint32_t group, version;
	int home;
};

struct sim_traffic {
	struct sim_clock *clock;
	struct sim_rng rng;
	struct sim_traffic_config cfg;
	struct sim_traffic_io io;
	struct sim_traffic_stats stats;
	struct client **client;
	size_t n, cap;
	size_t open[256];  /* by group */
	bool patient[256]; /* by group */
	uint32_t serial;
};

struct sim_traffic *sim_traffic_new(struct sim_clock *clock, const struct sim_traffic_config *cfg,
				    const struct sim_traffic_io *io)
{
	struct sim_traffic *t = calloc(1, sizeof *t);

	assert(t);
	t->clock = clock;
	t->cfg = *cfg;
	t->io = *io;
	sim_rng_init(&t->rng, cfg->seed, 4);
	return t;
}

void sim_traffic_free(struct sim_traffic *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->client[i]);
	free(t->client);
	free(t);
}

static uint64_t expires(const struct sim_traffic *t)
{
	return sim_clock_now(t->clock) + t->cfg.expires_us;
}

static struct sim_kernel *kernel_of(const struct sim_traffic *t, int box, const struct flow *f)
{
	return t->io.kernel(t->io.ctx, (unsigned)box, (enum flow_kind)f->key.kind);
}

static void forget(struct sim_traffic *t, size_t i)
{
	t->open[t->client[i]->group]--;
	free(t->client[i]);
	t->client[i] = t->client[--t->n];
	t->stats.open = t->n;
}

static int pick_holder(struct sim_traffic *t, uint32_t group)
{
	uint32_t holders = t->io.holders(t->io.ctx, group);
	uint64_t nth;

	if (holders == 0)
		return NOWHERE;
	nth = sim_rng_below(&t->rng, (uint64_t)__builtin_popcount(holders));
	for (int box = 0;; box++)
		if (holders & 1u << box && nth-- == 0)
			return box;
}

/*
 * Where the connection's packets go now. False: nowhere at the moment, or it has been reset, and
 * the client is gone.
 */
static bool find_home(struct sim_traffic *t, size_t i, bool *gone)
{
	struct client *c = t->client[i];
	uint32_t holders = t->io.holders(t->io.ctx, c->group);

	*gone = false;
	if (c->home == NOWHERE || !(holders & 1u << c->home)) {
		int box = pick_holder(t, c->group);

		if (box == NOWHERE)
			return false;
		c->home = box;
	}
	if (sim_kernel_get(kernel_of(t, c->home, &c->f), &c->f.key))
		return true;
	if (t->patient[c->group])
		return false;
	t->stats.lost++;
	t->io.lost(t->io.ctx, (unsigned)c->home, &c->f);
	forget(t, i);
	*gone = true;
	return false;
}

/* ---- what connections look like ---- */

static void set_dst(struct flow *f, uint32_t group)
{
	struct flow_addr old = f->key.dst;
	bool mirrors =
		f->key.kind == FLOW_CONNTRACK && memcmp(&f->ct.reply_src, &old, sizeof old) == 0;

	f->key.dst.b[f->key.addr_len - 1] = (uint8_t)group;
	if (mirrors)
		f->ct.reply_src = f->key.dst;
}

static bool exotic(struct sim_traffic *t, struct client *c)
{
	if (!sim_rng_chance(&t->rng, t->cfg.exotic))
		return false;
	if (sim_rng_chance(&t->rng, t->cfg.ipvs))
		random_flow_ipvs(&t->rng.rng, &c->f);
	else
		random_flow_conntrack(&t->rng.rng, &c->f);
	/* A master that nobody ever had could nowhere be installed. */
	if (c->f.key.kind == FLOW_CONNTRACK) {
		c->f.ct.has_master = false;
		memset(&c->f.ct.master, 0, sizeof c->f.ct.master);
	}
	return c->f.key.pe_data_len == 0;
}

static void plain(struct sim_traffic *t, struct client *c)
{
	numbered_flow(t->serial++, &c->f);
	c->f.ct.mark = t->serial;
	if (sim_rng_chance(&t->rng, 200)) {
		c->f.key.l4proto = IPPROTO_UDP;
		c->f.ct.state = 0;
		memset(c->f.ct.tcp_flags, 0, sizeof c->f.ct.tcp_flags);
		memset(c->f.ct.tcp_scale, 0, sizeof c->f.ct.tcp_scale);
	} else if (sim_rng_chance(&t->rng, 500)) {
		c->f.ct.state = 2; /* SYN_RECV */
		c->f.ct.status &= ~4u;
	}
}

static void add_master(struct sim_traffic *t, struct client *c)
{
	const struct client *m;

	if (t->n == 0 || c->f.key.kind != FLOW_CONNTRACK ||
	    !sim_rng_chance(&t->rng, t->cfg.related))
		return;
	m = t->client[sim_rng_below(&t->rng, t->n)];
	if (m->group != c->group || m->home != c->home || m->f.key.kind != FLOW_CONNTRACK)
		return;
	c->f.ct.has_master = true;
	c->f.ct.master = m->f.key;
	c->f.ct.status |= 1; /* EXPECTED */
}

/* ---- what happens to them ---- */

static void open_one(struct sim_traffic *t, uint32_t group)
{
	struct client *c;
	int box = pick_holder(t, group);

	if (box == NOWHERE)
		return;
	c = calloc(1, sizeof *c);
	assert(c);
	c->group = group;
	c->home = box;
	if (!exotic(t, c))
		plain(t, c);
	set_dst(&c->f, group);
	add_master(t, c);
	if (sim_kernel_get(kernel_of(t, box, &c->f), &c->f.key)) {
		free(c);
		return;
	}
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->client = realloc(t->client, t->cap * sizeof(struct client *));
		assert(t->client);
	}
	t->client[t->n++] = c;
	t->open[group]++;
	t->stats.opened++;
	t->stats.open = t->n;
	sim_kernel_write(kernel_of(t, box, &c->f), &c->f, FLOW_PART_ALL, expires(t));
}

/* Changes one part of the connection and returns which (enum flow_part). */
static unsigned change(struct sim_traffic *t, struct client *c)
{
	struct flow_conntrack *ct = &c->f.ct;

	c->version++;
	if (c->f.key.kind == FLOW_IPVS) {
		c->f.ipvs.state = (uint16_t)(c->version % 14);
		return FLOW_PART_ALL;
	}
	switch (sim_rng_below(&t->rng, 4)) {
	case 0:
		ct->mark = c->version << 16 | (ct->mark & 0xffff);
		return FLOW_PART_MARK | FLOW_PART_STATUS;
	case 1:
		memcpy(ct->labels, &c->version, sizeof c->version);
		return FLOW_PART_LABELS;
	case 2:
		if (c->f.key.l4proto == IPPROTO_TCP) {
			ct->state = ct->state < 8 ? (uint8_t)(ct->state + 1) : 3;
			ct->status |= 4;
			return FLOW_PART_STATE | FLOW_PART_STATUS;
		}
		/* fall through */
	default:
		ct->seqadj[FLOW_ORIG].correction_pos = c->version;
		ct->seqadj[FLOW_ORIG].offset_after = 1;
		ct->status |= 0x40; /* SEQ_ADJUST */
		return FLOW_PART_SEQADJ | FLOW_PART_STATUS;
	}
}

static void change_one(struct sim_traffic *t, size_t i)
{
	struct client *c = t->client[i];
	bool gone;
	unsigned parts;

	if (!find_home(t, i, &gone))
		return;
	parts = change(t, c);
	t->stats.changed++;
	sim_kernel_write(kernel_of(t, c->home, &c->f), &c->f, parts, expires(t));
}

static void close_one(struct sim_traffic *t, size_t i)
{
	struct client *c = t->client[i];
	bool gone;

	if (!find_home(t, i, &gone))
		return;
	t->stats.closed++;
	(void)sim_kernel_destroy(kernel_of(t, c->home, &c->f), &c->f.key, false);
	forget(t, i);
}

/* Some connection of the group; n where there is none. */
static size_t pick_client(struct sim_traffic *t, uint32_t group)
{
	size_t i = sim_rng_below(&t->rng, t->n);

	for (size_t tries = 0; t->open[group] > 0 && tries < t->n; tries++, i = (i + 1) % t->n)
		if (t->client[i]->group == group)
			return i;
	return t->n;
}

void sim_traffic_step(struct sim_traffic *t, uint32_t group, unsigned things)
{
	for (; things > 0; things--) {
		size_t i = pick_client(t, group);

		if (i == t->n || (t->open[group] < t->cfg.flows && sim_rng_chance(&t->rng, 800)))
			open_one(t, group);
		else if (t->open[group] > t->cfg.flows && sim_rng_chance(&t->rng, 500))
			close_one(t, i);
		else if (sim_rng_chance(&t->rng, 600))
			change_one(t, i);
		else
			close_one(t, i);
	}
}

void sim_traffic_touch(struct sim_traffic *t)
{
	for (size_t i = 0; i < t->n;) {
		struct client *c = t->client[i];
		bool gone;

		if (find_home(t, i, &gone))
			(void)sim_kernel_touch(kernel_of(t, c->home, &c->f), &c->f.key, expires(t));
		i += !gone;
	}
}

void sim_traffic_set_patient(struct sim_traffic *t, uint32_t group, bool patient)
{
	t->patient[group] = patient;
}

const struct sim_traffic_stats *sim_traffic_stats(const struct sim_traffic *t)
{
	return &t->stats;
}

const struct flow *sim_traffic_unknown(struct sim_traffic *t, uint32_t group)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct client *c = t->client[i];
		int box = c->home;

		if (c->group != group)
			continue;
		if (!(t->io.holders(t->io.ctx, group) & 1u << box))
			box = pick_holder(t, group);
		if (box == NOWHERE || !sim_kernel_get(kernel_of(t, box, &c->f), &c->f.key))
			return &c->f;
	}
	return NULL;
}

const struct flow *sim_traffic_unknown_to(const struct sim_traffic *t, uint32_t group, unsigned box)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct client *c = t->client[i];

		if (c->group == group && !sim_kernel_get(kernel_of(t, (int)box, &c->f), &c->f.key))
			return &c->f;
	}
	return NULL;
}
