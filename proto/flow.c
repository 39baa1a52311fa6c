/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparing, mirroring and merging decoded flows. Knows neither bytes nor kernels. */
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "proto/flow.h"
#include "proto/flow_rules.h"

static bool addr_equal(const struct flow_addr *a, const struct flow_addr *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
	return a->kind == b->kind && a->addr_len == b->addr_len && a->l4proto == b->l4proto &&
	       a->zone_dir == b->zone_dir && a->zone == b->zone && a->sport == b->sport &&
	       a->dport == b->dport && a->fwmark == b->fwmark && addr_equal(&a->src, &b->src) &&
	       addr_equal(&a->dst, &b->dst) && a->pe_data_len == b->pe_data_len &&
	       (!a->pe_data_len || !memcmp(a->pe_data, b->pe_data, a->pe_data_len));
}

static bool seqadj_equal(const struct flow_seqadj *a, const struct flow_seqadj *b)
{
	return a->correction_pos == b->correction_pos && a->offset_before == b->offset_before &&
	       a->offset_after == b->offset_after;
}

static bool protocol_state_equal(const struct flow_conntrack *a, const struct flow_conntrack *b)
{
	return a->state == b->state && !memcmp(a->tcp_flags, b->tcp_flags, 2) &&
	       !memcmp(a->tcp_scale, b->tcp_scale, 2) && a->vtag[0] == b->vtag[0] &&
	       a->vtag[1] == b->vtag[1] && a->dccp_role == b->dccp_role &&
	       a->dccp_handshake_seq == b->dccp_handshake_seq;
}

static bool conntrack_equal(const struct flow_conntrack *a, const struct flow_conntrack *b)
{
	return addr_equal(&a->reply_src, &b->reply_src) &&
	       addr_equal(&a->reply_dst, &b->reply_dst) && a->reply_sport == b->reply_sport &&
	       a->reply_dport == b->reply_dport && a->status == b->status &&
	       protocol_state_equal(a, b) && a->mark == b->mark &&
	       !memcmp(a->labels, b->labels, sizeof(a->labels)) &&
	       seqadj_equal(&a->seqadj[FLOW_ORIG], &b->seqadj[FLOW_ORIG]) &&
	       seqadj_equal(&a->seqadj[FLOW_REPLY], &b->seqadj[FLOW_REPLY]) &&
	       a->synproxy_isn == b->synproxy_isn && a->synproxy_its == b->synproxy_its &&
	       a->synproxy_tsoff == b->synproxy_tsoff &&
	       !strncmp(a->helper, b->helper, sizeof(a->helper)) &&
	       a->has_master == b->has_master &&
	       (!a->has_master || flow_key_equal(&a->master, &b->master));
}

static bool ipvs_seq_equal(const struct flow_ipvs_seq *a, const struct flow_ipvs_seq *b)
{
	return a->init_seq == b->init_seq && a->delta == b->delta &&
	       a->previous_delta == b->previous_delta;
}

static bool ipvs_equal(const struct flow_ipvs *a, const struct flow_ipvs *b)
{
	return a->dest_len == b->dest_len && addr_equal(&a->dest, &b->dest) &&
	       a->dport == b->dport && a->state == b->state && a->flags == b->flags &&
	       a->fwmark == b->fwmark && ipvs_seq_equal(&a->in_seq, &b->in_seq) &&
	       ipvs_seq_equal(&a->out_seq, &b->out_seq) &&
	       !strncmp(a->pe_name, b->pe_name, sizeof(a->pe_name)) &&
	       a->timeout_s == b->timeout_s && a->has_control == b->has_control &&
	       (!a->has_control || flow_key_equal(&a->control, &b->control));
}

bool flow_equal(const struct flow *a, const struct flow *b)
{
	if (!flow_key_equal(&a->key, &b->key))
		return false;
	return a->key.kind == FLOW_IPVS ? ipvs_equal(&a->ipvs, &b->ipvs)
					: conntrack_equal(&a->ct, &b->ct);
}

/*
 * The type that answers an ICMP query, as invmap of net/netfilter/nf_conntrack_proto_icmp.c and
 * nf_conntrack_proto_icmpv6.c; a type without an answer is its own.
 */
static uint8_t icmp_answer(uint8_t l4proto, uint8_t type)
{
	static const uint8_t pairs4[][2] = {{8, 0}, {13, 14}, {15, 16}, {17, 18}};
	static const uint8_t pairs6[][2] = {{128, 129}, {139, 140}};
	const uint8_t(*pairs)[2] = l4proto == IPPROTO_ICMPV6 ? pairs6 : pairs4;
	size_t n = l4proto == IPPROTO_ICMPV6 ? 2 : 4;

	for (size_t i = 0; i < n; i++) {
		if (pairs[i][0] == type)
			return pairs[i][1];
		if (pairs[i][1] == type)
			return pairs[i][0];
	}
	return type;
}

uint16_t flow_key_mirrored_sport(const struct flow_key *k)
{
	if (k->l4proto != IPPROTO_ICMP && k->l4proto != IPPROTO_ICMPV6)
		return k->dport;
	return (uint16_t)(icmp_answer(k->l4proto, (uint8_t)(k->dport >> 8)) << 8 |
			  (k->dport & 0xff));
}

void flow_mirror_reply(struct flow *f)
{
	assert(f->key.kind == FLOW_CONNTRACK);
	f->ct.reply_src = f->key.dst;
	f->ct.reply_dst = f->key.src;
	f->ct.reply_sport = flow_key_mirrored_sport(&f->key);
	f->ct.reply_dport = f->key.sport;
}

static void merge_state(struct flow_conntrack *kept, const struct flow_conntrack *update)
{
	kept->state = update->state;
	memcpy(kept->tcp_flags, update->tcp_flags, sizeof(kept->tcp_flags));
	memcpy(kept->tcp_scale, update->tcp_scale, sizeof(kept->tcp_scale));
	memcpy(kept->vtag, update->vtag, sizeof(kept->vtag));
	kept->dccp_role = update->dccp_role;
	kept->dccp_handshake_seq = update->dccp_handshake_seq;
}

static void merge_reply(struct flow_conntrack *kept, const struct flow_conntrack *update)
{
	kept->reply_src = update->reply_src;
	kept->reply_dst = update->reply_dst;
	kept->reply_sport = update->reply_sport;
	kept->reply_dport = update->reply_dport;
}

void flow_merge(struct flow *kept, const struct flow *update, unsigned parts)
{
	struct flow_conntrack *k = &kept->ct;
	const struct flow_conntrack *u = &update->ct;

	assert(kept->key.kind == FLOW_CONNTRACK && update->key.kind == FLOW_CONNTRACK);
	if (parts & FLOW_PART_STATUS)
		k->status = u->status;
	if (parts & FLOW_PART_STATE)
		merge_state(k, u);
	if (parts & FLOW_PART_MARK)
		k->mark = u->mark;
	if (parts & FLOW_PART_LABELS)
		memcpy(k->labels, u->labels, sizeof(k->labels));
	if (parts & FLOW_PART_SEQADJ)
		memcpy(k->seqadj, u->seqadj, sizeof(k->seqadj));
	if (parts & FLOW_PART_SYNPROXY) {
		k->synproxy_isn = u->synproxy_isn;
		k->synproxy_its = u->synproxy_its;
		k->synproxy_tsoff = u->synproxy_tsoff;
	}
	if (parts & FLOW_PART_HELPER)
		memcpy(k->helper, u->helper, sizeof(k->helper));
	if (parts & FLOW_PART_MASTER) {
		k->has_master = u->has_master;
		k->master = u->master;
	}
	if (parts & FLOW_PART_REPLY)
		merge_reply(k, u);
}
