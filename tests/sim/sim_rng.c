/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges, chances and weights over one stream. */
#include "tests/sim/sim_rng.h"

void sim_rng_init(struct sim_rng *r, uint64_t seed, uint64_t stream)
{
	struct rng mix;

	rng_init(&mix, seed);
	rng_init(&r->rng, rng_next(&mix) ^ (stream + 1) * 0xd1342543de82ef95u);
	(void)rng_next(&r->rng);
}

uint64_t sim_rng_next(struct sim_rng *r)
{
	return rng_next(&r->rng);
}

uint64_t sim_rng_below(struct sim_rng *r, uint64_t n)
{
	return n == 0 ? 0 : rng_next(&r->rng) % n;
}

uint64_t sim_rng_range(struct sim_rng *r, uint64_t lo, uint64_t hi)
{
	return lo + sim_rng_below(r, hi - lo + 1);
}

bool sim_rng_chance(struct sim_rng *r, uint32_t permille)
{
	return permille > 0 && sim_rng_below(r, 1000) < permille;
}

size_t sim_rng_weighted(struct sim_rng *r, const uint16_t *weight, size_t n)
{
	uint64_t sum = 0, pick;

	for (size_t i = 0; i < n; i++)
		sum += weight[i];
	if (sum == 0)
		return n;
	pick = sim_rng_below(r, sum);
	for (size_t i = 0; i < n; i++) {
		if (pick < weight[i])
			return i;
		pick -= weight[i];
	}
	return n;
}
