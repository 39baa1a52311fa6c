// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A warm restart: the tables written at an orderly stop, and taken as a start. What is taken is a
 * guess that is nearly right. It claims nothing: a standby compares it with the active's checks and
 * fetches what differs, an active compares it with its kernel. What was in flight into the kernel
 * is kept as keys, and made good by the list of what the kernel refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "syncd/engine_priv.h"

static const struct hash_range everything = {0, 0};

/* ---- keeping ---- */

bool engine_is_settled(struct engine *e)
{
	return kernel_is_drained(e);
}

/* An active table that no dump has completed is not worth more than the dump that will. */
static bool is_worth_keeping(const struct group *g)
{
	return g->role == ROLE_STANDBY || (g->role == ROLE_ACTIVE && g->complete);
}

static uint8_t keep_flags(const struct group *g, bool drained)
{
	uint8_t flags = 0;

	if (g->role != ROLE_ACTIVE)
		return 0;
	flags |= WARM_ACTIVE;
	if (!g->unproven)
		flags |= WARM_WHOLE;
	if (drained && g->retry.n == 0)
		flags |= WARM_SETTLED;
	if (!g->once.running)
		flags |= WARM_TIMED;
	return flags;
}

static int keep_flow(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	(void)hash;
	warm_write_flow(ctx, flow, len);
	return 0;
}

static void keep_key(struct warm_writer *w, const struct table_item *it)
{
	const uint8_t *key = it->bytes;
	size_t len = it->len;

	if (it->del || flow_key_slice(it->bytes, it->len, &key, &len) == 0)
		warm_write_again(w, key, len);
}

static void keep_pending(struct group *g, struct warm_writer *w)
{
	struct table_item it;

	while (group_writes(g) && table_kernel_next(g->table, &it))
		if (it.del || group_installs(g))
			keep_key(w, &it);
	while (g->retry.n > 0) {
		struct timed_key *k = timed_list_take(&g->retry);

		warm_write_again(w, k->key, k->len);
		free(k);
	}
}

static void keep_group(struct engine *e, struct group *g, bool drained, struct warm_writer *w)
{
	const struct peer *p = peers_by_node(e->peers, g->active);
	const struct stream *s = p ? stream_of(e, p->node, p->session) : NULL;
	struct warm_group out = {
		.id = g->cfg.id,
		.flags = keep_flags(g, drained),
		.term = g->term,
		.fingerprint = g->cfg.fingerprint,
		.flows = table_count(g->table),
		.as_of_node = g->active,
		.as_of_counter = s ? receiver_applied(s->receiver) : sender_last(e->sender),
	};
	uint64_t count;

	table_range_digest(g->table, everything, &out.digest, &count);
	warm_write_group(w, &out);
	(void)table_walk(g->table, everything, keep_flow, w);
	keep_pending(g, w);
}

int engine_keep(struct engine *e, const struct warm_place *here, warm_write_fn *write, void *ctx,
		struct engine_now now)
{
	struct warm_head h = {
		.place = *here,
		.encoder = engine_encoder(),
		.node = e->cfg.node,
		.digest_key_id = e->digest_key.id,
		.mono_us = now.mono_us,
		.wall_us = now.wall_us,
		.session = e->cfg.session,
	};
	struct warm_writer *w = warm_write_begin(&h, write, ctx);
	const bool drained = kernel_is_drained(e);

	if (!w)
		return -ENOMEM;
	e->now = now;
	for (size_t i = 0; i < e->cfg.groups; i++)
		if (e->group[i].role == ROLE_ACTIVE)
			path_out_drain(e, &e->group[i], false);
	for (size_t i = 0; i < e->cfg.groups; i++)
		if (is_worth_keeping(&e->group[i]))
			keep_group(e, &e->group[i], drained, w);
	return warm_write_end(w);
}

/* ---- taking ---- */

static const char *why_not(const struct engine *e, const struct warm_head *h,
			   const struct warm_place *here, uint64_t now_us)
{
	if (memcmp(h->place.boot_id, here->boot_id, sizeof(here->boot_id)) != 0)
		return "it is of another boot";
	if (h->place.netns != here->netns)
		return "it is of another network namespace";
	if (h->node != e->cfg.node)
		return "it is another node's";
	if (h->digest_key_id != e->digest_key.id)
		return "the cluster secret has changed";
	if (h->mono_us > now_us || now_us - h->mono_us > e->cfg.lease_s * S_US)
		return "it is older than the leases";
	return NULL;
}

static const char *check_group(const struct group *g, const struct warm_group *w)
{
	if (!g)
		return "the group is not configured any more";
	if (g->kept.id)
		return "it has the group twice";
	if (w->fingerprint != g->cfg.fingerprint)
		return "match or filter have changed";
	return NULL;
}

static void drop_table(struct group *g)
{
	table_clear(g->table);
	timed_list_clear(&g->retry);
	g->kept = (struct warm_group){0};
}

/* What the kernel was not yet told, it is told once the role is known. */
static void take_again(struct engine *e, struct group *g, const struct warm_iter *it)
{
	struct flow_key k;

	if (flow_key_decode(it->bytes, it->len, &k) == 0 &&
	    timed_list_add(&g->retry, RETRY_MAX, it->bytes, it->len, k.kind, e->now.mono_us))
		return;
	g->kept.flags &= (uint8_t)~WARM_SETTLED;
}

/* Takes one group, from behind its header to the next one. Returns the piece that follows. */
static enum warm_piece take_group(struct engine *e, struct group *g, struct warm_iter *it,
				  struct engine_taken *t)
{
	enum warm_piece piece;
	uint64_t digest, count;

	t->group = it->group;
	t->why = check_group(g, &it->group);
	if (!t->why) {
		g->kept = it->group;
		table_reserve(g->table, it->group.flows);
	}
	while ((piece = warm_iter_next(it)) == WARM_FLOW || piece == WARM_AGAIN) {
		if (t->why)
			continue;
		if (piece == WARM_AGAIN)
			take_again(e, g, it);
		else if (table_put(g->table, it->bytes, it->len, TABLE_NONE) < 0)
			t->why = "it does not fit";
	}
	if (!g || g->kept.id != t->group.id)
		return piece;
	table_range_digest(g->table, everything, &digest, &count);
	if (!t->why && (digest != t->group.digest || count != t->group.flows))
		t->why = "its digest is not that of its flows";
	if (t->why)
		drop_table(g);
	return piece;
}

size_t engine_take(struct engine *e, struct warm_image kept, const struct warm_place *here,
		   engine_taken_fn *told, void *ctx, struct engine_now now)
{
	struct engine_taken t = {0};
	struct warm_iter it;
	enum warm_piece piece;
	size_t taken = 0;
	int err = warm_check(kept.bytes, kept.len, &t.head);

	e->now = now;
	t.why = err == -EPROTONOSUPPORT ? "it is of another format"
		: err			? "it is damaged"
					: why_not(e, &t.head, here, now.mono_us);
	if (t.why) {
		told(ctx, &t);
		return 0;
	}
	warm_iter_init(&it, kept.bytes);
	piece = warm_iter_next(&it);
	while (piece == WARM_GROUP) {
		struct group *g = group_by_id(e, it.group.id);

		piece = take_group(e, g, &it, &t);
		taken += !t.why;
		told(ctx, &t);
	}
	return taken;
}

/*
 * A role is restored: the table stays only where it is of the highest term known. Where the store
 * of terms could not be written, the table knows better, and no term is taken twice. Returns
 * whether there is a table.
 */
bool warm_restore(struct engine *e, struct group *g, struct term *highest, enum node_role role)
{
	if (!g->kept.id)
		return false;
	if (term_compare(g->kept.term, *highest) < 0 || role == ROLE_IDLE) {
		drop_table(g);
		return false;
	}
	*highest = g->kept.term;
	g->kept_flows = g->kept.flows;
	if (role == ROLE_ACTIVE && highest->node == e->cfg.node)
		return true;
	/* Where it was active, and is not told to be: what leaving the role would have done. */
	if (g->kept.flags & WARM_ACTIVE)
		sweep_start(g, &g->once, SINK_LIBERAL);
	g->kept = (struct warm_group){0};
	return true;
}

/*
 * The node takes the role: again, over its own table and kernel, or as any other standby. Returns
 * whether all that it took over with is known to be in the kernel.
 */
bool warm_resume(struct group *g)
{
	const uint8_t flags = g->kept.flags;

	g->kept = (struct warm_group){0};
	g->kernel_right = flags & WARM_ACTIVE && flags & WARM_SETTLED;
	g->timed = flags & WARM_ACTIVE && flags & WARM_TIMED;
	return flags & WARM_ACTIVE && flags & WARM_WHOLE;
}
