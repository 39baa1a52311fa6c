/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the table's files share and nobody else sees: the record, the bucket, the directory.
 *
 *   directory: 2^bits buckets by the top bits of the hash; while it doubles, the first `split` of
 *              them have already moved to `next`, the directory of twice the size
 *   bucket:    slots {hash, record} sorted by hash; digest and count as sent
 *   record:    a header and the encoded flow, or the key alone for a tombstone
 */
#ifndef SYNCD_TABLE_TABLE_PRIV_H
#define SYNCD_TABLE_TABLE_PRIV_H

#include "syncd/table/ring.h"
#include "syncd/table/slab.h"
#include "syncd/table/table.h"

enum { WIRE, KERNEL, RINGS };

enum record_flag {
	REC_WIRE = 1 << WIRE,	  /* in the wire's ring, whose entry says what was last sent */
	REC_KERNEL = 1 << KERNEL, /* in the kernel's ring */
	REC_TOMBSTONE = 1 << 2,	  /* deleted; bytes are the key */
	REC_SENT = 1 << 3,	  /* with REC_WIRE: counts among the sent */
	REC_GRAVE = 1 << 4,	  /* its hash is among the graves */
	REC_SEEN = 1 << 5,	  /* enum table_bit */
	REC_SUSPECT = 1 << 6,
};

struct record {
	uint32_t place[RINGS];
	uint16_t len;
	uint16_t epoch; /* of the hold that it was last touched in */
	uint8_t cls;	/* size class of its chunk */
	uint8_t flags;	/* enum record_flag */
	uint8_t bytes[];
};

struct slot {
	uint64_t hash;
	struct record *rec;
};

enum {
	BUCKET_MEAN = 12, /* flows a bucket at which the directory starts to double */
	BUCKET_STEP = 4,  /* slots are allocated in steps of one cache line */
	BUCKET_MAX = 64,  /* at a mean of 13 not reached by chance: a forger with the key */
};

struct bucket {
	struct slot *slot;
	uint64_t digest; /* as sent */
	uint8_t n, cap;
	uint8_t sent; /* flows as sent */
};

/* A key that table_range_keep keeps. */
struct keep_item {
	uint64_t hash;
	struct table_slice key;
};

struct table {
	const struct digest_key *key;
	size_t max_flows;

	struct bucket first; /* the directory while it has one bucket */
	struct bucket *dir, *next;
	unsigned bits;
	uint64_t split;

	size_t live, records, sent;
	uint64_t digest; /* of the whole, as sent */
	uint64_t coalesced;
	struct ring ring[RINGS];
	struct slab slab;

	unsigned holds;
	uint16_t epoch;	 /* of the hold open now, or the last one; from 1 */
	uint64_t *grave; /* hashes of tombstones that only a hold keeps */
	size_t graves, grave_cap;

	struct keep_item *scratch; /* table_range_keep's; grows to the largest datagram's */
	size_t scratch_cap;
	uint8_t popped[FLOW_KEY_MAX]; /* key of the delete that table_kernel_next told last */
};

/* ---- record.c ---- */

/* A record with these bytes, in no ring; NULL without memory. */
struct record *record_new(struct table *t, const uint8_t *bytes, size_t len);
void record_free(struct table *t, struct record *rec);

/* Replaces the bytes, in place where the chunk suits; moves the record, its slot and its ring
 * entries otherwise. Returns false without memory, nothing changed. */
bool record_set(struct table *t, struct slot *slot, const uint8_t *bytes, size_t len);

void record_key(const struct record *rec, const uint8_t **key, size_t *len);

/* Cuts a live record down to its key. */
void record_bury(struct record *rec);

/* What the record adds to digest and count as sent. */
struct sent {
	uint64_t digest;
	bool counted;
};
struct sent record_sent(const struct table *t, const struct record *rec);

static inline struct sent record_now(const struct table *t, const struct record *rec)
{
	if (rec->flags & REC_TOMBSTONE)
		return (struct sent){0};
	return (struct sent){digest_content(t->key, rec->bytes, rec->len), true};
}

/* ---- bucket.c ---- */

struct place {
	struct bucket *bucket;
	unsigned i; /* slot; where it would go, if not found */
};

static inline struct slot *place_slot(struct place p)
{
	return &p.bucket->slot[p.i];
}

void bucket_init(struct table *t);
void bucket_fini(struct table *t);
size_t bucket_bytes(const struct table *t);

/* The bucket of a hash; *depth bits of the hash select it. */
struct bucket *bucket_of(const struct table *t, uint64_t hash, unsigned *depth);

/* Finds a record, tombstones too, by key. Returns it, or NULL with *at where it would go. */
struct record *bucket_find(const struct table *t, uint64_t hash, const uint8_t *key, size_t len,
			   struct place *at);

/* The place of a record that is in the table. */
struct place bucket_place(const struct table *t, uint64_t hash, const struct record *rec);

/* Puts a record into a place found for it. Returns 0, -ENOMEM, -ENOSPC (bucket full). */
int bucket_insert(struct table *t, struct place at, uint64_t hash, struct record *rec);
void bucket_remove(struct table *t, struct place at);

/* Carries the doubling of the directory, where one is due, a step on. Moves slots. */
void bucket_grow(struct table *t);

/*
 * Doubles the directory until the bucket of this hash has room: flows that come in hash order (to a
 * joiner, from a state file) crowd one corner long before the table as a whole is due to grow. As
 * far as max_flows justifies; false beyond it, or without memory. Moves slots.
 */
bool bucket_relieve(struct table *t, uint64_t hash);

/* Replaces what a flow adds to its bucket and to the whole. */
void bucket_exchange(struct table *t, struct bucket *b, struct sent was, struct sent is);

/* First slot whose hash is at least this. */
unsigned bucket_lower(const struct bucket *b, uint64_t hash);

/* Iterates over the buckets that a range meets, in order. */
struct bucket_walk {
	uint64_t at, last;
	bool done;
	struct hash_range range; /* of the bucket returned */
};
void bucket_walk_init(struct bucket_walk *w, struct hash_range r);
struct bucket *bucket_walk_next(const struct table *t, struct bucket_walk *w);

/* ---- queue.c ---- */

bool queue_reserve(struct table *t, enum table_queue queue);
void queue_push_wire(struct table *t, struct record *rec, struct sent sent);
void queue_push_kernel(struct table *t, struct record *rec);
void queue_drop(struct table *t, struct record *rec, unsigned which);

/* Makes what was sent what is there, at once, and takes the record off the wire's queue. */
void queue_settle(struct table *t, struct bucket *b, struct record *rec);

/* ---- hold.c ---- */

void hold_touch(struct table *t, struct record *rec);
bool hold_has(const struct table *t, const struct record *rec);

/* Frees a tombstone unless a queue or a hold still needs it. */
void hold_release(struct table *t, struct place at);

/* Frees at most n tombstones that only a hold now ended had kept. */
void hold_purge(struct table *t, size_t n);

/* ---- bits.c ---- */

/* The flow has just been put, changed or not. */
static inline void bits_on_put(struct record *rec)
{
	rec->flags = (uint8_t)((rec->flags | REC_SEEN) & ~REC_SUSPECT);
}

/* ---- table.c ---- */

/* Deletes the live flow at a place; room in the queue has been reserved. The slot may be gone. */
void table_del_at(struct table *t, struct place at, enum table_queue queue);

#endif
