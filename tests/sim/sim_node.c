/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A box with its daemon: what main.c is to the real one. */
#include "tests/sim/sim_node.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	INBOX_MAX = 512,
	POLL_BUDGET = 64,
	SPINS_MAX = 1000, /* turns in a row that want another at once, though nothing has come */
};

struct dgram {
	struct dgram *next;
	size_t len;
	uint8_t bytes[];
};

struct sim_node {
	struct sim_clock *clock;
	struct sim_rng rng;
	struct sim_node_config cfg;
	struct sim_node_io io;
	struct group_key first_key, key[2];
	size_t keys;
	bool keys_due; /* changed while the daemon was stopped */
	struct sim_kernel *kernel[SIM_KINDS];
	/* disk, and files that a crash of the box takes away */
	struct term term[SIM_GROUPS_MAX];
	enum node_role role[SIM_GROUPS_MAX];
	/* clocks */
	uint64_t mono_base_us;
	int64_t wall_us;
	/* the daemon */
	struct engine *engine;
	struct source *source[SIM_KINDS];
	struct sink *sink[SIM_KINDS];
	uint64_t session, started_us, wake_us, wakes;
	bool paused, running;
	uint32_t gap_us;
	unsigned budget, spins;
	uint8_t *kept; /* tables of a daemon that ended in order */
	size_t kept_len, took;
	struct dgram *inbox, **inbox_end;
	size_t inbox_len;
};

static void run(void *ctx, uint64_t tag, void *arg);

/* ---- clocks ---- */

static uint64_t mono_at(const struct sim_node *n, uint64_t world_us)
{
	int64_t t = (int64_t)world_us;

	return (uint64_t)(t + t * n->cfg.drift_ppm / 1000000) + n->mono_base_us;
}

static struct engine_now node_now(const struct sim_node *n)
{
	uint64_t mono = mono_at(n, sim_clock_now(n->clock));

	return (struct engine_now){.mono_us = mono, .wall_us = mono + (uint64_t)n->wall_us};
}

/* The world's time at which this node's clock shows mono_us or a little more; 10 s ahead at most.
 */
static uint64_t world_time(const struct sim_node *n, uint64_t mono_us)
{
	uint64_t now = sim_clock_now(n->clock), mono = node_now(n).mono_us;
	uint64_t wait = mono_us > mono ? mono_us - mono : 1;
	uint64_t at = now + (wait < 10 * S_US ? wait - wait / 4000 : 10 * S_US);

	while (wait < 10 * S_US && mono_at(n, at) < mono_us)
		at++;
	return at;
}

static void wake_at(struct sim_node *n, uint64_t at_us)
{
	uint64_t now = sim_clock_now(n->clock);

	if (at_us < now + n->gap_us)
		at_us = now + n->gap_us;
	if (n->wake_us != 0 && n->wake_us <= at_us)
		return;
	n->wake_us = at_us;
	sim_clock_at(n->clock, at_us, run, n, ++n->wakes, NULL);
}

void sim_node_jump_wall(struct sim_node *n, int64_t by_us)
{
	n->wall_us += by_us;
}

/* ---- the engine's owner ---- */

static void io_send(void *ctx, const uint8_t *dgram, size_t len)
{
	struct sim_node *n = ctx;

	n->io.send(n->io.ctx, n, dgram, len);
}

uint32_t sim_node_classify(const struct flow_key *key, uint32_t groups)
{
	uint32_t group = key->dst.b[key->addr_len - 1];

	return group <= groups ? group : 0;
}

static uint32_t io_classify(void *ctx, const struct flow_key *key)
{
	const struct sim_node *n = ctx;

	return sim_node_classify(key, n->cfg.groups);
}

static struct source *io_source(void *ctx, enum flow_kind kind)
{
	const struct sim_node *n = ctx;

	return n->source[kind];
}

static struct sink *io_sink(void *ctx, enum flow_kind kind)
{
	const struct sim_node *n = ctx;

	return n->sink[kind];
}

static void io_store_term(void *ctx, uint32_t group, struct term highest, enum node_role role)
{
	struct sim_node *n = ctx;

	n->term[group - 1] = highest;
	n->role[group - 1] = role;
}

static void io_on_state(void *ctx, uint32_t group, enum node_state from, enum node_state to,
			const char *reason)
{
	struct sim_node *n = ctx;

	n->io.on_state(n->io.ctx, n, group, from, to, reason);
}

static void io_on_record(void *ctx, enum engine_record what, uint16_t node, uint64_t session,
			 uint64_t counter, const uint8_t *bytes, size_t len)
{
	struct sim_node *n = ctx;

	n->io.on_record(n->io.ctx, n, what, node, session, counter, bytes, len);
}

static void io_on_alarm(void *ctx, uint32_t group, const char *what)
{
	struct sim_node *n = ctx;

	n->io.on_alarm(n->io.ctx, n, group, what);
}

static void kernel_readable(void *ctx, uint64_t delay_us)
{
	struct sim_node *n = ctx;

	if (n->engine && !n->running)
		wake_at(n, sim_clock_now(n->clock) + delay_us);
}

/* ---- life ---- */

struct sim_node *sim_node_new(struct sim_clock *clock, const struct sim_node_config *cfg,
			      const struct sim_node_io *io)
{
	struct sim_node *n = calloc(1, sizeof *n);
	struct sim_kernel_io kio = {.readable = kernel_readable, .ctx = n};

	assert(n && cfg->groups <= SIM_GROUPS_MAX);
	n->clock = clock;
	n->cfg = *cfg;
	n->first_key = n->key[0] = *cfg->key;
	n->keys = 1;
	n->cfg.key = &n->first_key;
	n->io = *io;
	n->inbox_end = &n->inbox;
	sim_rng_init(&n->rng, cfg->seed, 100u + cfg->id);
	for (unsigned k = 0; k < SIM_KINDS; k++)
		n->kernel[k] =
			sim_kernel_new(clock, (enum flow_kind)k, sim_rng_next(&n->rng), &kio);
	n->mono_base_us = sim_rng_range(&n->rng, 10 * S_US, 1000 * S_US);
	n->wall_us = (int64_t)(1700000000 * S_US + sim_rng_below(&n->rng, 5 * S_US));
	return n;
}

static void inbox_clear(struct sim_node *n)
{
	while (n->inbox) {
		struct dgram *d = n->inbox;

		n->inbox = d->next;
		free(d);
	}
	n->inbox_end = &n->inbox;
	n->inbox_len = 0;
}

static void forget_kept(struct sim_node *n)
{
	free(n->kept);
	n->kept = NULL;
	n->kept_len = 0;
}

void sim_node_free(struct sim_node *n)
{
	if (!n)
		return;
	if (n->engine)
		sim_node_stop(n, SIM_KILL);
	for (unsigned k = 0; k < SIM_KINDS; k++)
		sim_kernel_free(n->kernel[k]);
	forget_kept(n);
	free(n);
}

static int keep(void *ctx, const uint8_t *bytes, size_t len)
{
	struct sim_node *n = ctx;

	n->kept = realloc(n->kept, n->kept_len + len);
	assert(n->kept);
	memcpy(n->kept + n->kept_len, bytes, len);
	n->kept_len += len;
	return 0;
}

static const struct warm_place place = {.netns = 1};

static void stop_in_order(struct sim_node *n)
{
	int err = engine_keep(n->engine, &place, keep, n, node_now(n));

	assert(!err);
	n->io.after(n->io.ctx, n);
}

size_t sim_node_spoil(struct sim_node *n)
{
	if (n->kept_len > 0)
		n->kept[sim_rng_below(&n->rng, n->kept_len)] ^=
			(uint8_t)sim_rng_range(&n->rng, 1, 255);
	return n->kept_len;
}

void sim_node_stop(struct sim_node *n, enum sim_stop how)
{
	if (n->engine && how == SIM_STOP)
		stop_in_order(n);
	if (n->engine) {
		engine_free(n->engine);
		n->engine = NULL;
		for (unsigned k = 0; k < SIM_KINDS; k++) {
			n->source[k]->ops->free(n->source[k]);
			n->sink[k]->ops->free(n->sink[k]);
			n->source[k] = NULL;
			n->sink[k] = NULL;
		}
		inbox_clear(n);
		n->paused = false;
	}
	if (how != SIM_CRASH)
		return;
	forget_kept(n);
	for (unsigned k = 0; k < SIM_KINDS; k++)
		sim_kernel_wipe(n->kernel[k]);
	memset(n->role, 0, sizeof n->role);
	n->mono_base_us = sim_rng_below(&n->rng, 10 * S_US);
}

static void make_engine(struct sim_node *n)
{
	struct engine_group_config group[SIM_GROUPS_MAX] = {0};
	struct engine_io io = {
		.send = io_send,
		.classify = io_classify,
		.source = io_source,
		.sink = io_sink,
		.store_term = io_store_term,
		.on_state = io_on_state,
		.on_record = io_on_record,
		.on_alarm = io_on_alarm,
		.ctx = n,
	};
	struct engine_config cfg = {
		.node = n->cfg.id,
		.session = sim_rng_next(&n->rng),
		.random_seed = sim_rng_next(&n->rng),
		.key = n->key,
		.keys = n->keys,
		.insecure = n->cfg.insecure,
		.group = group,
		.groups = n->cfg.groups,
		.max_flows = n->cfg.max_flows,
		.retain_bytes = n->cfg.retain_bytes,
		.lease_s = n->cfg.lease_s,
		.reconcile_s = n->cfg.reconcile_s,
		.ready_age_ms = 3000,
		.stall_us = 500 * MS_US,
		.datagram_max = n->cfg.datagram_max,
		.kernel_backlog_max = 1000,
	};

	(void)snprintf(cfg.name, sizeof cfg.name, "n%u", n->cfg.id);
	for (uint32_t g = 0; g < n->cfg.groups; g++) {
		group[g].id = g + 1;
		(void)snprintf(group[g].name, sizeof group[g].name, "g%u", g + 1);
		group[g].install = n->cfg.install;
		group[g].fingerprint = 7;
	}
	n->session = cfg.session;
	n->engine = engine_new(&cfg, &io);
	assert(n->engine);
}

static void on_taken(void *ctx, const struct engine_taken *t)
{
	(void)ctx;
	(void)t;
}

void sim_node_start(struct sim_node *n, uint32_t holds)
{
	struct sim_kernel_timeouts t = {.lease_us = n->cfg.lease_s * S_US,
					.true_us = n->cfg.true_s * S_US};

	assert(!n->engine);
	n->took = 0;
	n->started_us = sim_clock_now(n->clock);
	make_engine(n);
	for (unsigned k = 0; k < SIM_KINDS; k++) {
		struct source_events source = engine_source_events(n->engine, (enum flow_kind)k);
		struct sink_events sink = engine_sink_events(n->engine, (enum flow_kind)k);

		n->source[k] = sim_kernel_source(n->kernel[k], &source);
		n->sink[k] = sim_kernel_sink(n->kernel[k], &sink, &t);
	}
	if (n->kept)
		n->took = engine_take(n->engine, (struct warm_image){n->kept, n->kept_len}, &place,
				      on_taken, n, node_now(n));
	forget_kept(n);
	n->io.on_start(n->io.ctx, n);
	for (uint32_t g = 1; g <= n->cfg.groups; g++) {
		enum node_role role = n->role[g - 1];

		if (role == ROLE_ACTIVE && !(holds & 1u << (g - 1)))
			role = ROLE_STANDBY;
		engine_restore(n->engine, g, n->term[g - 1], role,
			       n->role[g - 1] != ROLE_IDLE && n->term[g - 1].node == n->cfg.id,
			       node_now(n));
	}
	n->io.after(n->io.ctx, n);
	n->wake_us = 0;
	wake_at(n, sim_clock_now(n->clock) + 1);
}

void sim_node_pause(struct sim_node *n, bool paused)
{
	n->paused = paused;
	if (!paused && n->engine && n->keys_due) {
		n->keys_due = false;
		engine_set_keys(n->engine, n->key, n->keys);
	}
	if (!paused && n->engine)
		wake_at(n, sim_clock_now(n->clock) + 1);
}

void sim_node_set_slow(struct sim_node *n, uint32_t gap_us, unsigned budget)
{
	n->gap_us = gap_us;
	n->budget = budget;
	if (n->engine)
		wake_at(n, sim_clock_now(n->clock) + 1);
}

size_t sim_node_took(const struct sim_node *n)
{
	return n->took;
}

bool sim_node_up(const struct sim_node *n)
{
	return n->engine;
}

bool sim_node_running(const struct sim_node *n)
{
	return n->engine && !n->paused;
}

/* ---- the loop ---- */

void sim_node_deliver(struct sim_node *n, const uint8_t *dgram, size_t len)
{
	struct dgram *d;

	if (!n->engine || n->inbox_len >= INBOX_MAX)
		return;
	d = malloc(sizeof *d + len);
	assert(d);
	d->next = NULL;
	d->len = len;
	memcpy(d->bytes, dgram, len);
	*n->inbox_end = d;
	n->inbox_end = &d->next;
	n->inbox_len++;
	wake_at(n, sim_clock_now(n->clock) + sim_rng_below(&n->rng, 50));
}

static bool read_inbox(struct sim_node *n)
{
	struct dgram *d = n->inbox;

	if (!d)
		return false;
	n->inbox = d->next;
	if (!n->inbox)
		n->inbox_end = &n->inbox;
	n->inbox_len--;
	n->io.on_read(n->io.ctx, n, d->bytes, d->len);
	engine_on_datagram(n->engine, d->bytes, d->len, node_now(n));
	n->io.after(n->io.ctx, n);
	free(d);
	return true;
}

static void poll_kernels(struct sim_node *n)
{
	engine_set_now(n->engine, node_now(n));
	for (unsigned k = 0; k < SIM_KINDS; k++) {
		uint64_t mono = node_now(n).mono_us;

		(void)n->source[k]->ops->poll(n->source[k], POLL_BUDGET, mono);
		(void)n->sink[k]->ops->poll(n->sink[k], mono);
	}
	n->io.after(n->io.ctx, n);
}

static void run(void *ctx, uint64_t tag, void *arg)
{
	struct sim_node *n = ctx;
	unsigned budget = n->gap_us ? n->budget : POLL_BUDGET;
	uint64_t next;

	(void)arg;
	if (tag != n->wakes)
		return;
	n->wake_us = 0;
	if (!n->engine || n->paused)
		return;
	n->running = true;
	while (budget-- > 0 && read_inbox(n))
		continue;
	poll_kernels(n);
	next = world_time(n, engine_tick(n->engine, node_now(n)));
	n->io.after(n->io.ctx, n);
	n->running = false;
	if (n->inbox || sim_kernel_waiting(n->kernel[0]) || sim_kernel_waiting(n->kernel[1])) {
		next = sim_clock_now(n->clock) + sim_rng_range(&n->rng, 20, 200);
		n->spins = 0;
	}
	n->spins = next > sim_clock_now(n->clock) + 5 ? 0 : n->spins + 1;
	if (n->spins > SPINS_MAX)
		n->io.on_spin(n->io.ctx, n);
	wake_at(n, next);
}

void sim_node_set_role(struct sim_node *n, uint32_t group, enum node_role role, const char *reason)
{
	int err;

	if (!n->engine)
		return;
	err = engine_set_role(n->engine, group, role, reason, node_now(n));
	assert(!err);
	n->io.after(n->io.ctx, n);
	wake_at(n, sim_clock_now(n->clock) + 1);
}

int sim_node_handover(struct sim_node *n, uint32_t group)
{
	int err;

	if (!n->engine)
		return -ENOENT;
	err = engine_handover(n->engine, group, node_now(n));
	n->io.after(n->io.ctx, n);
	wake_at(n, sim_clock_now(n->clock) + 1);
	return err;
}

void sim_node_reconcile(struct sim_node *n)
{
	if (!n->engine)
		return;
	engine_reconcile(n->engine, node_now(n));
	n->io.after(n->io.ctx, n);
	wake_at(n, sim_clock_now(n->clock) + 1);
}

void sim_key(const struct group_key *first, uint16_t rotation, struct group_key *out)
{
	*out = *first;
	out->id = rotation;
	out->secret[0] ^= (uint8_t)(rotation - 1);
	out->secret[1] ^= (uint8_t)((rotation - 1) >> 8);
}

void sim_node_set_keys(struct sim_node *n, uint16_t rotation, bool old)
{
	sim_key(&n->first_key, rotation, &n->key[0]);
	n->keys = 1;
	if (old && rotation > 1)
		sim_key(&n->first_key, (uint16_t)(rotation - 1), &n->key[n->keys++]);
	n->keys_due = n->engine && n->paused;
	if (!n->engine || n->paused)
		return;
	engine_set_keys(n->engine, n->key, n->keys);
	n->io.after(n->io.ctx, n);
	wake_at(n, sim_clock_now(n->clock) + 1);
}

void sim_node_audit(struct sim_node *n)
{
	if (!n->engine)
		return;
	(void)engine_audit_start(n->engine, node_now(n));
	n->io.after(n->io.ctx, n);
	wake_at(n, sim_clock_now(n->clock) + 1);
}

/* ---- looking at it ---- */

uint16_t sim_node_id(const struct sim_node *n)
{
	return n->cfg.id;
}

uint64_t sim_node_session(const struct sim_node *n)
{
	return n->session;
}

uint64_t sim_node_started_us(const struct sim_node *n)
{
	return n->started_us;
}

struct engine *sim_node_engine(struct sim_node *n)
{
	return n->engine;
}

struct sim_kernel *sim_node_kernel(struct sim_node *n, enum flow_kind kind)
{
	return n->kernel[kind];
}

bool sim_node_status(struct sim_node *n, uint32_t group, struct engine_group_status *out)
{
	return n->engine && engine_group_status(n->engine, group - 1, out) == 0;
}
