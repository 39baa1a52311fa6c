/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The replay window, case by case and against a set that remembers everything. */
#include <check.h>
#include <string.h>

#include "syncd/stream/replay_window.h"
#include "tests/lib/rng.h"
#include "tests/lib/suite.h"

START_TEST(test_each_once)
{
	struct replay_window w = {0};

	ck_assert(!replay_window_take(&w, 0));
	for (uint64_t c = 1; c < 5000; c++) {
		ck_assert(replay_window_take(&w, c));
		ck_assert(!replay_window_take(&w, c));
	}
}
END_TEST

START_TEST(test_edge)
{
	struct replay_window w = {0};

	ck_assert(replay_window_take(&w, 10000));
	ck_assert(!replay_window_take(&w, 10000 - REPLAY_WINDOW));
	ck_assert(replay_window_take(&w, 10000 - REPLAY_WINDOW + 1));
	ck_assert(!replay_window_take(&w, 10000 - REPLAY_WINDOW + 1));
	ck_assert(replay_window_take(&w, 9999));
	ck_assert(!replay_window_take(&w, 1));
	/* A leap beyond everything forgets everything, and takes nothing old. */
	ck_assert(replay_window_take(&w, UINT64_MAX));
	ck_assert(!replay_window_take(&w, UINT64_MAX));
	ck_assert(!replay_window_take(&w, 10000));
	ck_assert(replay_window_take(&w, UINT64_MAX - 1));
}
END_TEST

START_TEST(test_close)
{
	for (uint64_t top = 1; top < 3000; top += 37) {
		struct replay_window w = {0};

		ck_assert(replay_window_take(&w, top));
		replay_window_close(&w);
		for (uint64_t c = 0; c <= top; c++)
			ck_assert(!replay_window_take(&w, c));
		for (uint64_t c = top + 200; c > top; c--)
			ck_assert(replay_window_take(&w, c));
		ck_assert(!replay_window_take(&w, top));
	}
}
END_TEST

/* Whatever the order, none is taken twice, and none within the window that is new is refused. */
START_TEST(test_against_a_set)
{
	enum { COUNTERS = 20000 };
	static bool seen[COUNTERS];
	struct replay_window w = {0};
	struct rng rng;
	uint64_t top = 0, middle = 1;

	rng_init_env(&rng, "replay_window");
	memset(seen, 0, sizeof(seen));
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t c = middle + rng_below(&rng, 2 * REPLAY_WINDOW);
		bool fresh;

		c = c > REPLAY_WINDOW ? c - REPLAY_WINDOW : 1;
		if (c >= COUNTERS)
			continue;
		fresh = !seen[c] && (c > top || top - c < REPLAY_WINDOW);
		ck_assert_int_eq(replay_window_take(&w, c), fresh);
		seen[c] |= fresh;
		top = c > top && fresh ? c : top;
		middle += rng_one_in(&rng, 10);
	}
	ck_assert_uint_gt(top, 10000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("replay_window");
	TCase *tc = tcase_create("replay_window");

	tcase_add_test(tc, test_each_once);
	tcase_add_test(tc, test_edge);
	tcase_add_test(tc, test_close);
	tcase_add_test(tc, test_against_a_set);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
