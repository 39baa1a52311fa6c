// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The conntrack source against a real kernel: client -- box -- server, three namespaces; the box
 * translates and forwards, and is where the source and sink run.
 *
 *   client 192.0.2.7 ---- 192.0.2.1 box 10.2.0.1 ---- server 10.2.0.11
 *     2001:db8::7                                       fd00:2::11
 */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include "tests/lib/ct_lab.h"
#include "tests/lib/netns.h"

static struct ct_lab lab;
static struct ct_config config;
static int box = -1, client = -1, server = -1;

static void in(int ns)
{
	ck_assert_int_eq(netns_switch(ns), 0);
}

static const char ruleset[] =
	"nft -f - <<E\n"
	"table inet t {\n"
	"chain pre { type nat hook prerouting priority dstnat;\n"
	"ip daddr 203.0.113.10 meta l4proto { tcp, udp, sctp } th dport 80 dnat to 10.2.0.11:8080\n"
	"ip6 daddr 2001:db8:1::10 meta l4proto { tcp, udp } th dport 80 "
	"dnat to [fd00:2::11]:8080\n"
	"}\n"
	"chain post { type nat hook postrouting priority srcnat;\n"
	"ip saddr 192.0.2.0/24 ip daddr 10.2.0.12 masquerade\n"
	"}\n"
	"chain mid { type filter hook forward priority 0; ct state new ct mark set 42; }\n"
	"}\nE";

static void open_site(void)
{
	ck_assert_int_eq(netns_enter(), 0);
	box = netns_current();
	client = netns_new();
	server = netns_new();
	ck_assert(box >= 0 && client >= 0 && server >= 0);
	ck_assert_int_eq(netns_link(box, "front", client, "eth0"), 0);
	ck_assert_int_eq(netns_link(box, "back", server, "eth0"), 0);
	ck_assert_int_eq(netns_sh("ip addr add 192.0.2.1/24 dev front && "
				  "ip addr add 203.0.113.10/32 dev front && "
				  "ip addr add 10.2.0.1/24 dev back && "
				  "ip addr add 2001:db8::1/64 dev front nodad && "
				  "ip addr add 2001:db8:1::10/128 dev front nodad && "
				  "ip addr add fd00:2::1/64 dev back nodad"),
			 0);
	ck_assert_int_eq(netns_sysctl_set("net/ipv4/ip_forward", 1), 0);
	ck_assert_int_eq(netns_sysctl_set("net/ipv6/conf/all/forwarding", 1), 0);
	ck_assert_int_eq(netns_sysctl_set("net/netfilter/nf_conntrack_events", 1), 0);
	ck_assert_int_eq(netns_sh("%s", ruleset), 0);
	in(client);
	ck_assert_int_eq(netns_sh("ip addr add 192.0.2.7/24 dev eth0 && "
				  "ip route add default via 192.0.2.1 && "
				  "ip addr add 2001:db8::7/64 dev eth0 nodad && "
				  "ip route add default via 2001:db8::1"),
			 0);
	in(server);
	ck_assert_int_eq(netns_sh("ip addr add 10.2.0.11/24 dev eth0 && "
				  "ip addr add 10.2.0.12/24 dev eth0 && "
				  "ip route add default via 10.2.0.1 && "
				  "ip addr add fd00:2::11/64 dev eth0 nodad && "
				  "ip route add default via fd00:2::1"),
			 0);
	in(box);
}

static void set_up(void)
{
	open_site();
	ct_config_init(&config);
	ck_assert_int_eq(ct_lab_open(&lab, &config), 0);
}

static void tear_down(void)
{
	ct_lab_close(&lab);
}

/* ---- traffic --------------------------------------------------------------------------------- */

static socklen_t address(int family, const char *ip, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)(void *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)out;

	memset(out, 0, sizeof(*out));
	out->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		in4->sin_port = htons(port);
		ck_assert_int_eq(inet_pton(family, ip, &in4->sin_addr), 1);
		return sizeof(*in4);
	}
	in6->sin6_port = htons(port);
	ck_assert_int_eq(inet_pton(family, ip, &in6->sin6_addr), 1);
	return sizeof(*in6);
}

static int listener(int family, int type, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t len = address(family, family == AF_INET ? "0.0.0.0" : "::", port, &a);
	int one = 1, fd;

	in(server);
	fd = socket(family, type, 0);
	ck_assert_int_ge(fd, 0);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd, 128), 0);
	in(box);
	return fd;
}

static int dial(int family, int type, const char *ip, uint16_t port, uint16_t from)
{
	struct sockaddr_storage a;
	socklen_t len;
	int one = 1, fd;

	in(client);
	fd = socket(family, type, 0);
	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	len = address(family, family == AF_INET ? "192.0.2.7" : "2001:db8::7", from, &a);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	len = address(family, ip, port, &a);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, len), 0);
	in(box);
	return fd;
}

static void wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	ck_assert_int_eq(poll(&p, 1, 2000), 1);
}

static struct flow_key key_of(uint8_t l4proto, int family, uint16_t sport)
{
	struct flow f = ct_lab_flow(l4proto, family == AF_INET ? 4 : 16, CT_LAB_PLAIN, 0);

	f.key.sport = sport;
	return f.key;
}

static void hear(enum source_listen what)
{
	ck_assert_int_eq(lab.source->ops->listen(lab.source, what), 0);
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* One TCP connection from the first event to the last. _i: IPv4 or IPv6. */
START_TEST(tcp_connection_is_told_from_established_on)
{
	int family = _i ? AF_INET6 : AF_INET;
	int lfd = listener(family, SOCK_STREAM, 8080);
	struct flow_key k = key_of(IPPROTO_TCP, family, 4242);
	const struct ct_lab_event *e;
	struct flow_conntrack ct;
	int cfd, sfd;

	hear(SOURCE_ALL);
	cfd = dial(family, SOCK_STREAM, _i ? "2001:db8:1::10" : "203.0.113.10", 80, 4242);
	wait_readable(lfd);
	sfd = accept(lfd, NULL, NULL);
	e = ct_lab_wait_event(&lab, FLOW_UPDATE, &k);
	ck_assert_ptr_nonnull(e);
	/* Not before: SYN_SENT and SYN_RECV do not even leave the kernel. */
	ck_assert_uint_eq(lab.event_count, 1);
	ck_assert_uint_eq(ct_source_stats(lab.source)->kernel_filter, 1);
	ck_assert_uint_eq(ct_source_stats(lab.source)->events, 1);
	ct = e->flow.ct;
	ck_assert_uint_eq(ct.state, TCP_CONNTRACK_ESTABLISHED);
	ck_assert_uint_eq(ct.status, IPS_SEEN_REPLY | IPS_ASSURED | IPS_DST_NAT);
	ck_assert_uint_eq(ct.reply_sport, 8080);
	ck_assert_uint_eq(ct.mark, 42);
	ck_assert_uint_eq(e->parts & FLOW_PART_STATE, FLOW_PART_STATE);
	ck_assert_uint_eq(e->parts & FLOW_PART_LABELS, 0);
	ck_assert(ct.tcp_scale[0] > 0 && ct.tcp_scale[1] > 0);
	/* The dump has the same. */
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, 1);
	ck_assert(flow_equal(&lab.dumped[0], &e->flow));
	/* Its end, which is no accident. */
	close(cfd);
	close(sfd);
	ck_assert_int_eq(netns_sh("conntrack -F >/dev/null 2>&1"), 0);
	e = ct_lab_wait_event(&lab, FLOW_DESTROY, &k);
	ck_assert_ptr_nonnull(e);
	ck_assert(!e->live);
	close(lfd);
}
END_TEST

START_TEST(udp_is_told_from_the_first_reply_on)
{
	int family = _i ? AF_INET6 : AF_INET;
	int sfd = listener(family, SOCK_DGRAM, 8080);
	struct flow_key k = key_of(IPPROTO_UDP, family, 4243);
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	int cfd;
	char c;

	hear(SOURCE_ALL);
	cfd = dial(family, SOCK_DGRAM, _i ? "2001:db8:1::10" : "203.0.113.10", 80, 4243);
	ck_assert_int_eq(send(cfd, "x", 1, 0), 1);
	wait_readable(sfd);
	ck_assert_int_eq(recvfrom(sfd, &c, 1, 0, (struct sockaddr *)&from, &len), 1);
	ct_lab_drain(&lab);
	ck_assert_uint_eq(lab.event_count, 0);
	ck_assert_int_eq(sendto(sfd, "y", 1, 0, (struct sockaddr *)&from, len), 1);
	ck_assert_ptr_nonnull(ct_lab_wait_event(&lab, FLOW_UPDATE, &k));
	close(cfd);
	close(sfd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ct_source");
	TCase *tc = tcase_create("kernel");
	SRunner *runner;
	int failed;

	if (!netns_usable("ct_source"))
		return 0;
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, tcp_connection_is_told_from_established_on, 0, 2);
	tcase_add_loop_test(tc, udp_is_told_from_the_first_reply_on, 0, 2);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
