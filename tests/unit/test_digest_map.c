// SPDX-License-Identifier: GPL-2.0-or-later
/* The map of digests beside the daemon's table: the same operations, the same digests. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "replay/digest_queue.h"
#include "syncd/table/table.h"
#include "tests/lib/rng.h"
#include "tests/lib/suite.h"
#include "proto/flow_codec.h"

enum { KEYS = 6000, STEPS = 60000 };

struct both {
	struct digest_key key;
	struct table *table;
	struct digest_map *map;
};

static size_t flow(unsigned n, unsigned version, uint8_t *buf)
{
	struct flow f = {.key = {.addr_len = 4, .l4proto = 6, .sport = (uint16_t)n, .dport = 80}};
	int len;

	f.key.src.b[0] = 192;
	flow_mirror_reply(&f);
	f.ct.reply_sport = (uint16_t)version;
	len = flow_encode(&f, buf);
	ck_assert_int_gt(len, 0);
	return (size_t)len;
}

static void change(struct digest_map *m, uint64_t position, uint64_t digest, bool is_put)
{
	const struct digest_change c = {position, digest, is_put};

	digest_map_change(m, &c, 1, NULL, 0);
}

static void put(struct both *b, unsigned n, unsigned version)
{
	uint8_t bytes[FLOW_MAX];
	size_t len = flow(n, version, bytes), key_len;
	const uint8_t *key;

	ck_assert_int_eq(flow_key_slice(bytes, len, &key, &key_len), 0);
	ck_assert_int_ge(table_put(b->table, bytes, len, TABLE_NONE), 0);
	change(b->map, digest_position(&b->key, key, key_len), digest_content(&b->key, bytes, len),
	       true);
}

static void del(struct both *b, unsigned n)
{
	uint8_t bytes[FLOW_MAX];
	size_t len = flow(n, 0, bytes), key_len;
	const uint8_t *key;

	ck_assert_int_eq(flow_key_slice(bytes, len, &key, &key_len), 0);
	(void)table_del(b->table, key, key_len, TABLE_NONE);
	change(b->map, digest_position(&b->key, key, key_len), 0, false);
}

static void del_range(struct both *b, struct rng *r)
{
	struct hash_range range = {.depth = (uint8_t)rng_below(r, 14)};

	range.lo = range.depth ? rng_below(r, 1u << range.depth) << (64 - range.depth) : 0;
	if (range.depth < 4 && rng_below(r, 10))
		return;
	(void)table_range_keep(b->table, range, NULL, 0);
	table_queue_clear(b->table, TABLE_KERNEL);
	digest_map_del_range(b->map, range);
}

START_TEST(test_as_the_table)
{
	struct both b;
	struct rng r;

	rng_init_env(&r, "digest_map");
	rng_fill(&r, &b.key, sizeof(b.key));
	b.table = table_new(&b.key, KEYS);
	b.map = digest_map_new();
	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t digest, count, what = rng_below(&r, 100);
		unsigned n = (unsigned)rng_below(&r, KEYS);

		if (what < 60)
			put(&b, n, (unsigned)rng_below(&r, 3));
		else if (what < 99)
			del(&b, n);
		else
			del_range(&b, &r);
		if (rng_below(&r, 20)) /* what waits is not yet told */
			continue;
		ck_assert_int_eq(digest_map_error(b.map), 0);
		table_range_digest(b.table, (struct hash_range){0, 0}, &digest, &count);
		ck_assert_uint_eq(digest_map_count(b.map), count);
		ck_assert_uint_eq(digest_map_digest(b.map), digest);
	}
	digest_map_clear(b.map);
	ck_assert_uint_eq(digest_map_count(b.map), 0);
	ck_assert_uint_eq(digest_map_digest(b.map), 0);
	digest_map_free(b.map);
	table_free(b.table);
}
END_TEST

/* Both ends of hash space, and more in one place than a place is meant for. */
START_TEST(test_crowded)
{
	enum { MANY = 3000 };
	const struct hash_range top = {UINT64_C(1) << 63, 1};
	struct digest_map *m = digest_map_new();

	for (uint64_t i = 0; i < MANY; i++) {
		change(m, UINT64_MAX - i * (UINT64_MAX >> 15), i + 1, true);
		change(m, i * (UINT64_MAX >> 15), 1 << 20 | i, true);
	}
	ck_assert_int_eq(digest_map_error(m), 0);
	ck_assert_uint_eq(digest_map_count(m), 2 * MANY);
	change(m, 0, 0, false);
	change(m, UINT64_MAX, 0, false);
	ck_assert_int_eq(digest_map_error(m), 0);
	ck_assert_uint_eq(digest_map_count(m), 2 * MANY - 2);
	digest_map_del_range(m, top);
	ck_assert_uint_eq(digest_map_count(m), MANY - 1);
	digest_map_clear(m);
	ck_assert_uint_eq(digest_map_digest(m), 0);
	digest_map_free(m);
}
END_TEST

enum { GROUPS = 2 };

struct queued {
	struct digest_key key;
	struct digest_queue *queue;
	struct table *table[GROUPS];
	struct digest_map *map[GROUPS];
};

/* One datagram of one of two groups, with a repaired range or not, applied or not. */
static void datagram(struct queued *q, struct rng *r)
{
	const bool apply = rng_below(r, 10), ranged = rng_below(r, 8) == 0;
	struct hash_range range = {.depth = 5, .lo = rng_below(r, 1 << 5) << 59};
	size_t g = rng_below(r, GROUPS), n = rng_below(r, 200);
	static uint8_t buf[1 << 14];
	struct data_writer w;
	struct data_info info;

	data_begin(&w, buf, sizeof(buf), 1, 1, 1);
	if (apply && ranged)
		(void)table_range_keep(q->table[g], range, NULL, 0);
	if (ranged)
		ck_assert(data_add_range(&w, range));
	for (size_t i = 0; i < n; i++) {
		uint8_t bytes[FLOW_MAX + 128];
		size_t len = flow((unsigned)rng_below(r, KEYS), (unsigned)i, bytes), key_len;
		const uint8_t *key;

		ck_assert_int_eq(flow_key_slice(bytes, len, &key, &key_len), 0);
		if (rng_below(r, 30) == 0) { /* of a newer peer, and longer than most */
			bytes[len++] = 0x7a;
			bytes[len++] = 100;
			memset(bytes + len, 0, 100);
			len += 100;
		}
		if (rng_below(r, 3)) {
			if (data_add_put(&w, bytes, len) && apply)
				(void)table_put(q->table[g], bytes, len, TABLE_NONE);
		} else if (data_add_del(&w, key, key_len) && apply) {
			(void)table_del(q->table[g], key, key_len, TABLE_NONE);
		}
	}
	table_queue_clear(q->table[g], TABLE_KERNEL);
	ck_assert_int_eq(digest_queue_read(q->queue, buf, w.len, &info), 0);
	if (!apply)
		return;
	if (info.has_range) {
		digest_queue_settle(q->queue);
		digest_map_del_range(q->map[g], info.range);
	}
	digest_queue_take(q->queue, q->map[g]);
}

START_TEST(test_queue)
{
	enum { DATAGRAMS = 3000 };
	struct queued q;
	struct rng r;

	rng_init_env(&r, "digest_queue");
	rng_fill(&r, &q.key, sizeof(q.key));
	q.queue = digest_queue_new(&q.key);
	for (size_t g = 0; g < GROUPS; g++) {
		q.table[g] = table_new(&q.key, KEYS);
		q.map[g] = digest_map_new();
	}
	for (unsigned i = 0; i < DATAGRAMS; i++) {
		datagram(&q, &r);
		if (rng_below(&r, 10))
			continue;
		digest_queue_settle(q.queue);
		for (size_t g = 0; g < GROUPS; g++) {
			uint64_t digest, count;

			table_range_digest(q.table[g], (struct hash_range){0, 0}, &digest, &count);
			ck_assert_uint_eq(digest_map_count(q.map[g]), count);
			ck_assert_uint_eq(digest_map_digest(q.map[g]), digest);
		}
	}
	for (size_t g = 0; g < GROUPS; g++) {
		table_free(q.table[g]);
		digest_map_free(q.map[g]);
	}
	digest_queue_free(q.queue);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("digest_map");
	TCase *tc = tcase_create("digest_map");

	if (sodium_init() < 0)
		return 1;
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_as_the_table);
	tcase_add_test(tc, test_crowded);
	tcase_add_test(tc, test_queue);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
