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
 * Called by the engine. Knows nothing of sockets; what proves is in peers_hello.c.
 */
#include "syncd/stream/peers_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

void peers_set_link(struct peers *p, unsigned link)
{
	assert(link < LINKS_MAX);
	p->link = link;
}

/* A copy of what another link brought first tells as much of this one. An older one may be a
 * recording. */
static bool is_late(const struct session *s, const struct frame_header *head)
{
	return head->kind == FRAME_CONTROL && head->counter + COPY_WITHIN < s->peer.control_counter;
}

static void note_length(struct session *s, unsigned link, size_t len, uint64_t now_us)
{
	struct heard *h = &s->heard[link];

	if (now_us - h->since_us >= LENGTH_PROVES_US) {
		h->before = now_us - h->since_us < 2 * LENGTH_PROVES_US ? h->longest : 0;
		h->longest = 0;
		h->since_us = now_us;
	}
	h->at_us = now_us;
	if (len > h->longest)
		h->longest = (uint32_t)len;
}

int peers_open(struct peers *p, const uint8_t *dgram, size_t len, uint64_t now_us, uint8_t *payload,
	       struct peers_opened *out)
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
	if (!is_late(s, &head))
		note_length(s, p->link, len, now_us);
	if (head.kind == FRAME_CONTROL) {
		if (!replay_window_take(&s->window, head.counter))
			return -EEXIST;
		if (head.counter > s->peer.control_counter) {
			s->peer.control_counter = head.counter;
			s->control_heard_us = now_us;
		}
	}
	s->peer.heard_us = now_us;
	if (head.node == p->node) {
		if (head.kind == FRAME_CONTROL)
			peers_on_own_id(p, payload, (size_t)n, now_us);
		return -EADDRINUSE;
	}
	out->header = head;
	out->from = &s->peer;
	return n;
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
		if (session_once_proven(s) && gone)
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
