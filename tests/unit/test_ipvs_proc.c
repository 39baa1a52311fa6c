/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the IPVS back ends read of /proc, from texts as kernel 6.1 writes them. */
#include <errno.h>
#include <string.h>

#include "syncd/kernel/ipvs_arrival.h"
#include "syncd/kernel/ipvs_services.h"
#include "tests/lib/suite.h"

static const char services[] = "IP Virtual Server version 1.2.1 (size=4096)\n"
			       "Prot LocalAddress:Port Scheduler Flags\n"
			       "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
			       "TCP  CB00710A:0050 rr  persistent 60 FFFFFFFF\n"
			       "  -> 0A00000B:0050      Masq    1      3          0         \n"
			       "  -> 0A00000C:0050      Masq    1      0          1         \n"
			       "UDP  [2001:0db8:0000:0000:0000:0000:0000:0010]:0035 wlc \n"
			       "  -> [fd00:000b:0000:0000:0000:0000:0000:0011]:0035      Tunnel  1 "
			       "     0          0         "
			       "\n"
			       "FWM  00000007 sh \n";

START_TEST(test_services)
{
	struct ipvs_service s[4];
	uint64_t all, few;

	ck_assert_uint_eq(ipvs_services_parse(services, s, 4, &all), 3);
	ck_assert_str_eq(s[0].name, "tcp 203.0.113.10:80");
	ck_assert_str_eq(s[1].name, "udp [2001:db8::10]:53");
	ck_assert_str_eq(s[2].name, "fwmark 7");
	ck_assert_uint_eq(ipvs_services_parse(services, s, 1, &few), 1);
	ck_assert_uint_eq(few, all);
	ck_assert_uint_eq(ipvs_services_parse("", s, 4, &few), 0);
	ck_assert_uint_eq(few, 0);
}
END_TEST

struct edit {
	const char *from, *to;
	int differs;
};

/* Whether a change of the configuration shows, and only such a one. */
static const struct edit edits[] = {
	{"Masq    1      3", "Masq    5      9", 0},   /* weight and connections */
	{"0C:0050      Masq", "0D:0050      Masq", 1}, /* another server */
	{"0C:0050      Masq", "0C:0050      Rout", 1}, /* another method */
	{" rr  persistent 60", " rr  persistent 90", 1},
	{" rr  persistent", " wl  persistent", 1},
	{"CB00710A", "CB00710B", 1},
};

START_TEST(test_services_differ)
{
	char text[sizeof(services)];
	const struct edit *e = &edits[_i];
	struct ipvs_service s[4];
	uint64_t before, after;
	char *at;

	memcpy(text, services, sizeof(text));
	at = strstr(text, e->from);
	ck_assert_ptr_nonnull(at);
	ck_assert_uint_eq(strlen(e->from), strlen(e->to));
	(void)ipvs_services_parse(text, s, 4, &before);
	memcpy(at, e->to, strlen(e->to));
	(void)ipvs_services_parse(text, s, 4, &after);
	ck_assert_int_eq(before != after, e->differs);
}
END_TEST

static const char udp[] = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
			  "retrnsmt   uid  timeout "
			  "inode ref pointer drops             \n"
			  "  113: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 "
			  "00000000     0        0 "
			  "1234 2 0000000000000000 3         \n"
			  " 2890: 510000E0:2290 00000000:0000 07 00000000:0000A500 00:00000000 "
			  "00000000     0        0 "
			  "9876 2 0000000000000000 17        \n";

START_TEST(test_arrival_udp)
{
	struct ipvs_arrival a = {0};

	ipvs_arrival_parse_udp(udp, &a);
	ck_assert(a.there);
	ck_assert_uint_eq(a.waiting, 0xa500);
	ck_assert_uint_eq(a.dropped, 17);
	ipvs_arrival_parse_udp("  sl  local_address\n", &a);
	ck_assert(!a.there);
}
END_TEST

START_TEST(test_arrival_snmp)
{
	uint64_t taken = 0;

	ck_assert_int_eq(ipvs_arrival_parse_snmp("Ip: Forwarding\nIp: 1\n"
						 "Udp: InDatagrams NoPorts InErrors\n"
						 "Udp: 4711 2 0\nUdpLite: InDatagrams\n",
						 &taken),
			 0);
	ck_assert_uint_eq(taken, 4711);
	ck_assert_int_eq(ipvs_arrival_parse_snmp("Ip: Forwarding\nIp: 1\n", &taken), -EBADMSG);
	ck_assert_int_eq(ipvs_arrival_parse_snmp("\nUdp: NoPorts\nUdp: 1\n", &taken), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipvs_proc");
	TCase *t = tcase_create("all");

	tcase_add_test(t, test_services);
	tcase_add_loop_test(t, test_services_differ, 0, sizeof(edits) / sizeof(edits[0]));
	tcase_add_test(t, test_arrival_udp);
	tcase_add_test(t, test_arrival_snmp);
	suite_add_tcase(s, t);
	return suite_run(s);
}
