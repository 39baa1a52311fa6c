// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole daemons over real kernels: what they promise of a pair's life, without clients. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/suite.h"

enum { MANY = 200000, SOME = 3000, PATIENCE_MS = 60000 };

static struct pair p;

static void up(void)
{
	pair_open(&p, 2);
}

static void down(void)
{
	pair_close(&p);
}

static void start_both(long long flows)
{
	pair_start(&p, 0, true);
	pair_start(&p, 1, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	ck_assert(pair_wait_equal(&p, 1, flows, PATIENCE_MS));
}

START_TEST(test_many_flows)
{
	start_both(0);
	pair_flows(&p, 0, 0, MANY, false);
	ck_assert(pair_wait_equal(&p, 1, MANY, PATIENCE_MS));
	ck_assert_int_eq(pair_counter(&p, 0, "overruns"), 0);
	ck_assert_int_eq(pair_counter(&p, 0, "events"), MANY);
	ck_assert_int_eq(pair_counter(&p, 1, "overruns"), 0);
	ck_assert_int_eq(pair_counter(&p, 1, "puts_applied"), MANY);
	ck_assert_int_eq(pair_counter(&p, 1, "refused"), 0);
	ck_assert_int_eq(pair_ask(&p, 0, "verify", NULL, NULL, NULL), 0);
	ck_assert_int_eq(pair_ask(&p, 1, "verify", NULL, NULL, NULL), 0);
	pair_flows(&p, 0, 0, MANY / 2, true);
	ck_assert(pair_wait_equal(&p, 1, MANY / 2, PATIENCE_MS));
}
END_TEST

/* What happens to flows while nothing can be sent is told once, and the rest is counted. */
START_TEST(test_coalesced)
{
	start_both(0);
	ck_assert_int_eq(pair_group(&p, 0, "coalesced"), 0);
	ck_assert_int_eq(kill(p.node[0].pid, SIGSTOP), 0);
	pair_flows(&p, 0, 0, 100, false);
	pair_flows(&p, 0, 0, 100, true);
	pair_flows(&p, 0, 0, 100, false);
	ck_assert_int_eq(kill(p.node[0].pid, SIGCONT), 0);
	ck_assert(pair_wait_equal(&p, 1, 100, PATIENCE_MS));
	ck_assert_int_ge(pair_group(&p, 0, "coalesced"), 100);
	ck_assert_int_eq(pair_counter(&p, 0, "events"), 300);
	ck_assert_int_eq(pair_counter(&p, 0, "puts_sent") + pair_counter(&p, 0, "dels_sent"), 100);
}
END_TEST

START_TEST(test_standby_late)
{
	pair_start(&p, 0, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	pair_flows(&p, 0, 0, SOME, false);
	ck_assert(pair_wait_group(&p, 0, "flows", SOME, PATIENCE_MS));
	pair_start(&p, 1, true);
	ck_assert(pair_wait_equal(&p, 1, SOME, PATIENCE_MS));
}
END_TEST

START_TEST(test_active_started_over_flows)
{
	pair_flows(&p, 0, 0, SOME, false);
	start_both(SOME);
}
END_TEST

/* What ended while it was away is gone afterwards, what was made is there. */
START_TEST(test_standby_restarted)
{
	start_both(0);
	pair_flows(&p, 0, 0, SOME, false);
	ck_assert(pair_wait_equal(&p, 1, SOME, PATIENCE_MS));
	ck_assert_int_eq(pair_stop(&p, 1, _i ? SIGKILL : SIGTERM), _i ? 128 + SIGKILL : 0);
	pair_flows(&p, 0, SOME, 500, false);
	pair_start(&p, 1, true);
	ck_assert(pair_wait_equal(&p, 1, SOME + 500, PATIENCE_MS));
}
END_TEST

/* The role is resumed without being told, and no kernel loses a flow meanwhile. */
START_TEST(test_active_killed)
{
	start_both(0);
	pair_flows(&p, 0, 0, SOME, false);
	ck_assert(pair_wait_equal(&p, 1, SOME, PATIENCE_MS));
	ck_assert_int_eq(pair_stop(&p, 0, SIGKILL), 128 + SIGKILL);
	pair_flows(&p, 0, SOME, 500, false);
	pair_flows(&p, 0, 0, 100, true);
	ck_assert_int_eq(pair_kernel_count(&p, 1), SOME);
	pair_start(&p, 0, true);
	ck_assert(pair_wait_equal(&p, 1, SOME + 400, PATIENCE_MS));
	ck_assert_int_eq(pair_kernel_count(&p, 0), SOME + 400);
	ck_assert_int_ge(pair_group(&p, 0, "term"), 2);
}
END_TEST

/* Node 1 takes over, changes the table, and gives the role back. */
START_TEST(test_there_and_back)
{
	start_both(0);
	pair_flows(&p, 0, 0, SOME, false);
	ck_assert(pair_wait_equal(&p, 1, SOME, PATIENCE_MS));
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "active", NULL), 0);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "standby", NULL), 0);
	ck_assert(pair_wait_equal(&p, 0, SOME, PATIENCE_MS));
	ck_assert_int_eq(pair_counter(&p, 1, "puts_sent"), 0);
	pair_flows(&p, 1, SOME, 200, false);
	pair_flows(&p, 1, 0, 300, true);
	ck_assert(pair_wait_equal(&p, 0, SOME - 100, PATIENCE_MS));
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "standby", NULL), 0);
	ck_assert(pair_wait_equal(&p, 1, SOME - 100, PATIENCE_MS));
}
END_TEST

START_TEST(test_standby_flushed)
{
	start_both(0);
	pair_flows(&p, 0, 0, SOME, false);
	ck_assert(pair_wait_equal(&p, 1, SOME, PATIENCE_MS));
	ck_assert_int_eq(netns_switch(p.node[1].ns), 0);
	ck_assert_int_eq(netns_sh("conntrack -F 2>/dev/null"), 0);
	ck_assert_int_eq(netns_switch(p.sw), 0);
	ck_assert(pair_wait_counter(&p, 1, "reinstalled", SOME, PATIENCE_MS));
	ck_assert(pair_wait_equal(&p, 1, SOME, PATIENCE_MS));
}
END_TEST

static bool complains(void *text)
{
	json_t *r = NULL, *reason;
	bool found = false;
	size_t i;

	(void)pair_ask(&p, 1, "ready", "web", NULL, &r);
	json_array_foreach(json_object_get(r, "reasons"), i, reason) found |=
		strstr(json_string_value(reason), text) != NULL;
	json_decref(r);
	return found;
}

static bool is_ready(void *unused)
{
	(void)unused;
	return pair_ask(&p, 1, "ready", "web", NULL, NULL) == 0;
}

/* Translated flows where nothing translates: not ready, until the ruleset is there. */
START_TEST(test_no_nat_rules)
{
	char why[] = "no NAT chain for IPv4";

	pair_enter(&p, 1);
	ck_assert_int_eq(netns_sh("nft delete table inet nat"), 0);
	pair_leave(&p);
	start_both(0);
	ck_assert(netns_wait_for(is_ready, NULL, PATIENCE_MS));
	pair_flows(&p, 0, 0, 10, false);
	ck_assert(netns_wait_for(complains, why, PATIENCE_MS));
	pair_enter(&p, 1);
	ck_assert_int_eq(netns_sh("nft 'table ip nat { chain pre { type nat hook prerouting "
				  "priority dstnat; }; }'"),
			 0);
	pair_leave(&p);
	ck_assert(netns_wait_for(is_ready, NULL, PATIENCE_MS));
	ck_assert(pair_wait_equal(&p, 1, 10, PATIENCE_MS));
}
END_TEST

static bool verified(void *node)
{
	return pair_ask(&p, *(size_t *)node, "verify", NULL, NULL, NULL) == 0;
}

static void take_all(size_t node, unsigned groups)
{
	size_t other = !node;
	char name[16];

	for (unsigned i = 0; i < groups; i++) {
		(void)snprintf(name, sizeof(name), "g%u", i);
		(void)pair_ask(&p, other, "role", name, "standby", NULL);
		ck_assert_int_eq(pair_ask(&p, node, "role", name, "active", NULL), 0);
	}
	ck_assert(netns_wait_for(verified, &other, PATIENCE_MS));
	ck_assert(netns_wait_for(verified, &node, PATIENCE_MS));
}

/* More groups than one hello tells of. */
START_TEST(test_many_groups)
{
	enum { GROUPS = 20 };
	char text[1600], *at = text;

	at += sprintf(at, "group g0 { id = 1 match = { \"203.0.113.0/24\" } }");
	for (unsigned i = 1; i < GROUPS; i++)
		at += sprintf(at, "\ngroup g%u { id = %u match = { 198.18.%u.0/24 } }", i, i + 1,
			      i);
	for (size_t i = 0; i < 2; i++) {
		pair_configure(&p, i, text, "");
		pair_start(&p, i, true);
	}
	take_all(0, GROUPS);
	pair_flows(&p, 0, 0, 100, false);
	ck_assert(pair_wait_equal(&p, 1, 100, PATIENCE_MS));
	take_all(1, GROUPS);
	ck_assert_int_eq(pair_counter(&p, 1, "puts_sent"), 0);
}
END_TEST

struct span {
	size_t node;
	int least, most;
};

/* All TCP entries of the node's kernel have so many seconds left. */
static bool have_left(void *ctx)
{
	const struct span *s = ctx;
	bool good;

	pair_enter(&p, s->node);
	good = netns_sh("conntrack -L -p tcp 2>/dev/null | "
			"awk '{ n++ } $3 < %d || $3 > %d { bad = 1 } END { exit bad || !n }'",
			s->least, s->most) == 0;
	pair_leave(&p);
	return good;
}

/*
 * A standby's entries have the lease, whatever time the active's have left; after a promotion the
 * state's true timeout, and those of the one that served before have leases.
 */
START_TEST(test_timeouts)
{
	enum { LEASE = 200, TRUE = 77, SLACK = 20 };
	struct span leased = {1, LEASE - SLACK, LEASE}, true_one = {1, TRUE - SLACK, TRUE},
		    own = {0, LEASE + 1, 1000}, renewed = {0, LEASE - SLACK, LEASE};

	for (size_t i = 0; i < 2; i++) {
		char extra[64];

		(void)snprintf(extra, sizeof(extra), "conntrack { lease_s = %d }", LEASE);
		pair_configure(&p, i, "group web { id = 1 match = { \"203.0.113.0/24\" } }", extra);
		pair_enter(&p, i);
		ck_assert_int_eq(
			netns_sysctl_set("net/netfilter/nf_conntrack_tcp_timeout_established",
					 TRUE),
			0);
		pair_leave(&p);
	}
	start_both(0);
	pair_flows(&p, 0, 0, 100, false);
	ck_assert(pair_wait_equal(&p, 1, 100, PATIENCE_MS));
	ck_assert(have_left(&own));
	ck_assert(have_left(&leased));
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "active", NULL), 0);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "standby", NULL), 0);
	ck_assert(netns_wait_for(have_left, &true_one, PATIENCE_MS));
	ck_assert(netns_wait_for(have_left, &renewed, PATIENCE_MS));
	ck_assert_int_ge(pair_counter(&p, 0, "renewed"), 100);
	ck_assert_int_eq(pair_counter(&p, 1, "puts_sent"), 0);
}
END_TEST

/* A flow that no group matches stays where it is, on both. */
START_TEST(test_outside_untouched)
{
	static const char other[] = "conntrack -I -p tcp -s 192.0.2.77 -d 198.51.100.1 --sport 7 "
				    "--dport 80 --state ESTABLISHED -t 500 -u ASSURED,SEEN_REPLY "
				    ">/dev/null 2>&1";
	static const char there[] = "conntrack -L -s 192.0.2.77 2>/dev/null | grep -q sport=7";

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(netns_switch(p.node[i].ns), 0);
		ck_assert_int_eq(netns_sh("%s", other), 0);
	}
	ck_assert_int_eq(netns_switch(p.sw), 0);
	start_both(0);
	pair_flows(&p, 0, 0, 100, false);
	ck_assert(pair_wait_equal(&p, 1, 100, PATIENCE_MS));
	ck_assert_int_eq(pair_ask(&p, 1, "reconcile", NULL, NULL, NULL), 0);
	ck_assert(pair_wait_counter(&p, 1, "dumps", 1, PATIENCE_MS));
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "idle", NULL), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(netns_switch(p.node[i].ns), 0);
		ck_assert_int_eq(netns_sh("%s", there), 0);
	}
	ck_assert_int_eq(netns_switch(p.sw), 0);
}
END_TEST

/* install = never: table and digests, and a kernel left alone. */
START_TEST(test_observe)
{
	pair_configure(&p, 1, "group web { id = 1 match = { \"203.0.113.0/24\" } install = never }",
		       "");
	pair_start(&p, 0, true);
	pair_start(&p, 1, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	pair_flows(&p, 0, 0, SOME, false);
	ck_assert(pair_wait_group(&p, 1, "flows", SOME, PATIENCE_MS));
	ck_assert(pair_wait_group(&p, 1, "equal", 1, PATIENCE_MS));
	ck_assert_int_eq(pair_kernel_count(&p, 1), 0);
	ck_assert_int_eq(pair_group(&p, 1, "would_lose"), SOME);
	ck_assert_int_eq(pair_group(&p, 1, "ready"), 0);
}
END_TEST

/* install = takeover: nothing in the kernel until the role comes. */
START_TEST(test_commit_at_takeover)
{
	pair_configure(&p, 1,
		       "group web { id = 1 match = { \"203.0.113.0/24\" } install = takeover }",
		       "");
	pair_start(&p, 0, true);
	pair_start(&p, 1, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	pair_flows(&p, 0, 0, SOME, false);
	ck_assert(pair_wait_group(&p, 1, "flows", SOME, PATIENCE_MS));
	ck_assert(pair_wait_group(&p, 1, "equal", 1, PATIENCE_MS));
	ck_assert_int_eq(pair_kernel_count(&p, 1), 0);
	ck_assert_int_eq(pair_stop(&p, 0, SIGKILL), 128 + SIGKILL);
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "active", NULL), 0);
	ck_assert(pair_wait_group(&p, 1, "complete", 1, PATIENCE_MS));
	ck_assert_int_eq(pair_kernel_count(&p, 1), SOME);
	ck_assert_int_eq(pair_group(&p, 1, "flows"), SOME);
}
END_TEST

static Suite *pair_suite(void)
{
	Suite *s = suite_create("pair");
	TCase *tc = tcase_create("pair");

	tcase_set_timeout(tc, 180);
	tcase_add_checked_fixture(tc, up, down);
	tcase_add_test(tc, test_many_flows);
	tcase_add_test(tc, test_coalesced);
	tcase_add_test(tc, test_standby_late);
	tcase_add_test(tc, test_active_started_over_flows);
	tcase_add_loop_test(tc, test_standby_restarted, 0, 2);
	tcase_add_test(tc, test_active_killed);
	tcase_add_test(tc, test_there_and_back);
	tcase_add_test(tc, test_standby_flushed);
	tcase_add_test(tc, test_no_nat_rules);
	tcase_add_test(tc, test_many_groups);
	tcase_add_test(tc, test_timeouts);
	tcase_add_test(tc, test_outside_untouched);
	tcase_add_test(tc, test_observe);
	tcase_add_test(tc, test_commit_at_takeover);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	if (!netns_usable("test_pair"))
		return 0;
	return suite_run(pair_suite());
}
