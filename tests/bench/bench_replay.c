// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sync-replay verify beside `zstd -dc` of the same segments: a journal of an active node that
 * makes, changes and ends flows, so many a datagram; of clients at any addresses and ports, and of
 * such as count up, which zstd packs twice as well. The peer's figure is the lower of 1.5 M
 * records/s and half of zstd's own speed. And what a journal of 10 GB (unpacked; QUICK=1: 0.5)
 * costs in memory, and `at` its end in bytes read.
 */
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/lib/journal_lab.h"
#include "tests/lib/tmpdir.h"

enum { WINDOW = 200000, TURNS = 3 }; /* flows that live at a time; runs of each program */

enum { FLOWS_EACH = 20, RAW_EACH = 668 /* bytes of a record of so many flows, on average */ };

static void write_journal(const char *dir, unsigned records, unsigned each, bool scattered)
{
	static struct journal_lab l; /* large */
	unsigned made = 0, ended = 0;

	journal_lab_open(&l, dir, 64 << 20, true);
	l.scattered = scattered;
	for (unsigned i = 0; i < records; i++) {
		if (made - ended < WINDOW || i % 2 == 0) {
			journal_lab_send(&l, made, each, false, i % 1000 == 0);
			made += each;
		} else {
			journal_lab_send(&l, ended, each, true, i % 1000 == 1);
			ended += each;
		}
	}
	journal_lab_close(&l);
}

static double children_s(void)
{
	struct rusage r;

	(void)getrusage(RUSAGE_CHILDREN, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* CPU time, the least so far: what others on the machine take is not in it, but slows it. */
static void least_seconds(const char *cmd, double *least)
{
	double begin = children_s(), took;

	if (system(cmd) != 0) {
		(void)fprintf(stderr, "failed: %s\n", cmd);
		exit(1);
	}
	took = children_s() - begin;
	if (*least == 0 || took < *least)
		*least = took;
}

/* In turns, so that both have what quiet there is. */
static void measure(const char *dir, unsigned records, const char *name)
{
	char self[PATH_MAX] = "", unpack[128], prove[PATH_MAX + 128], at[PATH_MAX + 128];
	double verify = 0, zstd = 0, at_end = 0, bar;
	char name_at[64];

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		exit(1);
	(void)dirname(self);
	(void)snprintf(unpack, sizeof(unpack), "zstd -dcq %s/*.zst >/dev/null", dir);
	(void)snprintf(prove, sizeof(prove), "%s/../sync-replay verify -q %s", self, dir);
	(void)snprintf(at, sizeof(at), "%s/../sync-replay at @1999999999 -q %s 2>/dev/null", self,
		       dir);
	for (int turn = 0; turn < TURNS; turn++) {
		least_seconds(unpack, &zstd);
		least_seconds(prove, &verify);
	}
	least_seconds(at, &at_end);
	bar = records / zstd / 2 < 1.5e6 ? records / zstd / 2 : 1.5e6;
	bench_emit_peer(name, records / verify, "records/s", "higher", "min(1.5M, zstd -dc / 2)",
			bar);
	(void)snprintf(name_at, sizeof(name_at), "%s_at_end", name);
	bench_emit_peer(name_at, at_end, "s", "lower", "verify, from the start", verify);
}

static void measure_kind(unsigned records, unsigned each, bool scattered, const char *name)
{
	char dir[64];

	tmpdir_make(dir);
	write_journal(dir, records, each, scattered);
	measure(dir, records, name);
	tmpdir_remove(dir);
}

struct used {
	double mb;	/* peak of resident memory */
	double read_mb; /* by read(2) */
};

/* Runs sync-replay; what it has read is known as long as it has not been waited for. */
static struct used run_replay(const char *command, const char *time, const char *dir)
{
	char self[PATH_MAX] = "", prog[PATH_MAX + 32], path[64], line[128];
	unsigned long long rchar = 0;
	struct rusage r;
	siginfo_t info;
	int status;
	pid_t pid;
	FILE *f;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		exit(1);
	(void)snprintf(prog, sizeof(prog), "%s/../sync-replay", dirname(self));
	pid = fork();
	if (pid == 0) {
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			_exit(1);
		execl(prog, "sync-replay", command, "-q", time ? time : dir, time ? dir : NULL,
		      (char *)NULL);
		_exit(1);
	}
	if (pid < 0 || waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT))
		exit(1);
	(void)snprintf(path, sizeof(path), "/proc/%d/io", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		(void)sscanf(line, "rchar: %llu", &rchar);
	if (f)
		(void)fclose(f);
	if (wait4(pid, &status, 0, &r) != pid || status != 0) {
		(void)fprintf(stderr, "failed: sync-replay %s\n", command);
		exit(1);
	}
	return (struct used){.mb = (double)r.ru_maxrss / 1024, .read_mb = (double)rchar / 1e6};
}

static void measure_large(unsigned records)
{
	struct used verify, stats, at;
	char dir[64];

	tmpdir_make(dir);
	write_journal(dir, records / 10, FLOWS_EACH, false);
	verify = run_replay("verify", NULL, dir);
	tmpdir_remove(dir);
	tmpdir_make(dir);
	write_journal(dir, records, FLOWS_EACH, false);
	measure(dir, records, "replay_verify_rate_packed_well");
	bench_emit("replay_large_unpacked", records * (double)RAW_EACH / 1e9, "GB", "higher");
	bench_emit_peer("replay_large_verify_rss", run_replay("verify", NULL, dir).mb, "MB",
			"lower", "a tenth of the journal", verify.mb);
	stats = run_replay("stats", NULL, dir);
	bench_emit("replay_large_stats_rss", stats.mb, "MB", "lower");
	at = run_replay("at", "@1999999999", dir);
	bench_emit("replay_large_at_rss", at.mb, "MB", "lower");
	bench_emit_peer("replay_large_at_read", at.read_mb, "MB", "lower", "stats reads all of it",
			stats.read_mb);
	tmpdir_remove(dir);
}

int main(void)
{
	bool quick = getenv("QUICK") && getenv("QUICK")[0] == '1';
	unsigned records = quick ? 500000 : 10000000;

	if (sodium_init() < 0)
		return 1;
	measure_kind(records, 1, false, "replay_verify_rate");
	measure_kind(records, FLOWS_EACH, true, "replay_verify_rate_full_datagrams");
	measure_large((unsigned)((quick ? 0.5e9 : 10e9) / RAW_EACH));
	return 0;
}
