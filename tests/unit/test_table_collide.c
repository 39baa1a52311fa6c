/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table when different keys have the same position. SipHash gives no such keys to a test, so
 * this program brings its own proto/digest.h, with positions cut down to a few bits; the linker
 * prefers it to the archive's.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/table/table.h"
#include "tests/lib/suite.h"
#include "tests/lib/table_model.h"

static uint64_t mix(uint64_t h, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 29;
	h *= UINT64_C(0xbf58476d1ce4e5b9);
	return h ^ h >> 32;
}

void digest_key_derive(struct digest_key *k, const uint8_t secret[32])
{
	memcpy(k->position, secret, 16);
	memcpy(k->content, secret + 16, 16);
	k->id = 1;
}

/* Six bits at the top and one at the bottom: 128 positions. */
uint64_t digest_position(const struct digest_key *k, const uint8_t *key, size_t len)
{
	return mix(k->position[0], key, len) & UINT64_C(0xfc00000000000001);
}

uint64_t digest_content(const struct digest_key *k, const uint8_t *flow, size_t len)
{
	return mix(k->content[0] + UINT64_C(0xcbf29ce484222325), flow, len);
}

START_TEST(test_model_with_collisions)
{
	struct table_model_run run = {
		.keys = 800, .max_flows = 700, .steps = 40000, .check_every = 200};
	struct rng rng;

	rng_init_env(&rng, "table_collide");
	table_model_run(&rng, &run);
}
END_TEST

static size_t small_flow(uint32_t i, uint8_t *flow)
{
	flow[0] = 0x0a;
	flow[1] = 4;
	memcpy(flow + 2, &i, 4);
	return 6;
}

/* Who knows the key could aim all flows at one bucket: refused, nothing lost of what is there. */
START_TEST(test_full_bucket_refuses)
{
	uint8_t secret[32] = {7}, flow[6];
	struct digest_key key;
	struct table *t;
	uint64_t where, digest, count;
	size_t put = 0, refused = 0;

	digest_key_derive(&key, secret);
	t = table_new(&key, 100000);
	small_flow(0, flow);
	where = digest_position(&key, flow + 2, 4);
	for (uint32_t i = 0; i < 20000; i++) {
		int ret;

		small_flow(i, flow);
		if (digest_position(&key, flow + 2, 4) != where)
			continue;
		ret = table_put(t, flow, 6, TABLE_KERNEL);
		put += ret == 1;
		refused += ret == -ENOSPC;
		ck_assert(ret == 1 || ret == -ENOSPC);
	}
	ck_assert_uint_eq(put, 64);
	ck_assert_uint_gt(refused, 0);
	ck_assert_uint_eq(table_count(t), put);
	table_range_digest(t, (struct hash_range){where, 64}, &digest, &count);
	ck_assert_uint_eq(count, put);
	ck_assert_uint_eq(table_range_keep(t, (struct hash_range){where, 64}, NULL, 0), put);
	table_range_digest(t, (struct hash_range){0}, &digest, &count);
	ck_assert_uint_eq(count, 0);
	ck_assert_uint_eq(digest, 0);
	table_free(t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("table_collide");
	TCase *tc = tcase_create("collide");

	tcase_add_test(tc, test_model_with_collisions);
	tcase_add_test(tc, test_full_bucket_refuses);
	tcase_set_timeout(tc, 300);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
