/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The active's side of repair in one group: at most WANTED_MAX ranges (some 130 KiB), each once
 * however many asked for it, in a queue that is served in turn, one datagram each. A range too
 * large for a datagram is streamed: a cursor runs over it in hash order, and round again as far as
 * somebody asked when it was already under way, so nothing is ever expanded in memory. What has
 * been answered is remembered for REPAIR_LINGER_US.
 *
 * Called by the engine, which decides how much of the wire repair gets. Knows the table only.
 */
#include "syncd/stream/repair.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	WANTED_MAX = 2048,
	INDEX_SIZE = 4096, /* heads of hash chains; a power of two */
	NONE = UINT16_MAX,
	FLOW_GUESS = 64, /* bytes; only where a first guess of a piece's depth begins */
};

/* How much of a range is still to be sent is counted in parts of 2^63. */
#define WHOLE (1ull << 63)

enum wanted_list { LIST_FREE, LIST_PENDING, LIST_ANSWERED, LISTS };

struct wanted {
	struct hash_range range;
	bool flows;
	uint8_t list;	/* enum wanted_list */
	uint8_t piece;	/* depth of the next piece to try */
	uint64_t next;	/* hash where it begins */
	uint64_t left;	/* of WHOLE */
	uint64_t at_us; /* when it was answered */
	uint16_t before, after, chain;
};

struct repair_server {
	uint16_t head[LISTS], tail[LISTS];
	uint16_t index[INDEX_SIZE];
	struct wanted wanted[WANTED_MAX];
};

/* ---- lists and index --------------------------------------------------------------------- */

static void list_append(struct repair_server *s, enum wanted_list list, uint16_t i)
{
	struct wanted *w = &s->wanted[i];

	w->list = (uint8_t)list;
	w->after = NONE;
	w->before = s->tail[list];
	if (w->before == NONE)
		s->head[list] = i;
	else
		s->wanted[w->before].after = i;
	s->tail[list] = i;
}

static void list_remove(struct repair_server *s, uint16_t i)
{
	struct wanted *w = &s->wanted[i];

	if (w->before == NONE)
		s->head[w->list] = w->after;
	else
		s->wanted[w->before].after = w->after;
	if (w->after == NONE)
		s->tail[w->list] = w->before;
	else
		s->wanted[w->after].before = w->before;
}

static uint16_t *index_head(struct repair_server *s, struct hash_range r, bool flows)
{
	uint64_t mixed = (r.lo ^ (r.depth * 2u + flows)) * 0x9e3779b97f4a7c15ull;

	return &s->index[mixed >> 32 & (INDEX_SIZE - 1)];
}

static uint16_t index_find(struct repair_server *s, struct hash_range r, bool flows)
{
	uint16_t i = *index_head(s, r, flows);

	while (i != NONE && !(s->wanted[i].range.lo == r.lo &&
			      s->wanted[i].range.depth == r.depth && s->wanted[i].flows == flows))
		i = s->wanted[i].chain;
	return i;
}

static void index_remove(struct repair_server *s, uint16_t i)
{
	uint16_t *at = index_head(s, s->wanted[i].range, s->wanted[i].flows);

	while (*at != i)
		at = &s->wanted[*at].chain;
	*at = s->wanted[i].chain;
}

void repair_server_clear(struct repair_server *s)
{
	for (size_t i = 0; i < LISTS; i++)
		s->head[i] = s->tail[i] = NONE;
	for (size_t i = 0; i < INDEX_SIZE; i++)
		s->index[i] = NONE;
	for (unsigned i = 0; i < WANTED_MAX; i++)
		list_append(s, LIST_FREE, (uint16_t)i);
}

struct repair_server *repair_server_new(void)
{
	struct repair_server *s = calloc(1, sizeof(*s));

	if (s)
		repair_server_clear(s);
	return s;
}

void repair_server_free(struct repair_server *s)
{
	free(s);
}

bool repair_server_pending(const struct repair_server *s)
{
	return s->head[LIST_PENDING] != NONE;
}

/* ---- what is asked ----------------------------------------------------------------------- */

static void pend(struct repair_server *s, uint16_t i)
{
	struct wanted *w = &s->wanted[i];

	w->next = w->range.lo;
	w->left = WHOLE;
	w->piece = 0;
	list_append(s, LIST_PENDING, i);
}

/* A free place, or the one answered longest ago. */
static uint16_t take_place(struct repair_server *s)
{
	uint16_t i = s->head[LIST_FREE];

	if (i == NONE) {
		i = s->head[LIST_ANSWERED];
		if (i == NONE)
			return NONE;
		index_remove(s, i);
	}
	list_remove(s, i);
	return i;
}

static void want(struct repair_server *s, struct hash_range r, bool flows, uint64_t now_us)
{
	uint16_t i = index_find(s, r, flows), *head;
	struct wanted *w;

	if (i != NONE) {
		w = &s->wanted[i];
		if (w->list == LIST_PENDING) {
			/* Under way: who asks only now has missed the beginning. */
			w->left = WHOLE;
		} else if (now_us - w->at_us >= REPAIR_LINGER_US) {
			list_remove(s, i);
			pend(s, i);
		}
		return;
	}
	i = take_place(s);
	if (i == NONE)
		return;
	w = &s->wanted[i];
	*w = (struct wanted){.range = r, .flows = flows};
	head = index_head(s, r, flows);
	w->chain = *head;
	*head = i;
	pend(s, i);
}

void repair_server_on_request(struct repair_server *s, const struct repair_request *req,
			      uint64_t now_us)
{
	for (uint32_t i = 0; i < req->n && i < REPAIR_RANGES_MAX; i++) {
		struct hash_range r = req->range[i].range;

		if (r.depth > 64 || (r.depth < 64 && r.lo << r.depth != 0))
			continue;
		/* A single hash has no sub-ranges. */
		want(s, r, req->range[i].flows || r.depth == 64, now_us);
	}
}

/* ---- answering --------------------------------------------------------------------------- */

static void answered(struct repair_server *s, uint16_t i, uint64_t now_us)
{
	list_remove(s, i);
	s->wanted[i].at_us = now_us;
	list_append(s, LIST_ANSWERED, i);
}

/*
 * As many sub-ranges as bring their flows down to a leaf's, and no more: each digest costs as much
 * as a fifth of a flow. XORs of neighbours are the digests of their common range.
 */
static bool add_digests(const struct table *t, struct hash_range r, struct data_writer *w)
{
	unsigned finest = 64 - r.depth < REPAIR_FANOUT_BITS ? 64u - r.depth : REPAIR_FANOUT_BITS;
	uint64_t digest[REPAIR_FANOUT], count;
	unsigned bits = 1;

	table_range_split(t, r, finest, digest, &count);
	while (bits < finest && count >> bits > REPAIR_LEAF_FLOWS)
		bits++;
	for (size_t i = 0; i < (size_t)1 << bits; i++) {
		size_t per = (size_t)1 << (finest - bits);
		uint64_t sum = 0;

		for (size_t k = 0; k < per; k++)
			sum ^= digest[i * per + k];
		digest[i] = sum;
	}
	return data_add_digests(w, r, count, digest, (size_t)1 << bits);
}

static bool pack_digests(struct repair_server *s, const struct table *t, struct data_writer *w,
			 uint64_t now_us)
{
	bool any = false;
	uint16_t i;

	while ((i = s->head[LIST_PENDING]) != NONE && !s->wanted[i].flows &&
	       add_digests(t, s->wanted[i].range, w)) {
		answered(s, i, now_us);
		any = true;
	}
	return any;
}

static int add_flow(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	(void)hash;
	return data_add_put(ctx, flow, len) ? 0 : 1;
}

/* Adds the range and all its flows, or nothing. */
static bool add_piece(const struct table *t, struct hash_range piece, struct data_writer *w)
{
	const size_t before = w->len;

	if (data_add_range(w, piece) && table_walk(t, piece, add_flow, w) == 0)
		return true;
	w->len = before;
	return false;
}

/* Depth of the largest aligned range that begins where the cursor stands. */
static uint8_t coarsest(const struct wanted *w)
{
	unsigned depth = w->next == 0 ? 0 : 64u - (unsigned)__builtin_ctzll(w->next);

	return depth > w->range.depth ? (uint8_t)depth : w->range.depth;
}

static uint8_t guess_depth(const struct wanted *w, const struct table *t, size_t room)
{
	uint64_t flows = table_count(t), fit = room / FLOW_GUESS + 1;
	uint8_t depth = w->range.depth;

	while (depth < 64 && flows >> depth > fit)
		depth++;
	return depth;
}

static void advance(struct repair_server *s, uint16_t i, struct hash_range piece, uint64_t now_us)
{
	struct wanted *w = &s->wanted[i];
	unsigned deeper = piece.depth - w->range.depth;
	uint64_t last = hash_range_last(piece), part = deeper < 64 ? WHOLE >> deeper : 1;

	w->left -= part < w->left ? part : w->left;
	if (w->left == 0) {
		answered(s, i, now_us);
		return;
	}
	w->next = last == hash_range_last(w->range) ? w->range.lo : last + 1;
	list_remove(s, i);
	list_append(s, LIST_PENDING, i);
}

static bool pack_piece(struct repair_server *s, uint16_t i, struct table *t, struct data_writer *w,
		       uint64_t now_us)
{
	struct wanted *wanted = &s->wanted[i];
	const size_t room = w->cap - w->len, before = w->len;
	struct hash_range piece = {.lo = wanted->next, .depth = wanted->piece};

	if (piece.depth == 0)
		piece.depth = guess_depth(wanted, t, room);
	if (piece.depth < coarsest(wanted))
		piece.depth = coarsest(wanted);
	while (!add_piece(t, piece, w)) {
		if (piece.depth == 64) {
			list_remove(s, i);
			list_append(s, LIST_PENDING, i);
			return false;
		}
		piece.depth++;
	}
	table_range_sent(t, piece);
	/* Where less than half was filled, the next one may well be twice as large. */
	wanted->piece = piece.depth;
	if (2 * (w->len - before) < room && piece.depth > 0)
		wanted->piece--;
	advance(s, i, piece, now_us);
	return true;
}

bool repair_server_pack(struct repair_server *s, struct table *t, struct data_writer *w,
			uint64_t now_us)
{
	uint16_t i = s->head[LIST_PENDING];

	if (i == NONE)
		return false;
	if (s->wanted[i].flows)
		return pack_piece(s, i, t, w, now_us);
	return pack_digests(s, t, w, now_us);
}
