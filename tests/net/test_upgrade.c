// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A cluster upgraded one node at a time: syncd-next (tests/next) writes fields that syncd does not
 * know. Mixed in both directions nodes stay equal and ready, a takeover between them sends no flow,
 * and each is seen to have the encoder that it has.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>

#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/suite.h"

enum {
	FLOWS = 1000,
	MADE = 100,
	ENDED = 40,
	PATIENCE_MS = 60000,
	RESTART_MS = 5000,
	OLD = 1,
	NEXT = 2
};

static struct pair p;
static unsigned made; /* flows so far, the first `ended` of which have ended */
static unsigned ended;

static void up(void)
{
	pair_open(&p, 2);
	made = ended = 0;
}

static void down(void)
{
	pair_close(&p);
}

static void set_version(size_t i, int version)
{
	p.node[i].program = version == NEXT ? "syncd-next" : "syncd";
}

static void start(int first, int second)
{
	set_version(0, first);
	set_version(1, second);
	pair_start(&p, 0, true);
	pair_start(&p, 1, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	made = FLOWS;
	pair_flows(&p, 0, 0, FLOWS, false);
	ck_assert(pair_wait_equal(&p, 1, FLOWS, PATIENCE_MS));
}

/* Connections begin and end at node i, and the other one has heard of it. */
static void live(size_t i)
{
	pair_flows(&p, i, made, MADE, false);
	made += MADE;
	pair_flows(&p, i, ended, ENDED, true);
	ended += ENDED;
	ck_assert(pair_wait_equal(&p, !i, made - ended, PATIENCE_MS));
	ck_assert(pair_wait_group(&p, !i, "ready", 1, PATIENCE_MS));
	ck_assert_int_eq(pair_group(&p, i, "flows"), made - ended);
}

/* Node i takes over from the other: that is no reason to send any flow. */
static void move_to(size_t i)
{
	long long sent = pair_counter(&p, i, "puts_sent"), had;

	had = pair_counter(&p, !i, "puts_applied");
	ck_assert_int_eq(pair_ask(&p, !i, "role", "web", "standby", NULL), 0);
	ck_assert_int_eq(pair_ask(&p, i, "role", "web", "active", NULL), 0);
	ck_assert(pair_wait_group(&p, i, "complete", 1, PATIENCE_MS));
	ck_assert(pair_wait_group(&p, !i, "equal", 1, PATIENCE_MS));
	ck_assert(pair_wait_group(&p, !i, "ready", 1, PATIENCE_MS));
	ck_assert_int_eq(pair_counter(&p, i, "puts_sent"), sent);
	ck_assert_int_eq(pair_counter(&p, !i, "puts_applied"), had);
}

/* Another version of node i's daemon, restarted in order while nothing happens: ready again after
 * a restart's time, not a repair's. */
static void change(size_t i, int version)
{
	uint64_t from_us = netns_now_us();

	ck_assert_int_eq(pair_stop(&p, i, SIGTERM), 0);
	set_version(i, version);
	pair_start(&p, i, true);
	ck_assert(pair_wait_group(&p, i, "ready", 1, RESTART_MS));
	printf("node %zu to encoder %d: ready again after %.2f s\n", i, version,
	       (double)(netns_now_us() - from_us) / 1e6);
	ck_assert_int_eq(pair_group(&p, i, "kept"), made - ended);
	ck_assert_int_eq(pair_counter(&p, i, "puts_applied"), 0);
	ck_assert_int_eq(pair_counter(&p, i, "puts_sent"), 0);
	ck_assert(pair_wait_group(&p, !i, "ready", 1, PATIENCE_MS));
}

static long long encoder_of_peer(size_t i)
{
	json_t *r = NULL;
	long long v;

	ck_assert_int_eq(pair_ask(&p, i, "status", NULL, NULL, &r), 0);
	v = json_integer_value(
		json_object_get(json_array_get(json_object_get(r, "peers"), 0), "encoder"));
	json_decref(r);
	return v;
}

/* What each node runs, and sees the other run. */
static void versions(int first, int second)
{
	const int want[2] = {first, second};

	for (size_t i = 0; i < 2; i++) {
		json_t *r = NULL;

		ck_assert_int_eq(pair_ask(&p, i, "status", NULL, NULL, &r), 0);
		ck_assert_int_eq(json_integer_value(json_object_get(r, "encoder")), want[i]);
		json_decref(r);
		ck_assert_int_eq(encoder_of_peer(i), want[!i]);
	}
}

START_TEST(test_standby_first)
{
	start(OLD, OLD);
	versions(OLD, OLD);
	change(1, NEXT);
	versions(OLD, NEXT);
	live(0);
	move_to(1);
	live(1);
	change(0, NEXT);
	versions(NEXT, NEXT);
	live(1);
	move_to(0);
	live(0);
}
END_TEST

/* What the newer one said is kept by the older one as it is: over its restart, and its own turn as
 * the active. */
START_TEST(test_older_keeps_all)
{
	start(NEXT, OLD);
	versions(NEXT, OLD);
	live(0);
	change(1, OLD);
	live(0);
	move_to(1);
	live(1);
	change(1, OLD);
	live(1);
	move_to(0);
	live(0);
	change(0, OLD);
	versions(OLD, OLD);
	live(0);
}
END_TEST

static Suite *upgrade_suite(void)
{
	Suite *s = suite_create("upgrade");
	TCase *tc = tcase_create("upgrade");

	tcase_set_timeout(tc, 180);
	tcase_add_checked_fixture(tc, up, down);
	tcase_add_test(tc, test_standby_first);
	tcase_add_test(tc, test_older_keeps_all);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	if (!netns_usable("test_upgrade"))
		return 0;
	return suite_run(upgrade_suite());
}
