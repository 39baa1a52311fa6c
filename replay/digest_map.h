/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As much of a table as proving digests needs: where each flow stands, and what it adds; 16 bytes
 * of each, in order of hash space, so that an operation touches one line of memory, which can be
 * fetched ahead. Two keys of the same 64-bit position would be taken for one; among a million flows
 * that happens by chance once in 10^7 tables, and nobody without the key can make it happen.
 */
#ifndef REPLAY_DIGEST_MAP_H
#define REPLAY_DIGEST_MAP_H

#include "proto/data.h"

struct digest_map;

/* NULL without memory. */
struct digest_map *digest_map_new(void);
void digest_map_free(struct digest_map *m);
void digest_map_clear(struct digest_map *m);

/* The flow there is now this one, or gone. */
struct digest_change {
	uint64_t position, digest;
	bool put;
};

/* Makes n changes, in order; meanwhile the memory that the next ones will touch is fetched. */
void digest_map_change(struct digest_map *m, const struct digest_change *c, size_t n,
		       const struct digest_change *next, size_t next_n);

/* 0, or -ENOMEM where, since it was last cleared, a put found no room. */
int digest_map_error(const struct digest_map *m);

/* Removes all flows of a range of hash space. */
void digest_map_del_range(struct digest_map *m, struct hash_range r);

/* Of all flows. */
uint64_t digest_map_digest(const struct digest_map *m);
uint64_t digest_map_count(const struct digest_map *m);

#endif
