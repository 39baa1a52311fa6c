/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash-2-4 (Aumasson, Bernstein, 2012) of eight inputs, one in each lane of vectors: what does
 * not depend on how they are loaded. Private to digest_many.c and digest_avx512.c, whose functions
 * say for which processor all this is compiled.
 */
#ifndef PROTO_DIGEST_LANES_H
#define PROTO_DIGEST_LANES_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "proto/digest.h"

enum { LANES = 8, WORD = 8 };

typedef uint64_t lanes __attribute__((vector_size(LANES * sizeof(uint64_t))));

#define LANES_INLINE __attribute__((always_inline)) static inline

struct sip {
	lanes v0, v1, v2, v3;
};

LANES_INLINE uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

LANES_INLINE void sip_begin(struct sip *s, const uint8_t key[16])
{
	const uint64_t k0 = load64(key), k1 = load64(key + WORD);

	s->v0 = (lanes){0} + (k0 ^ 0x736f6d6570736575);
	s->v1 = (lanes){0} + (k1 ^ 0x646f72616e646f6d);
	s->v2 = (lanes){0} + (k0 ^ 0x6c7967656e657261);
	s->v3 = (lanes){0} + (k1 ^ 0x7465646279746573);
}

LANES_INLINE void sip_round(struct sip *s)
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

LANES_INLINE void sip_word(struct sip *s, const lanes *m)
{
	s->v3 ^= *m;
	sip_round(s);
	sip_round(s);
	s->v0 ^= *m;
}

/* Lanes whose mask is zero are at their end, and keep what they have. */
LANES_INLINE void sip_word_masked(struct sip *s, const lanes *m, const lanes *active)
{
	struct sip was = *s;

	sip_word(s, m);
	s->v0 = (s->v0 & *active) | (was.v0 & ~*active);
	s->v1 = (s->v1 & *active) | (was.v1 & ~*active);
	s->v2 = (s->v2 & *active) | (was.v2 & ~*active);
	s->v3 = (s->v3 & *active) | (was.v3 & ~*active);
}

LANES_INLINE void sip_end(struct sip *s, uint64_t *out)
{
	s->v2 ^= (lanes){0} + 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(s);
	s->v0 ^= s->v1 ^ s->v2 ^ s->v3;
	memcpy(out, &s->v0, sizeof(s->v0));
}

#ifdef __x86_64__
/* Of LANES inputs, or of twice as many; for AVX-512. False where one is shorter than a word. */
bool digest_avx512(const uint8_t key[16], const struct digest_input *in, uint64_t *out);
bool digest_avx512_twice(const uint8_t key[16], const struct digest_input *in, uint64_t *out);
#endif

#endif
