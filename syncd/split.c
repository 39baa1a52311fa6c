// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Healing a split, in which two nodes were active and each served what reached it. The engine
 * outside decides who stays. The winner's entries of flows that went through the other are old:
 * they are made liberal. The loser follows the winner's stream, and where a range-complete of the
 * winner lacks flows that changed here since this node took over, it offers them instead of
 * forgetting them; the winner takes what it neither has nor has just closed under its own term.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "syncd/engine_priv.h"

/* As active: another one is, or was in a higher term. */
void split_seen(struct engine *e, struct group *g)
{
	if (!g->split_us) {
		e->io.on_alarm(e->io.ctx, g->cfg.id, "two nodes are active");
		sweep_start(g, &g->once, SINK_LIBERAL);
	}
	g->split_us = e->now.mono_us;
}

/* As the one that gave way: what is its own is offered for a while. */
void split_lost(struct engine *e, struct group *g)
{
	g->heal_until_us = e->now.mono_us + ENGINE_HEAL_US;
}

/*
 * Flows that ended lately, by position, so that an offer does not bring them back: a cache, in
 * which a later one takes the place of an earlier of the same slot. Without memory for it nothing
 * is refused.
 */
static uint64_t *closed_slot(struct engine *e, struct group *g, const uint8_t *key, size_t len,
			     uint64_t *hash)
{
	*hash = digest_position(&e->digest_key, key, len);
	if (!g->closed)
		g->closed = calloc(CLOSED_SLOTS, sizeof(*g->closed));
	return g->closed ? &g->closed[*hash % CLOSED_SLOTS] : NULL;
}

void split_note_closed(struct engine *e, struct group *g, const uint8_t *key, size_t len)
{
	uint64_t hash, *slot = closed_slot(e, g, key, len, &hash);

	if (slot)
		*slot = hash;
}

bool split_was_closed(struct engine *e, struct group *g, const uint8_t *key, size_t len)
{
	uint64_t hash;
	const uint64_t *slot = closed_slot(e, g, key, len, &hash);

	return slot && *slot == hash;
}

struct own_flows {
	struct offer *offer;
	struct table_slice *keep;
	size_t n, cap, bytes, bytes_max;
};

static bool is_kept(const struct own_flows *own, const uint8_t *key, size_t len)
{
	for (size_t i = 0; i < own->n; i++)
		if (own->keep[i].len == len && memcmp(own->keep[i].bytes, key, len) == 0)
			return true;
	return false;
}

static int offer_own(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	struct own_flows *own = ctx;
	const uint8_t *key;
	size_t key_len;

	(void)hash;
	if (flow_key_slice(flow, len, &key, &key_len) || is_kept(own, key, key_len))
		return 0;
	if (own->n == own->cap || own->offer->n == OFFER_PUTS_MAX ||
	    own->bytes + data_put_size(len) > own->bytes_max)
		return 1; /* the rest when the range is asked for again */
	own->bytes += data_put_size(len);
	own->offer->put[own->offer->n].flow = flow;
	own->offer->put[own->offer->n++].len = (uint32_t)len;
	own->keep[own->n++] = (struct table_slice){key, key_len};
	return 0;
}

/*
 * Adds to keep (n of cap) what this node adds to the range, and offers it. Returns false where
 * there is more than fits: nothing of the range may be removed then.
 */
bool split_keep_own(struct engine *e, struct group *g, struct hash_range r,
		    struct table_slice *keep, size_t *n, size_t cap)
{
	const struct peer *winner = peers_by_node(e->peers, g->active);
	struct control *c = &e->control;
	struct own_flows own = {&c->offer, keep, *n, cap, 0, 0};
	int more;

	if (!winner || e->now.mono_us >= g->heal_until_us)
		return true;
	own.bytes_max = sender_payload_max(e->sender) - OFFER_OVERHEAD;
	c->kind = CONTROL_OFFER;
	c->offer.node = winner->node;
	c->offer.session = winner->session;
	c->offer.group = g->cfg.id;
	c->offer.n = 0;
	more = table_walk_since(g->table, r, g->term_epoch, offer_own, &own);
	if (c->offer.n)
		control_send(e, c);
	e->counters.offered += c->offer.n;
	*n = own.n;
	return !more;
}

/* The winner's side. */
void split_on_offer(struct engine *e, struct group *g, const struct offer *o)
{
	const uint8_t *key, *flow;
	size_t key_len, len;

	for (uint32_t i = 0; i < o->n; i++) {
		if (flow_key_slice(o->put[i].flow, o->put[i].len, &key, &key_len) ||
		    table_touched(g->table, key, key_len) || split_was_closed(e, g, key, key_len) ||
		    table_get(g->table, key, key_len, &flow, &len))
			continue;
		if (table_put(g->table, o->put[i].flow, o->put[i].len, TABLE_WIRE) <= 0)
			continue;
		(void)table_kernel_again(g->table, key, key_len);
		e->counters.taken++;
	}
}
