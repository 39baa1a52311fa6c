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

static_assert(BUCKET_MAX * sizeof(uint64_t) <= SLAB_MAX, "a full bucket's slots fit a chunk");
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

struct record *bucket_find(const struct table *t, uint64_t hash, const uint8_t *key, size_t len,
			   struct place *at)
{
	unsigned depth;
	struct bucket *b = bucket_of(t, hash, &depth);

	at->bucket = b;
	for (at->i = 0; at->i < b->n; at->i++) {
		struct record *rec = place_record(*at);
		const uint8_t *have;
		size_t have_len;

		if (!slot_may_be(b->slot[at->i], hash) || rec->hash != hash)
			continue;
		record_key(rec, &have, &have_len);
		if (have_len == len && memcmp(have, key, len) == 0)
			return rec;
	}
	return NULL;
}

struct place bucket_place(const struct table *t, const struct record *rec)
{
	unsigned depth;
	struct place at = {bucket_of(t, rec->hash, &depth), 0};

	while (at.i < at.bucket->n && place_record(at) != rec)
		at.i++;
	assert(at.i < at.bucket->n);
	return at;
}

/* Starts fetching the bucket's records all at once: they are spread over memory. */
static void bucket_prefetch(const struct bucket *b)
{
	for (unsigned i = 0; i < b->n; i++)
		__builtin_prefetch(slot_record(b->slot[i]));
}

unsigned bucket_sort(const struct bucket *b, struct hash_range r, struct record *out[BUCKET_MAX])
{
	unsigned n = 0;

	bucket_prefetch(b);
	for (unsigned i = 0; i < b->n; i++) {
		struct record *rec = slot_record(b->slot[i]);
		unsigned j;

		if (!hash_range_has(r, rec->hash))
			continue;
		for (j = n++; j > 0 && out[j - 1]->hash > rec->hash; j--)
			out[j] = out[j - 1];
		out[j] = rec;
	}
	return n;
}

static uint64_t *slots_take(struct table *t, unsigned cap)
{
	return slab_take(&t->slab, slab_class_of(cap * sizeof(uint64_t)));
}

static void slots_give(struct table *t, uint64_t *slot, unsigned cap)
{
	if (cap)
		slab_give(&t->slab, slab_class_of(cap * sizeof(uint64_t)), slot);
}

static unsigned slots_cap(unsigned n)
{
	return (n + BUCKET_STEP - 1) / BUCKET_STEP * BUCKET_STEP;
}

/* Gives the bucket a capacity of cap >= n slots. Returns false without memory, unchanged. */
static bool bucket_resize(struct table *t, struct bucket *b, unsigned cap)
{
	uint64_t *slot = NULL;

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

void bucket_remove(struct table *t, struct place at)
{
	struct bucket *b = at.bucket;

	b->slot[at.i] = b->slot[--b->n];
	if (b->n == 0 || b->cap - b->n >= 2 * BUCKET_STEP)
		(void)bucket_resize(t, b, slots_cap(b->n));
}

void bucket_settle(struct table *t, struct bucket *b, struct record *rec)
{
	bool was = rec->flags & REC_SENT, is = !(rec->flags & REC_TOMBSTONE);
	uint64_t digest = is ? digest_content(t->key, rec->bytes, rec->len) : 0;

	b->digest ^= rec->digest ^ digest;
	b->sent = (uint8_t)(b->sent - was + is);
	t->digest ^= rec->digest ^ digest;
	t->sent = t->sent - was + is;
	rec->digest = digest;
	rec->flags = (uint8_t)(is ? rec->flags | REC_SENT : rec->flags & ~REC_SENT);
}

static void half_add(struct bucket *half, const struct record *rec)
{
	assert(half->n < half->cap && half->slot);
	half->slot[half->n++] = slot_make(rec);
	half->digest ^= rec->digest;
	half->sent = (uint8_t)(half->sent + !!(rec->flags & REC_SENT));
}

/* Distributes a bucket over its two halves. Returns false without memory, nothing changed. */
static bool bucket_split(struct table *t, const struct bucket *b, struct bucket *half)
{
	unsigned shift = 63 - t->bits, n[2] = {0};
	struct bucket out[2] = {0};

	bucket_prefetch(b);
	for (unsigned i = 0; i < b->n; i++)
		n[slot_record(b->slot[i])->hash >> shift & 1]++;
	for (unsigned h = 0; h < 2; h++) {
		out[h].cap = (uint8_t)slots_cap(n[h]);
		if (out[h].cap && !(out[h].slot = slots_take(t, out[h].cap))) {
			slots_give(t, out[0].slot, h ? out[0].cap : 0);
			return false;
		}
	}
	for (unsigned i = 0; i < b->n; i++) {
		const struct record *rec = slot_record(b->slot[i]);

		half_add(&out[rec->hash >> shift & 1], rec);
	}
	slots_give(t, b->slot, b->cap);
	half[0] = out[0];
	half[1] = out[1];
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

/*
 * Doubles the directory until the bucket of this hash has room: flows that come in hash order (to a
 * joiner, from a state file) crowd one corner long before the table as a whole is due to grow. As
 * far as max_flows justifies; false beyond it, or without memory.
 */
static bool bucket_relieve(struct table *t, uint64_t hash)
{
	unsigned depth;

	while (bucket_of(t, hash, &depth)->n == BUCKET_MAX)
		if ((size_t)BUCKET_MEAN << t->bits >= 2 * t->max_flows || t->bits == BITS_MAX ||
		    !grow_step(t))
			return false;
	return true;
}

int bucket_insert(struct table *t, const struct record *rec, struct place *at)
{
	unsigned depth;
	struct bucket *b = bucket_of(t, rec->hash, &depth);

	if (b->n == BUCKET_MAX) {
		if (!bucket_relieve(t, rec->hash))
			return -ENOSPC;
		b = bucket_of(t, rec->hash, &depth);
	}
	if (b->n == b->cap && !bucket_resize(t, b, b->cap + BUCKET_STEP))
		return -ENOMEM;
	assert(b->n < b->cap && b->slot);
	*at = (struct place){b, b->n};
	b->slot[b->n++] = slot_make(rec);
	return 0;
}

void table_reserve(struct table *t, size_t flows)
{
	struct bucket *dir;
	unsigned bits = 0;

	if (flows > t->max_flows)
		flows = t->max_flows;
	while ((size_t)BUCKET_MEAN << bits < flows && bits < BITS_MAX)
		bits++;
	if (t->records || bits <= t->bits)
		return;
	dir = slab_map(dir_bytes(bits));
	if (!dir)
		return;
	bucket_fini(t);
	bucket_init(t);
	t->dir = dir;
	t->bits = bits;
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
