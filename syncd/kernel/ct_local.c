// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See ct_local.h. A change is answered by reading all addresses anew: they are few, change seldom,
 * and no notification can then be missed for good.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "syncd/kernel/ct_attr.h"
#include "syncd/kernel/ct_local.h"
#include "syncd/kernel/ct_socket.h"

enum { ASK_TIMEOUT_MS = 1000, ADDRESSES_MAX = 1 << 16 };

struct ct_local {
	struct ct_filter *filter;
	struct ct_socket watch, ask;
	bool stale;
};

struct list {
	struct ct_address *item;
	size_t count, room;
};

static int list_add(struct list *l, const uint8_t *addr, uint8_t addr_len, bool broadcast)
{
	struct ct_address *a;

	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 32;
		struct ct_address *grown;

		if (room > ADDRESSES_MAX)
			return -E2BIG;
		grown = realloc(l->item, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		l->item = grown;
		l->room = room;
	}
	a = &l->item[l->count++];
	memset(a, 0, sizeof(*a));
	memcpy(a->addr.b, addr, addr_len);
	a->addr_len = addr_len;
	a->broadcast = broadcast;
	return 0;
}

static int on_address(void *ctx, const struct nlmsghdr *nlh)
{
	const size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct ifaddrmsg));
	const uint8_t *address = NULL, *local = NULL, *broadcast = NULL;
	struct ifaddrmsg ifa;
	struct ct_attrs row;
	struct ct_attr a;
	uint8_t len;
	int err = 0;

	if (nlh->nlmsg_type != RTM_NEWADDR || nlh->nlmsg_len < head)
		return 0;
	memcpy(&ifa, (const uint8_t *)nlh + NLMSG_HDRLEN, sizeof(ifa));
	len = ifa.ifa_family == AF_INET ? 4 : ifa.ifa_family == AF_INET6 ? 16 : 0;
	row = (struct ct_attrs){(const uint8_t *)nlh + head, nlh->nlmsg_len - head};
	while (len && ct_attr_next(&row, &a)) {
		if (a.len < len)
			continue;
		if (a.type == IFA_ADDRESS)
			address = a.data;
		else if (a.type == IFA_LOCAL)
			local = a.data;
		else if (a.type == IFA_BROADCAST)
			broadcast = a.data;
	}
	/* On a point-to-point link IFA_ADDRESS is the other end's. */
	if (local || address)
		err = list_add(ctx, local ? local : address, len, false);
	if (err == 0 && broadcast)
		err = list_add(ctx, broadcast, len, true);
	return err;
}

static int read_all(struct ct_local *local)
{
	struct {
		struct nlmsghdr nlh;
		struct ifaddrmsg ifa;
	} ask = {
		.nlh = {.nlmsg_len = sizeof(ask),
			.nlmsg_type = RTM_GETADDR,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.ifa = {.ifa_family = AF_UNSPEC},
	};
	struct list list = {0};
	int err = ct_socket_ask(&local->ask, &ask, sizeof(ask), ASK_TIMEOUT_MS, on_address, &list);

	if (err == 0)
		err = ct_filter_set_addresses(local->filter, list.item, list.count);
	free(list.item);
	return err;
}

int ct_local_open(struct ct_filter *filter, struct ct_local **out)
{
	struct ct_local *local = calloc(1, sizeof(*local));
	int err;

	if (!local)
		return -ENOMEM;
	local->filter = filter;
	err = ct_socket_open(&local->watch, NETLINK_ROUTE);
	if (err == 0)
		err = ct_socket_open(&local->ask, NETLINK_ROUTE);
	if (err == 0)
		err = ct_socket_group(&local->watch, RTNLGRP_IPV4_IFADDR, true);
	if (err == 0)
		err = ct_socket_group(&local->watch, RTNLGRP_IPV6_IFADDR, true);
	if (err == 0)
		err = read_all(local);
	if (err == -EINTR) { /* changed meanwhile: the notification is waiting already */
		local->stale = true;
		err = 0;
	}
	if (err) {
		ct_local_close(local);
		return err;
	}
	*out = local;
	return 0;
}

void ct_local_close(struct ct_local *local)
{
	if (!local)
		return;
	ct_socket_close(&local->watch);
	ct_socket_close(&local->ask);
	free(local);
}

int ct_local_fd(const struct ct_local *local)
{
	return local->watch.fd;
}

int ct_local_poll(struct ct_local *local)
{
	uint8_t buf[4096];
	int err;

	/* What the notifications say is not looked at: that there was one suffices, also a lost
	 * one. */
	while (recv(local->watch.fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		local->stale = true;
	if (!local->stale)
		return 0;
	err = read_all(local);
	if (err == 0)
		local->stale = false;
	return err;
}
