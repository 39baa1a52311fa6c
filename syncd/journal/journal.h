/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal's writer: records go into a bounded queue, and a thread of its own packs them and
 * writes segments (docs/journal-format.md). Whoever appends never waits for a disk: where the queue
 * is full, or the disk is, records are dropped and a record says how many. The caller is one
 * thread; it is asked for a keyframe by journal_generation.
 */
#ifndef SYNCD_JOURNAL_JOURNAL_H
#define SYNCD_JOURNAL_JOURNAL_H

#include "proto/journal.h"

struct journal;

struct journal_config {
	const char *dir;
	const char *name; /* of the node */
	uint16_t node;
	uint64_t session;
	uint32_t digest_key_id;
	uint64_t rotate_bytes, rotate_us;
	uint32_t keep; /* segments of this node */
	bool compress;
	uint64_t fsync_us; /* 0: never */
	size_t queue_bytes;
};

/* Makes the queue; strings are copied. 0 or -ENOMEM. Nothing is written before journal_start. */
int journal_open(const struct journal_config *cfg, struct journal **out);

/*
 * Starts the thread, once the process has given up the rights that it must not have. 0 or -errno. A
 * directory that cannot be had is tried again later, for ever.
 */
int journal_start(struct journal *j);

/* Writes what is queued and ends the segment; a disk that does not answer is left after 2 s. */
void journal_close(struct journal *j);

/* Queues a copy; number is the writer's to give. False where it was dropped (and counted). */
bool journal_append(struct journal *j, const struct journal_record *r);

/* Grows with each segment begun and each loss: the tables are to be put in anew (JOURNAL_KEYFRAME).
 */
uint64_t journal_generation(const struct journal *j);

/* True where a keyframe's slice may go in without taking the room of what happens. */
bool journal_has_room(struct journal *j);

struct journal_stats {
	uint64_t records, bytes; /* written, the bytes as packed */
	uint64_t lost;		 /* records dropped */
	uint32_t segment;
	int error; /* -errno of the last attempt to write; 0: it went well */
};
void journal_read_stats(struct journal *j, struct journal_stats *out);

#endif
