/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table's ranges, at every depth and order; and its bounds: caps, memory, what it refuses. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/lib/table_fixture.h"

START_TEST(test_max_flows)
{
	for (uint32_t i = 0; i < 1000; i++)
		ck_assert_int_eq(put(i, 0, TABLE_WIRE), 1);
	ck_assert_int_eq(put(1000, 0, TABLE_WIRE), -ENOSPC);
	ck_assert_int_eq(put(1000, 0, TABLE_KERNEL), -ENOSPC);
	ck_assert_int_eq(put(5, 1, TABLE_WIRE), 1);
	ck_assert_int_eq(del(7, TABLE_WIRE), 1);
	ck_assert_int_eq(put(1000, 0, TABLE_WIRE), 1);
	ck_assert_int_eq(put(7, 0, TABLE_WIRE), -ENOSPC);
	ck_assert_uint_eq(table_count(t), 1000);
}
END_TEST

/* Flows that come and go while the kernel's queue stands still leave deletes, but not for ever. */
START_TEST(test_tombstones_are_capped_too)
{
	uint32_t i;
	int ret = 1;

	for (i = 0; i < 100000 && ret == 1; i++) {
		ret = put(i, 0, TABLE_KERNEL);
		if (ret == 1)
			ck_assert_int_eq(del(i, TABLE_KERNEL), 1);
	}
	ck_assert_int_eq(ret, -ENOSPC);
	ck_assert_uint_eq(table_queued(t, TABLE_KERNEL), 2000);
	expect_kernel(0, 0, true);
	ck_assert_int_eq(put(i, 0, TABLE_KERNEL), 1);
}
END_TEST

/* So it is with a wire that stands still and one flow that stays queued. */
START_TEST(test_stalled_wire_keeps_memory)
{
	size_t before;

	put(0, 0, TABLE_WIRE);
	for (uint32_t i = 1; i < 500; i++)
		put(i, 0, TABLE_WIRE);
	before = table_bytes(t);
	for (uint32_t i = 500; i < 100000; i++) {
		put(i, 0, TABLE_WIRE);
		if (i % 2 == 0)
			put(i % 500, i, TABLE_WIRE);
		ck_assert_int_eq(del(i, TABLE_WIRE), 1);
	}
	ck_assert_uint_eq(table_queued(t, TABLE_WIRE), 500);
	ck_assert_uint_le(table_bytes(t), 2 * before);
}
END_TEST

/* Flows that come and go in the order they came, behind one that stays: a queue of holes. */
START_TEST(test_queue_of_holes_keeps_memory)
{
	size_t before = 0;

	put(0, 0, TABLE_WIRE);
	for (uint32_t i = 1; i < 100000; i++) {
		put(i, 0, TABLE_WIRE);
		if (i > 400)
			ck_assert_int_eq(del(i - 400, TABLE_WIRE), 1);
		if (i == 1000)
			before = table_bytes(t);
	}
	ck_assert_uint_eq(table_queued(t, TABLE_WIRE), 401);
	ck_assert_uint_le(table_bytes(t), 2 * before);
	expect_wire(0, 0, false);
	for (uint32_t i = 100000 - 400; i < 100000; i++)
		expect_wire(i, 0, false);
	expect_idle();
}
END_TEST

START_TEST(test_range_sent_frees_tombstones)
{
	for (uint32_t i = 0; i < 5000; i++) {
		ck_assert_int_eq(put(i, 0, TABLE_NONE), 1); /* -ENOSPC were they left */
		del(i, TABLE_WIRE);
		table_range_sent(t, all);
	}
	expect_sent(0, 0);
}
END_TEST

struct in_order {
	uint64_t position;
	uint32_t i;
};

static int by_position(const void *a, const void *b)
{
	uint64_t x = ((const struct in_order *)a)->position;
	uint64_t y = ((const struct in_order *)b)->position;

	return (x > y) - (x < y);
}

/* As a joiner gets them: one corner of the table fills up before there is anything elsewhere. With
 * a table told beforehand how many there will be, and with one that is not. */
START_TEST(test_flows_in_hash_order)
{
	enum { N = 8000 };
	struct in_order *order = calloc(N, sizeof(*order));
	uint64_t digest = 0;

	table_free(t);
	t = table_new(&key, N);
	if (_i)
		table_reserve(t, _i == 1 ? N : 1000 * N);
	ck_assert_ptr_nonnull(order);
	for (uint32_t i = 0; i < N; i++) {
		order[i] = (struct in_order){position(i), i};
		digest ^= content(i, 0);
	}
	qsort(order, N, sizeof(*order), by_position);
	for (uint32_t i = 0; i < N; i++) {
		ck_assert_int_eq(put(order[i].i, 0, TABLE_NONE), 1);
		table_reserve(t, N); /* too late, without effect */
	}
	expect_sent(N, digest);
	for (uint32_t i = 0; i < N; i++) {
		uint64_t got, count;

		table_range_digest(t, (struct hash_range){order[i].position, 64}, &got, &count);
		ck_assert_uint_eq(count, 1);
		ck_assert_uint_eq(got, content(order[i].i, 0));
	}
	ck_assert_uint_lt(table_bytes(t), N * 120);
	free(order);
}
END_TEST

START_TEST(test_refuses_what_is_no_flow)
{
	uint8_t bytes[FLOW_MAX + 1] = {0};

	ck_assert_int_eq(table_put(t, bytes, 0, TABLE_WIRE), -EBADMSG);
	ck_assert_int_eq(table_put(t, bytes, 10, TABLE_WIRE), -EBADMSG);
	ck_assert_int_eq(table_put(t, bytes, sizeof(bytes), TABLE_WIRE), -EMSGSIZE);
	ck_assert_int_eq(table_del(t, bytes, 0, TABLE_WIRE), 0);
	ck_assert_int_eq(table_del(t, bytes, FLOW_MAX, TABLE_WIRE), 0);
	ck_assert_uint_eq(table_count(t), 0);
}
END_TEST

/* Every depth down to a single hash, while the directory is far from as deep, or just doubling. */
START_TEST(test_ranges_at_every_depth)
{
	for (uint32_t n = 1; n <= 300; n++) {
		uint64_t digest, count, half[2];

		put(n, 0, TABLE_NONE);
		for (unsigned depth = 0; depth <= 64; depth++) {
			struct hash_range r = {position(n), (uint8_t)depth};
			uint64_t want = 0, want_count = 0;

			r.lo = depth == 0 ? 0 : depth == 64 ? r.lo : r.lo & ~(UINT64_MAX >> depth);
			table_range_digest(t, r, &digest, &count);
			if (depth >= 40) { /* alone in there */
				ck_assert_uint_eq(count, 1);
				ck_assert_uint_eq(digest, content(n, 0));
			}
			if (depth == 64)
				continue;
			table_range_split(t, r, 1, half, &want_count);
			want = half[0] ^ half[1];
			if (want != digest || want_count != count)
				ck_abort_msg("flow %u, depth %u", n, depth);
		}
	}
}
END_TEST

START_TEST(test_range_sent_takes_off_the_wire)
{
	struct hash_range low = {0, 1}, high = {UINT64_C(1) << 63, 1};
	uint64_t digest = 0;
	size_t n = 0;

	for (uint32_t i = 0; i < 100; i++)
		put(i, 0, i % 2 ? TABLE_NONE : TABLE_WIRE);
	for (uint32_t i = 0; i < 100; i += 3)
		del(i, TABLE_WIRE);
	table_range_sent(t, low);
	table_range_sent(t, high);
	for (uint32_t i = 0; i < 100; i++)
		if (i % 3) {
			digest ^= content(i, 0);
			n++;
		}
	expect_sent(n, digest);
	expect_idle();
}
END_TEST

START_TEST(test_range_keep)
{
	struct table_slice keep[40];
	static struct bytes copy[20];
	size_t n = 0;

	for (uint32_t i = 0; i < 100; i++)
		put(i, 0, TABLE_NONE);
	del(50, TABLE_WIRE);
	put(51, 1, TABLE_WIRE);
	for (uint32_t i = 0; i < 20; i++) {
		copy[i] = *flow(i * 5, 0);
		ck_assert_int_eq(
			flow_key_slice(copy[i].flow, copy[i].len, &copy[i].key, &copy[i].key_len),
			0);
		keep[n++] = (struct table_slice){copy[i].key, copy[i].key_len};
		keep[n] = keep[n - 1]; /* twice does no harm */
		n++;
	}
	/* of the hundred stay 0, 5, 10 … but for 50, which is deleted */
	ck_assert_uint_eq(table_range_keep(t, all, keep, n), 100 - 20);
	ck_assert_uint_eq(table_count(t), 19);
	ck_assert_uint_eq(table_count_sent(t), 19);
	ck_assert_uint_eq(table_queued(t, TABLE_WIRE), 0);
	ck_assert_uint_eq(table_queued(t, TABLE_KERNEL), 80);
}
END_TEST

/* A predecessor's late list of a range must not undo what happened here since. */
START_TEST(test_range_keep_leaves_what_a_hold_remembers)
{
	put(1, 0, TABLE_NONE);
	put(2, 0, TABLE_NONE);
	put(3, 0, TABLE_NONE);
	table_hold_begin(t);
	put(1, 1, TABLE_WIRE);
	del(2, TABLE_WIRE);
	ck_assert_uint_eq(table_range_keep(t, all, NULL, 0), 1);
	expect_wire(1, 1, false);
	expect_wire(2, 0, true);
	expect_kernel(3, 0, true);
	expect_idle();
	expect_sent(1, content(1, 1));
	table_hold_end(t);
}
END_TEST

static int stop_at_third(void *ctx, uint64_t hash, const uint8_t *bytes, size_t len)
{
	(void)hash;
	(void)bytes;
	(void)len;
	return ++*(int *)ctx == 3 ? 42 : 0;
}

START_TEST(test_walk_stops)
{
	int n = 0;

	for (uint32_t i = 0; i < 100; i++)
		put(i, 0, TABLE_NONE);
	ck_assert_int_eq(table_walk(t, all, stop_at_third, &n), 42);
	ck_assert_int_eq(n, 3);
}
END_TEST

static unsigned damaged;

static void on_damaged(void *ctx, const uint8_t *bytes, size_t len)
{
	const struct bytes *b = ctx;

	ck_assert_uint_eq(len, b->len);
	ck_assert_mem_ne(bytes, b->flow, len);
	damaged++;
}

/* A bit of a flow's bytes changes by itself: found, once, and from then on the digest says so. What
 * is changed and not yet sent has no digest of its own to be held against. */
START_TEST(test_recheck)
{
	const struct bytes *b = flow(7, 9);
	const uint8_t *bytes;
	size_t len;

	for (uint32_t i = 0; i < 1000; i++)
		put(i, 9, i % 10 == 3 ? TABLE_WIRE : TABLE_KERNEL);
	put(8, 1, TABLE_WIRE);
	ck_assert_uint_eq(table_recheck(t, all, on_damaged, NULL), 899);
	ck_assert(table_get(t, b->key, b->key_len, &bytes, &len));
	*(uint8_t *)(uintptr_t)(bytes + len - 1) ^= 1; /* of the mark */
	damaged = 0;
	ck_assert_uint_eq(table_recheck(t, all, on_damaged, (void *)(uintptr_t)b), 899);
	ck_assert_uint_eq(damaged, 1);
	ck_assert_uint_eq(table_recheck(t, all, on_damaged, NULL), 899);
	ck_assert_uint_eq(damaged, 1);
	for (uint32_t i = 0; i < 1000; i++)
		del(i, TABLE_NONE);
	expect_sent(0, 0);
	put(7, 8, TABLE_KERNEL); /* 9 with its lowest bit changed */
	expect_sent(1, content(7, 8));
}
END_TEST

START_TEST(test_clear_gives_memory_back)
{
	size_t empty = table_bytes(t);

	for (uint32_t i = 0; i < 1000; i++)
		put(i, 0, i % 2 ? TABLE_WIRE : TABLE_KERNEL);
	ck_assert_uint_gt(table_bytes(t), empty + 1000 * 40);
	table_clear(t);
	ck_assert_uint_eq(table_bytes(t), empty);
	ck_assert_uint_eq(table_count(t), 0);
	expect_sent(0, 0);
	expect_idle();
	ck_assert_int_eq(put(1, 0, TABLE_WIRE), 1);
	expect_wire(1, 0, false);
	expect_sent(1, content(1, 0));
}
END_TEST

/* A flow that grows and shrinks past its chunk moves; both queues must follow it. */
START_TEST(test_moved_record_stays_queued)
{
	struct flow f;
	uint8_t big[FLOW_MAX];
	struct table_item item;
	int len;

	put(1, 0, TABLE_KERNEL);
	put(1, 1, TABLE_WIRE);
	numbered_flow(1, &f);
	memset(f.ct.labels, 0xff, sizeof(f.ct.labels));
	memcpy(f.ct.helper, "ftp", 4);
	f.ct.seqadj[0] = (struct flow_seqadj){1u << 30, -100000, 100000};
	f.ct.seqadj[1] = f.ct.seqadj[0];
	len = flow_encode(&f, big);
	ck_assert_int_gt(len, 80);
	ck_assert_int_eq(table_put(t, big, (size_t)len, TABLE_WIRE), 1);
	ck_assert(table_kernel_next(t, &item));
	ck_assert_uint_eq(item.len, (size_t)len);
	ck_assert_mem_eq(item.bytes, big, item.len);
	expect_sent(1, content(1, 0));
	ck_assert_int_eq(put(1, 2, TABLE_WIRE), 1);
	expect_wire(1, 2, false);
	expect_sent(1, content(1, 2));
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, test_max_flows);
	tcase_add_test(tc, test_tombstones_are_capped_too);
	tcase_add_test(tc, test_stalled_wire_keeps_memory);
	tcase_add_test(tc, test_queue_of_holes_keeps_memory);
	tcase_add_test(tc, test_range_sent_frees_tombstones);
	tcase_add_loop_test(tc, test_flows_in_hash_order, 0, 3);
	tcase_add_test(tc, test_refuses_what_is_no_flow);
	tcase_add_test(tc, test_ranges_at_every_depth);
	tcase_add_test(tc, test_range_sent_takes_off_the_wire);
	tcase_add_test(tc, test_range_keep);
	tcase_add_test(tc, test_range_keep_leaves_what_a_hold_remembers);
	tcase_add_test(tc, test_walk_stops);
	tcase_add_test(tc, test_recheck);
	tcase_add_test(tc, test_clear_gives_memory_back);
	tcase_add_test(tc, test_moved_record_stays_queued);
}

int main(void)
{
	Suite *s = suite_create("table_range");
	TCase *tc = tcase_create("table_range");

	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
