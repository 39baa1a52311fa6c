/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch NODE: writes a line to standard output for each address that comes to or goes from this
 * network namespace: "NANOSECONDS NODE add|del ADDRESS" (CLOCK_MONOTONIC), and "… up" at its start.
 * Runs inside a balancer and dies with it. Source: rtnetlink(7). */
#include "tests/drill/traffic/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void tell(const char *node, const char *what, const char *addr)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "%" PRIu64 " %s %s%s%s\n", netns_now_ns(), node, what,
			 *addr ? " " : "", addr);

	/* One write: lines of several nodes share a fifo and must not mix. */
	if (n > 0 && write(1, line, (size_t)n) != n)
		_exit(1);
}

static void tell_address(const char *node, struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *ifa = NLMSG_DATA(nlh);
	struct rtattr *attr = IFA_RTA(NLMSG_DATA(nlh));
	int left = (int)IFA_PAYLOAD(nlh);
	const void *addr = NULL;
	char text[INET6_ADDRSTRLEN];

	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left)) {
		if (attr->rta_type == IFA_LOCAL || (attr->rta_type == IFA_ADDRESS && !addr))
			addr = RTA_DATA(attr);
	}
	if (addr && inet_ntop(ifa->ifa_family, addr, text, sizeof(text)))
		tell(node, nlh->nlmsg_type == RTM_NEWADDR ? "add" : "del", text);
}

int main(int argc, char **argv)
{
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK,
				 .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	_Alignas(struct nlmsghdr) char buf[8192];

	if (argc != 2 || fd < 0 || bind(fd, (const struct sockaddr *)&nl, sizeof(nl)) < 0) {
		fprintf(stderr, "watch: %s\n", argc != 2 ? "usage: watch NODE" : strerror(errno));
		return 1;
	}
	tell(argv[1], "up", "");
	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);
		unsigned left = n > 0 ? (unsigned)n : 0;

		if (n < 0 && errno != EINTR && errno != ENOBUFS)
			return 1;
		for (struct nlmsghdr *nlh = (struct nlmsghdr *)buf; NLMSG_OK(nlh, left);
		     nlh = NLMSG_NEXT(nlh, left))
			if (nlh->nlmsg_type == RTM_NEWADDR || nlh->nlmsg_type == RTM_DELADDR)
				tell_address(argv[1], nlh);
	}
}
