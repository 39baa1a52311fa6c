// SPDX-License-Identifier: GPL-2.0-or-later
/* Journals of real daemons: what sync-replay says of them, whole and tampered with. */
#include <check.h>
#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/suite.h"

enum { SOME = 3000, PATIENCE_MS = 60000, OUT_MAX = 1 << 16 };

static struct pair p;
static char out[OUT_MAX];

static const char group[] = "group web { id = 1 match = { \"203.0.113.0/24\" } }";

static void up(void)
{
	char extra[256];

	pair_open(&p, 2);
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(extra, sizeof(extra), "journal { dir = \"%s/journal\" }",
			       p.node[i].dir);
		pair_configure(&p, i, group, extra);
	}
}

static void down(void)
{
	pair_close(&p);
}

/* Runs sync-replay, its output into out. Returns its exit code. */
__attribute__((format(printf, 1, 2))) static int replay(const char *fmt, ...)
{
	char self[PATH_MAX] = "", args[1024], cmd[PATH_MAX + 1200];
	va_list ap;
	size_t n;
	FILE *f;
	int rc;

	ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	va_start(ap, fmt);
	(void)vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	(void)snprintf(cmd, sizeof(cmd), "%s/../sync-replay %s 2>&1", dirname(self), args);
	f = popen(cmd, "r");
	ck_assert_ptr_nonnull(f);
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = '\0';
	rc = pclose(f);
	ck_assert(WIFEXITED(rc));
	return WEXITSTATUS(rc);
}

static int verify(size_t node)
{
	return replay("verify -k %s/1.key %s/journal", p.dir, p.node[node].dir);
}

/* Both nodes, flows made, changed and deleted, a takeover, and more. */
static void live(void)
{
	pair_start(&p, 0, true);
	pair_start(&p, 1, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	ck_assert(pair_wait_equal(&p, 1, 0, PATIENCE_MS));
	pair_flows(&p, 0, 0, SOME, false);
	ck_assert(pair_wait_equal(&p, 1, SOME, PATIENCE_MS));
	pair_flows(&p, 0, 0, 1000, true);
	ck_assert(pair_wait_equal(&p, 1, SOME - 1000, PATIENCE_MS));
}

START_TEST(test_consistent)
{
	live();
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "active", NULL), 0);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "standby", NULL), 0);
	ck_assert(pair_wait_equal(&p, 0, SOME - 1000, PATIENCE_MS));
	pair_flows(&p, 1, SOME, 500, false);
	ck_assert(pair_wait_equal(&p, 0, SOME - 500, PATIENCE_MS));
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pair_stop(&p, i, SIGTERM), 0);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_msg(verify(i) == 0, "node %zu:\n%s", i, out);
		ck_assert_msg(strstr(out, " 0 differed, ") || i == 1, "%s", out);
		ck_assert_ptr_null(strstr(out, " 0 checks equal"));
	}
}
END_TEST

static Suite *journal_suite(void)
{
	Suite *s = suite_create("journal");
	TCase *tc = tcase_create("journal");

	tcase_set_timeout(tc, 180);
	tcase_add_checked_fixture(tc, up, down);
	tcase_add_test(tc, test_consistent);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	if (!netns_usable("test_journal"))
		return 0;
	return suite_run(journal_suite());
}
