// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The deep comparison of `syncctl verify --deep`, asked for by a person, of all groups at once:
 *
 *   TABLES   each flow's hash worked out anew from its bytes, so that equal digests mean equal
 * flows CHECKS   a check in the stream: a standby is compared at its very counter, and what the
 * repair that follows changes is what differed; an active waits for its standbys' word of it KERNEL
 * a dump against the tables SETTLE   an active's kernel may have told of a flow before its event
 * arrived: that is no finding
 *
 * What is found is mended as it always is (a repair, a reconcile); here it is only written down, at
 * most AUDIT_FINDINGS_MAX, the rest counted. The hooks cost nothing while no audit runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "syncd/engine_priv.h"

enum { SLICES_PER_TICK = 64 };

#define CHECKS_US (20 * S_US) /* for checks, and the repair after one that differs */
#define KERNEL_US (60 * S_US)
#define SETTLE_US (300 * MS_US)

enum phase { PHASE_TABLES, PHASE_CHECKS, PHASE_KERNEL, PHASE_SETTLE, PHASE_DONE };

enum dump { DUMP_NONE, DUMP_WANTED, DUMP_RUNS };

/* A finding of an active's kernel that there was no room to write down. */
struct remembered {
	uint64_t position; /* of its key in hash space */
	uint32_t group;
	enum audit_what what;
};

struct audit {
	struct audit_result result;
	enum phase phase;
	bool entered;	   /* no step of this phase has been taken */
	uint64_t phase_us; /* begun at */
	size_t group;	   /* whose table is looked at */
	struct slices at;
	enum dump dump[2]; /* by enum flow_kind */
	size_t remembered;
	struct remembered unlisted[AUDIT_REMEMBERED_MAX];
};

void audit_free(struct engine *e)
{
	if (e->audit)
		free(e->audit->result.group);
	free(e->audit);
	e->audit = NULL;
}

static bool is_running(const struct engine *e)
{
	return e->audit && e->audit->phase != PHASE_DONE;
}

static void enter(struct engine *e, enum phase phase)
{
	e->audit->phase = phase;
	e->audit->entered = true;
	e->audit->phase_us = e->now.mono_us;
	e->audit->result.running = phase != PHASE_DONE;
}

static struct audit_group *audit_group(struct engine *e, const struct group *g)
{
	return &e->audit->result.group[g - e->group];
}

int engine_audit_start(struct engine *e, struct engine_now now)
{
	e->now = now;
	if (is_running(e))
		return 0;
	audit_free(e);
	e->audit = calloc(1, sizeof(*e->audit));
	if (!e->audit)
		return -ENOMEM;
	e->audit->result.group = calloc(e->cfg.groups + 1, sizeof(struct audit_group));
	if (!e->audit->result.group) {
		audit_free(e);
		return -ENOMEM;
	}
	e->audit->result.groups = e->cfg.groups;
	for (size_t i = 0; i < e->cfg.groups; i++)
		e->audit->result.group[i].id = e->group[i].cfg.id;
	if (e->cfg.groups)
		slices_init(&e->audit->at, e->group[0].table);
	enter(e, PHASE_TABLES);
	return 0;
}

const struct audit_result *engine_audit(const struct engine *e)
{
	return e->audit ? &e->audit->result : NULL;
}

/* ---- findings ---------------------------------------------------------------------------- */

struct bytes {
	const uint8_t *p;
	size_t len;
};

/* Only events of a group's active node ever withdraw one. */
static void remember(struct engine *e, const struct group *g, enum audit_what what,
		     struct bytes flow)
{
	struct audit *a = e->audit;
	const uint8_t *key;
	size_t len;

	if (g->role != ROLE_ACTIVE)
		return;
	if (a->remembered >= AUDIT_REMEMBERED_MAX || flow_key_slice(flow.p, flow.len, &key, &len)) {
		audit_group(e, g)->unsettled++;
		return;
	}
	a->unlisted[a->remembered++] = (struct remembered){
		.position = digest_position(&e->digest_key, key, len),
		.group = g->cfg.id,
		.what = what,
	};
}

static void note(struct engine *e, const struct group *g, enum audit_where where,
		 enum audit_what what, struct bytes here, struct bytes there)
{
	struct audit_result *r = &e->audit->result;
	struct audit_finding *f;

	audit_group(e, g)->found[where][what]++;
	if (r->findings >= AUDIT_FINDINGS_MAX) {
		if (where == AUDIT_KERNEL)
			remember(e, g, what, here.len ? here : there);
		return;
	}
	f = &r->finding[r->findings++];
	*f = (struct audit_finding){.group = g->cfg.id, .where = where, .what = what};
	f->here_len = (uint16_t)here.len;
	f->there_len = (uint16_t)there.len;
	if (here.len)
		memcpy(f->here, here.p, here.len);
	if (there.len)
		memcpy(f->there, there.p, there.len);
}

static bool finding_is_of(const struct audit_finding *f, const uint8_t *key, size_t len)
{
	const uint8_t *have;
	size_t have_len;

	return !flow_key_slice(f->here_len ? f->here : f->there,
			       f->here_len ? f->here_len : f->there_len, &have, &have_len) &&
	       have_len == len && memcmp(have, key, len) == 0;
}

static void withdraw_listed(struct engine *e, const struct group *g, const uint8_t *key, size_t len)
{
	struct audit_result *r = &e->audit->result;

	for (size_t i = r->findings; i-- > 0;) {
		const struct audit_finding *f = &r->finding[i];

		if (f->group != g->cfg.id || f->where != AUDIT_KERNEL ||
		    !finding_is_of(f, key, len))
			continue;
		audit_group(e, g)->found[f->where][f->what]--;
		r->finding[i] = r->finding[--r->findings];
	}
}

static void withdraw_remembered(struct engine *e, const struct group *g, uint64_t position)
{
	struct audit *a = e->audit;

	for (size_t i = a->remembered; i-- > 0;) {
		const struct remembered *f = &a->unlisted[i];

		if (f->position != position || f->group != g->cfg.id)
			continue;
		audit_group(e, g)->found[AUDIT_KERNEL][f->what]--;
		a->unlisted[i] = a->unlisted[--a->remembered];
	}
}

void audit_on_event(struct engine *e, const struct group *g, const struct flow_key *key)
{
	uint8_t bytes[FLOW_KEY_MAX];
	int n;

	if (!is_running(e) || (e->audit->result.findings == 0 && e->audit->remembered == 0))
		return;
	n = flow_key_encode(key, bytes);
	if (n <= 0)
		return;
	withdraw_listed(e, g, bytes, (size_t)n);
	if (e->audit->remembered)
		withdraw_remembered(e, g, digest_position(&e->digest_key, bytes, (size_t)n));
}

/* ---- tables ------------------------------------------------------------------------------ */

struct recheck {
	struct engine *e;
	struct group *g;
};

static void on_damaged(void *ctx, const uint8_t *flow, size_t len)
{
	const struct recheck *c = ctx;

	note(c->e, c->g, AUDIT_TABLE, AUDIT_DAMAGED, (struct bytes){flow, len}, (struct bytes){0});
}

static void tables_step(struct engine *e)
{
	struct audit *a = e->audit;

	for (unsigned n = 0; n < SLICES_PER_TICK && a->group < e->cfg.groups; n++) {
		struct recheck c = {e, &e->group[a->group]};
		struct hash_range r;

		if (slices_next(&a->at, &r)) {
			audit_group(e, c.g)->flows += table_recheck(c.g->table, r, on_damaged, &c);
		} else if (++a->group < e->cfg.groups) {
			slices_init(&a->at, e->group[a->group].table);
		}
	}
	if (a->group == e->cfg.groups)
		enter(e, PHASE_CHECKS);
}

/* ---- checks ------------------------------------------------------------------------------ */

/* Once a phase: a check that is due now, here or at the active. */
static void checks_want(struct engine *e)
{
	for (size_t i = 0; i < e->cfg.groups; i++) {
		struct group *g = &e->group[i];

		if (g->role == ROLE_IDLE || (g->role == ROLE_STANDBY && !g->active))
			audit_group(e, g)->compared = true; /* with nobody */
		g->last_check_us = 0;
		g->check_due = g->role == ROLE_ACTIVE;
		g->data_since_check = true;
	}
}

void audit_on_check(struct engine *e, const struct group *g, uint64_t counter, bool equal)
{
	struct audit_group *a;

	if (!is_running(e) || e->audit->phase != PHASE_CHECKS)
		return;
	a = audit_group(e, g);
	a->counter = counter;
	a->differed |= !equal;
	a->equal = a->compared = equal;
}

void audit_on_check_sent(struct engine *e, const struct group *g)
{
	if (is_running(e) && e->audit->phase == PHASE_CHECKS && !audit_group(e, g)->counter)
		audit_group(e, g)->counter = sender_last(e->sender) + 1;
}

/* Each standby has applied the check, and tells by its state how it came out. */
static void active_look(struct engine *e, const struct group *g)
{
	struct audit_group *a = audit_group(e, g);
	size_t standbys = 0, heard = 0, equal = 0;

	for (const struct peer *p = peers_next(e->peers, NULL, false); p;
	     p = peers_next(e->peers, p, false)) {
		const struct hello_group *hg = peer_group(p, g->cfg.id);

		if (!hg || hg->role != ROLE_STANDBY)
			continue;
		standbys++;
		heard += hg->position >= a->counter;
		equal += hg->position >= a->counter && hg->state == STATE_STANDBY;
	}
	if (!a->counter)
		return;
	a->differed |= heard > equal;
	a->equal = a->compared = equal == standbys;
}

static void checks_step(struct engine *e)
{
	bool all = true;

	if (e->audit->entered)
		checks_want(e);
	e->audit->entered = false;
	for (size_t i = 0; i < e->cfg.groups; i++) {
		if (e->group[i].role == ROLE_ACTIVE)
			active_look(e, &e->group[i]);
		all &= audit_group(e, &e->group[i])->compared;
	}
	if (all || e->now.mono_us > e->audit->phase_us + CHECKS_US)
		enter(e, PHASE_KERNEL);
}

static int flow_is(struct bytes flow, const uint8_t *key, size_t key_len)
{
	const uint8_t *have;
	size_t len;

	return !flow_key_slice(flow.p, flow.len, &have, &len) && len == key_len &&
	       memcmp(have, key, len) == 0;
}

struct range_walk {
	struct engine *e;
	struct group *g;
	const uint8_t *payload;
	size_t len;
};

/* A flow of the range that is not among the puts. */
static int note_extra(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	const struct range_walk *w = ctx;
	const uint8_t *key;
	size_t key_len;
	struct data_iter it;
	enum data_piece piece;

	(void)hash;
	if (flow_key_slice(flow, len, &key, &key_len))
		return 0;
	data_iter_init(&it, w->payload, w->len);
	while ((piece = data_iter_next(&it)) != DATA_END)
		if (piece == DATA_PUT && flow_is((struct bytes){it.bytes, it.len}, key, key_len))
			return 0;
	note(w->e, w->g, AUDIT_TABLE, AUDIT_EXTRA, (struct bytes){flow, len}, (struct bytes){0});
	return 0;
}

void audit_on_range(struct engine *e, struct group *g, struct hash_range r, const uint8_t *payload,
		    size_t len)
{
	struct range_walk w = {e, g, payload, len};
	struct data_iter it;
	enum data_piece piece;

	if (!is_running(e))
		return;
	data_iter_init(&it, payload, len);
	while ((piece = data_iter_next(&it)) != DATA_END) {
		struct bytes here = {0}, there = {it.bytes, it.len};
		const uint8_t *key;
		size_t key_len;

		if (piece != DATA_PUT || flow_key_slice(it.bytes, it.len, &key, &key_len))
			continue;
		if (!table_get(g->table, key, key_len, &here.p, &here.len))
			note(e, g, AUDIT_TABLE, AUDIT_MISSING, here, there);
		else if (here.len != there.len || memcmp(here.p, there.p, here.len) != 0)
			note(e, g, AUDIT_TABLE, AUDIT_DIFFERENT, here, there);
	}
	(void)table_walk(g->table, r, note_extra, &w);
}

/* ---- kernel ------------------------------------------------------------------------------ */

void audit_on_dump(struct engine *e, enum flow_kind kind, bool begins, int err)
{
	if (!is_running(e) || e->audit->phase != PHASE_KERNEL)
		return;
	if (begins && e->audit->dump[kind] == DUMP_WANTED)
		e->audit->dump[kind] = DUMP_RUNS;
	else if (!begins && e->audit->dump[kind] == DUMP_RUNS)
		e->audit->dump[kind] = err ? DUMP_WANTED : DUMP_NONE;
}

void audit_on_kernel(struct engine *e, const struct group *g, const struct flow *kernel,
		     const uint8_t *key, size_t key_len)
{
	struct bytes table = {0}, here = {0};
	uint8_t bytes[FLOW_MAX];
	struct flow_key k;
	int n;

	if (!is_running(e) || flow_key_decode(key, key_len, &k) ||
	    e->audit->dump[k.kind] != DUMP_RUNS)
		return;
	/* Its end was told and is held back. */
	if (!kernel && table_bit_get(g->table, key, key_len, TABLE_SUSPECT))
		return;
	n = kernel ? flow_encode(kernel, bytes) : 0;
	if (n > 0)
		here = (struct bytes){bytes, (size_t)n};
	(void)table_get(g->table, key, key_len, &table.p, &table.len);
	/* The kernel is what is looked at: the table is what it should be like. */
	note(e, g, AUDIT_KERNEL,
	     !here.len	  ? AUDIT_MISSING
	     : !table.len ? AUDIT_EXTRA
			  : AUDIT_DIFFERENT,
	     here, table);
}

static void kernel_step(struct engine *e)
{
	struct audit *a = e->audit;

	for (int k = 0; k < 2; k++) {
		if (!a->entered || !engine_source(e, (enum flow_kind)k))
			continue;
		a->dump[k] = DUMP_WANTED;
		reconcile_want(e, (enum flow_kind)k, e->now.mono_us);
	}
	a->entered = false;
	if (a->dump[0] == DUMP_NONE && a->dump[1] == DUMP_NONE) {
		a->result.kernel = true;
		enter(e, PHASE_SETTLE);
	} else if (e->now.mono_us > a->phase_us + KERNEL_US) {
		enter(e, PHASE_DONE);
	}
}

void audit_tick(struct engine *e, uint64_t *next_us)
{
	if (!is_running(e))
		return;
	switch (e->audit->phase) {
	case PHASE_TABLES:
		tables_step(e);
		break;
	case PHASE_CHECKS:
		checks_step(e);
		break;
	case PHASE_KERNEL:
		kernel_step(e);
		break;
	case PHASE_SETTLE:
		if (e->now.mono_us > e->audit->phase_us + SETTLE_US)
			enter(e, PHASE_DONE);
		break;
	case PHASE_DONE:
		break;
	}
	/* The tables as fast as the loop allows; all else waits for something to arrive. */
	sooner(next_us, e->now.mono_us + (e->audit->phase == PHASE_TABLES ? 0 : 10 * MS_US));
}
