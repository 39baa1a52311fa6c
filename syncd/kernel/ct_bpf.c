// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See ct_bpf.h. An event begins with CTA_TUPLE_ORIG, in it CTA_TUPLE_IP, then CTA_TUPLE_PROTO
 * (ctnetlink_conntrack_event): fixed places, each checked before it is relied upon. Netlink is in
 * host byte order while BPF loads are big-endian, hence the swapped constants.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>

#include <linux/filter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "syncd/kernel/ct_bpf.h"

enum { PROTOCOLS_MAX = 8 };

/* Offsets from the netlink header. */
enum {
	AT_PORTID = 12,
	AT_FAMILY = NLMSG_HDRLEN,
	AT_ORIG = NLMSG_HDRLEN + sizeof(struct nfgenmsg),
	AT_IP = AT_ORIG + NLA_HDRLEN,
	AT_SRC = AT_IP + NLA_HDRLEN,
	AT_TYPE = 2, /* of struct nlattr */
};

/* Where a jump goes. Places are filled in when they are reached: jumps only lead forward. */
enum label { NEXT, ACCEPT, DROP, TCP, STATUS, UNRIPE, IPV6, LABELS };

struct program {
	struct sock_filter *out;
	size_t len;
	uint8_t yes[CT_BPF_MAX], no[CT_BPF_MAX]; /* enum label of each instruction */
	size_t place[LABELS];
};

static void emit(struct program *p, uint16_t code, uint32_t k, enum label yes, enum label no)
{
	assert(p->len < CT_BPF_MAX);
	p->yes[p->len] = (uint8_t)yes;
	p->no[p->len] = (uint8_t)no;
	p->out[p->len++] = (struct sock_filter)BPF_STMT(code, k);
}

static void load(struct program *p, unsigned size, uint32_t at)
{
	emit(p, (uint16_t)(BPF_LD | size | BPF_ABS), at, NEXT, NEXT);
}

static void jump_if(struct program *p, unsigned test, uint32_t k, enum label yes, enum label no)
{
	emit(p, (uint16_t)(BPF_JMP | test | BPF_K), k, yes, no);
}

static void place(struct program *p, enum label l)
{
	p->place[l] = p->len;
}

static uint8_t distance(const struct program *p, size_t from, uint8_t label)
{
	size_t to = label == NEXT ? from + 1 : p->place[label];

	assert(to > from && to - from - 1 <= UINT8_MAX);
	return (uint8_t)(to - from - 1);
}

static size_t finish(struct program *p)
{
	place(p, ACCEPT);
	emit(p, BPF_RET | BPF_K, UINT32_MAX, NEXT, NEXT);
	place(p, DROP);
	emit(p, BPF_RET | BPF_K, 0, NEXT, NEXT);
	for (size_t i = 0; i < p->len; i++) {
		if (BPF_CLASS(p->out[i].code) != BPF_JMP)
			continue;
		if (BPF_OP(p->out[i].code) == BPF_JA) {
			p->out[i].k = distance(p, i, p->yes[i]);
			continue;
		}
		p->out[i].jt = distance(p, i, p->yes[i]);
		p->out[i].jf = distance(p, i, p->no[i]);
	}
	return p->len;
}

/* Lets the message through unless the attribute at `at` has that type. */
static void expect_attr(struct program *p, uint32_t at, unsigned type)
{
	load(p, BPF_H, at + AT_TYPE);
	jump_if(p, BPF_JEQ, htons((uint16_t)type), NEXT, ACCEPT);
}

/* The offset of an attribute of the message (0: it has none) into A; nested: of the one at A. */
static void find_attr(struct program *p, unsigned type, bool nested)
{
	if (!nested)
		emit(p, BPF_LD | BPF_IMM, AT_ORIG, NEXT, NEXT);
	emit(p, BPF_LDX | BPF_IMM, type, NEXT, NEXT);
	load(p, BPF_W, (uint32_t)(SKF_AD_OFF + (nested ? SKF_AD_NLATTR_NEST : SKF_AD_NLATTR)));
}

/* Goes by the protocol of a tuple whose addresses have addr_len bytes. */
static void check_protocol(struct program *p, const struct ct_config *c, unsigned addr_len)
{
	uint32_t at_proto = AT_SRC + 2 * (NLA_HDRLEN + addr_len);
	uint32_t at_num = at_proto + NLA_HDRLEN;

	expect_attr(p, at_proto, CTA_TUPLE_PROTO | NLA_F_NESTED);
	expect_attr(p, at_num, CTA_PROTO_NUM);
	load(p, BPF_B, at_num + NLA_HDRLEN);
	for (unsigned l4proto = 0; l4proto < 256; l4proto++) {
		enum label then = l4proto == IPPROTO_TCP && c->tcp_from != CT_FROM_NEW	 ? TCP
				  : l4proto == IPPROTO_UDP && c->udp_from != CT_FROM_NEW ? STATUS
											 : ACCEPT;

		if (ct_config_has_protocol(c, (uint8_t)l4proto))
			jump_if(p, BPF_JEQ, l4proto, then, NEXT);
	}
	emit(p, BPF_JMP | BPF_JA, 0, DROP, DROP);
}

static void check_tcp(struct program *p, enum ct_from from)
{
	place(p, TCP);
	find_attr(p, CTA_PROTOINFO, false);
	jump_if(p, BPF_JEQ, 0, ACCEPT, NEXT);
	find_attr(p, CTA_PROTOINFO_TCP, true);
	jump_if(p, BPF_JEQ, 0, ACCEPT, NEXT);
	find_attr(p, CTA_PROTOINFO_TCP_STATE, true);
	jump_if(p, BPF_JEQ, 0, ACCEPT, NEXT);
	emit(p, BPF_MISC | BPF_TAX, 0, NEXT, NEXT);
	emit(p, BPF_LD | BPF_B | BPF_IND, NLA_HDRLEN, NEXT, NEXT);
	if (from == CT_FROM_ESTABLISHED) {
		jump_if(p, BPF_JEQ, TCP_CONNTRACK_SYN_RECV, UNRIPE, NEXT);
		jump_if(p, BPF_JEQ, TCP_CONNTRACK_SYN_SENT2, UNRIPE, NEXT);
	}
	jump_if(p, BPF_JEQ, TCP_CONNTRACK_SYN_SENT, UNRIPE, ACCEPT);
}

static void check_status(struct program *p, enum ct_from from)
{
	uint32_t bit = from == CT_FROM_ESTABLISHED ? IPS_ASSURED : IPS_SEEN_REPLY;

	place(p, STATUS);
	find_attr(p, CTA_STATUS, false);
	jump_if(p, BPF_JEQ, 0, ACCEPT, NEXT);
	emit(p, BPF_MISC | BPF_TAX, 0, NEXT, NEXT);
	emit(p, BPF_LD | BPF_W | BPF_IND, NLA_HDRLEN, NEXT, NEXT);
	jump_if(p, BPF_JSET, bit, ACCEPT, UNRIPE);
}

/* Not ripe: dropped unless it carries what later events will not repeat. */
static void check_keepsakes(struct program *p)
{
	static const unsigned keep[] = {CTA_HELP, CTA_LABELS, CTA_TUPLE_MASTER, CTA_SEQ_ADJ_ORIG,
					CTA_SYNPROXY};

	place(p, UNRIPE);
	for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++) {
		find_attr(p, keep[i], false);
		jump_if(p, BPF_JEQ, 0, NEXT, ACCEPT);
	}
	emit(p, BPF_JMP | BPF_JA, 0, DROP, DROP);
}

static void check_addresses(struct program *p, const struct ct_config *c)
{
	const uint32_t src = AT_SRC + NLA_HDRLEN;

	load(p, BPF_B, AT_FAMILY);
	jump_if(p, BPF_JEQ, AF_INET, NEXT, IPV6);
	load(p, BPF_B, src);
	jump_if(p, BPF_JEQ, 127, DROP, NEXT);
	load(p, BPF_B, src + 4 + NLA_HDRLEN);
	jump_if(p, BPF_JEQ, 127, DROP, NEXT);
	jump_if(p, BPF_JGE, 224, DROP, NEXT);
	check_protocol(p, c, 4);
	place(p, IPV6);
	load(p, BPF_B, src + 16 + NLA_HDRLEN);
	jump_if(p, BPF_JEQ, 0xff, DROP, NEXT);
	check_protocol(p, c, 16);
}

size_t ct_bpf_build(const struct ct_config *c, uint32_t own_portid, struct sock_filter *out)
{
	struct program p = {.out = out};
	unsigned protocols = 0;

	for (int i = 0; i < 4; i++)
		protocols += (unsigned)__builtin_popcountll(c->protocols[i]);
	if (own_portid) {
		load(&p, BPF_W, AT_PORTID);
		jump_if(&p, BPF_JEQ, htonl(own_portid), DROP, NEXT);
	}
	if (protocols <= PROTOCOLS_MAX) {
		expect_attr(&p, AT_ORIG, CTA_TUPLE_ORIG | NLA_F_NESTED);
		expect_attr(&p, AT_IP, CTA_TUPLE_IP | NLA_F_NESTED);
		check_addresses(&p, c);
		check_tcp(&p, c->tcp_from);
		check_status(&p, c->udp_from);
		check_keepsakes(&p);
	}
	return finish(&p);
}
