// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * 200,000 new flows over a sync link that loses none, a fifth and two fifths of the datagrams both
 * ways: how much longer until the last has arrived, and whether all do. Both candidates keep them
 * in user space (install = takeover), so that the link is measured and not the kernels' common
 * lock. Times are medians of rounds that take the candidates and losses in turn: making the flows
 * takes most of one, and how long it takes varies.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/bench.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/pair_conntrackd.h"

enum { PATIENCE_MS = 60000, ROUNDS = 3, LOSSES = 3 };

static unsigned flows = 200000;

struct outcome {
	double time_s; /* from the first flow made to the last arrived */
	double slowest_s;
	size_t missing;
	bool equal; /* proven so */
};

static struct outcome run_conntrackd(unsigned percent)
{
	struct outcome o = {0};
	uint64_t begin_us, changed_us = 0;
	struct pair p;

	pair_open(&p, 2);
	p.dnat_only = true;
	pair_conntrackd_start(&p);
	pair_set_loss(&p, percent);
	begin_us = netns_now_us();
	pair_flows(&p, 0, 0, flows, false);
	o.missing = flows - pair_conntrackd_arrived(&p, 1, flows, &changed_us);
	o.time_s = (double)(changed_us - begin_us) / 1e6;
	pair_close(&p);
	return o;
}

static void start_syncd(struct pair *p)
{
	for (size_t i = 0; i < 2; i++) {
		pair_configure(
			p, i,
			"group web { id = 1 match = { \"203.0.113.0/24\" } install = takeover }",
			"");
		pair_start(p, i, true);
	}
	if (pair_ask(p, 0, "role", "web", "active", NULL) ||
	    !pair_wait_group(p, 1, "equal", 1, PATIENCE_MS))
		abort();
}

static struct outcome run_syncd(unsigned percent)
{
	struct outcome o;
	uint64_t begin_us;
	long long checks;
	struct pair p;

	pair_open(&p, 2);
	p.dnat_only = true;
	start_syncd(&p);
	pair_set_loss(&p, percent);
	begin_us = netns_now_us();
	pair_flows(&p, 0, 0, flows, false);
	(void)pair_wait_group(&p, 1, "flows", flows, PATIENCE_MS);
	o.time_s = (double)(netns_now_us() - begin_us) / 1e6;
	o.missing = flows - (size_t)pair_group(&p, 1, "flows");
	/* One more change, and the digest of the whole is compared again. */
	checks = pair_counter(&p, 1, "checks_equal");
	pair_flows(&p, 0, 0, 1, true);
	o.equal = pair_wait_counter(&p, 1, "checks_equal", checks + 1, PATIENCE_MS);
	pair_close(&p);
	return o;
}

static int by_time(const void *a, const void *b)
{
	const struct outcome *x = a, *y = b;

	return (x->time_s > y->time_s) - (x->time_s < y->time_s);
}

/* The median time; the most that was missing; equal only where all were. */
static struct outcome summed_up(struct outcome *o)
{
	struct outcome sum;

	qsort(o, ROUNDS, sizeof(*o), by_time);
	sum = o[ROUNDS / 2];
	sum.slowest_s = o[ROUNDS - 1].time_s;
	for (size_t i = 0; i < ROUNDS; i++) {
		sum.missing = o[i].missing > sum.missing ? o[i].missing : sum.missing;
		sum.equal &= o[i].equal;
	}
	return sum;
}

int main(void)
{
	static const unsigned percent[LOSSES] = {0, 20, 40};
	const char *quick = getenv("QUICK");
	struct outcome peers[LOSSES][ROUNDS], all[LOSSES][ROUNDS], peer[LOSSES], ours[LOSSES];

	if (!netns_usable("bench_loss"))
		return 0;
	if (quick && quick[0] == '1')
		flows = 50000;
	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < LOSSES; i++) {
			peers[i][round] = run_conntrackd(percent[i]);
			all[i][round] = run_syncd(percent[i]);
		}
	}
	for (size_t i = 0; i < LOSSES; i++) {
		peer[i] = summed_up(peers[i]);
		ours[i] = summed_up(all[i]);
	}
	bench_emit_peer("loss0_time", ours[0].time_s, "s", "lower", "conntrackd", peer[0].time_s);
	bench_emit_peer("loss20_time_ratio", ours[1].time_s / ours[0].time_s, "of lossless",
			"lower", "conntrackd", peer[1].time_s / peer[0].time_s);
	bench_emit_peer("loss40_time_ratio", ours[2].time_s / ours[0].time_s, "of lossless",
			"lower", "conntrackd", peer[2].time_s / peer[0].time_s);
	bench_emit_peer("loss20_missing", (double)ours[1].missing, "flows", "lower", "conntrackd",
			(double)peer[1].missing);
	bench_emit_peer("loss40_missing", (double)ours[2].missing, "flows", "lower", "conntrackd",
			(double)peer[2].missing);
	bench_emit("loss20_slowest", ours[1].slowest_s, "s", "lower");
	bench_emit("loss40_slowest", ours[2].slowest_s, "s", "lower");
	bench_emit("loss40_complete", ours[2].missing == 0 && ours[2].equal, "yes", "higher");
	return ours[1].missing || ours[2].missing || !ours[1].equal || !ours[2].equal;
}
