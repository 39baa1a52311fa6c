/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sender: what it keeps and sends again, byte for byte; and its window: who has a vote, who
 * loses it, and how it comes back.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/rng.h"
#include "tests/lib/stream_loop.h"
#include "tests/lib/suite.h"

enum { NODE = 3, SESSION = 99, LAST_MAX = 4096 };

static struct sender *s;
static struct rng rng;

/* What was sent, in order; the last LAST_MAX of it. */
static struct {
	size_t len;
	uint8_t bytes[DATAGRAM_MAX];
} sent[LAST_MAX];
static uint64_t sends;

static void on_send(void *ctx, const uint8_t *dgram, size_t len)
{
	(void)ctx;
	ck_assert_uint_le(len, DATAGRAM_MAX);
	sent[sends % LAST_MAX].len = len;
	memcpy(sent[sends++ % LAST_MAX].bytes, dgram, len);
}

static struct sender *new_sender(size_t retain, size_t retain_bytes)
{
	struct sender_config cfg = {.node = NODE,
				    .session = SESSION,
				    .key = {.id = 5},
				    .retain = retain,
				    .retain_bytes = retain_bytes,
				    .stall_us = 50 * MS_US};
	const struct sender_io io = {.send = on_send};

	sends = 0;
	memset(cfg.key.secret, 7, sizeof(cfg.key.secret));
	return sender_new(&cfg, &io);
}

static void setup(void)
{
	rng_init_env(&rng, "sender");
	s = new_sender(1000, 1u << 20);
	ck_assert_ptr_nonnull(s);
}

static void teardown(void)
{
	sender_free(s);
}

static uint64_t send_data(size_t len, uint64_t now_us)
{
	memset(sender_payload(s), (int)(sender_last(s) + 1), len);
	return sender_data(s, len, now_us);
}

static void send_many(unsigned n, uint64_t now_us)
{
	while (n-- > 0)
		(void)send_data(100, now_us);
}

static void nak(uint64_t first, uint32_t count, uint64_t now_us)
{
	static struct nak n;

	n.node = NODE;
	n.session = SESSION;
	n.n = 1;
	n.missing[0].first = first;
	n.missing[0].count = count;
	sender_on_nak(s, &n, now_us);
}

static void status(uint16_t node, uint64_t applied, uint32_t window, uint64_t now_us)
{
	const struct status st = {.node = NODE,
				  .session = SESSION,
				  .applied = applied,
				  .installed = applied / 2,
				  .window = window};

	sender_on_status(s, node, 1, &st, now_us);
}

START_TEST(test_numbers_and_seals)
{
	struct frame_header h;
	struct seal_key key;
	struct group_key group = {.id = 5};
	uint8_t payload[DATAGRAM_MAX];

	memset(group.secret, 7, sizeof(group.secret));
	seal_key_derive(&key, &group, NODE, SESSION);
	ck_assert_uint_eq(sender_last(s), 0);
	ck_assert_uint_eq(sender_oldest(s), 1);
	for (uint64_t c = 1; c <= 50; c++) {
		ck_assert_uint_eq(send_data(100, 1), c);
		ck_assert_int_eq(frame_header_read(sent[sends - 1].bytes, sent[sends - 1].len, &h),
				 0);
		ck_assert_uint_eq(h.kind, FRAME_DATA);
		ck_assert_uint_eq(h.counter, c);
		ck_assert_uint_eq(h.key_id, 5);
		ck_assert_uint_eq(h.node, NODE);
		ck_assert_uint_eq(h.session, SESSION);
		ck_assert_int_eq(
			seal_open(&key, &h, sent[sends - 1].bytes, sent[sends - 1].len, payload),
			100);
		ck_assert_uint_eq(payload[99], c);
		ck_assert_uint_eq(sender_control(s, 10, 1), c);
		ck_assert_int_eq(frame_header_read(sent[sends - 1].bytes, sent[sends - 1].len, &h),
				 0);
		ck_assert_uint_eq(h.kind, FRAME_CONTROL);
		ck_assert_uint_eq(h.counter, c);
	}
	ck_assert_uint_eq(sender_stats(s)->data, 50);
	ck_assert_uint_eq(sender_stats(s)->control, 50);
	ck_assert_uint_eq(sender_stats(s)->data_bytes, 50 * (100 + FRAME_OVERHEAD));
}
END_TEST

START_TEST(test_key_changes_counters_go_on)
{
	struct group_key other = {.id = 6};
	struct frame_header h;

	(void)send_data(10, 1);
	memset(other.secret, 9, sizeof(other.secret));
	sender_set_key(s, &other);
	ck_assert_uint_eq(send_data(10, 1), 2);
	ck_assert_int_eq(frame_header_read(sent[1].bytes, sent[1].len, &h), 0);
	ck_assert_uint_eq(h.key_id, 6);
	nak(1, 1, 1); /* under its old key, as it was */
	ck_assert_uint_eq(sent[2].len, sent[0].len);
	ck_assert_int_eq(memcmp(sent[2].bytes, sent[0].bytes, sent[0].len), 0);
}
END_TEST

static bool accepts(void *ctx, uint16_t key_id)
{
	return key_id != *(const uint16_t *)ctx;
}

/* What is kept under a key that somebody lacks is gone for all; the present key is never in doubt.
 */
START_TEST(test_keys_that_somebody_lacks)
{
	struct group_key other = {.id = 6};
	uint16_t lacks = 9;

	for (unsigned i = 0; i < 5; i++)
		(void)send_data(10, 1);
	sender_set_key(s, &other);
	ck_assert_uint_eq(send_data(10, 1), 6);
	sender_drop_keys(s, accepts, &lacks);
	ck_assert_uint_eq(sender_oldest(s), 1);
	lacks = 6;
	sender_drop_keys(s, accepts, &lacks);
	ck_assert_uint_eq(sender_oldest(s), 1);
	lacks = 5;
	sender_drop_keys(s, accepts, &lacks);
	ck_assert_uint_eq(sender_oldest(s), 6);
	other.id = 5;
	sender_set_key(s, &other);
	lacks = 6;
	sender_drop_keys(s, accepts, &lacks); /* the last one too */
	ck_assert_uint_eq(sender_oldest(s), 7);
	ck_assert_uint_eq(send_data(10, 1), 7);
	sends = 0;
	nak(1, 7, 2);
	ck_assert_uint_eq(sends, 1);
	ck_assert_uint_eq(sender_stats(s)->nak_gone, 6);
}
END_TEST

START_TEST(test_insecure)
{
	struct sender_config cfg = {.node = NODE, .session = SESSION, .insecure = true};
	const struct sender_io io = {.send = on_send};
	struct sender *open = sender_new(&cfg, &io);
	struct frame_header h;
	struct seal_key key;
	uint8_t payload[DATAGRAM_MAX];

	memset(sender_payload(open), 3, 10);
	(void)sender_data(open, 10, 1);
	ck_assert_int_eq(frame_header_read(sent[0].bytes, sent[0].len, &h), 0);
	ck_assert_uint_eq(h.key_id, 0);
	seal_key_insecure(&key);
	ck_assert_int_eq(seal_open(&key, &h, sent[0].bytes, sent[0].len, payload), 10);
	ck_assert_uint_eq(payload[9], 3);
	sender_free(open);
	sender_free(NULL);
}
END_TEST

START_TEST(test_payload_max)
{
	ck_assert_uint_eq(sender_payload_max(s), DATAGRAM_START - FRAME_OVERHEAD);
	sender_set_datagram_max(s, 1472);
	ck_assert_uint_eq(sender_payload_max(s), 1472 - FRAME_OVERHEAD);
	sender_set_datagram_max(s, 1000000);
	ck_assert_uint_eq(sender_payload_max(s), DATAGRAM_MAX - FRAME_OVERHEAD);
	(void)send_data(sender_payload_max(s), 1);
	ck_assert_uint_eq(sent[0].len, DATAGRAM_MAX);
	sender_set_datagram_max(s, 0);
	ck_assert_uint_ge(sender_payload_max(s), FLOW_MAX + 64);
}
END_TEST

/* What is longer than the path carries by now is sent again for three seconds, then given up with
 * all before it; what fits is sent again for ever. */
START_TEST(test_stuck)
{
	(void)send_data(100, 1);
	sender_set_datagram_max(s, DATAGRAM_MAX);
	(void)send_data(8000, 1);
	(void)send_data(100, 1);
	sender_set_datagram_max(s, DATAGRAM_START);
	nak(1, 3, 1 * S_US);
	nak(1, 3, 4 * S_US);
	ck_assert_uint_eq(sender_stats(s)->retransmits, 6);
	ck_assert_uint_eq(sender_oldest(s), 1);
	sender_set_datagram_max(s, DATAGRAM_MAX);
	nak(1, 3, 5 * S_US); /* it carries it again */
	ck_assert_uint_eq(sender_stats(s)->retransmits, 9);
	sender_set_datagram_max(s, DATAGRAM_START);
	nak(2, 2, 6 * S_US);
	ck_assert_uint_eq(sender_oldest(s), 3);
	ck_assert_uint_eq(sender_stats(s)->nak_gone, 2);
	ck_assert_uint_eq(sender_stats(s)->retransmits, 10);
	nak(3, 1, 60 * S_US);
	ck_assert_uint_eq(sender_oldest(s), 3);
	ck_assert_uint_eq(sender_stats(s)->retransmits, 11);
}
END_TEST

/* Whatever the sizes, what is sent again is what was sent, and what is kept is bounded by both. */
START_TEST(test_retain)
{
	static struct {
		size_t len;
		uint8_t bytes[DATAGRAM_MAX];
	} kept[512];
	const size_t ring = 50000;

	sender_free(s);
	s = new_sender(300, ring);
	sender_set_datagram_max(s, DATAGRAM_MAX);
	for (unsigned i = 0; i < 3000; i++) {
		size_t len = rng_one_in(&rng, 20) ? sender_payload_max(s) : rng_below(&rng, 400);
		uint64_t c = send_data(len, 1), bytes = 0, probe;

		kept[c % 512].len = sent[(sends - 1) % LAST_MAX].len;
		memcpy(kept[c % 512].bytes, sent[(sends - 1) % LAST_MAX].bytes, kept[c % 512].len);
		ck_assert_uint_le(c - sender_oldest(s) + 1, 300);
		for (uint64_t k = sender_oldest(s); k <= c; k++)
			bytes += kept[k % 512].len;
		ck_assert_uint_le(bytes, ring);
		/* Bytes are given up for no more than wrapping round costs. */
		if (c - sender_oldest(s) + 1 < 300 && sender_oldest(s) > 1)
			ck_assert_uint_ge(bytes, ring - 2 * DATAGRAM_MAX);
		probe = sender_oldest(s) + rng_below(&rng, c - sender_oldest(s) + 1);
		nak(probe, 1, 10000 * (uint64_t)(i + 1));
		ck_assert_uint_eq(sent[(sends - 1) % LAST_MAX].len, kept[probe % 512].len);
		ck_assert_int_eq(memcmp(sent[(sends - 1) % LAST_MAX].bytes, kept[probe % 512].bytes,
					kept[probe % 512].len),
				 0);
	}
	ck_assert_uint_eq(sender_stats(s)->retransmits, 3000);
}
END_TEST

/* What all receivers have is given up but for the last megabyte, and nothing that one lacks. */
START_TEST(test_retain_what_is_needed)
{
	enum { LEN = 1100, SPARE = (1 << 20) / LEN };

	sender_free(s);
	s = new_sender(0, 16u << 20);
	for (unsigned i = 1; i <= 9000; i++) {
		(void)send_data(LEN, i);
		if (i == 1000)
			status(11, 500, REORDER_MAX, i);
		if (i % 10 == 0)
			status(10, i, REORDER_MAX, i);
		sender_tick(s, i);
	}
	ck_assert_uint_eq(sender_oldest(s), 501);
	nak(501, 1, 10000);
	ck_assert_uint_eq(sender_stats(s)->nak_gone, 0);
	ck_assert_uint_eq(sends, 9001);
	status(11, 3000, REORDER_MAX, 10000);
	sender_tick(s, 10000);
	ck_assert_uint_eq(sender_oldest(s), 3001);
	status(11, 9000, REORDER_MAX, 10000);
	sender_tick(s, 10000);
	ck_assert_uint_le(sender_last(s) - sender_oldest(s), SPARE + 1);
	ck_assert_uint_ge(sender_last(s) - sender_oldest(s), SPARE - 100);
	nak(sender_oldest(s), 1, 20000);
	ck_assert_uint_eq(sends, 9002);
	ck_assert_uint_eq(sender_stats(s)->nak_gone, 0);
	/* One that is gone holds nothing up. */
	for (unsigned i = 1; i <= 2000; i++)
		(void)send_data(LEN, 20000);
	sender_forget(s, 10, 1);
	sender_forget(s, 11, 1);
	sender_tick(s, 20000);
	ck_assert_uint_le(sender_last(s) - sender_oldest(s), SPARE + 1);
}
END_TEST

/* Its status was lost, its hello was not: what it lacks is kept, whether it was known before. */
START_TEST(test_position_stands_for_a_status)
{
	enum { LEN = 1100, SPARE = (1 << 20) / LEN };

	sender_free(s);
	s = new_sender(0, 16u << 20);
	for (unsigned i = 1; i <= 5000; i++) {
		(void)send_data(LEN, i);
		if (i == 1000)
			sender_on_position(s, 10, 1, 1000, i);
		sender_tick(s, i);
	}
	ck_assert_uint_eq(sender_oldest(s), 1001);
	ck_assert_uint_eq(sender_window(s, 5000), 1024); /* no vote */
	sender_on_position(s, 10, 1, 999, 5000);
	sender_on_position(s, 10, 1, 5001, 5000);
	sender_tick(s, 5000);
	ck_assert_uint_eq(sender_oldest(s), 1001);
	sender_on_position(s, 10, 1, 5000, 5000);
	sender_tick(s, 5000);
	ck_assert_uint_le(sender_last(s) - sender_oldest(s), SPARE + 1);
	/* The last status of a full window. */
	status(10, 5000, 100, 5000);
	send_many(100, 5000);
	ck_assert_uint_eq(sender_window(s, 5000), 0);
	sender_on_position(s, 10, 1, 5070, 5000);
	ck_assert_uint_eq(sender_window(s, 5000), 70);
}
END_TEST

/* By its hello it has everything, but what it has installed only a status would have said: that is
 * not waited for, and the next status gives it its vote again. */
START_TEST(test_last_status_lost)
{
	uint64_t now_us = 1000;

	send_many(100, now_us);
	status(10, 100, 500, now_us);
	send_many(10, now_us);
	sender_on_position(s, 10, 1, 110, now_us);
	ck_assert_uint_eq(sender_installed_everywhere(s), 50);
	for (; now_us < PEER_DEAD_US + S_US; now_us += HELLO_INTERVAL_US)
		sender_tick(s, now_us);
	ck_assert_uint_eq(sender_installed_everywhere(s), 110);
	send_many(10, now_us);
	status(10, 115, 500, now_us);
	ck_assert_uint_eq(sender_window(s, now_us), 495);
}
END_TEST

START_TEST(test_nak_once_in_a_linger)
{
	send_many(10, 1);
	nak(3, 4, 1000);
	ck_assert_uint_eq(sends, 14);
	nak(3, 5, 1000 + NAK_LINGER_US - 1);
	ck_assert_uint_eq(sends, 15); /* only 7 is new */
	nak(3, 1, 1000 + NAK_LINGER_US);
	ck_assert_uint_eq(sends, 16);
	ck_assert_uint_eq(sender_stats(s)->retransmits, 6);
}
END_TEST

START_TEST(test_nak_nonsense)
{
	static struct nak n = {.node = NODE, .session = SESSION + 1, .n = 1};

	send_many(1200, 1);
	ck_assert_uint_eq(sender_oldest(s), 201);
	sends = 0;
	n.missing[0].first = 300;
	n.missing[0].count = 1;
	sender_on_nak(s, &n, 1000); /* of my former session */
	nak(0, 5, 1000);
	nak(1201, 1, 1000);
	nak(300, 0, 1000);
	nak(UINT64_MAX, UINT32_MAX, 1000);
	ck_assert_uint_eq(sends, 0);
	ck_assert_uint_eq(sender_stats(s)->nak_gone, 0);
	nak(100, 50, 1000);
	ck_assert_uint_eq(sends, 0);
	ck_assert_uint_eq(sender_stats(s)->nak_gone, 50);
	nak(199, 4, 1000);
	ck_assert_uint_eq(sends, 2);
	ck_assert_uint_eq(sender_stats(s)->nak_gone, 52);
	nak(1100, UINT32_MAX, 1000);
	ck_assert_uint_eq(sends, 2 + 101);
	/* One nak is not answered with everything there is. */
	nak(201, 1000, 10000);
	ck_assert_uint_eq(sends, 2 + 101 + 256);
}
END_TEST

/* ---- the window -------------------------------------------------------------------------- */

START_TEST(test_window_without_receivers)
{
	ck_assert_uint_gt(sender_window(s, 1), 100);
	send_many(5000, 1);
	ck_assert_uint_gt(sender_window(s, 1), 100);
	ck_assert_uint_eq(sender_installed_everywhere(s), 5000);
}
END_TEST

START_TEST(test_window_is_the_smallest)
{
	status(10, 0, 500, 1000);
	status(11, 0, 200, 1000);
	ck_assert_uint_eq(sender_window(s, 1000), 200);
	send_many(150, 1000);
	ck_assert_uint_eq(sender_window(s, 1000), 50);
	status(11, 150, 200, 2000);
	ck_assert_uint_eq(sender_window(s, 2000), 200);
	status(11, 100, 200, 2500); /* overtaken on its way */
	ck_assert_uint_eq(sender_window(s, 2500), 200);
	status(11, 151, 200, 2500); /* not sent yet: a lie */
	ck_assert_uint_eq(sender_window(s, 2500), 200);
	ck_assert_uint_eq(sender_installed_everywhere(s), 0);
	status(10, 120, 500, 3000);
	ck_assert_uint_eq(sender_installed_everywhere(s), 60);
	sender_forget(s, 11, 1);
	ck_assert_uint_eq(sender_window(s, 3000), 470);
	sender_forget(s, 10, 1);
	ck_assert_uint_gt(sender_window(s, 3000), 470);
}
END_TEST

/* What a receiver has not got yet is not overwritten while it may ask. */
START_TEST(test_window_spares_what_is_kept)
{
	status(10, 0, REORDER_MAX, 1000);
	ck_assert_uint_gt(sender_window(s, 1000), 740);
	while (sender_window(s, 1000) > 0)
		send_many(1, 1000);
	ck_assert_uint_eq(sender_oldest(s), 1);
	ck_assert_uint_le(sender_last(s), 750);
	sender_free(s);
	s = new_sender(RETAIN_MAX, 1u << 17);
	status(10, 0, REORDER_MAX, 1000);
	while (sender_window(s, 1000) > 0)
		(void)send_data(1100, 1000);
	ck_assert_uint_eq(sender_oldest(s), 1);
	ck_assert_uint_gt(sender_last(s), 50);
}
END_TEST

/* Two receivers, of which the second stops: it holds the first up for stall_us, and no longer. */
START_TEST(test_stalled_one_loses_its_vote)
{
	uint64_t now_us = 1000, waited_us = 0;

	for (; now_us < 1000000 && sender_stats(s)->left_behind == 0; now_us += 1000) {
		status(10, sender_last(s), 100, now_us);
		if (sender_last(s) == 0)
			status(11, 0, 100, now_us);
		sender_tick(s, now_us);
		waited_us += sender_window(s, now_us) == 0 ? 1000 : 0;
		send_many((unsigned)(sender_window(s, now_us) > 10 ? 10 : sender_window(s, now_us)),
			  now_us);
	}
	ck_assert_uint_eq(sender_stats(s)->left_behind, 1);
	ck_assert_uint_ge(waited_us, 50 * MS_US);
	ck_assert_uint_le(waited_us, 55 * MS_US);
	ck_assert_uint_gt(sender_window(s, now_us), 0);
}
END_TEST

static unsigned step_both(uint64_t *now_us, bool slow_moves)
{
	unsigned waits = 0;

	for (unsigned i = 0; i < 100; i++, *now_us += 1000) {
		size_t room;

		status(10, sender_last(s), 100, *now_us);
		if (slow_moves)
			status(11, sender_last(s), 100, *now_us);
		sender_tick(s, *now_us);
		room = sender_window(s, *now_us);
		waits += room == 0;
		send_many((unsigned)(room > 10 ? 10 : room), *now_us);
	}
	return waits;
}

/* It is earned back by keeping up, and each further loss takes longer to make good. */
START_TEST(test_vote_is_earned_back)
{
	uint64_t now_us = 1000;
	unsigned earned[3] = {0};

	(void)step_both(&now_us, true);
	for (unsigned round = 0; round < 3; round++) {
		while (sender_stats(s)->left_behind == round)
			(void)step_both(&now_us, false);
		/* Silent, it holds nobody up now; its return shows in installed_everywhere. */
		ck_assert_uint_eq(step_both(&now_us, false), 0);
		do {
			(void)step_both(&now_us, true);
			earned[round]++;
			ck_assert_uint_lt(earned[round], 1000);
			status(10, sender_last(s), 100, now_us);
			status(11, sender_last(s), 30, now_us);
		} while (sender_window(s, now_us) != 30);
	}
	ck_assert_uint_ge(earned[0], 9);
	ck_assert_uint_le(earned[0], 12);
	ck_assert_uint_ge(earned[1], 2 * earned[0] - 3);
	ck_assert_uint_ge(earned[2], 2 * earned[1] - 3);
}
END_TEST

/* The only one cannot hold others up: it is waited for, until it is gone. */
START_TEST(test_sole_receiver_is_waited_for)
{
	uint64_t now_us = 1000;

	status(10, 0, 100, now_us);
	send_many(100, now_us);
	for (; now_us < 1000 + PEER_DEAD_US; now_us += 5000) {
		sender_tick(s, now_us);
		ck_assert_uint_eq(sender_window(s, now_us), 0);
	}
	sender_tick(s, now_us + 10000);
	ck_assert_uint_gt(sender_window(s, now_us + 10000), 0);
	ck_assert_uint_eq(sender_stats(s)->left_behind, 0);
}
END_TEST

/* Nothing to say, nothing said: an idle cluster exchanges no statuses, and forgets nobody for it.
 */
START_TEST(test_idle_receiver_is_remembered)
{
	uint64_t now_us = 1000;

	send_many(10, now_us);
	status(10, 10, 100, now_us);
	for (; now_us < 20 * S_US; now_us += HELLO_INTERVAL_US)
		sender_tick(s, now_us);
	ck_assert_uint_eq(sender_window(s, now_us), 100);
	send_many(1, now_us);
	sender_tick(s, now_us + PEER_DEAD_US - HELLO_INTERVAL_US);
	ck_assert_uint_eq(sender_window(s, now_us), 99);
	sender_tick(s, now_us + PEER_DEAD_US + HELLO_INTERVAL_US);
	ck_assert_uint_ne(sender_window(s, now_us), 99);
}
END_TEST

/* A pause of our own, or a clock that leaps, is nobody's fault. */
START_TEST(test_own_pause_is_not_charged)
{
	status(10, 0, 100, 1000);
	status(11, 0, 200, 1000);
	send_many(100, 1000);
	sender_tick(s, 2000);
	sender_tick(s, 2000 + 2 * S_US);
	ck_assert_uint_eq(sender_stats(s)->left_behind, 0);
	sender_tick(s, 1000); /* backwards */
	ck_assert_uint_eq(sender_stats(s)->left_behind, 0);
	ck_assert_uint_eq(sender_window(s, 1000), 0);
}
END_TEST

START_TEST(test_receivers_are_bounded)
{
	for (uint16_t node = 100; node < 1100; node++)
		status(node, 0, 0, 1000 + node); /* no room, so no vote */
	ck_assert_uint_gt(sender_window(s, 5000), 0);
	status(1, 0, 77, 5000);
	ck_assert_uint_eq(sender_window(s, 5000), 77);
	for (uint16_t node = 100; node < 1100; node++)
		status(node, 0, 50, 5000);
	ck_assert_uint_eq(sender_window(s, 5000), 50);
}
END_TEST

/* Four standbys over a real network, one of them stopped: the others' stream hardly slows. */
START_TEST(test_one_of_four_paused)
{
	uint64_t took_us[2];

	for (unsigned paused = 0; paused < 2; paused++) {
		struct stream_loop l;

		stream_loop_init(&l, &rng, 4, NULL);
		ck_assert(stream_loop_run(&l, 1000, 10 * S_US));
		l.at[2].paused = paused;
		took_us[paused] = l.now_us;
		ck_assert(stream_loop_run(&l, 30000, 20 * S_US));
		took_us[paused] = l.now_us - took_us[paused];
		ck_assert_uint_eq(sender_stats(l.sender)->left_behind, paused);
		/* Back, it is too late for what is gone, and heals like any other gap. */
		l.at[2].paused = false;
		ck_assert(stream_loop_run(&l, 31000, 10 * S_US));
		ck_assert_uint_eq(l.at[0].gaps + l.at[1].gaps + l.at[3].gaps, 0);
		stream_loop_fini(&l);
	}
	printf("one of four paused: %.3f of the time\n", (double)took_us[1] / (double)took_us[0]);
	ck_assert_uint_le(took_us[1], took_us[0] + 60 * MS_US);
}
END_TEST

/* A slow one among fast ones trickles for ever: it too is left behind in the end. */
START_TEST(test_slow_one)
{
	struct stream_loop l;
	uint64_t start_us;

	stream_loop_init(&l, &rng, 2, NULL);
	l.at[1].take_max = 1; /* of four a step */
	start_us = l.now_us;
	(void)stream_loop_run(&l, 40000, S_US);
	while (receiver_applied(l.at[0].r) < 40000 && l.now_us - start_us < 10 * S_US)
		stream_loop_step(&l);
	ck_assert_uint_le(l.now_us - start_us, S_US + 200 * MS_US);
	ck_assert_uint_eq(sender_stats(l.sender)->left_behind, 1);
	ck_assert_uint_eq(l.at[0].gaps, 0);
	stream_loop_fini(&l);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sender");
	TCase *keep = tcase_create("keep"), *window = tcase_create("window"),
	      *loop = tcase_create("loop");

	tcase_add_checked_fixture(keep, setup, teardown);
	tcase_add_test(keep, test_numbers_and_seals);
	tcase_add_test(keep, test_key_changes_counters_go_on);
	tcase_add_test(keep, test_keys_that_somebody_lacks);
	tcase_add_test(keep, test_insecure);
	tcase_add_test(keep, test_payload_max);
	tcase_add_test(keep, test_stuck);
	tcase_add_test(keep, test_retain);
	tcase_add_test(keep, test_retain_what_is_needed);
	tcase_add_test(keep, test_position_stands_for_a_status);
	tcase_add_test(keep, test_last_status_lost);
	tcase_add_test(keep, test_nak_once_in_a_linger);
	tcase_add_test(keep, test_nak_nonsense);
	tcase_add_checked_fixture(window, setup, teardown);
	tcase_add_test(window, test_window_without_receivers);
	tcase_add_test(window, test_window_is_the_smallest);
	tcase_add_test(window, test_window_spares_what_is_kept);
	tcase_add_test(window, test_stalled_one_loses_its_vote);
	tcase_add_test(window, test_vote_is_earned_back);
	tcase_add_test(window, test_sole_receiver_is_waited_for);
	tcase_add_test(window, test_idle_receiver_is_remembered);
	tcase_add_test(window, test_own_pause_is_not_charged);
	tcase_add_test(window, test_receivers_are_bounded);
	tcase_add_checked_fixture(loop, setup, teardown);
	tcase_add_test(loop, test_one_of_four_paused);
	tcase_add_test(loop, test_slow_one);
	tcase_set_timeout(loop, 300);
	suite_add_tcase(suite, keep);
	suite_add_tcase(suite, window);
	suite_add_tcase(suite, loop);
	return suite_run(suite);
}
