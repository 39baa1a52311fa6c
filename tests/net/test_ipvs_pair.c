/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two daemons over kernels full of IPVS connections: a standby that starts late gets all of them,
 * and is kept equal while some end and others are made, by the hundred at a time. What the two
 * kernels have is compared entry by entry (tests/lib/ipvs_table.h).
 *
 * Runs itself in guests (tests/lib/guest.h): with netlink in the one that has the patched ip_vs;
 * and, where IPVS_FLOWS=N says how many connections, with bpf in Debian's own kernel, where the
 * kernel's backup thread makes and ends them. make check-ipvs takes 100,000.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "syncd/kernel/ipvs_arrival.h"
#include "syncd/kernel/ipvs_daemon.h"
#include "syncd/kernel/ipvs_flow.h"
#include "syncd/kernel/ipvs_genl.h"
#include "syncd/kernel/ipvs_nl.h"
#include "syncd/kernel/ipvs_sync_message.h"
#include "tests/lib/guest.h"
#include "tests/lib/ipvs_table.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/suite.h"

enum {
	FLOWS = 1000,
	FLOWS_MAX = 1 << 20,
	PATIENCE_MS = 120000, /* a few ends are put off by a minute: docs/ipvs.md */
	ROUNDS = 20,
	SERVERS = 20,
	TIMEOUT_S = 3600,
	MESSAGE = 1472,
	MESSAGES = 16, /* that the thread's buffer holds at any setting */
	TEXT = 8192,
};

static struct pair p;
static bool netlink; /* else bpf */

static unsigned flows(void)
{
	const char *text = getenv("IPVS_FLOWS");
	unsigned long n = text ? strtoul(text, NULL, 10) : FLOWS;

	return n && n < FLOWS_MAX ? (unsigned)n : FLOWS;
}

/* ---- flows ----------------------------------------------------------------------------------- */

/* One in five of IPv6, one in seven UDP, one in fifty a template. None ends by itself meanwhile. */
static struct flow nth_flow(unsigned i)
{
	struct flow f = {.key = {.kind = FLOW_IPVS}};
	struct flow_key *k = &f.key;
	struct flow_ipvs *v = &f.ipvs;
	bool six = i % 5 == 4, template = i % 50 == 49;

	k->addr_len = v->dest_len = six ? 16 : 4;
	k->l4proto = i % 7 == 6 ? IPPROTO_UDP : IPPROTO_TCP;
	k->sport = template ? 0 : (uint16_t)(1024 + i % 60000);
	k->dport = 80;
	k->dst = six ? (struct flow_addr){{0x20, 0x01, 0x0d, 0xb8, [15] = 0x10}}
		     : (struct flow_addr){{203, 0, 113, 10}};
	k->src = (struct flow_addr){
		{six ? 0x20 : 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
	v->dest = (struct flow_addr){{six ? 0xfd : 10, [3] = (uint8_t)(1 + i % SERVERS)}};
	v->dport = 8080;
	v->state = k->l4proto == IPPROTO_TCP ? 1 : 0;
	if (template) {
		v->flags = IPVS_F_TEMPLATE;
		v->timeout_s = TIMEOUT_S;
	}
	return f;
}

/* So that the entries are bound, as a balancer's are. */
static void add_services(void)
{
	static const char *const service[] = {"-t 203.0.113.10:80", "-u 203.0.113.10:80",
					      "-t [2001:db8::10]:80", "-u [2001:db8::10]:80"};
	FILE *f = popen("ipvsadm -R", "we");

	ck_assert_ptr_nonnull(f);
	for (size_t i = 0; i < sizeof(service) / sizeof(service[0]); i++) {
		(void)fprintf(f, "-A %s -s rr\n", service[i]);
		for (unsigned n = 1; n <= SERVERS; n++)
			(void)fprintf(f,
				      i < 2 ? "-a %s -r 10.0.0.%u:8080 -m\n"
					    : "-a %s -r [fd00:%x::]:8080 -m\n",
				      service[i], n);
	}
	ck_assert_int_eq(pclose(f), 0);
}

/* ---- making and ending them --------------------------------------------------------------------
 */

struct told {
	unsigned errors;
};

static void on_result(void *ctx, enum sink_op op, const struct flow *f, int err)
{
	struct told *t = ctx;

	(void)op;
	(void)f;
	t->errors += err != 0;
}

static void settle(struct sink *s)
{
	ck_assert_int_ge(s->ops->flush(s, netns_now_us()), 0);
	ck_assert_int_ge(s->ops->poll(s, netns_now_us()), 0);
}

static void change_by_netlink(enum sink_op op, unsigned first, unsigned end, unsigned step)
{
	struct told told = {0};
	struct sink_events to = {on_result, &told};
	struct sink *s;

	ck_assert_int_eq(ipvs_nl_sink_open(TIMEOUT_S, &to, &s), 0);
	for (unsigned i = first; i < end; i += step) {
		struct flow f = nth_flow(i);

		while (s->ops->submit(s, op, &f) == -EAGAIN)
			settle(s);
	}
	while (s->ops->pending(s))
		settle(s);
	ck_assert_uint_eq(told.errors, 0);
	s->ops->free(s);
}

/* The kernel's backup thread, and the way to it: the daemon's thread where there is a daemon. */
struct thread {
	struct ipvs_daemon own; /* where there is none */
	int socket;
	unsigned waiting; /* messages that it may not have taken yet */
	struct ipvs_arrival before;
};

static void thread_open(struct thread *t)
{
	struct ip_mreqn to = {.imr_ifindex = (int)if_nametoindex("syncd-ipvs-b")};
	const struct sockaddr_in group = {.sin_family = AF_INET,
					  .sin_port = htons(IPVS_SYNC_PORT),
					  .sin_addr = {htonl(0xe0000051)}};

	*t = (struct thread){.socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
	if (!to.imr_ifindex) {
		ck_assert_int_eq(ipvs_daemon_start(&t->own, IPVS_DAEMON_BACKUP, 0), 0);
		to.imr_ifindex = t->own.ifindex;
	}
	ck_assert_int_eq(setsockopt(t->socket, IPPROTO_IP, IP_MULTICAST_IF, &to, sizeof(to)), 0);
	ck_assert_int_eq(connect(t->socket, (const struct sockaddr *)&group, sizeof(group)), 0);
	ck_assert_int_eq(ipvs_arrival_read(&t->before), 0);
}

static bool thread_is_idle(void *ctx)
{
	struct thread *t = ctx;
	struct ipvs_arrival now;

	ck_assert_int_eq(ipvs_arrival_read(&now), 0);
	ck_assert_uint_eq(now.dropped, t->before.dropped);
	return now.waiting == 0 && now.taken - t->before.taken >= t->waiting;
}

static void thread_wait(struct thread *t)
{
	ck_assert(netns_wait_for(thread_is_idle, t, PATIENCE_MS));
	t->waiting = 0;
	ck_assert_int_eq(ipvs_arrival_read(&t->before), 0);
}

static void thread_send(struct thread *t, struct ipvs_sync_writer *w)
{
	ipvs_sync_end(w);
	ck_assert_int_eq(send(t->socket, w->buf, w->len, 0), (ssize_t)w->len);
	if (++t->waiting == MESSAGES)
		thread_wait(t);
	ipvs_sync_begin(w, w->buf, w->cap, IPVS_DAEMON_ID);
}

static void thread_close(struct thread *t)
{
	thread_wait(t);
	close(t->socket);
	if (t->own.ifindex)
		ipvs_daemon_stop(&t->own);
}

static bool write_op(struct ipvs_sync_writer *w, enum sink_op op, const struct flow *f)
{
	return op == SINK_DEL ? ipvs_sync_add_end(w, &f->key) : ipvs_sync_add(w, f, TIMEOUT_S);
}

static void change_by_thread(enum sink_op op, unsigned first, unsigned end, unsigned step)
{
	uint8_t buf[MESSAGE];
	struct ipvs_sync_writer w;
	struct thread t;

	thread_open(&t);
	ipvs_sync_begin(&w, buf, sizeof(buf), IPVS_DAEMON_ID);
	for (unsigned i = first; i < end; i += step) {
		struct flow f = nth_flow(i);

		if (!write_op(&w, op, &f)) {
			thread_send(&t, &w);
			ck_assert(write_op(&w, op, &f));
		}
	}
	thread_send(&t, &w);
	thread_close(&t);
}

/* Does op to each `step`-th flow of first .. end - 1 in the active node's kernel. */
static void change(enum sink_op op, unsigned first, unsigned end, unsigned step)
{
	pair_enter(&p, 0);
	(netlink ? change_by_netlink : change_by_thread)(op, first, end, step);
	pair_leave(&p);
}

/* ---- what a kernel has -------------------------------------------------------------------------
 */

static struct ipvs_table read_table(size_t node)
{
	struct ipvs_table t;

	pair_enter(&p, node);
	ck_assert_int_eq(ipvs_table_read(&t), 0);
	pair_leave(&p);
	return t;
}

/* An entry that the backup thread ended stays for its last second, a few for a minute. */
static struct ipvs_table wait_table(size_t node, size_t wanted)
{
	uint64_t end = netns_now_us() + PATIENCE_MS * MS_US;
	struct ipvs_table t = read_table(node);

	while (t.count != wanted && netns_now_us() < end) {
		ipvs_table_free(&t);
		t = read_table(node);
	}
	ck_assert_uint_eq(t.count, wanted);
	return t;
}

/* Both kernels have `wanted` entries, the same ones. */
static void check_tables(size_t wanted)
{
	uint64_t begin = netns_now_us();
	struct ipvs_table a = wait_table(0, wanted), b = wait_table(1, wanted);
	char is[IPVS_ENTRY_TEXT], other[IPVS_ENTRY_TEXT];

	for (size_t i = 0; i < wanted; i++) {
		if (memcmp(&a.entry[i], &b.entry[i], sizeof(a.entry[i])) == 0)
			continue;
		ipvs_entry_format(&a.entry[i], is);
		ipvs_entry_format(&b.entry[i], other);
		ck_abort_msg("entry %zu: %s, but %s", i, is, other);
	}
	printf("  %zu entries the same in both kernels, read by %s in %.1f s\n", wanted, a.by,
	       (double)(netns_now_us() - begin) / 1e6);
	ipvs_table_free(&a);
	ipvs_table_free(&b);
}

/* ---- the daemons -------------------------------------------------------------------------------
 */

static bool is_equal(void *ctx)
{
	const size_t *wanted = ctx;

	return pair_group(&p, 1, "equal") == 1 &&
	       pair_group(&p, 1, "flows") == (long long)*wanted &&
	       pair_group(&p, 1, "installed") == (long long)*wanted;
}

static void wait_equal(const char *what, size_t wanted)
{
	uint64_t begin = netns_now_us();

	if (!netns_wait_for(is_equal, &wanted, PATIENCE_MS)) {
		char *log = pair_log(&p, 1);

		ck_abort_msg("%s: %lld flows, %lld installed of %zu:\n%s", what,
			     pair_group(&p, 1, "flows"), pair_group(&p, 1, "installed"), wanted,
			     log);
	}
	printf("  %s: equal after %.2f s\n", what, (double)(netns_now_us() - begin) / 1e6);
}

static void up(void)
{
	pair_open(&p, 2);
	for (size_t i = 0; i < 2; i++) {
		pair_configure(&p, i,
			       "group web { id = 1 match = { \"203.0.113.0/24\", "
			       "\"2001:db8::/32\" } }",
			       netlink ? "conntrack { enabled = false }\nipvs { backend = netlink }"
				       : "conntrack { enabled = false }\nipvs { backend = bpf }");
		pair_enter(&p, i);
		add_services();
		pair_leave(&p);
	}
}

static void down(void)
{
	pair_close(&p);
}

/* The first half is there before the active daemon, the second comes before the standby's. */
START_TEST(test_many)
{
	unsigned n = flows(), third = n / 3, more = n / 10;
	size_t left;

	change(SINK_PUT, 0, n / 2, 1);
	pair_start(&p, 0, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	change(SINK_PUT, n / 2, n, 1);
	pair_start(&p, 1, true);
	wait_equal("a late standby", n);
	check_tables(n);

	/* Of the first two thirds one in two ends, while a tenth more are made. */
	for (unsigned r = 0; r < ROUNDS; r++) {
		change(SINK_DEL, 2 * (r * third / ROUNDS), 2 * ((r + 1) * third / ROUNDS), 2);
		change(SINK_PUT, n + r * more / ROUNDS, n + (r + 1) * more / ROUNDS, 1);
	}
	left = n - third + more;
	wait_equal("churn", left);
	check_tables(left);
	/* The thread may be late on a host that is overloaded: such a round is put again. */
	if (netlink)
		ck_assert_int_eq(pair_counter(&p, 1, "refused"), 0);
	else
		printf("  puts that were not taken in time: %lld\n",
		       pair_counter(&p, 1, "refused"));
	ck_assert_int_eq(pair_ask(&p, 1, "verify", NULL, NULL, NULL), 0);
}
END_TEST

START_TEST(test_nothing_can_run)
{
	printf("SKIP: no patched ip_vs: make rig-custom, make -C kpatch RIG=1\n");
}
END_TEST

static bool has_netlink(void)
{
	struct ct_socket s = {.fd = -1};
	struct ipvs_genl g = {0};

	(void)ipvs_genl_open(&s, 1 << 16);
	(void)ipvs_genl_find(&s, &g);
	ct_socket_close(&s);
	return g.group_del != 0;
}

static int run_here(bool here)
{
	Suite *s = suite_create("ipvs_pair");
	TCase *t = tcase_create("pair");

	tcase_set_timeout(t, 900);
	suite_add_tcase(s, t);
	netlink = here && has_netlink();
	if (here) {
		tcase_add_checked_fixture(t, up, down);
		tcase_add_test(t, test_many);
	} else {
		tcase_add_test(t, test_nothing_can_run);
	}
	return suite_run(s);
}

int main(int argc, char **argv)
{
	static const struct guest guests[] = {
		{.kind = "custom", .patched = true, .seconds = 900},
		{.kind = "qemu", .seconds = 900, .counted = true},
	};
	char setting[32];

	(void)argc;
	(void)setvbuf(stdout, NULL, _IOLBF, 0); /* it takes minutes: what is done is to be seen */
	(void)snprintf(setting, sizeof(setting), "IPVS_FLOWS=%u", flows());
	return guest_run(argv[0], guests, getenv("IPVS_FLOWS") ? 2 : 1,
			 "ip_vs ip_vs_rr veth bridge dummy nf_conntrack nf_conntrack_netlink "
			 "nft_ct nf_nat",
			 setting, run_here);
}
