/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of one group (table.h): put, delete, look up. Where things stand is bucket.c's matter,
 * what waits for whom queue.c's, what is remembered for a while hold.c's, ranges range.c's.
 */
#include "syncd/table/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "syncd/table/table_priv.h"

enum { PURGE_STEP = 4 /* graves opened a call: more than one call can make */ };

struct table *table_new(const struct digest_key *key, size_t max_flows)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->key = key;
	t->max_flows = max_flows;
	t->seen = 1;
	t->ring[KERNEL].which = KERNEL;
	bucket_init(t);
	return t;
}

static void table_fini(struct table *t)
{
	for (unsigned which = 0; which < RINGS; which++)
		ring_fini(&t->ring[which]);
	bucket_fini(t);
	slab_clear(&t->slab);
	free(t->grave);
	free(t->scratch);
}

void table_free(struct table *t)
{
	if (!t)
		return;
	table_fini(t);
	free(t);
}

void table_clear(struct table *t)
{
	table_fini(t);
	bucket_init(t);
	t->live = t->records = t->sent = t->later = 0;
	t->digest = 0;
	t->grave = NULL;
	t->graves = t->grave_cap = 0;
	t->ahead.head = t->ahead.slots = t->ahead.records = t->ahead.tail;
	t->scratch = NULL;
	t->scratch_cap = 0;
}

size_t table_count(const struct table *t)
{
	return t->live;
}

size_t table_count_sent(const struct table *t)
{
	return t->sent;
}

uint64_t table_coalesced(const struct table *t)
{
	return t->coalesced;
}

size_t table_bytes(const struct table *t)
{
	size_t bytes = sizeof(*t) + t->slab.cut_bytes + bucket_bytes(t) +
		       t->grave_cap * sizeof(*t->grave) + t->scratch_cap * sizeof(*t->scratch);

	for (unsigned which = 0; which < RINGS; which++)
		bytes += t->ring[which].cap * sizeof(struct record *);
	return bytes;
}

size_t table_graves(const struct table *t)
{
	return t->graves;
}

bool table_get(const struct table *t, const uint8_t *key, size_t key_len, const uint8_t **flow,
	       size_t *len)
{
	struct place at;
	const struct record *rec =
		bucket_find(t, ahead_position(t, key, key_len), key, key_len, &at);

	if (!rec || rec->flags & REC_TOMBSTONE)
		return false;
	*flow = rec->bytes;
	*len = rec->len;
	return true;
}

/* What the record says is ours to send. Room in the queue has been reserved. */
static void to_be_sent(struct table *t, struct record *rec)
{
	if (!(rec->flags & REC_WIRE)) {
		queue_push(t, rec, WIRE);
		return;
	}
	t->coalesced++;
	if (rec->flags & REC_SENT && !(rec->flags & REC_TOMBSTONE) &&
	    digest_content(t->key, rec->bytes, rec->len) == rec->digest)
		queue_drop(t, rec, WIRE); /* back to what the others have */
}

/* The record has been changed here. */
static void changed_here(struct table *t, struct record *rec)
{
	queue_not_later(t, rec); /* it is the kernel that says so */
	hold_touch(t, rec);
	to_be_sent(t, rec);
}

/* The record has been received, or loaded: its digest is exchanged at once. */
static void changed_there(struct table *t, struct bucket *b, struct record *rec,
			  enum table_queue queue)
{
	if (rec->flags & REC_WIRE)
		queue_drop(t, rec, WIRE);
	bucket_settle(t, b, rec);
	if (queue == TABLE_KERNEL)
		queue_push(t, rec, KERNEL);
	else if (queue == TABLE_LATER && rec->flags & REC_KERNEL)
		queue_drop(t, rec, KERNEL); /* whatever it was to be told is old */
}

static void changed(struct table *t, struct bucket *b, struct record *rec, enum table_queue queue)
{
	switch (queue) {
	case TABLE_WIRE:
		changed_here(t, rec);
		break;
	case TABLE_BOTH:
		to_be_sent(t, rec);
		queue_push(t, rec, KERNEL);
		break;
	case TABLE_NONE:
	case TABLE_LATER:
	case TABLE_KERNEL:
		changed_there(t, b, rec, queue);
		break;
	}
}

static int put_over(struct table *t, struct place at, const uint8_t *flow, size_t len,
		    enum table_queue queue)
{
	uint64_t *slot = &at.bucket->slot[at.i];
	struct record *rec = slot_record(*slot);
	bool dead = rec->flags & REC_TOMBSTONE;

	if (!dead && rec->len == len && memcmp(rec->bytes, flow, len) == 0) {
		bits_on_put(t, rec);
		if (queue == TABLE_WIRE) {
			hold_touch(t, rec); /* confirmed, so newer than any older news */
			queue_not_later(t, rec);
		} else if (queue != TABLE_BOTH) {
			queue_settle(t, at.bucket, rec);
		}
		return 0;
	}
	if (dead && t->live >= t->max_flows)
		return -ENOSPC;
	if (!queue_reserve(t, queue))
		return -ENOMEM;
	if (!record_set(t, slot, flow, len))
		return -ENOMEM;
	rec = slot_record(*slot);
	rec->flags &= (uint8_t)~REC_TOMBSTONE;
	bits_on_put(t, rec);
	t->live += dead;
	if (dead && queue == TABLE_LATER && !(rec->flags & REC_KERNEL))
		queue_later(t, rec); /* otherwise the kernel has not been told of its end */
	changed(t, at.bucket, rec, queue);
	return 1;
}

/* Tombstones count too, at twice the cap: churn behind a stalled queue must not grow for ever. */
static bool records_full(const struct table *t)
{
	return t->records / 2 >= t->max_flows;
}

/* A new record. Returns its place in *at; 0, -ENOSPC or -ENOMEM. */
static int add_record(struct table *t, uint64_t hash, const uint8_t *bytes, size_t len,
		      struct place *at)
{
	struct record *rec;
	int err;

	if (records_full(t))
		return -ENOSPC;
	rec = record_new(t, hash, bytes, len);
	if (!rec)
		return -ENOMEM;
	err = bucket_insert(t, rec, at);
	if (err)
		record_free(t, rec);
	return err;
}

static int put_new(struct table *t, uint64_t hash, const uint8_t *flow, size_t len,
		   enum table_queue queue)
{
	struct record *rec;
	struct place at;
	int err;

	if (t->live >= t->max_flows)
		return -ENOSPC;
	if (!queue_reserve(t, queue))
		return -ENOMEM;
	err = add_record(t, hash, flow, len, &at);
	if (err)
		return err;
	rec = place_record(at);
	t->live++;
	bits_on_put(t, rec);
	if (queue == TABLE_LATER)
		queue_later(t, rec);
	changed(t, at.bucket, rec, queue);
	bucket_grow(t);
	return 1;
}

int table_put(struct table *t, const uint8_t *flow, size_t len, enum table_queue queue)
{
	const uint8_t *key;
	size_t key_len;
	struct place at;
	uint64_t hash;

	if (len > FLOW_MAX)
		return -EMSGSIZE;
	if (flow_key_slice(flow, len, &key, &key_len))
		return -EBADMSG;
	hold_purge(t, records_full(t) ? SIZE_MAX : PURGE_STEP);
	hash = ahead_take(t, key, key_len);
	if (bucket_find(t, hash, key, key_len, &at))
		return put_over(t, at, flow, len, queue);
	return put_new(t, hash, flow, len, queue);
}

/* Remembers, for the hold, a delete of a flow that was never here. Returns 0, -ENOSPC, -ENOMEM. */
static int del_unknown(struct table *t, uint64_t hash, const uint8_t *key, size_t len)
{
	struct record *rec;
	struct place at;
	int err = add_record(t, hash, key, len, &at);

	if (err)
		return err;
	rec = place_record(at);
	rec->flags = REC_TOMBSTONE;
	hold_touch(t, rec);
	hold_release(t, at);
	bucket_grow(t);
	return 0;
}

int table_tell_end(struct table *t, const uint8_t *key, size_t key_len, enum table_queue queue)
{
	uint64_t hash = ahead_position(t, key, key_len);
	struct record *rec;
	struct place at;
	int err;

	if (key_len == 0 || key_len > FLOW_KEY_MAX)
		return -EBADMSG;
	if (!queue_reserve(t, queue))
		return -ENOMEM;
	rec = bucket_find(t, hash, key, key_len, &at);
	if (rec && !(rec->flags & REC_TOMBSTONE))
		return 0;
	if (!rec) {
		err = add_record(t, hash, key, key_len, &at);
		if (err)
			return err;
		rec = place_record(at);
		rec->flags = REC_TOMBSTONE;
	}
	queue_push(t, rec, queue == TABLE_WIRE ? WIRE : KERNEL);
	bucket_grow(t);
	return 0;
}

void table_del_at(struct table *t, struct place at, enum table_queue queue)
{
	struct record *rec = place_record(at);

	t->live--;
	record_bury(rec);
	if (rec->flags & REC_LATER && queue == TABLE_KERNEL)
		queue = TABLE_NONE;
	queue_not_later(t, rec);
	if (queue == TABLE_WIRE || queue == TABLE_BOTH) {
		if (queue == TABLE_BOTH)
			queue_push(t, rec, KERNEL);
		else if (rec->flags & REC_KERNEL)
			queue_drop(t, rec, KERNEL); /* it is the kernel that says so */
		changed_here(t, rec);
		if (!(rec->flags & REC_SENT))
			queue_drop(t, rec, WIRE); /* the others never heard of it */
	} else {
		changed_there(t, at.bucket, rec, queue);
	}
	hold_release(t, at);
}

int table_del(struct table *t, const uint8_t *key, size_t len, enum table_queue queue)
{
	struct record *rec;
	struct place at;
	uint64_t hash;

	if (len == 0 || len > FLOW_KEY_MAX)
		return 0; /* never put */
	hold_purge(t, PURGE_STEP);
	hash = ahead_take(t, key, len);
	rec = bucket_find(t, hash, key, len, &at);
	if (!rec)
		return (queue == TABLE_WIRE || queue == TABLE_BOTH) && t->holds
			       ? del_unknown(t, hash, key, len)
			       : 0;
	if (!(rec->flags & REC_TOMBSTONE)) {
		if (!queue_reserve(t, queue))
			return -ENOMEM;
		table_del_at(t, at, queue);
		return 1;
	}
	if (queue == TABLE_WIRE) {
		hold_touch(t, rec);
		if (rec->flags & REC_KERNEL)
			queue_drop(t, rec, KERNEL);
	} else if (queue == TABLE_BOTH) {
		hold_touch(t, rec);
	} else {
		queue_settle(t, at.bucket, rec);
	}
	hold_release(t, at);
	return 0;
}
