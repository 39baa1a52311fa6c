/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers in constant memory: 16 buckets an octave, so quantiles are right within 1/16. */
#ifndef REPLAY_HISTOGRAM_H
#define REPLAY_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_SUB_BITS = 4, HISTOGRAM_BUCKETS = 64 << HISTOGRAM_SUB_BITS };

struct histogram {
	uint64_t n, max;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_bucket(uint64_t v)
{
	unsigned top;

	if (v < 1u << HISTOGRAM_SUB_BITS)
		return (unsigned)v;
	top = 63 - (unsigned)__builtin_clzll(v) - HISTOGRAM_SUB_BITS;
	return ((top + 1) << HISTOGRAM_SUB_BITS) +
	       (unsigned)(v >> top & ((1u << HISTOGRAM_SUB_BITS) - 1));
}

/* The largest number that falls into the bucket. */
static inline uint64_t histogram_value(unsigned bucket)
{
	unsigned octave = bucket >> HISTOGRAM_SUB_BITS;
	uint64_t sub = bucket & ((1u << HISTOGRAM_SUB_BITS) - 1);

	if (octave == 0)
		return bucket;
	return ((((uint64_t)1 << HISTOGRAM_SUB_BITS) + sub + 1) << (octave - 1)) - 1;
}

static inline void histogram_add(struct histogram *h, uint64_t v)
{
	h->n++;
	h->max = v > h->max ? v : h->max;
	h->bucket[histogram_bucket(v)]++;
}

/* 0 where there are no numbers. */
static inline uint64_t histogram_quantile(const struct histogram *h, double q)
{
	uint64_t want = (uint64_t)((double)h->n * q), seen = 0;

	for (unsigned i = 0; h->n && i < HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen > want)
			return histogram_value(i) < h->max ? histogram_value(i) : h->max;
	}
	return h->max;
}

#endif
