// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Positions and digests of flows; see digest_map.h. Lines of memory in order of hash space: a flow
 * stands in the line of its position or, where that is full, in the first after it that is not,
 * without wrapping round. So the flows of a range are next to each other, and what is looked up is
 * nearly always in one line. Used by tables.c.
 */
#include "replay/digest_map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

enum {
	WAYS = 4,	/* entries of a line */
	BITS_FIRST = 8, /* lines, at first */
	TAIL = 64,	/* lines more, for what is crowded out at the end */
};

/* A map of more lines than this for each flow is only what a forger of positions would need. */
enum { SPARSE_MAX = 16 };

/*
 * Entries have names: their positions without the two lowest bits, which are set, so that 0 is free
 * (its digest is 0 too). The last one's lowest bit is clear while the line is full and something
 * that belongs here, or before, stands behind it.
 */
enum { NAME_BITS = 3, NOT_CROWDED = 1 };

struct line {
	uint64_t name[WAYS], digest[WAYS];
};
static_assert(sizeof(struct line) == 64, "a line of memory");

struct digest_map {
	struct line *at;
	unsigned bits;
	uint64_t count, digest;
	int err; /* of a put that found no room */
};

static size_t lines(unsigned bits)
{
	return ((size_t)1 << bits) + TAIL;
}

static size_t bytes_of(unsigned bits)
{
	const size_t large = 2 << 20, bytes = lines(bits) * sizeof(struct line);

	return bytes < large ? bytes : (bytes + large - 1) & ~(large - 1);
}

/* Mapped, so that it is zero and, being large, is of whole large pages. */
static struct line *map_lines(unsigned bits)
{
	size_t bytes = bytes_of(bits);
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

static void unmap_lines(struct line *at, unsigned bits)
{
	if (at)
		(void)munmap(at, bytes_of(bits));
}

struct digest_map *digest_map_new(void)
{
	struct digest_map *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->bits = BITS_FIRST;
	m->at = map_lines(m->bits);
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
	unmap_lines(m->at, m->bits);
	free(m);
}

static struct line *home_of(const struct digest_map *m, uint64_t position)
{
	return &m->at[position >> (64 - m->bits)];
}

static struct line *end_of(const struct digest_map *m)
{
	return m->at + lines(m->bits);
}

static uint64_t name_of(uint64_t position)
{
	return position | NAME_BITS;
}

static bool is_crowded(const struct line *l)
{
	return l->name[WAYS - 1] && !(l->name[WAYS - 1] & NOT_CROWDED);
}

static void set_crowded(struct line *l, bool crowded)
{
	if (crowded)
		l->name[WAYS - 1] &= ~(uint64_t)NOT_CROWDED;
	else if (l->name[WAYS - 1])
		l->name[WAYS - 1] |= NOT_CROWDED;
}

/* A bit for each of two that is this name. */
static inline unsigned which_of(const uint64_t *two, uint64_t name)
{
#ifdef __SSE2__
	__m128i halves = _mm_cmpeq_epi32(_mm_load_si128((const __m128i *)two),
					 _mm_set1_epi64x((long long)name));
	__m128i swapped = _mm_shuffle_epi32(halves, _MM_SHUFFLE(2, 3, 0, 1));

	return (unsigned)_mm_movemask_pd((__m128d)_mm_and_si128(halves, swapped));
#else
	return (unsigned)(two[0] == name) | (unsigned)(two[1] == name) << 1;
#endif
}

/* A bit for each entry of the line that has this name, without a jump that is hard to foretell. */
static inline unsigned ways_of(const struct line *l, uint64_t name)
{
	return which_of(l->name, name) | which_of(l->name + 2, name) << 2 |
	       (unsigned)(l->name[WAYS - 1] == (name & ~(uint64_t)NOT_CROWDED)) << (WAYS - 1);
}

static inline unsigned ways_free(const struct line *l)
{
	return which_of(l->name, 0) | which_of(l->name + 2, 0) << 2;
}

/* The line and the way where it stands, or is to be put; NULL: the tail is full. */
static inline struct line *find_or_place(const struct digest_map *m, uint64_t name, unsigned *way)
{
	struct line *end = end_of(m);

	for (struct line *l = home_of(m, name); l < end; l++) {
		unsigned here = ways_of(l, name), any = here ? here : ways_free(l);

		if (any) {
			*way = (unsigned)__builtin_ctz(any);
			return l;
		}
		set_crowded(l, true);
	}
	return NULL;
}

static inline struct line *find(const struct digest_map *m, uint64_t name, unsigned *way)
{
	struct line *l = home_of(m, name), *end = end_of(m);
	unsigned here;

	while (!(here = ways_of(l, name)))
		if (!is_crowded(l) || ++l == end)
			return NULL;
	*way = (unsigned)__builtin_ctz(here);
	return l;
}

/* False where the end of `to` is crowded. */
static bool copy_all(const struct digest_map *m, struct digest_map *to)
{
	for (const struct line *from = m->at; from < end_of(m); from++)
		for (unsigned i = 0; i < WAYS; i++) {
			struct line *l;
			unsigned way;

			if (!from->name[i])
				continue;
			l = find_or_place(to, name_of(from->name[i]), &way);
			if (!l)
				return false;
			l->name[way] = name_of(from->name[i]);
			l->digest[way] = from->digest[i];
		}
	return true;
}

/* Into a map of twice the size, or as often as it takes for the end not to be crowded. */
static int grow(struct digest_map *m)
{
	struct digest_map to = {.bits = m->bits};

	for (;;) {
		if ((UINT64_C(1) << to.bits++) / SPARSE_MAX > m->count)
			return -ENOMEM;
		to.at = map_lines(to.bits);
		if (!to.at)
			return -ENOMEM;
		if (copy_all(m, &to))
			break;
		unmap_lines(to.at, to.bits);
	}
	unmap_lines(m->at, m->bits);
	m->at = to.at;
	m->bits = to.bits;
	return 0;
}

/* Where it is to be put, in a map that has room; NULL without memory. */
static struct line *make_room(struct digest_map *m, uint64_t name, unsigned *way)
{
	struct line *l = NULL;

	while (!l && !(m->err = grow(m)))
		l = find_or_place(m, name, way);
	return l;
}

/* What several changes come to: the map's own sums would be stored, and waited for, each time. */
struct sums {
	uint64_t count, digest;
};

static inline void put(struct digest_map *m, struct sums *s, uint64_t name, uint64_t digest)
{
	unsigned way;
	struct line *l = find_or_place(m, name, &way);

	if (!l && !(l = make_room(m, name, &way)))
		return;
	s->count += !l->name[way];
	s->digest ^= l->digest[way] ^ digest;
	if (!l->name[way])
		l->name[way] = name;
	l->digest[way] = digest;
}

/* Moves what the line had crowded out to its free entry, and so on from where that stood. */
static void refill(const struct digest_map *m, struct line *hole, unsigned way)
{
	struct line *end = end_of(m);

	for (struct line *l = hole + 1; l < end; l++) {
		bool crowded = is_crowded(l);
		unsigned i = 0;

		while (i < WAYS && (!l->name[i] || home_of(m, l->name[i]) > hole))
			i++;
		if (i < WAYS) {
			hole->name[way] = name_of(l->name[i]);
			hole->digest[way] = l->digest[i];
			set_crowded(hole, true);
			l->name[i] = l->digest[i] = 0;
			hole = l;
			way = i;
		}
		if (!crowded)
			break;
	}
	set_crowded(hole, false);
}

static inline void take_out(const struct digest_map *m, struct sums *s, struct line *l,
			    unsigned way)
{
	bool crowded = is_crowded(l);

	s->count--;
	s->digest ^= l->digest[way];
	l->name[way] = l->digest[way] = 0;
	if (crowded)
		refill(m, l, way);
}

static inline void del(const struct digest_map *m, struct sums *s, uint64_t name)
{
	unsigned way;
	struct line *l = find(m, name, &way);

	if (l)
		take_out(m, s, l, way);
}

static void add_up(struct digest_map *m, const struct sums *s)
{
	m->count += s->count;
	m->digest ^= s->digest;
}

int digest_map_error(const struct digest_map *m)
{
	return m->err;
}

/* In turns: a processor that is told of many lines at once waits until it has some of them. */
void digest_map_change(struct digest_map *m, const struct digest_change *c, size_t n,
		       const struct digest_change *next, size_t next_n)
{
	struct sums s = {0, 0};

	/* Of all entries: with more of them in use many would be crowded out. */
	if ((m->count + n) >> (m->bits - 1) >= 3)
		m->err = grow(m);
	for (size_t i = 0; i < n || i < next_n; i++) {
		if (i < next_n)
			__builtin_prefetch(home_of(m, next[i].position), 1);
		if (i >= n)
			continue;
		if (c[i].put)
			put(m, &s, name_of(c[i].position), c[i].digest);
		else
			del(m, &s, name_of(c[i].position));
	}
	add_up(m, &s);
}

void digest_map_del_range(struct digest_map *m, struct hash_range r)
{
	/* Names tell no smaller ones apart. */
	struct hash_range by_name = {r.lo & ~(uint64_t)NAME_BITS, r.depth < 62 ? r.depth : 62};
	struct line *l, *home, *end;
	struct sums s = {0, 0};
	bool crowded;

	l = home_of(m, r.lo);
	home = home_of(m, hash_range_last(r));
	end = end_of(m);
	do {
		for (unsigned i = 0; i < WAYS; i++)
			while (l->name[i] && hash_range_has(by_name, l->name[i]))
				take_out(m, &s, l, i); /* another may be here now */
		crowded = is_crowded(l);
	} while (++l < end && (l <= home || crowded));
	add_up(m, &s);
}

void digest_map_clear(struct digest_map *m)
{
	digest_map_del_range(m, (struct hash_range){0, 0});
	m->err = 0;
}

uint64_t digest_map_digest(const struct digest_map *m)
{
	return m->digest;
}

uint64_t digest_map_count(const struct digest_map *m)
{
	return m->count;
}
