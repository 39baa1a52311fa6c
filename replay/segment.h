/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads one segment of a journal, from a file or a pipe, in constant memory. What is damaged is
 * told to a callback and skipped: reading goes on at the next block whose header is whole.
 */
#ifndef REPLAY_SEGMENT_H
#define REPLAY_SEGMENT_H

#include "proto/journal.h"

struct segment;

/* What was wrong at which offset of the file. */
typedef void segment_damage_fn(void *ctx, uint64_t offset, const char *what);

/*
 * fd is taken, also on failure. Returns 0, -EBADMSG or -EPROTONOSUPPORT (no segment of ours),
 * -ENOMEM, or -errno of reading.
 */
int segment_open(int fd, segment_damage_fn *damage, void *ctx, struct segment **out);
void segment_close(struct segment *s);

const struct journal_header *segment_header(const struct segment *s);

/*
 * The next record, valid until the next call. Returns 1, 0 at the end (a live segment may grow:
 * call again), or -errno of reading.
 */
int segment_next(struct segment *s, struct journal_record *out);

/* Blocks that end before this wall clock are passed over, without being unpacked. */
void segment_skip_before(struct segment *s, uint64_t wall_us);

/* Bytes read so far, and SHA-256 of all of them (once the end was reached: of the file). */
uint64_t segment_offset(const struct segment *s);
void segment_hash(const struct segment *s, uint8_t out[JOURNAL_HASH_LEN]);

/* True where the last record read was the segment's JOURNAL_END. */
bool segment_ended(const struct segment *s);

#endif
