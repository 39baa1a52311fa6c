// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See addresses.h. A change is answered by reading all addresses anew: they are few, change seldom,
 * and no notification can then be missed for good.
 */
#include "syncd/base/addresses.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum {
	ASK_TIMEOUT_S = 1,
	TRIES = 10,
	ANSWER_MAX = 8192, /* bytes: a part of a dump */
	ADDRESSES_MAX = 1 << 16,
};

struct addresses {
	addresses_fn *fn;
	void *ctx;
	struct mnl_socket *watch, *ask;
	uint32_t seq;
	struct address *item;
	size_t count, room;
	bool stale;
};

static int add(struct addresses *a, const void *addr, uint8_t addr_len, bool broadcast)
{
	if (addr == NULL)
		return 0;
	if (a->count == a->room) {
		const size_t room = a->room > 0 ? 2 * a->room : 32;
		struct address *grown;

		if (room > ADDRESSES_MAX)
			return -E2BIG;
		grown = realloc(a->item, room * sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		a->item = grown;
		a->room = room;
	}
	a->item[a->count] = (struct address){.addr_len = addr_len, .broadcast = broadcast};
	memcpy(a->item[a->count++].addr.b, addr, addr_len);
	return 0;
}

/* An address as rtnetlink tells it: of its family's length, else NULL. */
struct told {
	uint8_t len;
	const void *address, *local, *broadcast;
};

static int on_attribute(const struct nlattr *a, void *data)
{
	struct told *t = data;

	if (mnl_attr_get_payload_len(a) != t->len)
		return MNL_CB_OK;
	if (mnl_attr_get_type(a) == IFA_ADDRESS)
		t->address = mnl_attr_get_payload(a);
	else if (mnl_attr_get_type(a) == IFA_LOCAL)
		t->local = mnl_attr_get_payload(a);
	else if (mnl_attr_get_type(a) == IFA_BROADCAST)
		t->broadcast = mnl_attr_get_payload(a);
	return MNL_CB_OK;
}

static int on_address(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct told t = {0};
	int err;

	if (nlh->nlmsg_type != RTM_NEWADDR)
		return MNL_CB_OK;
	t.len = ifa->ifa_family == AF_INET ? 4 : ifa->ifa_family == AF_INET6 ? 16 : 0;
	if (t.len == 0)
		return MNL_CB_OK;
	(void)mnl_attr_parse(nlh, sizeof(*ifa), on_attribute, &t);
	/* On a point-to-point link IFA_ADDRESS is the other end's. */
	err = add(data, t.local != NULL ? t.local : t.address, t.len, false);
	err = err ? err : add(data, t.broadcast, t.len, true);
	if (err == 0)
		return MNL_CB_OK;
	errno = -err;
	return MNL_CB_ERROR;
}

static int read_once(struct addresses *a)
{
	const uint32_t port = mnl_socket_get_portid(a->ask);
	char buf[ANSWER_MAX];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	int more = MNL_CB_OK;

	nlh->nlmsg_type = RTM_GETADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = ++a->seq;
	ifa->ifa_family = AF_UNSPEC;
	if (mnl_socket_sendto(a->ask, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	a->count = 0;
	while (more == MNL_CB_OK) {
		const ssize_t n = mnl_socket_recvfrom(a->ask, buf, sizeof(buf));

		if (n < 0)
			return -errno;
		more = mnl_cb_run(buf, (size_t)n, a->seq, port, on_address, a);
		if (more < 0 && (errno == ESRCH || errno == EPROTO))
			more = MNL_CB_OK; /* the answer to a question given up */
	}
	return more < 0 ? -errno : 0;
}

/* A dump that a change has interrupted may lack any address. */
static int read_all(struct addresses *a)
{
	int err = -EINTR;

	a->stale = true;
	for (int i = 0; i < TRIES && err == -EINTR; i++)
		err = read_once(a);
	if (err == 0 && a->fn != NULL)
		err = a->fn(a->ctx, a->item, a->count);
	a->stale = err != 0;
	return err;
}

static int open_watch(struct addresses *a)
{
	unsigned group[] = {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};

	a->watch = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (a->watch == NULL || mnl_socket_bind(a->watch, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(group) / sizeof(group[0]); i++)
		if (mnl_socket_setsockopt(a->watch, NETLINK_ADD_MEMBERSHIP, &group[i],
					  sizeof(group[i])) < 0)
			return -errno;
	return 0;
}

static int open_ask(struct addresses *a)
{
	const struct timeval limit = {.tv_sec = ASK_TIMEOUT_S};

	a->ask = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (a->ask == NULL || mnl_socket_bind(a->ask, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(a->ask), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		return -errno;
	return 0;
}

int addresses_open(addresses_fn *fn, void *ctx, struct addresses **out)
{
	struct addresses *a = calloc(1, sizeof(*a));
	int err;

	if (a == NULL)
		return -ENOMEM;
	a->fn = fn;
	a->ctx = ctx;
	err = open_watch(a);
	err = err ? err : open_ask(a);
	err = err ? err : read_all(a);
	if (err) {
		addresses_close(a);
		return err;
	}
	*out = a;
	return 0;
}

void addresses_close(struct addresses *a)
{
	if (a == NULL)
		return;
	if (a->watch != NULL)
		mnl_socket_close(a->watch);
	if (a->ask != NULL)
		mnl_socket_close(a->ask);
	free(a->item);
	free(a);
}

int addresses_fd(const struct addresses *a)
{
	return mnl_socket_get_fd(a->watch);
}

int addresses_refresh(struct addresses *a)
{
	char buf[4096];

	/* That there was a notification suffices, also a lost one. */
	while (recv(addresses_fd(a), buf, sizeof(buf), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		a->stale = true;
	return a->stale ? read_all(a) : 0;
}

static bool has_one(const struct addresses *a, const struct config_prefix *p)
{
	for (size_t i = 0; i < a->count; i++)
		if (!a->item[i].broadcast && a->item[i].addr_len == p->addr_len &&
		    memcmp(a->item[i].addr.b, p->addr.b, p->addr_len) == 0)
			return true;
	return false;
}

bool addresses_has(const struct addresses *a, const struct config_prefixes *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->item[i].bits == 8U * list->item[i].addr_len && has_one(a, &list->item[i]))
			return true;
	return false;
}
