/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "proto/flow.h"
#include "tests/lib/random_flow.h"
#include "tests/lib/suite.h"

static void expect_text(const struct flow *f, const char *want)
{
	char text[FLOW_TEXT_MAX];

	ck_assert_uint_eq(flow_format(f, text), strlen(text));
	ck_assert_str_eq(text, want);
}

START_TEST(test_dnat)
{
	struct flow f;

	numbered_flow(0, &f);
	f.ct.mark = 7;
	expect_text(&f, "tcp 10.0.0.0:1024>203.0.113.10:80 => 10.2.0.11:8080 ESTABLISHED "
			"[SEEN_REPLY,ASSURED,DNAT] mark 7");
}
END_TEST

START_TEST(test_routed_flow_shows_no_translation)
{
	struct flow f;

	numbered_flow(0, &f);
	flow_mirror_reply(&f);
	f.ct.status = 2;
	f.ct.state = 2;
	expect_text(&f, "tcp 10.0.0.0:1024>203.0.113.10:80 SYN_RECV [SEEN_REPLY]");
}
END_TEST

START_TEST(test_snat_ipv6_udp)
{
	struct flow f = {.key = {.addr_len = 16,
				 .l4proto = IPPROTO_UDP,
				 .sport = 5353,
				 .dport = 53,
				 .zone = 3,
				 .zone_dir = FLOW_ZONE_ORIG,
				 .src = {{0xfd, [15] = 1}},
				 .dst = {{0x20, 0x01, 0x0d, 0xb8, [15] = 2}}}};

	flow_mirror_reply(&f);
	f.ct.reply_dst = (struct flow_addr){{0x20, 0x01, 0x0d, 0xb8, [15] = 9}};
	f.ct.reply_dport = 1024;
	f.ct.status = 0x12;
	expect_text(&f, "udp [fd00::1]:5353>[2001:db8::2]:53 zone 3 orig <= [2001:db8::9]:1024 "
			"[SEEN_REPLY,SNAT]");
}
END_TEST

START_TEST(test_icmp)
{
	struct flow f = {.key = {.addr_len = 4,
				 .l4proto = IPPROTO_ICMP,
				 .sport = 77,
				 .dport = 8 << 8,
				 .src = {{192, 0, 2, 1}},
				 .dst = {{203, 0, 113, 10}}}};

	flow_mirror_reply(&f);
	ck_assert_uint_eq(f.ct.reply_sport, 0); /* echo reply */
	ck_assert_uint_eq(f.ct.reply_dport, 77);
	f.ct.reply_dst = (struct flow_addr){{198, 51, 100, 1}};
	f.ct.reply_dport = 78;
	f.ct.status = 0x12;
	expect_text(&f, "icmp 192.0.2.1>203.0.113.10 type 8 code 0 id 77 <= 198.51.100.1 id 78 "
			"[SEEN_REPLY,SNAT]");
}
END_TEST

START_TEST(test_ipvs)
{
	struct flow f = {.key = {.kind = FLOW_IPVS,
				 .addr_len = 4,
				 .l4proto = IPPROTO_TCP,
				 .sport = 4242,
				 .dport = 80,
				 .src = {{192, 0, 2, 1}},
				 .dst = {{203, 0, 113, 10}}}};

	f.ipvs.dest_len = 16;
	f.ipvs.dest = (struct flow_addr){{0xfd, [15] = 0x11}};
	f.ipvs.dport = 8080;
	f.ipvs.state = 1;
	f.ipvs.flags = 0x2 | 0x80;
	f.ipvs.has_control = true;
	f.ipvs.control = f.key;
	f.ipvs.control.l4proto = IPPROTO_IP;
	f.ipvs.control.sport = f.ipvs.control.dport = 0;
	f.ipvs.control.fwmark = 5;
	f.ipvs.control.pe_data = (const uint8_t *)"a84b@pc33";
	f.ipvs.control.pe_data_len = 9;
	expect_text(&f, "ipvs tcp 192.0.2.1:4242>203.0.113.10:80 => [fd00::11]:8080 ESTABLISHED "
			"[TUNNEL,NOOUTPUT] template ipvs ip 192.0.2.1>203.0.113.10 fwmark 5 "
			"pe a84b@pc33");
}
END_TEST

/* A kernel newer than these names. */
START_TEST(test_nameless)
{
	struct flow f;

	numbered_flow(0, &f);
	f.ct.state = 17;
	f.ct.status = 0;
	flow_mirror_reply(&f);
	expect_text(&f, "tcp 10.0.0.0:1024>203.0.113.10:80 state 17");
	f.key.l4proto = 99;
	expect_text(&f, "proto 99 10.0.0.0:1024>203.0.113.10:80 state 17");
}
END_TEST

START_TEST(test_random_keys_read_back)
{
	char text[FLOW_TEXT_MAX];
	struct flow_key back;
	unsigned hex = 0;
	struct flow f;
	struct rng r;

	rng_init_env(&r, "flow_text");
	for (int i = 0; i < 50000; i++) {
		random_flow(&r, &f);
		ck_assert_uint_eq(flow_key_format(&f.key, text), strlen(text));
		if (strstr(text, " pe-hex ")) {
			hex++;
			ck_assert_int_eq(flow_key_parse(text, &back), -EINVAL);
			continue;
		}
		ck_assert_msg(flow_key_parse(text, &back) == 0, "%s", text);
		ck_assert_msg(flow_key_equal(&back, &f.key), "%s", text);
	}
	ck_assert_uint_lt(hex, 5000);
}
END_TEST

/* Every flow's line begins with its key's text and fits with room to spare. */
START_TEST(test_random_flows_fit)
{
	char text[FLOW_TEXT_MAX], key[FLOW_TEXT_MAX];
	struct flow f;
	struct rng r;

	rng_init_env(&r, "flow_text");
	for (int i = 0; i < 50000; i++) {
		size_t len, key_len;

		random_flow(&r, &f);
		len = flow_format(&f, text);
		key_len = flow_key_format(&f.key, key);
		ck_assert_uint_lt(len, FLOW_TEXT_MAX - 1);
		ck_assert_mem_eq(text, key, key_len);
	}
}
END_TEST

static const char *const bad_keys[] = {
	"",
	"tcp",
	"tcp 192.0.2.1:1",
	"tcp 192.0.2.1:1>",
	"tcp 192.0.2.1:1>2001:db8::1",
	"tcp 192.0.2.1:65536>192.0.2.2:1",
	"tcp 192.0.2.1:>192.0.2.2:1",
	"tcp 192.0.2.1:-1>192.0.2.2:1",
	"tcp 192.0.2.256:1>192.0.2.2:1",
	"tcp [2001:db8::1:1>[2001:db8::2]:1",
	"tcp [2001:db8::1]>[2001:db8::2]:1",
	"tcp []:1>[]:1",
	"tcp 192.0.2.1:1>192.0.2.2:1 zone",
	"tcp 192.0.2.1:1>192.0.2.2:1 zone 65536",
	"tcp 192.0.2.1:1>192.0.2.2:1 zone 1 sideways",
	"tcp 192.0.2.1:1>192.0.2.2:1 fwmark 1",	   /* IPVS only */
	"ipvs tcp 192.0.2.1:1>192.0.2.2:1 zone 1", /* conntrack only */
	"ipvs tcp 192.0.2.1:1>192.0.2.2:1 fwmark 4294967296",
	"tcp 192.0.2.1:1>192.0.2.2:1 ESTABLISHED",
	"quic 192.0.2.1:1>192.0.2.2:1",
	"proto 256 192.0.2.1:1>192.0.2.2:1",
	"icmp 192.0.2.1>192.0.2.2",
	"icmp 192.0.2.1>192.0.2.2 type 8 code 256 id 1",
	"icmp 192.0.2.1:1>192.0.2.2:1 type 8 code 0 id 1",
};

START_TEST(test_bad_key_is_refused)
{
	struct flow_key k;

	ck_assert_msg(flow_key_parse(bad_keys[_i], &k) == -EINVAL, "accepted: %s", bad_keys[_i]);
}
END_TEST

START_TEST(test_names)
{
	ck_assert_str_eq(flow_proto_name(IPPROTO_SCTP), "sctp");
	ck_assert_str_eq(flow_proto_name(33), "dccp");
	ck_assert_str_eq(flow_state_name(FLOW_CONNTRACK, IPPROTO_TCP, 3), "ESTABLISHED");
	ck_assert_str_eq(flow_state_name(FLOW_CONNTRACK, IPPROTO_TCP, 9), "SYN_SENT2");
	ck_assert_str_eq(flow_state_name(FLOW_CONNTRACK, IPPROTO_SCTP, 4), "ESTABLISHED");
	ck_assert_str_eq(flow_state_name(FLOW_CONNTRACK, 33, 4), "OPEN");
	ck_assert_str_eq(flow_state_name(FLOW_IPVS, IPPROTO_TCP, 1), "ESTABLISHED");
	ck_assert_str_eq(flow_state_name(FLOW_IPVS, IPPROTO_TCP, 10), "SYNACK");
	ck_assert_str_eq(flow_state_name(FLOW_IPVS, IPPROTO_SCTP, 13), "CLOSED");
	ck_assert_str_eq(flow_state_name(FLOW_IPVS, IPPROTO_IP, 1), "ASSURED");
	ck_assert_ptr_null(flow_state_name(FLOW_CONNTRACK, IPPROTO_TCP, 10));
	ck_assert_ptr_null(flow_state_name(FLOW_CONNTRACK, IPPROTO_UDP, 0));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("flow_text");
	TCase *tc = tcase_create("flow_text");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_dnat);
	tcase_add_test(tc, test_routed_flow_shows_no_translation);
	tcase_add_test(tc, test_snat_ipv6_udp);
	tcase_add_test(tc, test_icmp);
	tcase_add_test(tc, test_ipvs);
	tcase_add_test(tc, test_nameless);
	tcase_add_test(tc, test_random_keys_read_back);
	tcase_add_test(tc, test_random_flows_fit);
	tcase_add_loop_test(tc, test_bad_key_is_refused, 0, sizeof(bad_keys) / sizeof(bad_keys[0]));
	tcase_add_test(tc, test_names);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
