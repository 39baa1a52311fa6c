/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include <sodium.h>

#include "proto/digest.h"
#include "tests/lib/rng.h"
#include "tests/lib/suite.h"

/* The test vector of SipHash-2-4's authors (Aumasson, Bernstein, 2012, appendix A). */
START_TEST(test_siphash_vector)
{
	struct digest_key k;
	uint8_t in[15];

	for (uint8_t i = 0; i < 16; i++)
		k.position[i] = k.content[i] = i;
	for (uint8_t i = 0; i < 15; i++)
		in[i] = i;
	ck_assert_uint_eq(digest_position(&k, in, sizeof(in)), 0xa129ca6149be45e5);
	ck_assert_uint_eq(digest_content(&k, in, sizeof(in)), 0xa129ca6149be45e5);
}
END_TEST

START_TEST(test_derived_keys_differ)
{
	uint8_t secret[32] = {9};
	struct digest_key a, b;

	digest_key_derive(&a, secret);
	digest_key_derive(&b, secret);
	ck_assert_mem_eq(a.position, b.position, 16);
	ck_assert_mem_eq(a.content, b.content, 16);
	ck_assert_uint_eq(a.id, b.id);
	ck_assert_mem_ne(a.position, a.content, 16);
	secret[31] = 1;
	digest_key_derive(&b, secret);
	ck_assert_mem_ne(a.position, b.position, 16);
	ck_assert_mem_ne(a.content, b.content, 16);
	ck_assert_uint_ne(a.id, b.id);
}
END_TEST

/* Any byte of any length changes the hash, and positions fill hash space evenly. */
START_TEST(test_hash_spreads)
{
	enum { BUCKETS = 64, N = 64000 };
	unsigned bucket[BUCKETS] = {0};
	uint8_t secret[32] = {1}, bytes[40] = {0};
	struct digest_key k;
	struct rng r;

	rng_init_env(&r, "digest");
	digest_key_derive(&k, secret);
	for (int i = 0; i < N; i++) {
		memcpy(bytes, &i, sizeof(i));
		bucket[digest_position(&k, bytes, sizeof(bytes)) >> 58]++;
	}
	for (int i = 0; i < BUCKETS; i++) { /* mean 1000, standard deviation 31 */
		ck_assert_uint_gt(bucket[i], 800);
		ck_assert_uint_lt(bucket[i], 1200);
	}
	for (int i = 0; i < 10000; i++) {
		size_t len = 1 + rng_below(&r, sizeof(bytes)), at = rng_below(&r, len);
		uint64_t before;

		rng_fill(&r, bytes, len);
		before = digest_content(&k, bytes, len);
		bytes[at] ^= (uint8_t)(1 + rng_below(&r, 255));
		ck_assert_uint_ne(digest_content(&k, bytes, len), before);
		ck_assert_uint_ne(digest_content(&k, bytes, len),
				  digest_content(&k, bytes, len - 1));
	}
}
END_TEST

/* Many at once are what each is alone, whatever their lengths and number. */
START_TEST(test_many)
{
	enum { MOST = 40, LEN_MAX = 100 };
	uint8_t secret[32] = {2}, bytes[MOST][LEN_MAX];
	uint64_t position[MOST], content[MOST];
	struct digest_input in[MOST];
	struct digest_key k;
	struct rng r;

	rng_init_env(&r, "digest_many");
	digest_key_derive(&k, secret);
	for (int run = 0; run < 2000; run++) {
		size_t n = rng_below(&r, MOST + 1);
		bool alike = rng_below(&r, 2);

		for (size_t i = 0; i < n; i++) {
			rng_fill(&r, bytes[i], LEN_MAX);
			in[i].bytes = bytes[i];
			in[i].len = alike && i ? in[0].len : rng_below(&r, LEN_MAX + 1);
		}
		digest_positions(&k, in, n, position);
		digest_contents(&k, in, n, content);
		for (size_t i = 0; i < n; i++) {
			ck_assert_uint_eq(position[i], digest_position(&k, bytes[i], in[i].len));
			ck_assert_uint_eq(content[i], digest_content(&k, bytes[i], in[i].len));
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("digest");
	TCase *tc = tcase_create("digest");

	if (sodium_init() < 0)
		return 1;
	tcase_add_test(tc, test_siphash_vector);
	tcase_add_test(tc, test_derived_keys_differ);
	tcase_add_test(tc, test_hash_spreads);
	tcase_add_test(tc, test_many);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
