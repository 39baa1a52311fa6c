/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many hashes at once: SipHash-2-4 (Aumasson, Bernstein, 2012) in the lanes of a vector unit, where
 * there is one wide enough to be worth it; otherwise one by one. Who checks a journal hashes each
 * flow of a datagram twice, and does little else.
 */
#include <endian.h>
#include <string.h>

#include <sodium.h>

#include "proto/digest.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_LANES 1
#endif

#ifdef HAVE_LANES

enum { LANES = 8, LEAST = 3 /* for which lanes are worth it */, WORD = 8 };

typedef uint64_t lanes __attribute__((vector_size(LANES * sizeof(uint64_t))));

struct sip {
	lanes v0, v1, v2, v3;
};

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

/* The last word: what is left of the bytes, and the length on top. */
static inline uint64_t last_word(const struct digest_input *in)
{
	uint64_t v = (uint64_t)in->len << 56;
	size_t rest = in->len % WORD;

	if (!rest)
		return v;
	if (in->len >= WORD)
		return v | load64(in->bytes + in->len - WORD) >> (8 * (WORD - rest));
	for (size_t i = 0; i < rest; i++)
		v |= (uint64_t)in->bytes[in->len - rest + i] << (8 * i);
	return v;
}

__attribute__((always_inline)) static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = s->v1 << 13 | s->v1 >> 51;
	s->v3 = s->v3 << 16 | s->v3 >> 48;
	s->v1 ^= s->v0;
	s->v3 ^= s->v2;
	s->v0 = s->v0 << 32 | s->v0 >> 32;
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = s->v1 << 17 | s->v1 >> 47;
	s->v3 = s->v3 << 21 | s->v3 >> 43;
	s->v1 ^= s->v2;
	s->v3 ^= s->v0;
	s->v2 = s->v2 << 32 | s->v2 >> 32;
}

__attribute__((always_inline)) static inline void sip_word(struct sip *s, const lanes *m)
{
	s->v3 ^= *m;
	sip_round(s);
	sip_round(s);
	s->v0 ^= *m;
}

/* Lanes that are at their end keep what they have. */
__attribute__((always_inline)) static inline void sip_word_masked(struct sip *s, const lanes *m,
								  const lanes *active)
{
	struct sip was = *s;

	sip_word(s, m);
	s->v0 = (s->v0 & *active) | (was.v0 & ~*active);
	s->v1 = (s->v1 & *active) | (was.v1 & ~*active);
	s->v2 = (s->v2 & *active) | (was.v2 & ~*active);
	s->v3 = (s->v3 & *active) | (was.v3 & ~*active);
}

/* LANES inputs of any lengths. */
__attribute__((always_inline)) static inline void
hash_lanes(const uint8_t key[16], const struct digest_input *in, uint64_t *out)
{
	const uint64_t k0 = load64(key), k1 = load64(key + WORD);
	size_t words[LANES], shortest = SIZE_MAX, longest = 0;
	uint64_t last[LANES];
	struct sip s = {
		.v0 = (lanes){0} + (k0 ^ 0x736f6d6570736575),
		.v1 = (lanes){0} + (k1 ^ 0x646f72616e646f6d),
		.v2 = (lanes){0} + (k0 ^ 0x6c7967656e657261),
		.v3 = (lanes){0} + (k1 ^ 0x7465646279746573),
	};
	lanes m, active;

	for (unsigned i = 0; i < LANES; i++) {
		words[i] = in[i].len / WORD;
		last[i] = last_word(&in[i]);
		shortest = words[i] < shortest ? words[i] : shortest;
		longest = words[i] > longest ? words[i] : longest;
	}
	for (size_t w = 0; w < shortest; w++) {
		size_t at = w * WORD;

		/* Not in a loop: that would go by way of memory, and wait for it. */
		m = (lanes){load64(in[0].bytes + at), load64(in[1].bytes + at),
			    load64(in[2].bytes + at), load64(in[3].bytes + at),
			    load64(in[4].bytes + at), load64(in[5].bytes + at),
			    load64(in[6].bytes + at), load64(in[7].bytes + at)};
		sip_word(&s, &m);
	}
	for (size_t w = shortest; w <= longest; w++) {
		for (unsigned i = 0; i < LANES; i++) {
			m[i] = w < words[i] ? load64(in[i].bytes + w * WORD) : last[i];
			active[i] = w <= words[i] ? UINT64_MAX : 0;
		}
		sip_word_masked(&s, &m, &active);
	}
	s.v2 ^= (lanes){0} + 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(&s);
	s.v0 ^= s.v1 ^ s.v2 ^ s.v3;
	memcpy(out, &s.v0, sizeof(s.v0));
}

__attribute__((target("avx512f,avx512vl"))) static void
hash_avx512(const uint8_t key[16], const struct digest_input *in, uint64_t *out)
{
	hash_lanes(key, in, out);
}

__attribute__((target("avx2"))) static void hash_avx2(const uint8_t key[16],
						      const struct digest_input *in, uint64_t *out)
{
	hash_lanes(key, in, out);
}

typedef void hash_fn(const uint8_t key[16], const struct digest_input *in, uint64_t *out);

/* Lanes that are left over repeat the last one. */
static void hash_rest(hash_fn *hash, const uint8_t key[16], const struct digest_input *in, size_t n,
		      uint64_t *out)
{
	struct digest_input padded[LANES];
	uint64_t all[LANES];

	for (size_t i = 0; i < LANES; i++)
		padded[i] = in[i < n ? i : n - 1];
	hash(key, padded, all);
	memcpy(out, all, n * sizeof(all[0]));
}

/* Returns how many it has done: all but so few that lanes are not worth it. */
static size_t digest_lanes(const uint8_t key[16], const struct digest_input *in, size_t n,
			   uint64_t *out)
{
	hash_fn *hash = __builtin_cpu_supports("avx512vl") ? hash_avx512
			: __builtin_cpu_supports("avx2")   ? hash_avx2
							   : NULL;
	size_t i = 0;

	if (!hash)
		return 0;
	for (; i + LANES <= n; i += LANES)
		hash(key, in + i, out + i);
	if (n - i < LEAST)
		return i;
	hash_rest(hash, key, in + i, n - i, out + i);
	return n;
}

#else

static size_t digest_lanes(const uint8_t key[16], const struct digest_input *in, size_t n,
			   uint64_t *out)
{
	(void)key;
	(void)in;
	(void)n;
	(void)out;
	return 0;
}

#endif

static void digest_many(const uint8_t key[16], const struct digest_input *in, size_t n,
			uint64_t *out)
{
	for (size_t i = digest_lanes(key, in, n, out); i < n; i++) {
		(void)crypto_shorthash_siphash24((uint8_t *)&out[i], in[i].bytes, in[i].len, key);
		out[i] = le64toh(out[i]);
	}
}

void digest_positions(const struct digest_key *k, const struct digest_input *key, size_t n,
		      uint64_t *out)
{
	digest_many(k->position, key, n, out);
}

void digest_contents(const struct digest_key *k, const struct digest_input *flow, size_t n,
		     uint64_t *out)
{
	digest_many(k->content, flow, n, out);
}
