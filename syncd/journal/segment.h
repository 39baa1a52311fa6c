/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of one node's segments in a directory. Used by the writer's thread alone. */
#ifndef SYNCD_JOURNAL_SEGMENT_H
#define SYNCD_JOURNAL_SEGMENT_H

#include <nettle/sha2.h>

#include "proto/journal.h"

struct segment {
	int fd; /* -1: none open */
	uint32_t number;
	uint64_t bytes;
	uint8_t last_hash[JOURNAL_HASH_LEN]; /* of the segment before */
	struct sha256_ctx sha;		     /* of the open one so far */
};

/*
 * Begins the next segment: makes the directory (0700) where it is missing, goes on from the newest
 * segment found there. Fills in h's segment and previous. 0 or -errno.
 */
int segment_begin(struct segment *s, const char *dir, struct journal_header *h);

/* Writes all of it, or fails: then the segment is closed, torn. 0 or -errno. */
int segment_write(struct segment *s, const void *bytes, size_t len);

/* -ENOENT where the file is no longer in any directory; else fdatasync(2)'s answer. */
int segment_sync(struct segment *s);
bool segment_is_gone(const struct segment *s);

/* Closes it; the next one's header gets its hash. */
void segment_end(struct segment *s);

/* Removes the oldest segments of this node beyond so many. */
void segment_prune(const char *dir, uint16_t node, uint32_t keep);

#endif
