// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine's side of the kernel's edges: what the source tells goes to path_out.c (active) or is
 * put back (standby), and what the tables have queued goes to the sinks. See also reconcile.c and
 * sweep.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "syncd/engine_priv.h"

struct source *engine_source(struct engine *e, enum flow_kind kind)
{
	return e->io.source(e->io.ctx, kind);
}

struct group *group_of_key(struct engine *e, const struct flow_key *key)
{
	return group_by_id(e, e->io.classify(e->io.ctx, key));
}

bool group_installs(const struct group *g)
{
	return g->role == ROLE_ACTIVE || (g->role == ROLE_STANDBY && g->cfg.install == INSTALL_HOT);
}

bool group_writes(const struct group *g)
{
	return g->role == ROLE_ACTIVE ||
	       (g->role == ROLE_STANDBY && g->cfg.install != INSTALL_NEVER);
}

/* ---- events ---- */

/* A standby's kernel lost a flow that the table has: it is put back. */
static void lost_in_kernel(struct engine *e, struct group *g, const struct flow_key *key)
{
	uint8_t bytes[FLOW_MAX];
	int n = flow_key_encode(key, bytes);

	if (n > 0 && group_installs(g) && table_kernel_again(g->table, bytes, (size_t)n))
		e->counters.reinstalled++;
}

static void on_ahead(void *ctx, const struct flow_key *key)
{
	struct edge *ed = ctx;
	struct group *g = group_of_key(ed->e, key);
	uint8_t bytes[FLOW_KEY_MAX];
	int n;

	if (!g || g->role != ROLE_ACTIVE)
		return;
	n = flow_key_encode(key, bytes);
	if (n > 0)
		table_expect(g->table, bytes, (size_t)n);
}

static void on_event(void *ctx, enum flow_event what, const struct flow *f, unsigned parts,
		     bool live)
{
	struct edge *ed = ctx;
	struct engine *e = ed->e;
	struct group *g = group_of_key(e, &f->key);

	e->counters.events++;
	if (!g)
		return;
	if (g->role == ROLE_ACTIVE) {
		audit_on_event(e, g, &f->key);
		path_out_event(e, g, what, f, parts, live);
	} else if (what == FLOW_DESTROY) {
		lost_in_kernel(e, g, &f->key);
	}
}

/* When the next dump may begin: a storm loses events all the time, and dumps without a pause would
 * only lose more. */
static uint64_t earliest_us(const struct edge *ed)
{
	uint64_t at_us = ed->ended_us ? ed->ended_us + RECONCILE_GAP_US : 0;

	return ed->e->now.mono_us > at_us ? ed->e->now.mono_us : at_us;
}

static void on_overrun(void *ctx)
{
	struct edge *ed = ctx;

	ed->e->counters.overruns++;
	reconcile_want(ed->e, ed->kind, earliest_us(ed));
}

/*
 * What this node must hear of its kernel follows from its roles. A commit hears of losses only:
 * whoever listens to new flows makes the kernel tell of each one installed, at a quarter of the
 * rate, and the dump that follows it finds what has changed meanwhile.
 */
void path_kernel_listen(struct engine *e)
{
	enum source_listen what = SOURCE_NOTHING;

	for (size_t i = 0; i < e->cfg.groups; i++) {
		const struct group *g = &e->group[i];

		if (g->role == ROLE_ACTIVE && !g->committing)
			what = SOURCE_ALL;
		else if (what == SOURCE_NOTHING && group_installs(g))
			what = SOURCE_DESTROY;
	}
	for (int k = 0; k < 2; k++) {
		struct source *s = engine_source(e, (enum flow_kind)k);

		if (s && s->ops->listen(s, what))
			reconcile_want(e, (enum flow_kind)k, e->now.mono_us);
		e->edge[k].dumped = false;
	}
}

/* ---- installing ---- */

static void retry_later(struct engine *e, struct group *g, const uint8_t *key, size_t len,
			uint8_t kind)
{
	if (!timed_list_add(&g->retry, RETRY_MAX, key, len, kind, e->now.mono_us + RETRY_US))
		g->refused_by_kernel++;
}

/* Nothing is lost: what was refused stays in the table and is tried again until it is taken. */
static void note_full(struct engine *e, struct group *g)
{
	if (g->kernel_full)
		return;
	g->kernel_full = true;
	e->io.on_alarm(e->io.ctx, g->cfg.id, KERNEL_FULL);
	group_event(e, g, EVENT_REFUSED);
}

/*
 * All that was tried again has been taken. What there was no room to remember is found by comparing
 * with a dump, and only after that nothing is missing.
 */
static void note_taken(struct engine *e, struct group *g)
{
	if (g->refused_by_kernel > 0) {
		for (int k = 0; k < 2; k++)
			if (!e->edge[k].dumping)
				reconcile_want(e, (enum flow_kind)k, earliest_us(&e->edge[k]));
		return;
	}
	if (!g->kernel_full)
		return;
	g->kernel_full = false;
	if (g->equal)
		group_event(e, g, EVENT_EQUAL);
}

static void on_result(void *ctx, enum sink_op op, const struct flow *f, int err)
{
	struct edge *ed = ctx;
	struct engine *e = ed->e;
	struct group *g;
	uint8_t key[FLOW_KEY_MAX];
	int n;

	if (!err) {
		e->counters.installed += op == SINK_PUT;
		e->counters.removed += op == SINK_DEL;
		e->counters.renewed += op == SINK_RENEW;
		return;
	}
	g = group_of_key(e, &f->key);
	n = flow_key_encode(&f->key, key);
	if (!g || n < 0 || op == SINK_LIBERAL || op == SINK_EXPIRY)
		return;
	if (op == SINK_RENEW && err == -ENOENT) {
		if (table_kernel_again(g->table, key, (size_t)n))
			e->counters.reinstalled++;
		return;
	}
	if (op == SINK_DEL && err == -ENOENT)
		return;
	e->counters.refused++;
	if (err == -ENFILE && op == SINK_PUT)
		note_full(e, g);
	retry_later(e, g, key, (size_t)n, f->key.kind);
}

/*
 * A kernel takes a related flow only below its master (ENOENT), and lets it live on when the master
 * ends; once that is gone from the tables it has to be installed, and compared, as one by itself.
 */
void path_kernel_orphan(struct engine *e, struct flow *f)
{
	enum { EXPECTED = 1 }; /* IPS_EXPECTED of nf_conntrack_common.h */
	uint8_t key[FLOW_KEY_MAX];
	const uint8_t *master;
	const struct group *g;
	size_t len;
	int n;

	if (f->key.kind != FLOW_CONNTRACK || !f->ct.has_master)
		return;
	g = group_of_key(e, &f->ct.master);
	n = flow_key_encode(&f->ct.master, key);
	if (g && n > 0 && table_get(g->table, key, (size_t)n, &master, &len))
		return;
	f->ct.has_master = false;
	memset(&f->ct.master, 0, sizeof(f->ct.master));
	f->ct.status &= ~(uint32_t)EXPECTED;
}

int path_kernel_submit(struct engine *e, enum sink_op op, const struct flow *f)
{
	struct sink *s = e->io.sink(e->io.ctx, f->key.kind);

	return s ? s->ops->submit(s, op, f) : -EOPNOTSUPP;
}

/* What the table has no more is to be deleted. */
static void retry_one(struct engine *e, struct group *g, const struct timed_key *k)
{
	struct flow f = {0};

	if (table_kernel_again(g->table, k->key, k->len) || flow_key_decode(k->key, k->len, &f.key))
		return;
	if (path_kernel_submit(e, SINK_DEL, &f) == -EAGAIN)
		retry_later(e, g, k->key, k->len, k->kind);
}

static void retry_tick(struct engine *e, struct group *g, uint64_t *next_us)
{
	while (timed_list_due(&g->retry, e->now.mono_us)) {
		struct timed_key *k = timed_list_take(&g->retry);

		retry_one(e, g, k);
		free(k);
	}
	sooner(next_us, timed_list_next(&g->retry));
}

/* A kernel takes a related flow only below its master: one that still waits goes before its turn.
 */
static void submit_master(struct engine *e, const struct flow *f)
{
	uint8_t key[FLOW_KEY_MAX];
	struct flow master = {0};
	const uint8_t *bytes;
	struct group *g;
	size_t len;
	int n;

	if (f->key.kind != FLOW_CONNTRACK || !f->ct.has_master)
		return;
	g = group_of_key(e, &f->ct.master);
	n = flow_key_encode(&f->ct.master, key);
	if (!g || n < 0 || !group_installs(g) || !table_kernel_take(g->table, key, (size_t)n) ||
	    !table_get(g->table, key, (size_t)n, &bytes, &len) || flow_decode(bytes, len, &master))
		return;
	path_kernel_orphan(e, &master);
	if (path_kernel_submit(e, SINK_PUT, &master))
		retry_later(e, g, key, (size_t)n, master.key.kind);
}

/* Takes one change from the table to its sink. Returns false where the sink has no room. */
static bool pump_one(struct engine *e, struct group *g, const struct table_item *it)
{
	struct flow f = {0};
	int err = it->del ? flow_key_decode(it->bytes, it->len, &f.key)
			  : flow_decode(it->bytes, it->len, &f);
	const uint8_t *key = it->bytes;
	size_t key_len = it->len;

	if (!it->del && !group_installs(g))
		return true; /* of before the role was left: a takeover queues it again */
	if (err)
		return true; /* another version's kind: kept in the table, for the kernel it means
				nothing */
	path_kernel_orphan(e, &f);
	submit_master(e, &f);
	err = path_kernel_submit(e, it->del ? SINK_DEL : SINK_PUT, &f);
	if (!err)
		return true;
	if (!it->del && flow_key_slice(it->bytes, it->len, &key, &key_len))
		return true;
	retry_later(e, g, key, key_len, f.key.kind);
	return err != -EAGAIN;
}

bool path_kernel_has_room(struct engine *e)
{
	for (int k = 0; k < 2; k++) {
		const struct sink *s = e->io.sink(e->io.ctx, (enum flow_kind)k);

		if (s && s->ops->pending(s) >= s->ops->capacity)
			return false;
	}
	return true;
}

static bool pump(struct engine *e, struct group *g, size_t *budget)
{
	struct table_item it;

	while (*budget > 0 && path_kernel_has_room(e) && table_kernel_next(g->table, &it)) {
		(*budget)--;
		if (!pump_one(e, g, &it))
			break;
	}
	return table_queued(g->table, TABLE_KERNEL) > 0;
}

/* ---- the turn ---- */

static bool installs_any(const struct engine *e)
{
	for (size_t i = 0; i < e->cfg.groups; i++)
		if (group_installs(&e->group[i]))
			return true;
	return false;
}

static void note_installed(struct engine *e)
{
	if (!kernel_is_drained(e))
		return;
	for (size_t i = 0; i < e->streams; i++) {
		struct stream *s = &e->stream[i];
		uint64_t applied = receiver_applied(s->receiver);

		if (applied != s->installed && installs_any(e))
			e->io.on_record(e->io.ctx, RECORD_INSTALLED, s->node, s->session, applied,
					NULL, 0);
		s->installed = applied;
	}
}

/* Once the last is submitted: before the dump, which waits until it is installed. */
static void commit_end(struct engine *e, struct group *g)
{
	if (!g->committing || table_queued(g->table, TABLE_KERNEL) > 0)
		return;
	g->committing = false;
	path_kernel_listen(e);
	for (int k = 0; k < 2; k++)
		reconcile_want(e, (enum flow_kind)k, e->now.mono_us);
}

static bool group_kernel_tick(struct engine *e, struct group *g, size_t *budget, uint64_t *next_us)
{
	bool more = false;

	path_out_release_held(e, g, next_us);
	retry_tick(e, g, next_us);
	if ((g->kernel_full || g->refused_by_kernel) && g->retry.n == 0 && kernel_is_drained(e))
		note_taken(e, g);
	if (group_writes(g))
		more = pump(e, g, budget);
	commit_end(e, g);
	if (g->once.running) {
		sweep_step(e, g, &g->once, budget);
		more |= g->once.running;
	}
	lease_tick(e, g, budget, next_us);
	return more;
}

bool path_kernel_tick(struct engine *e, uint64_t *next_us)
{
	size_t budget = SUBMIT_PER_TICK;
	bool more = false;

	for (size_t i = 0; i < e->cfg.groups; i++)
		more |= group_kernel_tick(e, &e->group[i], &budget, next_us);
	for (int k = 0; k < 2; k++) {
		struct sink *s = e->io.sink(e->io.ctx, (enum flow_kind)k);

		if (s && s->ops->flush(s, e->now.mono_us) < 0)
			reconcile_want(e, (enum flow_kind)k, e->now.mono_us + RECONCILE_GAP_US);
		reconcile_tick(e, &e->edge[k], next_us);
	}
	note_installed(e);
	/* A full sink is waited for by its descriptor, not by spinning. */
	return more && path_kernel_has_room(e);
}

struct source_events engine_source_events(struct engine *e, enum flow_kind kind)
{
	return (struct source_events){
		.on_ahead = on_ahead,
		.on_event = on_event,
		.on_dump = reconcile_on_dump,
		.on_dump_end = reconcile_on_dump_end,
		.on_overrun = on_overrun,
		.ctx = &e->edge[kind],
	};
}

struct sink_events engine_sink_events(struct engine *e, enum flow_kind kind)
{
	return (struct sink_events){.on_result = on_result, .ctx = &e->edge[kind]};
}
