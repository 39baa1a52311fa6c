/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranges of hash space, for repair: digests as sent at any depth, and the two ends of a
 * range-complete datagram. Whole buckets answer from their sums; a range finer than a bucket, or
 * its ragged end, from the flows in it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/table/table_priv.h"

/* Which of the 2^bits parts of r a hash in r falls into. */
static size_t range_part(struct hash_range r, unsigned bits, uint64_t hash)
{
	return bits ? (size_t)(hash << r.depth >> (64 - bits)) : 0;
}

void table_range_split(const struct table *t, struct hash_range r, unsigned bits, uint64_t *digest,
		       uint64_t *count)
{
	unsigned depth = r.depth + bits;
	struct bucket_walk w;
	const struct bucket *b;
	uint64_t n = 0;

	assert(depth <= 64);
	memset(digest, 0, sizeof(*digest) << bits);
	bucket_walk_init(&w, r);
	while ((b = bucket_walk_next(t, &w))) {
		if (w.range.depth >= depth) {
			digest[range_part(r, bits, w.range.lo)] ^= b->digest;
			n += b->sent;
			continue;
		}
		for (unsigned i = 0; i < b->n; i++) {
			const struct record *rec = slot_record(b->slot[i]);

			if (!hash_range_has(r, rec->hash))
				continue;
			digest[range_part(r, bits, rec->hash)] ^= rec->digest;
			n += !!(rec->flags & REC_SENT);
		}
	}
	*count = n;
}

void table_range_digest(const struct table *t, struct hash_range r, uint64_t *digest,
			uint64_t *count)
{
	if (r.depth == 0) {
		*digest = t->digest;
		*count = t->sent;
		return;
	}
	table_range_split(t, r, 0, digest, count);
}

int table_walk_if(const struct table *t, struct hash_range r, record_takes_fn *takes, unsigned arg,
		  table_walk_fn *fn, void *ctx)
{
	struct bucket_walk w;
	const struct bucket *b;
	struct record *rec[BUCKET_MAX];
	int stop = 0;

	bucket_walk_init(&w, r);
	while (!stop && (b = bucket_walk_next(t, &w))) {
		unsigned n = bucket_sort(b, r, rec);

		for (unsigned i = 0; !stop && i < n; i++)
			if (!(rec[i]->flags & REC_TOMBSTONE) && (!takes || takes(t, rec[i], arg)))
				stop = fn(ctx, rec[i]->hash, rec[i]->bytes, rec[i]->len);
	}
	return stop;
}

int table_walk(const struct table *t, struct hash_range r, table_walk_fn *fn, void *ctx)
{
	return table_walk_if(t, r, NULL, 0, fn, ctx);
}

static int add_size(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	size_t *size = ctx;

	(void)hash;
	(void)flow;
	*size += data_put_size(len);
	return *size > DATAGRAM_MAX;
}

size_t table_range_size(const struct table *t, struct hash_range r)
{
	size_t size = 0;

	(void)table_walk(t, r, add_size, &size);
	return size;
}

void table_range_sent(struct table *t, struct hash_range r)
{
	struct bucket_walk w;
	struct bucket *b;

	bucket_walk_init(&w, r);
	while ((b = bucket_walk_next(t, &w)))
		for (unsigned i = b->n; i-- > 0;) {
			struct record *rec = slot_record(b->slot[i]);

			if (!hash_range_has(r, rec->hash))
				continue;
			queue_settle(t, b, rec);
			hold_release(t, (struct place){b, i});
		}
}

/* True where the record's flow was sent as it is, so that its digest is that of its bytes. */
static bool is_as_sent(const struct record *rec)
{
	return (rec->flags & (REC_SENT | REC_WIRE | REC_TOMBSTONE)) == REC_SENT;
}

size_t table_recheck(struct table *t, struct hash_range r,
		     void (*on_damaged)(void *ctx, const uint8_t *flow, size_t len), void *ctx)
{
	struct bucket_walk w;
	struct bucket *b;
	size_t n = 0;

	bucket_walk_init(&w, r);
	while ((b = bucket_walk_next(t, &w)))
		for (unsigned i = 0; i < b->n; i++) {
			struct record *rec = slot_record(b->slot[i]);

			if (!hash_range_has(r, rec->hash) || !is_as_sent(rec))
				continue;
			n++;
			if (digest_content(t->key, rec->bytes, rec->len) == rec->digest)
				continue;
			on_damaged(ctx, rec->bytes, rec->len);
			bucket_settle(t, b, rec);
		}
	return n;
}

static int keep_compare(const void *a, const void *b)
{
	uint64_t x = ((const struct keep_item *)a)->hash, y = ((const struct keep_item *)b)->hash;

	return (x > y) - (x < y);
}

/* Fills the scratch with keep sorted by hash. Returns false without memory. */
static bool keep_sort(struct table *t, const struct table_slice *keep, size_t n)
{
	if (t->scratch_cap < n) {
		struct keep_item *item = realloc(t->scratch, n * sizeof(*item));

		if (!item)
			return false;
		t->scratch = item;
		t->scratch_cap = n;
	}
	for (size_t i = 0; i < n; i++)
		t->scratch[i] = (struct keep_item){
			digest_position(t->key, keep[i].bytes, keep[i].len), keep[i]};
	if (n)
		qsort(t->scratch, n, sizeof(*t->scratch), keep_compare);
	return true;
}

static bool keep_has(const struct table *t, size_t n, const struct record *rec)
{
	size_t low = 0, high = n, len;
	const uint8_t *key;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->scratch[mid].hash < rec->hash)
			low = mid + 1;
		else
			high = mid;
	}
	record_key(rec, &key, &len);
	for (; low < n && t->scratch[low].hash == rec->hash; low++)
		if (t->scratch[low].key.len == len &&
		    memcmp(t->scratch[low].key.bytes, key, len) == 0)
			return true;
	return false;
}

/* One slot of a range that the peer has listed whole. Returns 1 where its flow was removed. */
static size_t keep_judge(struct table *t, struct place at, size_t n)
{
	struct record *rec = place_record(at);

	if (hold_has(t, rec))
		return 0;
	if (rec->flags & REC_TOMBSTONE) {
		queue_settle(t, at.bucket, rec);
		hold_release(t, at);
		return 0;
	}
	if (keep_has(t, n, rec) || !queue_reserve(t, TABLE_KERNEL))
		return 0;
	table_del_at(t, at, TABLE_KERNEL);
	return 1;
}

size_t table_range_keep(struct table *t, struct hash_range r, const struct table_slice *keep,
			size_t n)
{
	struct bucket_walk w;
	struct bucket *b;
	size_t removed = 0;

	if (!keep_sort(t, keep, n))
		return 0;
	bucket_walk_init(&w, r);
	while ((b = bucket_walk_next(t, &w)))
		for (unsigned i = b->n; i-- > 0;)
			if (hash_range_has(r, slot_record(b->slot[i])->hash))
				removed += keep_judge(t, (struct place){b, i}, n);
	return removed;
}
