// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the journal costs a daemon: two nodes, 50,000 new flows a second, without and with it, in
 * turns of the same run. The figure is the ratio of CPU time of both daemons, all threads. The
 * standby keeps its flows in user space (install = takeover): one machine's kernel does not take
 * them twice at that rate, and work that the journal adds nothing to would only flatter the ratio.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"

enum { PATIENCE_MS = 90000, STEP = 12500, STEP_NS = 250000000, FLOWS = 200000 };

static double cpu_us(pid_t pid)
{
	unsigned long long ns = 0, sum = 0;
	char path[64], line[256];
	FILE *f;

	/* schedstat is of one thread, and exact where stat counts ticks. */
	(void)snprintf(path, sizeof(path), "cat /proc/%d/task/*/schedstat", (int)pid);
	f = popen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%llu", &ns) == 1)
			sum += ns;
	if (f)
		(void)pclose(f);
	return (double)sum / 1e3;
}

/* CPU of both daemons while so many flows are made at the rate, and deleted. */
static double round_us(bool journal, unsigned flows, double *made_per_s)
{
	static struct pair p;
	char extra[256] = "";
	double us = 0, begin_us[2];
	uint64_t begin, next;

	pair_open(&p, 2);
	for (size_t i = 0; i < 2; i++) {
		if (journal)
			(void)snprintf(extra, sizeof(extra), "journal { dir = \"%s/journal\" }",
				       p.node[i].dir);
		pair_configure(
			&p, i,
			"group web { id = 1 match = { \"203.0.113.0/24\" } install = takeover }",
			extra);
	}
	for (size_t i = 0; i < 2; i++)
		pair_start(&p, i, true);
	if (pair_ask(&p, 0, "role", "web", "active", NULL) ||
	    !pair_wait_equal(&p, 1, 0, PATIENCE_MS))
		abort();
	for (size_t i = 0; i < 2; i++)
		begin_us[i] = cpu_us(p.node[i].pid);
	begin = next = bench_now_ns();
	for (unsigned at = 0; at < flows; at += STEP) {
		pair_flows(&p, 0, at % FLOWS, STEP, false);
		next += STEP_NS;
		if (bench_now_ns() < next)
			(void)usleep((useconds_t)((next - bench_now_ns()) / 1000));
	}
	*made_per_s = flows / ((double)(bench_now_ns() - begin) / 1e9);
	if (!pair_wait_group(&p, 1, "flows", flows, PATIENCE_MS) ||
	    !pair_wait_group(&p, 1, "equal", 1, PATIENCE_MS))
		abort();
	for (size_t i = 0; i < 2; i++)
		us += cpu_us(p.node[i].pid) - begin_us[i];
	pair_close(&p);
	return us;
}

int main(void)
{
	unsigned flows = FLOWS;
	int rounds = getenv("QUICK") && getenv("QUICK")[0] == '1' ? 2 : 4;
	double without = 0, with = 0, rate = 0;

	if (!netns_usable("bench_journal"))
		return 0;
	for (int i = 0; i < rounds; i++) {
		without += round_us(false, flows, &rate);
		with += round_us(true, flows, &rate);
	}
	bench_emit_peer("journal_made", rate, "flows/s", "higher", "aimed at", 50000);
	bench_emit_peer("journal_cpu_ratio", with / without, "x", "lower", "at most", 1.15);
	return 0;
}
