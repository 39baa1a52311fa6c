/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reach.c against the real kernel: a carrier that goes and comes, a gateway that stops answering,
 * for both families, without that traffic to it is disturbed.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/box/reach.h"
#include "tests/lib/netns.h"
#include "tests/lib/suite.h"

static int here, there;
static struct reach *reach;
static const char *want;

/* A namespace with eth0, and another behind it that is the gateway, 10.0.0.1 and fd00::1. */
static void setup(void)
{
	ck_assert_int_eq(netns_enter(), 0);
	here = netns_current();
	there = netns_new();
	ck_assert_int_eq(netns_link(here, "eth0", there, "gw"), 0);
	ck_assert_int_eq(netns_sh("sysctl -qw net.ipv4.neigh.eth0.retrans_time_ms=100 "
				  "net.ipv6.neigh.eth0.retrans_time_ms=100 && "
				  "ip addr add 10.0.0.2/24 dev eth0 && "
				  "ip addr add fd00::2/64 dev eth0 nodad"),
			 0);
	ck_assert_int_eq(netns_switch(there), 0);
	ck_assert_int_eq(netns_sh("ip addr add 10.0.0.1/24 dev gw && "
				  "ip addr add fd00::1/64 dev gw nodad"),
			 0);
	ck_assert_int_eq(netns_switch(here), 0);
	reach = NULL;
}

static void teardown(void)
{
	reach_free(reach);
}

static struct config_prefix ipv4(uint8_t last)
{
	return (struct config_prefix){.addr_len = 4, .bits = 32, .addr.b = {10, 0, 0, last}};
}

static void gateway_says(const char *command)
{
	ck_assert_int_eq(netns_switch(there), 0);
	ck_assert_int_eq(netns_sh("%s", command), 0);
	ck_assert_int_eq(netns_switch(here), 0);
}

static bool says_wanted(void *ctx)
{
	const char *what = reach_check(reach);

	(void)ctx;
	return want == NULL ? what == NULL : what != NULL && strcmp(what, want) == 0;
}

static void wait_for(const char *what)
{
	want = what;
	ck_assert_msg(netns_wait_for(says_wanted, NULL, 15000), "waited in vain for '%s'",
		      what ? what : "nothing to be wrong");
}

START_TEST(test_interface)
{
	struct config_reach cfg = {.interfaces = {.n = 2, .item = {"lo", "eth0"}}};

	ck_assert_int_eq(reach_new(&cfg, &reach), 0);
	wait_for(NULL);
	gateway_says("ip link set gw down");
	wait_for("interface eth0 is down");
	gateway_says("ip link set gw up");
	wait_for(NULL);
	ck_assert_int_eq(netns_sh("ip link del eth0"), 0);
	wait_for("interface eth0 is down");
}
END_TEST

START_TEST(test_gateway)
{
	struct config_reach cfg = {.gateways = {.n = 1, .item = {ipv4(1)}}};

	ck_assert_int_eq(reach_new(&cfg, &reach), 0);
	ck_assert_ptr_null(reach_check(reach)); /* not asked yet: no news is good news */
	wait_for(NULL);
	gateway_says("ip link set gw arp off");
	wait_for("gateway 10.0.0.1 does not answer");
	gateway_says("ip link set gw arp on");
	wait_for(NULL);
}
END_TEST

START_TEST(test_gateway_ipv6)
{
	struct config_reach cfg = {.gateways = {.n = 1}};

	cfg.gateways.item[0] =
		(struct config_prefix){.addr_len = 16, .bits = 128, .addr.b = {0xfd, [15] = 1}};
	ck_assert_int_eq(reach_new(&cfg, &reach), 0);
	wait_for(NULL);
	gateway_says("ip addr del fd00::1/64 dev gw");
	wait_for("gateway fd00::1 does not answer");
	gateway_says("ip addr add fd00::1/64 dev gw nodad");
	wait_for(NULL);
}
END_TEST

/* What leads there is asked, and no way there is a fault at once. */
START_TEST(test_way)
{
	struct config_reach cfg = {.gateways = {.n = 1}};

	cfg.gateways.item[0] =
		(struct config_prefix){.addr_len = 4, .bits = 32, .addr.b = {192, 0, 2, 9}};
	ck_assert_int_eq(reach_new(&cfg, &reach), 0);
	ck_assert_str_eq(reach_check(reach), "gateway 192.0.2.9 does not answer");
	ck_assert_int_eq(netns_sh("ip route add 192.0.2.0/24 via 10.0.0.1"), 0);
	wait_for(NULL);
	gateway_says("ip link set gw arp off");
	wait_for("gateway 192.0.2.9 does not answer");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("reach");
	TCase *t = tcase_create("reach");

	if (!netns_usable("reach"))
		return 77;
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_interface);
	tcase_add_test(t, test_gateway);
	tcase_add_test(t, test_gateway_ipv6);
	tcase_add_test(t, test_way);
	suite_add_tcase(s, t);
	return suite_run(s);
}
