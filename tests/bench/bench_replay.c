// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sync-replay verify beside `zstd -dc` of the same segments: a journal of an active node that
 * makes, changes and ends flows, so many a datagram. The peer's figure is the lower of 1.5 M
 * records/s and half of zstd's own speed.
 */
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/lib/journal_lab.h"
#include "tests/lib/tmpdir.h"

enum { WINDOW = 200000 }; /* flows that live at a time */

static void write_journal(const char *dir, unsigned records, unsigned each)
{
	static struct journal_lab l; /* large */
	unsigned made = 0, ended = 0;

	journal_lab_open(&l, dir, 64 << 20, true);
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

/* CPU time: what others on the machine take is not in it. */
static double seconds_of(const char *cmd)
{
	double begin = children_s();

	if (system(cmd) != 0) {
		(void)fprintf(stderr, "failed: %s\n", cmd);
		exit(1);
	}
	return children_s() - begin;
}

static void measure(unsigned records, unsigned each, const char *name)
{
	char dir[64], self[PATH_MAX] = "", cmd[PATH_MAX + 128], at[64];
	double verify, zstd, bar;

	tmpdir_make(dir);
	write_journal(dir, records, each);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		exit(1);
	(void)snprintf(cmd, sizeof(cmd), "cat %s/*.zst | zstd -dc >/dev/null", dir);
	zstd = seconds_of(cmd);
	(void)snprintf(cmd, sizeof(cmd), "%s/../sync-replay verify -q %s", dirname(self), dir);
	verify = seconds_of(cmd);
	bar = records / zstd / 2 < 1.5e6 ? records / zstd / 2 : 1.5e6;
	bench_emit_peer(name, records / verify, "records/s", "higher", "min(1.5M, zstd -dc / 2)",
			bar);
	(void)snprintf(cmd, sizeof(cmd), "%s/../sync-replay at +9999 -q %s 2>/dev/null", self, dir);
	(void)snprintf(at, sizeof(at), "%s_at_end", name);
	bench_emit_peer(at, seconds_of(cmd), "s", "lower", "verify, from the start", verify);
	tmpdir_remove(dir);
}

int main(void)
{
	unsigned records = getenv("QUICK") && getenv("QUICK")[0] == '1' ? 500000 : 10000000;

	if (sodium_init() < 0)
		return 1;
	measure(records, 1, "replay_verify_rate");
	measure(records / 10, 20, "replay_verify_rate_full_datagrams");
	return 0;
}
