// SPDX-License-Identifier: GPL-2.0-or-later
/* See site.h. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/lib/netns.h"
#include "tests/lib/site.h"

void site_in(int ns)
{
	ck_assert_int_eq(netns_switch(ns), 0);
}

void site_set_up_box(void)
{
	ck_assert_int_eq(netns_sh("ip addr add 192.0.2.1/24 dev front && "
				  "ip addr add 203.0.113.10/32 dev front && "
				  "ip addr add 10.2.0.1/24 dev back && "
				  "ip addr add 2001:db8::1/64 dev front nodad && "
				  "ip addr add 2001:db8:1::10/128 dev front nodad && "
				  "ip addr add fd00:2::1/64 dev back nodad"),
			 0);
	ck_assert_int_eq(netns_sysctl_set("net/ipv4/ip_forward", 1), 0);
	ck_assert_int_eq(netns_sysctl_set("net/ipv6/conf/all/forwarding", 1), 0);
}

void site_open(struct site *s)
{
	ck_assert_int_eq(netns_enter(), 0);
	s->box = netns_current();
	s->client = netns_new();
	s->server = netns_new();
	ck_assert(s->box >= 0 && s->client >= 0 && s->server >= 0);
	ck_assert_int_eq(netns_link(s->box, "front", s->client, "eth0"), 0);
	ck_assert_int_eq(netns_link(s->box, "back", s->server, "eth0"), 0);
	site_in(s->client);
	ck_assert_int_eq(netns_sh("ip addr add 192.0.2.7/24 dev eth0 && "
				  "ip route add default via 192.0.2.1 && "
				  "ip addr add 2001:db8::7/64 dev eth0 nodad && "
				  "ip route add default via 2001:db8::1"),
			 0);
	site_in(s->server);
	ck_assert_int_eq(netns_sh("ip addr add 10.2.0.11/24 dev eth0 && "
				  "ip addr add 10.2.0.12/24 dev eth0 && "
				  "ip route add default via 10.2.0.1 && "
				  "ip addr add fd00:2::11/64 dev eth0 nodad && "
				  "ip route add default via fd00:2::1"),
			 0);
	site_in(s->box);
	site_set_up_box();
}

socklen_t site_address(int family, const char *ip, uint16_t port, struct sockaddr_storage *out)
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
