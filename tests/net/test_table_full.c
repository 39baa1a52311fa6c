// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A standby whose kernel's connection table is full: it says so by the sysctl's name, is degraded,
 * loses nothing of its own table, and has everything in the kernel once the limit is raised.
 *
 * The limit is the whole machine's and can be set from the first network namespace only, so where
 * this one may not, the program runs itself in a guest (tests/rig/README.md), if there is one.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/suite.h"

/* Far more are refused than a node remembers by name (RETRY_MAX, 4096). */
enum { FLOWS = 9000, ROOM = 3000, PLENTY = 200000, PATIENCE_MS = 60000 };

static const char limit[] = "/proc/sys/net/netfilter/nf_conntrack_max";

static struct pair p;
static int limit_fd = -1; /* of the first namespace, for this process leaves it */

static bool set_limit(unsigned max)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u\n", max);

	return pwrite(limit_fd, text, (size_t)n, 0) == n;
}

static void up(void)
{
	ck_assert(set_limit(PLENTY));
	pair_open(&p, 2);
	/* Else the kernel drops the stream itself as soon as its entry falls to the full table. */
	for (size_t i = 0; i < 2; i++) {
		pair_enter(&p, i);
		ck_assert_int_eq(netns_sh("nft 'table inet raw { "
					  "chain in { type filter hook prerouting priority raw; "
					  "iifname s0 notrack; }; "
					  "chain out { type filter hook output priority raw; "
					  "oifname s0 notrack; }; }'"),
				 0);
	}
}

static void down(void)
{
	pair_close(&p);
	(void)set_limit(PLENTY);
}

static bool is_in_state(void *ctx)
{
	json_t *r = NULL;
	const char *state;
	bool is;

	if (pair_ask(&p, 1, "status", NULL, NULL, &r) < 0)
		return false;
	state = json_string_value(
		json_object_get(json_array_get(json_object_get(r, "groups"), 0), "state"));
	is = state && strcmp(state, ctx) == 0;
	json_decref(r);
	return is;
}

static bool wait_for_state(const char *state)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%s", state);
	return netns_wait_for(is_in_state, name, PATIENCE_MS);
}

static void expect_complaint(bool now)
{
	json_t *r = NULL, *reason;
	bool found = false;
	size_t i;

	ck_assert_int_ge(pair_ask(&p, 1, "status", NULL, NULL, &r), 0);
	json_array_foreach(
		json_object_get(json_array_get(json_object_get(r, "groups"), 0), "reasons"), i,
		reason) found |= strstr(json_string_value(reason), "nf_conntrack_max") != NULL;
	ck_assert(found == now);
	json_decref(r);
}

START_TEST(test_full_and_raised)
{
	char *log;

	pair_flows(&p, 0, 0, FLOWS, false);
	pair_start(&p, 0, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	ck_assert(pair_wait_group(&p, 0, "flows", FLOWS, PATIENCE_MS));
	ck_assert(set_limit(ROOM));
	pair_start(&p, 1, true);

	ck_assert(pair_wait_group(&p, 1, "refused", FLOWS - ROOM, PATIENCE_MS));
	ck_assert(pair_wait_group(&p, 1, "equal", 1, PATIENCE_MS));
	ck_assert(wait_for_state("degraded"));
	ck_assert_int_eq(pair_group(&p, 1, "flows"), FLOWS);
	ck_assert_int_eq(pair_group(&p, 1, "ready"), 0);
	ck_assert_int_ge(pair_group(&p, 1, "would_lose"), FLOWS - ROOM);
	ck_assert_int_ge(pair_counter(&p, 1, "kernel_full"), FLOWS - ROOM);
	ck_assert_int_eq(pair_counter(&p, 1, "kernel_odd"), 0);
	ck_assert_uint_le(pair_kernel_count(&p, 1), ROOM);
	expect_complaint(true);
	log = pair_log(&p, 1);
	ck_assert_ptr_nonnull(strstr(log, "raise net.netfilter.nf_conntrack_max"));
	free(log);

	ck_assert(set_limit(PLENTY));
	ck_assert(pair_wait_equal(&p, 1, FLOWS, PATIENCE_MS));
	ck_assert(wait_for_state("standby"));
	ck_assert_int_eq(pair_group(&p, 1, "refused"), 0);
	expect_complaint(false);
	ck_assert_int_eq(pair_group(&p, 0, "flows"), FLOWS);
	ck_assert_int_eq(pair_ask(&p, 1, "verify", NULL, NULL, NULL), 0);
}
END_TEST

static int run_here(void)
{
	Suite *s = suite_create("table_full");
	TCase *t = tcase_create("pair");

	tcase_add_checked_fixture(t, up, down);
	tcase_set_timeout(t, 180);
	tcase_add_test(t, test_full_and_raised);
	suite_add_tcase(s, t);
	return suite_run(s);
}

/* Runs this program in a guest. Returns its status; 126: the guest is not in the cache. */
static int run_in(const char *kind, const char *self)
{
	char command[512];
	int status;

	(void)snprintf(command, sizeof(command),
		       "tests/rig/guest -k %s -t 200 -- env TABLE_FULL_HERE=1 sh -c 'modprobe -a "
		       "nf_conntrack nf_conntrack_netlink 2>/dev/null; exec \"$0\"' %s",
		       kind, self);
	printf("in the %s guest:\n", kind);
	(void)fflush(stdout);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

int main(int argc, char **argv)
{
	static const char *const guests[] = {"custom", "qemu"};
	char *self = realpath(argv[0], NULL);
	int rc = 126;

	(void)argc;
	if (!netns_usable("test_table_full"))
		return EXIT_SUCCESS;
	limit_fd = open(limit, O_RDWR | O_CLOEXEC);
	if (getenv("TABLE_FULL_HERE") && limit_fd >= 0)
		return run_here();
	for (size_t i = 0; self && i < sizeof(guests) / sizeof(guests[0]) && rc == 126; i++)
		rc = run_in(guests[i], self);
	free(self);
	if (rc == 126)
		printf("SKIP: nf_conntrack_max is not this namespace's to set, and there is no "
		       "guest: make rig-qemu\n");
	return rc == 126 ? EXIT_SUCCESS : rc;
}
