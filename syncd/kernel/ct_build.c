// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes ctnetlink messages: the other half of ct_message.h. What the kernel insists on (which
 * attributes it takes at creation only, how NAT must be given) is said where it is obeyed.
 */
#include <netinet/in.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "syncd/kernel/ct_attr.h"
#include "syncd/kernel/ct_message.h"

static const uint8_t no_labels[FLOW_LABELS_MAX];

static struct ct_writer message_begin(const struct ct_batch *b, unsigned type, unsigned flags,
				      const struct flow_key *k)
{
	struct nlmsghdr nlh = {
		.nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type),
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
		.nlmsg_seq = b->seq,
	};
	struct nfgenmsg gen = {
		.nfgen_family = k->addr_len == 16 ? AF_INET6 : AF_INET,
		.version = NFNETLINK_V0,
	};
	uint8_t *at = b->buf + b->len;

	memcpy(at, &nlh, sizeof(nlh));
	memcpy(at + NLMSG_HDRLEN, &gen, sizeof(gen));
	return (struct ct_writer){at + NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(gen))};
}

static void message_end(struct ct_batch *b, const struct ct_writer *w)
{
	uint32_t len = (uint32_t)(w->at - (b->buf + b->len));

	memcpy(b->buf + b->len, &len, sizeof(len));
	b->len += NLMSG_ALIGN(len);
	b->seq++;
}

void ct_message_want_ack(struct ct_batch *b, size_t offset)
{
	struct nlmsghdr nlh;

	memcpy(&nlh, b->buf + offset, sizeof(nlh));
	nlh.nlmsg_flags |= NLM_F_ACK;
	memcpy(b->buf + offset, &nlh, sizeof(nlh));
}

/* One direction, ready to be written. ICMP: id and type << 8 | code in place of ports. */
struct side {
	const struct flow_addr *src, *dst;
	uint16_t sport, dport;
	uint16_t icmp_id, icmp_kind;
	bool zoned;
};

static struct side side_orig(const struct flow_key *k)
{
	return (struct side){&k->src,
			     &k->dst,
			     k->sport,
			     k->dport,
			     k->sport,
			     k->dport,
			     k->zone && k->zone_dir == FLOW_ZONE_ORIG};
}

static struct side side_reply(const struct flow *f)
{
	const struct flow_conntrack *ct = &f->ct;

	return (struct side){&ct->reply_src,
			     &ct->reply_dst,
			     ct->reply_sport,
			     ct->reply_dport,
			     ct->reply_dport,
			     ct->reply_sport,
			     f->key.zone && f->key.zone_dir == FLOW_ZONE_REPLY};
}

/* The reply tuple that the kernel expects before it applies NAT itself. */
static struct side side_mirror(const struct flow *f, struct flow *mirror)
{
	mirror->key = f->key;
	flow_mirror_reply(mirror);
	return side_reply(mirror);
}

static void put_l4(struct ct_writer *w, const struct flow_key *k, const struct side *s)
{
	uint8_t *nest = ct_nest_begin(w, CTA_TUPLE_PROTO);

	ct_put_u8(w, CTA_PROTO_NUM, k->l4proto);
	if (ct_message_has_ports(k->l4proto)) {
		ct_put_be16(w, CTA_PROTO_SRC_PORT, s->sport);
		ct_put_be16(w, CTA_PROTO_DST_PORT, s->dport);
	} else if (k->l4proto == IPPROTO_ICMP) {
		ct_put_be16(w, CTA_PROTO_ICMP_ID, s->icmp_id);
		ct_put_u8(w, CTA_PROTO_ICMP_TYPE, (uint8_t)(s->icmp_kind >> 8));
		ct_put_u8(w, CTA_PROTO_ICMP_CODE, (uint8_t)s->icmp_kind);
	} else if (k->l4proto == IPPROTO_ICMPV6) {
		ct_put_be16(w, CTA_PROTO_ICMPV6_ID, s->icmp_id);
		ct_put_u8(w, CTA_PROTO_ICMPV6_TYPE, (uint8_t)(s->icmp_kind >> 8));
		ct_put_u8(w, CTA_PROTO_ICMPV6_CODE, (uint8_t)s->icmp_kind);
	}
	ct_nest_end(w, nest);
}

static void put_tuple(struct ct_writer *w, unsigned type, const struct flow_key *k,
		      const struct side *s)
{
	bool v6 = k->addr_len == 16;
	uint8_t *nest = ct_nest_begin(w, type);
	uint8_t *ip = ct_nest_begin(w, CTA_TUPLE_IP);

	ct_put(w, v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, s->src->b, v6 ? 16 : 4);
	ct_put(w, v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, s->dst->b, v6 ? 16 : 4);
	ct_nest_end(w, ip);
	put_l4(w, k, s);
	if (s->zoned)
		ct_put_be16(w, CTA_TUPLE_ZONE, k->zone);
	ct_nest_end(w, nest);
}

static void put_zone(struct ct_writer *w, const struct flow_key *k)
{
	if (k->zone && k->zone_dir == FLOW_ZONE_BOTH)
		ct_put_be16(w, CTA_ZONE, k->zone);
}

/*
 * How a message names the flow it speaks of. A zone of the reply direction only is not part of it:
 * the original direction is looked up in the default zone.
 */
static void put_name(struct ct_writer *w, const struct flow_key *k)
{
	struct side s = side_orig(k);

	put_tuple(w, CTA_TUPLE_ORIG, k, &s);
	put_zone(w, k);
}

/* Without a maximum the kernel takes the minimum for it: exactly this address and port. */
static void put_nat(struct ct_writer *w, unsigned type, const struct flow_key *k,
		    const struct flow_addr *to, uint16_t port)
{
	bool v6 = k->addr_len == 16;
	uint8_t *nest = ct_nest_begin(w, type);

	ct_put(w, v6 ? CTA_NAT_V6_MINIP : CTA_NAT_V4_MINIP, to->b, v6 ? 16 : 4);
	if (ct_message_has_ports(k->l4proto) || k->l4proto == IPPROTO_ICMP ||
	    k->l4proto == IPPROTO_ICMPV6) {
		uint8_t *ports = ct_nest_begin(w, CTA_NAT_PROTO);

		ct_put_be16(w, CTA_PROTONAT_PORT_MIN, port);
		ct_nest_end(w, ports);
	}
	ct_nest_end(w, nest);
}

/*
 * Tuples of a flow to be created. Where the kernel is to apply NAT the reply tuple is the mirror,
 * and both translations are given with exact ports, for with one of them only the kernel makes up
 * another port when the reply side is taken. A reply that differs without a NAT bit is that of a
 * connection whose other half IPVS keeps: its reply tuple is given as it is.
 */
static void put_tuples(struct ct_writer *w, const struct flow *f)
{
	const struct flow_key *k = &f->key;
	bool nat = f->ct.status & IPS_NAT_MASK;
	struct side orig = side_orig(k);
	struct flow mirror;
	struct side reply = nat ? side_mirror(f, &mirror) : side_reply(f);
	bool icmp = k->l4proto == IPPROTO_ICMP || k->l4proto == IPPROTO_ICMPV6;

	put_tuple(w, CTA_TUPLE_ORIG, k, &orig);
	put_tuple(w, CTA_TUPLE_REPLY, k, &reply);
	put_zone(w, k);
	if (nat) {
		/* An ICMP id is one for both directions: only the source's translation changes it.
		 */
		put_nat(w, CTA_NAT_DST, k, &f->ct.reply_src, icmp ? k->sport : f->ct.reply_sport);
		put_nat(w, CTA_NAT_SRC, k, &f->ct.reply_dst, f->ct.reply_dport);
	}
}

static void put_tcp_flags(struct ct_writer *w, unsigned type, uint8_t flags, uint8_t mask)
{
	struct nf_ct_tcp_flags v = {.flags = flags | IP_CT_TCP_FLAG_BE_LIBERAL,
				    .mask = mask | IP_CT_TCP_FLAG_BE_LIBERAL};

	ct_put(w, type, &v, sizeof(v));
}

static void put_tcp(struct ct_writer *w, const struct flow_conntrack *ct)
{
	uint8_t *nest = ct_nest_begin(w, CTA_PROTOINFO_TCP);

	ct_put_u8(w, CTA_PROTOINFO_TCP_STATE, ct->state);
	put_tcp_flags(w, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, ct->tcp_flags[FLOW_ORIG],
		      FLOW_TCP_FLAGS_MASK);
	put_tcp_flags(w, CTA_PROTOINFO_TCP_FLAGS_REPLY, ct->tcp_flags[FLOW_REPLY],
		      FLOW_TCP_FLAGS_MASK);
	ct_put_u8(w, CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, ct->tcp_scale[FLOW_ORIG]);
	ct_put_u8(w, CTA_PROTOINFO_TCP_WSCALE_REPLY, ct->tcp_scale[FLOW_REPLY]);
	ct_nest_end(w, nest);
}

static void put_sctp(struct ct_writer *w, const struct flow_conntrack *ct)
{
	uint8_t *nest = ct_nest_begin(w, CTA_PROTOINFO_SCTP);

	ct_put_u8(w, CTA_PROTOINFO_SCTP_STATE, ct->state);
	ct_put_be32(w, CTA_PROTOINFO_SCTP_VTAG_ORIGINAL, ct->vtag[FLOW_ORIG]);
	ct_put_be32(w, CTA_PROTOINFO_SCTP_VTAG_REPLY, ct->vtag[FLOW_REPLY]);
	ct_nest_end(w, nest);
}

static void put_dccp(struct ct_writer *w, const struct flow_conntrack *ct)
{
	uint8_t *nest = ct_nest_begin(w, CTA_PROTOINFO_DCCP);

	ct_put_u8(w, CTA_PROTOINFO_DCCP_STATE, ct->state);
	ct_put_u8(w, CTA_PROTOINFO_DCCP_ROLE, ct->dccp_role ? (uint8_t)(ct->dccp_role - 1) : 0);
	ct_put_be64(w, CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ, ct->dccp_handshake_seq);
	ct_nest_end(w, nest);
}

static void put_protoinfo(struct ct_writer *w, const struct flow *f)
{
	uint8_t l4proto = f->key.l4proto;
	uint8_t *nest;

	if (l4proto != IPPROTO_TCP && l4proto != IPPROTO_SCTP && l4proto != IPPROTO_DCCP)
		return;
	nest = ct_nest_begin(w, CTA_PROTOINFO);
	if (l4proto == IPPROTO_TCP)
		put_tcp(w, &f->ct);
	else if (l4proto == IPPROTO_SCTP)
		put_sctp(w, &f->ct);
	else
		put_dccp(w, &f->ct);
	ct_nest_end(w, nest);
}

static void put_seqadj(struct ct_writer *w, unsigned type, const struct flow_seqadj *s)
{
	uint8_t *nest = ct_nest_begin(w, type);

	ct_put_be32(w, CTA_SEQADJ_CORRECTION_POS, s->correction_pos);
	ct_put_be32(w, CTA_SEQADJ_OFFSET_BEFORE, (uint32_t)s->offset_before);
	ct_put_be32(w, CTA_SEQADJ_OFFSET_AFTER, (uint32_t)s->offset_after);
	ct_nest_end(w, nest);
}

/* The bits of `own` are set whatever the flow says, and those outside both are left as they are. */
static void put_labels(struct ct_writer *w, const struct flow_conntrack *ct, const uint8_t *mask,
		       const uint8_t *own)
{
	uint8_t labels[FLOW_LABELS_MAX], changed[FLOW_LABELS_MAX];

	for (unsigned i = 0; i < FLOW_LABELS_MAX; i++) {
		changed[i] = mask[i] | own[i];
		labels[i] = (ct->labels[i] & mask[i]) | own[i];
	}
	if (memcmp(changed, no_labels, sizeof(no_labels)) == 0)
		return;
	ct_put(w, CTA_LABELS, labels, sizeof(labels));
	ct_put(w, CTA_LABELS_MASK, changed, sizeof(changed));
}

/* What both a creation and a change may carry. */
static void put_values(struct ct_writer *w, const struct flow *f, const struct ct_write *how)
{
	const struct flow_conntrack *ct = &f->ct;

	ct_put_be32(w, CTA_TIMEOUT, how->timeout_s);
	put_protoinfo(w, f);
	if (ct->status & IPS_SEQ_ADJUST) {
		put_seqadj(w, CTA_SEQ_ADJ_ORIG, &ct->seqadj[FLOW_ORIG]);
		put_seqadj(w, CTA_SEQ_ADJ_REPLY, &ct->seqadj[FLOW_REPLY]);
	}
	if (ct->synproxy_isn || ct->synproxy_its || ct->synproxy_tsoff) {
		uint8_t *nest = ct_nest_begin(w, CTA_SYNPROXY);

		ct_put_be32(w, CTA_SYNPROXY_ISN, ct->synproxy_isn);
		ct_put_be32(w, CTA_SYNPROXY_ITS, ct->synproxy_its);
		ct_put_be32(w, CTA_SYNPROXY_TSOFF, ct->synproxy_tsoff);
		ct_nest_end(w, nest);
	}
}

/*
 * Where no rule uses labels the kernel leaves them out of a new entry without a word; an update it
 * refuses (ENOSPC), so what marks the entry for ours comes with its creation only.
 */
void ct_message_insert(struct ct_batch *b, const struct flow *f, const struct ct_write *how)
{
	const struct flow_conntrack *ct = &f->ct;
	/* A new one has none to clear. */
	bool labelled = memcmp(ct->labels, no_labels, sizeof(no_labels)) != 0;
	struct ct_writer w =
		message_begin(b, IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL, &f->key);

	put_tuples(&w, f);
	/* EXPECTED comes with the master and is refused here; NAT and SEQ_ADJUST are set by theirs.
	 */
	ct_put_be32(&w, CTA_STATUS, (ct->status & ~(uint32_t)IPS_EXPECTED) | IPS_CONFIRMED);
	put_values(&w, f, how);
	put_labels(&w, ct, labelled && how->label_mask ? how->label_mask : no_labels,
		   how->own_label ? how->own_label : no_labels);
	if (ct->mark)
		ct_put_be32(&w, CTA_MARK, ct->mark);
	if (ct->helper[0]) {
		uint8_t *nest = ct_nest_begin(&w, CTA_HELP);

		ct_put(&w, CTA_HELP_NAME, ct->helper, strnlen(ct->helper, FLOW_HELPER_MAX - 1) + 1);
		ct_nest_end(&w, nest);
	}
	if (ct->has_master) {
		struct side s = side_orig(&ct->master);

		s.zoned = false;
		put_tuple(&w, CTA_TUPLE_MASTER, &ct->master, &s);
	}
	message_end(b, &w);
}

void ct_message_update(struct ct_batch *b, const struct flow *f, const struct ct_write *how)
{
	struct ct_writer w = message_begin(b, IPCTNL_MSG_CT_NEW, 0, &f->key);

	put_name(&w, &f->key);
	ct_put_be32(&w, CTA_STATUS, f->ct.status | IPS_CONFIRMED);
	put_values(&w, f, how);
	put_labels(&w, &f->ct, how->label_mask ? how->label_mask : no_labels, no_labels);
	ct_put_be32(&w, CTA_MARK, f->ct.mark);
	message_end(b, &w);
}

void ct_message_timeout(struct ct_batch *b, const struct flow_key *k, uint32_t timeout_s)
{
	struct ct_writer w = message_begin(b, IPCTNL_MSG_CT_NEW, 0, k);

	put_name(&w, k);
	ct_put_be32(&w, CTA_TIMEOUT, timeout_s);
	message_end(b, &w);
}

/* Labels come last, in the kernel too (ctnetlink_change_conntrack): all else is done where it
 * refuses them. */
void ct_message_liberal(struct ct_batch *b, const struct flow_key *k, const struct ct_write *how)
{
	static const struct flow_conntrack none;
	struct ct_writer w = message_begin(b, IPCTNL_MSG_CT_NEW, 0, k);
	uint8_t *info, *tcp;

	put_name(&w, k);
	if (k->l4proto == IPPROTO_TCP) {
		info = ct_nest_begin(&w, CTA_PROTOINFO);
		tcp = ct_nest_begin(&w, CTA_PROTOINFO_TCP);
		put_tcp_flags(&w, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, 0, 0);
		put_tcp_flags(&w, CTA_PROTOINFO_TCP_FLAGS_REPLY, 0, 0);
		ct_nest_end(&w, tcp);
		ct_nest_end(&w, info);
	}
	put_labels(&w, &none, no_labels, how->own_label ? how->own_label : no_labels);
	message_end(b, &w);
}

void ct_message_get(struct ct_batch *b, const struct flow_key *k)
{
	struct ct_writer w = message_begin(b, IPCTNL_MSG_CT_GET, 0, k);

	put_name(&w, k);
	message_end(b, &w);
}

void ct_message_delete(struct ct_batch *b, const struct flow_key *k)
{
	struct ct_writer w = message_begin(b, IPCTNL_MSG_CT_DELETE, 0, k);

	put_name(&w, k);
	message_end(b, &w);
}

void ct_message_delete_reply(struct ct_batch *b, const struct flow *f)
{
	struct side s = side_reply(f);
	struct ct_writer w = message_begin(b, IPCTNL_MSG_CT_DELETE, 0, &f->key);

	put_tuple(&w, CTA_TUPLE_REPLY, &f->key, &s);
	put_zone(&w, &f->key);
	message_end(b, &w);
}
