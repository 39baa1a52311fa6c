/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory of buckets: search, insertion, and a doubling that moves one bucket per insertion,
 * so that no single call pays for the whole table. There is no merging: a table that has shrunk
 * keeps its directory (three bytes a flow of its largest size) until table_clear.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "syncd/table/table_priv.h"

enum { BITS_MAX = 40 };

static_assert(BUCKET_MAX * sizeof(struct slot) <= SLAB_MAX, "a full bucket's slots fit a chunk");
static_assert(BUCKET_MAX % BUCKET_STEP == 0, "capacities are whole steps");

static size_t dir_bytes(unsigned bits)
{
	return sizeof(struct bucket) << bits;
}

void bucket_init(struct table *t)
{
	t->bits = 0;
	t->split = 0;
	t->first = (struct bucket){0};
	t->dir = &t->first;
	t->next = NULL;
}

static void dir_free(struct table *t)
{
	if (t->dir != &t->first)
		slab_unmap(t->dir, dir_bytes(t->bits));
}

void bucket_fini(struct table *t)
{
	dir_free(t);
	slab_unmap(t->next, dir_bytes(t->bits + 1));
	t->dir = t->next = NULL;
}

size_t bucket_bytes(const struct table *t)
{
	/* of the next directory only what has been touched */
	return (t->bits ? dir_bytes(t->bits) : 0) + 2 * t->split * sizeof(struct bucket);
}

struct bucket *bucket_of(const struct table *t, uint64_t hash, unsigned *depth)
{
	uint64_t i = t->bits ? hash >> (64 - t->bits) : 0;

	if (i < t->split) {
		*depth = t->bits + 1;
		return &t->next[hash >> (63 - t->bits)];
	}
	*depth = t->bits;
	return &t->dir[i];
}

unsigned bucket_lower(const struct bucket *b, uint64_t hash)
{
	unsigned i = 0;

	while (i < b->n && b->slot[i].hash < hash)
		i++;
	return i;
}

struct record *bucket_find(const struct table *t, uint64_t hash, const uint8_t *key, size_t len,
			   struct place *at)
{
	unsigned depth, i;
	struct bucket *b = bucket_of(t, hash, &depth);

	at->bucket = b;
	for (i = bucket_lower(b, hash); i < b->n && b->slot[i].hash == hash; i++) {
		const uint8_t *have;
		size_t have_len;

		record_key(b->slot[i].rec, &have, &have_len);
		if (have_len == len && memcmp(have, key, len) == 0) {
			at->i = i;
			return b->slot[i].rec;
		}
	}
	at->i = i;
	return NULL;
}

struct place bucket_place(const struct table *t, uint64_t hash, const struct record *rec)
{
	unsigned depth;
	struct bucket *b = bucket_of(t, hash, &depth);
	unsigned i = bucket_lower(b, hash);

	while (i < b->n && b->slot[i].rec != rec)
		i++;
	assert(i < b->n);
	return (struct place){b, i};
}

static struct slot *slots_take(struct table *t, unsigned cap)
{
	return slab_take(&t->slab, slab_class_of(cap * sizeof(struct slot)));
}

static void slots_give(struct table *t, struct slot *slot, unsigned cap)
{
	if (cap)
		slab_give(&t->slab, slab_class_of(cap * sizeof(struct slot)), slot);
}

static unsigned slots_cap(unsigned n)
{
	return (n + BUCKET_STEP - 1) / BUCKET_STEP * BUCKET_STEP;
}

/* Gives the bucket a capacity of cap >= n slots. Returns false without memory, unchanged. */
static bool bucket_resize(struct table *t, struct bucket *b, unsigned cap)
{
	struct slot *slot = NULL;

	if (cap) {
		slot = slots_take(t, cap);
		if (!slot)
			return false;
		if (b->n)
			memcpy(slot, b->slot, b->n * sizeof(*slot));
	}
	slots_give(t, b->slot, b->cap);
	b->slot = slot;
	b->cap = (uint8_t)cap;
	return true;
}

int bucket_insert(struct table *t, struct place at, uint64_t hash, struct record *rec)
{
	struct bucket *b = at.bucket;

	if (b->n == BUCKET_MAX)
		return -ENOSPC;
	if (b->n == b->cap && !bucket_resize(t, b, b->cap + BUCKET_STEP))
		return -ENOMEM;
	memmove(&b->slot[at.i + 1], &b->slot[at.i], (b->n - at.i) * sizeof(struct slot));
	b->slot[at.i] = (struct slot){hash, rec};
	b->n++;
	return 0;
}

void bucket_remove(struct table *t, struct place at)
{
	struct bucket *b = at.bucket;

	b->n--;
	memmove(&b->slot[at.i], &b->slot[at.i + 1], (b->n - at.i) * sizeof(struct slot));
	if (b->n == 0 || b->cap - b->n >= 2 * BUCKET_STEP)
		(void)bucket_resize(t, b, slots_cap(b->n));
}

void bucket_exchange(struct table *t, struct bucket *b, struct sent was, struct sent is)
{
	b->digest ^= was.digest ^ is.digest;
	b->sent = (uint8_t)(b->sent - was.counted + is.counted);
	t->digest ^= was.digest ^ is.digest;
	t->sent = t->sent - was.counted + is.counted;
}

/* Distributes a bucket over its two halves. Returns false without memory, nothing changed. */
static bool bucket_split(struct table *t, const struct bucket *b, struct bucket *half)
{
	uint64_t bit = UINT64_C(1) << (63 - t->bits);
	struct bucket low = {0}, high = {0};
	unsigned m = 0;

	while (m < b->n && !(b->slot[m].hash & bit))
		m++;
	low.n = (uint8_t)m;
	high.n = (uint8_t)(b->n - m);
	low.cap = (uint8_t)slots_cap(low.n);
	high.cap = (uint8_t)slots_cap(high.n);
	if (low.cap && !(low.slot = slots_take(t, low.cap)))
		return false;
	if (high.cap && !(high.slot = slots_take(t, high.cap))) {
		slots_give(t, low.slot, low.cap);
		return false;
	}
	if (low.n)
		memcpy(low.slot, b->slot, low.n * sizeof(struct slot));
	for (unsigned i = 0; i < high.n; i++) {
		struct sent sent = record_sent(t, b->slot[m + i].rec);

		high.slot[i] = b->slot[m + i];
		high.digest ^= sent.digest;
		high.sent = (uint8_t)(high.sent + sent.counted);
	}
	low.digest = b->digest ^ high.digest;
	low.sent = (uint8_t)(b->sent - high.sent);
	slots_give(t, b->slot, b->cap);
	half[0] = low;
	half[1] = high;
	return true;
}

/* Splits one more bucket, beginning a doubling where none is under way. Returns false without
 * memory. */
static bool grow_step(struct table *t)
{
	if (!t->next) {
		t->next = slab_map(dir_bytes(t->bits + 1));
		if (!t->next)
			return false;
	}
	if (!bucket_split(t, &t->dir[t->split], &t->next[2 * t->split]))
		return false;
	t->split++;
	if (t->split < UINT64_C(1) << t->bits)
		return true;
	dir_free(t);
	t->dir = t->next;
	t->next = NULL;
	t->split = 0;
	t->bits++;
	return true;
}

void bucket_grow(struct table *t)
{
	if (!t->next && (t->records <= (size_t)BUCKET_MEAN << t->bits || t->bits == BITS_MAX))
		return;
	(void)grow_step(t);
}

bool bucket_relieve(struct table *t, uint64_t hash)
{
	unsigned depth;

	while (bucket_of(t, hash, &depth)->n == BUCKET_MAX)
		if ((size_t)BUCKET_MEAN << t->bits >= 2 * t->max_flows || t->bits == BITS_MAX ||
		    !grow_step(t))
			return false;
	return true;
}

void bucket_walk_init(struct bucket_walk *w, struct hash_range r)
{
	*w = (struct bucket_walk){.at = r.lo, .last = hash_range_last(r)};
}

struct bucket *bucket_walk_next(const struct table *t, struct bucket_walk *w)
{
	struct bucket *b;
	unsigned depth;
	uint64_t last;

	if (w->done)
		return NULL;
	b = bucket_of(t, w->at, &depth);
	w->range.depth = (uint8_t)depth;
	w->range.lo = depth ? w->at & ~(UINT64_MAX >> depth) : 0;
	last = hash_range_last(w->range);
	w->done = last >= w->last;
	w->at = last + 1;
	return b;
}
