/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One table of numbered flows, and short words to act on it: the fixture of the table's tests. To
 * be included once in a test program; what a test leaves unused costs nothing.
 */
#ifndef TESTS_LIB_TABLE_FIXTURE_H
#define TESTS_LIB_TABLE_FIXTURE_H

#include <check.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "syncd/table/table.h"
#include "tests/lib/random_flow.h"

static struct digest_key key;
static struct table *t;

static const struct hash_range all = {0};

/* An encoded flow and the slice that is its key. */
struct bytes {
	uint8_t flow[FLOW_MAX];
	size_t len, key_len;
	const uint8_t *key;
};

/* Flow i with some mark, which makes its bytes differ, and their length where mark is large. */
static inline const struct bytes *flow(uint32_t i, uint32_t mark)
{
	static struct bytes ring[8];
	static unsigned at;
	struct bytes *b = &ring[at++ % 8];
	struct flow f;
	int len;

	numbered_flow(i, &f);
	f.ct.mark = mark;
	len = flow_encode(&f, b->flow);
	if (len <= 0)
		ck_abort_msg("flow_encode: %d", len);
	b->len = (size_t)len;
	if (flow_key_slice(b->flow, b->len, &b->key, &b->key_len))
		ck_abort_msg("flow_key_slice");
	return b;
}

static inline int put(uint32_t i, uint32_t mark, enum table_queue queue)
{
	const struct bytes *b = flow(i, mark);

	return table_put(t, b->flow, b->len, queue);
}

static inline int del(uint32_t i, enum table_queue queue)
{
	const struct bytes *b = flow(i, 0);

	return table_del(t, b->key, b->key_len, queue);
}

static inline bool touched(uint32_t i)
{
	const struct bytes *b = flow(i, 0);

	return table_touched(t, b->key, b->key_len);
}

static inline uint64_t position(uint32_t i)
{
	const struct bytes *b = flow(i, 0);

	return digest_position(&key, b->key, b->key_len);
}

static inline uint64_t content(uint32_t i, uint32_t mark)
{
	const struct bytes *b = flow(i, mark);

	return digest_content(&key, b->flow, b->len);
}

static inline void expect_sent(uint64_t count, uint64_t digest)
{
	uint64_t got_digest, got_count;

	table_range_digest(t, all, &got_digest, &got_count);
	ck_assert_uint_eq(got_count, count);
	ck_assert_uint_eq(got_digest, digest);
	ck_assert_uint_eq(table_count_sent(t), count);
}

static inline void expect_item(const struct table_item *item, uint32_t i, uint32_t mark,
			       bool is_del)
{
	const struct bytes *b = flow(i, mark);

	ck_assert_int_eq(item->del, is_del);
	ck_assert_uint_eq(item->len, is_del ? b->key_len : b->len);
	ck_assert_mem_eq(item->bytes, is_del ? b->key : b->flow, item->len);
}

/* Takes the next change for the wire, which is to be this one. */
static inline void expect_wire(uint32_t i, uint32_t mark, bool is_del)
{
	struct table_item item;

	ck_assert(table_wire_next(t, &item));
	expect_item(&item, i, mark, is_del);
	table_wire_done(t);
}

static inline void expect_kernel(uint32_t i, uint32_t mark, bool is_del)
{
	struct table_item item;

	ck_assert(table_kernel_next(t, &item));
	expect_item(&item, i, mark, is_del);
}

static inline void expect_idle(void)
{
	struct table_item item;

	ck_assert(!table_wire_next(t, &item));
	ck_assert(!table_kernel_next(t, &item));
	ck_assert_uint_eq(table_queued(t, TABLE_WIRE), 0);
	ck_assert_uint_eq(table_queued(t, TABLE_KERNEL), 0);
}

static inline void setup(void)
{
	static const uint8_t secret[32] = "a secret of the whole cluster ..";

	digest_key_derive(&key, secret);
	t = table_new(&key, 1000);
	ck_assert_ptr_nonnull(t);
}

static inline void teardown(void)
{
	table_free(t);
}

#endif
