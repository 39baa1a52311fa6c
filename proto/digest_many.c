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

	/* In two steps: by a whole word's width nothing may be shifted. */
	if (in->len >= WORD)
		return v | load64(in->bytes + in->len - WORD) >> 1 >> (8 * WORD - 1 - 8 * rest);
	for (size_t i = 0; i < rest; i++)
		v |= (uint64_t)in->bytes[in->len - rest + i] << (8 * i);
	return v;
}

/* Not in a loop: that would go by way of memory, and wait for it. */
__attribute__((always_inline)) static inline void load_lanes(const uint8_t *const p[LANES],
							     size_t at, lanes *m)
{
	*m = (lanes){load64(p[0] + at), load64(p[1] + at), load64(p[2] + at), load64(p[3] + at),
		     load64(p[4] + at), load64(p[5] + at), load64(p[6] + at), load64(p[7] + at)};
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
	const uint8_t *bytes[LANES], *word[LANES];
	uint64_t words[LANES], last[LANES], shortest = UINT64_MAX, longest = 0;
	struct sip s = {
		.v0 = (lanes){0} + (k0 ^ 0x736f6d6570736575),
		.v1 = (lanes){0} + (k1 ^ 0x646f72616e646f6d),
		.v2 = (lanes){0} + (k0 ^ 0x6c7967656e657261),
		.v3 = (lanes){0} + (k1 ^ 0x7465646279746573),
	};
	lanes m = {0}, active, count;

	for (unsigned i = 0; i < LANES; i++) {
		bytes[i] = in[i].bytes;
		words[i] = in[i].len / WORD;
		last[i] = last_word(&in[i]);
		shortest = words[i] < shortest ? words[i] : shortest;
		longest = words[i] > longest ? words[i] : longest;
	}
	for (size_t w = 0; w < shortest; w++) {
		load_lanes(bytes, w * WORD, &m);
		sip_word(&s, &m);
	}
	memcpy(&count, words, sizeof(count));
	for (size_t w = shortest; w <= longest; w++) {
		for (unsigned i = 0; i < LANES; i++)
			word[i] = w < words[i] ? bytes[i] + w * WORD : (const uint8_t *)&last[i];
		active = (lanes)(count >= w);
		load_lanes(word, 0, &m);
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
