/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash-2-4 in the lanes of AVX-512, which fetches words of eight inputs at once, wherever they
 * are. Two groups of eight go side by side, since one alone waits for itself. Used by
 * digest_many.c.
 */
#include "proto/digest_lanes.h"

#ifdef __x86_64__

#include <immintrin.h>

#define AVX512	      __attribute__((target("avx512f")))
#define AVX512_INLINE __attribute__((always_inline, target("avx512f"))) static inline

struct group {
	struct sip s;
	__m512i at;    /* where each lane's next word is */
	__m512i words; /* whole ones that each has */
	__m512i last;  /* what is left of the bytes, and the length on top */
	uint64_t shortest, longest;
};

AVX512_INLINE lanes fetch(__m512i address)
{
	return (lanes)_mm512_i64gather_epi64(address, NULL, 1);
}

AVX512_INLINE __m512i all(uint64_t v)
{
	return _mm512_set1_epi64((long long)v);
}

/* False where one is shorter than a word: its last bytes could not be fetched as one. */
AVX512_INLINE bool group_begin(struct group *g, const uint8_t key[16],
			       const struct digest_input *in)
{
	const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
	const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
	__m512i a = _mm512_loadu_si512(in), b = _mm512_loadu_si512(in + LANES / 2);
	__m512i len = _mm512_permutex2var_epi64(a, odd, b), end, rest_bits;

	sip_begin(&g->s, key);
	g->at = _mm512_permutex2var_epi64(a, even, b);
	g->words = _mm512_srli_epi64(len, 3);
	g->shortest = _mm512_reduce_min_epu64(g->words);
	g->longest = _mm512_reduce_max_epu64(g->words);
	if (!g->shortest)
		return false;
	end = _mm512_add_epi64(g->at, _mm512_sub_epi64(len, all(WORD)));
	rest_bits = _mm512_slli_epi64(_mm512_and_epi64(len, all(WORD - 1)), 3);
	g->last = _mm512_srlv_epi64((__m512i)fetch(end), _mm512_sub_epi64(all(64), rest_bits));
	g->last = _mm512_or_epi64(g->last, _mm512_slli_epi64(len, 56));
	return true;
}

AVX512_INLINE void group_word(struct group *g)
{
	lanes m = fetch(g->at);

	sip_word(&g->s, &m);
	g->at = _mm512_add_epi64(g->at, all(WORD));
}

/* From the w-th word on, which not all lanes have. */
AVX512_INLINE void group_end(struct group *g, uint64_t w, uint64_t *out)
{
	for (; w < g->shortest; w++)
		group_word(g);
	for (; w <= g->longest; w++) {
		__mmask8 whole = _mm512_cmpgt_epu64_mask(g->words, all(w));
		__mmask8 over = _mm512_cmplt_epu64_mask(g->words, all(w));
		lanes m = (lanes)_mm512_mask_i64gather_epi64(g->last, whole, g->at, NULL, 1);
		lanes active = (lanes)_mm512_mask_mov_epi64(all(UINT64_MAX), over, all(0));

		if (over)
			sip_word_masked(&g->s, &m, &active);
		else
			sip_word(&g->s, &m);
		g->at = _mm512_add_epi64(g->at, all(WORD));
	}
	sip_end(&g->s, out);
}

AVX512 bool digest_avx512(const uint8_t key[16], const struct digest_input *in, uint64_t *out)
{
	struct group g;

	if (!group_begin(&g, key, in))
		return false;
	group_end(&g, 0, out);
	return true;
}

AVX512 bool digest_avx512_twice(const uint8_t key[16], const struct digest_input *in, uint64_t *out)
{
	struct group a, b;
	uint64_t w = 0;

	if (!group_begin(&a, key, in) || !group_begin(&b, key, in + LANES))
		return false;
	for (; w < a.shortest && w < b.shortest; w++) {
		group_word(&a);
		group_word(&b);
	}
	group_end(&a, w, out);
	group_end(&b, w, out + LANES);
	return true;
}

#endif
