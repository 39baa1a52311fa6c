/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table's queues (ring.h). Holes are closed when the ring is full and mostly holes, so a
 * stalled reader cannot make it grow beyond twice what it holds.
 */
#include "syncd/table/ring.h"

#include <assert.h>

#include "syncd/table/slab.h"
#include "syncd/table/table_priv.h"

enum {
	RING_MIN = 256,
	RING_KEEP = 16384, /* an empty ring larger than this is given back */
	RING_CAP_MAX = 1u << 31,
};

static size_t ring_bytes(uint32_t cap)
{
	return (size_t)cap * sizeof(struct record *);
}

/* Copies what is used into dst, closing the holes; places start anew at 0. */
static void ring_pack(struct ring *r, struct record **dst)
{
	uint32_t n = 0;

	for (uint32_t place = r->head; place != r->tail; place++) {
		struct record *rec = r->entry[place & (r->cap - 1)];

		if (!rec)
			continue;
		rec->place[r->which] = n;
		dst[n++] = rec;
	}
	r->head = 0;
	r->tail = n;
}

bool ring_reserve(struct ring *r, size_t more)
{
	uint32_t cap = r->cap ? r->cap : RING_MIN;
	struct record **entry;

	if ((size_t)(r->tail - r->head) + more <= r->cap)
		return true;
	while ((size_t)r->used + more > cap / 4 * 3) {
		if (cap == RING_CAP_MAX)
			return false;
		cap *= 2;
	}
	entry = slab_map(ring_bytes(cap));
	if (!entry)
		return false;
	ring_pack(r, entry);
	slab_unmap(r->entry, ring_bytes(r->cap));
	r->entry = entry;
	r->cap = cap;
	return true;
}

void ring_push(struct ring *r, struct record *rec)
{
	assert(r->tail - r->head < r->cap);
	rec->place[r->which] = r->tail;
	r->entry[r->tail++ & (r->cap - 1)] = rec;
	r->used++;
}

void ring_replace(struct ring *r, const struct record *rec, struct record *moved)
{
	struct record **entry = &r->entry[rec->place[r->which] & (r->cap - 1)];

	assert(*entry == rec);
	*entry = moved;
}

void ring_remove(struct ring *r, const struct record *rec)
{
	uint32_t mask = r->cap - 1;

	ring_replace(r, rec, NULL);
	r->used--;
	while (r->head != r->tail && !r->entry[r->head & mask])
		r->head++;
	while (r->head != r->tail && !r->entry[(r->tail - 1) & mask])
		r->tail--;
	if (r->used == 0 && r->cap > RING_KEEP)
		ring_fini(r);
}

struct record *ring_head(const struct ring *r)
{
	return r->used ? r->entry[r->head & (r->cap - 1)] : NULL;
}

void ring_fini(struct ring *r)
{
	slab_unmap(r->entry, ring_bytes(r->cap));
	*r = (struct ring){.which = r->which};
}
