// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Table and kernel reconciled by a dump: at the beginning of a term, after lost events, now and
 * then in any case. Only what no event has touched since the dump began is judged, and a dump that
 * was interrupted or failed concludes nothing. One kind at a time, since the table has one SEEN bit
 * a flow.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_tcp.h>

#include "proto/flow_codec.h"
#include "syncd/engine_priv.h"

void reconcile_want(struct engine *e, enum flow_kind kind, uint64_t at_us)
{
	struct edge *ed = &e->edge[kind];

	/* One that runs may have passed what is in doubt: another follows. */
	ed->again = ed->dumping;
	if (!ed->wanted || at_us < ed->due_us)
		ed->due_us = at_us;
	ed->wanted = true;
}

/* Field by field, as the kernel can know it: other versions' unknown fields are nobody's business.
 */
static bool kernel_alike(struct engine *e, const uint8_t *bytes, size_t len, const struct flow *f)
{
	struct flow kept, have = *f;

	if (flow_decode(bytes, len, &kept))
		return false;
	path_kernel_orphan(e, &kept);
	if (!kept.ct.has_master)
		path_kernel_orphan(e, &have);
	return flow_equal(&kept, &have);
}

/* A destroy that is held back came after the record, or an event that undoes it will. */
static bool is_known(struct engine *e, struct group *g, const uint8_t *key, size_t key_len,
		     const struct flow *f)
{
	const uint8_t *bytes;
	size_t len;

	return table_get(g->table, key, key_len, &bytes, &len) &&
	       (table_bit_get(g->table, key, key_len, TABLE_SUSPECT) ||
		kernel_alike(e, bytes, len, f));
}

/*
 * Something since the dump began says more than its record: a put, which sets SEEN, or a delete. A
 * hold may have been open before (a takeover's tail), and so tell nothing of a live flow: one that
 * was touched before the dump began is in it, and must be seen.
 */
static bool is_newer(const struct group *g, const uint8_t *key, size_t key_len)
{
	const uint8_t *kept;
	size_t len;

	return table_get(g->table, key, key_len, &kept, &len)
		       ? table_bit_get(g->table, key, key_len, TABLE_SEEN)
		       : table_touched(g->table, key, key_len);
}

/* An entry that this node installed, perhaps in a former life, and whose flow is known to have
 * ended. */
static void forget_leftover(struct engine *e, struct group *g, const uint8_t *key, size_t len)
{
	if (table_tell_end(g->table, key, len, TABLE_KERNEL) == 0)
		e->counters.leftovers++;
}

static void on_dump_active(struct engine *e, struct group *g, const struct flow *f, bool ours)
{
	uint8_t bytes[FLOW_MAX];
	const uint8_t *key, *kept;
	size_t key_len, kept_len;
	int n = flow_encode(f, bytes);

	if (n < 0 || flow_key_slice(bytes, (size_t)n, &key, &key_len) ||
	    path_out_is_member(e, &f->key) || is_newer(g, key, key_len))
		return;
	/* Seen, and not changed: a put would say that it was touched here. */
	if (table_get(g->table, key, key_len, &kept, &kept_len) && kept_len == (size_t)n &&
	    memcmp(kept, bytes, kept_len) == 0) {
		(void)table_bit_set(g->table, key, key_len, TABLE_SEEN);
		return;
	}
	if (is_known(e, g, key, key_len, f)) {
		(void)table_bit_set(g->table, key, key_len, TABLE_SEEN);
		return;
	}
	audit_on_kernel(e, g, f, key, key_len);
	if (ours && g->settled && !table_get(g->table, key, key_len, &kept, &kept_len)) {
		forget_leftover(e, g, key, key_len);
		return;
	}
	if (table_put(g->table, bytes, (size_t)n,
		      g->fresh && !g->complete ? TABLE_NONE : TABLE_WIRE) < 0)
		g->refused_since_sync++;
}

/*
 * Not in a standby's table. The box's own is left alone, but told to who asks. What is this node's
 * doing has ended where an equal table lacks it; a table that begins takes it in, and repair, which
 * compares it with the active's, removes it here and from the kernel if it has ended.
 */
static void on_dump_unknown(struct engine *e, struct group *g, const struct flow *f, bool ours,
			    const uint8_t *key, size_t key_len)
{
	const bool begins = g->refill & 1u << f->key.kind;
	uint8_t bytes[FLOW_MAX];
	int n;

	if (!group_writes(g) || path_out_is_member(e, &f->key))
		return;
	if (group_installs(g) && !split_was_closed(e, g, key, key_len))
		audit_on_kernel(e, g, f, key, key_len);
	if (!ours && !(begins && g->served))
		return;
	if (g->equal) {
		forget_leftover(e, g, key, key_len);
	} else if (begins) {
		n = flow_encode(f, bytes);
		if (n > 0)
			(void)table_put(g->table, bytes, (size_t)n, TABLE_NONE);
	}
}

static void on_dump_standby(struct engine *e, struct group *g, const struct flow *f, bool ours)
{
	uint8_t key[FLOW_KEY_MAX];
	const uint8_t *bytes;
	size_t len;
	int n = flow_key_encode(&f->key, key);
	bool newer;

	if (n < 0)
		return;
	if (!table_get(g->table, key, (size_t)n, &bytes, &len)) {
		on_dump_unknown(e, g, f, ours, key, (size_t)n);
		return;
	}
	newer = table_bit_get(g->table, key, (size_t)n, TABLE_SEEN);
	(void)table_bit_set(g->table, key, (size_t)n, TABLE_SEEN);
	if (!group_installs(g) || kernel_alike(e, bytes, len, f))
		return;
	if (!newer)
		audit_on_kernel(e, g, f, key, (size_t)n);
	(void)table_kernel_again(g->table, key, (size_t)n);
}

/*
 * The kernel keeps the state of an offloaded connection to itself, and offloads established ones:
 * what the table has else of it stands. Where the table has nothing, its window scales stay
 * unknown; no kernel that takes it judges by them (ct_build.c).
 */
static void complete_offloaded(const struct group *g, struct flow *f)
{
	uint8_t key[FLOW_KEY_MAX];
	const uint8_t *bytes;
	struct flow kept;
	size_t len;
	int n = flow_key_encode(&f->key, key);

	if (n > 0 && table_get(g->table, key, (size_t)n, &bytes, &len) &&
	    flow_decode(bytes, len, &kept) == 0)
		flow_merge(f, &kept, FLOW_PART_STATE);
	f->ct.state = TCP_CONNTRACK_ESTABLISHED;
}

void reconcile_on_dump(void *ctx, const struct flow *dumped, bool ours)
{
	struct edge *ed = ctx;
	struct group *g = group_of_key(ed->e, &dumped->key);
	const struct flow *f = dumped;
	struct flow whole;

	if (!g)
		return;
	if (f->key.kind == FLOW_CONNTRACK && f->key.l4proto == IPPROTO_TCP &&
	    f->ct.state == TCP_CONNTRACK_NONE) {
		whole = *f;
		complete_offloaded(g, &whole);
		f = &whole;
	}
	if (g->role == ROLE_ACTIVE)
		on_dump_active(ed->e, g, f, ours);
	else if (g->role == ROLE_STANDBY)
		on_dump_standby(ed->e, g, f, ours);
}

struct unseen {
	enum flow_kind kind;
	size_t n;
	struct {
		size_t len;
		uint8_t key[FLOW_KEY_MAX];
	} key[32];
};

static int collect_unseen(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	struct unseen *u = ctx;
	struct flow_key k;
	const uint8_t *key;
	size_t key_len;

	(void)hash;
	if (flow_key_slice(flow, len, &key, &key_len) || flow_key_decode(key, key_len, &k) ||
	    k.kind != u->kind)
		return 0;
	memcpy(u->key[u->n].key, key, key_len);
	u->key[u->n].len = key_len;
	return ++u->n == sizeof(u->key) / sizeof(u->key[0]);
}

/*
 * What the table has and the dump had not: the active's kernel is right, but for its first dump of
 * a term, when it may lack what the table was told to install (unless it is this kernel's own
 * table, kept over a restart), and for what it has refused; a standby's table is right.
 */
static void judge_one(struct engine *e, struct group *g, bool deletes, const uint8_t *key,
		      size_t len)
{
	(void)table_bit_set(g->table, key, len, TABLE_SEEN);
	audit_on_kernel(e, g, NULL, key, len);
	if (deletes) {
		split_note_closed(e, g, key, len);
		(void)table_del(g->table, key, len, TABLE_WIRE);
		return;
	}
	(void)table_kernel_again(g->table, key, len);
	e->counters.reinstalled++;
}

static void judge_unseen(struct engine *e, struct group *g, enum flow_kind kind)
{
	bool deletes = g->role == ROLE_ACTIVE && (g->complete || g->kernel_right) &&
		       g->refused_by_kernel == 0;
	struct unseen u = {.kind = kind};
	struct slices s;
	struct hash_range r;

	if (!deletes && !group_installs(g))
		return;
	/* By slices: the table must not change while it is walked, nor be walked from its start
	 * again. */
	slices_init(&s, g->table);
	while (slices_next(&s, &r)) {
		do {
			u.n = 0;
			(void)table_walk_without(g->table, r, TABLE_SEEN, collect_unseen, &u);
			for (size_t i = 0; i < u.n; i++)
				judge_one(e, g, deletes, u.key[i].key, u.key[i].len);
		} while (u.n > 0);
	}
}

/* Before the group has a table, or a whole one: `served`, all that the kernel has is of it. */
void reconcile_refill(struct engine *e, struct group *g, bool served)
{
	g->refill = 0;
	g->served = served;
	for (int k = 0; group_writes(g) && k < 2; k++) {
		if (!engine_source(e, (enum flow_kind)k))
			continue;
		g->refill |= (uint8_t)(1u << k);
		reconcile_want(e, (enum flow_kind)k, e->now.mono_us);
	}
}

/* What leaving the role would have done is due once there is a table. */
static void refill_end(struct group *g, enum flow_kind kind)
{
	const uint8_t before = g->refill;

	g->refill &= (uint8_t) ~(1u << kind);
	if (!before || g->refill)
		return;
	if (g->served)
		sweep_start(g, &g->once, SINK_LIBERAL);
	g->served = false;
}

static void group_dumped(struct engine *e, struct group *g)
{
	g->refused_since_sync = g->refused_by_kernel = 0; /* queued again */
	if (g->role != ROLE_ACTIVE || g->complete)
		return;
	g->complete = true;
	g->settled = false;
	g->check_due = true;
	g->kernel_right = false;
	e->hello_now = true;
	if (!g->timed)
		sweep_start(g, &g->once, SINK_EXPIRY);
}

static bool other_edge_incomplete(struct engine *e, const struct edge *ed)
{
	const struct edge *other = &e->edge[!ed->kind];

	return engine_source(e, other->kind) && !other->dumped;
}

void reconcile_on_dump_end(void *ctx, int err)
{
	struct edge *ed = ctx;
	struct engine *e = ed->e;

	ed->dumping = false;
	ed->ended_us = e->now.mono_us;
	ed->dumped = err == 0;
	if (err)
		e->counters.dump_failures++;
	for (size_t i = 0; i < e->cfg.groups; i++) {
		struct group *g = &e->group[i];

		if (!err)
			judge_unseen(e, g, ed->kind);
		if (!err && !ed->again)
			refill_end(g, ed->kind);
		if (!err && !other_edge_incomplete(e, ed))
			group_dumped(e, g);
		table_hold_end(g->table);
	}
	audit_on_dump(e, ed->kind, false, err);
	if (err || ed->again)
		reconcile_want(e, ed->kind, e->now.mono_us + RECONCILE_GAP_US);
	else if (e->cfg.reconcile_s)
		reconcile_want(e, ed->kind, e->now.mono_us + e->cfg.reconcile_s * S_US);
	ed->again = false;
}

bool kernel_is_drained(struct engine *e)
{
	for (size_t i = 0; i < e->cfg.groups; i++)
		if (group_writes(&e->group[i]) && table_queued(e->group[i].table, TABLE_KERNEL) > 0)
			return false;
	for (int k = 0; k < 2; k++) {
		const struct sink *s = e->io.sink(e->io.ctx, (enum flow_kind)k);

		if (s && s->ops->pending(s) > 0)
			return false;
	}
	return true;
}

/*
 * From here on SEEN is what the dump that begins has met. An active's kernel says nothing of what
 * it has refused and is to be given again.
 */
static void seen_none(struct group *g)
{
	table_bit_clear_all(g->table, TABLE_SEEN);
	for (size_t i = 0; g->role == ROLE_ACTIVE && i < g->retry.n; i++) {
		const struct timed_key *k = timed_list_at(&g->retry, i);

		(void)table_bit_set(g->table, k->key, k->len, TABLE_SEEN);
	}
}

void reconcile_tick(struct engine *e, struct edge *ed, uint64_t *next_us)
{
	struct source *s = engine_source(e, ed->kind);

	if (!s || !ed->wanted || ed->dumping || e->edge[!ed->kind].dumping)
		return;
	if (e->now.mono_us < ed->due_us) {
		sooner(next_us, ed->due_us);
		return;
	}
	/* A flow on its way into the kernel would be found missing. */
	if (!kernel_is_drained(e))
		return;
	if (s->ops->dump(s)) {
		e->counters.dump_failures++;
		ed->due_us = e->now.mono_us + RECONCILE_GAP_US;
		return;
	}
	e->counters.dumps++;
	ed->wanted = false;
	ed->dumping = true;
	audit_on_dump(e, ed->kind, true, 0);
	for (size_t i = 0; i < e->cfg.groups; i++) {
		table_hold_begin(e->group[i].table);
		seen_none(&e->group[i]);
	}
}
