// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What two daemons tell whoever runs them: on both what of their configuration is not alike, by
 * name; the hooks, with the words that they are given; and, by track files, who is to take a group.
 */
#include <check.h>
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
#include "tests/lib/tmpdir.h"

enum { PATIENCE_MS = 20000 };

static struct pair p;

static const char usual[] = "group web { id = 1 match = { \"203.0.113.0/24\" } }";

static void up(void)
{
	pair_open(&p, 2);
}

static void down(void)
{
	pair_close(&p);
}

/* Of the first peer in node i's status. */
static bool differs(size_t i, const char *in)
{
	json_t *r = NULL;
	const char *said;
	bool same;

	(void)pair_ask(&p, i, "status", NULL, NULL, &r);
	said = json_string_value(
		json_object_get(json_array_get(json_object_get(r, "peers"), 0), "differs"));
	same = said && strcmp(said, in) == 0;
	json_decref(r);
	return same;
}

static const char *in_first, *in_second;

static bool both_say(void *ctx)
{
	(void)ctx;
	return differs(0, in_first) && differs(1, in_second);
}

static const struct {
	const char *other; /* groups of the second node */
	const char *first, *second;
} unlike[] = {
	{"group web { id = 1 match = { \"203.0.113.0/24\" } zones = { 7 } }", "zones, group web",
	 "zones, group web"},
	{"group www { id = 1 match = { \"203.0.112.0/23\" } }", "group web", "group www"},
	{"group web { id = 1 match = { \"203.0.113.0/24\" } ports = { 80 } }", "group web",
	 "group web"},
	{"group web { id = 1 match = { \"203.0.113.0/24\" } }\ngroup rest { id = 9 }",
	 "group 9 (not here)", "group rest (not there)"},
	{"group web { id = 1 match = { \"203.0.112.0/23\" } }\nconntrack { protocols = { tcp } }",
	 "filter", "filter"}, /* it is part of what each group is */
	{usual, "", ""},
};

START_TEST(test_named_on_both)
{
	pair_configure(&p, 0, usual, "");
	pair_configure(&p, 1, unlike[_i].other, "");
	for (size_t i = 0; i < 2; i++)
		pair_start(&p, i, true);
	in_first = unlike[_i].first;
	in_second = unlike[_i].second;
	ck_assert_msg(netns_wait_for(both_say, NULL, PATIENCE_MS), "not \"%s\" and \"%s\"",
		      in_first, in_second);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pair_stop(&p, i, SIGTERM), 0);
}
END_TEST

static char said[8192];

/* Each hook writes its arguments down, a line a call. */
static bool hook_said(void *ctx)
{
	const char *const *line = ctx;
	char path[96];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/said", p.dir);
	f = fopen(path, "re");
	if (!f)
		return false;
	said[fread(said, 1, sizeof(said) - 1, f)] = '\0';
	(void)fclose(f);
	return strstr(said, *line) != NULL;
}

static void hook_says(const char *line)
{
	ck_assert_msg(netns_wait_for(hook_said, &line, PATIENCE_MS), "no \"%s\": %s", line, said);
}

START_TEST(test_hooks)
{
	char path[96], text[256];

	(void)snprintf(path, sizeof(path), "%s/hook", p.dir);
	(void)snprintf(text, sizeof(text), "#!/bin/sh\necho \"$#: $1, $2, $3\" >>%s/said\n", p.dir);
	tmpdir_write(path, text);
	ck_assert_int_eq(chmod(path, 0755), 0);
	(void)snprintf(text, sizeof(text), "hooks { state = \"%s\" alarm = \"%s\" }", path, path);
	pair_configure(&p, 0, usual, text);
	for (size_t i = 0; i < 2; i++)
		pair_start(&p, i, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	hook_says("3: web, active, told by syncctl\n");
	ck_assert(pair_wait_equal(&p, 1, 0, PATIENCE_MS));
	ck_assert_ptr_null(strstr(said, "alarm"));
	/* The engine outside has made both active. */
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "active", NULL), 0);
	hook_says("3: web, alarm, two nodes are active\n");
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "standby", NULL), 0);
	hook_says("3: web, joining, told by syncctl\n");
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pair_stop(&p, i, SIGTERM), 0);
}
END_TEST

static int track[3]; /* what each node's track file is to say */

static bool tracks_say(void *ctx)
{
	char path[PAIR_PATH + 32];
	bool all = true;

	(void)ctx;
	for (size_t i = 0; i < 3; i++) {
		int value = -1;
		FILE *f;

		(void)snprintf(path, sizeof(path), "%s/run/web.ready", p.node[i].dir);
		f = fopen(path, "re");
		if (f) {
			if (fscanf(f, "%d", &value) != 1)
				value = -1;
			(void)fclose(f);
		}
		all &= value == track[i];
	}
	return all;
}

static void tracks(int a, int b, int c)
{
	memcpy(track, (int[]){a, b, c}, sizeof(track));
	ck_assert_msg(netns_wait_for(tracks_say, NULL, PATIENCE_MS), "not %d, %d, %d", a, b, c);
}

static int ctl(size_t node, const char *args)
{
	char self[PATH_MAX] = "";

	ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	return netns_sh("%s/../syncctl -c %s/conf %s >/dev/null 2>&1", dirname(self),
			p.node[node].dir, args);
}

/* keepalived picks the best of those that are ready: so the others are not while one is named. */
START_TEST(test_heir)
{
	pair_close(&p);
	pair_open(&p, 3);
	for (size_t i = 0; i < 3; i++)
		pair_start(&p, i, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	tracks(0, 0, 0);
	ck_assert_int_eq(ctl(0, "handover web lb-2"), 0);
	tracks(0, 1, 0); /* before the address is given up */
	ck_assert_int_eq(ctl(1, "ready web"), 1);
	ck_assert_int_eq(ctl(2, "ready web"), 0);
	tracks(254, 1, 0);
	ck_assert_int_eq(ctl(0, "role web active"), 0); /* called off */
	tracks(0, 0, 0);
	ck_assert_int_eq(ctl(0, "handover web lb-1"), 0);
	tracks(254, 0, 1);
	ck_assert_int_eq(ctl(0, "role web standby"), 0);
	ck_assert_int_eq(ctl(1, "role web active"), 0);
	tracks(0, 0, 0);
	ck_assert_int_eq(ctl(1, "handover web"), 0); /* to whoever is the best */
	tracks(0, 254, 0);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(pair_stop(&p, i, SIGTERM), 0);
}
END_TEST

/* Kernels before Linux 5.12 keep a guard whose daemon was killed: the next start takes it away,
 * also where guards are not wanted any more. */
START_TEST(test_guard_left_behind)
{
	pair_configure(&p, 0,
		       _i ? "group web { id = 1 match = { \"203.0.113.0/24\" } }"
			  : "group web { id = 1 match = { \"203.0.113.0/24\" } guard = false }",
		       "");
	pair_enter(&p, 0);
	ck_assert_int_eq(netns_sh("nft add table inet syncd_guard_lb-0"), 0);
	pair_leave(&p);
	pair_start(&p, 0, true);
	pair_enter(&p, 0);
	ck_assert_int_ne(netns_sh("nft list tables | grep -q syncd_guard"), 0);
	pair_leave(&p);
	ck_assert_int_eq(pair_stop(&p, 0, SIGTERM), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("told");
	TCase *t = tcase_create("told");

	if (!netns_usable("told"))
		return 77;
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, up, down);
	tcase_add_loop_test(t, test_named_on_both, 0, sizeof(unlike) / sizeof(unlike[0]));
	tcase_add_test(t, test_hooks);
	tcase_add_test(t, test_heir);
	tcase_add_loop_test(t, test_guard_left_behind, 0, 2);
	suite_add_tcase(s, t);
	return suite_run(s);
}
