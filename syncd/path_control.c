// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Control messages both ways: hellos, statuses, naks, and handing repair requests on. A message of
 * a session that is not proven fresh is not acted on, but for the hello that may prove it.
 */
#include <assert.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "syncd/engine_priv.h"

/* What a node asks of another or offers it, before the payload is sealed in place. */
static void record_control(struct engine *e, const struct control *c, size_t len)
{
	uint16_t node = 0;
	uint64_t session = 0;

	switch ((enum control_kind)c->kind) {
	case CONTROL_HELLO:
	case CONTROL_STATUS:
		return;
	case CONTROL_NAK:
		node = c->nak.node;
		session = c->nak.session;
		break;
	case CONTROL_REPAIR:
		node = c->repair.node;
		session = c->repair.session;
		break;
	case CONTROL_OFFER:
		node = c->offer.node;
		session = c->offer.session;
		break;
	}
	e->io.on_record(e->io.ctx, RECORD_CONTROL, node, session, 0, sender_payload(e->sender),
			len);
}

static bool control_try(struct engine *e, const struct control *c)
{
	int n = control_write(c, sender_payload(e->sender), sender_payload_max(e->sender));

	if (n < 0)
		return false;
	record_control(e, c, (size_t)n);
	peers_control_sent(e->peers, sender_control(e->sender, (size_t)n, e->now.mono_us),
			   e->now.mono_us);
	return true;
}

void control_send(struct engine *e, const struct control *c)
{
	bool sent = control_try(e, c);

	assert(sent); /* bounded by construction: only a hello can be too long, and says less then
		       */
	(void)sent;
}

/*
 * The active's digest at the end of its stream: what differs silently would show at the next check
 * only, which may be far in an idle cluster. Of this very hello, since another page of it may have
 * spoken of an earlier counter.
 */
static bool digest_differs(const struct group *g, const struct hello *h)
{
	const struct hello_group *hg = NULL;
	uint64_t digest, count;

	for (uint8_t i = 0; i < h->groups; i++)
		if (h->group[i].id == g->cfg.id)
			hg = &h->group[i];
	if (!hg || !hg->complete || term_compare(hg->term, g->term) != 0 ||
	    (hg->digest == 0 && hg->flows > 0))
		return false;
	table_range_digest(g->table, (struct hash_range){0, 0}, &digest, &count);
	return digest != hg->digest;
}

/* A standby whose stream has ended at what it has applied is as equal now as at the last check. */
static void refresh_equal(struct engine *e, const struct peer *from, const struct stream *s)
{
	if (receiver_applied(s->receiver) != from->last_data)
		return;
	for (size_t i = 0; i < e->cfg.groups; i++) {
		struct group *g = &e->group[i];

		if (g->role != ROLE_STANDBY || g->active != from->node || !g->equal ||
		    g->data_since_check)
			continue;
		if (digest_differs(g, &e->control.hello))
			g->data_since_check = true; /* asks for a check, which decides */
		else
			g->equal_us = e->now.mono_us;
	}
}

/* Follows a session from what its first proven hello says was sent last. */
static struct stream *stream_begin(struct engine *e, const struct peer *from)
{
	struct stream *s;

	if (e->streams >= STREAMS_MAX)
		return NULL;
	s = &e->stream[e->streams];
	*s = (struct stream){.node = from->node, .session = from->session};
	s->receiver = receiver_new(from->node, from->session, from->last_data,
				   e->cfg.random_seed ^ from->session);
	if (!s->receiver)
		return NULL;
	e->streams++;
	for (size_t i = 0; i < e->cfg.groups; i++) {
		struct group *g = &e->group[i];

		if (g->active != from->node || g->role != ROLE_STANDBY)
			continue;
		group_new_stream(e, g);
	}
	return s;
}

static void on_hello(struct engine *e, struct peer *from, uint64_t counter)
{
	struct stream *s;

	if (peers_on_hello(e->peers, from, &e->control.hello, counter, e->now.mono_us,
			   e->now.wall_us))
		e->hello_now = true; /* so that it proves us as soon */
	if (!from->proven) {
		/* It cannot prove itself before it has heard us: two that meet do so at once. */
		if (e->now.mono_us + HELLO_INTERVAL_US >= e->hello_next_us + ANSWER_US)
			e->hello_now = true;
		return;
	}
	path_out_learn_members(e);
	s = stream_of(e, from->node, from->session);
	if (!s)
		s = stream_begin(e, from);
	groups_on_hello(e, from);
	if (!s)
		return;
	receiver_set_rtt(s->receiver, from->rtt_us);
	receiver_on_tail(s->receiver, from->last_data, from->oldest_data, e->now.mono_us);
	path_in_apply(e, s);
	refresh_equal(e, from, s);
}

static void on_nak(struct engine *e, const struct nak *n)
{
	struct stream *s;

	if (n->node == e->cfg.node && n->session == e->cfg.session) {
		sender_on_nak(e->sender, n, e->now.mono_us);
		return;
	}
	s = stream_of(e, n->node, n->session);
	if (s)
		receiver_on_foreign_nak(s->receiver, n, e->now.mono_us);
}

static void on_repair(struct engine *e, const struct repair_request *req)
{
	struct group *g = group_by_id(e, req->group);

	if (!g || g->role != ROLE_ACTIVE || req->node != e->cfg.node ||
	    req->session != e->cfg.session)
		return;
	g->check_due = true;
	if (req->n)
		repair_server_on_request(g->server, req, e->now.mono_us);
}

static void on_offer(struct engine *e, const struct offer *o)
{
	struct group *g = group_by_id(e, o->group);

	if (g && g->role == ROLE_ACTIVE && o->node == e->cfg.node && o->session == e->cfg.session)
		split_on_offer(e, g, o);
}

void path_control_on(struct engine *e, struct peer *from, uint64_t counter, size_t len)
{
	struct control *c = &e->control;

	if (control_read(e->payload, len, c)) {
		e->counters.malformed++;
		return;
	}
	if (c->kind == CONTROL_HELLO) {
		on_hello(e, from, counter);
		return;
	}
	if (!from->proven) {
		e->counters.unproven++;
		return;
	}
	switch ((enum control_kind)c->kind) {
	case CONTROL_STATUS:
		if (c->status.node == e->cfg.node && c->status.session == e->cfg.session)
			sender_on_status(e->sender, from->node, from->session, &c->status,
					 e->now.mono_us);
		break;
	case CONTROL_NAK:
		on_nak(e, &c->nak);
		break;
	case CONTROL_REPAIR:
		on_repair(e, &c->repair);
		break;
	case CONTROL_OFFER:
		on_offer(e, &c->offer);
		break;
	case CONTROL_HELLO:
		break;
	}
}

static void hello_fill_group(struct engine *e, struct group *g, struct hello_group *out)
{
	const struct peer *p = peers_by_node(e->peers, g->active);
	const struct stream *s = p ? stream_of(e, p->node, p->session) : NULL;
	struct engine_group_status st;

	(void)engine_group_status(e, (size_t)(g - e->group), &st);
	*out = (struct hello_group){
		.id = g->cfg.id,
		.role = (uint8_t)g->role,
		.state = (uint8_t)g->state,
		.ready = st.ready,
		.complete = g->complete && g->role == ROLE_ACTIVE,
		.term = g->term,
		.position = s ? receiver_applied(s->receiver) : 0,
		.fingerprint = g->cfg.fingerprint,
		.flows = table_count(g->table),
		.final_counter = g->final_counter,
		.split = g->role == ROLE_ACTIVE && g->split_us,
	};
	if (out->complete)
		out->digest = st.digest;
}

static void hello_fill(struct engine *e, struct hello *h)
{
	uint32_t pages = (uint32_t)((e->cfg.groups + HELLO_GROUPS_SENT - 1) / HELLO_GROUPS_SENT);

	*h = (struct hello){
		.sent_us = e->now.wall_us,
		.encoder = engine_encoder(),
		.pages = pages ? pages : 1,
		.last_data = sender_last(e->sender),
		.oldest_data = sender_oldest(e->sender),
		.digest_key_id = e->digest_key.id,
		.keys = (uint8_t)e->cfg.keys,
		.items = e->items,
		.addresses = e->addresses_of.addresses,
	};
	memcpy(h->name, e->cfg.name, sizeof(h->name));
	for (size_t i = 0; i < e->cfg.keys; i++)
		h->key_id[i] = e->key[i].id;
	memcpy(h->item, e->item, e->items * sizeof(e->item[0]));
	memcpy(h->address, e->addresses_of.address, sizeof(h->address));
	peers_fill_echoes(e->peers, h, e->now.mono_us);
}

/* Pads a hello now and then to what the links claim, so that the claim is proven or not used; also
 * once it is, since what a path carries may change. */
static void hello_pad(struct engine *e, struct control *c)
{
	uint32_t want = e->cfg.datagram_max;
	int n;

	if (e->now.mono_us < e->pad_next_us || want <= DATAGRAM_START)
		return;
	e->pad_next_us = e->now.mono_us +
			 (want <= peers_datagram_max(e->peers) + PAD_SHORT ? PAD_AGAIN_US : PAD_US);
	sender_set_datagram_max(e->sender, want);
	n = control_write(c, sender_payload(e->sender), sender_payload_max(e->sender));
	if (n > 0 && (size_t)n + PAD_SHORT < sender_payload_max(e->sender))
		c->hello.pad = (uint32_t)(sender_payload_max(e->sender) - (size_t)n - PAD_SHORT);
}

/* Whoever has echoed this session is by now told so, and begins to follow it. */
static bool is_proven_to_all(struct engine *e)
{
	const struct peer *p = peers_next(e->peers, NULL, true);
	bool any = p;

	for (; p; p = peers_next(e->peers, p, true))
		if (!p->proven)
			return false;
	return any;
}

/* Who is alone, or hears somebody who does not hear it, cannot know which of its keys the other
 * has: says hello under each of the others too. */
static void hello_under_all_keys(struct engine *e)
{
	if (e->cfg.insecure || e->cfg.keys < 2 || is_proven_to_all(e))
		return;
	for (size_t k = 0; k < e->cfg.keys; k++) {
		if (e->key[k].id == e->send_key.id)
			continue;
		sender_set_key(e->sender, &e->key[k]);
		(void)control_try(e, &e->control);
	}
	sender_set_key(e->sender, &e->send_key);
}

static void hello_send(struct engine *e)
{
	struct control *c = &e->control;
	bool whole;

	c->kind = CONTROL_HELLO;
	hello_fill(e, &c->hello);
	for (uint32_t page = 0; page < c->hello.pages; page++) {
		size_t first = (size_t)page * HELLO_GROUPS_SENT;

		c->hello.page = page;
		c->hello.groups = 0;
		c->hello.pad = 0;
		for (size_t i = first; i < e->cfg.groups && i < first + HELLO_GROUPS_SENT; i++)
			hello_fill_group(e, &e->group[i], &c->hello.group[c->hello.groups++]);
		hello_pad(e, c);
		/* What only informs goes first where a datagram cannot carry it all. */
		whole = control_try(e, c);
		if (!whole) {
			c->hello.items = 0;
			if (!control_try(e, c)) {
				c->hello.addresses = 0;
				control_send(e, c);
			}
		}
		hello_under_all_keys(e);
		if (!whole)
			hello_fill(e, &c->hello);
		sender_set_datagram_max(e->sender, peers_datagram_max(e->peers));
	}
	e->hello_now = false;
	e->hello_next_us = e->now.mono_us + HELLO_INTERVAL_US;
	e->followed |= is_proven_to_all(e);
}

static void status_send(struct engine *e, struct stream *s)
{
	struct control *c = &e->control;

	c->kind = CONTROL_STATUS;
	c->status = (struct status){
		.node = s->node,
		.session = s->session,
		.applied = receiver_applied(s->receiver),
		.installed = s->installed,
		.window = receiver_window(s->receiver),
	};
	control_send(e, c);
	s->since_status = 0;
	s->status_due_us = 0;
}

static void stream_tick(struct engine *e, struct stream *s, uint64_t *next_us)
{
	struct control *c = &e->control;
	uint64_t at_us = UINT64_MAX;

	c->kind = CONTROL_NAK;
	if (receiver_nak(s->receiver, e->now.mono_us, &c->nak, &at_us))
		control_send(e, c);
	sooner(next_us, at_us);
	if (!s->status_due_us)
		return;
	if (s->status_due_us <= e->now.mono_us)
		status_send(e, s);
	else
		sooner(next_us, s->status_due_us);
}

void path_control_tick(struct engine *e, uint64_t *next_us)
{
	for (size_t i = 0; i < e->streams; i++)
		stream_tick(e, &e->stream[i], next_us);
	if (e->hello_now || e->now.mono_us >= e->hello_next_us)
		hello_send(e);
	sooner(next_us, split_tick(e) ? e->now.mono_us : e->hello_next_us);
}
