// SPDX-License-Identifier: GPL-2.0-or-later
/* What is synchronised and from when on; sets of addresses. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include "syncd/kernel/ct_addrs.h"
#include "syncd/kernel/ct_filter.h"
#include "tests/lib/ct_lab.h"
#include "tests/lib/suite.h"

static struct flow_addr addr_of(const char *text, uint8_t *len)
{
	struct flow_addr a = {0};

	*len = strchr(text, ':') ? 16 : 4;
	ck_assert_int_eq(inet_pton(*len == 4 ? AF_INET : AF_INET6, text, a.b), 1);
	return a;
}

static struct flow flow_between(const char *src, const char *dst)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_PLAIN, 1);

	f.key.src = addr_of(src, &f.key.addr_len);
	f.key.dst = addr_of(dst, &f.key.addr_len);
	flow_mirror_reply(&f);
	return f;
}

static bool wants(const struct ct_config *c, const struct flow *f)
{
	struct ct_filter *filter = ct_filter_new(c);
	bool yes;

	ck_assert_ptr_nonnull(filter);
	yes = ct_filter_wants(filter, f);
	ct_filter_free(filter);
	return yes;
}

static const struct {
	const char *src, *dst;
	bool wanted;
} pairs[] = {
	{"192.0.2.1", "198.51.100.1", true},
	{"127.0.0.1", "198.51.100.1", false},
	{"192.0.2.1", "127.1.2.3", false},
	{"192.0.2.1", "224.0.0.181", false},
	{"192.0.2.1", "239.255.255.255", false},
	{"192.0.2.1", "255.255.255.255", false},
	{"0.0.0.0", "198.51.100.1", false},
	{"169.254.1.1", "198.51.100.1", false},
	{"192.0.2.1", "223.255.255.255", true},
	{"2001:db8::1", "2001:db8::2", true},
	{"::1", "2001:db8::2", false},
	{"2001:db8::1", "::", false},
	{"fe80::1", "2001:db8::2", false},
	{"2001:db8::1", "febf::2", false},
	{"2001:db8::1", "fec0::2", true},
	{"2001:db8::1", "ff02::1", false},
	{"::2", "2001:db8::2", true},
	{"fd00::1", "2001:db8::2", true},
};

START_TEST(special_addresses_are_left_out)
{
	struct flow f = flow_between(pairs[_i].src, pairs[_i].dst);
	struct ct_config c;

	ct_config_init(&c);
	ck_assert_msg(wants(&c, &f) == pairs[_i].wanted, "%s > %s", pairs[_i].src, pairs[_i].dst);
}
END_TEST

START_TEST(protocols_are_as_configured)
{
	static const uint8_t by_default[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_DCCP};
	struct flow f = flow_between("192.0.2.1", "198.51.100.1");
	struct ct_config c;

	ct_config_init(&c);
	for (unsigned p = 0; p < 256; p++) {
		f.key.l4proto = (uint8_t)p;
		ck_assert_int_eq(wants(&c, &f),
				 memchr(by_default, (int)p, sizeof(by_default)) != NULL);
	}
	ct_config_add_protocol(&c, 255);
	ck_assert(ct_config_has_protocol(&c, 255));
	f.key.l4proto = 255;
	ck_assert(wants(&c, &f));
}
END_TEST

static const struct {
	const char *prefix;
	uint8_t bits;
	const char *src, *dst;
	bool left_out;
} prefixes[] = {
	{"198.51.100.0", 24, "192.0.2.1", "198.51.100.255", true},
	{"198.51.100.0", 24, "192.0.2.1", "198.51.101.0", false},
	{"198.51.100.0", 24, "198.51.100.9", "192.0.2.1", true},
	{"198.51.100.128", 25, "192.0.2.1", "198.51.100.127", false},
	{"198.51.100.128", 25, "192.0.2.1", "198.51.100.128", true},
	{"192.0.2.1", 32, "192.0.2.1", "198.51.100.1", true},
	{"192.0.2.1", 32, "192.0.2.0", "198.51.100.1", false},
	{"0.0.0.0", 0, "192.0.2.0", "198.51.100.1", true},
	{"0.0.0.0", 0, "2001:db8::1", "2001:db8::2", false},
	{"2001:db8::", 33, "2001:db8:8000::1", "2001:db9::2", false},
	{"2001:db8::", 33, "2001:db8:7fff::1", "2001:db9::2", true},
	{"2001:db8::1", 128, "2001:db9::1", "2001:db8::1", true},
};

START_TEST(prefixes_are_left_out)
{
	struct flow f = flow_between(prefixes[_i].src, prefixes[_i].dst);
	struct ct_prefix p = {.prefix_len = prefixes[_i].bits};
	struct ct_config c;

	p.addr = addr_of(prefixes[_i].prefix, &p.addr_len);
	ct_config_init(&c);
	c.ignore = &p;
	c.ignore_count = 1;
	ck_assert_int_eq(wants(&c, &f), !prefixes[_i].left_out);
}
END_TEST

START_TEST(a_server_behind_nat_is_left_out_by_its_own_address)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);
	struct ct_prefix p = {.addr = f.ct.reply_src, .addr_len = 4, .prefix_len = 32};
	struct ct_config c;

	ct_config_init(&c);
	ck_assert(wants(&c, &f));
	c.ignore = &p;
	c.ignore_count = 1;
	ck_assert(!wants(&c, &f));
}
END_TEST

START_TEST(own_connections_are_left_out)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);
	struct address vip = {.addr = f.key.dst, .addr_len = 4};
	struct address client = {.addr = f.key.src, .addr_len = 4};
	struct address server = {.addr = f.ct.reply_src, .addr_len = 4};
	struct address broadcast = {.addr = f.key.dst, .addr_len = 4, .broadcast = true};
	struct ct_config c;
	struct ct_filter *filter;

	ct_config_init(&c);
	filter = ct_filter_new(&c);
	/* Passing through a virtual address is not the box's own. */
	ck_assert_int_eq(ct_filter_set_addresses(filter, &vip, 1), 0);
	ck_assert(ct_filter_wants(filter, &f));
	ck_assert_int_eq(ct_filter_set_addresses(filter, &client, 1), 0);
	ck_assert(!ct_filter_wants(filter, &f));
	ck_assert_int_eq(ct_filter_set_addresses(filter, &server, 1), 0);
	ck_assert(!ct_filter_wants(filter, &f));
	ck_assert_int_eq(ct_filter_set_addresses(filter, &broadcast, 1), 0);
	ck_assert(!ct_filter_wants(filter, &f));
	ck_assert_int_eq(ct_filter_set_addresses(filter, NULL, 0), 0);
	ck_assert(ct_filter_wants(filter, &f));
	ct_filter_free(filter);
}
END_TEST

/* ---- how far --------------------------------------------------------------------------------- */

enum { E = 1 << CT_FROM_ESTABLISHED, R = 1 << CT_FROM_REPLY, N = 1 << CT_FROM_NEW };

static const struct {
	uint8_t l4proto;
	uint8_t state;
	uint32_t status;
	bool stateless; /* an update without the state */
	unsigned ripe;	/* for which thresholds */
} stages[] = {
	{IPPROTO_TCP, TCP_CONNTRACK_SYN_SENT, 0, false, N},
	{IPPROTO_TCP, TCP_CONNTRACK_SYN_RECV, IPS_SEEN_REPLY, false, R | N},
	{IPPROTO_TCP, TCP_CONNTRACK_SYN_SENT2, IPS_SEEN_REPLY, false, R | N},
	{IPPROTO_TCP, TCP_CONNTRACK_ESTABLISHED, IPS_SEEN_REPLY | IPS_ASSURED, false, E | R | N},
	{IPPROTO_TCP, TCP_CONNTRACK_FIN_WAIT, IPS_SEEN_REPLY | IPS_ASSURED, false, E | R | N},
	{IPPROTO_TCP, TCP_CONNTRACK_TIME_WAIT, IPS_SEEN_REPLY | IPS_ASSURED, false, E | R | N},
	{IPPROTO_TCP, TCP_CONNTRACK_CLOSE, IPS_SEEN_REPLY, false, E | R | N},
	{IPPROTO_TCP, 0, 0, true, N},
	{IPPROTO_TCP, 0, IPS_SEEN_REPLY, true, R | N},
	{IPPROTO_TCP, 0, IPS_SEEN_REPLY | IPS_ASSURED, true, E | R | N},
	{IPPROTO_UDP, 0, 0, true, N},
	{IPPROTO_UDP, 0, IPS_SEEN_REPLY, false, R | N},
	{IPPROTO_UDPLITE, 0, IPS_SEEN_REPLY | IPS_ASSURED, true, E | R | N},
	{IPPROTO_SCTP, SCTP_CONNTRACK_COOKIE_WAIT, 0, false, N},
	{IPPROTO_SCTP, SCTP_CONNTRACK_COOKIE_ECHOED, IPS_SEEN_REPLY, false, R | N},
	{IPPROTO_SCTP, SCTP_CONNTRACK_ESTABLISHED, IPS_SEEN_REPLY, false, E | R | N},
	{IPPROTO_SCTP, SCTP_CONNTRACK_SHUTDOWN_RECD, IPS_SEEN_REPLY, false, E | R | N},
	{IPPROTO_SCTP, SCTP_CONNTRACK_HEARTBEAT_SENT, 0, false, N},
	{IPPROTO_DCCP, 1, 0, false, N},
	{IPPROTO_DCCP, 3, IPS_SEEN_REPLY, false, R | N},
	{IPPROTO_DCCP, 4, IPS_SEEN_REPLY | IPS_ASSURED, false, E | R | N},
	{IPPROTO_DCCP, 8, IPS_SEEN_REPLY, false, N},
	{IPPROTO_ICMP, 0, IPS_SEEN_REPLY, false, R | N},
};

START_TEST(thresholds)
{
	struct flow f = {.key = {.addr_len = 4, .l4proto = stages[_i].l4proto}};
	unsigned parts = FLOW_PART_STATUS | (stages[_i].stateless ? 0 : (unsigned)FLOW_PART_STATE);

	f.ct.state = stages[_i].state;
	f.ct.status = stages[_i].status;
	for (unsigned from = CT_FROM_ESTABLISHED; from <= CT_FROM_NEW; from++) {
		struct ct_filter *filter;
		struct ct_config c;

		ct_config_init(&c);
		c.tcp_from = c.udp_from = c.sctp_from = c.dccp_from = c.other_from = from;
		filter = ct_filter_new(&c);
		ck_assert_msg(ct_filter_ripe(filter, &f, parts) == (stages[_i].ripe >> from & 1),
			      "threshold %u", from);
		ct_filter_free(filter);
	}
}
END_TEST

/* ---- sets ------------------------------------------------------------------------------------ */

START_TEST(sets_hold_what_was_put_in)
{
	enum { COUNT = 1000 };
	struct ct_addrs *set = ct_addrs_new(COUNT);
	static struct flow_addr in[COUNT];
	struct flow_addr out;

	ck_assert_ptr_nonnull(set);
	for (unsigned i = 0; i < COUNT; i++) {
		in[i] = (struct flow_addr){.b = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
		ct_addrs_add(set, &in[i], 4);
		ct_addrs_add(set, &in[i], 4); /* twice is once */
	}
	for (unsigned i = 0; i < COUNT; i++) {
		ck_assert(ct_addrs_has(set, &in[i], 4));
		ck_assert(!ct_addrs_has(set, &in[i], 16)); /* the same bytes, another family */
		out = in[i];
		out.b[1] = 1;
		ck_assert(!ct_addrs_has(set, &out, 4));
	}
	ct_addrs_free(set);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ct_filter");
	TCase *tc = tcase_create("filter");

	tcase_add_loop_test(tc, special_addresses_are_left_out, 0,
			    sizeof(pairs) / sizeof(pairs[0]));
	tcase_add_test(tc, protocols_are_as_configured);
	tcase_add_loop_test(tc, prefixes_are_left_out, 0, sizeof(prefixes) / sizeof(prefixes[0]));
	tcase_add_test(tc, a_server_behind_nat_is_left_out_by_its_own_address);
	tcase_add_test(tc, own_connections_are_left_out);
	tcase_add_loop_test(tc, thresholds, 0, sizeof(stages) / sizeof(stages[0]));
	tcase_add_test(tc, sets_hold_what_was_put_in);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
