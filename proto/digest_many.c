/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many hashes at once: SipHash-2-4 (Aumasson, Bernstein, 2012) in the lanes of a vector unit, where
 * there is one wide enough to be worth it; otherwise one by one. Who checks a journal hashes each
 * flow of a datagram twice, and does little else.
 */
#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include "proto/digest_lanes.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_LANES 1
#endif

#ifdef HAVE_LANES

enum { LEAST = 3 /* for which lanes are worth it */, MOST = 2 * LANES };

/* The last word: what is left of the bytes, and the length on top. */
static inline uint64_t last_word(const struct digest_input *in)
{
	uint64_t v = (uint64_t)in->len << 56;
	size_t rest = in->len % WORD;

	/* In two steps: by a whole word's width nothing may be shifted. */
	return v | load64(in->bytes + in->len - WORD) >> 1 >> (8 * WORD - 1 - 8 * rest);
}

/* Not in a loop: that would go by way of memory, and wait for it. */
LANES_INLINE void load_lanes(const uint8_t *const p[LANES], size_t at, lanes *m)
{
	*m = (lanes){load64(p[0] + at), load64(p[1] + at), load64(p[2] + at), load64(p[3] + at),
		     load64(p[4] + at), load64(p[5] + at), load64(p[6] + at), load64(p[7] + at)};
}

__attribute__((target("avx2"))) static bool hash_avx2(const uint8_t key[16],
						      const struct digest_input *in, uint64_t *out)
{
	const uint8_t *bytes[LANES], *word[LANES];
	uint64_t words[LANES], last[LANES], shortest = UINT64_MAX, longest = 0;
	lanes m = {0}, active, count;
	struct sip s;

	sip_begin(&s, key);
	for (unsigned i = 0; i < LANES; i++) {
		bytes[i] = in[i].bytes;
		words[i] = in[i].len / WORD;
		if (!words[i])
			return false;
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
	sip_end(&s, out);
	return true;
}

static bool hash_avx2_twice(const uint8_t key[16], const struct digest_input *in, uint64_t *out)
{
	return hash_avx2(key, in, out) && hash_avx2(key, in + LANES, out + LANES);
}

/* False where one is shorter than a word; no flow and no key is. */
typedef bool hash_fn(const uint8_t key[16], const struct digest_input *in, uint64_t *out);

struct hashes {
	hash_fn *once, *twice; /* of LANES and of MOST inputs */
};

/* Lanes that are left over repeat the last one. */
static bool hash_rest(const struct hashes *h, const uint8_t key[16], const struct digest_input *in,
		      size_t n, uint64_t *out)
{
	struct digest_input padded[MOST];
	uint64_t all[MOST] = {0};

	for (size_t i = 0; i < MOST; i++)
		padded[i] = in[i < n ? i : n - 1];
	if (!(n > LANES ? h->twice : h->once)(key, padded, all))
		return false;
	memcpy(out, all, n * sizeof(all[0]));
	return true;
}

/* Returns how many it has done, from the first on; the others are not for lanes. */
static size_t digest_lanes(const uint8_t key[16], const struct digest_input *in, size_t n,
			   uint64_t *out)
{
	static const struct hashes avx512 = {digest_avx512, digest_avx512_twice};
	static const struct hashes avx2 = {hash_avx2, hash_avx2_twice};
	const struct hashes *h = __builtin_cpu_supports("avx512vl") ? &avx512
				 : __builtin_cpu_supports("avx2")   ? &avx2
								    : NULL;
	size_t i = 0;

	if (!h)
		return 0;
	for (; i + MOST <= n; i += MOST)
		if (!h->twice(key, in + i, out + i))
			return i;
	return n - i >= LEAST && hash_rest(h, key, in + i, n - i, out + i) ? n : i;
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
