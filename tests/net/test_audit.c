// SPDX-License-Identifier: GPL-2.0-or-later
/* Journals of real daemons: what sync-replay says of them, whole and tampered with. */
#include <check.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "syncd/journal/journal.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/replay_run.h"
#include "tests/lib/suite.h"

enum { SOME = 3000, CUT = 40, PATIENCE_MS = 60000 };

static struct pair p;
static const char *out;

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

static int verify(size_t node)
{
	return replay_run(&out, "verify -k %s/1.key %s/journal", p.dir, p.node[node].dir);
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

static unsigned long median(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	ck_assert_msg(at && strstr(at, "p50 "), "no \"%s\": %s", line, text);
	return strtoul(strstr(at, "p50 ") + 4, NULL, 10);
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
	ck_assert_msg(replay_run(&out, "diff -k %s/1.key %s/journal %s/journal", p.dir,
				 p.node[0].dir, p.node[1].dir) == 0,
		      "%s", out);
	ck_assert_msg(strstr(out, "0 only lb-0, 0 only lb-1, 0 differ"), "%s", out);
	ck_assert_msg(replay_run(&out, "lag %s/journal %s/journal", p.node[0].dir, p.node[1].dir) ==
			      0,
		      "%s", out);
	/* Into the kernel it takes at least as long as into the table. */
	ck_assert_uint_ge(median(out, "lb-0 -> lb-1 kernel: "),
			  median(out, "lb-0 -> lb-1 table: "));
	ck_assert_uint_ge(median(out, "lb-1 -> lb-0 kernel: "),
			  median(out, "lb-1 -> lb-0 table: "));
}
END_TEST

/* SIGKILL in the middle: the journal ends torn, and goes on in the next session's segment. */
START_TEST(test_crash)
{
	live();
	ck_assert_int_eq(pair_stop(&p, 0, SIGKILL), 128 + SIGKILL);
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "active", NULL), 0);
	ck_assert(pair_wait_group(&p, 1, "complete", 1, PATIENCE_MS));
	pair_start(&p, 0, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "standby", NULL), 0);
	ck_assert(pair_wait_equal(&p, 0, SOME - 1000, PATIENCE_MS));
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pair_stop(&p, i, SIGTERM), 0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_msg(verify(i) == 0, "node %zu:\n%s", i, out);
	ck_assert_msg(replay_run(&out, "diff -k %s/1.key %s/journal %s/journal", p.dir,
				 p.node[0].dir, p.node[1].dir) == 0,
		      "%s", out);
	ck_assert_msg(replay_run(&out, "dump --op state --json %s/journal", p.node[1].dir) == 0,
		      "%s", out);
	ck_assert_ptr_nonnull(strstr(out, "\"to\":\"active\""));
}
END_TEST

static bool has_last(void *dir)
{
	return replay_run(&out, "dump --op put --port %u %s", 1024 + SOME + CUT - 1,
			  (const char *)dir) == 0 &&
	       strstr(out, " sent ");
}

/* What was made behind a cut link is lost by the crash; the journals name just that. */
START_TEST(test_lost_named)
{
	const char *only;
	char dir[PAIR_PATH + 16];
	struct timespec now;
	unsigned named = 0;

	live();
	ck_assert_int_eq(netns_sh("ip link set p1 down"), 0);
	pair_flows(&p, 0, SOME, CUT, false);
	(void)snprintf(dir, sizeof(dir), "%s/journal", p.node[0].dir);
	ck_assert(netns_wait_for(has_last, dir, PATIENCE_MS));
	ck_assert_int_eq(pair_stop(&p, 0, SIGKILL), 128 + SIGKILL);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "active", NULL), 0);
	ck_assert_int_eq(pair_stop(&p, 1, SIGTERM), 0);
	ck_assert_int_eq(replay_run(&out, "diff -k %s/1.key %s %s/journal @%lld.%09ld", p.dir, dir,
				    p.node[1].dir, (long long)now.tv_sec, now.tv_nsec),
			 1);
	ck_assert_msg(strstr(out, "40 only lb-0, 0 only lb-1, 0 differ\n"), "%s", out);
	for (only = out; (only = strstr(only, "only lb-0: tcp 192.0.2.100:")) != NULL; named++) {
		long port = strtol(only + strlen("only lb-0: tcp 192.0.2.100:"), NULL, 10);

		ck_assert_int_ge(port, 1024 + SOME);
		ck_assert_int_lt(port, 1024 + SOME + CUT);
		only++;
	}
	ck_assert_uint_eq(named, CUT);
}
END_TEST

static bool has_lost(void *dir)
{
	return replay_run(&out, "dump --op lost %s", (const char *)dir) == 0 &&
	       strstr(out, "records of");
}

/* The active's disk is full all the time: sync goes on, and once there is room, so does the
 * journal. */
START_TEST(test_full_disk)
{
	char dir[PAIR_PATH + 16];

	(void)snprintf(dir, sizeof(dir), "%s/journal", p.node[0].dir);
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(netns_sh("mount --make-rprivate / && mkdir %s && "
				  "mount -t tmpfs -o size=64k,mode=700 tmpfs %s && "
				  "head -c 60000 /dev/zero >%s/ballast",
				  dir, dir, dir),
			 0);
	live();
	ck_assert_int_eq(netns_sh("rm %s/ballast && mount -o remount,size=64m %s", dir, dir), 0);
	ck_assert(netns_wait_for(has_lost, dir, PATIENCE_MS));
	pair_flows(&p, 0, SOME, 500, false);
	ck_assert(pair_wait_equal(&p, 1, SOME - 500, PATIENCE_MS));
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pair_stop(&p, i, SIGTERM), 0);
	ck_assert_msg(replay_run(&out, "dump --op lost %s", dir) == 0, "%s", out);
	ck_assert_msg(strstr(out, "records of"), "%s", out);
	ck_assert_int_le(verify(0), 1);
	ck_assert_msg(strstr(out, " 0 findings"), "%s", out);
	ck_assert_int_eq(netns_sh("umount %s", dir), 0);
}
END_TEST

static bool both_know_of_two(void *ctx)
{
	(void)ctx;
	return replay_run(&out, "dump --op alarm %s/journal", p.node[0].dir) == 0 && *out &&
	       replay_run(&out, "dump --op alarm %s/journal", p.node[1].dir) == 0 && *out;
}

static bool has_dropped(void *ctx)
{
	(void)ctx;
	pair_flows(&p, 0, SOME + 1000, 20, false);
	pair_flows(&p, 0, SOME + 1000, 20, true);
	return replay_run(&out, "dump --op dropped %s/journal", p.node[1].dir) == 0 &&
	       strstr(out, "stale term");
}

/* Every kind of record but `lost` and `kept` (test_full_disk; a standby of an active that is not
 * complete), written by daemons to whom all of that happens. */
START_TEST(test_every_kind)
{
	static const char *const kinds[] = {"sent",  "applied",	 "tail",      "dropped", "control",
					    "state", "term",	 "keyframe",  "resync",	 "sample",
					    "start", "end",	 "reconcile", "key",	 "config",
					    "alarm", "installed"};
	char extra[512];

	live();
	pair_set_loss(&p, 40); /* naks */
	pair_flows(&p, 0, SOME, 500, false);
	ck_assert(pair_wait_counter(&p, 0, "sent_retransmits", 1, PATIENCE_MS));
	pair_set_loss(&p, 0);
	ck_assert(pair_wait_equal(&p, 1, SOME - 500, PATIENCE_MS));
	/* Both active: for a second what comes in the lower term is taken, then it is dropped. */
	ck_assert_int_eq(pair_ask(&p, 1, "role", "web", "active", NULL), 0);
	pair_flows(&p, 0, SOME + 500, 20, false);
	ck_assert(netns_wait_for(both_know_of_two, NULL, PATIENCE_MS));
	ck_assert(netns_wait_for(has_dropped, NULL, PATIENCE_MS));
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "standby", NULL), 0);
	ck_assert(pair_wait_group(&p, 0, "equal", 1, PATIENCE_MS));
	(void)snprintf(extra, sizeof(extra),
		       "journal { dir = \"%.100s/journal\" }\nkey 2 { file = \"%.60s/2.key\" }",
		       p.node[0].dir, p.dir);
	ck_assert_int_eq(netns_sh("sed 's/^id 1/id 2/' %s/1.key >%s/2.key && chmod 600 %s/2.key",
				  p.dir, p.dir, p.dir),
			 0);
	pair_configure(&p, 0, group, extra);
	ck_assert_int_eq(pair_ask(&p, 0, "reload", NULL, NULL, NULL), 0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pair_stop(&p, i, SIGTERM), 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		ck_assert_msg(replay_run(&out, "dump --op %s %s/journal %s/journal", kinds[i],
					 p.node[0].dir, p.node[1].dir) == 0,
			      "%s: %s", kinds[i], out);
		ck_assert_msg(*out, "no record is a %s", kinds[i]);
	}
	ck_assert_int_eq(replay_run(&out, "dump --op key %s/journal", p.node[0].dir), 0);
	ck_assert_msg(strstr(out, "key 2 is accepted"), "%s", out);
}
END_TEST

/* Appends so many records. Returns how often the thread has waited for anything. */
static long append_many(struct journal *j, unsigned records, unsigned *dropped)
{
	static const uint8_t payload[1000];
	struct journal_record r = {
		.type = JOURNAL_DROPPED, .node = 1, .session = 1, .payload = payload};
	struct rusage before, after;

	(void)getrusage(RUSAGE_THREAD, &before);
	for (unsigned i = 0; i < records; i++) {
		r.len = i % sizeof(payload);
		*dropped += !journal_append(j, &r);
	}
	(void)getrusage(RUSAGE_THREAD, &after);
	return after.ru_nvcsw - before.ru_nvcsw;
}

/* A disk that has stopped in the middle of it all, its writes neither done nor refused. Whoever
 * tells the journal something does not wait a single time; a whole daemon goes on as ever. */
START_TEST(test_stalled_disk)
{
	char disk[PAIR_PATH + 16], own[PAIR_PATH + 32];
	struct journal_config c = {.dir = own,
				   .name = "stalled",
				   .node = 9,
				   .session = 1,
				   .rotate_bytes = 1 << 30,
				   .rotate_us = 3600 * S_US,
				   .keep = 10,
				   .fsync_us = 1,
				   .queue_bytes = 1 << 20};
	unsigned dropped = 0, before;
	struct journal_stats st;
	struct journal *j;

	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	(void)snprintf(disk, sizeof(disk), "%s/journal", p.node[0].dir);
	(void)snprintf(own, sizeof(own), "%s/own", disk);
	if (netns_sh("mount --make-rprivate / && mkdir -m 700 %s && truncate -s 64M %s.img && "
		     "mkfs.ext4 -q %s.img && mount -o loop %s.img %s && chmod 700 %s",
		     disk, disk, disk, disk, disk, disk)) {
		(void)printf("SKIP: no file system in a file here (mkfs.ext4, /dev/loop0)\n");
		return;
	}
	pair_start(&p, 0, true); /* begins its journal there */
	pair_start(&p, 1, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	ck_assert(pair_wait_equal(&p, 1, 0, PATIENCE_MS));
	ck_assert(journal_open(&c, &j) == 0 && journal_start(j) == 0);
	do {
		(void)append_many(j, 1, &dropped);
		journal_read_stats(j, &st);
	} while (st.records == 0);
	/* Whatever becomes of this test, the disk does not stay so. */
	ck_assert_int_eq(netns_sh("(sleep 40; fsfreeze -u %s) >/dev/null 2>&1 & "
				  "echo $! >%s/pid; fsfreeze -f %s",
				  disk, p.dir, disk),
			 0);
	before = dropped;
	/* Nor for more than the copy that the writer makes under its lock. */
	ck_assert_int_le(append_many(j, 20000, &dropped), 5);
	pair_flows(&p, 0, 0, SOME, false);
	ck_assert(pair_wait_equal(&p, 1, SOME, PATIENCE_MS));
	ck_assert_int_eq(netns_sh("fsfreeze -u %s; kill $(cat %s/pid)", disk, p.dir), 0);
	ck_assert_uint_gt(dropped, before);
	journal_read_stats(j, &st);
	ck_assert_uint_eq(st.lost, dropped);
	journal_close(j);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pair_stop(&p, i, SIGTERM), 0);
	ck_assert_msg(verify(0) == 0 && strstr(out, " 0 findings"), "%s", out);
	ck_assert_int_eq(netns_sh("umount %s", disk), 0);
}
END_TEST

/* Who asks for the digests with another cluster's key is told so, not that all is wrong. */
START_TEST(test_key)
{
	pair_start(&p, 0, true);
	ck_assert_int_eq(pair_stop(&p, 0, SIGTERM), 0);
	ck_assert_int_eq(replay_run(&out, "verify %s/journal", p.node[0].dir), 0);
	ck_assert_ptr_nonnull(strstr(out, "digests not compared"));
	ck_assert_int_eq(replay_run(&out, "at +1 %s/journal", p.node[0].dir), 2);
	/* What is in it is as private as the kernel's table. */
	ck_assert_int_eq(netns_sh("test $(stat -c %%a %s/journal) = 700", p.node[0].dir), 0);
}
END_TEST

static const struct {
	const char *tool, *options;
} captures[] = {
	{"tcpdump", "-q -U -i s0 udp port 8849 -w"},   /* pcap */
	{"dumpcap", "-q -i s0 -f 'udp port 8849' -w"}, /* pcapng */
};

static bool capture_has_all(void *path)
{
	return replay_run(&out, "stats -k %s/1.key %s", p.dir, (const char *)path) == 0 &&
	       strstr(out, "puts 3000 ") && strstr(out, "deletes 1000 ");
}

static bool capture_begins(void *path)
{
	return access(path, F_OK) == 0;
}

/* What others capture of a live group, read with its key: whole, in order, and the tables equal. */
START_TEST(test_live_capture)
{
	char path[96];
	int pid = 0;
	FILE *f;

	if (netns_sh("command -v %s >/dev/null", captures[_i].tool) != 0) {
		(void)printf("SKIP: %s is not installed (make deps-dev)\n", captures[_i].tool);
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/pid", p.dir);
	pair_enter(&p, 1);
	ck_assert_int_eq(netns_sh("%s %s %s/live >/dev/null 2>&1 & echo $! >%s", captures[_i].tool,
				  captures[_i].options, p.dir, path),
			 0);
	pair_leave(&p);
	f = fopen(path, "r");
	ck_assert(f && fscanf(f, "%d", &pid) == 1 && pid > 1);
	(void)fclose(f);
	(void)snprintf(path, sizeof(path), "%s/live", p.dir);
	ck_assert(netns_wait_for(capture_begins, path, PATIENCE_MS));
	live();
	ck_assert(netns_wait_for(capture_has_all, path, PATIENCE_MS));
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	ck_assert_msg(replay_run(&out, "verify -k %s/1.key %s", p.dir, path) == 0, "%s", out);
	ck_assert_msg(strstr(out, " 0 differed, ") && strstr(out, " 0 findings") &&
			      !strstr(out, " 0 checks equal"),
		      "%s", out);
	ck_assert_msg(replay_run(&out, "at @1999999999 -q -k %s/1.key %s", p.dir, path) == 0, "%s",
		      out);
	ck_assert_msg(strstr(out, " 2000 flows, 2000 shown"), "%s", out);
	ck_assert_msg(replay_run(&out,
				 "history -k %s/1.key 'tcp 192.0.2.100:1024>203.0.113.10:80' %s",
				 p.dir, path) == 0,
		      "%s", out);
	ck_assert_msg(strstr(out, "there") && strstr(out, "deleted"), "%s", out);
	/* Without the key it is all noise, and said to be. */
	ck_assert_int_le(replay_run(&out, "stats %s", path), 1);
	ck_assert_msg(strstr(out, "packets are sealed with another key: give its file by -k"), "%s",
		      out);
}
END_TEST

static Suite *audit_suite(void)
{
	Suite *s = suite_create("audit");
	TCase *tc = tcase_create("audit");

	tcase_set_timeout(tc, 180);
	tcase_add_checked_fixture(tc, up, down);
	tcase_add_test(tc, test_consistent);
	tcase_add_test(tc, test_crash);
	tcase_add_test(tc, test_lost_named);
	tcase_add_test(tc, test_full_disk);
	tcase_add_test(tc, test_stalled_disk);
	tcase_add_test(tc, test_key);
	tcase_add_test(tc, test_every_kind);
	tcase_add_loop_test(tc, test_live_capture, 0, sizeof(captures) / sizeof(captures[0]));
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	if (!netns_usable("test_audit"))
		return 0;
	return suite_run(audit_suite());
}
