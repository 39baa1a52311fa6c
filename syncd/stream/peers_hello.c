/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hellos: what an echo proves, what it tells of round trip and clocks, and the words of a proven
 * session, merged over its pages; and the echoes of our own. See docs/protocol.md, "Sessions and
 * freshness". The other half of peers.c.
 */
#include <stdlib.h>
#include <string.h>

#include "syncd/stream/peers_priv.h"

enum { PAGES_MAX = 64 };

/* A clock that steps shows as an offset that differs by more than any jitter. */
#define OFFSET_STEP_US (50 * (int64_t)MS_US)

/* When the control datagram that a hello echoes was sent; 0: not by us, or too long ago. */
static uint64_t echo_sent_us(const struct peers *p, const struct hello_echo *e, uint64_t now_us)
{
	uint64_t sent_us;

	if (e->control_counter == 0 || e->control_counter > p->control_last ||
	    p->control_last - e->control_counter >= SENT_RING)
		return 0;
	sent_us = p->control_sent_us[e->control_counter % SENT_RING];
	return sent_us != 0 && now_us - sent_us <= FRESH_US ? sent_us : 0;
}

static const struct hello_echo *echo_of_us(const struct peers *p, const struct hello *h)
{
	for (size_t i = 0; i < h->echoes; i++)
		if (h->echo[i].node == p->node && h->echo[i].session == p->session)
			return &h->echo[i];
	return NULL;
}

void peers_on_own_id(struct peers *p, const uint8_t *payload, size_t len, uint64_t now_us)
{
	const struct hello_echo *e;
	uint64_t sent_us;

	if (control_read(payload, len, &p->scratch) < 0 || p->scratch.kind != CONTROL_HELLO)
		return;
	e = echo_of_us(p, &p->scratch.hello);
	sent_us = e ? echo_sent_us(p, e, now_us) : 0;
	if (sent_us != 0 && sent_us + FRESH_US > p->impostor_until_us)
		p->impostor_until_us = sent_us + FRESH_US;
}

void peers_control_sent(struct peers *p, uint64_t counter, uint64_t now_us)
{
	p->control_last = counter;
	p->control_sent_us[counter % SENT_RING] = now_us;
}

/* Takes the node's place from its other sessions; they end at the next tick. */
static void displace_others(struct peers *p, const struct session *by)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *s = &p->at[i];

		if (s == by || !session_once_proven(s) || s->peer.node != by->peer.node)
			continue;
		s->state = SESSION_ENDED;
		s->peer.proven = false;
	}
}

/*
 * Whether an unproven session may become proven: not beside as many nodes as there may be, and not
 * in place of a session of its node that has echoed something later. The last hellos of a session
 * that has just ended, played back, echo what is still fresh; but its successor's echo is newer.
 */
static bool may_prove(const struct peers *p, const struct session *s, uint64_t echoed)
{
	size_t nodes = 0;

	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		const struct session *other = &p->at[i];

		if (!session_once_proven(other))
			continue;
		if (other->peer.node == s->peer.node && other->echoed >= echoed)
			return false;
		nodes += other->state != SESSION_ENDED && other->peer.node != s->peer.node;
	}
	return nodes < NODES_MAX - 1;
}

/* Returns false where it may not. */
static bool session_prove(struct peers *p, struct session *s, uint64_t echoed)
{
	size_t place = 0;

	if (s->state == SESSION_UNPROVEN) {
		while (place < ONCE_PROVEN_MAX && p->groups_used[place])
			place++;
		if (place == ONCE_PROVEN_MAX || !may_prove(p, s, echoed))
			return false;
		p->groups_used[place] = true;
		s->place = place;
		s->peer.group = p->groups[place];
		s->peer.groups = 0;
		displace_others(p, s);
	}
	if (s->state != SESSION_PROVEN)
		replay_window_close(&s->window);
	if (echoed > s->echoed)
		s->echoed = echoed;
	s->state = SESSION_PROVEN;
	s->peer.proven = true;
	return true;
}

static void take_times(struct peer *peer, const struct hello *h, const struct hello_echo *e,
		       uint64_t sent_us, uint64_t now_us, uint64_t wall_us)
{
	uint64_t away_us = now_us - sent_us;
	uint32_t rtt_us;
	int64_t offset_us;

	if (e->held_us > away_us)
		return; /* its clock runs differently, or it lies: nothing to learn */
	rtt_us = away_us - e->held_us < 1 ? 1 : (uint32_t)(away_us - e->held_us);
	offset_us = (int64_t)(h->sent_us + rtt_us / 2 - wall_us);
	if (peer->rtt_us == 0) {
		peer->rtt_us = rtt_us;
		peer->clock_offset_us = offset_us;
		return;
	}
	/* What travelled fast tells most about the offset; the slow is half as uncertain as it
	 * took. */
	if (llabs(offset_us - peer->clock_offset_us) > OFFSET_STEP_US + rtt_us)
		peer->clock_offset_us = offset_us;
	else if (rtt_us <= peer->rtt_us + peer->rtt_us / 2)
		peer->clock_offset_us += (offset_us - peer->clock_offset_us) / 8;
	peer->rtt_us = (uint32_t)(((uint64_t)peer->rtt_us * 7 + rtt_us + 7) / 8);
}

/* Puts a group in its place by id. Returns its index, or -1 where there are too many. */
static int group_put(struct session *s, const struct hello_group *g)
{
	struct peer *peer = &s->peer;
	size_t i = 0;

	while (i < peer->groups && peer->group[i].id < g->id)
		i++;
	if (i == peer->groups || peer->group[i].id != g->id) {
		if (peer->groups == GROUPS_MAX)
			return -1;
		memmove(&peer->group[i + 1], &peer->group[i],
			(peer->groups - i) * sizeof(peer->group[0]));
		memmove(&s->named_in[i + 1], &s->named_in[i],
			(peer->groups - i) * sizeof(s->named_in[0]));
		peer->groups++;
	}
	peer->group[i] = *g;
	return (int)i;
}

static void groups_drop_unnamed(struct session *s)
{
	struct peer *peer = &s->peer;
	size_t kept = 0;

	for (size_t i = 0; i < peer->groups; i++) {
		if (s->named_in[i] != s->round)
			continue;
		peer->group[kept] = peer->group[i];
		s->named_in[kept++] = s->named_in[i];
	}
	peer->groups = kept;
}

/* Pages of one round name all groups; a page that comes again begins another round. */
static void take_groups(struct session *s, const struct hello *h)
{
	uint32_t pages = h->pages == 0 ? 1 : h->pages;

	if (pages > PAGES_MAX || h->page >= pages)
		return;
	if (pages != s->pages || (s->pages_seen & (1ull << h->page))) {
		s->pages = pages;
		s->pages_seen = 0;
		s->round++;
	}
	s->pages_seen |= 1ull << h->page;
	for (size_t i = 0; i < h->groups; i++) {
		int at = group_put(s, &h->group[i]);

		if (at >= 0)
			s->named_in[at] = s->round;
	}
	if (s->pages_seen == (pages == 64 ? UINT64_MAX : (1ull << pages) - 1)) {
		groups_drop_unnamed(s);
		s->pages_seen = 0;
		s->round++;
	}
}

/* What does not belong to a group is on the first page; counters may be on any. */
static void take_words(struct peer *peer, const struct hello *h)
{
	if (h->last_data > peer->last_data)
		peer->last_data = h->last_data;
	if (h->oldest_data > peer->oldest_data)
		peer->oldest_data = h->oldest_data;
	if (h->page != 0)
		return;
	peer->encoder = h->encoder;
	peer->digest_key_id = h->digest_key_id;
	peer->keys = h->keys;
	memcpy(peer->key_id, h->key_id, sizeof(peer->key_id));
	peer->items = h->items;
	memcpy(peer->item, h->item, sizeof(peer->item));
	peer->addresses = h->addresses;
	memcpy(peer->address, h->address, sizeof(peer->address));
}

int peers_on_hello(struct peers *p, struct peer *from, const struct hello *h,
		   uint64_t control_counter, uint64_t now_us, uint64_t wall_us)
{
	struct session *s = (struct session *)from;
	const struct hello_echo *e = echo_of_us(p, h);
	uint64_t sent_us = e ? echo_sent_us(p, e, now_us) : 0;
	bool was_proven = from->proven;

	if (s->state == SESSION_ENDED || control_counter <= s->hello_counter)
		return 0; /* overtaken on its way */
	s->hello_counter = control_counter;
	memcpy(from->name, h->name, sizeof(from->name));
	from->name[sizeof(from->name) - 1] = '\0';
	if (sent_us != 0) {
		if (!session_prove(p, s, e->control_counter))
			return 0;
		if (sent_us + FRESH_US > s->fresh_until_us)
			s->fresh_until_us = sent_us + FRESH_US;
		take_times(from, h, e, sent_us, now_us, wall_us);
		from->max_datagram = e->max_datagram;
	}
	if (!from->proven)
		return 0;
	from->hello_us = now_us;
	take_words(from, h);
	take_groups(s, h);
	return was_proven ? 0 : 1;
}

/* What goes by one link today may go by another tomorrow: the least of those that bring anything.
 */
static uint32_t carried(const struct session *s, uint64_t now_us)
{
	uint32_t least = UINT32_MAX;

	for (unsigned i = 0; i < LINKS_MAX; i++) {
		const struct heard *h = &s->heard[i];
		uint32_t most = h->longest > h->before ? h->longest : h->before;

		if (h->at_us != 0 && now_us - h->at_us <= FRESH_US && most < least)
			least = most;
	}
	return least == UINT32_MAX ? 0 : least;
}

void peers_fill_echoes(const struct peers *p, struct hello *out, uint64_t now_us)
{
	static const enum session_state order[] = {SESSION_PROVEN, SESSION_LAPSED,
						   SESSION_UNPROVEN};
	size_t n = 0;

	for (size_t o = 0; o < sizeof(order) / sizeof(order[0]); o++) {
		for (size_t i = 0; i < SESSIONS_MAX && n < NODES_MAX; i++) {
			const struct session *s = &p->at[i];

			if (s->state != order[o] || s->peer.control_counter == 0 ||
			    now_us - s->control_heard_us > FRESH_US)
				continue;
			out->echo[n++] = (struct hello_echo){
				.node = s->peer.node,
				.session = s->peer.session,
				.control_counter = s->peer.control_counter,
				.held_us = (uint32_t)(now_us - s->control_heard_us),
				.max_datagram = carried(s, now_us),
			};
		}
	}
	out->echoes = (uint8_t)n;
}
