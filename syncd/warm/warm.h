/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A daemon's tables in the form in which they outlive its restart: a head, then for each group its
 * facts, its encoded flows and what its kernel still has to be told, and a checksum over all.
 * Writing goes through a callback, reading is an iterator over bytes that warm_check has accepted.
 * Pure: where the bytes are kept is warm_store.c's, what they mean is engine_warm.c's.
 *
 *   head    magic 8, format 4, encoder 4, node 2, digest key id 4, boot id 16, netns 8,
 *           monotonic us 8, wall us 8, session 8
 *   piece   kind 1, length 2, that many bytes; the last is the end: bytes before it 8, XXH3 8
 *
 * Integers are big-endian. Another format is refused and not converted: the table is then had anew
 * from the others, so nothing is gained by reading it.
 */
#ifndef SYNCD_WARM_WARM_H
#define SYNCD_WARM_WARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/control.h"

enum { WARM_FORMAT = 1, WARM_BOOT_ID_LEN = 16 };

/* Where a table was, beside what it was: another boot's or namespace's kernel has other flows. */
struct warm_place {
	uint8_t boot_id[WARM_BOOT_ID_LEN];
	uint64_t netns; /* inode of the network namespace */
};

struct warm_head {
	struct warm_place place;
	uint32_t encoder; /* version of whoever wrote it: told, never gating */
	uint16_t node;
	uint32_t digest_key_id;
	uint64_t mono_us, wall_us; /* when it was written */
	uint64_t session;
};

enum warm_flag {
	WARM_ACTIVE = 1 << 0,  /* the node was active in the group */
	WARM_WHOLE = 1 << 1,   /* and had all that it took over with in its kernel */
	WARM_SETTLED = 1 << 2, /* nothing was on its way into the kernel */
	WARM_TIMED = 1 << 3,   /* no lease is left to be replaced by a true timeout */
};

struct warm_group {
	uint32_t id;
	uint8_t flags; /* enum warm_flag */
	struct term term;
	uint64_t fingerprint; /* of match and filter */
	uint64_t flows, digest;
	uint16_t as_of_node; /* whose stream, and its last datagram that is in the table */
	uint64_t as_of_counter;
};

/* What was written, borrowed. */
struct warm_image {
	const uint8_t *bytes;
	size_t len;
};

enum warm_piece {
	WARM_END,
	WARM_GROUP,
	WARM_FLOW,  /* encoded flow of the group before it */
	WARM_AGAIN, /* encoded key: the kernel is to be made what the table is */
};

struct warm_writer;

/* Returns 0 or -errno, which warm_write_end then returns. */
typedef int warm_write_fn(void *ctx, const uint8_t *bytes, size_t len);

/* Begins with the head. NULL without memory. */
struct warm_writer *warm_write_begin(const struct warm_head *h, warm_write_fn *write, void *ctx);
void warm_write_group(struct warm_writer *w, const struct warm_group *g);
void warm_write_flow(struct warm_writer *w, const uint8_t *flow, size_t len);
void warm_write_again(struct warm_writer *w, const uint8_t *key, size_t len);
/* Writes the end and frees. Returns 0, or the first error of writing. */
int warm_write_end(struct warm_writer *w);

/*
 * Validates everything: checksum, lengths, flows as far as their key slice, their number. Returns
 * 0; -EBADMSG (damaged, cut short or not ours) or -EPROTONOSUPPORT (another format).
 */
int warm_check(const uint8_t *bytes, size_t len, struct warm_head *out);

struct warm_iter {
	const uint8_t *p;
	struct warm_group group; /* WARM_GROUP */
	const uint8_t *bytes;	 /* WARM_FLOW: encoded flow; WARM_AGAIN: encoded key */
	size_t len;
};

/* Iterates over bytes that warm_check has accepted. */
void warm_iter_init(struct warm_iter *it, const uint8_t *bytes);
enum warm_piece warm_iter_next(struct warm_iter *it);

#endif
