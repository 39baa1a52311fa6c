/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A capture of the group's datagrams (pcap, pcapng) as if it were a journal: what opens under the
 * key comes as records of type sent (data) and control.
 */
#ifndef REPLAY_CAPTURE_H
#define REPLAY_CAPTURE_H

#include "proto/journal.h"
#include "proto/seal.h"

/* True where the file begins like a capture. */
bool capture_is(const char *path);

/* Wall clock of its first packet; 0: it has none. */
uint64_t capture_begin_us(const char *path);

struct capture_stats {
	uint64_t packets, records, sealed; /* sealed: ours by their header, but of another key */
	uint64_t offset;		   /* in the file, roughly: for who shows how far it is */
};

/* key NULL: only of insecure nodes. Returns 0, what fn returned, or -errno, -EBADMSG. */
int capture_read(const char *path, const struct group_key *key,
		 int (*fn)(void *ctx, const struct journal_record *r), void *ctx,
		 struct capture_stats *stats);

#endif
