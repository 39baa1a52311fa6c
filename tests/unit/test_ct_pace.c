// SPDX-License-Identifier: GPL-2.0-or-later
/* When events are read: at each, at intervals, at longer ones; by their rate alone. */
#include <check.h>

#include "syncd/kernel/ct_pace.h"
#include "tests/lib/suite.h"

static struct ct_pace p;
static uint64_t now_us;

/* Turns that read so many events each, so far apart, for so long. Returns how often the pace
 * changed. */
static unsigned turns(unsigned events, uint64_t apart_us, uint64_t long_us)
{
	const uint64_t end_us = now_us + long_us;
	unsigned changes = 0;

	for (; now_us < end_us; now_us += apart_us)
		changes += ct_pace_turn(&p, now_us, events);
	return changes;
}

static void setup(void)
{
	p = (struct ct_pace){0};
	now_us = 1000000;
}

START_TEST(test_few_are_read_at_once)
{
	ck_assert_uint_eq(turns(1, 1000, 1000000), 0);
	ck_assert(!p.busy && !p.full);
}
END_TEST

START_TEST(test_many_are_read_at_intervals)
{
	ck_assert_uint_eq(turns(10, 500, 1000000), 1); /* 20,000 a second */
	ck_assert(p.busy && !p.full);
	ck_assert_uint_eq(turns(1, 500, 1000000), 1);
	ck_assert(!p.busy);
}
END_TEST

START_TEST(test_a_flood_is_read_less_often)
{
	ck_assert_uint_eq(turns(40, 500, 100000), 2); /* 80,000 a second: busy, then full */
	ck_assert(p.busy && p.full);
	/* Longer turns read more each: the rate is the same, so is the pace. */
	ck_assert_uint_eq(turns(80, 1000, 1000000), 0);
	ck_assert_uint_eq(turns(45, 1000, 1000000), 0); /* between the two bounds */
	ck_assert_uint_eq(turns(20, 1000, 1000000), 1);
	ck_assert(p.busy && !p.full);
	ck_assert_uint_eq(turns(22, 500, 1000000), 0); /* between them again */
	ck_assert_uint_eq(turns(0, 500, 100000), 1);
	ck_assert(!p.busy && !p.full);
}
END_TEST

/* One stalled turn that reads what came meanwhile says nothing of a flood. */
START_TEST(test_a_late_turn_is_no_flood)
{
	(void)turns(10, 500, 100000);
	now_us += 50000;
	ck_assert(!ct_pace_turn(&p, now_us, 1000));
	ck_assert(p.busy && !p.full);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ct_pace");
	TCase *t = tcase_create("pace");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, test_few_are_read_at_once);
	tcase_add_test(t, test_many_are_read_at_intervals);
	tcase_add_test(t, test_a_flood_is_read_less_often);
	tcase_add_test(t, test_a_late_turn_is_no_flood);
	suite_add_tcase(s, t);
	return suite_run(s);
}
