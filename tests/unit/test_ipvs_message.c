/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPVS connections through both codecs: netlink attributes, and the kernel's sync messages. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/ip_vs_conn.h>

#include "syncd/kernel/ipvs_flow.h"
#include "syncd/kernel/ipvs_nl_message.h"
#include "syncd/kernel/ipvs_sync_message.h"
#include "tests/lib/random_flow.h"
#include "tests/lib/suite.h"

enum { ROUNDS = 3000, FAMILY = 30, SYNCID = 7 };

/* What a kernel could hold, alike in every node's words. */
static void sane_key(struct flow_key *k)
{
	if (k->l4proto == IPPROTO_IP)
		memset(&k->dst, 0, sizeof(k->dst));
	else
		k->fwmark = 0;
}

static void sane_flow(struct rng *r, struct flow *f)
{
	struct flow_ipvs *v = &f->ipvs;
	bool template;

	random_flow_ipvs(r, f);
	template = v->flags &IPVS_F_TEMPLATE;
	if (template && rng_one_in(r, 2))
		f->key.l4proto = IPPROTO_TCP;
	if (!template && f->key.sport == 0)
		f->key.sport = 1;
	sane_key(&f->key);
	if (v->has_control)
		sane_key(&v->control);
	v->flags &= ~(uint32_t)IPVS_F_NO_CPORT;
	if ((v->flags & IPVS_F_FWD_MASK) >= IPVS_F_BYPASS)
		v->flags &= ~(uint32_t)IPVS_F_FWD_MASK;
	if (!(v->flags & IPVS_F_IN_SEQ))
		memset(&v->in_seq, 0, sizeof(v->in_seq));
	if (!(v->flags & IPVS_F_OUT_SEQ))
		memset(&v->out_seq, 0, sizeof(v->out_seq));
}

static struct rng seeded(void)
{
	struct rng r;

	rng_init_env(&r, "test_ipvs_message");
	return r;
}

START_TEST(test_netlink_round_trip)
{
	static uint8_t buf[IPVS_NL_HEADER + IPVS_NL_CONN_MAX] __attribute__((aligned(8)));
	struct rng r = seeded();
	struct ipvs_nl_record got;
	struct flow f;

	for (int i = 0; i < ROUNDS; i++) {
		struct nlmsghdr *nlh = ipvs_nl_begin(buf, FAMILY, IPVS_CMD_NEW_CONN, 0, 1);

		sane_flow(&r, &f);
		ipvs_nl_add(nlh, &f, IPVS_NL_ALL, 5000);
		ck_assert_uint_le(nlh->nlmsg_len, sizeof(buf));
		ck_assert_int_eq(ipvs_nl_command(nlh), IPVS_CMD_NEW_CONN);
		ck_assert_int_eq(ipvs_nl_parse(nlh, &got), 0);
		ck_assert(got.wanted);
		ck_assert_uint_eq(got.expires_ms, 5000);
		ck_assert(flow_equal(&got.flow, &f));
	}
}
END_TEST

START_TEST(test_netlink_alone_has_no_control)
{
	static uint8_t buf[IPVS_NL_HEADER + IPVS_NL_CONN_MAX] __attribute__((aligned(8)));
	struct rng r = seeded();
	struct nlmsghdr *nlh;
	struct ipvs_nl_record got;
	struct flow f;

	do
		sane_flow(&r, &f);
	while (!f.ipvs.has_control);
	nlh = ipvs_nl_begin(buf, FAMILY, IPVS_CMD_NEW_CONN, 0, 1);
	ipvs_nl_add(nlh, &f, IPVS_NL_ALL_ALONE, 1);
	ck_assert_int_eq(ipvs_nl_parse(nlh, &got), 0);
	ck_assert(!got.flow.ipvs.has_control);
	f.ipvs.has_control = false;
	ck_assert(flow_equal(&got.flow, &f));
}
END_TEST

/* A message cut anywhere is refused or read as less, never beyond its end (run under asan). */
START_TEST(test_netlink_cut)
{
	static uint8_t buf[IPVS_NL_HEADER + IPVS_NL_CONN_MAX] __attribute__((aligned(8)));
	struct rng r = seeded();
	struct flow f;
	int refused = 0;

	for (int i = 0; i < 50; i++) {
		struct nlmsghdr *nlh = ipvs_nl_begin(buf, FAMILY, IPVS_CMD_NEW_CONN, 0, 1);

		sane_flow(&r, &f);
		ipvs_nl_add(nlh, &f, IPVS_NL_ALL, 5000);
		for (uint32_t len = MNL_NLMSG_HDRLEN; len < nlh->nlmsg_len; len++) {
			struct nlmsghdr *cut = malloc(len);
			struct ipvs_nl_record got;

			memcpy(cut, nlh, len);
			cut->nlmsg_len = len;
			refused += ipvs_nl_parse(cut, &got) == -EBADMSG;
			free(cut);
		}
	}
	ck_assert_int_gt(refused, 1000);
}
END_TEST

START_TEST(test_netlink_errors)
{
	uint8_t buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = ipvs_nl_begin(buf, FAMILY, IPVS_CMD_CONN_ERRORS, 0, 1);
	const uint32_t told[][2] = {{1, ENOENT}, {3, EBUSY}, {9, EINVAL}};
	int err[4] = {0};

	for (size_t i = 0; i < 3; i++) {
		struct nlattr *nest = mnl_attr_nest_start(nlh, IPVS_CONN_CMD_ATTR_ERROR);

		mnl_attr_put_u32(nlh, IPVS_CONN_ERROR_ATTR_INDEX, told[i][0]);
		mnl_attr_put_u32(nlh, IPVS_CONN_ERROR_ATTR_CODE, told[i][1]);
		mnl_attr_nest_end(nlh, nest);
	}
	ck_assert_int_eq(ipvs_nl_parse_errors(nlh, err, 4), 0);
	ck_assert_int_eq(err[0], 0);
	ck_assert_int_eq(err[1], -ENOENT);
	ck_assert_int_eq(err[2], 0);
	ck_assert_int_eq(err[3], -EBUSY);
}
END_TEST

struct expected {
	const struct flow *f;
	unsigned n;
};

static void on_record(void *ctx, const struct ipvs_sync_record *r)
{
	struct expected *e = ctx;

	ck_assert(r->wanted);
	ck_assert(flow_equal(&r->flow, &e->f[e->n]));
	e->n++;
}

/* A record's sequence option stands for both directions, its timeout for the template's. */
static void sane_for_sync(struct flow *f)
{
	struct flow_ipvs *v = &f->ipvs;

	v->dest_len = f->key.addr_len;
	if (v->dest_len == 4)
		memset(v->dest.b + 4, 0, 12);
	v->has_control = false;
}

START_TEST(test_sync_round_trip)
{
	static uint8_t buf[4096];
	struct rng r = seeded();
	struct flow f[32];

	for (int i = 0; i < ROUNDS / 10; i++) {
		struct ipvs_sync_writer w;
		struct expected e = {.f = f};
		unsigned n = 0;

		ipvs_sync_begin(&w, buf, sizeof(buf), SYNCID);
		for (; n < 32; n++) {
			sane_flow(&r, &f[n]);
			sane_for_sync(&f[n]);
			ck_assert(ipvs_sync_fits(&f[n]));
			if (!ipvs_sync_add(&w, &f[n], f[n].ipvs.timeout_s))
				break;
		}
		ipvs_sync_end(&w);
		ck_assert_uint_gt(n, 5);
		ck_assert_uint_le(w.len, sizeof(buf));
		ck_assert_int_eq(ipvs_sync_read(buf, w.len, SYNCID, on_record, &e), (int)n);
		ck_assert_uint_eq(e.n, n);
		ck_assert_int_eq(ipvs_sync_read(buf, w.len, SYNCID + 1, on_record, &e), -ENOMSG);
	}
}
END_TEST

static void count(void *ctx, const struct ipvs_sync_record *r)
{
	(void)r;
	++*(unsigned *)ctx;
}

START_TEST(test_sync_refuses_what_is_cut)
{
	uint8_t buf[2 * IPVS_SYNC_RECORD_MAX + IPVS_SYNC_HEADER];
	struct rng r = seeded();
	struct ipvs_sync_writer w;
	struct flow f;
	unsigned n = 0;

	ipvs_sync_begin(&w, buf, sizeof(buf), SYNCID);
	sane_flow(&r, &f);
	sane_for_sync(&f);
	ck_assert(ipvs_sync_add(&w, &f, 5));
	ipvs_sync_end(&w);
	for (size_t len = 0; len < w.len; len++)
		ck_assert_int_eq(ipvs_sync_read(buf, len, SYNCID, count, &n), -EBADMSG);
	ck_assert_uint_eq(n, 0);
	buf[4] = 2; /* one more than there is */
	ck_assert_int_eq(ipvs_sync_read(buf, w.len, SYNCID, count, &n), -EBADMSG);
}
END_TEST

/* As net/netfilter/ipvs/ip_vs_sync.c of 6.1 lays it out; written down by hand. */
START_TEST(test_sync_golden)
{
	static const uint8_t want[] = {
		0,   SYNCID, 0,	   44,	 1,    1,    0,	   0,	 /* header */
		0,   6,	     0,	   36,	 0,    0,    0,	   0,	 /* IPv4, TCP, 36 bytes, NAT */
		0,   1,	     0x10, 0x92, 0x00, 0x50, 0x1f, 0x90, /* ESTABLISHED 4242 80 8080 */
		0,   0,	     0,	   9,	 0,    0,    2,	   0x58, /* mark 9, 600 s */
		192, 0,	     2,	   1,	 203,  0,    113,  10,	 10, 2, 0, 11,
	};
	struct flow f = {
		.key = {.kind = FLOW_IPVS,
			.addr_len = 4,
			.l4proto = IPPROTO_TCP,
			.sport = 4242,
			.dport = 80,
			.src = {{192, 0, 2, 1}},
			.dst = {{203, 0, 113, 10}}},
		.ipvs = {.dest_len = 4,
			 .dest = {{10, 2, 0, 11}},
			 .dport = 8080,
			 .state = 1,
			 .fwmark = 9},
	};
	uint8_t buf[512];
	struct ipvs_sync_writer w;

	ipvs_sync_begin(&w, buf, sizeof(buf), SYNCID);
	ck_assert(ipvs_sync_add(&w, &f, 600));
	ipvs_sync_end(&w);
	ck_assert_uint_eq(w.len, sizeof(want));
	ck_assert_mem_eq(buf, want, sizeof(want));
}
END_TEST

START_TEST(test_what_is_ripe)
{
	struct flow f = {.key = {.kind = FLOW_IPVS, .addr_len = 4, .l4proto = IPPROTO_TCP}};
	static const bool tcp[] = {false, true, false, false, true, true,
				   true,  true, true,  false, false};

	for (uint16_t state = 0; state < 11; state++) {
		f.ipvs.state = state;
		ck_assert_int_eq(ipvs_flow_ripe(&f), tcp[state]);
	}
	f.key.l4proto = IPPROTO_UDP;
	f.ipvs.state = 0;
	ck_assert(ipvs_flow_ripe(&f));
	f.key.l4proto = IPPROTO_SCTP;
	ck_assert(!ipvs_flow_ripe(&f));
	f.ipvs.state = 8;
	ck_assert(ipvs_flow_ripe(&f));
}
END_TEST

START_TEST(test_left_out)
{
	struct flow f = {.key = {.addr_len = 4, .l4proto = IPPROTO_TCP, .sport = 5}};

	ck_assert(ipvs_flow_take(&f, 0, 0));
	ck_assert(!ipvs_flow_take(&f, IPVS_F_ONE_PACKET, 0));
	ck_assert(!ipvs_flow_take(&f, IPVS_F_BYPASS, 0));
	f.key.sport = 0;
	ck_assert(!ipvs_flow_take(&f, IPVS_F_NO_CPORT, 0));
	ck_assert(ipvs_flow_take(&f, IPVS_F_TEMPLATE | 0x40, 1700));
	ck_assert_uint_eq(f.ipvs.timeout_s, 2);
	ck_assert_uint_eq(f.ipvs.flags, IPVS_F_TEMPLATE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipvs_message");
	TCase *t = tcase_create("all");

	tcase_add_test(t, test_netlink_round_trip);
	tcase_add_test(t, test_netlink_alone_has_no_control);
	tcase_add_test(t, test_netlink_cut);
	tcase_add_test(t, test_netlink_errors);
	tcase_add_test(t, test_sync_round_trip);
	tcase_add_test(t, test_sync_refuses_what_is_cut);
	tcase_add_test(t, test_sync_golden);
	tcase_add_test(t, test_what_is_ripe);
	tcase_add_test(t, test_left_out);
	suite_add_tcase(s, t);
	return suite_run(s);
}
