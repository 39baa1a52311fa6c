// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A standby that missed one flow in a hundred while the sync link was cut, for longer than its
 * peers keep each other's sessions: the bytes the active sends until both are equal again, against
 * those of a whole transfer to a standby that joined with nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/bench.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"

enum { PATIENCE_MS = 60000 };

static unsigned flows = 198000;

static void must(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "bench_repair: %s\n", what);
	abort();
}

int main(void)
{
	unsigned long long before, whole, part;
	unsigned missed;
	struct pair p;

	if (!netns_usable("bench_repair"))
		return 0;
	if (getenv("QUICK") && getenv("QUICK")[0] == '1')
		flows = 49500;
	missed = flows / 99;
	pair_open(&p, 2);
	p.dnat_only = true;
	pair_start(&p, 0, true);
	must(pair_ask(&p, 0, "role", "web", "active", NULL) == 0, "role");
	pair_flows(&p, 0, 0, flows, false);
	must(pair_wait_group(&p, 0, "flows", flows, PATIENCE_MS), "the active has them");
	before = pair_sent_bytes(&p, 0);
	pair_start(&p, 1, true);
	must(pair_wait_equal(&p, 1, flows, PATIENCE_MS), "equal after joining");
	whole = pair_sent_bytes(&p, 0) - before;

	pair_set_loss(&p, 100);
	must(netns_wait_for(pair_is_alone, &p, 20000), "the active is alone");
	pair_flows(&p, 0, flows, missed, false);
	must(pair_wait_group(&p, 0, "flows", flows + missed, PATIENCE_MS), "the active has more");
	pair_set_loss(&p, 0);
	before = pair_sent_bytes(&p, 0);
	must(pair_wait_equal(&p, 1, flows + missed, PATIENCE_MS), "equal again");
	part = pair_sent_bytes(&p, 0) - before;
	pair_close(&p);

	bench_emit("repair_whole", (double)whole / flows, "bytes/flow", "lower");
	bench_emit("repair_part", (double)part / missed, "bytes/missing flow", "lower");
	bench_emit("repair_bytes_ratio", (double)part / (double)whole, "of a whole transfer",
		   "lower");
	return 0;
}
