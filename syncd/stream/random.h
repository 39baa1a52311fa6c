/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backoff jitter for the stream's parts: a seeded SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), so
 * that a run replays from its seed. Nothing secret may come from it.
 */
#ifndef SYNCD_STREAM_RANDOM_H
#define SYNCD_STREAM_RANDOM_H

#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* A number from 0 to below - 1; 0 where below is 0. */
static inline uint64_t random_below(uint64_t *state, uint64_t below)
{
	return below == 0 ? 0 : random_next(state) % below;
}

#endif
