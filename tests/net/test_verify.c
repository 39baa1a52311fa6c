// SPDX-License-Identifier: GPL-2.0-or-later
/* `syncctl verify --deep` of whole daemons: names what somebody altered, and nothing else. */
#include <check.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/suite.h"

enum { SOME = 2000, CHURN = 400, PATIENCE_MS = 60000, TEXT_MAX = 1 << 20 };

static struct pair p;
static char said[TEXT_MAX];

static void in_node(size_t node, const char *command)
{
	pair_enter(&p, node);
	ck_assert_msg(netns_sh("%s >/dev/null 2>&1", command) == 0, "%s", command);
	pair_leave(&p);
}

static void up(void)
{
	pair_open(&p, 3);
	for (size_t i = 0; i < 3; i++)
		pair_start(&p, i, true);
	/* Of a flow that is made without events the kernel never tells, not even its end. */
	in_node(1, "sysctl -w net.netfilter.nf_conntrack_events=0");
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	pair_flows(&p, 0, 0, SOME, false);
	for (size_t i = 1; i < 3; i++)
		ck_assert(pair_wait_equal(&p, i, SOME, PATIENCE_MS));
}

static void down(void)
{
	pair_close(&p);
}

/* Returns syncctl's exit code, what it printed in `said`. */
static int deep(size_t node, const char *option)
{
	char self[PATH_MAX] = "", cmd[PATH_MAX + 300];
	size_t n;
	FILE *f;
	int rc;

	ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	(void)snprintf(cmd, sizeof(cmd),
		       "%s/../syncctl -s %s/run/ctl %s verify --deep -w 30 web 2>&1", dirname(self),
		       p.node[node].dir, option);
	f = popen(cmd, "r");
	ck_assert_ptr_nonnull(f);
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = '\0';
	rc = pclose(f);
	return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

START_TEST(test_equal)
{
	for (size_t i = 0; i < 3; i++) {
		ck_assert_msg(deep(i, "") == 0, "node %zu:\n%s", i, said);
		ck_assert_msg(strstr(said, "2000 flows looked at, table compared at counter ") &&
				      strstr(said, "kernel compared, 0 differences"),
			      "%s", said);
	}
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "standby", NULL), 0);
	ck_assert_int_eq(deep(0, ""), 1);
}
END_TEST

/* What a standby's kernel did not tell of. */
START_TEST(test_kernel)
{
	in_node(1, "conntrack -D -p tcp -s 192.0.2.100 --sport 1024");
	in_node(1, "conntrack -U -p tcp -s 192.0.2.100 --sport 1025 -m 77");
	in_node(1, "conntrack -I -p tcp -s 192.0.2.9 -d 203.0.113.10 --sport 9 --dport 80 "
		   "--state ESTABLISHED -u ASSURED,SEEN_REPLY -t 1000");
	ck_assert_int_eq(deep(1, ""), 1);
	ck_assert_msg(strstr(said, "kernel compared, 3 differences"), "%s", said);
	ck_assert_msg(strstr(said, "kernel, missing: tcp 192.0.2.100:1024>"), "%s", said);
	ck_assert_msg(strstr(said, "kernel, different: tcp 192.0.2.100:1025>"), "%s", said);
	ck_assert_msg(strstr(said, " mark 77\n"), "%s", said);
	ck_assert_msg(strstr(said, "kernel, extra: tcp 192.0.2.9:9>203.0.113.10:80"), "%s", said);
	ck_assert_int_eq(deep(2, ""), 0);

	/* All but the one that nobody has told of is mended by then. */
	ck_assert(pair_wait_equal(&p, 2, SOME, PATIENCE_MS));
	ck_assert_int_eq(deep(1, "-j"), 1);
	ck_assert_msg(strstr(said, "\"found\": 1,") && strstr(said, "\"what\": \"extra\""), "%s",
		      said);
	in_node(1, "conntrack -D -p tcp -s 192.0.2.9 --sport 9");
	ck_assert_msg(deep(1, "") == 0, "%s", said);
	ck_assert(pair_wait_equal(&p, 1, SOME, PATIENCE_MS));
}
END_TEST

/* On the active the kernel is right, and what its events did not say is taken over and sent. */
START_TEST(test_active_missed_events)
{
	in_node(0, "sysctl -w net.netfilter.nf_conntrack_events=0");
	pair_flows(&p, 0, SOME, 1, false);
	ck_assert_int_eq(deep(0, ""), 1);
	ck_assert_msg(strstr(said, "kernel, extra: tcp 192.0.2.100:3024>") &&
			      strstr(said, "1 differences"),
		      "%s", said);
	ck_assert(pair_wait_equal(&p, 1, SOME + 1, PATIENCE_MS));
	in_node(0, "conntrack -U -p tcp -s 192.0.2.100 --sport 3024 -m 77");
	ck_assert_int_eq(deep(0, ""), 1);
	ck_assert_msg(strstr(said, "kernel, different: tcp 192.0.2.100:3024>"), "%s", said);
	in_node(0, "conntrack -D -p tcp -s 192.0.2.100 --sport 3024");
	ck_assert_int_eq(deep(0, ""), 1);
	ck_assert_msg(strstr(said, "kernel, missing: tcp 192.0.2.100:3024>"), "%s", said);
	ck_assert(pair_wait_equal(&p, 1, SOME, PATIENCE_MS));
	for (size_t i = 0; i < 3; i++)
		ck_assert_msg(deep(i, "") == 0, "node %zu:\n%s", i, said);
}
END_TEST

/* Flows come and go all the time: none of that is a difference. */
START_TEST(test_live)
{
	pid_t churn = fork();

	ck_assert_int_ge(churn, 0);
	if (churn == 0) {
		for (unsigned at = SOME;; at = at == SOME ? SOME + CHURN : SOME) {
			pair_flows(&p, 0, at, CHURN, false);
			pair_flows(&p, 0, at, CHURN, true);
		}
	}
	for (unsigned round = 0; round < 2; round++)
		for (size_t i = 0; i < 3; i++) {
			(void)deep(i, "");
			ck_assert_msg(strstr(said, "kernel compared, 0 differences") &&
					      strstr(said, "table compared"),
				      "node %zu:\n%s", i, said);
		}
	(void)kill(churn, SIGKILL);
	ck_assert_int_eq(waitpid(churn, NULL, 0), churn);
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *tc;

	if (!netns_usable("verify"))
		return 0;
	s = suite_create("verify");
	tc = tcase_create("deep");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, up, down);
	tcase_add_test(tc, test_equal);
	tcase_add_test(tc, test_kernel);
	tcase_add_test(tc, test_active_missed_events);
	tcase_add_test(tc, test_live);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
