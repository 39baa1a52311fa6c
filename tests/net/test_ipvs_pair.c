/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two daemons over kernels full of IPVS connections: a standby that starts late gets all of them,
 * and is kept equal while some end and others are made, by the hundred at a time. What the two
 * kernels have is compared entry by entry, by a reader of /proc/net/ip_vs_conn that is this file's
 * own.
 *
 * Runs itself in the guest that has the patched ip_vs (tests/lib/guest.h). IPVS_FLOWS=N sets how
 * many connections; make check-ipvs has it take 20,000. The kernel's time to print them grows with
 * the square of it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/kernel/ipvs_flow.h"
#include "syncd/kernel/ipvs_nl.h"
#include "tests/lib/guest.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/suite.h"

enum { FLOWS = 1000, FLOWS_MAX = 1 << 20, PATIENCE_MS = 60000, ENTRY_TEXT = 200, ROUNDS = 20 };

static struct pair p;

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
	v->dest = (struct flow_addr){{six ? 0xfd : 10, [3] = (uint8_t)(1 + i % 200)}};
	v->dport = 8080;
	v->state = k->l4proto == IPPROTO_TCP ? 1 : 0;
	if (template) {
		v->flags = IPVS_F_TEMPLATE;
		v->timeout_s = 3600;
	}
	return f;
}

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

/* Does op to each `step`-th flow of first .. end - 1 in the active node's kernel. */
static void change(enum sink_op op, unsigned first, unsigned end, unsigned step)
{
	struct told told = {0};
	struct sink_events to = {on_result, &told};
	struct sink *s;

	pair_enter(&p, 0);
	ck_assert_int_eq(ipvs_nl_sink_open(3600, &to, &s), 0);
	for (unsigned i = first; i < end; i += step) {
		struct flow f = nth_flow(i);

		while (s->ops->submit(s, op, &f) == -EAGAIN)
			settle(s);
	}
	while (s->ops->pending(s))
		settle(s);
	ck_assert_uint_eq(told.errors, 0);
	s->ops->free(s);
	pair_leave(&p);
}

/* ---- what a kernel has, read by ourselves ------------------------------------------------------
 */

struct table {
	char (*entry)[ENTRY_TEXT]; /* sorted */
	size_t count;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Every field of an entry but the time that it has left. */
static bool read_entry(const char *line, char *out)
{
	char proto[8], c[48], v[48], d[48], state[16];
	unsigned cport, vport, dport;

	if (sscanf(line, "%7s %47s %x %47s %x %47s %x %15s", proto, c, &cport, v, &vport, d, &dport,
		   state) != 8)
		return false;
	(void)snprintf(out, ENTRY_TEXT, "%s %s %x %s %x %s %x %s", proto, c, cport, v, vport, d,
		       dport, state);
	return true;
}

static struct table read_table(size_t node)
{
	const size_t room = 2 * (size_t)flows();
	struct table t = {calloc(room, ENTRY_TEXT), 0};
	char line[512];
	FILE *f;

	ck_assert_ptr_nonnull(t.entry);
	pair_enter(&p, node);
	f = fopen("/proc/thread-self/net/ip_vs_conn", "re");
	ck_assert_ptr_nonnull(f);
	while (t.count < room && fgets(line, sizeof(line), f))
		t.count += read_entry(line, t.entry[t.count]);
	(void)fclose(f);
	pair_leave(&p);
	qsort(t.entry, t.count, ENTRY_TEXT, by_text);
	return t;
}

/* Both kernels have `wanted` entries, the same ones. */
static void check_tables(size_t wanted)
{
	uint64_t begin = netns_now_us();
	struct table a = read_table(0), b = read_table(1);

	ck_assert_uint_eq(a.count, wanted);
	ck_assert_uint_eq(b.count, wanted);
	for (size_t i = 0; i < wanted; i++)
		ck_assert_str_eq(a.entry[i], b.entry[i]);
	free(a.entry);
	free(b.entry);
	printf("  %zu entries the same in both kernels, read in %.1f s\n", wanted,
	       (double)(netns_now_us() - begin) / 1e6);
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
	for (size_t i = 0; i < 2; i++)
		pair_configure(&p, i,
			       "group web { id = 1 match = { \"203.0.113.0/24\", "
			       "\"2001:db8::/32\" } }",
			       "conntrack { enabled = false }\nipvs { backend = netlink }");
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
	ck_assert_int_eq(pair_counter(&p, 1, "refused"), 0);
	ck_assert_int_eq(pair_ask(&p, 1, "verify", NULL, NULL, NULL), 0);
}
END_TEST

START_TEST(test_nothing_can_run)
{
	printf("SKIP: no patched ip_vs: make rig-custom, make -C kpatch RIG=1\n");
}
END_TEST

static int run_here(bool here)
{
	Suite *s = suite_create("ipvs_pair");
	TCase *t = tcase_create("pair");

	tcase_set_timeout(t, 900);
	suite_add_tcase(s, t);
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
	static const struct guest guests[] = {{.kind = "custom", .patched = true, .seconds = 900}};
	char setting[32];

	(void)argc;
	(void)setvbuf(stdout, NULL, _IOLBF, 0); /* it takes minutes: what is done is to be seen */
	(void)snprintf(setting, sizeof(setting), "IPVS_FLOWS=%u", flows());
	return guest_run(argv[0], guests, 1,
			 "ip_vs veth bridge nf_conntrack nf_conntrack_netlink nft_ct nf_nat",
			 setting, run_here);
}
