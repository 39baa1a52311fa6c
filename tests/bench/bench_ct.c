/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What conntrack's edges cost: insertions, updates, renewals and deletions a second through the
 * sink, against a bare loop over libmnl that writes and sends the same messages; events
 * read and CPU an event, with a generator in another process; the parser by itself; dumps.
 *
 *   bench_ct [FLOWS]      (200000; QUICK=1 in the environment: 50000)
 *
 * Runs in namespaces of its own. One line of JSON a figure. Rates of the sink are by CPU time: the
 * kernel works inside our system calls, and the figure then holds on a busy machine too.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include "syncd/kernel/ct_message.h"
#include "syncd/kernel/ct_socket.h"
#include "tests/bench/bench.h"
#include "tests/lib/ct_lab.h"
#include "tests/lib/netns.h"

enum { BATCH = 128 };

static void die(const char *what, int err)
{
	fprintf(stderr, "bench_ct: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static double now_s(void)
{
	return (double)netns_now_us() / 1e6;
}

/* CPU seconds of this process. */
static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The n-th of many DNAT flows: ports run out at 60,000, so the clients' addresses count on. */
static struct flow flow_of(unsigned n)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, n % 50000);

	f.key.src.b[3] = (uint8_t)(1 + n / 50000);
	f.ct.reply_dst = f.key.src;
	return f;
}

static void report(const char *what, double per_s, const char *unit)
{
	char name[64];

	snprintf(name, sizeof(name), "ct.%s", what);
	bench_emit(name, per_s, unit, strstr(unit, "/s") ? "higher" : "lower");
}

/* ---- the bare loop --------------------------------------------------------------------------- */

/* Insertions as a program does them that has the flows at hand and looks at no error. */
static double bare_inserts(unsigned flows, const struct flow *all)
{
	static uint8_t buf[BATCH * CT_MESSAGE_MAX];
	static const uint8_t no_labels[FLOW_LABELS_MAX];
	const struct ct_write how = {.timeout_s = 600, .label_mask = no_labels};
	struct ct_socket s;
	uint8_t answer[8192];
	double start;

	if (ct_socket_open(&s, NETLINK_NETFILTER))
		die("socket", errno);
	start = cpu_s();
	for (unsigned n = 0; n < flows;) {
		struct ct_batch b = {.buf = buf, .seq = n};
		size_t last = 0;

		for (unsigned i = 0; i < BATCH && n < flows; i++, n++) {
			last = b.len;
			ct_message_insert(&b, &all[n], &how);
		}
		ct_message_want_ack(&b, last);
		if (mnl_socket_sendto(s.nl, buf, b.len) < 0)
			die("send", errno);
		while (recv(s.fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
			;
	}
	start = cpu_s() - start;
	ct_socket_close(&s);
	return flows / start;
}

/* ---- the sink -------------------------------------------------------------------------------- */

static double through_sink(struct ct_lab *lab, enum sink_op op, unsigned flows, struct flow *all)
{
	const struct sink_ops *ops = lab->sink->ops;
	size_t errors = lab->errors;
	double start = cpu_s();

	for (unsigned n = 0; n < flows; n++) {
		while (ops->submit(lab->sink, op, &all[n]) == -EAGAIN) {
			if (ops->flush(lab->sink, netns_now_us()))
				die("flush", EIO);
			(void)ops->poll(lab->sink, netns_now_us());
		}
	}
	(void)ops->flush(lab->sink, netns_now_us());
	while (ops->pending(lab->sink))
		(void)ops->poll(lab->sink, netns_now_us());
	start = cpu_s() - start;
	if (lab->errors != errors)
		die("operations refused", lab->last_err);
	return flows / start;
}

static void flush_table(void)
{
	if (netns_sh("conntrack -F >/dev/null 2>&1"))
		die("conntrack -F", EIO);
}

static void bench_sink(unsigned flows, struct flow *all)
{
	struct ct_lab lab;
	double bare = 0, ours = 0, v;
	int err = ct_lab_open(&lab, NULL);

	if (err)
		die("open", err);
	/* Best of three each, by turns: the machine is not ours alone. */
	for (int round = 0; round < 3; round++) {
		flush_table();
		v = bare_inserts(flows, all);
		bare = v > bare ? v : bare;
		flush_table();
		v = through_sink(&lab, SINK_PUT, flows, all);
		ours = v > ours ? v : ours;
		if (round < 2)
			(void)through_sink(&lab, SINK_DEL, flows, all);
	}
	report("insert_bare_libmnl", bare, "flows/s");
	bench_emit_peer("ct.insert", ours, "flows/s", "higher", "bare libmnl loop", bare);
	for (unsigned n = 0; n < flows; n++)
		all[n].ct.state = TCP_CONNTRACK_FIN_WAIT;
	report("update", through_sink(&lab, SINK_PUT, flows, all), "flows/s");
	report("renew", through_sink(&lab, SINK_RENEW, flows, all), "flows/s");
	report("liberal", through_sink(&lab, SINK_LIBERAL, flows, all), "flows/s");
	report("expiry", through_sink(&lab, SINK_EXPIRY, flows, all), "flows/s");
	v = cpu_s();
	err = ct_lab_dump(&lab);
	if (err || lab.dumped_count != flows)
		die("dump", err ? err : EIO);
	report("dump", flows / (cpu_s() - v), "flows/s");
	report("delete", through_sink(&lab, SINK_DEL, flows, all), "flows/s");
	ct_lab_close(&lab);
}

/* ---- the source ------------------------------------------------------------------------------ */

struct count {
	uint64_t events, overruns;
};

static void count_event(void *ctx, enum flow_event what, const struct flow *f, unsigned parts,
			bool live)
{
	struct count *c = ctx;

	(void)what;
	(void)f;
	(void)parts;
	(void)live;
	c->events++;
}

static void count_overrun(void *ctx)
{
	struct count *c = ctx;

	c->overruns++;
}

static void ignore_dump(void *ctx, const struct flow *f, bool ours)
{
	(void)ctx;
	(void)f;
	(void)ours;
}

static void ignore_end(void *ctx, int err)
{
	(void)ctx;
	(void)err;
}

/* Inserts all flows once told to, and tells at what rate by its own CPU time. */
static pid_t start_generator(unsigned flows, const struct flow *all, int go_fd, int rate_fd)
{
	pid_t pid = fork();
	double rate;
	char go;

	if (pid != 0)
		return pid;
	if (read(go_fd, &go, 1) != 1)
		_exit(1);
	rate = bare_inserts(flows, all);
	_exit(write(rate_fd, &rate, sizeof(rate)) != sizeof(rate));
}

static void bench_source(unsigned flows, const struct flow *all)
{
	struct count count = {0};
	struct source_events to = {.on_event = count_event,
				   .on_dump = ignore_dump,
				   .on_dump_end = ignore_end,
				   .on_overrun = count_overrun,
				   .ctx = &count};
	struct ct_config config;
	struct source *s;
	double start, cpu, end;
	int fds[2], rates[2];
	double rate;
	pid_t pid;

	flush_table();
	ct_config_init(&config);
	if (pipe(fds) || pipe(rates) || ct_source_open(&config, 0, &to, &s) ||
	    s->ops->listen(s, SOURCE_ALL))
		die("source", errno);
	pid = start_generator(flows, all, fds[0], rates[1]);
	start = now_s();
	cpu = cpu_s();
	if (write(fds[1], "x", 1) != 1)
		die("pipe", errno);
	end = start + 30;
	while (count.events < flows && now_s() < end) {
		struct pollfd p = {.fd = s->ops->fd(s), .events = POLLIN};

		(void)poll(&p, 1, 100);
		(void)s->ops->poll(s, 1024, netns_now_us());
	}
	cpu = cpu_s() - cpu;
	start = now_s() - start;
	(void)waitpid(pid, NULL, 0);
	if (read(rates[0], &rate, sizeof(rate)) != sizeof(rate))
		die("generator", EIO);
	report("events", (double)count.events / start, "events/s");
	report("insert_heard", rate, "flows/s");
	report("events_lost", (double)(flows - count.events), "events");
	report("event_cpu", cpu * 1e6 / (double)count.events, "us");
	s->ops->free(s);
	close(fds[0]);
	close(fds[1]);
	close(rates[0]);
	close(rates[1]);
}

/* ---- the parser ------------------------------------------------------------------------------ */

static void bench_parser(void)
{
	enum { ROUNDS = 2000000 };
	static const uint8_t mask[FLOW_LABELS_MAX];
	uint8_t ask[CT_MESSAGE_MAX], answer[8192] __attribute__((aligned(8)));
	struct ct_batch b = {.buf = ask, .seq = 1};
	struct flow f = flow_of(1);
	struct ct_lab lab;
	struct ct_record r;
	struct ct_socket s;
	double start;
	int bad = 0;

	if (ct_lab_open(&lab, NULL) || ct_lab_do(&lab, SINK_PUT, &f) ||
	    ct_socket_open(&s, NETLINK_NETFILTER))
		die("open", errno);
	ct_message_get(&b, &f.key);
	if (ct_socket_send(&s, ask, b.len) || recv(s.fd, answer, sizeof(answer), 0) <= 0)
		die("get", errno);
	start = now_s();
	for (int i = 0; i < ROUNDS; i++) {
		bad += ct_message_parse((const void *)answer, mask, &r);
		__asm__ volatile("" : : "r"(&r) : "memory");
	}
	start = now_s() - start;
	if (bad || !flow_equal(&r.flow, &f))
		die("parse", EBADMSG);
	report("parse", start * 1e9 / ROUNDS, "ns");
	ct_socket_close(&s);
	ct_lab_close(&lab);
}

int main(int argc, char **argv)
{
	const char *quick = getenv("QUICK"); /* empty: not */
	unsigned flows = argc > 1 ? (unsigned)atoi(argv[1]) : quick && *quick ? 50000 : 200000;
	struct flow *all = calloc(flows, sizeof(*all));

	if (!netns_usable("bench_ct") || !all)
		return 0;
	if (netns_enter() || netns_sysctl_set("net/netfilter/nf_conntrack_events", 1))
		die("namespace", errno);
	for (unsigned n = 0; n < flows; n++)
		all[n] = flow_of(n);
	bench_parser();
	bench_sink(flows, all);
	bench_source(flows, all);
	free(all);
	return 0;
}
