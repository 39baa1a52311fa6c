// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See holder.h. A change is answered by reading all addresses anew: they are few, change seldom,
 * and no notification can then be missed for good.
 */
#include "syncd/role/holder.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { ASK_TIMEOUT_S = 1, TRIES = 10, ANSWER_MAX = 8192 /* bytes: a part of a dump */ };

struct address {
	struct flow_addr addr;
	uint8_t len;
};

struct holder {
	struct mnl_socket *watch, *ask;
	uint32_t seq;
	struct address *item;
	size_t count, room;
	bool stale;
};

static int add(struct holder *h, const void *addr, uint8_t len)
{
	if (h->count == h->room) {
		const size_t room = h->room > 0 ? 2 * h->room : 32;
		struct address *grown = realloc(h->item, room * sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		h->item = grown;
		h->room = room;
	}
	h->item[h->count] = (struct address){.len = len};
	memcpy(h->item[h->count++].addr.b, addr, len);
	return 0;
}

/* An address as rtnetlink tells it: of its family's length, else NULL. */
struct told {
	uint8_t len;
	const void *address, *local;
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
	return MNL_CB_OK;
}

static int on_address(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct told t = {0};

	if (nlh->nlmsg_type != RTM_NEWADDR)
		return MNL_CB_OK;
	t.len = ifa->ifa_family == AF_INET ? 4 : ifa->ifa_family == AF_INET6 ? 16 : 0;
	(void)mnl_attr_parse(nlh, sizeof(*ifa), on_attribute, &t);
	/* On a point-to-point link IFA_ADDRESS is the other end's. */
	t.address = t.local != NULL ? t.local : t.address;
	if (t.len == 0 || t.address == NULL || add(data, t.address, t.len) == 0)
		return MNL_CB_OK;
	errno = ENOMEM;
	return MNL_CB_ERROR;
}

static int read_once(struct holder *h)
{
	const uint32_t port = mnl_socket_get_portid(h->ask);
	char buf[ANSWER_MAX];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	int more = MNL_CB_OK;

	nlh->nlmsg_type = RTM_GETADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = ++h->seq;
	ifa->ifa_family = AF_UNSPEC;
	if (mnl_socket_sendto(h->ask, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	h->count = 0;
	while (more == MNL_CB_OK) {
		const ssize_t n = mnl_socket_recvfrom(h->ask, buf, sizeof(buf));

		if (n < 0)
			return -errno;
		more = mnl_cb_run(buf, (size_t)n, h->seq, port, on_address, h);
		if (more < 0 && (errno == ESRCH || errno == EPROTO))
			more = MNL_CB_OK; /* the answer to a question given up */
	}
	return more < 0 ? -errno : 0;
}

/* A dump that a change has interrupted may lack any address. */
static int read_all(struct holder *h)
{
	int err = -EINTR;

	for (int i = 0; i < TRIES && err == -EINTR; i++)
		err = read_once(h);
	return err;
}

static int open_watch(struct holder *h)
{
	unsigned group[] = {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};

	h->watch = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (h->watch == NULL || mnl_socket_bind(h->watch, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(group) / sizeof(group[0]); i++)
		if (mnl_socket_setsockopt(h->watch, NETLINK_ADD_MEMBERSHIP, &group[i],
					  sizeof(group[i])) < 0)
			return -errno;
	return 0;
}

static int open_ask(struct holder *h)
{
	const struct timeval limit = {.tv_sec = ASK_TIMEOUT_S};

	h->ask = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (h->ask == NULL || mnl_socket_bind(h->ask, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(h->ask), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		return -errno;
	return 0;
}

int holder_new(struct holder **out)
{
	struct holder *h = calloc(1, sizeof(*h));
	int err;

	if (h == NULL)
		return -ENOMEM;
	err = open_watch(h);
	err = err ? err : open_ask(h);
	err = err ? err : read_all(h);
	if (err) {
		holder_free(h);
		return err;
	}
	*out = h;
	return 0;
}

void holder_free(struct holder *h)
{
	if (h == NULL)
		return;
	if (h->watch != NULL)
		mnl_socket_close(h->watch);
	if (h->ask != NULL)
		mnl_socket_close(h->ask);
	free(h->item);
	free(h);
}

int holder_fd(const struct holder *h)
{
	return mnl_socket_get_fd(h->watch);
}

int holder_on_readable(struct holder *h)
{
	char buf[4096];
	int err;

	/* That there was a notification suffices, also a lost one. */
	while (recv(holder_fd(h), buf, sizeof(buf), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		h->stale = true;
	if (!h->stale)
		return 0;
	err = read_all(h);
	h->stale = err != 0;
	return err;
}

bool holder_has(const struct holder *h, const struct config_prefixes *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct config_prefix *p = &list->item[i];

		if (p->bits != 8U * p->addr_len)
			continue;
		for (size_t k = 0; k < h->count; k++)
			if (h->item[k].len == p->addr_len &&
			    memcmp(h->item[k].addr.b, p->addr.b, p->addr_len) == 0)
				return true;
	}
	return false;
}
