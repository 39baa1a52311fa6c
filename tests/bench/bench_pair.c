// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two boxes, 200,000 new DNAT flows, once under conntrackd (FT-FW) and once under syncd, in the
 * same namespaces: what a flow costs each daemon, the wire and memory, how fast flows can be made
 * while it listens, and when the last of them is in the standby's kernel (conntrackd's commit
 * included).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/pair_conntrackd.h"

enum { PATIENCE_MS = 90000 };

static unsigned flows = 200000;

struct cost {
	double cpu_us[2];    /* of each daemon, a flow */
	double rss_bytes[2]; /* grown, a flow */
	double wire_bytes;   /* out of the active's sync link, a flow */
	double made_per_s;   /* insertions into the active's kernel while it is listened to */
	double there_s;	     /* from the first insertion to the last in the standby's kernel */
	double commit_s;     /* of it: what a takeover waits for */
	double loop_s;	     /* what a mere loop of insertions takes for as many, unheard */
	size_t missing;	     /* never arrived */
};

struct usage {
	double cpu_us, rss_bytes;
};

static struct usage usage_of(pid_t pid)
{
	unsigned long user = 0, sys = 0, pages = 0;
	char path[64], line[1024];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f || !fgets(line, sizeof(line), f) || !strrchr(line, ')') ||
	    sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		   &user, &sys) != 2)
		abort();
	(void)fclose(f);
	(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*u %lu", &pages) != 1)
		abort();
	(void)fclose(f);
	return (struct usage){1e6 * (double)(user + sys) / (double)sysconf(_SC_CLK_TCK),
			      (double)pages * (double)sysconf(_SC_PAGESIZE)};
}

/* What differs between the two candidates. */
struct candidate {
	void (*start)(struct pair *p);
	bool (*arrived)(void *p); /* all flows are known to the standby */
	void (*commit)(struct pair *p);
};

static void takeover_start(struct pair *p)
{
	for (size_t i = 0; i < 2; i++)
		pair_configure(
			p, i,
			"group web { id = 1 match = { \"203.0.113.0/24\" } install = takeover }",
			"");
	pair_start(p, 0, true);
	pair_start(p, 1, true);
	if (pair_ask(p, 0, "role", "web", "active", NULL) ||
	    !pair_wait_group(p, 1, "equal", 1, PATIENCE_MS))
		abort();
}

static bool takeover_arrived(void *ctx)
{
	return pair_wait_group(ctx, 1, "flows", flows, PATIENCE_MS);
}

static void takeover_commit(struct pair *p)
{
	(void)pair_stop(p, 0, SIGKILL); /* a crash: it must not contend for the kernel's lock */
	(void)pair_ask(p, 1, "role", "web", "active", NULL);
	(void)pair_wait_group(p, 1, "installed", flows, PATIENCE_MS);
}

/* Into the crashed node's kernel, emptied, with nobody to listen or to contend for its lock. */
static double insertion_loop_s(struct pair *p)
{
	uint64_t begin_us;

	(void)pair_stop(p, 1, SIGKILL);
	pair_enter(p, 0);
	if (netns_sh("conntrack -F >/dev/null 2>&1"))
		abort();
	pair_leave(p);
	begin_us = netns_now_us();
	pair_flows(p, 0, 0, flows, false);
	return (double)(netns_now_us() - begin_us) / 1e6;
}

static bool conntrackd_arrived(void *ctx)
{
	uint64_t changed_us;

	return pair_conntrackd_arrived(ctx, 1, flows, &changed_us) == flows;
}

static void conntrackd_commit(struct pair *p)
{
	(void)pair_conntrackd_do(p, 1, "-c");
}

static void syncd_start(struct pair *p)
{
	pair_start(p, 0, true);
	pair_start(p, 1, true);
	if (pair_ask(p, 0, "role", "web", "active", NULL) || !pair_wait_equal(p, 1, 0, PATIENCE_MS))
		abort();
}

static bool syncd_arrived(void *ctx)
{
	return pair_wait_equal(ctx, 1, flows, PATIENCE_MS);
}

static void syncd_commit(struct pair *p)
{
	(void)p; /* hot: there is none */
}

static struct cost run(const struct candidate *who)
{
	struct cost c = {0};
	struct usage before[2], after;
	struct pair p;
	uint64_t begin_us, made_us, arrived_us;
	double wire;

	pair_open(&p, 2);
	p.dnat_only = true;
	who->start(&p);
	for (size_t i = 0; i < 2; i++)
		before[i] = usage_of(p.node[i].pid);
	wire = (double)pair_sent_bytes(&p, 0);
	begin_us = netns_now_us();
	pair_flows(&p, 0, 0, flows, false);
	made_us = netns_now_us();
	(void)who->arrived(&p);
	for (size_t i = 0; i < 2; i++) {
		after = usage_of(p.node[i].pid);
		c.cpu_us[i] = (after.cpu_us - before[i].cpu_us) / flows;
		c.rss_bytes[i] = (after.rss_bytes - before[i].rss_bytes) / flows;
	}
	c.wire_bytes = ((double)pair_sent_bytes(&p, 0) - wire) / flows;
	arrived_us = netns_now_us();
	who->commit(&p);
	c.commit_s = (double)(netns_now_us() - arrived_us) / 1e6;
	c.there_s = (double)(netns_now_us() - begin_us) / 1e6;
	c.made_per_s = flows / ((double)(made_us - begin_us) / 1e6);
	c.missing = flows - pair_kernel_count(&p, 1);
	if (!p.node[0].pid)
		c.loop_s = insertion_loop_s(&p);
	pair_close(&p);
	return c;
}

static void report(const struct cost *conntrackd, const struct cost *syncd, const struct cost *hot)
{
	static const struct {
		const char *name, *unit;
		size_t at;
	} figure[] = {
		{"pair.sender_cpu", "us/flow", offsetof(struct cost, cpu_us[0])},
		{"pair.receiver_cpu", "us/flow", offsetof(struct cost, cpu_us[1])},
		{"pair.wire", "bytes/flow", offsetof(struct cost, wire_bytes)},
		{"pair.sender_rss", "bytes/flow", offsetof(struct cost, rss_bytes[0])},
		{"pair.receiver_rss", "bytes/flow", offsetof(struct cost, rss_bytes[1])},
		{"pair.commit", "s", offsetof(struct cost, commit_s)},
	};

	for (size_t i = 0; i < sizeof(figure) / sizeof(figure[0]); i++)
		bench_emit_peer(
			figure[i].name,
			*(const double *)(const void *)((const char *)syncd + figure[i].at),
			figure[i].unit, "lower", "conntrackd",
			*(const double *)(const void *)((const char *)conntrackd + figure[i].at));
	bench_emit_peer("pair.insert_rate", syncd->made_per_s, "flows/s", "higher", "conntrackd",
			conntrackd->made_per_s);
	bench_emit_peer("pair.in_standby_kernel", hot->there_s, "s", "lower", "conntrackd",
			conntrackd->there_s);
	bench_emit_peer("pair.commit_rate", flows / syncd->commit_s, "flows/s", "higher",
			"insertion loop, unheard", flows / syncd->loop_s);
	bench_emit("pair.missing", (double)(syncd->missing + hot->missing), "flows", "lower");
	bench_emit("pair.conntrackd_missing", (double)conntrackd->missing, "flows", "lower");
}

int main(void)
{
	static const struct candidate candidate[3] = {
		{pair_conntrackd_start, conntrackd_arrived, conntrackd_commit},
		{takeover_start, takeover_arrived, takeover_commit},
		{syncd_start, syncd_arrived, syncd_commit},
	};
	struct cost c[3];

	if (!netns_usable("bench_pair"))
		return 0;
	if (getenv("QUICK") && getenv("QUICK")[0] == '1')
		flows = 50000;
	for (int i = 0; i < 3; i++)
		c[i] = run(&candidate[i]);
	report(&c[0], &c[1], &c[2]);
	return c[1].missing || c[2].missing ? 1 : 0;
}
