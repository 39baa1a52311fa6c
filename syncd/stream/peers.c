/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions of other nodes. Everything is allocated at the start: a place for each session, groups
 * for those that have been proven. What an unproven session can cost is one of UNPROVEN_MAX places,
 * of which the one silent longest goes first; a datagram whose tag is wrong costs nothing.
 *
 *   (nothing) --right tag--> UNPROVEN --its hello echoes us--> PROVEN --no echo--> LAPSED
 *                               |                               |  ^--echo again----'  |
 *                               '--evicted, aged                '--newer session of--> ENDED
 *                                                                  the node, or aged
 *
 * Called by the engine. Knows nothing of sockets, and acts on nothing but hellos.
 */
#include "syncd/stream/peers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/stream/replay_window.h"

enum {
	UNPROVEN_MAX = 32,
	ONCE_PROVEN_MAX = 2 * NODES_MAX, /* sessions that are, were, or have just ended being */
	SESSIONS_MAX = UNPROVEN_MAX + ONCE_PROVEN_MAX,
	SENT_RING =
		8192, /* control datagrams whose time of sending is known; 2 s of 4,000 a second */
	PAGES_MAX = 64,
	SEAL_KEYS = 2, /* cached a session: before and after a rotation */
};

/* A clock that steps shows as an offset that differs by more than any jitter. */
#define OFFSET_STEP_US (50 * (int64_t)MS_US)

enum session_state {
	SESSION_NONE,
	SESSION_UNPROVEN,
	SESSION_PROVEN,
	SESSION_LAPSED,
	SESSION_ENDED
};

struct session {
	struct peer peer; /* first: a struct peer handed out is found again by a cast */
	enum session_state state;
	uint64_t fresh_until_us;
	uint64_t control_heard_us;
	uint64_t hello_counter; /* control counter of the last hello taken in */
	uint32_t longest;	/* datagram heard */
	struct replay_window window;
	size_t place; /* of its groups, once proven */

	struct {
		bool used;
		uint16_t id;
		struct seal_key key;
	} seal[SEAL_KEYS];
	unsigned seal_next;

	/* Merging of a hello's pages: which round named each group last. */
	uint64_t pages_seen;
	uint32_t pages;
	uint32_t round;
	uint32_t named_in[GROUPS_MAX];
};

struct peers {
	uint16_t node;
	uint64_t session;
	bool insecure;
	uint32_t digest_key_id;
	size_t keys;
	struct group_key key[KEYS_MAX];

	uint64_t control_last;
	uint64_t control_sent_us[SENT_RING]; /* by counter */
	uint64_t impostor_until_us;

	struct hello_group (*groups)[GROUPS_MAX]; /* by ONCE_PROVEN place */
	bool groups_used[ONCE_PROVEN_MAX];
	struct session *at; /* SESSIONS_MAX */
	struct control scratch;
};

struct peers *peers_new(const struct peers_config *cfg)
{
	struct peers *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->at = calloc(SESSIONS_MAX, sizeof(*p->at));
	p->groups = calloc(ONCE_PROVEN_MAX, sizeof(*p->groups));
	if (!p->at || !p->groups) {
		peers_free(p);
		return NULL;
	}
	p->node = cfg->node;
	p->session = cfg->session;
	p->insecure = cfg->insecure;
	p->digest_key_id = cfg->digest_key_id;
	peers_set_keys(p, cfg->key, cfg->keys);
	return p;
}

void peers_free(struct peers *p)
{
	if (!p)
		return;
	free(p->at);
	free(p->groups);
	free(p);
}

void peers_set_keys(struct peers *p, const struct group_key *key, size_t n)
{
	p->keys = n < KEYS_MAX ? n : KEYS_MAX;
	for (size_t i = 0; i < p->keys; i++)
		p->key[i] = key[i];
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		memset(p->at[i].seal, 0, sizeof(p->at[i].seal));
}

/* ---- places ------------------------------------------------------------------------------ */

static bool once_proven(const struct session *s)
{
	return s->state >= SESSION_PROVEN;
}

static struct session *session_find(struct peers *p, uint16_t node, uint64_t session)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *s = &p->at[i];

		if (s->state != SESSION_NONE && s->peer.session == session && s->peer.node == node)
			return s;
	}
	return NULL;
}

static void session_clear(struct peers *p, struct session *s)
{
	if (s->peer.group)
		p->groups_used[s->place] = false;
	memset(s, 0, sizeof(*s));
}

/* A place for an unproven session: a free one, or where there are enough of them, that of the one
 * silent longest. */
static struct session *session_add(struct peers *p, uint16_t node, uint64_t session)
{
	struct session *place = NULL, *oldest = NULL;
	size_t unproven = 0;

	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *s = &p->at[i];

		if (s->state == SESSION_NONE) {
			place = place ? place : s;
		} else if (s->state == SESSION_UNPROVEN) {
			unproven++;
			if (!oldest || s->peer.heard_us < oldest->peer.heard_us)
				oldest = s;
		}
	}
	if (unproven >= UNPROVEN_MAX)
		place = oldest;
	assert(place); /* unproven and once proven ones have places of their own */
	session_clear(p, place);
	place->state = SESSION_UNPROVEN;
	place->peer.node = node;
	place->peer.session = session;
	return place;
}

/* ---- opening ----------------------------------------------------------------------------- */

static const struct group_key *key_find(const struct peers *p, uint16_t id)
{
	for (size_t i = 0; i < p->keys; i++)
		if (p->key[i].id == id)
			return &p->key[i];
	return NULL;
}

/* The session's key: from its cache, or derived into *out with *cached false. */
static bool session_key(const struct session *s, const struct group_key *k, uint16_t node,
			uint64_t session, struct seal_key *out)
{
	for (size_t i = 0; s && i < SEAL_KEYS; i++) {
		if (s->seal[i].used && s->seal[i].id == k->id) {
			*out = s->seal[i].key;
			return true;
		}
	}
	seal_key_derive(out, k, node, session);
	return false;
}

static void session_keep_key(struct session *s, uint16_t id, const struct seal_key *key)
{
	unsigned i = s->seal_next++ % SEAL_KEYS;

	s->seal[i].used = true;
	s->seal[i].id = id;
	s->seal[i].key = *key;
}

/* Checks the tag. *s is the session, added where it is new. Nothing changes where the tag is wrong.
 */
static int open_sealed(struct peers *p, const struct frame_header *h, const uint8_t *dgram,
		       size_t len, uint8_t *payload, struct session **s)
{
	const struct group_key *k = key_find(p, h->key_id);
	struct seal_key key;
	bool cached = true;
	int n;

	if (!p->insecure && !k)
		return -ENOKEY;
	*s = session_find(p, h->node, h->session);
	if (p->insecure)
		seal_key_insecure(&key);
	else
		cached = session_key(*s, k, h->node, h->session, &key);
	n = seal_open(&key, h, dgram, len, payload);
	if (n < 0)
		return n;
	if (!*s)
		*s = session_add(p, h->node, h->session);
	if (!cached)
		session_keep_key(*s, h->key_id, &key);
	return n;
}

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

/* Another session with our own id: only one that hears us now is an alarm, since a recording of our
 * own former session cannot. */
static void on_own_id(struct peers *p, const uint8_t *payload, size_t len, uint8_t kind,
		      uint64_t now_us)
{
	const struct hello_echo *e;
	uint64_t sent_us;

	if (kind != FRAME_CONTROL || control_read(payload, len, &p->scratch) < 0 ||
	    p->scratch.kind != CONTROL_HELLO)
		return;
	e = echo_of_us(p, &p->scratch.hello);
	sent_us = e ? echo_sent_us(p, e, now_us) : 0;
	if (sent_us != 0 && sent_us + FRESH_US > p->impostor_until_us)
		p->impostor_until_us = sent_us + FRESH_US;
}

int peers_open(struct peers *p, const uint8_t *dgram, size_t len, uint64_t now_us, uint8_t *payload,
	       struct frame_header *h, struct peer **from)
{
	struct frame_header head;
	struct session *s;
	int n = frame_header_read(dgram, len, &head);

	if (n < 0)
		return n;
	if ((head.kind != FRAME_DATA && head.kind != FRAME_CONTROL) || head.counter == 0)
		return -EBADMSG;
	if (head.node == p->node && head.session == p->session)
		return -ELOOP;
	n = open_sealed(p, &head, dgram, len, payload, &s);
	if (n < 0)
		return n;
	if (head.kind == FRAME_CONTROL) {
		if (!replay_window_take(&s->window, head.counter))
			return -EEXIST;
		if (head.counter > s->peer.control_counter) {
			s->peer.control_counter = head.counter;
			s->control_heard_us = now_us;
		}
	}
	s->peer.heard_us = now_us;
	if (len > s->longest)
		s->longest = (uint32_t)len;
	if (head.node == p->node) {
		on_own_id(p, payload, (size_t)n, head.kind, now_us);
		return -EADDRINUSE;
	}
	*h = head;
	*from = &s->peer;
	return n;
}

/* ---- hellos ------------------------------------------------------------------------------ */

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

		if (s == by || !once_proven(s) || s->peer.node != by->peer.node)
			continue;
		s->state = SESSION_ENDED;
		s->peer.proven = false;
	}
}

/* Returns false where there are as many nodes as there may be. */
static bool session_prove(struct peers *p, struct session *s)
{
	size_t nodes = 0, place = ONCE_PROVEN_MAX;

	if (s->state == SESSION_UNPROVEN) {
		for (size_t i = 0; i < SESSIONS_MAX; i++)
			nodes += (p->at[i].state == SESSION_PROVEN ||
				  p->at[i].state == SESSION_LAPSED) &&
				 p->at[i].peer.node != s->peer.node;
		for (size_t i = 0; i < ONCE_PROVEN_MAX && place == ONCE_PROVEN_MAX; i++)
			if (!p->groups_used[i])
				place = i;
		if (nodes >= NODES_MAX - 1 || place == ONCE_PROVEN_MAX)
			return false;
		p->groups_used[place] = true;
		s->place = place;
		s->peer.group = p->groups[place];
		s->peer.groups = 0;
		displace_others(p, s);
	}
	if (s->state != SESSION_PROVEN)
		replay_window_close(&s->window);
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
		if (!session_prove(p, s))
			return 0;
		if (sent_us + FRESH_US > s->fresh_until_us)
			s->fresh_until_us = sent_us + FRESH_US;
		take_times(from, h, e, sent_us, now_us, wall_us);
		if (e->max_datagram > from->max_datagram)
			from->max_datagram = e->max_datagram;
	}
	if (!from->proven)
		return 0;
	from->hello_us = now_us;
	take_words(from, h);
	take_groups(s, h);
	return was_proven ? 0 : 1;
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
				.max_datagram = s->longest,
			};
		}
	}
	out->echoes = (uint8_t)n;
}

/* ---- ageing and looking up --------------------------------------------------------------- */

void peers_tick(struct peers *p, uint64_t now_us, void (*gone)(void *ctx, const struct peer *who),
		void *ctx)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *s = &p->at[i];

		if (s->state == SESSION_NONE)
			continue;
		if (s->state == SESSION_PROVEN && now_us > s->fresh_until_us) {
			s->state = SESSION_LAPSED;
			s->peer.proven = false;
		}
		if (s->state != SESSION_ENDED && now_us - s->peer.heard_us <= PEER_DEAD_US)
			continue;
		s->peer.proven = false;
		if (once_proven(s) && gone)
			gone(ctx, &s->peer);
		session_clear(p, s);
	}
}

struct peer *peers_next(struct peers *p, const struct peer *after, bool any)
{
	size_t i = after ? (size_t)((const struct session *)after - p->at) + 1 : 0;

	for (; i < SESSIONS_MAX; i++) {
		struct session *s = &p->at[i];

		if (s->state == SESSION_PROVEN ||
		    (any && s->state != SESSION_NONE && s->state != SESSION_ENDED))
			return &s->peer;
	}
	return NULL;
}

struct peer *peers_by_node(struct peers *p, uint16_t node)
{
	for (struct peer *peer = peers_next(p, NULL, false); peer;
	     peer = peers_next(p, peer, false))
		if (peer->node == node)
			return peer;
	return NULL;
}

const struct hello_group *peer_group(const struct peer *who, uint32_t id)
{
	size_t lo = 0, hi = who->groups;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (who->group[mid].id == id)
			return &who->group[mid];
		if (who->group[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

bool peers_impostor(const struct peers *p, uint64_t now_us)
{
	return now_us < p->impostor_until_us;
}

uint32_t peers_datagram_max(const struct peers *p)
{
	uint32_t least = DATAGRAM_MAX;
	bool any = false;

	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		const struct session *s = &p->at[i];

		if (s->state != SESSION_PROVEN)
			continue;
		any = true;
		if (s->peer.max_datagram < least)
			least = s->peer.max_datagram;
	}
	return any && least > DATAGRAM_START ? least : DATAGRAM_START;
}

bool peers_accept_key(const struct peers *p, uint16_t key_id)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		const struct session *s = &p->at[i];
		bool listed = s->state != SESSION_PROVEN;

		for (size_t k = 0; k < s->peer.keys && !listed; k++)
			listed = s->peer.key_id[k] == key_id;
		if (!listed)
			return false;
	}
	return true;
}
