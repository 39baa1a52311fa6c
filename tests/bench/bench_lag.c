// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long a flow made in the active's kernel takes to be in a standby's, at 20,000 new flows a
 * second: on a pair; then with four standbys, all well, and with one of them stopped (SIGSTOP).
 * The time is from before the insertion to when a listener beside the first standby hears of the
 * copy, so it contains that listener's own wake-up.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/lib/ct_lab.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"

enum { PATIENCE_MS = 60000, STANDBYS = 4, FLOWS = 200000, STEP = 20, ROUNDS = 2 };
#define STEP_US 1000u

/* Shared with the listener. */
struct times {
	uint64_t made_us[FLOWS], there_us[FLOWS];
	unsigned there;
	bool listening;
};

static struct times *times;

static void on_event(void *ctx, enum flow_event what, const struct flow *f, unsigned parts,
		     bool live)
{
	unsigned n = pair_flow_number(f);

	(void)ctx;
	(void)parts;
	(void)live;
	if (what != FLOW_NEW || n >= FLOWS || times->there_us[n])
		return;
	times->there_us[n] = netns_now_us();
	__atomic_add_fetch(&times->there, 1, __ATOMIC_RELEASE);
}

static void on_dump(void *ctx, const struct flow *f, bool ours)
{
	(void)ctx;
	(void)f;
	(void)ours;
}

static void on_dump_end(void *ctx, int err)
{
	(void)ctx;
	(void)err;
}

static void on_overrun(void *ctx)
{
	(void)ctx;
}

/* Lives beside node 1 until it is killed. */
static void listen_for_ever(struct pair *p)
{
	const struct source_events to = {.on_event = on_event,
					 .on_dump = on_dump,
					 .on_dump_end = on_dump_end,
					 .on_overrun = on_overrun,
					 .ctx = NULL};
	struct ct_config c;
	struct source *s;

	pair_enter(p, 1);
	ct_config_init(&c);
	c.poll_us = 0; /* woken by each */
	if (ct_source_open(&c, 0, &to, &s) || s->ops->listen(s, SOURCE_ALL))
		_exit(1);
	times->listening = true;
	for (;;) {
		struct pollfd fd = {.fd = s->ops->fd(s), .events = POLLIN};

		(void)poll(&fd, 1, -1);
		(void)s->ops->poll(s, 1024, netns_now_us());
	}
}

static bool is_listening(void *ctx)
{
	(void)ctx;
	return __atomic_load_n(&times->listening, __ATOMIC_ACQUIRE);
}

static pid_t start_listener(struct pair *p)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		listen_for_ever(p);
	}
	if (pid < 0 || !netns_wait_for(is_listening, NULL, 10000))
		abort();
	return pid;
}

static void sleep_until(uint64_t at_us)
{
	const struct timespec t = {(time_t)(at_us / 1000000), (long)(at_us % 1000000) * 1000};

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* Makes them STEP at a time, each STEP_US; what comes late is not made up for. Returns the rate. */
static double make(struct pair *p, unsigned first, unsigned n)
{
	uint64_t begin_us, next_us;
	struct ct_lab lab;

	pair_enter(p, 0);
	if (ct_lab_open(&lab, NULL))
		abort();
	begin_us = next_us = netns_now_us();
	for (unsigned k = first; k < first + n; k += STEP) {
		uint64_t now_us;

		sleep_until(next_us);
		now_us = netns_now_us();
		next_us = (next_us + STEP_US > now_us ? next_us : now_us) + STEP_US;
		for (unsigned i = k; i < k + STEP; i++) {
			struct flow f = pair_flow(p, i);

			times->made_us[i] = now_us;
			if (lab.sink->ops->submit(lab.sink, SINK_PUT, &f))
				abort();
		}
		if (lab.sink->ops->flush(lab.sink, now_us) < 0 ||
		    lab.sink->ops->poll(lab.sink, now_us) < 0)
			abort();
	}
	begin_us = netns_now_us() - begin_us;
	ct_lab_close(&lab);
	pair_leave(p);
	return n / ((double)begin_us / 1e6);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool all_there(void *ctx)
{
	const unsigned *n = ctx;

	return __atomic_load_n(&times->there, __ATOMIC_ACQUIRE) >= *n;
}

struct lag {
	double p50_us, p99_us, rate;
	size_t missing;
};

static struct lag run(struct pair *p, unsigned first, unsigned n)
{
	uint64_t *lag = calloc(n, sizeof(*lag));
	struct lag out = {.rate = make(p, first, n)};
	unsigned end = first + n;
	size_t have = 0;

	(void)netns_wait_for(all_there, &end, PATIENCE_MS);
	for (unsigned i = first; lag && i < end; i++)
		if (times->there_us[i])
			lag[have++] = times->there_us[i] - times->made_us[i];
	out.missing = n - have;
	if (!have)
		abort();
	qsort(lag, have, sizeof(*lag), compare);
	out.p50_us = (double)lag[have / 2];
	out.p99_us = (double)lag[have - 1 - have / 100];
	free(lag);
	return out;
}

static void start_all(struct pair *p)
{
	for (size_t i = 0; i < p->nodes; i++)
		pair_start(p, i, true);
	if (pair_ask(p, 0, "role", "web", "active", NULL))
		abort();
	for (size_t i = 1; i < p->nodes; i++)
		if (!pair_wait_equal(p, i, 0, PATIENCE_MS))
			abort();
}

static struct lag better(struct lag a, struct lag b)
{
	struct lag out = a.p99_us <= b.p99_us ? a : b;

	out.missing = a.missing + b.missing;
	return out;
}

/* By turns and the better of each: the machine is not ours alone. */
static void run_rounds(struct pair *p, unsigned n, struct lag *well, struct lag *stopped)
{
	size_t last = p->nodes - 1;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct lag l = run(p, 2 * round * n, n);

		*well = round ? better(*well, l) : l;
		if (last > 1)
			(void)kill(p->node[last].pid, SIGSTOP);
		l = run(p, (2 * round + 1) * n, n);
		*stopped = round ? better(*stopped, l) : l;
		if (last > 1)
			(void)kill(p->node[last].pid, SIGCONT);
		if (!pair_wait_equal(p, last, 2 * (round + 1) * n, PATIENCE_MS))
			abort();
	}
}

static void measure(size_t nodes, unsigned n, struct lag *well, struct lag *stopped)
{
	struct pair p;
	pid_t listener;

	memset(times, 0, sizeof(*times));
	pair_open(&p, nodes);
	p.dnat_only = true;
	start_all(&p);
	listener = start_listener(&p);
	run_rounds(&p, n, well, stopped);
	(void)kill(listener, SIGKILL);
	(void)waitpid(listener, NULL, 0);
	pair_close(&p);
}

int main(void)
{
	unsigned n = getenv("QUICK") && getenv("QUICK")[0] == '1' ? 20000 : FLOWS / 2 / ROUNDS;
	struct lag pair, again, well, stopped;
	size_t missing;

	if (!netns_usable("bench_lag"))
		return 0;
	times = mmap(NULL, sizeof(*times), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (times == MAP_FAILED)
		return 1;
	measure(2, n, &pair, &again);
	measure(1 + STANDBYS, n, &well, &stopped);
	pair = better(pair, again);
	missing = pair.missing + well.missing + stopped.missing;
	bench_emit("lag_rate", pair.rate, "events/s", "higher");
	bench_emit("lag_p50", pair.p50_us, "us", "lower");
	bench_emit("lag_p99", pair.p99_us, "us", "lower");
	bench_emit("four_standbys_lag_p99", well.p99_us, "us", "lower");
	bench_emit("paused_peer_lag_p99", stopped.p99_us, "us", "lower");
	bench_emit("paused_peer_lag_ratio", stopped.p99_us / well.p99_us, "of all well", "lower");
	bench_emit("lag_missing", (double)missing, "flows", "lower");
	return missing ? 1 : 0;
}
