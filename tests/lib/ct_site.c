// SPDX-License-Identifier: GPL-2.0-or-later
/* See ct_site.h. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/ct_site.h"
#include "tests/lib/netns.h"

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

void ct_site_in(int ns)
{
	ck_assert_int_eq(netns_switch(ns), 0);
}

void ct_site_open(struct ct_site *s)
{
	ck_assert_int_eq(netns_enter(), 0);
	s->box = netns_current();
	s->client = netns_new();
	s->server = netns_new();
	ck_assert(s->box >= 0 && s->client >= 0 && s->server >= 0);
	ck_assert_int_eq(netns_link(s->box, "front", s->client, "eth0"), 0);
	ck_assert_int_eq(netns_link(s->box, "back", s->server, "eth0"), 0);
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
	ct_site_in(s->client);
	ck_assert_int_eq(netns_sh("ip addr add 192.0.2.7/24 dev eth0 && "
				  "ip route add default via 192.0.2.1 && "
				  "ip addr add 2001:db8::7/64 dev eth0 nodad && "
				  "ip route add default via 2001:db8::1"),
			 0);
	ct_site_in(s->server);
	ck_assert_int_eq(netns_sh("ip addr add 10.2.0.11/24 dev eth0 && "
				  "ip addr add 10.2.0.12/24 dev eth0 && "
				  "ip route add default via 10.2.0.1 && "
				  "ip addr add fd00:2::11/64 dev eth0 nodad && "
				  "ip route add default via fd00:2::1"),
			 0);
	ct_site_in(s->box);
}

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

int ct_site_listen(struct ct_site *s, int family, int type, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t len = address(family, family == AF_INET ? "0.0.0.0" : "::", port, &a);
	int one = 1, fd;

	ct_site_in(s->server);
	fd = socket(family, type, 0);
	ck_assert_int_ge(fd, 0);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd, 128), 0);
	ct_site_in(s->box);
	return fd;
}

int ct_site_dial(struct ct_site *s, int family, int type, const char *ip, uint16_t port,
		 uint16_t from)
{
	struct sockaddr_storage a;
	socklen_t len;
	int one = 1, fd;

	ct_site_in(s->client);
	fd = socket(family, type, 0);
	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	len = address(family, family == AF_INET ? "192.0.2.7" : "2001:db8::7", from, &a);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	len = address(family, ip, port, &a);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, len), 0);
	ct_site_in(s->box);
	return fd;
}

void ct_site_wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	ck_assert_int_eq(poll(&p, 1, 2000), 1);
}

void ct_site_say(int from, int to, const char *text)
{
	char got[256] = {0};
	size_t len = strlen(text), have = 0;

	ck_assert_int_eq(send(from, text, len, MSG_NOSIGNAL), (ssize_t)len);
	while (have < len) {
		ssize_t n;

		ct_site_wait_readable(to);
		n = recv(to, got + have, sizeof(got) - 1 - have, 0);
		ck_assert_int_gt(n, 0);
		have += (size_t)n;
	}
	ck_assert_str_eq(got, text);
}
