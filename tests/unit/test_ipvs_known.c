/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of the kernel-sync source: when a connection counts as gone; and conntrack's hints. */
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include "syncd/kernel/ipvs_ct_hint.h"
#include "syncd/kernel/ipvs_known.h"
#include "tests/lib/suite.h"

enum { FLOWS = 5000 };

static struct flow nth(unsigned i)
{
	struct flow f = {.key = {.kind = FLOW_IPVS,
				 .addr_len = 4,
				 .l4proto = IPPROTO_TCP,
				 .sport = (uint16_t)(1024 + i),
				 .dport = 80,
				 .src = {{192, 0, 2, 7}},
				 .dst = {{203, 0, 113, 10}}}};

	f.ipvs.dest_len = 4;
	f.ipvs.dest.b[0] = 10;
	f.ipvs.dport = 8080;
	f.ipvs.state = 1;
	return f;
}

struct told {
	unsigned gone, kept;
	unsigned last; /* its number */
};

static void on_unseen(void *ctx, const struct ipvs_known_entry *e, bool gone)
{
	struct told *t = ctx;

	t->gone += gone;
	t->kept += !gone;
	t->last = e->flow.key.sport - 1024u;
}

/* A pass that sees all flows but each `step`-th. */
static struct told pass(struct ipvs_known *k, unsigned step, uint64_t now_us)
{
	struct told t = {0};

	ipvs_known_begin(k);
	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow f = nth(i);

		if (i % step)
			ipvs_known_seen(k, &f.key, now_us + 900 * S_US);
	}
	while (!ipvs_known_judge(k, now_us, 100, on_unseen, &t))
		;
	return t;
}

static struct ipvs_known *filled(void)
{
	struct ipvs_known *k = ipvs_known_new();

	ck_assert_ptr_nonnull(k);
	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow f = nth(i);

		ck_assert_int_eq(ipvs_known_put(k, &f, true, S_US, 100 * S_US), 0);
	}
	ck_assert_uint_eq(ipvs_known_count(k), FLOWS);
	return k;
}

/* Missed by as many passes in a row as it takes, and not by fewer. */
START_TEST(test_gone_by_misses)
{
	struct ipvs_known *k = filled();
	struct told t;

	for (int i = 1; i < IPVS_KNOWN_MISSES; i++) {
		t = pass(k, 10, 10 * S_US);
		ck_assert_uint_eq(t.gone, 0);
		ck_assert_uint_eq(t.kept, FLOWS / 10);
	}
	t = pass(k, FLOWS, 10 * S_US); /* all but one were seen again */
	ck_assert_uint_eq(t.gone, 1);
	ck_assert_uint_eq(t.last, 0);
	t = pass(k, 10, 10 * S_US);
	ck_assert_uint_eq(t.gone, 0);
	ck_assert_uint_eq(ipvs_known_count(k), FLOWS - 1);
	ipvs_known_free(k);
}
END_TEST

/* Its time ran out, and one pass misses it. */
START_TEST(test_gone_by_time)
{
	struct ipvs_known *k = filled();
	struct told t = pass(k, 5, 101 * S_US);

	ck_assert_uint_eq(t.gone, FLOWS / 5);
	ck_assert_uint_eq(t.kept, 0);
	ck_assert_uint_eq(ipvs_known_count(k), FLOWS - FLOWS / 5);
	ipvs_known_free(k);
}
END_TEST

START_TEST(test_keeps_what_was_told)
{
	struct ipvs_known *k = filled();
	struct flow f = nth(7);
	struct ipvs_known_entry e;

	f.ipvs.fwmark = 12345;
	ck_assert_int_eq(ipvs_known_put(k, &f, false, 5 * S_US, 9 * S_US), 0);
	ck_assert_uint_eq(ipvs_known_count(k), FLOWS);
	ck_assert(ipvs_known_get(k, &f.key, &e));
	ck_assert(flow_equal(&e.flow, &f));
	ck_assert(!e.bound);
	ck_assert_uint_eq(e.told_us, 5 * S_US);
	ipvs_known_del(k, &f.key);
	ck_assert(!ipvs_known_get(k, &f.key, NULL));
	ck_assert_uint_eq(ipvs_known_count(k), FLOWS - 1);
	ipvs_known_free(k);
}
END_TEST

/* ---- hints ----------------------------------------------------------------------------------- */

static struct ct_record record(void)
{
	struct ct_record r = {.parts = FLOW_PART_STATE | FLOW_PART_REPLY};

	r.flow = nth(0);
	r.flow.key.kind = FLOW_CONNTRACK;
	memset(&r.flow.ct, 0, sizeof(r.flow.ct));
	flow_mirror_reply(&r.flow);
	r.flow.ct.reply_src = (struct flow_addr){{10, 0, 0, 11}};
	r.flow.ct.reply_sport = 8080;
	r.flow.ct.state = TCP_CONNTRACK_ESTABLISHED;
	return r;
}

START_TEST(test_hint)
{
	struct ct_record r = record();
	struct flow f;

	ck_assert(ipvs_ct_hint_take(&r, &f));
	ck_assert_uint_eq(f.key.kind, FLOW_IPVS);
	ck_assert_uint_eq(f.key.dport, 80);
	ck_assert_uint_eq(f.ipvs.dest.b[3], 11);
	ck_assert_uint_eq(f.ipvs.dport, 8080);
	ck_assert_uint_eq(f.ipvs.state, 1);
	ck_assert_uint_eq(f.ipvs.flags, 0);
}
END_TEST

/* Other NAT's, nobody's, not yet established, a helper's. */
START_TEST(test_no_hint)
{
	struct ct_record r = record();
	struct flow f;

	r.flow.ct.status = IPS_DST_NAT;
	ck_assert(!ipvs_ct_hint_take(&r, &f));
	r = record();
	flow_mirror_reply(&r.flow);
	ck_assert(!ipvs_ct_hint_take(&r, &f));
	r = record();
	r.flow.ct.state = TCP_CONNTRACK_SYN_RECV;
	ck_assert(!ipvs_ct_hint_take(&r, &f));
	r = record();
	r.parts = 0;
	ck_assert(!ipvs_ct_hint_take(&r, &f));
	r = record();
	r.flow.ct.has_master = true;
	ck_assert(!ipvs_ct_hint_take(&r, &f));
	r = record();
	r.flow.ct.reply_dst.b[3]++;
	ck_assert(!ipvs_ct_hint_take(&r, &f));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipvs_known");
	TCase *t = tcase_create("all");

	tcase_add_test(t, test_gone_by_misses);
	tcase_add_test(t, test_gone_by_time);
	tcase_add_test(t, test_keeps_what_was_told);
	tcase_add_test(t, test_hint);
	tcase_add_test(t, test_no_hint);
	suite_add_tcase(s, t);
	return suite_run(s);
}
