/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See ct_bpf.h. An event begins with CTA_TUPLE_ORIG, in it CTA_TUPLE_IP, then CTA_TUPLE_PROTO
 * (ctnetlink_conntrack_event): fixed places, each checked before it is relied upon. Netlink is in
 * host byte order while BPF loads are big-endian, hence the swapped constants.
 */
#include <arpa/inet.h>
#include <assert.h>

#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "syncd/kernel/ct_bpf.h"

enum { DROP = 0, PROTOCOLS_MAX = 8 };
#define ACCEPT 0xffffffffu

/* Offsets from the netlink header. */
enum {
	AT_PORTID = 12,
	AT_FAMILY = NLMSG_HDRLEN,
	AT_ORIG = NLMSG_HDRLEN + sizeof(struct nfgenmsg),
	AT_IP = AT_ORIG + NLA_HDRLEN,
	AT_SRC = AT_IP + NLA_HDRLEN,
	AT_TYPE = 2, /* of struct nlattr */
};

struct program {
	struct sock_filter *out;
	size_t len;
};

static void emit(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	assert(p->len < CT_BPF_MAX);
	p->out[p->len++] = (struct sock_filter)BPF_JUMP(code, k, yes, no);
}

static void load(struct program *p, unsigned size, uint32_t at)
{
	emit(p, (uint16_t)(BPF_LD | size | BPF_ABS), at, 0, 0);
}

static void verdict(struct program *p, uint32_t v)
{
	emit(p, BPF_RET | BPF_K, v, 0, 0);
}

/* Lets the message through unless the attribute at `at` has that type. */
static void expect_attr(struct program *p, uint32_t at, unsigned type)
{
	load(p, BPF_H, at + AT_TYPE);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, htons((uint16_t)type), 1, 0);
	verdict(p, ACCEPT);
}

static void drop_byte(struct program *p, uint32_t at, uint32_t value)
{
	load(p, BPF_B, at);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	verdict(p, DROP);
}

/* Ends the program by the protocol of a tuple whose addresses have addr_len bytes. */
static void check_protocol(struct program *p, const struct ct_config *c, unsigned addr_len,
			   unsigned count)
{
	uint32_t at_proto = AT_SRC + 2 * (NLA_HDRLEN + addr_len);
	uint32_t at_num = at_proto + NLA_HDRLEN;

	expect_attr(p, at_proto, CTA_TUPLE_PROTO | NLA_F_NESTED);
	expect_attr(p, at_num, CTA_PROTO_NUM);
	load(p, BPF_B, at_num + NLA_HDRLEN);
	for (unsigned l4proto = 0; l4proto < 256 && count; l4proto++) {
		if (!ct_config_has_protocol(c, (uint8_t)l4proto))
			continue;
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, l4proto, (uint8_t)count, 0);
		count--;
	}
	verdict(p, DROP);
	verdict(p, ACCEPT);
}

size_t ct_bpf_build(const struct ct_config *c, uint32_t own_portid, struct sock_filter *out)
{
	struct program p = {.out = out};
	const uint32_t dst4 = AT_SRC + NLA_HDRLEN + 4 + NLA_HDRLEN;
	const uint32_t dst6 = AT_SRC + NLA_HDRLEN + 16 + NLA_HDRLEN;
	unsigned count = 0;
	size_t skip;

	for (int i = 0; i < 4; i++)
		count += (unsigned)__builtin_popcountll(c->protocols[i]);
	if (own_portid) {
		load(&p, BPF_W, AT_PORTID);
		emit(&p, BPF_JMP | BPF_JEQ | BPF_K, htonl(own_portid), 0, 1);
		verdict(&p, DROP);
	}
	if (count == 0 || count > PROTOCOLS_MAX) {
		verdict(&p, ACCEPT);
		return p.len;
	}
	expect_attr(&p, AT_ORIG, CTA_TUPLE_ORIG | NLA_F_NESTED);
	expect_attr(&p, AT_IP, CTA_TUPLE_IP | NLA_F_NESTED);
	load(&p, BPF_B, AT_FAMILY);
	skip = p.len;
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 0, 0);
	drop_byte(&p, AT_SRC + NLA_HDRLEN, 127);
	drop_byte(&p, dst4, 127);
	load(&p, BPF_B, dst4);
	emit(&p, BPF_JMP | BPF_JGE | BPF_K, 224, 0, 1);
	verdict(&p, DROP);
	check_protocol(&p, c, 4, count);
	out[skip].jf = (uint8_t)(p.len - skip - 1);
	drop_byte(&p, dst6, 0xff);
	check_protocol(&p, c, 16, count);
	return p.len;
}
