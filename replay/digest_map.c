// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Positions and digests of flows; see digest_map.h. Linear probing from where a position stands in
 * hash space, without wrapping round: the flows of a range are next to each other. Used by
 * tables.c.
 */
#include "replay/digest_map.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { LINE_BITS = 2 /* entries of a cache line */ };
enum { BITS_FIRST = 10, TAIL = 256 /* room for what is crowded out at the end */ };

/* A map of more slots than this for each flow is only what a forger of positions would need. */
enum { SPARSE_MAX = 64 };

struct entry {
	uint64_t position; /* 0: free */
	uint64_t digest;
};

struct digest_map {
	struct entry *at;
	unsigned bits;
	uint64_t count, digest;
};

static size_t slots(unsigned bits)
{
	return ((size_t)1 << bits) + TAIL;
}

/* Mapped, so that it is zero and, being large, may be of large pages. */
static struct entry *map_slots(unsigned bits)
{
	size_t bytes = slots(bits) * sizeof(struct entry);
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

static void unmap_slots(struct entry *at, unsigned bits)
{
	if (at)
		(void)munmap(at, slots(bits) * sizeof(struct entry));
}

struct digest_map *digest_map_new(void)
{
	struct digest_map *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->bits = BITS_FIRST;
	m->at = map_slots(m->bits);
	if (!m->at) {
		free(m);
		return NULL;
	}
	return m;
}

void digest_map_free(struct digest_map *m)
{
	if (!m)
		return;
	unmap_slots(m->at, m->bits);
	free(m);
}

void digest_map_clear(struct digest_map *m)
{
	digest_map_del_range(m, (struct hash_range){0, 0});
}

static uint64_t home_of(const struct digest_map *m, uint64_t position)
{
	/* Its line's first: then what is near is in the same line. */
	return position >> (64 + LINE_BITS - m->bits) << LINE_BITS;
}

/* 0 marks what is free; a flow that stands there is put beside. */
static uint64_t name_of(uint64_t position)
{
	return position ? position : 1;
}

void digest_map_fetch(const struct digest_map *m, uint64_t position)
{
	__builtin_prefetch(&m->at[home_of(m, position)], 1);
}

/* The entry of a position, or the free one where it belongs; NULL: the tail is full. */
static struct entry *find(const struct digest_map *m, uint64_t position)
{
	struct entry *e = &m->at[home_of(m, position)], *end = m->at + slots(m->bits) - 1;

	for (; e < end; e++)
		if (e->position == position || e->position == 0)
			return e;
	return NULL;
}

/* Into a map of twice the size, or as often as it takes for the end not to be crowded. */
static int grow(struct digest_map *m)
{
	struct digest_map to = {.bits = m->bits};
	struct entry *e;

	for (;;) {
		if ((UINT64_C(1) << to.bits++) / SPARSE_MAX > m->count)
			return -ENOMEM;
		to.at = map_slots(to.bits);
		if (!to.at)
			return -ENOMEM;
		for (e = m->at; e < m->at + slots(m->bits); e++) {
			struct entry *free_one = e->position ? find(&to, e->position) : NULL;

			if (free_one)
				*free_one = *e;
			else if (e->position)
				break;
		}
		if (e == m->at + slots(m->bits))
			break;
		unmap_slots(to.at, to.bits);
	}
	unmap_slots(m->at, m->bits);
	m->at = to.at;
	m->bits = to.bits;
	return 0;
}

int digest_map_put(struct digest_map *m, uint64_t position, uint64_t digest)
{
	uint64_t name = name_of(position);
	struct entry *e = find(m, name);

	while (!e || (!e->position && m->count >= (uint64_t)1 << (m->bits - 1))) {
		int err = grow(m);

		if (err)
			return err;
		e = find(m, name);
	}
	m->count += !e->position;
	m->digest ^= e->digest ^ digest;
	*e = (struct entry){name, digest};
	return 0;
}

/* Takes an entry out; what was crowded out by it moves up. */
static void take_out(struct digest_map *m, struct entry *hole)
{
	struct entry *end = m->at + slots(m->bits) - 1;

	m->count--;
	m->digest ^= hole->digest;
	for (struct entry *e = hole + 1; e < end && e->position; e++) {
		if (&m->at[home_of(m, e->position)] > hole)
			continue;
		*hole = *e;
		hole = e;
	}
	*hole = (struct entry){0};
}

void digest_map_del(struct digest_map *m, uint64_t position)
{
	struct entry *e = find(m, name_of(position));

	if (e && e->position)
		take_out(m, e);
}

void digest_map_del_range(struct digest_map *m, struct hash_range r)
{
	uint64_t last = hash_range_last(r);
	struct entry *e = &m->at[home_of(m, r.lo)], *home = &m->at[home_of(m, last)];
	struct entry *end = m->at + slots(m->bits) - 1;

	while (e < end && (e <= home || e->position)) {
		if (e->position && hash_range_has(r, e->position))
			take_out(m, e); /* another may be here now */
		else
			e++;
	}
}

uint64_t digest_map_digest(const struct digest_map *m)
{
	return m->digest;
}

uint64_t digest_map_count(const struct digest_map *m)
{
	return m->count;
}
