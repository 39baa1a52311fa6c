// SPDX-License-Identifier: GPL-2.0-or-later
/* See ct_site.h. */
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
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

void ct_site_open(struct site *s)
{
	site_open(s);
	ck_assert_int_eq(netns_sysctl_set("net/netfilter/nf_conntrack_events", 1), 0);
	ck_assert_int_eq(netns_sh("%s", ruleset), 0);
}

int ct_site_listen(struct site *s, int family, int type, uint16_t port)
{
	struct sockaddr_storage a;
	socklen_t len = site_address(family, family == AF_INET ? "0.0.0.0" : "::", port, &a);
	int one = 1, fd;

	site_in(s->server);
	fd = socket(family, type, 0);
	ck_assert_int_ge(fd, 0);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd, 128), 0);
	site_in(s->box);
	return fd;
}

int ct_site_dial(struct site *s, int family, int type, const char *ip, uint16_t port, uint16_t from)
{
	struct sockaddr_storage a;
	socklen_t len;
	int one = 1, fd;

	site_in(s->client);
	fd = socket(family, type, 0);
	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	len = site_address(family, family == AF_INET ? "192.0.2.7" : "2001:db8::7", from, &a);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	len = site_address(family, ip, port, &a);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, len), 0);
	site_in(s->box);
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
