/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table, case by case: what coalesces, what digests speak of, what tombstones wait for. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/lib/table_fixture.h"

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
	ck_assert(!table_kernel_take(t, b->key, b->key_len));
	b = flow(3, 0);
	ck_assert(table_kernel_take(t, b->key, b->key_len));
	ck_assert(!table_kernel_take(t, b->key, b->key_len));
	expect_idle();
	ck_assert(table_kernel_again(t, b->key, b->key_len));
	ck_assert_int_eq(table_kernel_all(t), 0);
	ck_assert_uint_eq(table_queued(t, TABLE_KERNEL), 50);
	expect_kernel(3, 0, false);
	table_queue_clear(t, TABLE_KERNEL);
	expect_idle();
	ck_assert_uint_eq(table_count(t), 50);
}
END_TEST

/* Of what a kernel was never told it hears no end, and as much as it may have it does. */
START_TEST(test_later)
{
	put(0, 0, TABLE_KERNEL);
	put(1, 0, TABLE_NONE);
	expect_kernel(0, 0, false);
	for (uint32_t i = 0; i < 4; i++)
		put(i, 1, TABLE_LATER);
	ck_assert_uint_eq(table_queued(t, TABLE_LATER), 2);
	ck_assert_uint_eq(table_queued(t, TABLE_KERNEL), 0);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_int_eq(del(i, TABLE_KERNEL), 1);
	put(0, 2, TABLE_LATER); /* an end that was not told yet is none */
	expect_kernel(1, 0, true);
	expect_idle();
	ck_assert_uint_eq(table_queued(t, TABLE_LATER), 1);
	del(0, TABLE_KERNEL);
	expect_kernel(0, 0, true);
	ck_assert_int_eq(table_kernel_all(t), 0);
	expect_kernel(3, 1, false);
	ck_assert_uint_eq(table_queued(t, TABLE_LATER), 0);
	del(3, TABLE_KERNEL);
	expect_kernel(3, 0, true);
	expect_idle();
	ck_assert_uint_eq(table_count(t), 0);
}
END_TEST

/* What the table never had is deleted from the kernel, unless it comes meanwhile. */
START_TEST(test_tell_end)
{
	for (uint32_t i = 0; i < 3; i++)
		put(i, 0, TABLE_NONE);
	for (uint32_t i = 0; i < 6; i++) {
		const struct bytes *b = flow(i, 0);

		ck_assert_int_eq(table_tell_end(t, b->key, b->key_len, TABLE_KERNEL), 0);
		ck_assert_int_eq(table_tell_end(t, b->key, b->key_len, TABLE_KERNEL), 0);
	}
	ck_assert_uint_eq(table_queued(t, TABLE_KERNEL), 3);
	ck_assert_uint_eq(table_count(t), 3);
	put(4, 1, TABLE_KERNEL);
	expect_kernel(3, 0, true);
	expect_kernel(4, 1, false);
	expect_kernel(5, 0, true);
	expect_idle();
	ck_assert_uint_eq(table_count(t), 4);
	ck_assert_int_eq(table_tell_end(t, flow(0, 0)->key, 0, TABLE_KERNEL), -EBADMSG);
}
END_TEST

/* What others may have still, and this table has not, is deleted there, and changes no digest. */
START_TEST(test_tell_end_on_the_wire)
{
	put(0, 0, TABLE_NONE);
	for (uint32_t i = 0; i < 3; i++)
		for (int twice = 0; twice < 2; twice++)
			ck_assert_int_eq(
				table_tell_end(t, flow(i, 0)->key, flow(i, 0)->key_len, TABLE_WIRE),
				0);
	ck_assert_uint_eq(table_queued(t, TABLE_WIRE), 2);
	expect_sent(1, content(0, 0));
	put(2, 1, TABLE_WIRE);
	expect_wire(1, 0, true);
	expect_sent(1, content(0, 0));
	expect_wire(2, 1, false);
	expect_sent(2, content(0, 0) ^ content(2, 1));
	expect_idle();
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

static int note_flow(void *ctx, uint64_t hash, const uint8_t *bytes, size_t len)
{
	unsigned *found = ctx;

	(void)hash;
	for (unsigned i = 0; i < 8; i++)
		if (len == flow(i, 0)->len && memcmp(bytes, flow(i, 0)->flow, len) == 0)
			*found |= 1u << i;
	return 0;
}

static unsigned since(uint64_t epoch)
{
	unsigned found = 0;

	ck_assert_int_eq(table_walk_since(t, all, epoch, note_flow, &found), 0);
	return found;
}

/* A change of long ago stays one, a flow that was received stays none, and one mark goes on telling
 * what came before it, up to the last 32,767 holds. */
START_TEST(test_changes_are_told_past_the_wrap)
{
	uint64_t first, second, last;

	put(0, 0, TABLE_KERNEL);
	table_hold_begin(t);
	first = table_epoch(t);
	put(1, 0, TABLE_WIRE);
	table_hold_end(t);
	ck_assert_uint_eq(since(0), 3);
	for (unsigned i = 0; i < 60000; i++) {
		table_hold_begin(t);
		table_hold_end(t);
	}
	table_hold_begin(t);
	second = table_epoch(t);
	put(2, 0, TABLE_WIRE);
	table_hold_end(t);
	ck_assert_uint_eq(since(second), 1u << 2);
	for (unsigned i = 0; i < 30000; i++) {
		table_hold_begin(t);
		table_hold_end(t);
		ck_assert_msg(table_epoch(t) == second + i + 1, "hold %u", i);
	}
	last = table_epoch(t);
	put(3, 0, TABLE_WIRE);
	ck_assert_uint_eq(since(first), 1u << 1 | 1u << 2 | 1u << 3);
	ck_assert_uint_eq(since(second), 1u << 2 | 1u << 3);
	ck_assert_uint_eq(since(last), 1u << 3);
	ck_assert_uint_eq(since(0), 15);
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

/* SEEN is a stamp of a byte, which comes round. */
START_TEST(test_seen_is_cleared_for_good)
{
	struct bytes b = *flow(1, 0);

	ck_assert_int_eq(flow_key_slice(b.flow, b.len, &b.key, &b.key_len), 0);
	put(1, 0, TABLE_NONE);
	put(2, 0, TABLE_NONE);
	ck_assert(table_bit_get(t, b.key, b.key_len, TABLE_SEEN));
	for (unsigned i = 0; i < 1000; i++) {
		table_bit_clear_all(t, TABLE_SEEN);
		ck_assert(!table_bit_get(t, b.key, b.key_len, TABLE_SEEN));
	}
	ck_assert(table_bit_set(t, b.key, b.key_len, TABLE_SEEN));
	ck_assert(table_bit_get(t, b.key, b.key_len, TABLE_SEEN));
	table_bit_set(t, b.key, b.key_len, TABLE_SUSPECT);
	put(1, 0, TABLE_NONE);
	ck_assert(!table_bit_get(t, b.key, b.key_len, TABLE_SUSPECT));
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
	tcase_add_test(tc, test_tell_end);
	tcase_add_test(tc, test_tell_end_on_the_wire);
	tcase_add_test(tc, test_later);
	tcase_add_test(tc, test_queue_clear_makes_digest_speak_of_what_is);
	tcase_add_test(tc, test_hold_remembers);
	tcase_add_test(tc, test_holds_nest);
	tcase_add_test(tc, test_hold_numbers_wrap);
	tcase_add_test(tc, test_changes_are_told_past_the_wrap);
	tcase_add_test(tc, test_tombstones_of_a_hold_are_freed);
	tcase_add_test(tc, test_seen_is_cleared_for_good);
}

int main(void)
{
	Suite *s = suite_create("table");
	TCase *tc = tcase_create("table");

	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
