/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers over time in constant memory: so many buckets from a beginning on, twice as wide whenever
 * time runs past the last one. Sums are added up, gauges keep the last that was seen.
 */
#ifndef REPLAY_SERIES_H
#define REPLAY_SERIES_H

#include <stdint.h>

enum { SERIES_BUCKETS = 600, SERIES_NAMED = 12 };

enum series_of {
	SERIES_SENT,
	SERIES_SENT_BYTES,
	SERIES_APPLIED,
	SERIES_APPLIED_BYTES,
	SERIES_PUTS,
	SERIES_DELS,
	SERIES_NAKS,
	SERIES_DROPPED,
	SERIES_SUMS,
	SERIES_FLOWS = SERIES_SUMS,
	SERIES_WAITING,
	SERIES_LAG_US,
	SERIES_STATE,				     /* SERIES_NAMED of them */
	SERIES_SERVER = SERIES_STATE + SERIES_NAMED, /* SERIES_NAMED of them */
	SERIES_ALL = SERIES_SERVER + SERIES_NAMED,
};

#define SERIES_NONE UINT64_MAX /* a gauge not seen in that bucket */

struct series {
	uint64_t start_us, width_us;
	uint32_t used; /* buckets up to the last one touched */
	uint64_t value[SERIES_ALL][SERIES_BUCKETS];
};

void series_init(struct series *s, uint64_t start_us);

/* Which bucket a moment falls into, after widening where needed. */
uint32_t series_at(struct series *s, uint64_t wall_us);

void series_add(struct series *s, enum series_of of, uint64_t wall_us, uint64_t n);
void series_set(struct series *s, unsigned of, uint64_t wall_us, uint64_t n);

/* Makes buckets twice as wide. */
void series_widen(struct series *s);

#endif
