/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All chance in the simulation: streams of tests/lib/rng.h drawn from one seed. Parts with a stream
 * of their own do not disturb one another's draws, so a seed stays nearly the same story when one
 * part changes.
 */
#ifndef TESTS_SIM_RNG_H
#define TESTS_SIM_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/rng.h"

struct sim_rng {
	struct rng rng;
};

/* Starts stream number `stream` of the seed. */
void sim_rng_init(struct sim_rng *r, uint64_t seed, uint64_t stream);

uint64_t sim_rng_next(struct sim_rng *r);

/* 0 to n - 1; 0 where n is 0. */
uint64_t sim_rng_below(struct sim_rng *r, uint64_t n);

/* lo to hi, both included. */
uint64_t sim_rng_range(struct sim_rng *r, uint64_t lo, uint64_t hi);

bool sim_rng_chance(struct sim_rng *r, uint32_t permille);

/* Picks an index by weight; n where all weights are 0. */
size_t sim_rng_weighted(struct sim_rng *r, const uint16_t *weight, size_t n);

#endif
