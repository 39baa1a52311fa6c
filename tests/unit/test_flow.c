/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <string.h>

#include "proto/flow.h"
#include "tests/lib/random_flow.h"
#include "tests/lib/suite.h"

START_TEST(test_mirror)
{
	struct flow f;

	numbered_flow(5, &f);
	flow_mirror_reply(&f);
	ck_assert_mem_eq(&f.ct.reply_src, &f.key.dst, sizeof(f.key.dst));
	ck_assert_mem_eq(&f.ct.reply_dst, &f.key.src, sizeof(f.key.src));
	ck_assert_uint_eq(f.ct.reply_sport, f.key.dport);
	ck_assert_uint_eq(f.ct.reply_dport, f.key.sport);
}
END_TEST

static const struct {
	uint8_t l4proto, query, answer;
} answers[] = {
	{IPPROTO_ICMP, 8, 0},	    {IPPROTO_ICMP, 0, 8},	{IPPROTO_ICMP, 13, 14},
	{IPPROTO_ICMP, 17, 18},	    {IPPROTO_ICMPV6, 128, 129}, {IPPROTO_ICMPV6, 129, 128},
	{IPPROTO_ICMPV6, 139, 140}, {IPPROTO_ICMP, 3, 3},
};

START_TEST(test_mirror_of_icmp_is_the_answer)
{
	struct flow f = {.key = {.addr_len = 4, .l4proto = answers[_i].l4proto, .sport = 99}};

	f.key.dport = (uint16_t)(answers[_i].query << 8 | 2);
	flow_mirror_reply(&f);
	ck_assert_uint_eq(f.ct.reply_sport, answers[_i].answer << 8 | 2);
	ck_assert_uint_eq(f.ct.reply_dport, 99);
}
END_TEST

/* Any one byte of the key or value that differs makes two flows. */
START_TEST(test_equal_sees_each_field)
{
	struct flow a, b;
	struct rng r;

	rng_init_env(&r, "flow");
	for (int i = 0; i < 20000; i++) {
		random_flow(&r, &a);
		random_flow(&r, &b);
		ck_assert(flow_equal(&a, &a));
		ck_assert(!flow_equal(&a, &b));
	}
	numbered_flow(1, &a);
#define DIFFERS(change)                         \
	do {                                    \
		b = a;                          \
		ck_assert(flow_equal(&a, &b));  \
		change;                         \
		ck_assert(!flow_equal(&a, &b)); \
	} while (0)
	DIFFERS(b.key.zone = 1);
	DIFFERS(b.key.src.b[3] = 1);
	DIFFERS(b.key.l4proto = IPPROTO_UDP);
	DIFFERS(b.ct.reply_sport++);
	DIFFERS(b.ct.reply_dst.b[0]++);
	DIFFERS(b.ct.status ^= 4);
	DIFFERS(b.ct.state++);
	DIFFERS(b.ct.tcp_scale[FLOW_REPLY]++);
	DIFFERS(b.ct.mark++);
	DIFFERS(b.ct.labels[15] = 1);
	DIFFERS(b.ct.seqadj[FLOW_REPLY].offset_after--);
	DIFFERS(b.ct.synproxy_tsoff = 1);
	DIFFERS(strcpy(b.ct.helper, "ftp"));
	DIFFERS(b.ct.vtag[FLOW_REPLY] = 1);
	DIFFERS(b.ct.dccp_handshake_seq = 1);
	DIFFERS((b.ct.has_master = true, b.ct.master = b.key));
	memset(&a, 0, sizeof(a));
	a.key.kind = FLOW_IPVS;
	DIFFERS(b.ipvs.dest.b[15] = 1);
	DIFFERS(b.ipvs.dport = 1);
	DIFFERS(b.ipvs.state = 1);
	DIFFERS(b.ipvs.flags = 1);
	DIFFERS(b.ipvs.fwmark = 1);
	DIFFERS(b.ipvs.out_seq.previous_delta = 1);
	DIFFERS(b.ipvs.timeout_s = 1);
	DIFFERS(strcpy(b.ipvs.pe_name, "sip"));
	DIFFERS((b.ipvs.has_control = true, b.ipvs.control = b.key));
	DIFFERS((b.key.pe_data = (const uint8_t *)"x", b.key.pe_data_len = 1));
#undef DIFFERS
}
END_TEST

/* Merging all parts makes the update; merging none changes nothing; one part, only that part. */
START_TEST(test_merge)
{
	struct flow kept, update, merged;
	struct rng r;

	rng_init_env(&r, "flow");
	for (int i = 0; i < 20000; i++) {
		random_flow_conntrack(&r, &kept);
		random_flow_conntrack(&r, &update);
		update.key = kept.key;
		merged = kept;
		flow_merge(&merged, &update, 0);
		ck_assert(flow_equal(&merged, &kept));
		flow_merge(&merged, &update, FLOW_PART_ALL);
		ck_assert(flow_equal(&merged, &update));
		for (unsigned bit = 0; 1u << bit < FLOW_PART_ALL; bit++) {
			merged = kept;
			flow_merge(&merged, &update, 1u << bit);
			flow_merge(&merged, &kept, 1u << bit);
			ck_assert(flow_equal(&merged, &kept));
			flow_merge(&merged, &update, FLOW_PART_ALL & ~(1u << bit));
			flow_merge(&merged, &update, 1u << bit);
			ck_assert(flow_equal(&merged, &update));
		}
	}
	numbered_flow(1, &kept);
	update = kept;
	update.ct.mark = 9;
	update.ct.state = 7;
	flow_merge(&kept, &update, FLOW_PART_MARK);
	ck_assert_uint_eq(kept.ct.mark, 9);
	ck_assert_uint_eq(kept.ct.state, 3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("flow");
	TCase *tc = tcase_create("flow");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_mirror);
	tcase_add_loop_test(tc, test_mirror_of_icmp_is_the_answer, 0,
			    sizeof(answers) / sizeof(answers[0]));
	tcase_add_test(tc, test_equal_sees_each_field);
	tcase_add_test(tc, test_merge);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
