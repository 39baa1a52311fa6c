// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See reach.h. The kernel probes a neighbour that it is told to doubt (NUD_PROBE) and goes on using
 * it until it has failed to answer; so a doubt a second costs one ARP request and disturbs nobody.
 */
#include "syncd/box/reach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { REACH_TEXT_MAX = 96 };

/* A gateway's next hop: itself, or who leads to it. */
struct hop {
	uint32_t interface; /* 0: no route */
	struct flow_addr addr;
};

struct reach {
	struct config_reach cfg;
	struct mnl_socket *nl;
	uint32_t seq;
	bool lost[CONFIG_LIST_MAX]; /* of each gateway: the kernel gave it up */
	char text[REACH_TEXT_MAX];
};

int reach_new(const struct config_reach *cfg, struct reach **out)
{
	struct reach *r = calloc(1, sizeof(*r));
	int err;

	if (r == NULL)
		return -ENOMEM;
	r->cfg = *cfg;
	r->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (r->nl == NULL || mnl_socket_bind(r->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		reach_free(r);
		return err;
	}
	*out = r;
	return 0;
}

void reach_free(struct reach *r)
{
	if (r == NULL)
		return;
	if (r->nl != NULL)
		mnl_socket_close(r->nl);
	free(r);
}

/* Returns 0 once the kernel has acknowledged, which it does before the request returns; -errno. */
static int ask(struct reach *r, struct nlmsghdr *nlh, mnl_cb_t fn, void *ctx)
{
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	int more = MNL_CB_OK;

	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = ++r->seq;
	if (mnl_socket_sendto(r->nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (more > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(r->nl, buf, sizeof(buf));

		if (n < 0)
			return -errno;
		more = mnl_cb_run(buf, (size_t)n, r->seq, mnl_socket_get_portid(r->nl), fn, ctx);
		if (more < 0)
			return -errno;
	}
	return 0;
}

struct route_answer {
	struct hop *hop;
	uint8_t len;
};

static int on_route_attr(const struct nlattr *attr, void *data)
{
	struct route_answer *a = data;

	if (mnl_attr_get_type(attr) == RTA_OIF && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
		a->hop->interface = mnl_attr_get_u32(attr);
	if (mnl_attr_get_type(attr) == RTA_GATEWAY && mnl_attr_get_payload_len(attr) == a->len)
		memcpy(&a->hop->addr, mnl_attr_get_payload(attr), a->len);
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct rtmsg), on_route_attr, data);
}

static int family_of(const struct config_prefix *p)
{
	return p->addr_len == 4 ? AF_INET : AF_INET6;
}

static struct hop find_hop(struct reach *r, const struct config_prefix *to)
{
	char buf[256] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct hop hop = {.addr = to->addr};
	struct route_answer a = {&hop, to->addr_len};
	struct rtmsg *rtm;

	nlh->nlmsg_type = RTM_GETROUTE;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = (unsigned char)family_of(to);
	rtm->rtm_dst_len = to->bits;
	mnl_attr_put(nlh, RTA_DST, to->addr_len, &to->addr);
	if (ask(r, nlh, on_route, &a))
		hop.interface = 0;
	return hop;
}

static int on_neighbour(const struct nlmsghdr *nlh, void *data)
{
	struct ndmsg ndm;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(ndm))
		return MNL_CB_OK;
	memcpy(&ndm, mnl_nlmsg_get_payload(nlh), sizeof(ndm));
	*(uint16_t *)data = ndm.ndm_state;
	return MNL_CB_OK;
}

/* One message of a neighbour: asks for it, or tells what to make of it. */
static int neighbour(struct reach *r, const struct config_prefix *of, const struct hop *hop,
		     uint16_t type, struct ndmsg say, uint16_t *state)
{
	char buf[256] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ndmsg *ndm;

	nlh->nlmsg_type = type;
	if (type == RTM_NEWNEIGH)
		nlh->nlmsg_flags = say.ndm_flags & NTF_USE ? NLM_F_CREATE : NLM_F_REPLACE;
	ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
	*ndm = say;
	ndm->ndm_family = (uint8_t)family_of(of);
	ndm->ndm_ifindex = (int)hop->interface;
	mnl_attr_put(nlh, NDA_DST, of->addr_len, &hop->addr);
	return ask(r, nlh, type == RTM_GETNEIGH ? on_neighbour : NULL, state);
}

/* Returns whether the gateway is lost, and has the kernel make sure for the next time. */
static bool gateway_lost(struct reach *r, size_t i)
{
	const struct config_prefix *to = &r->cfg.gateways.item[i];
	const struct ndmsg use = {.ndm_flags = NTF_USE}, doubt = {.ndm_state = NUD_PROBE};
	const struct hop hop = find_hop(r, to);
	uint16_t state = NUD_NONE;

	if (!hop.interface)
		return true;
	if (neighbour(r, to, &hop, RTM_GETNEIGH, (struct ndmsg){0}, &state))
		state = NUD_NONE;
	if (state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP))
		r->lost[i] = false;
	if (state & NUD_FAILED)
		r->lost[i] = true;
	if (state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY))
		(void)neighbour(r, to, &hop, RTM_NEWNEIGH, doubt, NULL);
	else if (!(state & (NUD_PERMANENT | NUD_NOARP | NUD_PROBE | NUD_INCOMPLETE)))
		(void)neighbour(r, to, &hop, RTM_NEWNEIGH, use, NULL);
	return r->lost[i];
}

static bool interface_down(const struct reach *r, const char *name)
{
	struct ifreq ifr = {0};

	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(mnl_socket_get_fd(r->nl), SIOCGIFFLAGS, &ifr))
		return true;
	return (ifr.ifr_flags & (IFF_UP | IFF_RUNNING)) != (IFF_UP | IFF_RUNNING);
}

const char *reach_check(struct reach *r)
{
	char addr[INET6_ADDRSTRLEN] = "";

	r->text[0] = '\0';
	for (size_t i = 0; i < r->cfg.interfaces.n; i++)
		if (interface_down(r, r->cfg.interfaces.item[i]) && !r->text[0])
			(void)snprintf(r->text, sizeof(r->text), "interface %s is down",
				       r->cfg.interfaces.item[i]);
	for (size_t i = 0; i < r->cfg.gateways.n; i++) {
		if (!gateway_lost(r, i) || r->text[0])
			continue;
		(void)inet_ntop(family_of(&r->cfg.gateways.item[i]), &r->cfg.gateways.item[i].addr,
				addr, sizeof(addr));
		(void)snprintf(r->text, sizeof(r->text), "gateway %s does not answer", addr);
	}
	return r->text[0] ? r->text : NULL;
}
