// SPDX-License-Identifier: GPL-2.0-or-later
/* What ct_probe finds in namespaces made to have or lack it, and the watching of own addresses. */
#include <check.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "syncd/kernel/ct_probe.h"
#include "syncd/kernel/ct_source.h"
#include "syncd/kernel/ct_timeouts.h"
#include "tests/lib/ct_lab.h"
#include "tests/lib/netns.h"
#include "tests/lib/suite.h"

static void set_up(void)
{
	ck_assert_int_eq(netns_enter(), 0);
}

START_TEST(events_are_switched_on_and_the_former_value_told)
{
	struct ct_probe p;

	ck_assert_int_eq(netns_sysctl_set("net/netfilter/nf_conntrack_events", _i), 0);
	ck_assert_int_eq(ct_probe_run(&p), 0);
	ck_assert_int_eq(p.events_before, _i);
	ck_assert_int_eq(p.events_err, 0);
	ck_assert_int_eq(netns_sysctl_get("net/netfilter/nf_conntrack_events"), 1);
}
END_TEST

START_TEST(protocols_are_reported)
{
	struct ct_probe p;

	ck_assert_int_eq(ct_probe_run(&p), 0);
	ck_assert_int_eq(p.sctp,
			 netns_sysctl_get("net/netfilter/nf_conntrack_sctp_timeout_closed") > 0);
	ck_assert_int_eq(p.dccp,
			 netns_sysctl_get("net/netfilter/nf_conntrack_dccp_timeout_open") > 0);
}
END_TEST

START_TEST(without_rights_it_says_so)
{
	struct ct_config c;
	struct ct_probe p;
	struct source_events none = {0};
	struct source *s = NULL;
	bool v4, v6;

	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
	ck_assert_int_eq(ct_probe_run(&p), -EPERM);
	ck_assert_ptr_nonnull(strstr(p.why, "CAP_NET_ADMIN"));
	ck_assert_int_eq(ct_probe_nat(&v4, &v6), -EPERM);
	/* A source opened all the same can hear nothing. */
	ct_config_init(&c);
	ck_assert_int_eq(ct_source_open(&c, 0, &none, &s), 0);
	ck_assert_int_eq(s->ops->listen(s, SOURCE_ALL), -EPERM);
	s->ops->free(s);
}
END_TEST

static void assert_nat(bool want4, bool want6)
{
	bool v4 = !want4, v6 = !want6;

	ck_assert_int_eq(ct_probe_nat(&v4, &v6), 0);
	ck_assert_int_eq(v4, want4);
	ck_assert_int_eq(v6, want6);
}

START_TEST(nat_is_found_family_by_family)
{
	assert_nat(false, false);
	ck_assert_int_eq(netns_sh("nft 'add table ip t; add chain ip t f { type filter hook "
				  "forward priority 0; }'"),
			 0);
	assert_nat(false, false);
	ck_assert_int_eq(netns_sh("nft 'add chain ip t c { type nat hook prerouting priority "
				  "dstnat; }'"),
			 0);
	assert_nat(true, false);
	ck_assert_int_eq(netns_sh("nft 'delete table ip t; add table ip6 t; add chain ip6 t c { "
				  "type nat hook prerouting priority dstnat; }'"),
			 0);
	assert_nat(false, true);
	ck_assert_int_eq(netns_sh("nft 'delete table ip6 t; add table inet t; add chain inet t c "
				  "{ type nat hook postrouting priority srcnat; }'"),
			 0);
	assert_nat(true, true);
}
END_TEST

START_TEST(nat_of_iptables_is_found)
{
	if (netns_sh("iptables-legacy -t nat -L >/dev/null 2>&1")) {
		printf("SKIP: no iptables-legacy here\n");
		return;
	}
	assert_nat(true, false);
}
END_TEST

START_TEST(table_is_counted)
{
	struct flow f = ct_lab_flow(IPPROTO_UDP, 4, CT_LAB_DNAT, 1);
	struct ct_lab lab;
	uint64_t count = 9, max = 0;

	ck_assert_int_eq(ct_probe_table(&count, &max), 0);
	ck_assert_uint_eq(count, 0);
	ck_assert_uint_gt(max, 0);
	ck_assert_int_eq(ct_lab_open(&lab, NULL), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	ck_assert_int_eq(ct_probe_table(&count, &max), 0);
	ck_assert_uint_eq(count, 1);
	ct_lab_close(&lab);
}
END_TEST

/* ---- own addresses --------------------------------------------------------------------------- */

struct wait {
	struct addresses *addresses;
	struct ct_filter *filter;
	struct flow flow;
	bool wanted;
};

static bool is_so(void *ctx)
{
	struct wait *w = ctx;

	ck_assert_int_eq(addresses_refresh(w->addresses), 0);
	return ct_filter_wants(w->filter, &w->flow) == w->wanted;
}

static void expect(struct wait *w, bool wanted)
{
	w->wanted = wanted;
	ck_assert(netns_wait_for(is_so, w, 2000));
}

static int set_addresses(void *filter, const struct address *all, size_t count)
{
	return ct_filter_set_addresses(filter, all, count);
}

START_TEST(own_addresses_are_watched)
{
	struct ct_config c;
	struct wait w = {0};

	ct_config_init(&c);
	w.filter = ct_filter_new(&c);
	ck_assert_ptr_nonnull(w.filter);
	ck_assert_int_eq(addresses_open(set_addresses, w.filter, &w.addresses), 0);
	w.flow = ct_lab_flow(IPPROTO_TCP, _i ? 16 : 4, CT_LAB_PLAIN, 1);
	expect(&w, true);
	/* A connection that this box answers itself. */
	ck_assert_int_eq(
		netns_sh("ip addr add %s dev lo", _i ? "2001:db8:1::10/128" : "203.0.113.10/32"),
		0);
	expect(&w, false);
	/* The same address, translated to a real server's. */
	w.flow = ct_lab_flow(IPPROTO_TCP, _i ? 16 : 4, CT_LAB_DNAT, 1);
	expect(&w, true);
	/* A connection that it opens. */
	ck_assert_int_eq(netns_sh("ip addr add %s dev lo", _i ? "2001:db8::7/128" : "192.0.2.7/32"),
			 0);
	expect(&w, false);
	ck_assert_int_eq(netns_sh("ip addr del %s dev lo", _i ? "2001:db8::7/128" : "192.0.2.7/32"),
			 0);
	expect(&w, true);
	addresses_close(w.addresses);
	ct_filter_free(w.filter);
}
END_TEST

START_TEST(timeouts_follow_the_sysctls)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_PLAIN, 1);
	struct ct_timeouts t;

	ck_assert_int_eq(
		netns_sysctl_set("net/netfilter/nf_conntrack_tcp_timeout_established", 1234), 0);
	ct_timeouts_read(&t);
	ck_assert_uint_eq(ct_timeouts_of(&t, &f), 1234);
	f.ct.state = 200;
	ck_assert_uint_gt(ct_timeouts_of(&t, &f), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ct_probe");
	TCase *tc = tcase_create("kernel");

	if (!netns_usable("ct_probe"))
		return 0;
	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, events_are_switched_on_and_the_former_value_told, 0, 3);
	tcase_add_test(tc, protocols_are_reported);
	tcase_add_test(tc, without_rights_it_says_so);
	tcase_add_test(tc, nat_is_found_family_by_family);
	tcase_add_test(tc, nat_of_iptables_is_found);
	tcase_add_test(tc, table_is_counted);
	tcase_add_loop_test(tc, own_addresses_are_watched, 0, 2);
	tcase_add_test(tc, timeouts_follow_the_sysctls);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
