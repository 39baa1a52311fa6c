// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What all commands of sync-replay share: pipes and captures instead of files, filters, times since
 * the beginning, the bar on a terminal.
 */
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/journal_lab.h"
#include "tests/lib/replay_run.h"
#include "tests/lib/suite.h"
#include "tests/lib/tmpdir.h"

enum { FLOWS = 20000, EACH = 20 };

static char dir[64];
static const char *out;

static void write_journal(unsigned flows, uint64_t rotate_bytes)
{
	journal_lab_write(dir, flows, EACH, rotate_bytes, true);
}

static void up(void)
{
	tmpdir_make(dir);
}

static void down(void)
{
	tmpdir_remove(dir);
}

/* As replay_run, with a file of dir's on standard input, through a pipe. */
static int run_piped(const char *args, const char *name)
{
	char cmd[256];

	(void)snprintf(cmd, sizeof(cmd), "cat %s/%s >%s/fifo &", dir, name, dir);
	ck_assert_int_eq(system(cmd), 0);
	return replay_run(&out, "%s <%s/fifo", args, dir);
}

#define A_FLOW "'tcp 192.0.2.0:300>203.0.113.10:80'"

/* Through a pipe whatever a file can be asked, captures too; and times since the beginning. */
START_TEST(test_pipe)
{
	static const struct {
		const char *args, *of_journal, *of_capture;
	} asked[] = {
		{"verify -", "lab: 33 records", "capture: 31 records"},
		{"verify -f -", " 0 findings", NULL},
		{"info -", "   1 lab ", "   0 capture "},
		{"stats -", "puts 400 ", "puts 400 "},
		{"at -q +60 -", " 200 flows, 200 shown", " 200 flows, 200 shown"},
		{"who " A_FLOW " +60 -", "lab ", "capture "},
		{"history " A_FLOW " -", " there ", " there "},
		{"report -o /dev/stdout -", "</html>", "</html>"},
	};
	char fifo[96];

	(void)snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	write_journal(400, 1 << 30);
	ck_assert_int_eq(replay_run(&out, "export -o %s/x.pcapng %s", dir, dir), 0);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		int rc = run_piped(asked[i].args, "journal-1-0000000001.zst");

		/* The lab's node is told no role: nobody is active. */
		ck_assert_msg(rc == (asked[i].args[0] == 'w'), "%s: %d: %s", asked[i].args, rc,
			      out);
		ck_assert_msg(strstr(out, asked[i].of_journal), "%s: %s", asked[i].args, out);
		if (!asked[i].of_capture)
			continue;
		ck_assert_msg(run_piped(asked[i].args, "x.pcapng") == 0, "%s: %s", asked[i].args,
			      out);
		ck_assert_msg(strstr(out, asked[i].of_capture), "%s: %s", asked[i].args, out);
	}
	ck_assert_int_eq(run_piped("stats -f -", "x.pcapng"), 2);
	ck_assert_int_eq(replay_run(&out, "verify - </dev/null"), 3);
}
END_TEST

/* The same filters, whatever is asked: 20,000 flows are put by datagrams 1 to 1000, half of them
 * are deleted by 1001 to 1500. */
START_TEST(test_filters_everywhere)
{
	static const struct {
		const char *filter;
		unsigned datagrams, puts, dels;
	} cases[] = {
		{"", 1501, 20000, 10000},
		{"--op del", 500, 0, 10000},
		{"--op put", 1000, 20000, 0},
		{"--op sent", 1501, 20000, 10000},
		{"--port 7", 2, 1, 1},
		{"--port 7 --op del", 1, 0, 1},
		{"--port 80 --proto tcp --kind conntrack --addr 192.0.2.0/24", 1500, 20000, 10000},
		{"--from '#11' --until '#20'", 10, 200, 0},
		{"--group 1 --node 1", 1501, 20000, 10000},
		{"--group 2", 0, 0, 0},
		{"--node 2", 0, 0, 0},
		{"--proto udp", 0, 0, 0},
		{"--kind ipvs", 0, 0, 0},
		{"--addr 198.51.100.0/24", 0, 0, 0},
	};
	char counts[64];

	write_journal(FLOWS, 30000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *f = cases[i].filter;

		ck_assert_int_eq(replay_run(&out, "stats --json %s %s", f, dir), 0);
		(void)snprintf(counts, sizeof(counts), "\"puts\":%u,\"dels\":%u,", cases[i].puts,
			       cases[i].dels);
		ck_assert_msg(strstr(out, counts), "stats %s: %s", f, out);
		(void)snprintf(counts, sizeof(counts), "\"sent\":%u,", cases[i].datagrams);
		ck_assert_msg(!strstr(out, "\"sent\":") == !cases[i].datagrams &&
				      (!cases[i].datagrams || strstr(out, counts)),
			      "stats %s: %s", f, out);
		ck_assert_int_eq(replay_run(&out, "dump %s %s | grep -c ' sent '", f, dir),
				 cases[i].datagrams == 0);
		ck_assert_msg(strtoul(out, NULL, 10) == cases[i].datagrams, "dump %s: %s", f, out);
		ck_assert_int_eq(replay_run(&out, "export -o %s/x.pcapng %s %s", dir, f, dir), 0);
		ck_assert_int_eq(replay_run(&out, "stats %s/x.pcapng | grep -c ^capture", dir), 0);
		ck_assert_int_eq(replay_run(&out, "dump %s/x.pcapng | wc -l", dir), 0);
		ck_assert_msg(strtoul(out, NULL, 10) == cases[i].datagrams, "export %s: %s", f,
			      out);
	}
	ck_assert_int_eq(replay_run(&out, "history --op del " A_FLOW " %s", dir), 0);
	ck_assert_msg(strstr(out, "deleted") && !strstr(out, "there"), "%s", out);
	ck_assert_int_eq(replay_run(&out, "history --group 2 " A_FLOW " %s", dir), 1);
	ck_assert_int_eq(replay_run(&out, "who --node 2 " A_FLOW " '#9' %s", dir), 1);
	ck_assert_str_eq(out, "");
	ck_assert_int_eq(replay_run(&out, "inject --dry-run --node 2 %s", dir), 2);
	ck_assert_int_eq(replay_run(&out, "report --addr 198.51.100.0/24 -o %s/r %s; cat %s/r", dir,
				    dir, dir),
			 0);
	ck_assert_msg(!strstr(out, "tcp ESTABLISHED"), "%s", out);
}
END_TEST

static void write_beginning(uint16_t node)
{
	struct journal_config c = {.dir = dir,
				   .name = node == 1 ? "first" : "second",
				   .node = node,
				   .session = node,
				   .rotate_bytes = 1 << 30,
				   .rotate_us = 3600 * S_US,
				   .keep = 10,
				   .queue_bytes = 1 << 20};
	struct journal_note note = {.text = "begins"};
	struct journal_record r = {.type = JOURNAL_START, .node = node, .session = node};
	uint8_t buf[JOURNAL_PART_MAX];
	struct timespec now;
	struct journal *j;

	ck_assert(journal_open(&c, &j) == 0 && journal_start(j) == 0);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	r.wall_us = (uint64_t)now.tv_sec * S_US + (uint64_t)now.tv_nsec / 1000;
	r.payload = buf;
	r.len = journal_note_write(&note, buf);
	ck_assert(journal_append(j, &r));
	journal_close(j);
}

/* "+1" is the same moment in all journals, not a second after each one's own beginning. */
START_TEST(test_since_the_earliest)
{
	struct timespec begin, now;

	(void)clock_gettime(CLOCK_REALTIME, &begin);
	write_beginning(1);
	do
		(void)clock_gettime(CLOCK_REALTIME, &now);
	while (now.tv_sec - begin.tv_sec < 2);
	write_beginning(2);
	ck_assert_int_eq(replay_run(&out, "stats --json --until +1 %s", dir), 0);
	ck_assert_msg(strstr(out, "\"start\":1") < strstr(out, "\"journal\":\"second\""), "%s",
		      out);
	ck_assert_msg(!strstr(strstr(out, "\"journal\":\"second\""), "\"start\""), "%s", out);
	ck_assert_int_eq(replay_run(&out, "dump --from +1 %s", dir), 0);
	ck_assert_msg(strstr(out, "start     2:0") && !strstr(out, "start     1:0"), "%s", out);
}
END_TEST

/* On a terminal only, to its end once, and in nobody's way who prints there. */
START_TEST(test_progress)
{
	static const char *const asked[] = {"verify", "stats", "export -o /dev/null",
					    "dump --op state"};
	char self[PATH_MAX] = "";
	const char *end;

	write_journal(FLOWS, 30000);
	ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	(void)dirname(self);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		ck_assert_int_eq(replay_run(&out,
					    "-V >/dev/null; script -qec '%s/../sync-replay %s %s "
					    "%s' /dev/null",
					    self, asked[i], dir, i == 3 ? ">/dev/null" : ""),
				 0);
		end = strstr(out, " 100 %");
		ck_assert_msg(end && !strstr(end + 1, " 100 %"), "%s: %s", asked[i], out);
	}
	ck_assert_int_eq(replay_run(&out, "verify %s", dir), 0);
	ck_assert_ptr_null(strstr(out, " 100 %"));
}
END_TEST

static Suite *commands_suite(void)
{
	Suite *s = suite_create("replay_commands");
	TCase *tc = tcase_create("replay_commands");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, up, down);
	tcase_add_test(tc, test_pipe);
	tcase_add_test(tc, test_filters_everywhere);
	tcase_add_test(tc, test_since_the_earliest);
	tcase_add_test(tc, test_progress);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	return suite_run(commands_suite());
}
