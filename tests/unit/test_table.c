/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table, case by case: what coalesces, what digests speak of, what tombstones wait for. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
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
static const struct bytes *flow(uint32_t i, uint32_t mark)
{
	static struct bytes ring[8];
	static unsigned at;
	struct bytes *b = &ring[at++ % 8];
	struct flow f;
	int len;

	numbered_flow(i, &f);
	f.ct.mark = mark;
	len = flow_encode(&f, b->flow);
	ck_assert_int_gt(len, 0);
	b->len = (size_t)len;
	ck_assert_int_eq(flow_key_slice(b->flow, b->len, &b->key, &b->key_len), 0);
	return b;
}

static int put(uint32_t i, uint32_t mark, enum table_queue queue)
{
	const struct bytes *b = flow(i, mark);

	return table_put(t, b->flow, b->len, queue);
}

static int del(uint32_t i, enum table_queue queue)
{
	const struct bytes *b = flow(i, 0);

	return table_del(t, b->key, b->key_len, queue);
}

static bool touched(uint32_t i)
{
	const struct bytes *b = flow(i, 0);

	return table_touched(t, b->key, b->key_len);
}

static uint64_t position(uint32_t i)
{
	const struct bytes *b = flow(i, 0);

	return digest_position(&key, b->key, b->key_len);
}

static uint64_t content(uint32_t i, uint32_t mark)
{
	const struct bytes *b = flow(i, mark);

	return digest_content(&key, b->flow, b->len);
}

static void expect_sent(uint64_t count, uint64_t digest)
{
	uint64_t got_digest, got_count;

	table_range_digest(t, all, &got_digest, &got_count);
	ck_assert_uint_eq(got_count, count);
	ck_assert_uint_eq(got_digest, digest);
	ck_assert_uint_eq(table_count_sent(t), count);
}

static void expect_item(const struct table_item *item, uint32_t i, uint32_t mark, bool is_del)
{
	const struct bytes *b = flow(i, mark);

	ck_assert_int_eq(item->del, is_del);
	ck_assert_uint_eq(item->len, is_del ? b->key_len : b->len);
	ck_assert_mem_eq(item->bytes, is_del ? b->key : b->flow, item->len);
}

/* Takes the next change for the wire, which is to be this one. */
static void expect_wire(uint32_t i, uint32_t mark, bool is_del)
{
	struct table_item item;

	ck_assert(table_wire_next(t, &item));
	expect_item(&item, i, mark, is_del);
	table_wire_done(t);
}

static void expect_kernel(uint32_t i, uint32_t mark, bool is_del)
{
	struct table_item item;

	ck_assert(table_kernel_next(t, &item));
	expect_item(&item, i, mark, is_del);
}

static void expect_idle(void)
{
	struct table_item item;

	ck_assert(!table_wire_next(t, &item));
	ck_assert(!table_kernel_next(t, &item));
	ck_assert_uint_eq(table_queued(t, TABLE_WIRE), 0);
	ck_assert_uint_eq(table_queued(t, TABLE_KERNEL), 0);
}

static void setup(void)
{
	static const uint8_t secret[32] = "a secret of the whole cluster ..";

	digest_key_derive(&key, secret);
	t = table_new(&key, 1000);
	ck_assert_ptr_nonnull(t);
}

static void teardown(void)
{
	table_free(t);
}

START_TEST(test_digest_changes_when_sent)
{
	ck_assert_int_eq(put(1, 0, TABLE_WIRE), 1);
	ck_assert_int_eq(put(1, 0, TABLE_WIRE), 0);
	ck_assert_uint_eq(table_count(t), 1);
	expect_sent(0, 0);
	expect_wire(1, 0, false);
	expect_sent(1, content(1, 0));

	ck_assert_int_eq(put(1, 7, TABLE_WIRE), 1);
	expect_sent(1, content(1, 0));
	expect_wire(1, 7, false);
	expect_sent(1, content(1, 7));

	ck_assert_int_eq(del(1, TABLE_WIRE), 1);
	ck_assert_int_eq(del(1, TABLE_WIRE), 0);
	ck_assert_uint_eq(table_count(t), 0);
	expect_sent(1, content(1, 7));
	expect_wire(1, 0, true);
	expect_sent(0, 0);
	expect_idle();
}
END_TEST

START_TEST(test_changes_coalesce)
{
	put(1, 0, TABLE_WIRE);
	put(2, 0, TABLE_WIRE);
	put(1, 1, TABLE_WIRE);
	put(1, 2, TABLE_WIRE);
	ck_assert_uint_eq(table_queued(t, TABLE_WIRE), 2);
	ck_assert_uint_eq(table_coalesced(t), 2);
	expect_wire(1, 2, false);
	expect_wire(2, 0, false);
	expect_sent(2, content(1, 2) ^ content(2, 0));
	expect_idle();
}
END_TEST

START_TEST(test_flow_never_sent_and_deleted_sends_nothing)
{
	put(1, 0, TABLE_WIRE);
	put(2, 0, TABLE_WIRE);
	ck_assert_int_eq(del(1, TABLE_WIRE), 1);
	ck_assert_uint_eq(table_queued(t, TABLE_WIRE), 1);
	ck_assert_uint_eq(table_coalesced(t), 1);
	expect_wire(2, 0, false);
	expect_sent(1, content(2, 0));
	expect_idle();
}
END_TEST

START_TEST(test_put_after_delete_not_sent)
{
	put(1, 0, TABLE_NONE);
	del(1, TABLE_WIRE);
	put(1, 5, TABLE_WIRE);
	expect_sent(1, content(1, 0));
	expect_wire(1, 5, false);
	expect_sent(1, content(1, 5));
	expect_idle();
}
END_TEST

START_TEST(test_back_to_what_was_sent_sends_nothing)
{
	put(1, 0, TABLE_NONE);
	put(1, 5, TABLE_WIRE);
	put(1, 0, TABLE_WIRE);
	expect_sent(1, content(1, 0));
	expect_idle();
	del(1, TABLE_WIRE);
	put(1, 0, TABLE_WIRE);
	expect_sent(1, content(1, 0));
	expect_idle();
}
END_TEST

START_TEST(test_received_counts_at_once)
{
	put(1, 0, TABLE_KERNEL);
	expect_sent(1, content(1, 0));
	put(1, 3, TABLE_KERNEL);
	expect_sent(1, content(1, 3));
	ck_assert_uint_eq(table_queued(t, TABLE_KERNEL), 1);
	expect_kernel(1, 3, false);
	ck_assert_int_eq(put(1, 3, TABLE_KERNEL), 0);
	expect_idle();
	ck_assert_int_eq(del(1, TABLE_KERNEL), 1);
	expect_sent(0, 0);
	expect_kernel(1, 0, true);
	expect_idle();
}
END_TEST

/* The peer's word ends what was waiting here, also where it says the same. */
START_TEST(test_received_overrules_unsent)
{
	put(1, 1, TABLE_WIRE);
	put(1, 2, TABLE_KERNEL);
	expect_sent(1, content(1, 2));
	expect_kernel(1, 2, false);
	expect_idle();
	put(2, 1, TABLE_WIRE);
	ck_assert_int_eq(put(2, 1, TABLE_KERNEL), 0);
	expect_sent(2, content(1, 2) ^ content(2, 1));
	expect_idle();
	del(2, TABLE_WIRE);
	ck_assert_int_eq(del(2, TABLE_KERNEL), 0);
	expect_sent(1, content(1, 2));
	expect_idle();
}
END_TEST

START_TEST(test_kernel_destroy_ends_its_queue)
{
	put(1, 0, TABLE_KERNEL);
	ck_assert_int_eq(del(1, TABLE_WIRE), 1);
	ck_assert_uint_eq(table_queued(t, TABLE_KERNEL), 0);
	expect_wire(1, 0, true);
	put(2, 0, TABLE_KERNEL);
	expect_kernel(2, 0, false);
	del(2, TABLE_KERNEL);
	ck_assert_int_eq(del(2, TABLE_WIRE), 0);
	expect_idle();
	expect_sent(0, 0);
}
END_TEST

START_TEST(test_kernel_put_after_delete_is_one_put)
{
	put(1, 0, TABLE_KERNEL);
	expect_kernel(1, 0, false);
	del(1, TABLE_KERNEL);
	put(1, 9, TABLE_KERNEL);
	expect_kernel(1, 9, false);
	expect_idle();
}
END_TEST

START_TEST(test_kernel_again_and_all)
{
	const struct bytes *b;

	for (uint32_t i = 0; i < 50; i++)
		put(i, 0, TABLE_NONE);
	expect_idle();
	b = flow(3, 0);
	ck_assert(table_kernel_again(t, b->key, b->key_len));
	ck_assert(table_kernel_again(t, b->key, b->key_len));
	ck_assert_uint_eq(table_queued(t, TABLE_KERNEL), 1);
	b = flow(60, 0);
	ck_assert(!table_kernel_again(t, b->key, b->key_len));
	ck_assert_int_eq(table_kernel_all(t), 0);
	ck_assert_uint_eq(table_queued(t, TABLE_KERNEL), 50);
	expect_kernel(3, 0, false);
	table_queue_clear(t, TABLE_KERNEL);
	expect_idle();
	ck_assert_uint_eq(table_count(t), 50);
}
END_TEST

START_TEST(test_queue_clear_makes_digest_speak_of_what_is)
{
	put(1, 0, TABLE_NONE);
	put(2, 0, TABLE_NONE);
	put(1, 1, TABLE_WIRE);
	del(2, TABLE_WIRE);
	put(3, 0, TABLE_WIRE);
	table_queue_clear(t, TABLE_WIRE);
	expect_idle();
	expect_sent(2, content(1, 1) ^ content(3, 0));
}
END_TEST

START_TEST(test_hold_remembers)
{
	put(1, 0, TABLE_NONE);
	put(2, 0, TABLE_WIRE);
	ck_assert(!touched(2));
	table_hold_begin(t);
	ck_assert(!touched(1));
	ck_assert(!touched(2));
	put(1, 0, TABLE_WIRE); /* confirmed with the same bytes: still news */
	del(2, TABLE_WIRE);
	del(3, TABLE_WIRE); /* never here: a dump under way may still bring it */
	put(4, 0, TABLE_KERNEL);
	put(5, 0, TABLE_WIRE);
	expect_wire(5, 0, false);
	ck_assert(touched(1));
	ck_assert(touched(2));
	ck_assert(touched(3));
	ck_assert(!touched(4));
	ck_assert(touched(5));
	table_hold_end(t);
	for (uint32_t i = 1; i <= 5; i++)
		ck_assert(!touched(i));
	ck_assert_uint_eq(table_count(t), 3);
	table_hold_begin(t);
	for (uint32_t i = 1; i <= 5; i++)
		ck_assert(!touched(i));
	table_hold_end(t);
}
END_TEST

START_TEST(test_holds_nest)
{
	table_hold_begin(t);
	put(1, 0, TABLE_WIRE);
	table_hold_begin(t);
	ck_assert(touched(1));
	del(1, TABLE_WIRE);
	table_hold_end(t);
	ck_assert(touched(1));
	ck_assert_int_eq(put(1, 0, TABLE_KERNEL), 1);
	ck_assert(touched(1));
	table_hold_end(t);
	ck_assert(!touched(1));
}
END_TEST

/* The number of holds wraps; marks of the last round must not come back to life. */
START_TEST(test_hold_numbers_wrap)
{
	table_hold_begin(t);
	put(1, 0, TABLE_WIRE);
	del(2, TABLE_WIRE);
	table_hold_end(t);
	for (unsigned i = 0; i < 70000; i++) {
		table_hold_begin(t);
		ck_assert_msg(!touched(1) && !touched(2), "hold %u", i);
		table_hold_end(t);
	}
}
END_TEST

START_TEST(test_tombstones_of_a_hold_are_freed)
{
	size_t before;

	for (uint32_t i = 0; i < 600; i++)
		put(i, 0, TABLE_NONE);
	for (uint32_t i = 0; i < 600; i++)
		del(i, TABLE_NONE);
	before = table_bytes(t);
	for (unsigned round = 0; round < 20; round++) {
		table_hold_begin(t);
		for (uint32_t i = 0; i < 600; i++)
			del(round * 600 + i, TABLE_WIRE);
		for (uint32_t i = 0; i < 600; i++)
			ck_assert(touched(round * 600 + i));
		table_hold_end(t);
		for (uint32_t i = 0; i < 200; i++)
			del(0, TABLE_NONE);
	}
	/* room for one round's tombstones, not for twenty */
	ck_assert_uint_lt(table_bytes(t), before + 600 * 120);
	expect_idle();
}
END_TEST

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
	for (uint32_t i = 0; i < 10000; i++) {
		ck_assert_int_eq(put(i, 0, TABLE_NONE), 1); /* -ENOSPC were they left */
		del(i, TABLE_WIRE);
		table_range_sent(t, all);
	}
	expect_sent(0, 0);
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
	for (uint32_t n = 1; n <= 600; n++) {
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
			ck_assert_uint_eq(want, digest);
			ck_assert_uint_eq(want_count, count);
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
	tcase_add_test(tc, test_digest_changes_when_sent);
	tcase_add_test(tc, test_changes_coalesce);
	tcase_add_test(tc, test_flow_never_sent_and_deleted_sends_nothing);
	tcase_add_test(tc, test_put_after_delete_not_sent);
	tcase_add_test(tc, test_back_to_what_was_sent_sends_nothing);
	tcase_add_test(tc, test_received_counts_at_once);
	tcase_add_test(tc, test_received_overrules_unsent);
	tcase_add_test(tc, test_kernel_destroy_ends_its_queue);
	tcase_add_test(tc, test_kernel_put_after_delete_is_one_put);
	tcase_add_test(tc, test_kernel_again_and_all);
	tcase_add_test(tc, test_queue_clear_makes_digest_speak_of_what_is);
	tcase_add_test(tc, test_hold_remembers);
	tcase_add_test(tc, test_holds_nest);
	tcase_add_test(tc, test_hold_numbers_wrap);
	tcase_add_test(tc, test_tombstones_of_a_hold_are_freed);
	tcase_add_test(tc, test_max_flows);
	tcase_add_test(tc, test_tombstones_are_capped_too);
	tcase_add_test(tc, test_stalled_wire_keeps_memory);
	tcase_add_test(tc, test_queue_of_holes_keeps_memory);
	tcase_add_test(tc, test_range_sent_frees_tombstones);
	tcase_add_test(tc, test_refuses_what_is_no_flow);
	tcase_add_test(tc, test_ranges_at_every_depth);
	tcase_add_test(tc, test_range_sent_takes_off_the_wire);
	tcase_add_test(tc, test_range_keep);
	tcase_add_test(tc, test_range_keep_leaves_what_a_hold_remembers);
	tcase_add_test(tc, test_walk_stops);
	tcase_add_test(tc, test_clear_gives_memory_back);
	tcase_add_test(tc, test_moved_record_stays_queued);
}

int main(void)
{
	Suite *s = suite_create("table");
	TCase *tc = tcase_create("table");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
