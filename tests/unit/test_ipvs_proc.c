/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the IPVS back ends read of /proc, from texts as kernel 6.1 writes them. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "syncd/kernel/ipvs_arrival.h"
#include "syncd/kernel/ipvs_flow.h"
#include "syncd/kernel/ipvs_proc.h"
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

/* ---- connections ----------------------------------------------------------------------------- */

START_TEST(test_line_tcp)
{
	struct ipvs_proc_line l;

	ck_assert_int_eq(ipvs_proc_read_line("TCP C0000207 1092 CB00710A 0050 0A00000B 1F90 "
					     "FIN_WAIT        119",
					     &l),
			 0);
	ck_assert_uint_eq(l.flow.key.kind, FLOW_IPVS);
	ck_assert_uint_eq(l.flow.key.l4proto, IPPROTO_TCP);
	ck_assert_uint_eq(l.flow.key.addr_len, 4);
	ck_assert_uint_eq(l.flow.key.src.b[0], 192);
	ck_assert_uint_eq(l.flow.key.dst.b[3], 10);
	ck_assert_uint_eq(l.flow.key.sport, 4242);
	ck_assert_uint_eq(l.flow.key.dport, 80);
	ck_assert_uint_eq(l.flow.ipvs.dest.b[3], 11);
	ck_assert_uint_eq(l.flow.ipvs.dport, 8080);
	ck_assert_uint_eq(l.flow.ipvs.state, 4);
	ck_assert_uint_eq(l.expires_s, 119);
}
END_TEST

START_TEST(test_line_udp6)
{
	struct ipvs_proc_line l;

	ck_assert_int_eq(ipvs_proc_read_line(
				 "UDP 2001:0db8:0000:0000:0000:0000:0000:0007 0035 "
				 "2001:0db8:0001:0000:0000:0000:0000:0010 0035 "
				 "fd00:0002:0000:0000:0000:0000:0000:0011 0035 UDP             299",
				 &l),
			 0);
	ck_assert_uint_eq(l.flow.key.addr_len, 16);
	ck_assert_uint_eq(l.flow.key.src.b[15], 7);
	ck_assert_uint_eq(l.flow.ipvs.dest.b[15], 0x11);
	ck_assert_uint_eq(l.flow.ipvs.state, 0);
}
END_TEST

START_TEST(test_line_engine)
{
	const char *id = "call 7@example.org";
	struct ipvs_proc_line l;

	ck_assert_int_eq(ipvs_proc_read_line("UDP C0000207 0000 CB00710A 13C4 0A00000B 13C4 NONE   "
					     "           59 sip call 7@example.org",
					     &l),
			 0);
	ck_assert_str_eq(l.flow.ipvs.pe_name, "sip");
	ck_assert_uint_eq(l.flow.key.pe_data_len, strlen(id));
	ck_assert_int_eq(memcmp(l.flow.key.pe_data, id, strlen(id)), 0);
}
END_TEST

/* The head, what the sync protocol cannot carry, and what no kernel writes. */
static const char *const no_lines[] = {
	"Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData",
	"TCP C0000207 1092 CB00710A 0050 fd00:0002:0000:0000:0000:0000:0000:0011 1F90 FIN_WAIT 9",
	"TCP C0000207 1092 CB00710A 0050 0A00000B 1F90 SLEEPING 9",
	"XYZ C0000207 1092 CB00710A 0050 0A00000B 1F90 NONE 9",
	"TCP C0000207 1092 CB00710A",
	"",
};

START_TEST(test_line_none)
{
	struct ipvs_proc_line l;

	ck_assert_int_eq(ipvs_proc_read_line(no_lines[_i], &l), -EINVAL);
}
END_TEST

static const char servers[] = "Prot LocalAddress:Port Scheduler Flags\n"
			      "TCP  CB00710A:0050 rr  persistent 60 FFFFFFFF\n"
			      "  -> 0A00000B:1F90      Masq    1      3          0         \n"
			      "TCP  CB00710B:0050 rr \n"
			      "  -> 0A00000B:1F90      Route   1      3          0         \n"
			      "FWM  00000007 rr  persistent 300 FFFFFFFF\n"
			      "  -> 0A00000C:0000      Tunnel  1      0          0         \n";

struct whose {
	const char *line;
	uint32_t flags, timeout_ms;
	bool found;
};

/* Forwarding method, NOOUTPUT, INACTIVE, TEMPLATE: ip_vs_bind_dest. */
static const struct whose whose[] = {
	{"TCP C0000207 1092 CB00710A 0050 0A00000B 1F90 ESTABLISHED 9", 0, 60000, true},
	{"TCP C0000207 1092 CB00710A 0050 0A00000B 1F90 FIN_WAIT 9", IPVS_F_INACTIVE, 60000, true},
	{"TCP C0000207 1092 CB00710B 0050 0A00000B 1F90 ESTABLISHED 9", 0x83, 0, true},
	{"TCP C0000207 0000 CB00710A 0050 0A00000B 1F90 ASSURED 9",
	 IPVS_F_TEMPLATE | IPVS_F_INACTIVE, 60000, true},
	{"IP  C0000207 0000 00000007 0000 0A00000C 0000 NONE 9",
	 IPVS_F_TEMPLATE | IPVS_F_INACTIVE | 0x82, 300000, true},
	{"UDP C0000207 1092 CB00710C 0035 0A00000C 0035 UDP 9", IPVS_F_INACTIVE | 0x82, 300000,
	 true},
	{"TCP C0000207 1092 CB00710A 0050 0A00000D 1F90 ESTABLISHED 9", 0, 0, false},
};

START_TEST(test_servers_complete)
{
	struct ipvs_servers *s = ipvs_servers_parse(servers);
	uint32_t timeout_ms = 0;
	struct ipvs_proc_line l;

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(ipvs_proc_read_line(whose[_i].line, &l), 0);
	ck_assert_int_eq(ipvs_servers_complete(s, &l.flow, &timeout_ms), whose[_i].found);
	ck_assert_uint_eq(l.flow.ipvs.flags, whose[_i].flags);
	ck_assert_uint_eq(timeout_ms, whose[_i].timeout_ms);
	ipvs_servers_free(s);
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
	tcase_add_test(t, test_line_tcp);
	tcase_add_test(t, test_line_udp6);
	tcase_add_test(t, test_line_engine);
	tcase_add_loop_test(t, test_line_none, 0, sizeof(no_lines) / sizeof(no_lines[0]));
	tcase_add_loop_test(t, test_servers_complete, 0, sizeof(whose) / sizeof(whose[0]));
	suite_add_tcase(s, t);
	return suite_run(s);
}
