/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The receiver: order, gaps, naks and their suppression case by case; and with the sender over a
 * network that loses, reorders and duplicates: everything arrives, exactly once, in time.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/stream_loop.h"
#include "tests/lib/suite.h"

static struct receiver *r;
static const uint8_t *payload;
static size_t len;
static uint64_t counter;
static bool gap;

static void setup(void)
{
	r = receiver_new(1, 2, 100, 42);
	ck_assert_ptr_nonnull(r);
}

static void teardown(void)
{
	receiver_free(r);
}

static int data(uint64_t c, uint64_t now_us)
{
	return receiver_on_data(r, c, (const uint8_t *)&c, sizeof(c), now_us);
}

static bool next(void)
{
	if (!receiver_next(r, &payload, &len, &counter, &gap))
		return false;
	ck_assert_uint_eq(len, sizeof(counter));
	ck_assert_int_eq(memcmp(payload, &counter, sizeof(counter)), 0);
	return true;
}

START_TEST(test_in_order)
{
	for (uint64_t c = 101; c < 20000; c++) {
		ck_assert_int_eq(data(c, 1), 1);
		ck_assert(next());
		ck_assert_uint_eq(counter, c);
		ck_assert(!gap);
		ck_assert(!next());
	}
	ck_assert_uint_eq(receiver_applied(r), 19999);
	ck_assert_uint_eq(receiver_window(r), REORDER_MAX);
	ck_assert_int_eq(data(19999, 1), 0);
	ck_assert_int_eq(data(100, 1), 0);
	ck_assert_uint_eq(receiver_stats(r)->duplicates, 2);
	ck_assert_uint_eq(receiver_stats(r)->received, 19899);
}
END_TEST

START_TEST(test_reordered)
{
	ck_assert_int_eq(data(103, 1), 1);
	ck_assert(!next());
	ck_assert_int_eq(data(103, 1), 0);
	ck_assert_int_eq(data(102, 1), 1);
	ck_assert_int_eq(data(101, 1), 1);
	for (uint64_t c = 101; c <= 103; c++) {
		ck_assert(next());
		ck_assert_uint_eq(counter, c);
		ck_assert(!gap);
	}
	ck_assert_uint_eq(receiver_stats(r)->reordered, 2);
	ck_assert_uint_eq(receiver_stats(r)->duplicates, 1);
}
END_TEST

START_TEST(test_ring_is_bounded)
{
	ck_assert_int_eq(data(100 + REORDER_MAX, 1), 1);
	ck_assert_int_eq(data(101 + REORDER_MAX, 1), -ENOBUFS);
	ck_assert_uint_eq(receiver_stats(r)->overflowed, 1);
	ck_assert_uint_eq(receiver_last(r), 101 + REORDER_MAX);
	ck_assert_int_eq(data(101, 1), 1);
	ck_assert(next());
	/* Not seen, so welcome once there is room. */
	ck_assert_int_eq(data(101 + REORDER_MAX, 1), 1);
}
END_TEST

/* Jumbo frames use the pool up before the ring: what fills the gap must still find room. */
START_TEST(test_pool_is_bounded)
{
	static uint8_t jumbo[DATAGRAM_MAX - FRAME_OVERHEAD];
	uint64_t c = 102;

	for (size_t i = 0; i < sizeof(jumbo); i++)
		jumbo[i] = (uint8_t)(i * 7);
	ck_assert_int_eq(receiver_on_data(r, 102, jumbo, sizeof(jumbo) + 1, 1), -EMSGSIZE);
	while (receiver_on_data(r, c, jumbo, sizeof(jumbo), 1) == 1)
		c++;
	ck_assert_uint_gt(c, 1000);
	ck_assert_uint_lt(c, 102 + REORDER_MAX);
	ck_assert_uint_le(receiver_window(r), c - 100);
	ck_assert_int_eq(receiver_on_data(r, 101, jumbo, sizeof(jumbo), 1), 1);
	for (uint64_t want = 101; want < c; want++) {
		ck_assert(receiver_next(r, &payload, &len, &counter, &gap));
		ck_assert_uint_eq(counter, want);
		ck_assert_uint_eq(len, sizeof(jumbo));
		ck_assert_int_eq(memcmp(payload, jumbo, len), 0);
	}
	ck_assert_int_eq(receiver_on_data(r, c, jumbo, 0, 1), 1);
	ck_assert(receiver_next(r, &payload, &len, &counter, &gap));
	ck_assert_uint_eq(len, 0);
	(void)receiver_next(r, &payload, &len, &counter, &gap);
	ck_assert_uint_gt(receiver_window(r), 1000);
}
END_TEST

START_TEST(test_nak_asks_for_what_is_missing)
{
	struct nak nak;
	uint64_t next_us = 0, due_us;

	ck_assert(!receiver_nak(r, 1, &nak, &next_us));
	ck_assert_uint_eq(next_us, UINT64_MAX);
	(void)data(101, 1000);
	(void)data(105, 1000);
	(void)data(107, 1000);
	(void)receiver_nak(r, 999, &nak, &due_us);
	ck_assert_uint_ge(due_us, 1000);
	ck_assert_uint_le(due_us, 1000 + NAK_FIRST_US);
	ck_assert(receiver_nak(r, 1000 + NAK_FIRST_US, &nak, &next_us));
	ck_assert_uint_eq(nak.node, 1);
	ck_assert_uint_eq(nak.session, 2);
	ck_assert_uint_eq(nak.n, 2);
	ck_assert_uint_eq(nak.missing[0].first, 102);
	ck_assert_uint_eq(nak.missing[0].count, 3);
	ck_assert_uint_eq(nak.missing[1].first, 106);
	ck_assert_uint_eq(nak.missing[1].count, 1);
	ck_assert_uint_gt(next_us, 1000 + NAK_FIRST_US + NAK_LINGER_US);
	/* Not again before its time, then only for what is still missing. */
	ck_assert(!receiver_nak(r, 1000 + NAK_FIRST_US + NAK_LINGER_US, &nak, &next_us));
	(void)data(103, 2000);
	ck_assert(receiver_nak(r, 100000, &nak, &next_us));
	ck_assert_uint_eq(nak.n, 3);
	ck_assert_uint_eq(nak.missing[0].first, 102);
	ck_assert_uint_eq(nak.missing[1].first, 104);
	ck_assert_uint_eq(nak.missing[2].first, 106);
	(void)data(102, 100000);
	(void)data(104, 100000);
	(void)data(106, 100000);
	ck_assert(!receiver_nak(r, 200000, &nak, &next_us));
	ck_assert_uint_eq(next_us, UINT64_MAX);
	ck_assert_uint_eq(receiver_stats(r)->naks, 2);
}
END_TEST

START_TEST(test_nak_takes_several)
{
	struct nak nak;
	uint64_t next_us = 0;
	size_t ranges = 0;

	for (uint64_t c = 102; c < 102 + 400; c += 2)
		(void)data(c, 1);
	while (receiver_nak(r, 5000, &nak, &next_us)) {
		/* Oldest first, no range twice. */
		for (uint32_t i = 0; i < nak.n; i++, ranges++) {
			ck_assert_uint_eq(nak.missing[i].first, 101 + 2 * ranges);
			ck_assert_uint_eq(nak.missing[i].count, 1);
		}
		if (ranges < 200)
			ck_assert_uint_eq(next_us, 5000);
	}
	ck_assert_uint_eq(ranges, 200);
	ck_assert_uint_gt(next_us, 5000);
	ck_assert_uint_eq(receiver_stats(r)->naks, (200 + NAK_RANGES_MAX - 1) / NAK_RANGES_MAX);
}
END_TEST

/* Intervals grow, gently, and never beyond NAK_MAX_US. */
START_TEST(test_nak_intervals)
{
	struct nak nak;
	uint64_t now_us = 10000, next_us = 0, before_us = 0, interval_us = 0;

	(void)data(102, 1000);
	for (unsigned i = 0; i < 60; i++) {
		ck_assert(receiver_nak(r, now_us, &nak, &next_us));
		interval_us = next_us - now_us;
		ck_assert_uint_gt(interval_us, NAK_LINGER_US);
		ck_assert_uint_le(interval_us, NAK_MAX_US);
		if (i < 3)
			ck_assert_uint_le(interval_us, 5 * MS_US);
		ck_assert_uint_ge(interval_us + NAK_MAX_US / 4, before_us);
		before_us = interval_us;
		now_us = next_us;
	}
	ck_assert_uint_eq(interval_us, NAK_MAX_US);
}
END_TEST

START_TEST(test_foreign_nak_suppresses)
{
	struct nak nak, other = {.node = 1, .session = 2, .n = 1};
	uint64_t next_us = 0, now_us = 1000;
	unsigned suppressed = 0;

	(void)data(103, now_us);
	other.missing[0].first = 90;
	other.missing[0].count = 1000;
	other.session = 3; /* of another stream */
	receiver_on_foreign_nak(r, &other, now_us);
	ck_assert_uint_eq(receiver_stats(r)->nak_suppressed, 0);
	other.session = 2;
	receiver_on_foreign_nak(r, &other, now_us);
	ck_assert_uint_eq(receiver_stats(r)->nak_suppressed, 2);
	ck_assert(!receiver_nak(r, now_us + NAK_FIRST_US, &nak, &next_us));
	ck_assert_uint_gt(next_us, now_us + NAK_FIRST_US);
	/* Not for ever: the sender may not hear the other one. */
	for (; suppressed < 20; suppressed++) {
		now_us = next_us;
		receiver_on_foreign_nak(r, &other, now_us);
		if (receiver_nak(r, now_us, &nak, &next_us))
			break;
	}
	ck_assert_uint_lt(suppressed, 5);
}
END_TEST

START_TEST(test_tail_loss)
{
	struct nak nak;
	uint64_t next_us = 0;

	(void)data(101, 1000);
	receiver_on_tail(r, 101, 1, 1000);
	ck_assert(!receiver_nak(r, 9000, &nak, &next_us));
	receiver_on_tail(r, 104, 1, 9000);
	ck_assert(receiver_nak(r, 9000 + NAK_FIRST_US, &nak, &next_us));
	ck_assert_uint_eq(nak.n, 1);
	ck_assert_uint_eq(nak.missing[0].first, 102);
	ck_assert_uint_eq(nak.missing[0].count, 3);
	ck_assert_uint_eq(receiver_last(r), 104);
}
END_TEST

START_TEST(test_gone_is_skipped)
{
	struct nak nak;
	uint64_t next_us;

	(void)data(104, 1000);
	(void)data(106, 1000);
	(void)data(110, 1000);
	receiver_on_tail(r, 110, 107, 1000);
	ck_assert(next());
	ck_assert_uint_eq(counter, 104);
	ck_assert(gap);
	ck_assert(next());
	ck_assert_uint_eq(counter, 106);
	ck_assert(gap);
	ck_assert(!next()); /* 107 to 109 may still come */
	ck_assert_uint_eq(receiver_stats(r)->gaps, 2);
	ck_assert_uint_eq(receiver_stats(r)->lost, 4);
	ck_assert(receiver_nak(r, 9000, &nak, &next_us));
	ck_assert_uint_eq(nak.n, 1);
	ck_assert_uint_eq(nak.missing[0].first, 107);
	ck_assert_uint_eq(nak.missing[0].count, 3);
	for (uint64_t c = 107; c < 110; c++)
		(void)data(c, 9000);
	for (uint64_t c = 107; c <= 110; c++) {
		ck_assert(next());
		ck_assert_uint_eq(counter, c);
		ck_assert(!gap);
	}
}
END_TEST

/* Away for longer than the sender keeps anything: the next one comes with a gap, once. */
START_TEST(test_gone_beyond_the_ring)
{
	(void)data(102, 1000);
	receiver_on_tail(r, 1000000, 990000, 1000);
	ck_assert(next());
	ck_assert_uint_eq(counter, 102);
	ck_assert(!next());
	ck_assert_uint_eq(receiver_applied(r), 989999);
	ck_assert_int_eq(data(500000, 1000), 0);
	ck_assert_int_eq(data(990000, 1000), 1);
	ck_assert_int_eq(data(990001, 1000), 1);
	ck_assert(next());
	ck_assert(gap);
	ck_assert_uint_eq(counter, 990000);
	ck_assert(next());
	ck_assert(!gap);
	ck_assert_uint_eq(receiver_stats(r)->lost, 1 + 989999 - 102);
	/* A hello that lies about its oldest skips nothing that does not exist. */
	receiver_on_tail(r, 1000000, UINT64_MAX, 1000);
	ck_assert(!next());
	ck_assert_uint_eq(receiver_applied(r), 1000000);
	ck_assert_int_eq(data(1000001, 1000), 1);
	ck_assert(next());
	ck_assert(gap);
}
END_TEST

START_TEST(test_give_up)
{
	(void)data(101, 1);
	(void)data(105, 1);
	(void)data(106, 1);
	(void)data(109, 1);
	ck_assert(next());
	ck_assert(!next());
	receiver_give_up_gaps(r);
	ck_assert(next() && counter == 105 && gap);
	ck_assert(next() && counter == 106 && !gap);
	ck_assert(next() && counter == 109 && gap);
	ck_assert(!next());
}
END_TEST

/* ---- with the sender --------------------------------------------------------------------- */

static const struct network {
	const char *name;
	unsigned loss, duplicate;
	uint64_t delay_us, jitter_us;
	size_t receivers;
	double ratio_max; /* of the time without loss */
} networks[] = {
	{"clean", 0, 0, 200, 0, 1, 1.01},
	{"loss 1 %", 10, 0, 200, 0, 2, 1.1},
	{"loss 5 %", 50, 0, 200, 0, 2, 1.2},
	{"loss 20 %", 200, 0, 200, 0, 1, 1.5},
	{"loss 20 %, three", 200, 0, 200, 0, 3, 1.5},
	{"loss 40 %", 400, 0, 200, 0, 1, 4},
	{"loss 40 %, three", 400, 0, 200, 100, 3, 4},
	{"reordered, doubled", 50, 300, 200, 3000, 2, 1.5},
	{"far, loss 5 %", 50, 0, 20000, 0, 1, 4},
};

/* 20,000 datagrams at 40,000 a second: what 500,000 new flows are. */
START_TEST(test_loss)
{
	const struct network *n = &networks[_i];
	const uint64_t total = 20000, ideal_us = total / 4 * STREAM_STEP_US;
	struct stream_loop l;
	uint64_t start_us, took_us;
	struct rng rng;

	rng_init_env(&rng, "receiver_loss");
	stream_loop_init(&l, &rng, n->receivers, NULL);
	l.loss_per_mille = n->loss;
	l.duplicate_per_mille = n->duplicate;
	l.delay_us = n->delay_us;
	l.jitter_us = n->jitter_us;
	for (size_t i = 0; i < n->receivers; i++)
		receiver_set_rtt(l.at[i].r, (uint32_t)(2 * n->delay_us + n->jitter_us));
	start_us = l.now_us;
	ck_assert(stream_loop_run(&l, total, 60 * S_US));
	took_us = l.now_us - start_us;
	printf("%s: %.2f of the ideal time, %.3f retransmits and %.4f naks a datagram\n", n->name,
	       (double)took_us / (double)ideal_us,
	       (double)sender_stats(l.sender)->retransmits / (double)total,
	       (double)l.naks / (double)total);
	for (size_t i = 0; i < n->receivers; i++)
		ck_assert_uint_eq(l.at[i].gaps, 0);
	ck_assert(took_us < (uint64_t)((double)ideal_us * n->ratio_max) + 200 * MS_US);
	/* Each loss is repaired by few more than one repetition, itself lost as often. */
	if (n->jitter_us <= NAK_FIRST_US)
		ck_assert_uint_le(sender_stats(l.sender)->retransmits,
				  total * n->receivers * n->loss / 1000 * 4);
	stream_loop_fini(&l);
}
END_TEST

/* Nothing at all for a while, shorter and longer than what is kept. */
START_TEST(test_cut)
{
	const struct sender_config small = {.retain = 1000};
	struct stream_loop l;
	struct rng rng;

	rng_init_env(&rng, "receiver_cut");
	stream_loop_init(&l, &rng, 2, &small);
	ck_assert(stream_loop_run(&l, 2000, 10 * S_US));
	l.cut = true;
	(void)stream_loop_run(&l, 2500, 100 * MS_US);
	l.cut = false;
	ck_assert(stream_loop_run(&l, 5000, 10 * S_US));
	ck_assert_uint_eq(l.at[0].gaps + l.at[1].gaps, 0);
	l.cut = true; /* long enough that nobody has a vote any more */
	(void)stream_loop_run(&l, 60000, 4 * S_US);
	l.cut = false;
	ck_assert(stream_loop_run(&l, 70000, 10 * S_US));
	ck_assert_uint_eq(l.at[0].gaps, 1);
	ck_assert_uint_eq(l.at[1].gaps, 1);
	ck_assert_uint_gt(l.at[0].lost, 1000);
	stream_loop_fini(&l);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("receiver");
	TCase *cases = tcase_create("cases"), *loop = tcase_create("loop");

	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_in_order);
	tcase_add_test(cases, test_reordered);
	tcase_add_test(cases, test_ring_is_bounded);
	tcase_add_test(cases, test_pool_is_bounded);
	tcase_add_test(cases, test_nak_asks_for_what_is_missing);
	tcase_add_test(cases, test_nak_takes_several);
	tcase_add_test(cases, test_nak_intervals);
	tcase_add_test(cases, test_foreign_nak_suppresses);
	tcase_add_test(cases, test_tail_loss);
	tcase_add_test(cases, test_gone_is_skipped);
	tcase_add_test(cases, test_gone_beyond_the_ring);
	tcase_add_test(cases, test_give_up);
	tcase_add_loop_test(loop, test_loss, 0, sizeof(networks) / sizeof(networks[0]));
	tcase_add_test(loop, test_cut);
	tcase_set_timeout(loop, 300);
	suite_add_tcase(s, cases);
	suite_add_tcase(s, loop);
	return suite_run(s);
}
