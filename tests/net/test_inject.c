// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A takeover rehearsed on a desk: the journal of a site that crashed, played into the group of a
 * running daemon, which is then promoted. And that nobody is played to who is not on a desk.
 *
 *   site: lb-0 (crashes), lb-1          desk: node 0 (sync-replay), node 1 (syncd)
 */
#include <check.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/data.h"
#include "proto/flow_codec.h"
#include "syncd/journal/journal.h"
#include "tests/lib/ct_lab.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/replay_run.h"
#include "tests/lib/suite.h"

enum { MADE = 1500, ENDED = 300, LEFT = MADE - ENDED, PATIENCE_MS = 60000 };

static struct pair site, desk;
static struct timespec crash;
static const char *out;

static const char group[] = "group web { id = 1 match = { \"203.0.113.0/24\" } }";

static void desk_up(const char *of_tool, const char *of_daemon)
{
	pair_open(&desk, 2);
	pair_configure(&desk, 0, group, of_tool);
	pair_configure(&desk, 1, group, of_daemon);
}

static void desk_down(void)
{
	pair_close(&desk);
}

/* The writer is a little behind: what it has not written when its node dies was never there. */
static bool has_ends(void *ctx)
{
	(void)ctx;
	return replay_run(&out, "dump --op del --port %u %s/journal", 1024 + ENDED - 1,
			  site.node[0].dir) == 0 &&
	       strstr(out, " sent ");
}

/* Before all tests: a site with a journal, and the moment of its crash. */
static void site_up(void)
{
	char extra[PAIR_PATH + 32];

	pair_open(&site, 2);
	(void)snprintf(extra, sizeof(extra), "journal { dir = \"%s/journal\" }", site.node[0].dir);
	pair_configure(&site, 0, group, extra);
	pair_start(&site, 0, true);
	pair_start(&site, 1, true);
	ck_assert_int_eq(pair_ask(&site, 0, "role", "web", "active", NULL), 0);
	pair_flows(&site, 0, 0, MADE, false);
	ck_assert(pair_wait_equal(&site, 1, MADE, PATIENCE_MS));
	pair_flows(&site, 0, 0, ENDED, true);
	ck_assert(pair_wait_equal(&site, 1, LEFT, PATIENCE_MS));
	ck_assert(netns_wait_for(has_ends, NULL, PATIENCE_MS));
	ck_assert_int_eq(pair_stop(&site, 0, SIGKILL), 128 + SIGKILL);
	(void)clock_gettime(CLOCK_REALTIME, &crash);
	ck_assert_int_eq(pair_stop(&site, 1, SIGTERM), 0);
}

static void site_down(void)
{
	pair_close(&site);
}

/* From node 0 of the desk, with the site's key for the journal and the desk's for the group. */
static int inject(const char *options)
{
	int rc;

	pair_enter(&desk, 0);
	rc = replay_run(&out, "inject --into %s/conf -k %s/1.key %s %s/journal", desk.node[0].dir,
			site.dir, options, site.node[0].dir);
	pair_leave(&desk);
	return rc;
}

static int inject_the_crash(const char *options)
{
	char all[160];

	(void)snprintf(all, sizeof(all), "%s --from @%lld.%09ld", options, (long long)crash.tv_sec,
		       crash.tv_nsec);
	return inject(all);
}

static void desk_starts(void)
{
	pair_start(&desk, 1, true);
	ck_assert_int_eq(pair_ask(&desk, 1, "role", "web", "standby", NULL), 0);
}

/* Entry by entry: what the desk's kernel holds is what the site's active node held. */
static void kernel_is_as_at_the_crash(void)
{
	char text[FLOW_TEXT_MAX + 2];
	struct ct_lab lab;
	size_t n = 0;

	ck_assert_int_eq(replay_run(&out, "at @%lld.%09ld -k %s/1.key %s/journal",
				    (long long)crash.tv_sec, crash.tv_nsec, site.dir,
				    site.node[0].dir),
			 0);
	ck_assert_msg(strstr(out, " 1200 flows, 1200 shown"), "%s", out);
	pair_enter(&desk, 1);
	ck_assert(ct_lab_open(&lab, NULL) == 0 && ct_lab_dump(&lab) == 0);
	for (size_t i = 0; i < lab.dumped_count; i++) {
		if (memcmp(lab.dumped[i].key.dst.b, (uint8_t[]){203, 0, 113}, 3) != 0)
			continue;
		(void)flow_format(&lab.dumped[i], text);
		ck_assert_msg(strstr(out, text), "not at the crash: %s", text);
		n++;
	}
	ck_assert_uint_eq(n, LEFT);
	ct_lab_close(&lab);
	pair_leave(&desk);
}

START_TEST(test_takeover_rehearsed)
{
	desk_up("rehearsal = true", "rehearsal = true");
	desk_starts();
	ck_assert_msg(inject_the_crash("--topspeed") == 0, "%s", out);
	ck_assert_msg(strstr(out, "1200 put, 0 deleted, 0 refused\n"), "%s", out);
	ck_assert_msg(strstr(out, "lb-1: group web: 1200 flows, equal, installed, ready"), "%s",
		      out);
	ck_assert(pair_wait_equal(&desk, 1, LEFT, PATIENCE_MS));
	ck_assert_int_eq(pair_ask(&desk, 1, "role", "web", "active", NULL), 0);
	ck_assert(pair_wait_group(&desk, 1, "complete", 1, PATIENCE_MS));
	ck_assert_int_eq(pair_group(&desk, 1, "flows"), LEFT);
	ck_assert_int_eq(pair_group(&desk, 1, "term"), 2);
	kernel_is_as_at_the_crash();
	ck_assert_int_eq(pair_stop(&desk, 1, SIGTERM), 0);
}
END_TEST

/* From the beginning, all that happened: at the journal's pace and at others. */
START_TEST(test_played)
{
	static const char *const options[] = {"--speed 4", "--json --topspeed", "--pps 4000",
					      "--one-at-a-time --topspeed --port 1050"};
	static const unsigned made[] = {MADE, MADE, MADE, 1}, ended[] = {ENDED, ENDED, ENDED, 1};
	char counts[64];

	desk_up("rehearsal = true", "rehearsal = true");
	desk_starts();
	ck_assert_msg(inject(options[_i]) == 0, "%s", out);
	(void)snprintf(counts, sizeof(counts),
		       _i == 1 ? "\"puts\":%u,\"dels\":%u,\"refused\":0,"
			       : "%u put, %u deleted, 0 refused\n",
		       made[_i], ended[_i]);
	ck_assert_msg(strstr(out, counts), "%s", out);
	ck_assert_msg(_i != 1 || (strstr(out, "{\"standby\":\"lb-1\",\"group\":\"web\",") &&
				  strstr(out, "\"ready\":true,")),
		      "%s", out);
	ck_assert(pair_wait_equal(&desk, 1, made[_i] - ended[_i], PATIENCE_MS));
	ck_assert_int_eq(pair_stop(&desk, 1, SIGTERM), 0);
}
END_TEST

/* Into the kernel of a namespace that has nothing, without any daemon. */
START_TEST(test_into_kernel)
{
	static const char *const options[] = {"--topspeed", "--json --pps 20000",
					      "--one-at-a-time --topspeed"};
	static const char *const said[] = {
		"1200 put, 0 deleted, 0 refused\n",
		"{\"dry_run\":false,\"puts\":1200,\"dels\":0,\"refused\":0,\"left_out\":0}\n",
		"1200 put, 0 deleted, 0 refused\n"};
	int rc;

	desk_up("", "");
	pair_enter(&desk, 1);
	rc = replay_run(&out, "inject -k %s/1.key %s --from @%lld.%09ld %s/journal", site.dir,
			options[_i], (long long)crash.tv_sec, crash.tv_nsec, site.node[0].dir);
	pair_leave(&desk);
	ck_assert_msg(rc == 0 && strcmp(out, said[_i]) == 0, "%d: %s", rc, out);
	kernel_is_as_at_the_crash();
}
END_TEST

/* Two flows of which this kernel refuses one: its master is not there. */
static void write_two(const char *dir)
{
	struct journal_config c = {.dir = dir,
				   .name = "site",
				   .node = 1,
				   .session = 1,
				   .rotate_bytes = 1 << 20,
				   .rotate_us = 3600 * S_US,
				   .keep = 10,
				   .queue_bytes = 1 << 20};
	struct journal_record r = {.type = JOURNAL_SENT, .node = 1, .session = 1, .counter = 1};
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);
	uint8_t bytes[FLOW_MAX], payload[DATAGRAM_MAX];
	struct data_writer w;
	struct journal *j;

	data_begin(&w, payload, sizeof(payload), 0, 1, 1);
	ck_assert(data_add_put(&w, bytes, (size_t)flow_encode(&f, bytes)));
	f.key.sport++;
	f.ct.reply_dport++;
	f.ct.has_master = true;
	f.ct.master = f.key;
	f.ct.master.sport = 9999;
	ck_assert(data_add_put(&w, bytes, (size_t)flow_encode(&f, bytes)));
	r.payload = payload;
	r.len = w.len;
	ck_assert(journal_open(&c, &j) == 0 && journal_start(j) == 0);
	ck_assert(journal_append(j, &r));
	journal_close(j);
}

/* What the kernel would refuse, and why, without a trace here. */
START_TEST(test_dry_run)
{
	char dir[PAIR_PATH + 8];

	desk_up("", "");
	(void)snprintf(dir, sizeof(dir), "%s/two", desk.dir);
	write_two(dir);
	pair_enter(&desk, 1);
	ck_assert_int_eq(replay_run(&out, "inject --dry-run --topspeed %s", dir), 1);
	ck_assert_msg(strstr(out, "refused put tcp ") &&
			      strstr(out, ": No such file or directory\n"),
		      "%s", out);
	ck_assert_msg(strstr(out,
			     "dry run: 2 put, 0 deleted, 1 refused (No such file or directory: "
			     "1)\n"),
		      "%s", out);
	ck_assert_int_eq(replay_run(&out, "inject --json --dry-run --topspeed %s", dir), 1);
	ck_assert_msg(strstr(out, "{\"refused\":\"put\",\"flow\":\"tcp ") &&
			      strstr(out, "\"why\":\"No such file or directory\"}\n"),
		      "%s", out);
	pair_leave(&desk);
	ck_assert_uint_eq(pair_kernel_count(&desk, 1), 0);
}
END_TEST

static void untouched(void)
{
	ck_assert_int_eq(pair_group(&desk, 1, "flows"), 0);
	ck_assert_uint_eq(pair_kernel_count(&desk, 1), 0);
}

/* Whoever forgets a word of it plays to nobody. */
START_TEST(test_refused)
{
	static const char rehearsal[] = "rehearsal = true";
	static const struct {
		const char *of_tool, *of_daemon, *role, *said;
	} cases[] = {
		{"", rehearsal, "standby", "not without `rehearsal = true`, here and on each node"},
		{rehearsal, "", "standby", "node lb-1 does not say `rehearsal = true`"},
		{rehearsal, "", "active", "lb-1"},
		{rehearsal, rehearsal, "active", "node lb-1 is active in group web: nothing is"},
		{rehearsal, rehearsal, "idle", "no standby is heard in each group"},
	};

	desk_up(cases[_i].of_tool, cases[_i].of_daemon);
	pair_start(&desk, 1, true);
	ck_assert_int_eq(pair_ask(&desk, 1, "role", "web", cases[_i].role, NULL), 0);
	ck_assert_msg(inject_the_crash("--topspeed") == 2, "%s", out);
	ck_assert_msg(strstr(out, cases[_i].said), "%s", out);
	untouched();
	ck_assert_int_eq(pair_stop(&desk, 1, SIGTERM), 0);
}
END_TEST

/* Somebody takes over while it plays: it gives way at once, and says so. */
START_TEST(test_gives_way)
{
	int status;
	pid_t pid;

	desk_up("rehearsal = true", "rehearsal = true");
	desk_starts();
	pid = fork();
	if (pid == 0) {
		int rc = inject("--pps 50");

		_exit(rc == 1 && strstr(out, "is active in group web: stopped") ? 0 : 1);
	}
	ck_assert(pair_wait_group(&desk, 1, "flows", 20, PATIENCE_MS));
	ck_assert_int_eq(pair_ask(&desk, 1, "role", "web", "active", NULL), 0);
	ck_assert(waitpid(pid, &status, 0) == pid && status == 0);
	ck_assert(pair_wait_group(&desk, 1, "complete", 1, PATIENCE_MS));
	ck_assert_int_ge(pair_group(&desk, 1, "flows"), 20);
	ck_assert_int_lt(pair_group(&desk, 1, "flows"), MADE);
	ck_assert_int_eq(pair_stop(&desk, 1, SIGTERM), 0);
}
END_TEST

static Suite *inject_suite(void)
{
	Suite *s = suite_create("inject");
	TCase *tc = tcase_create("inject");

	tcase_set_timeout(tc, 180);
	tcase_add_unchecked_fixture(tc, site_up, site_down);
	tcase_add_checked_fixture(tc, NULL, desk_down);
	tcase_add_test(tc, test_takeover_rehearsed);
	tcase_add_loop_test(tc, test_played, 0, 4);
	tcase_add_loop_test(tc, test_into_kernel, 0, 3);
	tcase_add_test(tc, test_dry_run);
	tcase_add_loop_test(tc, test_refused, 0, 5);
	tcase_add_test(tc, test_gives_way);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	if (!netns_usable("test_inject"))
		return 0;
	return suite_run(inject_suite());
}
