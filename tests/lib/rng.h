/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A seeded generator of random numbers for tests (SplitMix64): the same seed, the same run. */
#ifndef TESTS_LIB_RNG_H
#define TESTS_LIB_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

/*
 * Seeds from the environment's SEED, or from the clock where there is none, and prints on stdout
 * which seed it was, so that a failure can be run again.
 */
void rng_init_env(struct rng *r, const char *test);
void rng_init(struct rng *r, uint64_t seed);

uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* 0 … n - 1; n > 0 */
bool rng_one_in(struct rng *r, uint64_t n);
void rng_fill(struct rng *r, void *buf, size_t len);

#endif
