/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the table's files share and nobody else sees: the record, the bucket, the directory.
 *
 *   directory: 2^bits buckets by the top bits of the hash; while it doubles, the first `split` of
 *              them have already moved to `next`, the directory of twice the size
 *   bucket:    slots, in no order; digest and count as sent
 *   slot:      a record's address and 16 bits of its hash, so that a search seldom looks in vain
 *   record:    a header and the encoded flow, or the key alone for a tombstone
 *
 * A record holds its position and what it adds to digests as sent: SipHash is the dearest thing
 * here, and is worked out once a lookup and once a change sent.
 */
#ifndef SYNCD_TABLE_TABLE_PRIV_H
#define SYNCD_TABLE_TABLE_PRIV_H

#include "syncd/table/ring.h"
#include "syncd/table/slab.h"
#include "syncd/table/table.h"

enum { WIRE, KERNEL, RINGS };

enum record_flag {
	REC_WIRE = 1 << WIRE,	  /* in the wire's ring */
	REC_KERNEL = 1 << KERNEL, /* in the kernel's ring */
	REC_TOMBSTONE = 1 << 2,	  /* deleted; bytes are the key */
	REC_SENT = 1 << 3,	  /* digest is that of a flow, which counts as sent */
	REC_GRAVE = 1 << 4,	  /* its hash is among the graves */
	REC_SUSPECT = 1 << 5,	  /* TABLE_SUSPECT */
	REC_LATER = 1 << 6,	  /* TABLE_LATER: the kernel has not been told of it */
};

struct record {
	uint64_t hash;	 /* position */
	uint64_t digest; /* what it adds to its bucket's: as sent */
	uint32_t place[RINGS];
	uint16_t len;
	uint16_t epoch; /* of the hold that it was last touched in */
	uint8_t cls;	/* size class of its chunk */
	uint8_t flags;	/* enum record_flag */
	uint8_t seen;	/* TABLE_SEEN is set where this is the table's stamp */
	uint8_t bytes[];
};

enum { SLOT_TAG_SHIFT = 48 }; /* user space ends below 2^47 on every 64-bit Linux */

static inline uint64_t slot_make(const struct record *rec)
{
	return (uint64_t)(uintptr_t)rec | rec->hash << SLOT_TAG_SHIFT;
}

static inline struct record *slot_record(uint64_t slot)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): that is what a slot is */
	return (struct record *)(uintptr_t)(slot << 16 >> 16);
}

static inline bool slot_may_be(uint64_t slot, uint64_t hash)
{
	return slot >> SLOT_TAG_SHIFT == (hash & 0xffff);
}

enum {
	BUCKET_MEAN = 12, /* flows a bucket at which the directory starts to double */
	BUCKET_STEP = 4,  /* slots are allocated in such steps */
	BUCKET_MAX = 64,  /* at a mean of 13 not reached by chance: a forger with the key */
};

struct bucket {
	uint64_t *slot;
	uint64_t digest; /* as sent */
	uint8_t n, cap;
	uint8_t sent; /* flows as sent */
};

/* A key that table_range_keep keeps. */
struct keep_item {
	uint64_t hash;
	struct table_slice key;
};

/* Keys that table_expect was told of, by % AHEAD_MAX. */
enum { AHEAD_MAX = TABLE_EXPECT_MAX, AHEAD_KEY_MAX = 55 /* most keys; an item is a cache line */ };

struct ahead_item {
	uint64_t hash;
	uint8_t len;
	uint8_t key[AHEAD_KEY_MAX];
};

struct ahead {
	uint32_t head, tail;	 /* of the keys */
	uint32_t slots, records; /* up to where these have been fetched; never before head */
	struct ahead_item item[AHEAD_MAX];
};

struct table {
	const struct digest_key *key;
	size_t max_flows;

	struct bucket first; /* the directory while it has one bucket */
	struct bucket *dir, *next;
	unsigned bits;
	uint64_t split;

	size_t live, records, sent;
	size_t later;	 /* records with REC_LATER */
	uint64_t digest; /* of the whole, as sent */
	uint64_t coalesced;
	struct ring ring[RINGS];
	struct slab slab;

	uint8_t seen; /* stamp of TABLE_SEEN, from 1 */
	unsigned holds;
	uint16_t epoch;		/* of the hold open now, or the last one; from 1, without: */
	uint64_t epochs_before; /* that no record tells apart any more */
	uint64_t *grave;	/* hashes of tombstones that only a hold keeps */
	size_t graves, grave_cap;

	struct keep_item *scratch; /* table_range_keep's; grows to the largest datagram's */
	size_t scratch_cap;
	uint8_t popped[FLOW_KEY_MAX]; /* key of the delete that table_kernel_next told last */
	struct ahead ahead;
};

/* ---- record.c ---- */

/* A record with these bytes, in no ring; NULL without memory. */
struct record *record_new(struct table *t, uint64_t hash, const uint8_t *bytes, size_t len);
void record_free(struct table *t, struct record *rec);

/* Replaces the bytes, in place where the chunk suits; moves the record, its slot and its ring
 * entries otherwise. Returns false without memory, nothing changed. */
bool record_set(struct table *t, uint64_t *slot, const uint8_t *bytes, size_t len);

void record_key(const struct record *rec, const uint8_t **key, size_t *len);

/* Cuts a live record down to its key. */
void record_bury(struct record *rec);

/* ---- bucket.c ---- */

struct place {
	struct bucket *bucket;
	unsigned i; /* slot */
};

static inline struct record *place_record(struct place p)
{
	return slot_record(p.bucket->slot[p.i]);
}

void bucket_init(struct table *t);
void bucket_fini(struct table *t);
size_t bucket_bytes(const struct table *t);

/* The bucket of a hash; *depth bits of the hash select it. */
struct bucket *bucket_of(const struct table *t, uint64_t hash, unsigned *depth);

/* Finds a record, tombstones too, by key. Returns it with its place, or NULL. */
struct record *bucket_find(const struct table *t, uint64_t hash, const uint8_t *key, size_t len,
			   struct place *at);

/* The place of a record that is in the table. */
struct place bucket_place(const struct table *t, const struct record *rec);

/* Puts a record into its bucket, growing the directory where it is full, and tells where: 0,
 * -ENOMEM, -ENOSPC (too many alike). Moves slots. */
int bucket_insert(struct table *t, const struct record *rec, struct place *at);

/* Takes a record out; the last slot takes its place. */
void bucket_remove(struct table *t, struct place at);

/* Carries the doubling of the directory, where one is due, a step on. Moves slots. */
void bucket_grow(struct table *t);

/* What is there counts as sent: exchanges the digest. */
void bucket_settle(struct table *t, struct bucket *b, struct record *rec);

/* The bucket's records whose hash lies in r, by hash. Returns how many. */
unsigned bucket_sort(const struct bucket *b, struct hash_range r, struct record *out[BUCKET_MAX]);

/* Iterates over the buckets that a range meets, in order. */
struct bucket_walk {
	uint64_t at, last;
	bool done;
	struct hash_range range; /* of the bucket returned */
};
void bucket_walk_init(struct bucket_walk *w, struct hash_range r);
struct bucket *bucket_walk_next(const struct table *t, struct bucket_walk *w);

/* ---- range.c ---- */

/* table_walk (table.h) of those live records that `takes` (NULL: all) returns true for. */
typedef bool record_takes_fn(const struct table *t, const struct record *rec, unsigned arg);
int table_walk_if(const struct table *t, struct hash_range r, record_takes_fn *takes, unsigned arg,
		  table_walk_fn *fn, void *ctx);

/* ---- queue.c ---- */

bool queue_reserve(struct table *t, enum table_queue queue);
void queue_push(struct table *t, struct record *rec, unsigned which); /* unless it is in there */
void queue_drop(struct table *t, struct record *rec, unsigned which);

/* The kernel has not been told of the record, or has been, or is about to be. */
void queue_later(struct table *t, struct record *rec);
void queue_not_later(struct table *t, struct record *rec);

/* Makes what was sent what is there, at once, and takes the record off the wire's queue. */
void queue_settle(struct table *t, struct bucket *b, struct record *rec);

/* ---- hold.c ---- */

void hold_touch(struct table *t, struct record *rec);
bool hold_has(const struct table *t, const struct record *rec);

/* Frees a tombstone unless a queue or a hold still needs it. */
void hold_release(struct table *t, struct place at);

/* Frees at most n tombstones that only a hold now ended had kept. */
void hold_purge(struct table *t, size_t n);

/* ---- ahead.c ---- */

/* A key's position, out of what was expected where it is there; take: it has come. */
uint64_t ahead_position(const struct table *t, const uint8_t *key, size_t len);
uint64_t ahead_take(struct table *t, const uint8_t *key, size_t len);

/* ---- bits.c ---- */

/* The flow has just been put, changed or not. */
static inline void bits_on_put(const struct table *t, struct record *rec)
{
	rec->flags &= (uint8_t)~REC_SUSPECT;
	rec->seen = t->seen;
}

/* ---- table.c ---- */

/* Deletes the live flow at a place; room in the queue has been reserved. The slot may be gone. */
void table_del_at(struct table *t, struct place at, enum table_queue queue);

#endif
