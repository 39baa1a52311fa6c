// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two daemons with a million flows each, in table and kernel: what crosses the sync link while
 * nothing happens, and what it takes to mend a standby that missed ten of them. Everything on the
 * link is captured, opened and told apart; bytes are those of whole frames, both ways.
 *
 * A million entries need more room than net.netfilter.nf_conntrack_max usually gives, and a
 * namespace cannot have its own: the parent raises it for the whole machine, and puts it back
 * however its child, which does the work, ends.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/control.h"
#include "proto/data.h"
#include "proto/key_file.h"
#include "tests/bench/bench.h"
#include "tests/lib/capture.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"

enum {
	PATIENCE_MS = 240000,
	MISSED = 10,
	LINK_UDP_PORT = 8849,
	CALM_US = 1500000, /* only hellos for so long: nothing is left over from before */
	MISSED_MOST = 64 << 10,
};

static const char *const max_name = "net/netfilter/nf_conntrack_max";
static unsigned flows = 1000000;
static uint64_t idle_us = 12000000;

static void must(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "bench_million: %s\n", what);
	abort();
}

/* ---- what crosses the link --------------------------------------------------------------- */

struct kind {
	uint64_t datagrams, bytes;
};

struct tally {
	struct group_key key;
	struct kind hello, status, nak, repair, data;
	uint64_t puts, dels, digests, checks; /* in those data */
};

static void add(struct kind *k, size_t len)
{
	k->datagrams++;
	k->bytes += len;
}

static void tally_control(struct tally *t, const uint8_t *payload, size_t len, size_t frame_len)
{
	static struct control c;

	must(control_read(payload, len, &c) == 0, "a control datagram that nobody can read");
	switch ((enum control_kind)c.kind) {
	case CONTROL_HELLO:
		add(&t->hello, frame_len);
		break;
	case CONTROL_STATUS:
		add(&t->status, frame_len);
		break;
	case CONTROL_NAK:
		add(&t->nak, frame_len);
		break;
	case CONTROL_REPAIR:
	case CONTROL_OFFER:
		add(&t->repair, frame_len);
		break;
	}
}

static void tally_data(struct tally *t, const uint8_t *payload, size_t len, size_t frame_len)
{
	struct data_info info;

	must(data_read(payload, len, &info) == 0, "a datagram of data that nobody can read");
	add(&t->data, frame_len);
	t->puts += info.puts;
	t->dels += info.dels;
	t->digests += info.digests;
	t->checks += info.has_check;
}

static void on_frame(void *ctx, const uint8_t *frame, size_t len)
{
	static uint8_t payload[DATAGRAM_MAX];
	struct tally *t = ctx;
	struct frame_header h;
	struct seal_key key;
	size_t dgram_len;
	const uint8_t *dgram = capture_udp(frame, len, LINK_UDP_PORT, &dgram_len);
	int n;

	if (dgram == NULL)
		return; /* neighbours, IGMP */
	must(frame_header_read(dgram, dgram_len, &h) == 0, "a frame of some other protocol");
	seal_key_derive(&key, &t->key, h.node, h.session);
	n = seal_open(&key, &h, dgram, dgram_len, payload);
	must(n >= 0, "a datagram under another key");
	if (h.kind == FRAME_DATA)
		tally_data(t, payload, (size_t)n, len);
	else
		tally_control(t, payload, (size_t)n, len);
}

/* Everything but hellos. */
static uint64_t beside_hellos(const struct tally *t)
{
	return t->data.bytes + t->repair.bytes + t->status.bytes + t->nak.bytes;
}

static void tally_clear(struct tally *t)
{
	*t = (struct tally){.key = t->key};
}

static void print_tally(const char *when, const struct tally *t, double seconds)
{
	(void)printf("%s, %.1f s: %llu hellos of %llu B, %llu data (%llu puts, %llu deletes, %llu "
		     "digests, %llu checks) of %llu B, %llu requests of %llu B, %llu status, %llu "
		     "naks\n",
		     when, seconds, (unsigned long long)t->hello.datagrams,
		     (unsigned long long)t->hello.bytes, (unsigned long long)t->data.datagrams,
		     (unsigned long long)t->puts, (unsigned long long)t->dels,
		     (unsigned long long)t->digests, (unsigned long long)t->checks,
		     (unsigned long long)t->data.bytes, (unsigned long long)t->repair.datagrams,
		     (unsigned long long)t->repair.bytes, (unsigned long long)t->status.datagrams,
		     (unsigned long long)t->nak.datagrams);
}

/* ---- the two measurements ---------------------------------------------------------------- */

struct bench {
	struct pair p;
	struct capture *capture;
	struct tally tally;
	uint64_t since_us;
};

static bool is_over(void *ctx)
{
	struct bench *b = ctx;

	(void)capture_take(b->capture, on_frame, &b->tally);
	return netns_now_us() >= b->since_us + idle_us;
}

/* Whatever is not a hello begins the wait anew. */
static bool is_calm(void *ctx)
{
	struct bench *b = ctx;
	const uint64_t now_us = netns_now_us();

	(void)capture_take(b->capture, on_frame, &b->tally);
	if (beside_hellos(&b->tally) > 0) {
		tally_clear(&b->tally);
		b->since_us = now_us;
	}
	return now_us >= b->since_us + CALM_US;
}

static void wait_calm(struct bench *b)
{
	tally_clear(&b->tally);
	b->since_us = netns_now_us();
	must(netns_wait_for(is_calm, b, PATIENCE_MS), "the link does not fall silent");
}

static void measure_idle(struct bench *b)
{
	double seconds;

	wait_calm(b);
	tally_clear(&b->tally);
	b->since_us = netns_now_us();
	(void)netns_wait_for(is_over, b, (unsigned)(idle_us / 1000) + PATIENCE_MS);
	seconds = (double)(netns_now_us() - b->since_us) / 1e6;
	print_tally("idle", &b->tally, seconds);
	bench_emit("idle_flow_bytes", (double)b->tally.data.bytes, "bytes of data in all", "lower");
	bench_emit("idle_other_datagrams",
		   (double)(b->tally.status.datagrams + b->tally.repair.datagrams +
			    b->tally.nak.datagrams),
		   "in all", "lower");
	bench_emit("idle_hello_rate", (double)b->tally.hello.bytes / seconds, "bytes/s of hellos",
		   "lower");
	must(b->tally.hello.datagrams > 0, "no hello was seen");
}

static bool is_mended(void *ctx)
{
	struct bench *b = ctx;

	(void)capture_take(b->capture, on_frame, &b->tally);
	return pair_group(&b->p, 1, "equal") == 1 &&
	       pair_group(&b->p, 1, "flows") == (long long)flows + MISSED;
}

static void measure_missed(struct bench *b)
{
	double seconds;

	pair_set_loss(&b->p, 100);
	must(netns_wait_for(pair_is_alone, &b->p, 20000), "the active is not alone");
	pair_flows(&b->p, 0, flows, MISSED, false);
	must(pair_wait_group(&b->p, 0, "flows", flows + MISSED, PATIENCE_MS),
	     "the active has no more than before");
	(void)capture_take(b->capture, NULL, NULL);
	tally_clear(&b->tally);
	b->since_us = netns_now_us();
	pair_set_loss(&b->p, 0);
	must(netns_wait_for(is_mended, b, PATIENCE_MS), "not equal again");
	seconds = (double)(netns_now_us() - b->since_us) / 1e6;
	(void)capture_take(b->capture, on_frame, &b->tally);
	print_tally("ten missed", &b->tally, seconds);
	must(pair_wait_equal(&b->p, 1, flows + MISSED, PATIENCE_MS), "equal in the kernel too");
	bench_emit("missed10_bytes", (double)beside_hellos(&b->tally), "bytes, hellos apart",
		   "lower");
}

static void start(struct bench *b)
{
	char path[PAIR_PATH];

	pair_open(&b->p, 2);
	b->p.dnat_only = true;
	(void)snprintf(path, sizeof(path), "%s/1.key", b->p.dir);
	must(key_file_read(path, &b->tally.key) == 0, "key file");
	pair_start(&b->p, 0, true);
	must(pair_ask(&b->p, 0, "role", "web", "active", NULL) == 0, "role");
	pair_flows(&b->p, 0, 0, flows, false);
	must(pair_wait_group(&b->p, 0, "flows", flows, PATIENCE_MS), "the active has them");
	pair_start(&b->p, 1, true);
	must(pair_wait_equal(&b->p, 1, flows, PATIENCE_MS), "equal after joining");
	pair_enter(&b->p, 0);
	b->capture = capture_open("s0");
	pair_leave(&b->p);
}

static int work(void)
{
	static struct bench b;
	bool good;

	start(&b);
	measure_idle(&b);
	good = beside_hellos(&b.tally) == 0;
	measure_missed(&b);
	good = good && beside_hellos(&b.tally) <= MISSED_MOST;
	capture_close(b.capture);
	pair_close(&b.p);
	return !good;
}

/* ---- room for them in the kernel --------------------------------------------------------- */

static volatile sig_atomic_t child;

static void on_signal(int sig)
{
	if (child > 0)
		(void)kill(child, sig);
}

int main(void)
{
	struct sigaction stop = {.sa_handler = on_signal};
	const char *quick = getenv("QUICK");
	long before = netns_sysctl_get(max_name);
	int st = -1;

	if (!netns_usable("bench_million"))
		return 0;
	if (quick && quick[0] == '1')
		flows = 100000;
	must(before > 0, "no conntrack");
	(void)sigaction(SIGINT, &stop, NULL);
	(void)sigaction(SIGTERM, &stop, NULL);
	if (before < (long)flows * 2)
		must(netns_sysctl_set(max_name, (long)flows * 2) == 0, max_name);
	child = fork();
	if (child == 0) {
		(void)signal(SIGINT, SIG_DFL);
		(void)signal(SIGTERM, SIG_DFL);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(work());
	}
	while (child > 0 && waitpid(child, &st, 0) < 0 && errno == EINTR)
		continue;
	(void)netns_sysctl_set(max_name, before);
	return child > 0 && WIFEXITED(st) ? WEXITSTATUS(st) : 1;
}
