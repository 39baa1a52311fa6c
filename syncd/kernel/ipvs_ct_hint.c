// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_ct_hint.h. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include "syncd/kernel/ipvs_ct_hint.h"
#include "syncd/kernel/ipvs_flow.h"

enum { PART_BYTES = 8192, IPVS_TCP_ESTABLISHED = 1, IPVS_SCTP_ESTABLISHED = 8 };

static bool state_of(const struct ct_record *r, uint16_t *out)
{
	switch (r->flow.key.l4proto) {
	case IPPROTO_TCP:
		*out = IPVS_TCP_ESTABLISHED;
		return r->parts & FLOW_PART_STATE && r->flow.ct.state == TCP_CONNTRACK_ESTABLISHED;
	case IPPROTO_SCTP:
		*out = IPVS_SCTP_ESTABLISHED;
		return r->parts & FLOW_PART_STATE && r->flow.ct.state == SCTP_CONNTRACK_ESTABLISHED;
	case IPPROTO_UDP:
		*out = 0;
		return true;
	default:
		return false;
	}
}

bool ipvs_ct_hint_take(const struct ct_record *r, struct flow *out)
{
	const struct flow_key *k = &r->flow.key;
	const struct flow_conntrack *c = &r->flow.ct;
	uint16_t state;

	if (c->status & (IPS_SRC_NAT | IPS_DST_NAT) || c->has_master || !state_of(r, &state) ||
	    memcmp(&c->reply_dst, &k->src, sizeof(k->src)) != 0 || c->reply_dport != k->sport ||
	    (memcmp(&c->reply_src, &k->dst, sizeof(k->dst)) == 0 && c->reply_sport == k->dport))
		return false;
	memset(out, 0, sizeof(*out));
	out->key.kind = FLOW_IPVS;
	out->key.addr_len = out->ipvs.dest_len = k->addr_len;
	out->key.l4proto = k->l4proto;
	out->key.src = k->src;
	out->key.dst = k->dst;
	out->key.sport = k->sport;
	out->key.dport = k->dport;
	out->ipvs.dest = c->reply_src;
	out->ipvs.dport = c->reply_sport;
	ipvs_flow_set_state(out, state); /* the method is masquerading: no bits */
	return true;
}

void ipvs_ct_hint_open(struct ipvs_ct_hint *h, size_t rcvbuf_bytes)
{
	memset(h, 0, sizeof(*h));
	if (ct_socket_open(&h->events, NETLINK_NETFILTER))
		h->events.fd = -1;
	else
		(void)ct_socket_set_rcvbuf(&h->events, rcvbuf_bytes);
}

void ipvs_ct_hint_close(struct ipvs_ct_hint *h)
{
	if (h->events.fd >= 0)
		ct_socket_close(&h->events);
	h->events.fd = -1;
}

static bool has_conntrack(void)
{
	int fd = open("/proc/sys/net/ipv4/vs/conntrack", O_RDONLY | O_CLOEXEC);
	char value = '0';
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, &value, 1);
	close(fd);
	return n == 1 && value != '0';
}

void ipvs_ct_hint_listen(struct ipvs_ct_hint *h, bool on)
{
	bool wanted = on && h->events.fd >= 0 && has_conntrack();

	if (wanted == h->listening)
		return;
	h->listening = wanted;
	(void)ct_socket_group(&h->events, NFNLGRP_CONNTRACK_NEW, wanted);
	(void)ct_socket_group(&h->events, NFNLGRP_CONNTRACK_UPDATE, wanted);
}

static void take_message(const struct nlmsghdr *nlh, ipvs_ct_hint_fn *fn, void *ctx)
{
	static const uint8_t no_labels[FLOW_LABELS_MAX];
	struct ct_record r;
	struct flow f;

	if (NFNL_SUBSYS_ID(nlh->nlmsg_type) == NFNL_SUBSYS_CTNETLINK &&
	    ct_message_parse(nlh, no_labels, &r) == 0 && ipvs_ct_hint_take(&r, &f))
		fn(ctx, &f);
}

unsigned ipvs_ct_hint_poll(struct ipvs_ct_hint *h, unsigned budget, ipvs_ct_hint_fn *fn, void *ctx)
{
	uint8_t part[PART_BYTES] __attribute__((aligned(8)));
	unsigned done = 0;

	while (h->events.fd >= 0 && done < budget) {
		ssize_t n = recv(h->events.fd, part, sizeof(part), MSG_DONTWAIT);
		const struct nlmsghdr *nlh = (const void *)part;
		int left = (int)n;

		if (n < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (n < 0)
			break;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left), done++)
			take_message(nlh, fn, ctx);
	}
	return done;
}
