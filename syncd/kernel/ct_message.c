// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads ctnetlink messages. This runs for every event of the kernel, so it walks each attribute
 * once and copies it to where it belongs; docs/adr/0003-libmnl.md says why no library does it.
 */
#include <errno.h>
#include <netinet/in.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "syncd/kernel/ct_attr.h"
#include "syncd/kernel/ct_message.h"

/* One direction of a connection, as CTA_TUPLE_* has it. */
struct tuple {
	struct flow_addr src, dst;
	uint16_t sport, dport;
	uint16_t icmp_id;
	uint8_t icmp_type, icmp_code;
	uint8_t addr_len;
	uint8_t l4proto;
	bool has_zone;
	uint16_t zone;
};

static void read_addresses(struct ct_attrs row, struct tuple *t)
{
	unsigned seen4 = 0, seen6 = 0; /* 1 source, 2 destination */
	struct ct_attr a;

	while (ct_attr_next(&row, &a)) {
		bool v6 = a.type == CTA_IP_V6_SRC || a.type == CTA_IP_V6_DST;
		bool src = a.type == CTA_IP_V4_SRC || a.type == CTA_IP_V6_SRC;
		unsigned len = v6 ? 16 : 4;

		if (a.type < CTA_IP_V4_SRC || a.type > CTA_IP_V6_DST || a.len < len)
			continue;
		memcpy(src ? t->src.b : t->dst.b, a.data, len);
		*(v6 ? &seen6 : &seen4) |= src ? 1 : 2;
	}
	t->addr_len = seen4 == 3 && seen6 == 0 ? 4 : seen6 == 3 && seen4 == 0 ? 16 : 0;
}

static void read_l4(struct ct_attrs row, struct tuple *t)
{
	struct ct_attr a;

	while (ct_attr_next(&row, &a)) {
		switch (a.type) {
		case CTA_PROTO_NUM:
			t->l4proto = ct_attr_u8(&a);
			break;
		case CTA_PROTO_SRC_PORT:
			t->sport = ct_attr_be16(&a);
			break;
		case CTA_PROTO_DST_PORT:
			t->dport = ct_attr_be16(&a);
			break;
		case CTA_PROTO_ICMP_ID:
		case CTA_PROTO_ICMPV6_ID:
			t->icmp_id = ct_attr_be16(&a);
			break;
		case CTA_PROTO_ICMP_TYPE:
		case CTA_PROTO_ICMPV6_TYPE:
			t->icmp_type = ct_attr_u8(&a);
			break;
		case CTA_PROTO_ICMP_CODE:
		case CTA_PROTO_ICMPV6_CODE:
			t->icmp_code = ct_attr_u8(&a);
			break;
		default:
			break;
		}
	}
}

static void read_tuple(struct ct_attrs row, struct tuple *t)
{
	struct ct_attr a;

	memset(t, 0, sizeof(*t));
	while (ct_attr_next(&row, &a)) {
		switch (a.type) {
		case CTA_TUPLE_IP:
			read_addresses(ct_attr_nested(&a), t);
			break;
		case CTA_TUPLE_PROTO:
			read_l4(ct_attr_nested(&a), t);
			break;
		case CTA_TUPLE_ZONE:
			t->zone = ct_attr_be16(&a);
			t->has_zone = true;
			break;
		default:
			break;
		}
	}
}

static bool is_icmp(uint8_t l4proto)
{
	return l4proto == IPPROTO_ICMP || l4proto == IPPROTO_ICMPV6;
}

bool ct_message_has_ports(uint8_t l4proto)
{
	switch (l4proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
	case IPPROTO_GRE:
		return true;
	default:
		return false;
	}
}

static void tuple_to_key(const struct tuple *t, struct flow_key *k)
{
	k->kind = FLOW_CONNTRACK;
	k->addr_len = t->addr_len;
	k->l4proto = t->l4proto;
	k->src = t->src;
	k->dst = t->dst;
	if (ct_message_has_ports(t->l4proto)) {
		k->sport = t->sport;
		k->dport = t->dport;
	} else if (is_icmp(t->l4proto)) {
		k->sport = t->icmp_id;
		k->dport = (uint16_t)(t->icmp_type << 8 | t->icmp_code);
	}
}

static void tuple_to_reply(const struct tuple *t, struct flow_conntrack *ct)
{
	ct->reply_src = t->src;
	ct->reply_dst = t->dst;
	if (ct_message_has_ports(t->l4proto)) {
		ct->reply_sport = t->sport;
		ct->reply_dport = t->dport;
	} else if (is_icmp(t->l4proto)) {
		ct->reply_sport = (uint16_t)(t->icmp_type << 8 | t->icmp_code);
		ct->reply_dport = t->icmp_id;
	}
}

static void read_tcp(struct ct_attrs row, struct flow_conntrack *ct)
{
	struct ct_attr a;

	while (ct_attr_next(&row, &a)) {
		switch (a.type) {
		case CTA_PROTOINFO_TCP_STATE:
			ct->state = ct_attr_u8(&a);
			break;
		case CTA_PROTOINFO_TCP_WSCALE_ORIGINAL:
			ct->tcp_scale[FLOW_ORIG] = ct_attr_u8(&a) & 0x0f;
			break;
		case CTA_PROTOINFO_TCP_WSCALE_REPLY:
			ct->tcp_scale[FLOW_REPLY] = ct_attr_u8(&a) & 0x0f;
			break;
		case CTA_PROTOINFO_TCP_FLAGS_ORIGINAL:
			ct->tcp_flags[FLOW_ORIG] = ct_attr_u8(&a) & FLOW_TCP_FLAGS_MASK;
			break;
		case CTA_PROTOINFO_TCP_FLAGS_REPLY:
			ct->tcp_flags[FLOW_REPLY] = ct_attr_u8(&a) & FLOW_TCP_FLAGS_MASK;
			break;
		default:
			break;
		}
	}
	/* The kernel takes scales only where both sides carry the flag (nlattr_to_tcp). */
	if (!(ct->tcp_flags[FLOW_ORIG] & ct->tcp_flags[FLOW_REPLY] & IP_CT_TCP_FLAG_WINDOW_SCALE))
		memset(ct->tcp_scale, 0, sizeof(ct->tcp_scale));
}

static void read_sctp(struct ct_attrs row, struct flow_conntrack *ct)
{
	struct ct_attr a;

	while (ct_attr_next(&row, &a)) {
		if (a.type == CTA_PROTOINFO_SCTP_STATE)
			ct->state = ct_attr_u8(&a);
		else if (a.type == CTA_PROTOINFO_SCTP_VTAG_ORIGINAL)
			ct->vtag[FLOW_ORIG] = ct_attr_be32(&a);
		else if (a.type == CTA_PROTOINFO_SCTP_VTAG_REPLY)
			ct->vtag[FLOW_REPLY] = ct_attr_be32(&a);
	}
}

static void read_dccp(struct ct_attrs row, struct flow_conntrack *ct)
{
	struct ct_attr a;

	while (ct_attr_next(&row, &a)) {
		if (a.type == CTA_PROTOINFO_DCCP_STATE)
			ct->state = ct_attr_u8(&a);
		else if (a.type == CTA_PROTOINFO_DCCP_ROLE)
			ct->dccp_role = (uint8_t)(1 + (ct_attr_u8(&a) & 1));
		else if (a.type == CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ)
			ct->dccp_handshake_seq = ct_attr_be64(&a);
	}
}

static void read_protoinfo(struct ct_attrs row, struct flow_conntrack *ct)
{
	struct ct_attr a;

	while (ct_attr_next(&row, &a)) {
		if (a.type == CTA_PROTOINFO_TCP)
			read_tcp(ct_attr_nested(&a), ct);
		else if (a.type == CTA_PROTOINFO_SCTP)
			read_sctp(ct_attr_nested(&a), ct);
		else if (a.type == CTA_PROTOINFO_DCCP)
			read_dccp(ct_attr_nested(&a), ct);
	}
}

static void read_seqadj(struct ct_attrs row, struct flow_seqadj *s)
{
	struct ct_attr a;

	while (ct_attr_next(&row, &a)) {
		if (a.type == CTA_SEQADJ_CORRECTION_POS)
			s->correction_pos = ct_attr_be32(&a);
		else if (a.type == CTA_SEQADJ_OFFSET_BEFORE)
			s->offset_before = (int32_t)ct_attr_be32(&a);
		else if (a.type == CTA_SEQADJ_OFFSET_AFTER)
			s->offset_after = (int32_t)ct_attr_be32(&a);
	}
}

static void read_synproxy(struct ct_attrs row, struct flow_conntrack *ct)
{
	struct ct_attr a;

	while (ct_attr_next(&row, &a)) {
		if (a.type == CTA_SYNPROXY_ISN)
			ct->synproxy_isn = ct_attr_be32(&a);
		else if (a.type == CTA_SYNPROXY_ITS)
			ct->synproxy_its = ct_attr_be32(&a);
		else if (a.type == CTA_SYNPROXY_TSOFF)
			ct->synproxy_tsoff = ct_attr_be32(&a);
	}
}

static void read_helper(struct ct_attrs row, char name[FLOW_HELPER_MAX])
{
	struct ct_attr a;

	while (ct_attr_next(&row, &a)) {
		if (a.type == CTA_HELP_NAME) {
			size_t len = strnlen((const char *)a.data, a.len);

			if (len >= FLOW_HELPER_MAX)
				len = FLOW_HELPER_MAX - 1;
			memcpy(name, a.data, len);
			name[len] = '\0';
		}
	}
}

static void read_labels(const struct ct_attr *a, const uint8_t *mask, struct ct_record *out)
{
	for (unsigned i = 0; i < a->len && i < FLOW_LABELS_MAX; i++) {
		out->labels[i] = a->data[i];
		out->flow.ct.labels[i] = a->data[i] & mask[i];
	}
}

bool ct_message_has_label(const struct ct_record *r, const uint8_t bits[FLOW_LABELS_MAX])
{
	for (unsigned i = 0; i < FLOW_LABELS_MAX; i++)
		if (r->labels[i] & bits[i])
			return true;
	return false;
}

/* What is found on the way and put in its place once both tuples are known. */
struct reading {
	struct tuple orig, reply, master;
	bool has_zone;
	uint16_t zone;
};

static unsigned read_attr(const struct ct_attr *a, const uint8_t *mask, struct reading *in,
			  struct ct_record *out)
{
	struct flow_conntrack *ct = &out->flow.ct;

	switch (a->type) {
	case CTA_TUPLE_ORIG:
		read_tuple(ct_attr_nested(a), &in->orig);
		return 0;
	case CTA_TUPLE_REPLY:
		read_tuple(ct_attr_nested(a), &in->reply);
		return FLOW_PART_REPLY;
	case CTA_TUPLE_MASTER:
		read_tuple(ct_attr_nested(a), &in->master);
		ct->has_master = true;
		return FLOW_PART_MASTER;
	case CTA_STATUS:
		ct->status = ct_attr_be32(a) & FLOW_STATUS_MASK;
		return FLOW_PART_STATUS;
	case CTA_PROTOINFO:
		read_protoinfo(ct_attr_nested(a), ct);
		return FLOW_PART_STATE;
	case CTA_HELP:
		read_helper(ct_attr_nested(a), ct->helper);
		return FLOW_PART_HELPER;
	case CTA_MARK:
		ct->mark = ct_attr_be32(a);
		return FLOW_PART_MARK;
	case CTA_LABELS:
		read_labels(a, mask, out);
		return FLOW_PART_LABELS;
	case CTA_SEQ_ADJ_ORIG:
		read_seqadj(ct_attr_nested(a), &ct->seqadj[FLOW_ORIG]);
		return FLOW_PART_SEQADJ;
	case CTA_SEQ_ADJ_REPLY:
		read_seqadj(ct_attr_nested(a), &ct->seqadj[FLOW_REPLY]);
		return FLOW_PART_SEQADJ;
	case CTA_SYNPROXY:
		read_synproxy(ct_attr_nested(a), ct);
		return FLOW_PART_SYNPROXY;
	case CTA_ZONE:
		in->zone = ct_attr_be16(a);
		in->has_zone = true;
		return 0;
	case CTA_TIMEOUT:
		out->timeout_s = ct_attr_be32(a);
		return 0;
	default:
		return 0;
	}
}

static void set_zone(const struct reading *in, struct flow_key *k)
{
	if (in->has_zone) {
		k->zone = in->zone;
		k->zone_dir = FLOW_ZONE_BOTH;
	} else if (in->orig.has_zone) {
		k->zone = in->orig.zone;
		k->zone_dir = FLOW_ZONE_ORIG;
	} else if (in->reply.has_zone) {
		k->zone = in->reply.zone;
		k->zone_dir = FLOW_ZONE_REPLY;
	}
	if (k->zone == 0)
		k->zone_dir = FLOW_ZONE_BOTH;
}

int ct_message_parse(const struct nlmsghdr *nlh, const uint8_t label_mask[FLOW_LABELS_MAX],
		     struct ct_record *out)
{
	const size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
	struct reading in;
	struct ct_attrs row;
	struct ct_attr a;

	if (nlh->nlmsg_len < head)
		return -EBADMSG;
	row = (struct ct_attrs){(const uint8_t *)nlh + head, nlh->nlmsg_len - head};
	memset(out, 0, sizeof(*out));
	in.orig.addr_len = 0;
	in.reply.addr_len = 0;
	in.orig.has_zone = in.reply.has_zone = in.has_zone = false;
	while (ct_attr_next(&row, &a))
		out->parts |= read_attr(&a, label_mask, &in, out);

	if (in.orig.addr_len == 0 || in.orig.addr_len != in.reply.addr_len ||
	    in.orig.l4proto != in.reply.l4proto)
		return -EBADMSG;
	tuple_to_key(&in.orig, &out->flow.key);
	tuple_to_reply(&in.reply, &out->flow.ct);
	set_zone(&in, &out->flow.key);
	if (out->flow.ct.has_master) {
		struct flow_key *m = &out->flow.ct.master;

		tuple_to_key(&in.master, m);
		if (m->addr_len != in.orig.addr_len)
			return -EBADMSG;
		/* The kernel looks for a master in the flow's own zone. */
		m->zone = out->flow.key.zone;
		m->zone_dir = out->flow.key.zone_dir;
	}
	return 0;
}

bool ct_message_is_destroy(const struct nlmsghdr *nlh)
{
	return (nlh->nlmsg_type & 0xff) == IPCTNL_MSG_CT_DELETE;
}

bool ct_message_is_new(const struct nlmsghdr *nlh)
{
	return (nlh->nlmsg_type & 0xff) == IPCTNL_MSG_CT_NEW &&
	       (nlh->nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL));
}

bool ct_message_is_live(const struct nlmsghdr *nlh, const struct ct_record *r)
{
	unsigned state = r->flow.ct.state;

	/* A port id is that of a program that deleted it on purpose. */
	if (nlh->nlmsg_pid != 0 || r->timeout_s == 0)
		return false;
	switch (r->flow.key.l4proto) {
	case IPPROTO_TCP:
		return state != TCP_CONNTRACK_TIME_WAIT && state != TCP_CONNTRACK_CLOSE;
	case IPPROTO_SCTP:
		return state != SCTP_CONNTRACK_CLOSED && state != SCTP_CONNTRACK_SHUTDOWN_ACK_SENT;
	default:
		return true;
	}
}
