// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Healing a split, in which two nodes were active and each served what reached it. The engine
 * outside decides who stays, and may take its time: as soon as both have heard each other, each
 * offers the other what changed here since it was last heard, so that whoever stays has the flows
 * when their packets come. The winner's entries of flows that went through the other are old: they
 * are made liberal. Whoever leaves the active role, in a split or not, then follows another's
 * stream, and until it is equal offers what changed here since it took over and a range-complete
 * lacks, instead of forgetting it. An active one takes what it neither has nor has just closed,
 * under its own term, and answers what it has closed by a delete.
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

/*
 * Somebody is not heard any more. Where this node took over just now, that one is the reason, and
 * the split is as old as the term.
 */
void split_alone(struct engine *e)
{
	for (size_t i = 0; i < e->cfg.groups; i++) {
		struct group *g = &e->group[i];

		if (g->role != ROLE_ACTIVE || e->now.mono_us < g->state_since_us + 2 * PEER_DEAD_US)
			continue;
		table_hold_begin(g->table);
		g->alone_epoch = table_epoch(g->table);
		table_hold_end(g->table);
	}
}

/* As active: another one is, and is heard. */
void split_meet(struct engine *e, struct group *g, uint16_t node)
{
	/* A standby of the other may have told of it before. */
	if (g->meeting.node || g->meeting.over)
		return;
	g->meeting.node = node;
	g->meeting.from_us = e->now.mono_us + MEETING_US;
	slices_init(&g->meeting.at, g->table);
	e->hello_now = true;
}

/*
 * This node has left the active role. Whether it was a split it need not know: until it is equal to
 * an active one, what is its own may be nowhere else, and is worth telling while kernels keep it.
 */
void split_gave_way(struct engine *e, struct group *g)
{
	g->own_until_us = e->now.mono_us + ENGINE_HEAL_US + e->cfg.lease_s * S_US;
}

/* Whoever is followed from here is offered what is this node's own, for a while. */
void split_follows(struct engine *e, struct group *g)
{
	if (e->now.mono_us < g->own_until_us)
		g->own_until_us = e->now.mono_us + ENGINE_HEAL_US;
}

/*
 * Flows that ended lately, by position, so that an offer does not bring them back: a cache of
 * buckets, each with its latest first. Without memory for it nothing is refused.
 */
static uint64_t *closed_bucket(struct engine *e, struct group *g, const uint8_t *key, size_t len,
			       uint64_t *hash)
{
	*hash = digest_position(&e->digest_key, key, len);
	if (!g->closed)
		g->closed = calloc(CLOSED_BUCKETS, sizeof(*g->closed));
	return g->closed ? g->closed[*hash % CLOSED_BUCKETS] : NULL;
}

void split_note_closed(struct engine *e, struct group *g, const uint8_t *key, size_t len)
{
	uint64_t hash, *bucket = closed_bucket(e, g, key, len, &hash);

	if (!bucket)
		return;
	memmove(bucket + 1, bucket, (CLOSED_A_BUCKET - 1) * sizeof(*bucket));
	bucket[0] = hash;
}

bool split_was_closed(struct engine *e, struct group *g, const uint8_t *key, size_t len)
{
	uint64_t hash;
	const uint64_t *bucket = closed_bucket(e, g, key, len, &hash);

	for (int i = 0; bucket && i < CLOSED_A_BUCKET; i++)
		if (bucket[i] == hash)
			return true;
	return false;
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

	if (!winner || e->now.mono_us >= g->own_until_us)
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

struct meeting_offer {
	struct engine *e;
	size_t bytes, bytes_max;
};

static void meeting_send(struct meeting_offer *m)
{
	struct offer *o = &m->e->control.offer;

	if (!o->n)
		return;
	control_send(m->e, &m->e->control);
	m->e->counters.offered += o->n;
	o->n = 0;
	m->bytes = 0;
}

static int meeting_flow(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	struct meeting_offer *m = ctx;
	struct offer *o = &m->e->control.offer;

	(void)hash;
	if (o->n == OFFER_PUTS_MAX || m->bytes + data_put_size(len) > m->bytes_max)
		meeting_send(m);
	m->bytes += data_put_size(len);
	o->put[o->n].flow = flow;
	o->put[o->n++].len = (uint32_t)len;
	return 0;
}

/* Returns true while there is more. */
static bool meeting_step(struct engine *e, struct group *g, const struct peer *other)
{
	struct control *c = &e->control;
	struct meeting_offer m = {.e = e};
	struct hash_range r;
	bool more = true;

	m.bytes_max = sender_payload_max(e->sender) - OFFER_OVERHEAD;
	c->kind = CONTROL_OFFER;
	c->offer.node = other->node;
	c->offer.session = other->session;
	c->offer.group = g->cfg.id;
	c->offer.n = 0;
	for (int i = 0; more && i < MEETING_SLICES; i++) {
		more = slices_next(&g->meeting.at, &r);
		if (more)
			(void)table_walk_since(g->table, r, g->alone_epoch, meeting_flow, &m);
	}
	meeting_send(&m);
	return more;
}

/*
 * Some of what is on its way to other actives; after the hello that proves this node to them, and
 * which an offer sent with it would overtake now and then. What gets lost, or is not sent before
 * one of both gives way, the loser's repair offers.
 */
bool split_tick(struct engine *e)
{
	bool any = false;

	for (size_t i = 0; i < e->cfg.groups; i++) {
		struct group *g = &e->group[i];
		const struct peer *other;

		if (!g->meeting.node || e->now.mono_us < g->meeting.from_us)
			continue;
		other = peers_by_node(e->peers, g->meeting.node);
		if (!other || g->role != ROLE_ACTIVE) {
			g->meeting.node = 0;
		} else if (meeting_step(e, g, other)) {
			any = true;
		} else {
			g->meeting.node = 0;
			g->meeting.over = true;
		}
	}
	return any;
}

/* As active, from another active one or from the one that gave way. */
void split_on_offer(struct engine *e, struct group *g, const struct offer *o)
{
	const uint8_t *key, *flow;
	size_t key_len, len;

	for (uint32_t i = 0; i < o->n; i++) {
		if (flow_key_slice(o->put[i].flow, o->put[i].len, &key, &key_len) ||
		    table_get(g->table, key, key_len, &flow, &len))
			continue;
		/* It has ended here, and whoever still has it is to forget it. */
		if (table_touched(g->table, key, key_len) || split_was_closed(e, g, key, key_len)) {
			(void)table_tell_end(g->table, key, key_len, TABLE_WIRE);
			continue;
		}
		if (table_put(g->table, o->put[i].flow, o->put[i].len, TABLE_WIRE) <= 0)
			continue;
		(void)table_kernel_again(g->table, key, key_len);
		e->counters.taken++;
	}
}
