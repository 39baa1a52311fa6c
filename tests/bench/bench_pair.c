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
#include "tests/lib/tmpdir.h"

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

static double wire_bytes(struct pair *p)
{
	unsigned long long bytes = 0;
	char line[256];
	FILE *f;

	pair_enter(p, 0);
	f = popen("ip -s -j link show s0 | sed -n 's/.*\"tx\":{\"bytes\":\\([0-9]*\\).*/\\1/p'",
		  "r");
	if (!f || !fgets(line, sizeof(line), f) || sscanf(line, "%llu", &bytes) != 1)
		abort();
	(void)pclose(f);
	pair_leave(p);
	return (double)bytes;
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

static void conntrackd_configure(struct pair *p, size_t i)
{
	char path[PAIR_PATH + 16], text[2048];

	(void)snprintf(path, sizeof(path), "%s/conntrackd.conf", p->node[i].dir);
	(void)snprintf(
		text, sizeof(text),
		"Sync {\n Mode FTFW {\n }\n Multicast {\n  IPv4_address 225.0.0.50\n"
		"  Group 3780\n  IPv4_interface 10.9.9.%zu\n  Interface s0\n"
		"  SndSocketBuffer 8388608\n  RcvSocketBuffer 8388608\n  Checksum on\n }\n}\n"
		"General {\n HashSize 65536\n HashLimit 1048576\n LogFile off\n"
		" LockFile %s/lock\n UNIX {\n  Path %s/ctl\n }\n"
		" NetlinkBufferSize 8388608\n NetlinkBufferSizeMaxGrowth 67108864\n"
		" Filter From Userspace {\n  Protocol Accept {\n   TCP\n  }\n }\n}\n",
		i + 1, p->node[i].dir, p->node[i].dir);
	tmpdir_write(path, text);
}

static int conntrackd_do(struct pair *p, size_t i, const char *options)
{
	int rc;

	pair_enter(p, i);
	rc = netns_sh("conntrackd -C %s/conntrackd.conf %s >/dev/null 2>&1", p->node[i].dir,
		      options);
	pair_leave(p);
	return rc;
}

static void conntrackd_start(struct pair *p)
{
	char conf[PAIR_PATH + 32];

	for (size_t i = 0; i < 2; i++) {
		conntrackd_configure(p, i);
		(void)snprintf(conf, sizeof(conf), "%s/conntrackd.conf", p->node[i].dir);
		p->node[i].pid = fork();
		if (p->node[i].pid == 0) {
			pair_enter(p, i);
			(void)!freopen("/dev/null", "w", stderr);
			(void)!freopen("/dev/null", "w", stdout);
			execlp("conntrackd", "conntrackd", "-C", conf, (char *)NULL);
			_exit(127);
		}
		for (int tries = 0; conntrackd_do(p, i, "-s") != 0; tries++) {
			if (tries > 1000)
				abort();
			(void)usleep(5000);
		}
	}
	(void)conntrackd_do(p, 1, "-n");
}

static size_t conntrackd_external(struct pair *p)
{
	unsigned long n = 0;
	char command[PAIR_PATH + 160], line[256];
	FILE *f;

	pair_enter(p, 1);
	(void)snprintf(command, sizeof(command),
		       "conntrackd -C %s/conntrackd.conf -s | awk '/^cache external/ {h = 1} h && "
		       "/current active/ {print $NF; exit}'",
		       p->node[1].dir);
	f = popen(command, "r");
	if (f && fgets(line, sizeof(line), f))
		n = strtoul(line, NULL, 10);
	if (f)
		(void)pclose(f);
	pair_leave(p);
	return n;
}

/* It never says that it has all: what does not change for a second is what there will be. */
static bool conntrackd_arrived(void *ctx)
{
	size_t last = SIZE_MAX, now;
	uint64_t since_us = netns_now_us();

	while ((now = conntrackd_external(ctx)) < flows) {
		if (now != last)
			since_us = netns_now_us();
		else if (netns_now_us() - since_us > 1000000)
			return false;
		last = now;
		(void)usleep(2000);
	}
	return true;
}

static void conntrackd_commit(struct pair *p)
{
	(void)conntrackd_do(p, 1, "-c");
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
	wire = wire_bytes(&p);
	begin_us = netns_now_us();
	pair_flows(&p, 0, 0, flows, false);
	made_us = netns_now_us();
	(void)who->arrived(&p);
	for (size_t i = 0; i < 2; i++) {
		after = usage_of(p.node[i].pid);
		c.cpu_us[i] = (after.cpu_us - before[i].cpu_us) / flows;
		c.rss_bytes[i] = (after.rss_bytes - before[i].rss_bytes) / flows;
	}
	c.wire_bytes = (wire_bytes(&p) - wire) / flows;
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
		{conntrackd_start, conntrackd_arrived, conntrackd_commit},
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
