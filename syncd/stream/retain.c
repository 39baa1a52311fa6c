/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See retain.h. A datagram's place is a number that only grows; memory stands behind the pieces
 * between the oldest one's and the next one's. A datagram never lies across two pieces.
 */
#include "syncd/stream/retain.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "proto/limits.h"

enum { PIECE = 128 * 1024 };

static_assert((int)PIECE >= (int)DATAGRAM_MAX, "a piece holds any datagram");

static void piece_free(uint8_t *piece)
{
	if (piece)
		(void)munmap(piece, PIECE);
}

/* Straight from the system and back to it: what is kept swells with each stall of a receiver. */
static uint8_t *piece_new(struct retain *r)
{
	uint8_t *piece = r->spare;
	void *p;

	r->spare = NULL;
	if (piece)
		return piece;
	p = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static uint8_t **piece_at(const struct retain *r, uint64_t place)
{
	return &r->piece[place / PIECE % r->pieces];
}

int retain_init(struct retain *r, size_t items, size_t bytes)
{
	*r = (struct retain){.items = items, .bytes = bytes, .oldest = 1};
	if (r->bytes < 2 * (size_t)DATAGRAM_MAX)
		r->bytes = 2 * (size_t)DATAGRAM_MAX;
	r->pieces = r->bytes / PIECE + 2; /* whose ends it may begin and end in */
	r->item = calloc(r->items, sizeof(*r->item));
	r->piece = calloc(r->pieces, sizeof(*r->piece));
	return r->item && r->piece ? 0 : -ENOMEM;
}

void retain_fini(struct retain *r)
{
	for (size_t i = 0; r->piece && i < r->pieces; i++)
		piece_free(r->piece[i]);
	piece_free(r->spare);
	free(r->piece);
	free(r->item);
	*r = (struct retain){0};
}

struct retained *retain_get(const struct retain *r, uint64_t counter)
{
	return &r->item[counter % r->items];
}

const uint8_t *retain_bytes(const struct retain *r, const struct retained *item)
{
	return *piece_at(r, item->at) + item->at % PIECE;
}

/* Where what is kept begins. */
static uint64_t begin(const struct retain *r)
{
	return r->oldest <= r->last ? retain_get(r, r->oldest)->at : r->end;
}

/* Gives up all before counter, and the pieces that nothing is left in. */
static void drop_before(struct retain *r, uint64_t counter)
{
	uint64_t piece = begin(r) / PIECE;

	r->oldest = counter;
	for (; piece < begin(r) / PIECE; piece++) {
		uint8_t **p = piece_at(r, piece * PIECE);

		piece_free(r->spare);
		r->spare = *p;
		*p = NULL;
	}
}

size_t retain_since(const struct retain *r, uint64_t counter)
{
	return (size_t)(r->end - retain_get(r, counter)->at);
}

static void make_room(struct retain *r, size_t len)
{
	uint64_t keep = r->oldest;

	while (keep <= r->last &&
	       (r->last - keep + 1 >= r->items || retain_since(r, keep) + len > r->bytes))
		keep++;
	drop_before(r, keep);
}

void retain_add(struct retain *r, const uint8_t *dgram, size_t len)
{
	struct retained *item;
	uint8_t **piece;

	if (r->end % PIECE + len > PIECE)
		r->end += PIECE - r->end % PIECE;
	make_room(r, len);
	piece = piece_at(r, r->end);
	if (!*piece)
		*piece = piece_new(r);
	if (!*piece) {
		drop_before(r, r->last + 1);
		r->oldest = ++r->last + 1;
		return;
	}
	r->last++;
	item = retain_get(r, r->last);
	*item = (struct retained){.at = r->end, .len = (uint32_t)len};
	memcpy(*piece + r->end % PIECE, dgram, len);
	r->end += len;
}

void retain_release(struct retain *r, uint64_t upto, size_t spare)
{
	uint64_t keep = r->oldest;

	while (keep < r->last && keep <= upto && retain_since(r, keep + 1) >= spare)
		keep++;
	if (keep != r->oldest)
		drop_before(r, keep);
}

void retain_drop_oldest(struct retain *r)
{
	drop_before(r, r->oldest + 1);
}
