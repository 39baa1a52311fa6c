// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the journal costs a daemon: two nodes, 50,000 new flows a second, without and with it, in
 * turns of the same run. The figure is the ratio of CPU time of both daemons, all threads; that all
 * flows were made at the rate, heard of and written down is measured with it. The
 * standby keeps its flows in user space (install = takeover): one machine's kernel does not take
 * them twice at that rate, and work that the journal adds nothing to would only flatter the ratio.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"

enum { PATIENCE_MS = 90000, STEP = 12500, STEP_NS = 250000000, FLOWS = 200000 };
enum { MADE_LEAST = 48000, AGAIN_MAX = 2 };

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

struct round {
	double us[2];	/* of CPU time, of each daemon */
	double made_s;	/* flows a second */
	long long lost; /* times that events, or records of a journal, were lost */
};

static long long lost_of(struct pair *p)
{
	long long lost = 0;

	for (size_t i = 0; i < 2; i++) {
		char *log = pair_log(p, i);

		lost += pair_counter(p, i, "overruns") + (log && strstr(log, "records lost"));
		free(log);
	}
	return lost;
}

static void open_nodes(struct pair *p, bool journal)
{
	char extra[256] = "";

	pair_open(p, 2);
	for (size_t i = 0; i < 2; i++) {
		if (journal)
			(void)snprintf(extra, sizeof(extra), "journal { dir = \"%s/journal\" }",
				       p->node[i].dir);
		pair_configure(
			p, i,
			"group web { id = 1 match = { \"203.0.113.0/24\" } install = takeover }",
			extra);
	}
	for (size_t i = 0; i < 2; i++)
		pair_start(p, i, true);
	if (pair_ask(p, 0, "role", "web", "active", NULL) || !pair_wait_equal(p, 1, 0, PATIENCE_MS))
		abort();
}

/* Until so many flows, made at the rate, are with both. */
static struct round run_round(bool journal, unsigned flows)
{
	static struct pair p;
	struct round r = {0};
	uint64_t begin, next;

	open_nodes(&p, journal);
	for (size_t i = 0; i < 2; i++)
		r.us[i] = -cpu_us(p.node[i].pid);
	begin = next = bench_now_ns();
	for (unsigned at = 0; at < flows; at += STEP) {
		pair_flows(&p, 0, at % FLOWS, STEP, false);
		next += STEP_NS;
		if (bench_now_ns() < next)
			(void)usleep((useconds_t)((next - bench_now_ns()) / 1000));
	}
	r.made_s = flows / ((double)(bench_now_ns() - begin) / 1e9);
	if (!pair_wait_group(&p, 1, "flows", flows, PATIENCE_MS) ||
	    !pair_wait_group(&p, 1, "equal", 1, PATIENCE_MS))
		abort();
	for (size_t i = 0; i < 2; i++)
		r.us[i] += cpu_us(p.node[i].pid);
	r.lost = lost_of(&p);
	pair_close(&p);
	return r;
}

/* Again where the machine, being busy, made fewer flows than the figure is about. */
static struct round run_round_at_rate(bool journal)
{
	struct round r = run_round(journal, FLOWS);

	for (int again = 0; again < AGAIN_MAX && r.made_s < MADE_LEAST; again++)
		r = run_round(journal, FLOWS);
	return r;
}

int main(void)
{
	int rounds = getenv("QUICK") && getenv("QUICK")[0] == '1' ? 2 : 6;
	double us[2][2] = {{0}}, made_s = 1e9; /* us[with][node] */
	long long lost = 0;

	if (!netns_usable("bench_journal"))
		return 0;
	for (int i = 0; i < 2 * rounds; i++) {
		bool with = (i + i / 2) % 2; /* neither is always the first of two */
		struct round r = run_round_at_rate(with);

		us[with][0] += r.us[0];
		us[with][1] += r.us[1];
		made_s = r.made_s < made_s ? r.made_s : made_s;
		lost += r.lost;
	}
	bench_emit_peer("journal_made_at_least", made_s, "flows/s", "higher", "aimed at", 50000);
	bench_emit("journal_lost", (double)lost, "times", "lower");
	bench_emit("journal_cpu_sender", us[1][0] / us[0][0], "x", "lower");
	bench_emit("journal_cpu_receiver", us[1][1] / us[0][1], "x", "lower");
	bench_emit_peer("journal_cpu_ratio", (us[1][0] + us[1][1]) / (us[0][0] + us[0][1]), "x",
			"lower", "at most", 1.15);
	return 0;
}
