/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Repair: what it costs for known differences, that it ends equal whatever differs, is lost or
 * changes meanwhile, and the bounds of client and server each by itself.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "tests/lib/random_flow.h"
#include "tests/lib/repair_loop.h"
#include "tests/lib/suite.h"

enum { TURNS_MAX = 100000 };

static const struct hash_range everything = {0, 0};

static void load(struct repair_loop *l, uint32_t flows, bool standbys_too)
{
	for (uint32_t i = 0; i < flows; i++) {
		repair_loop_load(l->active, i, 0);
		for (size_t s = 0; s < l->standbys && standbys_too; s++)
			repair_loop_load(l->standby[s].table, i, 0);
	}
}

/* All flows are everywhere, but for so many draws (some of them twice) on each standby. */
static void load_all_but(struct repair_loop *l, uint32_t flows, uint32_t draws)
{
	load(l, flows, true);
	for (size_t s = 0; s < l->standbys; s++)
		for (uint32_t i = 0; i < draws; i++)
			repair_loop_unload(l->standby[s].table, (uint32_t)rng_below(l->rng, flows));
}

static void run_to_equality(struct repair_loop *l)
{
	ck_assert(repair_loop_run(l, TURNS_MAX));
	for (size_t s = 0; s < l->standbys; s++) {
		ck_assert(tables_equal(l->active, l->standby[s].table));
		ck_assert(!repair_client_progress(l->standby[s].client)->running);
	}
	ck_assert_uint_le(l->longest, DATAGRAM_START - FRAME_OVERHEAD);
}

static uint64_t bytes_to_join(uint32_t flows, uint64_t *turns)
{
	struct rng rng;
	struct repair_loop l;
	uint64_t bytes;

	rng_init_env(&rng, "repair_join");
	repair_loop_init(&l, &rng, 1);
	load(&l, flows, false);
	run_to_equality(&l);
	bytes = l.bytes;
	*turns = l.turns;
	ck_assert_uint_eq(repair_client_progress(l.standby[0].client)->flows, flows);
	repair_loop_fini(&l);
	return bytes;
}

static uint64_t bytes_to_heal(uint32_t flows, uint32_t missing, uint64_t *turns)
{
	struct rng rng;
	struct repair_loop l;
	uint64_t bytes;

	rng_init_env(&rng, "repair_heal");
	repair_loop_init(&l, &rng, 1);
	load(&l, flows, true);
	while (table_count(l.active) - table_count(l.standby[0].table) < missing)
		repair_loop_unload(l.standby[0].table, (uint32_t)rng_below(&rng, flows));
	run_to_equality(&l);
	bytes = l.bytes;
	*turns = l.turns;
	repair_loop_fini(&l);
	return bytes;
}

START_TEST(test_one_percent_of_200k)
{
	uint64_t join_turns, turns;
	uint64_t full = bytes_to_join(200000, &join_turns);
	uint64_t part = bytes_to_heal(200000, 2000, &turns);

	printf("join of 200000: %llu bytes, %llu turns; 2000 missing: %llu bytes (%.2f %%), "
	       "%llu turns\n",
	       (unsigned long long)full, (unsigned long long)join_turns, (unsigned long long)part,
	       100.0 * (double)part / (double)full, (unsigned long long)turns);
	ck_assert_uint_le(part * 100, full * 12);
}
END_TEST

START_TEST(test_ten_of_a_million)
{
	uint64_t turns, bytes = bytes_to_heal(1000000, 10, &turns);

	printf("10 of 1000000 missing: %llu bytes, %llu turns\n", (unsigned long long)bytes,
	       (unsigned long long)turns);
	ck_assert_uint_le(bytes, 65536);
}
END_TEST

/* Missing, superfluous and altered flows, at every size from nothing to all. */
START_TEST(test_random_differences)
{
	static const uint32_t sizes[] = {0, 1, 2, 30, 1000, 20000};
	struct rng rng;

	rng_init_env(&rng, "repair_random");
	for (size_t n = 0; n < 6 * sizeof(sizes) / sizeof(sizes[0]); n++) {
		uint32_t size = sizes[n / 6];
		uint64_t per_mille = rng_below(&rng, 1001);
		struct repair_loop l;

		repair_loop_init(&l, &rng, 1 + rng_below(&rng, LOOP_STANDBYS_MAX));
		load(&l, size, true);
		for (uint32_t i = 0; i < 2 * size + 1; i++) {
			struct table *t = l.standby[rng_below(&rng, l.standbys)].table;

			if (rng_below(&rng, 1000) >= per_mille)
				continue;
			if (rng_below(&rng, 3) == 0)
				repair_loop_unload(t, i);
			else
				repair_loop_load(t, i, 1 + (uint32_t)rng_below(&rng, 9));
		}
		run_to_equality(&l);
		repair_loop_fini(&l);
	}
}
END_TEST

/* New, altered and closed flows all the time, more often than checks come. */
static void churn(struct repair_loop *l)
{
	for (unsigned k = 0; k < 20; k++) {
		uint32_t i = (uint32_t)rng_below(l->rng, 60000);
		uint8_t key[FLOW_MAX];
		struct flow f;
		int n;

		numbered_flow(i, &f);
		f.ct.mark = (uint32_t)rng_below(l->rng, 100);
		if (rng_below(l->rng, 3) == 0) {
			n = flow_key_encode(&f.key, key);
			(void)table_del(l->active, key, (size_t)n, TABLE_WIRE);
		} else {
			n = flow_encode(&f, key);
			ck_assert_int_ge(table_put(l->active, key, (size_t)n, TABLE_WIRE), 0);
		}
	}
}

START_TEST(test_under_churn)
{
	struct rng rng;
	struct repair_loop l;

	rng_init_env(&rng, "repair_churn");
	repair_loop_init(&l, &rng, 2);
	load(&l, 50000, true);
	for (uint32_t i = 0; i < 500; i++)
		repair_loop_unload(l.standby[0].table, (uint32_t)rng_below(&rng, 50000));
	l.churn = churn;
	run_to_equality(&l);
	printf("500 of 50000 under churn: %llu bytes of repair in %llu turns\n",
	       (unsigned long long)l.bytes, (unsigned long long)l.turns);
	ck_assert_uint_le(l.bytes, 500 * 1000);
	repair_loop_fini(&l);
}
END_TEST

START_TEST(test_with_losses)
{
	struct rng rng;
	struct repair_loop l;

	rng_init_env(&rng, "repair_loss");
	for (unsigned round = 0; round < 4; round++) {
		repair_loop_init(&l, &rng, 2);
		load(&l, 20000, false);
		l.lose_per_mille = 100;
		l.lose_ask_per_mille = 300;
		l.churn = round % 2 ? churn : NULL;
		(void)repair_loop_run(&l, 200);
		l.lose_per_mille = l.lose_ask_per_mille = 0; /* healed */
		run_to_equality(&l);
		repair_loop_fini(&l);
	}
}
END_TEST

static uint64_t turns_to_heal(unsigned lose_ask_per_mille)
{
	struct rng rng;
	struct repair_loop l;
	uint64_t turns;

	rng_init_env(&rng, "repair_questions");
	repair_loop_init(&l, &rng, 1);
	load_all_but(&l, 100000, 5000);
	l.lose_ask_per_mille = lose_ask_per_mille;
	run_to_equality(&l);
	turns = l.turns;
	repair_loop_fini(&l);
	return turns;
}

/* What comes after a question that was lost says so: nobody waits for each of them. */
START_TEST(test_lost_questions)
{
	uint64_t none = turns_to_heal(0), some = turns_to_heal(400);

	printf("5000 of 100000 missing: %llu ms, with 40 %% of the questions lost %llu ms\n",
	       (unsigned long long)none, (unsigned long long)some);
	ck_assert_uint_le(some, none + 10000);
}
END_TEST

/* What one is answered another has asked for too: that tells neither that its questions are lost.
 */
START_TEST(test_questions_of_three)
{
	struct rng rng;
	struct repair_loop l;

	rng_init_env(&rng, "repair_three");
	repair_loop_init(&l, &rng, 3);
	load_all_but(&l, 100000, 5000);
	l.datagrams_per_turn = 4;
	run_to_equality(&l);
	printf("three lack 5000 of 100000 each: %llu requests, %llu answers, %llu bytes\n",
	       (unsigned long long)l.request_datagrams, (unsigned long long)l.data_datagrams,
	       (unsigned long long)l.bytes);
	ck_assert_uint_lt(l.request_datagrams * 10, l.data_datagrams);
	repair_loop_fini(&l);
}
END_TEST

/* An active that is not complete must not be asked for ever at full speed. */
START_TEST(test_incomplete_is_not_hammered)
{
	struct rng rng;
	struct repair_loop l;

	rng_init_env(&rng, "repair_incomplete");
	repair_loop_init(&l, &rng, 1);
	load(&l, 5000, true);
	for (uint32_t i = 5000; i < 5100; i++)
		repair_loop_load(l.standby[0].table, i, 0);
	l.incomplete = true;
	ck_assert(!repair_loop_run(&l, 10000));
	printf("100 superfluous flows, not complete for 10 s: %llu bytes\n",
	       (unsigned long long)l.bytes);
	ck_assert_uint_eq(table_count(l.standby[0].table), 5100);
	ck_assert_uint_le(l.bytes, 600000);
	l.incomplete = false;
	run_to_equality(&l);
	repair_loop_fini(&l);
}
END_TEST

/* Two join at once, the second when the first is half through: it is cheaper than twice. */
START_TEST(test_late_second_joiner)
{
	struct rng rng;
	struct repair_loop l;
	uint64_t turns, alone = bytes_to_join(50000, &turns);
	struct repair_client *late;

	rng_init_env(&rng, "repair_late");
	repair_loop_init(&l, &rng, 2);
	load(&l, 50000, false);
	l.datagrams_per_turn = 8;
	late = l.standby[1].client;
	l.standbys = 1;
	ck_assert(!repair_loop_run(&l, 150));
	l.standbys = 2;
	ck_assert_ptr_eq(late, l.standby[1].client);
	run_to_equality(&l);
	printf("two joiners: %.2f of one's bytes\n", (double)l.bytes / (double)alone);
	ck_assert_uint_lt(l.bytes, 2 * alone);
	repair_loop_fini(&l);
}
END_TEST

/* ---- the server by itself ----------------------------------------------------------------------
 */

struct fixture {
	struct rng rng;
	struct repair_loop l;
	uint8_t buf[DATAGRAM_MAX];
	struct data_writer w;
};

static void fixture_init(struct fixture *f, uint32_t flows)
{
	rng_init_env(&f->rng, "repair");
	repair_loop_init(&f->l, &f->rng, 1);
	load(&f->l, flows, false);
}

static bool pack(struct fixture *f, size_t cap, uint64_t now_us)
{
	data_begin(&f->w, f->buf, cap, 1, 1, 1);
	return repair_server_pack(f->l.server, f->l.active, &f->w, now_us);
}

static void ask(struct fixture *f, uint64_t lo, uint8_t depth, bool flows, uint64_t now_us)
{
	static struct repair_request req;

	req.n = 1;
	req.range[0].range = (struct hash_range){lo, depth};
	req.range[0].flows = flows;
	repair_server_on_request(f->l.server, &req, now_us);
}

START_TEST(test_server_answers_once)
{
	static struct fixture f;

	fixture_init(&f, 1000);
	ck_assert(!repair_server_pending(f.l.server));
	ck_assert(!pack(&f, 1192, 1000));
	for (unsigned i = 0; i < 5; i++)
		ask(&f, 0, 6, false, 1000);
	ck_assert(repair_server_pending(f.l.server));
	ck_assert(pack(&f, 1192, 1000));
	ck_assert(!pack(&f, 1192, 1000));
	ask(&f, 0, 6, false, 1000 + REPAIR_LINGER_US - 1);
	ck_assert(!repair_server_pending(f.l.server));
	ask(&f, 0, 6, false, 1000 + REPAIR_LINGER_US);
	ck_assert(pack(&f, 1192, 1000 + REPAIR_LINGER_US));
	repair_loop_fini(&f.l);
}
END_TEST

/* Ranges in turn, each datagram within its bound, together every flow exactly once. */
START_TEST(test_server_streams_in_turn)
{
	static struct fixture f;
	uint64_t puts[2] = {0};
	unsigned alternations = 0, before = 2;

	fixture_init(&f, 20000);
	ask(&f, 0, 1, true, 1);
	ask(&f, 1ull << 63, 1, true, 1);
	while (pack(&f, 700, 1)) {
		struct data_info info;
		unsigned side;

		ck_assert_uint_le(f.w.len, 700);
		ck_assert_int_eq(data_read(f.w.buf, f.w.len, &info), 0);
		ck_assert(info.has_range && info.range.depth >= 1);
		side = (unsigned)(info.range.lo >> 63);
		puts[side] += info.puts;
		alternations += side != before;
		before = side;
	}
	ck_assert_uint_eq(puts[0] + puts[1], 20000);
	ck_assert_uint_gt(alternations, 1000);
	repair_loop_fini(&f.l);
}
END_TEST

START_TEST(test_server_is_bounded)
{
	static struct fixture f;
	unsigned answers = 0;

	fixture_init(&f, 100);
	for (uint64_t i = 0; i < 100000; i++)
		ask(&f, i << 40, 24, true, 1);
	while (pack(&f, 1192, 1))
		answers++;
	ck_assert_uint_eq(answers, 2048);
	/* Room for the answered is room for the next. */
	ask(&f, 1ull << 63, 24, true, 1);
	ck_assert(repair_server_pending(f.l.server));
	repair_server_clear(f.l.server);
	ck_assert(!repair_server_pending(f.l.server));
	repair_loop_fini(&f.l);
}
END_TEST

START_TEST(test_server_refuses_nonsense)
{
	static struct fixture f;

	fixture_init(&f, 100);
	ask(&f, 1, 6, false, 1); /* not aligned */
	ask(&f, 0, 65, true, 1);
	ck_assert(!repair_server_pending(f.l.server));
	ask(&f, 12345, 64, false, 1); /* a single hash: flows, not digests */
	ck_assert(pack(&f, 1192, 1));
	ask(&f, 2, 63, false, 1);
	ck_assert(pack(&f, 1192, 1));
	ask(&f, 0, 0, true, 1);
	ck_assert(!pack(&f, 14, 1)); /* nothing fits, nothing is lost */
	ck_assert(repair_server_pending(f.l.server));
	ck_assert(pack(&f, 1192, 1));
	repair_loop_fini(&f.l);
}
END_TEST

/* A flow queued and not sent yet counts as sent once a range has carried it. */
START_TEST(test_range_settles_the_queue)
{
	static struct fixture f;
	uint64_t digest[2], count;
	struct flow flow;
	uint8_t buf[FLOW_MAX];

	fixture_init(&f, 3);
	numbered_flow(1000, &flow);
	ck_assert_int_eq(table_put(f.l.active, buf, (size_t)flow_encode(&flow, buf), TABLE_WIRE),
			 1);
	table_range_digest(f.l.active, everything, &digest[0], &count);
	ck_assert_uint_eq(count, 3);
	ask(&f, 0, 0, true, 1);
	ck_assert(pack(&f, 1192, 1));
	table_range_digest(f.l.active, everything, &digest[1], &count);
	ck_assert_uint_eq(count, 4);
	ck_assert_uint_ne(digest[0], digest[1]);
	ck_assert_uint_eq(table_queued(f.l.active, TABLE_WIRE), 0);
	repair_loop_fini(&f.l);
}
END_TEST

/* ---- the client by itself ----------------------------------------------------------------------
 */

START_TEST(test_client_retries_slower_and_slower)
{
	static struct fixture f;
	static struct repair_request req;
	struct data_check k = {.digest = 1, .count = 10};
	uint64_t now_us = 1, next_us = 0, wait_us, before_us = 0;

	fixture_init(&f, 0);
	repair_loop_load(f.l.standby[0].table, 1, 0);
	ck_assert(!repair_client_request(f.l.standby[0].client, now_us, &req, &next_us));
	ck_assert_uint_eq(next_us, UINT64_MAX);
	ck_assert(!repair_client_on_check(f.l.standby[0].client, f.l.standby[0].table, &k,
					  REPAIR_JOIN, now_us));
	ck_assert(repair_client_progress(f.l.standby[0].client)->running);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert(repair_client_request(f.l.standby[0].client, now_us, &req, &next_us));
		ck_assert_uint_eq(req.n, 1);
		ck_assert_uint_eq(req.why, REPAIR_JOIN);
		ck_assert(!req.range[0].flows);
		ck_assert(
			!repair_client_request(f.l.standby[0].client, next_us - 1, &req, &next_us));
		wait_us = next_us - now_us;
		ck_assert_uint_ge(wait_us, REPAIR_RETRY_US);
		ck_assert_uint_gt(wait_us, before_us);
		before_us = wait_us;
		now_us = next_us;
	}
	repair_client_stop(f.l.standby[0].client);
	ck_assert(!repair_client_progress(f.l.standby[0].client)->running);
	ck_assert(!repair_client_request(f.l.standby[0].client, now_us + S_US, &req, &next_us));
	repair_loop_fini(&f.l);
}
END_TEST

/* Without any answer the run is given up, and a check that still differs begins another. */
START_TEST(test_client_gives_a_run_up)
{
	static struct fixture f;
	static struct repair_request req;
	struct data_check k = {.digest = 1, .count = 10};
	struct repair_client *c;
	uint64_t next_us, now_us = 1;

	fixture_init(&f, 0);
	repair_loop_load(f.l.standby[0].table, 1, 0);
	c = f.l.standby[0].client;
	(void)repair_client_on_check(c, f.l.standby[0].table, &k, REPAIR_GAP, now_us);
	ck_assert(repair_client_request(c, now_us, &req, &next_us));
	now_us += 4 * S_US;
	(void)repair_client_on_check(c, f.l.standby[0].table, &k, REPAIR_CHECK, now_us);
	ck_assert_uint_eq(repair_client_progress(c)->started_us, 1);
	now_us += 2 * S_US;
	(void)repair_client_on_check(c, f.l.standby[0].table, &k, REPAIR_CHECK, now_us);
	ck_assert_uint_eq(repair_client_progress(c)->started_us, now_us);
	ck_assert(repair_client_request(c, now_us, &req, &next_us));
	ck_assert_uint_eq(req.why, REPAIR_CHECK);
	repair_loop_fini(&f.l);
}
END_TEST

/* Nobody's digests but those of a range that was asked for are taken, and never more than bounds.
 */
START_TEST(test_client_ignores_what_it_did_not_ask)
{
	static struct fixture f;
	static struct repair_request req;
	static struct data_digests d;
	struct data_check k = {.digest = 1, .count = 20001};
	struct repair_client *c;
	uint64_t next_us, asked = 0;

	fixture_init(&f, 0);
	for (uint32_t i = 0; i < 20000; i++)
		repair_loop_load(f.l.standby[0].table, i, 0);
	c = f.l.standby[0].client;
	d = (struct data_digests){.n = 64, .count = 1ull << 40};
	memset(d.digest, 7, sizeof(d.digest));
	repair_client_on_digests(c, f.l.standby[0].table, &d, 1);
	ck_assert(!repair_client_progress(c)->running);
	(void)repair_client_on_check(c, f.l.standby[0].table, &k, REPAIR_CHECK, 1);
	ck_assert(repair_client_request(c, 1, &req, &next_us));
	d.range.depth = 6;
	repair_client_on_digests(c, f.l.standby[0].table, &d, 1);
	ck_assert_uint_eq(repair_client_progress(c)->outstanding, 1);
	d.range.depth = 0;
	d.n = 63; /* not a power of two */
	repair_client_on_digests(c, f.l.standby[0].table, &d, 1);
	ck_assert_uint_eq(repair_client_progress(c)->outstanding, 1);
	d.n = 64;
	repair_client_on_digests(c, f.l.standby[0].table, &d, 1);
	ck_assert_uint_eq(repair_client_progress(c)->outstanding, 64);
	/* An active that claims to differ everywhere, for ever. */
	for (unsigned i = 0; i < 1000 && repair_client_request(c, 1, &req, &next_us); i++) {
		asked += req.n;
		for (uint32_t r = 0; r < req.n; r++) {
			d.range = req.range[r].range;
			d.n = d.range.depth <= 58 ? 64 : (size_t)1 << (64 - d.range.depth);
			if (req.range[r].flows)
				repair_client_on_range(c, d.range, 0, 0, 1);
			else
				repair_client_on_digests(c, f.l.standby[0].table, &d, 1);
		}
		ck_assert_uint_le(repair_client_progress(c)->outstanding, 8192 + 256);
	}
	ck_assert_uint_gt(asked, 10000);
	repair_loop_fini(&f.l);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("repair");
	TCase *cost = tcase_create("cost"), *loop = tcase_create("loop"),
	      *server = tcase_create("server"), *client = tcase_create("client");

	tcase_add_test(cost, test_one_percent_of_200k);
	tcase_add_test(cost, test_ten_of_a_million);
	tcase_set_timeout(cost, 300);
	tcase_add_test(loop, test_random_differences);
	tcase_add_test(loop, test_under_churn);
	tcase_add_test(loop, test_with_losses);
	tcase_add_test(loop, test_lost_questions);
	tcase_add_test(loop, test_questions_of_three);
	tcase_add_test(loop, test_incomplete_is_not_hammered);
	tcase_add_test(loop, test_late_second_joiner);
	tcase_set_timeout(loop, 300);
	tcase_add_test(server, test_server_answers_once);
	tcase_add_test(server, test_server_streams_in_turn);
	tcase_add_test(server, test_server_is_bounded);
	tcase_add_test(server, test_server_refuses_nonsense);
	tcase_add_test(server, test_range_settles_the_queue);
	tcase_add_test(client, test_client_retries_slower_and_slower);
	tcase_add_test(client, test_client_gives_a_run_up);
	tcase_add_test(client, test_client_ignores_what_it_did_not_ask);
	suite_add_tcase(s, cost);
	suite_add_tcase(s, loop);
	suite_add_tcase(s, server);
	suite_add_tcase(s, client);
	return suite_run(s);
}
