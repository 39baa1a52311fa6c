// SPDX-License-Identifier: GPL-2.0-or-later
/* See ct_probe.h. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "syncd/kernel/ct_attr.h"
#include "syncd/kernel/ct_probe.h"
#include "syncd/kernel/ct_socket.h"
#include "syncd/kernel/ct_timeouts.h"

enum { ASK_TIMEOUT_MS = 2000 };

struct request {
	struct nlmsghdr nlh;
	struct nfgenmsg gen;
};

static struct request request_of(unsigned subsys, unsigned type, unsigned flags)
{
	return (struct request){
		.nlh = {.nlmsg_len = sizeof(struct request),
			.nlmsg_type = (uint16_t)(subsys << 8 | type),
			.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
			.nlmsg_seq = 1},
		.gen = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0},
	};
}

static int ask(const struct request *r, ct_answer_fn *fn, void *ctx)
{
	struct ct_socket s = {.fd = -1};
	int err = ct_socket_open(&s, NETLINK_NETFILTER);

	if (err == 0)
		err = ct_socket_ask(&s, r, r->nlh.nlmsg_len, ASK_TIMEOUT_MS, fn, ctx);
	ct_socket_close(&s);
	return err;
}

static int probe_ctnetlink(char *why)
{
	struct request r = request_of(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK);
	int err = ask(&r, NULL, NULL);

	switch (err) {
	case 0:
		return 0;
	case -EPERM:
		snprintf(why, CT_PROBE_TEXT_MAX,
			 "not allowed to use ctnetlink: CAP_NET_ADMIN is missing (start as root)");
		return err;
	case -EPROTONOSUPPORT:
		snprintf(why, CT_PROBE_TEXT_MAX,
			 "this kernel has no netfilter netlink (CONFIG_NETFILTER_NETLINK)");
		return err;
	case -EINVAL:
	case -EOPNOTSUPP:
		snprintf(why, CT_PROBE_TEXT_MAX,
			 "this kernel has no ctnetlink (CONFIG_NF_CT_NETLINK); if it is a module: "
			 "modprobe nf_conntrack_netlink");
		return -EPROTONOSUPPORT;
	default:
		snprintf(why, CT_PROBE_TEXT_MAX, "asking ctnetlink: %s", strerror(-err));
		return err;
	}
}

static void ensure_events(struct ct_probe *p)
{
	p->events_before = ct_sysctl_read("nf_conntrack_events");
	if (p->events_before < 0)
		p->events_err = (int)p->events_before;
	else if (p->events_before != 1)
		p->events_err = ct_sysctl_write("nf_conntrack_events", 1);
}

int ct_probe_run(struct ct_probe *out)
{
	int err;

	memset(out, 0, sizeof(*out));
	err = probe_ctnetlink(out->why);
	if (err)
		return err;
	ensure_events(out);
	out->sctp = ct_sysctl_read("nf_conntrack_sctp_timeout_established") > 0;
	out->dccp = ct_sysctl_read("nf_conntrack_dccp_timeout_open") > 0;
	return 0;
}

struct families {
	bool ipv4, ipv6;
};

static int on_chain(void *ctx, const struct nlmsghdr *nlh)
{
	const size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
	struct families *found = ctx;
	struct nfgenmsg gen;
	struct ct_attrs row;
	struct ct_attr a;

	if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN) ||
	    nlh->nlmsg_len < head)
		return 0;
	memcpy(&gen, (const uint8_t *)nlh + NLMSG_HDRLEN, sizeof(gen));
	row = (struct ct_attrs){(const uint8_t *)nlh + head, nlh->nlmsg_len - head};
	while (ct_attr_next(&row, &a)) {
		if (a.type != NFTA_CHAIN_TYPE || a.len < 4 || memcmp(a.data, "nat", 4) != 0)
			continue;
		found->ipv4 |= gen.nfgen_family == NFPROTO_IPV4 || gen.nfgen_family == NFPROTO_INET;
		found->ipv6 |= gen.nfgen_family == NFPROTO_IPV6 || gen.nfgen_family == NFPROTO_INET;
	}
	return 0;
}

/* Tables of iptables that this namespace has, a name a line. */
static bool has_iptables_nat(const char *path)
{
	FILE *in = fopen(path, "re");
	char line[64];
	bool found = false;

	while (in && fgets(line, sizeof(line), in))
		found |= strcmp(line, "nat\n") == 0;
	if (in)
		fclose(in);
	return found;
}

int ct_probe_nat(bool *ipv4, bool *ipv6)
{
	struct families found = {
		.ipv4 = has_iptables_nat("/proc/thread-self/net/ip_tables_names"),
		.ipv6 = has_iptables_nat("/proc/thread-self/net/ip6_tables_names"),
	};
	struct request r = request_of(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETCHAIN, NLM_F_DUMP);
	int err = ask(&r, on_chain, &found);

	/* No nftables in this kernel: iptables alone tells. */
	if (err && err != -EINVAL && err != -EOPNOTSUPP)
		return err;
	*ipv4 = found.ipv4;
	*ipv6 = found.ipv6;
	return 0;
}

int ct_probe_table(uint64_t *count, uint64_t *max)
{
	long n = ct_sysctl_read("nf_conntrack_count");
	long limit = ct_sysctl_read("nf_conntrack_max");

	if (n < 0 || limit < 0)
		return (int)(n < 0 ? n : limit);
	*count = (uint64_t)n;
	*max = (uint64_t)limit;
	return 0;
}

static int on_entry(void *ctx, const struct nlmsghdr *nlh)
{
	bool *tracked = ctx;

	*tracked |= nlh->nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW);
	return 0;
}

/* Bits of CTA_FILTER_ORIG_FLAGS; nf_internals.h of the kernel has them, no header of its UAPI. */
enum { FILTER_PROTO_NUM = 1 << 3, FILTER_PROTO_DST_PORT = 1 << 5 };

static void put_udp_filter(struct ct_writer *w, uint16_t port)
{
	uint8_t *tuple = ct_nest_begin(w, CTA_TUPLE_ORIG);
	uint8_t *proto = ct_nest_begin(w, CTA_TUPLE_PROTO);
	const uint32_t flags = FILTER_PROTO_NUM | FILTER_PROTO_DST_PORT; /* in host order */
	uint8_t *filter;

	ct_put_u8(w, CTA_PROTO_NUM, IPPROTO_UDP);
	ct_put_be16(w, CTA_PROTO_DST_PORT, port);
	ct_nest_end(w, proto);
	ct_nest_end(w, tuple);
	filter = ct_nest_begin(w, CTA_FILTER);
	ct_put(w, CTA_FILTER_ORIG_FLAGS, &flags, sizeof(flags));
	ct_nest_end(w, filter);
}

int ct_probe_udp(int family, uint16_t port, bool *tracked)
{
	struct {
		struct request head;
		uint8_t attrs[64];
	} ask_for = {.head = request_of(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, NLM_F_DUMP)};
	struct ct_writer w = {ask_for.attrs};
	bool found = false;
	int err;

	put_udp_filter(&w, port);
	ask_for.head.gen.nfgen_family = (uint8_t)family;
	ask_for.head.nlh.nlmsg_len = (uint32_t)(w.at - (uint8_t *)&ask_for);
	err = ask(&ask_for.head, on_entry, &found);
	/* A table that is resized meanwhile: what was found is there all the same. */
	if (err && !(err == -EINTR && found))
		return err;
	*tracked = found;
	return 0;
}
