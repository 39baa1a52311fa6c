/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This node's own stream. Sealed datagrams are kept (retain.h) until all receivers have them, so
 * that a retransmit is the very datagram that was sent and no counter is ever sealed twice.
 * Receivers are known by their statuses; those with a vote hold the window, and one that holds the
 * others up for too long loses its vote until it has kept up again for a while.
 *
 * Called by the engine. Knows nothing of sockets, roles or what a payload means.
 */
#include "syncd/stream/sender.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/stream/retain.h"

enum {
	RECEIVERS_MAX = 2 * NODES_MAX, /* a node's former session may linger beside its new one */
	DATAGRAM_MIN = 1024,	       /* any flow fits, with room for what frames it */
	RETRANSMITS_MAX = 256,	       /* in answer to one nak; the rest is asked for again */
	WINDOW_ALONE = 1024,	       /* a turn's share where nobody's window limits */
	KEEPS_UP = REORDER_MAX / 2,    /* datagrams behind that still count as keeping up */
	SPARE_BYTES = 1 << 20, /* kept though all have it: for one whose status is on its way */
	EARN_SHIFT_MAX = 5,
	DEBT_RECOVERY = 4, /* waiting is forgotten so many times slower than it is charged */
};

#define EARN_US	   (1 * S_US) /* keeping up for so long earns the first lost vote back */
#define STUCK_US   (3 * S_US)
#define ACCOUNT_US (100 * MS_US) /* a longer silence is our own pause and charged to nobody */

struct follower {
	bool used, vote;
	uint16_t node;
	uint64_t session;
	uint64_t applied, installed;
	uint64_t told;	 /* applied, as of its last status */
	uint32_t window; /* beyond applied; as last told */
	uint64_t heard_us;
	uint64_t even_since_us; /* keeps up since; 0: does not */
	uint64_t debt_us;	/* time the others have waited for it */
	unsigned losses;	/* of its vote */
};

struct sender {
	struct sender_config cfg;
	struct sender_io io;
	struct sender_stats stats;
	struct seal_key key;
	uint16_t key_id;
	size_t datagram_max;

	uint64_t last_control;
	struct retain retain;

	struct follower follower[RECEIVERS_MAX];
	uint64_t accounted_us;

	uint8_t scratch[DATAGRAM_MAX];
};

struct sender *sender_new(const struct sender_config *cfg, const struct sender_io *io)
{
	struct sender *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->cfg = *cfg;
	s->io = *io;
	if (s->cfg.retain == 0 || s->cfg.retain > RETAIN_MAX)
		s->cfg.retain = RETAIN_MAX;
	if (retain_init(&s->retain, s->cfg.retain, s->cfg.retain_bytes)) {
		sender_free(s);
		return NULL;
	}
	s->datagram_max = DATAGRAM_START;
	sender_set_key(s, &cfg->key);
	return s;
}

void sender_free(struct sender *s)
{
	if (!s)
		return;
	retain_fini(&s->retain);
	free(s);
}

void sender_set_key(struct sender *s, const struct group_key *key)
{
	if (s->cfg.insecure) {
		seal_key_insecure(&s->key);
		s->key_id = 0;
		return;
	}
	seal_key_derive(&s->key, key, s->cfg.node, s->cfg.session);
	s->key_id = key->id;
}

void sender_set_datagram_max(struct sender *s, uint32_t len_bytes)
{
	s->datagram_max = len_bytes < DATAGRAM_MIN   ? DATAGRAM_MIN
			  : len_bytes > DATAGRAM_MAX ? DATAGRAM_MAX
						     : len_bytes;
}

size_t sender_payload_max(const struct sender *s)
{
	return s->datagram_max - FRAME_OVERHEAD;
}

uint8_t *sender_payload(struct sender *s)
{
	return s->scratch + FRAME_HEADER_LEN;
}

/* ---- sending and keeping ----------------------------------------------------------------- */

void sender_drop_keys(struct sender *s, bool (*accepted)(void *ctx, uint16_t key_id), void *ctx)
{
	struct retain *r = &s->retain;

	while (r->oldest <= r->last && !s->cfg.insecure) {
		const struct retained *k = retain_get(r, r->oldest);
		struct frame_header h;

		if (frame_header_read(retain_bytes(r, k), k->len, &h) || h.key_id == s->key_id ||
		    accepted(ctx, h.key_id))
			return;
		retain_drop_oldest(r);
	}
}

static size_t seal_scratch(struct sender *s, enum frame_kind kind, uint64_t counter, size_t len)
{
	const struct frame_header h = {
		.kind = (uint8_t)kind,
		.key_id = s->key_id,
		.node = s->cfg.node,
		.session = s->cfg.session,
		.counter = counter,
	};

	assert(len + FRAME_OVERHEAD <= sizeof(s->scratch));
	return seal(&s->key, &h, s->scratch, len);
}

uint64_t sender_data(struct sender *s, size_t len, uint64_t now_us)
{
	uint64_t counter = s->retain.last + 1;
	size_t n = seal_scratch(s, FRAME_DATA, counter, len);

	(void)now_us;
	retain_add(&s->retain, s->scratch, n);
	s->stats.data++;
	s->stats.data_bytes += n;
	s->io.send(s->io.ctx, s->scratch, n);
	return counter;
}

uint64_t sender_control(struct sender *s, size_t len, uint64_t now_us)
{
	uint64_t counter = ++s->last_control;
	size_t n = seal_scratch(s, FRAME_CONTROL, counter, len);

	(void)now_us;
	s->stats.control++;
	s->stats.control_bytes += n;
	s->io.send(s->io.ctx, s->scratch, n);
	return counter;
}

uint64_t sender_last(const struct sender *s)
{
	return s->retain.last;
}

uint64_t sender_oldest(const struct sender *s)
{
	return s->retain.oldest;
}

/* Longer than the path carries by now, and asked for in vain for a while: it will not arrive, and
 * cannot be cut, since a counter is sealed once. */
static bool is_stuck(const struct sender *s, const struct retained *k, uint64_t now_us)
{
	return k->len > s->datagram_max && k->first_resent_us != 0 &&
	       now_us - k->first_resent_us > STUCK_US;
}

static void give_up(struct sender *s, uint64_t upto)
{
	while (s->retain.oldest <= upto) {
		retain_drop_oldest(&s->retain);
		s->stats.nak_gone++;
	}
}

/* Returns how many were sent, at most budget. */
static unsigned resend_range(struct sender *s, uint64_t first, uint64_t last, unsigned budget,
			     uint64_t now_us)
{
	unsigned sent = 0;

	for (uint64_t c = first; c <= last && sent < budget; c++) {
		struct retained *k = retain_get(&s->retain, c);

		if (k->resent_us != 0 && now_us - k->resent_us < NAK_LINGER_US)
			continue;
		if (is_stuck(s, k, now_us)) {
			give_up(s, c);
			continue;
		}
		k->resent_us = now_us;
		if (k->first_resent_us == 0)
			k->first_resent_us = now_us;
		s->stats.retransmits++;
		s->stats.retransmit_bytes += k->len;
		s->io.send(s->io.ctx, retain_bytes(&s->retain, k), k->len);
		sent++;
	}
	return sent;
}

void sender_on_nak(struct sender *s, const struct nak *n, uint64_t now_us)
{
	unsigned budget = RETRANSMITS_MAX;

	if (n->node != s->cfg.node || n->session != s->cfg.session)
		return;
	for (uint32_t i = 0; i < n->n && budget > 0; i++) {
		uint64_t first = n->missing[i].first, last = s->retain.last;

		if (n->missing[i].count == 0 || first == 0 || first > last)
			continue;
		if (n->missing[i].count - 1 < last - first)
			last = first + n->missing[i].count - 1;
		if (first < s->retain.oldest) {
			s->stats.nak_gone +=
				(last < s->retain.oldest ? last + 1 : s->retain.oldest) - first;
			first = s->retain.oldest;
		}
		budget -= resend_range(s, first, last, budget, now_us);
	}
}

/* ---- receivers and the window ------------------------------------------------------------ */

/* Datagrams that this receiver can take beyond the last sent, and that can be kept for it. */
static int64_t follower_room(const struct sender *s, const struct follower *f)
{
	int64_t room = (int64_t)(f->applied + f->window - s->retain.last);
	uint64_t first = f->applied + 1;
	int64_t keep_room, bytes_room;

	if (first > s->retain.last || first < s->retain.oldest)
		return room; /* needs nothing, or what it needs is gone: keeping more is no help */
	keep_room = (int64_t)(s->cfg.retain / 4 * 3) - (int64_t)(s->retain.last - f->applied);
	bytes_room =
		((int64_t)(s->retain.bytes / 4 * 3) - (int64_t)retain_since(&s->retain, first)) /
		(int64_t)s->datagram_max;
	if (keep_room < room)
		room = keep_room;
	return bytes_room < room ? bytes_room : room;
}

static void take_vote(struct sender *s, struct follower *f)
{
	f->vote = false;
	f->even_since_us = 0;
	f->debt_us = 0;
	f->losses++;
	s->stats.left_behind++;
}

/* Charges the time since the last call to those that hold others up. */
static void account(struct sender *s, uint64_t now_us)
{
	uint64_t dt = now_us - s->accounted_us;
	size_t free_voters = 0;

	if (s->accounted_us == 0 || now_us < s->accounted_us || dt > ACCOUNT_US)
		dt = 0;
	s->accounted_us = now_us;
	if (dt == 0)
		return;
	for (size_t i = 0; i < RECEIVERS_MAX; i++)
		if (s->follower[i].vote && follower_room(s, &s->follower[i]) > 0)
			free_voters++;
	for (size_t i = 0; i < RECEIVERS_MAX; i++) {
		struct follower *f = &s->follower[i];

		if (!f->vote)
			continue;
		if (free_voters > 0 && follower_room(s, f) <= 0)
			f->debt_us += dt;
		else
			f->debt_us -=
				f->debt_us < dt / DEBT_RECOVERY ? f->debt_us : dt / DEBT_RECOVERY;
		if (f->debt_us > s->cfg.stall_us)
			take_vote(s, f);
	}
}

static struct follower *follower_find(struct sender *s, uint16_t node, uint64_t session)
{
	for (size_t i = 0; i < RECEIVERS_MAX; i++) {
		struct follower *f = &s->follower[i];

		if (f->used && f->node == node && f->session == session)
			return f;
	}
	return NULL;
}

/* A free place, or that of the one without a vote that was silent longest. */
static struct follower *follower_place(struct sender *s)
{
	struct follower *oldest = NULL;

	for (size_t i = 0; i < RECEIVERS_MAX; i++) {
		struct follower *f = &s->follower[i];

		if (!f->used)
			return f;
		if (!f->vote && (!oldest || f->heard_us < oldest->heard_us))
			oldest = f;
	}
	return oldest;
}

static struct follower *follower_get(struct sender *s, uint16_t node, uint64_t session)
{
	struct follower *f = follower_find(s, node, session);

	if (f)
		return f;
	f = follower_place(s);
	if (f)
		*f = (struct follower){.used = true, .node = node, .session = session};
	return f;
}

/* Gives the vote to a newcomer that has room, and back to one that has kept up for long enough. */
static void consider_vote(const struct sender *s, struct follower *f, uint64_t now_us)
{
	unsigned shift = f->losses > EARN_SHIFT_MAX ? EARN_SHIFT_MAX : f->losses;
	uint64_t earn_us = EARN_US << (shift > 0 ? shift - 1 : 0);

	if (f->losses == 0) {
		f->vote = follower_room(s, f) > 0;
		return;
	}
	if (s->retain.last - f->applied > KEEPS_UP) {
		f->even_since_us = 0;
		return;
	}
	if (f->even_since_us == 0)
		f->even_since_us = now_us;
	f->vote = now_us - f->even_since_us >= earn_us;
}

void sender_on_status(struct sender *s, uint16_t node, uint64_t session, const struct status *st,
		      uint64_t now_us)
{
	struct follower *f;

	if (st->node != s->cfg.node || st->session != s->cfg.session ||
	    st->applied > s->retain.last || st->installed > s->retain.last)
		return;
	account(s, now_us);
	f = follower_get(s, node, session);
	if (!f)
		return;
	f->heard_us = now_us;
	if (st->applied < f->applied)
		return; /* overtaken on its way */
	f->applied = f->told = st->applied;
	f->installed = st->installed;
	f->window = st->window < REORDER_MAX ? st->window : REORDER_MAX;
	if (!f->vote)
		consider_vote(s, f, now_us);
}

void sender_on_position(struct sender *s, uint16_t node, uint64_t session, uint64_t applied,
			uint64_t now_us)
{
	struct follower *f = follower_find(s, node, session);

	if (applied > s->retain.last || (f && applied <= f->applied))
		return;
	account(s, now_us);
	f = f ? f : follower_get(s, node, session);
	if (!f)
		return;
	f->heard_us = now_us;
	f->applied = applied;
}

void sender_forget(struct sender *s, uint16_t node, uint64_t session)
{
	struct follower *f = follower_find(s, node, session);

	if (f)
		*f = (struct follower){0};
}

size_t sender_window(const struct sender *s, uint64_t now_us)
{
	int64_t window = WINDOW_ALONE;
	bool limited = false;

	(void)now_us;
	for (size_t i = 0; i < RECEIVERS_MAX; i++) {
		int64_t room;

		if (!s->follower[i].vote)
			continue;
		room = follower_room(s, &s->follower[i]);
		if (!limited || room < window)
			window = room;
		limited = true;
	}
	return window > 0 ? (size_t)window : 0;
}

uint64_t sender_installed_everywhere(const struct sender *s)
{
	uint64_t least = s->retain.last;

	for (size_t i = 0; i < RECEIVERS_MAX; i++)
		if (s->follower[i].vote && s->follower[i].installed < least)
			least = s->follower[i].installed;
	return least;
}

/* The counter that all receivers have applied, those left behind too. */
static uint64_t applied_everywhere(const struct sender *s)
{
	uint64_t least = s->retain.last;

	for (size_t i = 0; i < RECEIVERS_MAX; i++)
		if (s->follower[i].used && s->follower[i].applied < least)
			least = s->follower[i].applied;
	return least;
}

static size_t spare_bytes(const struct sender *s)
{
	return s->retain.bytes / 4 < SPARE_BYTES ? s->retain.bytes / 4 : SPARE_BYTES;
}

static void age(const struct sender *s, struct follower *f, uint64_t now_us)
{
	bool has_all = f->applied == s->retain.last;

	if (has_all && (f->told == f->applied || !f->vote))
		f->heard_us = now_us; /* it has nothing to tell */
	if (!f->used || now_us <= f->heard_us || now_us - f->heard_us <= PEER_DEAD_US)
		return;
	if (has_all)
		f->vote = false; /* its last status was lost: what it has installed is not known */
	else
		*f = (struct follower){0};
}

void sender_tick(struct sender *s, uint64_t now_us)
{
	account(s, now_us);
	retain_release(&s->retain, applied_everywhere(s), spare_bytes(s));
	for (size_t i = 0; i < RECEIVERS_MAX; i++)
		age(s, &s->follower[i], now_us);
}

const struct sender_stats *sender_stats(const struct sender *s)
{
	return &s->stats;
}
