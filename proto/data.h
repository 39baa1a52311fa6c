/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sync.Data: writing it piece by piece into a datagram's payload, and reading it as an iterator
 * over slices, both without copying flows. Who packs what, and in which order, is not known here.
 */
#ifndef PROTO_DATA_H
#define PROTO_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/digest.h"
#include "proto/limits.h"

struct hash_range {
	uint64_t lo;   /* its low 64 - depth bits are zero */
	uint8_t depth; /* 0: everything; at most 64 */
};

static inline uint64_t hash_range_last(struct hash_range r)
{
	return r.depth == 0 ? UINT64_MAX : r.depth >= 64 ? r.lo : r.lo | (UINT64_MAX >> r.depth);
}

static inline bool hash_range_has(struct hash_range r, uint64_t hash)
{
	return hash >= r.lo && hash <= hash_range_last(r);
}

struct data_check {
	uint64_t digest, count;
	bool complete;
};

struct data_writer {
	uint8_t *buf;
	size_t len, cap;
};

/* Starts a payload of at most cap bytes in buf (borrowed). */
void data_begin(struct data_writer *w, uint8_t *buf, size_t cap, uint64_t sent_us, uint32_t group,
		uint64_t term);

/* Each returns false, and leaves the payload as it was, where the piece does not fit. */
bool data_add_put(struct data_writer *w, const uint8_t *flow, size_t len);
bool data_add_del(struct data_writer *w, const uint8_t *key, size_t len);
bool data_add_range(struct data_writer *w, struct hash_range r);
bool data_add_check(struct data_writer *w, const struct data_check *c);
bool data_add_digests(struct data_writer *w, struct hash_range r, uint64_t count,
		      const uint64_t *digest, size_t n);
bool data_add_final(struct data_writer *w);

/* Bytes that a put of a flow of this length takes in a payload. */
size_t data_put_size(size_t len);

struct data_digests {
	struct hash_range range;
	uint64_t count;
	size_t n; /* at most REPAIR_FANOUT */
	uint64_t digest[REPAIR_FANOUT];
};

/* What a Data says besides its puts, deletes and digests; read in one pass that also validates. */
struct data_info {
	uint64_t sent_us, term;
	uint32_t group;
	uint32_t puts, dels, digests; /* how many follow */
	bool has_range, has_check, final;
	struct hash_range range;
	struct data_check check;
};

/* Validates the whole payload (flows only as far as their key slice). Returns 0 or -EBADMSG. */
int data_read(const uint8_t *buf, size_t len, struct data_info *out);

enum data_piece { DATA_END = 0, DATA_PUT, DATA_DEL, DATA_DIGESTS };

struct data_iter {
	const uint8_t *p, *end;
	const uint8_t *bytes; /* DATA_PUT: an encoded flow; DATA_DEL: an encoded key */
	size_t len;
	struct data_digests digests; /* DATA_DIGESTS */
};

/* Iterates over a payload that data_read has accepted. */
void data_iter_init(struct data_iter *it, const uint8_t *buf, size_t len);
enum data_piece data_iter_next(struct data_iter *it);

/* Puts and deletes in order, as one wants them who hashes them all. */
enum { DATA_BATCH = 128 };
struct data_batch {
	size_t n, puts;			      /* n: with deletes */
	struct digest_input key[DATA_BATCH];  /* of each */
	struct digest_input flow[DATA_BATCH]; /* of the puts */
	bool put[DATA_BATCH];
};

/* Adds what is next until the batch is full; true while there may be more. Digests are skipped. */
bool data_iter_batch(struct data_iter *it, struct data_batch *b);

/*
 * data_read, which adds them on the way: most, and those that it does not, `rest` iterates over.
 * Where it fails, the batch is as it was.
 */
int data_read_batch(const uint8_t *buf, size_t len, struct data_info *out, struct data_batch *b,
		    struct data_iter *rest);

#endif
