/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/random_flow.h"

#ifndef IPPROTO_DCCP
#define IPPROTO_DCCP 33
#endif

/* Persistence data is borrowed by a key: slices of this. */
static const uint8_t call_ids[] =
	"f81d4fae-7dec-11d0-a765-00a0c91e6bf6@foo.bar.example.com;3848276298220188511@atlanta."
	"example.com;a84b4c76e66710@pc33.atlanta.example.com;(local)%7e<!--\x00\x01\xff-->!*_+`'~/"
	"843817637684230@998sdasdh09;1j9FpLxk3uxtm8tn@biloxi.example.com;another-long-one-"
	"0123456789"
	"012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
	"0";
enum { CALL_IDS_LEN = sizeof(call_ids) - 1 };

static void random_addr(struct rng *r, uint8_t len, struct flow_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (len == 16 && rng_one_in(r, 4)) /* runs of zeroes, as people number */
		rng_fill(r, out->b, 4), out->b[15] = 1;
	else
		rng_fill(r, out->b, len);
}

static void random_key_ports(struct rng *r, struct flow_key *k)
{
	k->sport = (uint16_t)rng_next(r);
	k->dport = (uint16_t)(rng_one_in(r, 2) ? 80 : rng_next(r));
	if (k->l4proto == IPPROTO_ICMP)
		k->dport = 8 << 8;
	else if (k->l4proto == IPPROTO_ICMPV6)
		k->dport = 128 << 8;
	else if (k->l4proto == IPPROTO_GRE)
		k->sport = k->dport = 0;
}

static uint8_t random_family(struct rng *r)
{
	return rng_one_in(r, 3) ? 16 : 4;
}

static void random_conntrack_key(struct rng *r, struct flow_key *k)
{
	static const uint8_t protos[] = {IPPROTO_TCP,  IPPROTO_TCP,  IPPROTO_UDP, IPPROTO_SCTP,
					 IPPROTO_DCCP, IPPROTO_ICMP, IPPROTO_GRE};

	memset(k, 0, sizeof(*k));
	k->kind = FLOW_CONNTRACK;
	k->addr_len = random_family(r);
	k->l4proto = protos[rng_below(r, sizeof(protos))];
	if (k->l4proto == IPPROTO_ICMP && k->addr_len == 16)
		k->l4proto = IPPROTO_ICMPV6;
	if (rng_one_in(r, 4)) {
		k->zone = (uint16_t)rng_next(r);
		k->zone_dir = (uint8_t)rng_below(r, 3);
	}
	random_addr(r, k->addr_len, &k->src);
	random_addr(r, k->addr_len, &k->dst);
	random_key_ports(r, k);
}

static void random_nat(struct rng *r, struct flow *f)
{
	struct flow_conntrack *ct = &f->ct;

	if (rng_one_in(r, 2)) {
		random_addr(r, f->key.addr_len, &ct->reply_src);
		if (f->key.l4proto != IPPROTO_ICMP && f->key.l4proto != IPPROTO_ICMPV6)
			ct->reply_sport = (uint16_t)rng_next(r);
		ct->status |= 0x20; /* IPS_DST_NAT */
	}
	if (rng_one_in(r, 3)) {
		random_addr(r, f->key.addr_len, &ct->reply_dst);
		ct->reply_dport = (uint16_t)rng_next(r);
		ct->status |= 0x10; /* IPS_SRC_NAT */
	}
}

static void random_protocol_state(struct rng *r, const struct flow_key *k,
				  struct flow_conntrack *ct)
{
	switch (k->l4proto) {
	case IPPROTO_TCP:
		ct->state = (uint8_t)(1 + rng_below(r, 8));
		for (int d = 0; d < 2; d++) {
			ct->tcp_flags[d] = (uint8_t)rng_below(r, FLOW_TCP_FLAGS_MASK + 1);
			ct->tcp_scale[d] = (uint8_t)rng_below(r, 15);
		}
		break;
	case IPPROTO_SCTP:
		ct->state = (uint8_t)(1 + rng_below(r, 7));
		ct->vtag[FLOW_ORIG] = (uint32_t)rng_next(r);
		ct->vtag[FLOW_REPLY] = (uint32_t)rng_next(r);
		break;
	case IPPROTO_DCCP:
		ct->state = (uint8_t)(1 + rng_below(r, 7));
		ct->dccp_role = (uint8_t)(1 + rng_below(r, 2));
		ct->dccp_handshake_seq = rng_next(r) >> 16;
		break;
	}
}

static void random_seqadj(struct rng *r, struct flow_seqadj *s)
{
	s->correction_pos = (uint32_t)rng_next(r);
	s->offset_before = (int32_t)(rng_next(r) >> (32 + rng_below(r, 32)));
	s->offset_after = -(int32_t)rng_below(r, 2000);
}

static void random_extras(struct rng *r, struct flow_conntrack *ct)
{
	static const char *const helpers[] = {"ftp", "sip-5060", "fifteen-letters"};

	if (rng_one_in(r, 4))
		ct->mark = (uint32_t)rng_next(r) >> rng_below(r, 32);
	if (rng_one_in(r, 6))
		rng_fill(r, ct->labels, rng_below(r, FLOW_LABELS_MAX + 1));
	if (rng_one_in(r, 8)) {
		random_seqadj(r, &ct->seqadj[FLOW_ORIG]);
		random_seqadj(r, &ct->seqadj[FLOW_REPLY]);
	}
	if (rng_one_in(r, 8)) {
		ct->synproxy_isn = (uint32_t)rng_next(r);
		ct->synproxy_its = (uint32_t)rng_next(r);
		ct->synproxy_tsoff = (uint32_t)rng_next(r);
	}
	if (rng_one_in(r, 8))
		(void)snprintf(ct->helper, sizeof(ct->helper), "%s", helpers[rng_below(r, 3)]);
	ct->has_master = rng_one_in(r, 8);
	if (ct->has_master)
		random_conntrack_key(r, &ct->master);
}

void random_flow_conntrack(struct rng *r, struct flow *out)
{
	memset(out, 0, sizeof(*out));
	random_conntrack_key(r, &out->key);
	flow_mirror_reply(out);
	out->ct.status = (uint32_t)(rng_next(r) & 0x47); /* all but NAT, which follows the tuples */
	random_nat(r, out);
	random_protocol_state(r, &out->key, &out->ct);
	random_extras(r, &out->ct);
}

static void random_ipvs_key(struct rng *r, bool template, struct flow_key *k)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

	memset(k, 0, sizeof(*k));
	k->kind = FLOW_IPVS;
	k->addr_len = random_family(r);
	k->l4proto = template ? IPPROTO_IP : protos[rng_below(r, sizeof(protos))];
	random_addr(r, k->addr_len, &k->src);
	random_addr(r, k->addr_len, &k->dst);
	k->sport = template ? 0 : (uint16_t)rng_next(r);
	k->dport = (uint16_t)rng_next(r);
	if (template && rng_one_in(r, 3))
		k->fwmark = (uint32_t)rng_next(r);
	if (template && rng_one_in(r, 3)) {
		k->pe_data_len = (uint8_t)(1 + rng_below(r, FLOW_PE_DATA_MAX));
		k->pe_data = call_ids + rng_below(r, CALL_IDS_LEN - k->pe_data_len + 1u);
	}
}

static void random_ipvs_seq(struct rng *r, struct flow_ipvs_seq *s)
{
	s->init_seq = (uint32_t)rng_next(r);
	s->delta = (int32_t)rng_below(r, 4000) - 2000;
	s->previous_delta = (int32_t)rng_next(r);
}

static uint32_t random_ipvs_flags(struct rng *r, bool template)
{
	uint32_t flags = (uint32_t)rng_next(r) & FLOW_IPVS_FLAGS_MASK & ~0x1007u;

	flags |= (uint32_t)rng_below(r, 5);	  /* IP_VS_CONN_F_FWD_MASK: five methods */
	return template ? flags | 0x1000 : flags; /* IP_VS_CONN_F_TEMPLATE */
}

void random_flow_ipvs(struct rng *r, struct flow *out)
{
	bool template = rng_one_in(r, 3);
	struct flow_ipvs *v = &out->ipvs;

	memset(out, 0, sizeof(*out));
	random_ipvs_key(r, template, &out->key);
	v->dest_len = rng_one_in(r, 6) ? random_family(r) : out->key.addr_len;
	random_addr(r, v->dest_len, &v->dest);
	v->dport = (uint16_t)rng_next(r);
	v->state = (uint16_t)rng_below(r, template ? 2 : 14);
	v->flags = random_ipvs_flags(r, template);
	if (rng_one_in(r, 4))
		v->fwmark = (uint32_t)rng_next(r);
	if (rng_one_in(r, 6)) {
		random_ipvs_seq(r, &v->in_seq);
		random_ipvs_seq(r, &v->out_seq);
	}
	if (out->key.pe_data_len)
		memcpy(v->pe_name, "sip", 4);
	if (template)
		v->timeout_s = (uint32_t)rng_below(r, 86400);
	v->has_control = !template && rng_one_in(r, 4);
	if (v->has_control)
		random_ipvs_key(r, true, &v->control);
}

void random_flow(struct rng *r, struct flow *out)
{
	if (rng_one_in(r, 3))
		random_flow_ipvs(r, out);
	else
		random_flow_conntrack(r, out);
}

void numbered_flow(uint32_t i, struct flow *out)
{
	static const uint8_t vip[4] = {203, 0, 113, 10};

	memset(out, 0, sizeof(*out));
	out->key.kind = FLOW_CONNTRACK;
	out->key.addr_len = 4;
	out->key.l4proto = IPPROTO_TCP;
	out->key.src.b[0] = 10;
	out->key.src.b[1] = (uint8_t)(i >> 23);
	out->key.src.b[2] = (uint8_t)(i >> 15);
	out->key.sport = (uint16_t)(1024 + (i & 0x7fff));
	memcpy(out->key.dst.b, vip, sizeof(vip));
	out->key.dport = 80;
	flow_mirror_reply(out);
	memcpy(out->ct.reply_src.b, (const uint8_t[4]){10, 2, 0, (uint8_t)(11 + i % 3)}, 4);
	out->ct.reply_sport = 8080;
	out->ct.status = 0x26; /* SEEN_REPLY, ASSURED, DST_NAT */
	out->ct.state = 3;     /* TCP_CONNTRACK_ESTABLISHED */
	out->ct.tcp_flags[FLOW_ORIG] = out->ct.tcp_flags[FLOW_REPLY] = 3;
	out->ct.tcp_scale[FLOW_ORIG] = out->ct.tcp_scale[FLOW_REPLY] = 7;
}
