// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What source and sink are for: the kernel's entries of real connections are read, lost and put
 * back, and the connections go on, where a packet without an entry would be dropped (tcp_loose = 0,
 * ct state invalid drop).
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include "tests/lib/ct_lab.h"
#include "tests/lib/ct_site.h"
#include "tests/lib/netns.h"
#include "tests/lib/suite.h"

static struct site site;
static struct ct_lab lab;

static void set_up(void)
{
	ct_site_open(&site);
	ck_assert_int_eq(netns_sysctl_set("net/netfilter/nf_conntrack_tcp_loose", 0), 0);
	/* In prerouting, for the box holds the virtual address and would answer with a reset. */
	ck_assert_int_eq(netns_sh("nft add chain inet t early '{ type filter hook prerouting "
				  "priority 0; ct state invalid drop; }'"),
			 0);
	ck_assert_int_eq(ct_lab_open(&lab, NULL), 0);
}

static void tear_down(void)
{
	ct_lab_close(&lab);
}

static void dump(size_t count)
{
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, count);
}

static void lose_all(void)
{
	ck_assert_int_eq(netns_sh("conntrack -F >/dev/null 2>&1"), 0);
}

static void *copy_dump(size_t *count)
{
	struct flow *copy = calloc(lab.dumped_count, sizeof(*copy));

	ck_assert_ptr_nonnull(copy);
	*count = lab.dumped_count;
	memcpy(copy, lab.dumped, *count * sizeof(*copy));
	return copy;
}

/* ---- TCP ------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int family;
	const char *to;
	uint16_t port, served;
	uint32_t nat;
} ways[] = {
	{"DNAT", AF_INET, "203.0.113.10", 80, 8080, IPS_DST_NAT},
	{"DNAT, IPv6", AF_INET6, "2001:db8:1::10", 80, 8080, IPS_DST_NAT},
	{"masquerade", AF_INET, "10.2.0.12", 8080, 8080, IPS_SRC_NAT},
	{"DNAT and SNAT", AF_INET, "203.0.113.10", 81, 8080, IPS_NAT_MASK},
	{"DNAT and SNAT, IPv6", AF_INET6, "2001:db8:1::10", 81, 8080, IPS_NAT_MASK},
	{"routed", AF_INET, "10.2.0.11", 8080, 8080, 0},
};

static void add_both_ways(void)
{
	ck_assert_int_eq(
		netns_sh("nft add rule inet t pre ip daddr 203.0.113.10 tcp dport 81 dnat ip "
			 "to 10.2.0.11:8080 && "
			 "nft add rule inet t pre ip6 daddr 2001:db8:1::10 tcp dport 81 dnat "
			 "ip6 to '[fd00:2::11]:8080' && "
			 "nft add rule inet t post meta nfproto ipv4 meta l4proto tcp ct original "
			 "proto-dst 81 "
			 "snat ip to 10.2.0.1 && "
			 "nft add rule inet t post meta nfproto ipv6 meta l4proto tcp ct original "
			 "proto-dst 81 "
			 "snat ip6 to fd00:2::1"),
		0);
}

START_TEST(tcp_goes_on_over_entries_put_back)
{
	int lfd, cfd, sfd;
	struct flow f;

	printf("%s\n", ways[_i].name);
	add_both_ways();
	lfd = ct_site_listen(&site, ways[_i].family, SOCK_STREAM, ways[_i].served);
	cfd = ct_site_dial(&site, ways[_i].family, SOCK_STREAM, ways[_i].to, ways[_i].port, 4242);
	ct_site_wait_readable(lfd);
	sfd = accept(lfd, NULL, NULL);
	ct_site_say(cfd, sfd, "before");
	dump(1);
	f = lab.dumped[0];
	ck_assert_uint_eq(f.ct.status & IPS_NAT_MASK, ways[_i].nat);
	lose_all();
	dump(0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	ct_site_say(cfd, sfd, "after");
	ct_site_say(sfd, cfd, "and back");
	dump(1);
	ck_assert(flow_equal(&f, &lab.dumped[0]));
	close(cfd);
	close(sfd);
	close(lfd);
}
END_TEST

/* A server's packet that comes first makes an entry of its own, in the way of ours. */
START_TEST(tcp_goes_on_though_the_server_spoke_first)
{
	struct flow f;
	int lfd, cfd, sfd;

	ck_assert_int_eq(netns_sysctl_set("net/netfilter/nf_conntrack_tcp_loose", 1), 0);
	lfd = ct_site_listen(&site, AF_INET, SOCK_STREAM, 8080);
	cfd = ct_site_dial(&site, AF_INET, SOCK_STREAM, "203.0.113.10", 80, 4242);
	ct_site_wait_readable(lfd);
	sfd = accept(lfd, NULL, NULL);
	dump(1);
	f = lab.dumped[0];
	/* The packet is to make an entry, but not to reach the client, which would reset it. */
	ck_assert_int_eq(netns_sh("nft add chain inet t guard '{ type filter hook postrouting "
				  "priority 300; policy accept; }' && "
				  "nft add rule inet t guard ip saddr 10.2.0.11 ip daddr "
				  "192.0.2.7 drop"),
			 0);
	lose_all();
	ck_assert_int_eq(send(sfd, "late", 4, 0), 4);
	ck_assert_int_eq(netns_sh("nft flush chain inet t guard"), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	ct_site_wait_readable(cfd);
	ct_site_say(cfd, sfd, "after");
	close(cfd);
	close(sfd);
	close(lfd);
}
END_TEST

/* Moves so much that the window known to the box's entry is left behind. */
static void move_window(int cfd, int sfd)
{
	static char block[65536];

	for (int i = 0; i < 16; i++) {
		size_t got = 0;

		ck_assert_int_eq(send(cfd, block, sizeof(block), 0), sizeof(block));
		while (got < sizeof(block)) {
			ssize_t n;

			ct_site_wait_readable(sfd);
			n = recv(sfd, block, sizeof(block) - got, 0);
			ck_assert_int_gt(n, 0);
			got += (size_t)n;
		}
	}
}

/*
 * A connection born here, carried by another node for a while (here: past conntrack), comes back.
 * _i: whether its entry was made liberal when it left.
 */
START_TEST(tcp_comes_back_over_a_kept_entry)
{
	struct pollfd p = {.events = POLLIN};
	int lfd, cfd, sfd;

	lfd = ct_site_listen(&site, AF_INET, SOCK_STREAM, 8080);
	cfd = ct_site_dial(&site, AF_INET, SOCK_STREAM, "10.2.0.11", 8080, 4242);
	ct_site_wait_readable(lfd);
	sfd = accept(lfd, NULL, NULL);
	dump(1);
	if (_i)
		ck_assert_int_eq(ct_lab_do(&lab, SINK_LIBERAL, &lab.dumped[0]), 0);
	ck_assert_int_eq(netns_sh("nft add chain inet t raw '{ type filter hook prerouting "
				  "priority raw; }' && nft add rule inet t raw notrack"),
			 0);
	move_window(cfd, sfd);
	ck_assert_int_eq(netns_sh("nft flush chain inet t raw"), 0);
	ck_assert_int_eq(send(cfd, "again", 5, 0), 5);
	p.fd = sfd;
	ck_assert_int_eq(poll(&p, 1, _i ? 2000 : 150), _i);
	if (_i)
		ct_site_say(sfd, cfd, "and back");
	close(cfd);
	close(sfd);
	close(lfd);
}
END_TEST

/* ---- related flows --------------------------------------------------------------------------- */

struct ftp {
	int control_listener, data_listener;
	int control_client, control_server, data_client, data_server;
};

/* Logs in and opens a passive data connection, as far as the kernel's helper needs to see it. */
static struct ftp open_ftp(void)
{
	struct ftp f;

	ck_assert_int_eq(
		netns_sh("nft -f - <<E\n"
			 "add ct helper inet t ftp { type \"ftp\" protocol tcp; }\n"
			 "add chain inet t help { type filter hook prerouting priority 0; }\n"
			 "add rule inet t help tcp dport 21 ct helper set \"ftp\"\n"
			 "add rule inet t pre ip daddr 203.0.113.10 tcp dport 21 dnat ip to "
			 "10.2.0.11:21\n"
			 "E"),
		0);
	f.control_listener = ct_site_listen(&site, AF_INET, SOCK_STREAM, 21);
	f.data_listener = ct_site_listen(&site, AF_INET, SOCK_STREAM, 8000);
	f.control_client = ct_site_dial(&site, AF_INET, SOCK_STREAM, "203.0.113.10", 21, 4242);
	ct_site_wait_readable(f.control_listener);
	f.control_server = accept(f.control_listener, NULL, NULL);
	ct_site_say(f.control_server, f.control_client, "220 ready\r\n");
	ct_site_say(f.control_client, f.control_server, "PASV\r\n");
	return f;
}

static void open_ftp_data(struct ftp *f)
{
	static const char told[] = "227 Entering Passive Mode (10,2,0,11,31,64).\r\n";
	static const char heard[] = "227 Entering Passive Mode (203,0,113,10,31,64).\r\n";
	char got[128] = {0};
	ssize_t n;

	ck_assert_int_eq(send(f->control_server, told, sizeof(told) - 1, 0), sizeof(told) - 1);
	ct_site_wait_readable(f->control_client);
	n = recv(f->control_client, got, sizeof(got) - 1, 0);
	ck_assert_int_gt(n, 0);
	ck_assert_str_eq(got, heard);
	f->data_client = ct_site_dial(&site, AF_INET, SOCK_STREAM, "203.0.113.10", 8000, 4243);
	ct_site_wait_readable(f->data_listener);
	f->data_server = accept(f->data_listener, NULL, NULL);
}

START_TEST(ftp_and_its_data_connection_go_on)
{
	const struct ct_lab_event *e;
	struct flow_key control_key, data_key;
	struct flow *kept;
	size_t count, control, data;
	struct ftp f;

	ck_assert_int_eq(lab.source->ops->listen(lab.source, SOURCE_ALL), 0);
	f = open_ftp();
	open_ftp_data(&f);
	dump(2);
	kept = copy_dump(&count);
	control = kept[0].ct.has_master ? 1 : 0;
	data = 1 - control;
	control_key = kept[control].key;
	data_key = kept[data].key;
	ck_assert_str_eq(kept[control].ct.helper, "ftp");
	ck_assert_uint_eq(kept[control].ct.status & IPS_SEQ_ADJUST, IPS_SEQ_ADJUST);
	ck_assert_int_ne(kept[control].ct.seqadj[FLOW_REPLY].offset_after, 0);
	ck_assert(kept[data].ct.has_master);
	ck_assert(flow_key_equal(&kept[data].ct.master, &control_key));
	/* The master was in the first event of the data connection only: it has not been lost. */
	e = ct_lab_wait_event(&lab, FLOW_UPDATE, &data_key);
	ck_assert_ptr_nonnull(e);
	ck_assert(e->flow.ct.has_master && flow_key_equal(&e->flow.ct.master, &control_key));
	ck_assert_uint_eq(e->parts & FLOW_PART_MASTER, FLOW_PART_MASTER);

	lose_all();
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &kept[data]), -ENOENT);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &kept[control]), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &kept[data]), 0);
	dump(2);
	for (size_t i = 0; i < count; i++)
		ck_assert(flow_equal(&kept[i], ct_lab_dumped(&lab, &kept[i].key)));
	/* Sequence numbers are shifted as before, both ways. */
	ct_site_say(f.control_client, f.control_server, "NOOP\r\n");
	ct_site_say(f.control_server, f.control_client, "200 NOOP ok.\r\n");
	ct_site_say(f.data_server, f.data_client, "data");
	/* And the helper goes on: another data connection is expected and let through. */
	close(f.data_client);
	close(f.data_server);
	ct_site_say(f.control_client, f.control_server, "PASV\r\n");
	open_ftp_data(&f);
	ct_site_say(f.data_server, f.data_client, "more");
	free(kept);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ct_takeover");
	TCase *tc = tcase_create("kernel");

	if (!netns_usable("ct_takeover"))
		return 0;
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, tcp_goes_on_over_entries_put_back, 0,
			    sizeof(ways) / sizeof(ways[0]));
	tcase_add_test(tc, tcp_goes_on_though_the_server_spoke_first);
	tcase_add_loop_test(tc, tcp_comes_back_over_a_kept_entry, 0, 2);
	tcase_add_test(tc, ftp_and_its_data_connection_go_on);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
