/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sealed datagrams kept for those that missed them: the newest, up to a number and a sum of bytes,
 * in pieces of memory that come and go with what is kept. Pure but for that memory.
 */
#ifndef SYNCD_STREAM_RETAIN_H
#define SYNCD_STREAM_RETAIN_H

#include <stddef.h>
#include <stdint.h>

struct retained {
	uint64_t at;		  /* of its bytes, among all ever kept */
	uint64_t resent_us;	  /* 0: never */
	uint64_t first_resent_us; /* 0: never */
	uint32_t len;
};

struct retain {
	struct retained *item; /* by counter % items */
	size_t items, bytes;   /* limits */
	uint8_t **piece;       /* by place / their size % pieces; NULL: holds nothing */
	size_t pieces;
	uint8_t *spare;	       /* a piece given up, for the next one */
	uint64_t oldest, last; /* counters; oldest is last + 1 where nothing is kept */
	uint64_t end;	       /* place of the next datagram */
};

/* Keeps at most that many datagrams and bytes (at least two of the largest datagrams). 0, -ENOMEM.
 */
int retain_init(struct retain *r, size_t items, size_t bytes);
void retain_fini(struct retain *r);

/* Copies the datagram of counter last + 1, giving up the oldest as need be: all of them where there
 * is no memory. */
void retain_add(struct retain *r, const uint8_t *dgram, size_t len);

/* What is kept of a counter from oldest to last, and its bytes; valid until the next call. */
struct retained *retain_get(const struct retain *r, uint64_t counter);
const uint8_t *retain_bytes(const struct retain *r, const struct retained *item);

/* Bytes taken by a counter from oldest to last and by all after it. */
size_t retain_since(const struct retain *r, uint64_t counter);

/* Nobody needs what is up to this counter: gives it up, but for the newest `spare` bytes. */
void retain_release(struct retain *r, uint64_t upto, size_t spare);

/* Gives up the oldest, of which there must be one. */
void retain_drop_oldest(struct retain *r);

#endif
