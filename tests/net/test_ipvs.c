/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IPVS back ends against a kernel. Where this one has no IPVS the program runs itself in the
 * guests of tests/rig/ that are in the cache: user-mode Linux for the sink of stock kernels, and
 * for the connection API where its module is built; Debian's kernel under QEMU for BPF. What the
 * sinks made is checked entry by entry against /proc/net/ip_vs_conn, by a reader of this file's
 * own.
 *
 * IPVS_FLOWS=N sets how many; figures of speed are printed. The kernel takes a minute to print a
 * large table, so CK_RUN_CASE=edges, which reads it by the sources alone, is for those.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "syncd/kernel/ipvs.h"
#include "syncd/kernel/ipvs_bpf_source.h"
#include "syncd/kernel/ipvs_flow.h"
#include "syncd/kernel/ipvs_genl.h"
#include "syncd/kernel/ipvs_sync_sink.h"
#include "tests/lib/guest.h"
#include "tests/lib/netns.h"
#include "tests/lib/suite.h"

enum { FLOWS = 2000, FLOWS_MAX = 1 << 20, PATIENCE_MS = 30000 };

static unsigned flows(void)
{
	const char *text = getenv("IPVS_FLOWS");
	unsigned long n = text ? strtoul(text, NULL, 10) : FLOWS;

	return n && n < FLOWS_MAX ? (unsigned)n : FLOWS;
}

/* ---- flows ----------------------------------------------------------------------------------- */

static void nth_flow(unsigned i, struct flow *f)
{
	const struct flow_addr vip4 = {{203, 0, 113, 10}};
	struct flow_key *k = &f->key;
	struct flow_ipvs *v = &f->ipvs;
	bool six = i % 5 == 4, template = i % 50 == 49;

	memset(f, 0, sizeof(*f));
	k->kind = FLOW_IPVS;
	k->addr_len = v->dest_len = six ? 16 : 4;
	k->l4proto = i % 7 == 6 ? IPPROTO_UDP : IPPROTO_TCP;
	k->sport = template ? 0 : (uint16_t)(1024 + i % 60000);
	k->dport = 80;
	k->dst = vip4;
	k->src.b[0] = six ? 0x20 : 10;
	k->src.b[1] = (uint8_t)(i >> 16);
	k->src.b[2] = (uint8_t)(i >> 8);
	k->src.b[3] = (uint8_t)i;
	v->dest.b[0] = six ? 0xfd : 10;
	v->dest.b[3] = (uint8_t)(1 + i % 200);
	if (six)
		k->dst.b[15] = k->src.b[15] = v->dest.b[15] = 1;
	v->dport = 8080;
	v->state = k->l4proto == IPPROTO_TCP ? 1 : 0;
	if (template) {
		v->flags = IPVS_F_TEMPLATE;
		v->timeout_s = 300;
	} else if (i % 11 == 10) {
		v->flags = IPVS_F_IN_SEQ | IPVS_F_OUT_SEQ;
		v->in_seq = (struct flow_ipvs_seq){i, 12, 0};
		v->out_seq = (struct flow_ipvs_seq){i + 1, -5, 3};
	}
}

/* The number of a flow of nth_flow by its key; flows() where it is none. */
static unsigned number_of(const struct flow_key *k)
{
	unsigned i = (unsigned)k->src.b[1] << 16 | (unsigned)k->src.b[2] << 8 | k->src.b[3];
	struct flow f;

	if (i >= flows())
		return flows();
	nth_flow(i, &f);
	return flow_key_equal(&f.key, k) ? i : flows();
}

/* ---- what the kernel has, read by ourselves ---------------------------------------------------
 */

static void read_addr(const char *text, struct flow_key *k, struct flow_addr *out)
{
	struct in_addr four;

	if (strchr(text, ':')) {
		k->addr_len = 16;
		ck_assert_int_eq(inet_pton(AF_INET6, text, out->b), 1);
		return;
	}
	k->addr_len = 4;
	four.s_addr = htonl((uint32_t)strtoul(text, NULL, 16));
	memcpy(out->b, &four, sizeof(four));
}

/* Sets seen[i] for each flow of nth_flow that is there as it should be. Returns how many others. */
static unsigned read_kernel(bool *seen)
{
	FILE *f = fopen("/proc/thread-self/net/ip_vs_conn", "re");
	char line[512], proto[8], c[64], v[64], d[64], state[16];
	unsigned cport, vport, dport, others = 0;

	ck_assert_ptr_nonnull(f);
	memset(seen, 0, flows());
	while (fgets(line, sizeof(line), f)) {
		struct flow is = {.key = {.kind = FLOW_IPVS}}, want;
		unsigned i;

		if (sscanf(line, "%7s %63s %x %63s %x %63s %x %15s", proto, c, &cport, v, &vport, d,
			   &dport, state) != 8)
			continue;
		is.key.l4proto = strcmp(proto, "TCP") == 0 ? IPPROTO_TCP : IPPROTO_UDP;
		is.key.sport = (uint16_t)cport;
		is.key.dport = (uint16_t)vport;
		read_addr(c, &is.key, &is.key.src);
		read_addr(v, &is.key, &is.key.dst);
		read_addr(d, &is.key, &is.ipvs.dest);
		i = number_of(&is.key);
		if (i < flows())
			nth_flow(i, &want);
		if (i < flows() &&
		    memcmp(&want.ipvs.dest, &is.ipvs.dest, sizeof(want.ipvs.dest)) == 0 &&
		    dport == want.ipvs.dport &&
		    (cport == 0 || want.key.l4proto == IPPROTO_UDP ||
		     strcmp(state, "ESTABLISHED") == 0))
			seen[i] = true;
		else
			others++;
	}
	(void)fclose(f);
	return others;
}

/* ---- driving the edges ------------------------------------------------------------------------
 */

struct lab {
	struct source *source;
	struct sink *sink;
	unsigned results, errors;
	int last_error;
	bool *told; /* by the source: dumped, or not destroyed */
	unsigned dumped, alien, differ, destroyed;
	bool dump_ended;
	int dump_err;
};

static void on_result(void *ctx, enum sink_op op, const struct flow *f, int err)
{
	struct lab *l = ctx;

	(void)op;
	(void)f;
	l->results++;
	l->errors += err != 0;
	if (err)
		l->last_error = err;
}

static void on_event(void *ctx, enum flow_event what, const struct flow *f, unsigned parts,
		     bool live)
{
	struct lab *l = ctx;

	(void)parts;
	(void)live;
	if (what == FLOW_DESTROY && number_of(&f->key) < flows())
		l->destroyed++;
}

static void on_dump(void *ctx, const struct flow *f, bool ours)
{
	struct lab *l = ctx;
	unsigned i = number_of(&f->key);
	struct flow want;

	ck_assert(!ours);
	if (i == flows()) {
		l->alien++;
		return;
	}
	nth_flow(i, &want);
	l->differ += !flow_equal(f, &want);
	l->dumped += !l->told[i];
	l->told[i] = true;
}

static void on_dump_end(void *ctx, int err)
{
	struct lab *l = ctx;

	l->dump_ended = true;
	l->dump_err = err;
}

static void on_overrun(void *ctx)
{
	(void)ctx;
}

static struct sink_events sink_to(struct lab *l)
{
	return (struct sink_events){on_result, l};
}

static struct source_events source_to(struct lab *l)
{
	return (struct source_events){.on_event = on_event,
				      .on_dump = on_dump,
				      .on_dump_end = on_dump_end,
				      .on_overrun = on_overrun,
				      .ctx = l};
}

/* One turn of a loop around what the lab has open. */
static void turn(struct lab *l)
{
	struct pollfd p[2] = {{.fd = -1, .events = POLLIN}, {.fd = -1, .events = POLLIN}};

	if (l->sink) {
		ck_assert_int_eq(l->sink->ops->flush(l->sink, netns_now_us()), 0);
		p[0].fd = l->sink->ops->fd(l->sink);
	}
	if (l->source)
		p[1].fd = l->source->ops->fd(l->source);
	(void)poll(p, 2, 50);
	if (l->sink)
		ck_assert_int_ge(l->sink->ops->poll(l->sink, netns_now_us()), 0);
	if (l->source)
		ck_assert_int_ge(l->source->ops->poll(l->source, 4096, netns_now_us()), 0);
}

static void finish(struct lab *l)
{
	uint64_t end = netns_now_us() + PATIENCE_MS * MS_US;

	while (l->sink->ops->pending(l->sink)) {
		ck_assert_uint_lt(netns_now_us(), end);
		turn(l);
	}
}

/* Does op to each `step`-th flow. Returns operations a second. */
static double each(struct lab *l, enum sink_op op, unsigned step)
{
	uint64_t begin = netns_now_us();
	unsigned n = 0;

	for (unsigned i = 0; i < flows(); i += step, n++) {
		struct flow f;

		nth_flow(i, &f);
		while (l->sink->ops->submit(l->sink, op, &f) == -EAGAIN)
			turn(l);
	}
	finish(l);
	return n / ((double)(netns_now_us() - begin) / 1e6);
}

/* Returns its seconds. */
static double dump(struct lab *l)
{
	/* kernel-sync reads /proc, whose cost grows with the square. */
	uint64_t begin = netns_now_us(), end = begin + 4 * PATIENCE_MS * MS_US;

	l->dump_ended = false;
	l->dumped = l->alien = l->differ = 0;
	memset(l->told, 0, flows());
	ck_assert_int_eq(l->source->ops->dump(l->source), 0);
	ck_assert_int_eq(l->source->ops->dump(l->source), -EBUSY);
	while (!l->dump_ended) {
		ck_assert_uint_lt(netns_now_us(), end);
		turn(l);
	}
	ck_assert_int_eq(l->dump_err, 0);
	return (double)(netns_now_us() - begin) / 1e6;
}

static bool kernel_has(unsigned every, bool *seen)
{
	unsigned others = read_kernel(seen), wrong = 0;

	for (unsigned i = 0; i < flows(); i++)
		wrong += seen[i] != (every == 0 || i % every != 0);
	return others == 0 && wrong == 0;
}

struct waited {
	unsigned every;
	bool *seen;
};

static bool is_so(void *ctx)
{
	struct waited *w = ctx;

	return kernel_has(w->every, w->seen);
}

static bool *made_seen(void)
{
	bool *seen = calloc(flows(), sizeof(*seen));

	ck_assert_ptr_nonnull(seen);
	return seen;
}

/* Puts all, and takes every third away: each time the kernel has just what it should. */
static void put_and_delete(struct lab *l)
{
	struct waited w = {.seen = made_seen()};

	printf("  %s: %u puts, %.0f/s\n", l->sink->ops->name, flows(), each(l, SINK_PUT, 1));
	ck_assert_uint_eq(l->errors, 0);
	ck_assert_uint_eq(l->results, flows());
	ck_assert(kernel_has(0, w.seen));
	printf("  %s: %.0f renewals/s\n", l->sink->ops->name, each(l, SINK_RENEW, 1));
	ck_assert(kernel_has(0, w.seen));
	(void)each(l, SINK_DEL, 3);
	ck_assert_uint_eq(l->errors, 0);
	/* Through the backup thread an entry that was ended stays for its last second. */
	w.every = 3;
	ck_assert(netns_wait_for(is_so, &w, 60000 + PATIENCE_MS)); /* see check_edges */
	free(w.seen);
}

/* ---- cases ------------------------------------------------------------------------------------
 */

static bool netlink_is_here(void)
{
	struct ct_socket s = {.fd = -1};
	struct ipvs_genl g = {0};

	(void)ipvs_genl_open(&s, 1 << 16);
	(void)ipvs_genl_find(&s, &g);
	ct_socket_close(&s);
	return g.group_del != 0;
}

static bool btf_is_here(void)
{
	return access("/sys/kernel/btf/ip_vs", R_OK) == 0;
}

/* Nobody's tables in our way, and none of ours in others'. */
static void enter(void)
{
	ck_assert_int_eq(netns_enter(), 0);
}

START_TEST(test_sync_sink)
{
	struct lab l = {0};
	struct sink_events to = sink_to(&l);

	enter();
	ck_assert_int_eq(ipvs_sync_sink_open(600, &to, &l.sink), 0);
	put_and_delete(&l);
	ck_assert_uint_eq(ipvs_sync_sink_stats(l.sink)->lost, 0);
	l.sink->ops->free(l.sink);
	ck_assert_uint_eq(if_nametoindex("syncd-ipvs-b"), 0);
}
END_TEST

/* Thread and interface of a daemon that was killed are found and taken over. */
START_TEST(test_sync_sink_after_a_crash)
{
	struct lab l = {0};
	struct sink_events to = sink_to(&l);
	int status;
	pid_t pid;

	enter();
	pid = fork();
	if (pid == 0)
		_exit(ipvs_sync_sink_open(600, &to, &l.sink) == 0 ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_ne(if_nametoindex("syncd-ipvs-b"), 0);
	ck_assert_int_eq(ipvs_sync_sink_open(600, &to, &l.sink), 0);
	put_and_delete(&l);
	l.sink->ops->free(l.sink);
	ck_assert_uint_eq(if_nametoindex("syncd-ipvs-b"), 0);
}
END_TEST

/* Another's thread is left alone. */
START_TEST(test_sync_sink_of_somebody_else)
{
	struct lab l = {0};
	struct sink_events to = sink_to(&l);

	enter();
	ck_assert_int_eq(
		netns_sh("ip link add mine type dummy && ip addr add 192.0.2.1/32 dev mine "
			 "&& ip link set mine up && "
			 "ipvsadm --start-daemon backup --mcast-interface mine"),
		0);
	ck_assert_int_eq(ipvs_sync_sink_open(600, &to, &l.sink), -EBUSY);
	ck_assert_uint_eq(if_nametoindex("syncd-ipvs-b"), 0);
	ck_assert_int_eq(netns_sh("ipvsadm --stop-daemon backup"), 0);
}
END_TEST

/* A whole back end: what is put is dumped, equal in every field; who loses an entry says so. */
static void check_edges(enum ipvs_backend backend, bool own_are_told)
{
	struct ipvs_config c = {.backend = backend, .lease_s = 600, .rcvbuf_bytes = 8u << 20};
	struct lab l = {0};
	struct source_events to_source = source_to(&l);
	struct sink_events to_sink = sink_to(&l);
	struct ipvs_edge edge;
	uint64_t end;

	enter();
	l.told = made_seen();
	ck_assert_msg(ipvs_open(&c, &to_source, &to_sink, &edge) == 0, "%s", edge.why);
	l.source = edge.source;
	l.sink = edge.sink;
	ck_assert_int_eq(l.source->ops->listen(l.source, SOURCE_ALL), 0);
	(void)each(&l, SINK_PUT, 1);
	ck_assert_uint_eq(l.errors, 0);
	printf("  %s: dump of %u in %.3f s\n", l.source->ops->name, flows(), dump(&l));
	ck_assert_uint_eq(l.dumped, flows());
	ck_assert_uint_eq(l.alien, 0);
	ck_assert_uint_eq(l.differ, 0);
	l.errors = l.destroyed = 0;
	/*
	 * Others' deletes are heard: here, timers that run out. One that runs out while the backup
	 * thread still holds the connection is put off by a minute (ip_vs_conn_expire).
	 */
	each(&l, SINK_DEL, 3);
	end = netns_now_us() + (60000 + PATIENCE_MS) * MS_US;
	while (own_are_told && l.destroyed < (flows() + 2) / 3 && netns_now_us() < end)
		turn(&l);
	if (own_are_told)
		ck_assert_uint_ge(l.destroyed, (flows() + 2) / 3);
	else
		ck_assert_uint_eq(l.destroyed, 0); /* its own are not told */
	(void)dump(&l);
	ck_assert_uint_eq(l.dumped, flows() - (flows() + 2) / 3);
	l.source->ops->free(l.source);
	l.sink->ops->free(l.sink);
	free(l.told);
}

START_TEST(test_netlink)
{
	check_edges(IPVS_NETLINK, false);
}
END_TEST

START_TEST(test_netlink_put_and_delete)
{
	struct ipvs_config c = {.backend = IPVS_NETLINK, .lease_s = 600, .rcvbuf_bytes = 1u << 20};
	struct lab l = {0};
	struct source_events to_source = source_to(&l);
	struct sink_events to_sink = sink_to(&l);
	struct ipvs_edge edge;
	struct flow f;

	enter();
	ck_assert_int_eq(ipvs_open(&c, &to_source, &to_sink, &edge), 0);
	l.sink = edge.sink;
	put_and_delete(&l);
	/* Errors come per operation. */
	nth_flow(0, &f); /* was deleted */
	ck_assert_int_eq(l.sink->ops->submit(l.sink, SINK_RENEW, &f), 0);
	nth_flow(1, &f);
	ck_assert_int_eq(l.sink->ops->submit(l.sink, SINK_RENEW, &f), 0);
	l.results = 0;
	finish(&l);
	ck_assert_uint_eq(l.results, 2);
	ck_assert_uint_eq(l.errors, 1);
	ck_assert_int_eq(l.last_error, -ENOENT);
	edge.source->ops->free(edge.source);
	edge.sink->ops->free(edge.sink);
}
END_TEST

START_TEST(test_bpf)
{
	check_edges(IPVS_BPF, true);
}
END_TEST

static const char *setting(const char *name)
{
	static char value[64];
	char path[96];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/vs/%s", name);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(value, sizeof(value), f));
	(void)fclose(f);
	value[strcspn(value, "\n")] = '\0';
	return value;
}

/* What the tap changes is put back, also by the next start after a crash. */
START_TEST(test_kernel_sync_after_a_crash)
{
	struct ipvs_config c = {
		.backend = IPVS_KERNEL_SYNC, .lease_s = 600, .rcvbuf_bytes = 1 << 20};
	struct lab l = {0};
	struct source_events to_source = source_to(&l);
	struct sink_events to_sink = sink_to(&l);
	struct ipvs_edge edge;
	int status;
	pid_t pid;

	enter();
	ck_assert_int_eq(netns_sh("echo 5 70 >/proc/sys/net/ipv4/vs/sync_threshold"), 0);
	pid = fork();
	if (pid == 0)
		_exit(ipvs_open(&c, &to_source, &to_sink, &edge) ? 1 : 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_ne(if_nametoindex("syncd-ipvs-m"), 0);
	ck_assert_str_eq(setting("sync_threshold"), "0\t0");
	ck_assert_msg(ipvs_open(&c, &to_source, &to_sink, &edge) == 0, "%s", edge.why);
	ck_assert_str_eq(setting("sync_threshold"), "0\t0");
	ck_assert_str_eq(setting("sync_refresh_period"), "10");
	edge.source->ops->free(edge.source);
	edge.sink->ops->free(edge.sink);
	ck_assert_str_eq(setting("sync_threshold"), "5\t70");
	ck_assert_str_eq(setting("sync_refresh_period"), "0");
	ck_assert_uint_eq(if_nametoindex("syncd-ipvs-m"), 0);
}
END_TEST

START_TEST(test_kernel_sync)
{
	check_edges(IPVS_KERNEL_SYNC, false);
}
END_TEST

START_TEST(test_nothing_can_run)
{
	printf("SKIP: no IPVS in this kernel, and no guest in the cache: make rig, make "
	       "rig-qemu\n");
}
END_TEST

static int run_here(bool here)
{
	Suite *s = suite_create("ipvs");
	TCase *t = tcase_create("sinks"), *edges = tcase_create("edges");

	tcase_set_timeout(t, 120);
	tcase_set_timeout(edges, 360);
	suite_add_tcase(s, t);
	suite_add_tcase(s, edges);
	if (!here) {
		tcase_add_test(t, test_nothing_can_run);
		return suite_run(s);
	}
	tcase_add_test(t, test_sync_sink);
	tcase_add_test(t, test_sync_sink_after_a_crash);
	tcase_add_test(t, test_sync_sink_of_somebody_else);
	if (netlink_is_here()) {
		tcase_add_test(edges, test_netlink);
		tcase_add_test(t, test_netlink_put_and_delete);
	}
	tcase_add_test(edges, test_kernel_sync);
	tcase_add_test(t, test_kernel_sync_after_a_crash);
	if (btf_is_here())
		tcase_add_test(edges, test_bpf);
	return suite_run(s);
}

int main(int argc, char **argv)
{
	static const struct guest guests[] = {
		{.kind = "uml"}, {.kind = "qemu"}, {.kind = "custom", .patched = true}};
	char setting[32];

	(void)argc;
	(void)snprintf(setting, sizeof(setting), "IPVS_FLOWS=%u", flows());
	return guest_run(argv[0], guests, sizeof(guests) / sizeof(guests[0]), "ip_vs dummy",
			 setting, run_here);
}
