/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "proto/sync.pb-c.h"
#include "tests/lib/pb_flow.h"

/* protobuf-c's structures point to bytes that it never writes to, but not to const ones. */
static ProtobufCBinaryData bytes_of(const void *p, size_t len)
{
	union {
		const void *in;
		uint8_t *out;
	} u = {.in = p};

	return (ProtobufCBinaryData){.len = len, .data = u.out};
}

static char *string_of(const char *s)
{
	union {
		const char *in;
		char *out;
	} u = {.in = s};

	return u.out;
}

static void fill_key(const struct flow_key *k, Sync__FlowKey *m)
{
	sync__flow_key__init(m);
	m->kind = (Sync__FlowKind)k->kind;
	m->zone = k->zone | (uint32_t)k->zone_dir << 16;
	m->fwmark = k->fwmark;
	m->l4proto = k->l4proto;
	m->src = bytes_of(k->src.b, k->addr_len);
	m->dst = bytes_of(k->dst.b, k->addr_len);
	m->ports = (uint32_t)k->sport << 16 | k->dport;
	m->pe_data = bytes_of(k->pe_data, k->pe_data_len);
}

/* Where a field stays unset because it mirrors the original direction. */
static void fill_reply(const struct flow *f, Sync__Conntrack *m)
{
	struct flow mirror = {.key = f->key};

	flow_mirror_reply(&mirror);
	if (memcmp(&f->ct.reply_src, &mirror.ct.reply_src, 16) != 0)
		m->reply_src = bytes_of(f->ct.reply_src.b, f->key.addr_len);
	if (memcmp(&f->ct.reply_dst, &mirror.ct.reply_dst, 16) != 0)
		m->reply_dst = bytes_of(f->ct.reply_dst.b, f->key.addr_len);
	if (f->ct.reply_sport != mirror.ct.reply_sport)
		m->reply_sport = f->ct.reply_sport + 1u;
	if (f->ct.reply_dport != mirror.ct.reply_dport)
		m->reply_dport = f->ct.reply_dport + 1u;
}

static Sync__SeqAdj *fill_seqadj(const struct flow_seqadj *s, Sync__SeqAdj *m)
{
	sync__seq_adj__init(m);
	m->correction_pos = s->correction_pos;
	m->offset_before = s->offset_before;
	m->offset_after = s->offset_after;
	return s->correction_pos || s->offset_before || s->offset_after ? m : NULL;
}

static Sync__SynProxy *fill_synproxy(const struct flow_conntrack *ct, Sync__SynProxy *m)
{
	sync__syn_proxy__init(m);
	m->isn = ct->synproxy_isn;
	m->its = ct->synproxy_its;
	m->tsoff = ct->synproxy_tsoff;
	return m->isn || m->its || m->tsoff ? m : NULL;
}

struct conntrack_parts {
	Sync__Conntrack ct;
	Sync__SeqAdj seqadj[2];
	Sync__SynProxy synproxy;
	Sync__FlowKey master;
};

static void fill_conntrack(const struct flow *f, struct conntrack_parts *p)
{
	const struct flow_conntrack *ct = &f->ct;
	Sync__Conntrack *m = &p->ct;
	size_t labels = FLOW_LABELS_MAX;

	sync__conntrack__init(m);
	fill_reply(f, m);
	m->status = ct->status;
	m->state = ct->state;
	m->tcp_window = (uint32_t)(ct->tcp_flags[0] | ct->tcp_scale[0] << 3 |
				   ct->tcp_flags[1] << 7 | ct->tcp_scale[1] << 10);
	m->mark = ct->mark;
	while (labels && !ct->labels[labels - 1])
		labels--;
	m->labels = bytes_of(ct->labels, labels);
	m->seqadj_orig = fill_seqadj(&ct->seqadj[0], &p->seqadj[0]);
	m->seqadj_reply = fill_seqadj(&ct->seqadj[1], &p->seqadj[1]);
	m->synproxy = fill_synproxy(ct, &p->synproxy);
	m->helper = string_of(ct->helper);
	if (ct->has_master) {
		fill_key(&ct->master, &p->master);
		m->master = &p->master;
	}
	m->vtag_orig = ct->vtag[0];
	m->vtag_reply = ct->vtag[1];
	m->dccp_role = ct->dccp_role;
	m->dccp_handshake_seq = ct->dccp_handshake_seq;
}

static Sync__IpvsSeq *fill_ipvs_seq(const struct flow_ipvs_seq *s, Sync__IpvsSeq *m)
{
	sync__ipvs_seq__init(m);
	m->init_seq = s->init_seq;
	m->delta = s->delta;
	m->previous_delta = s->previous_delta;
	return s->init_seq || s->delta || s->previous_delta ? m : NULL;
}

struct ipvs_parts {
	Sync__Ipvs ipvs;
	Sync__IpvsSeq seq[2];
	Sync__FlowKey control;
};

static void fill_ipvs(const struct flow_ipvs *v, struct ipvs_parts *p)
{
	Sync__Ipvs *m = &p->ipvs;

	sync__ipvs__init(m);
	m->dest = bytes_of(v->dest.b, v->dest_len);
	m->dport = v->dport;
	m->flags = v->flags;
	m->state = v->state;
	m->fwmark = v->fwmark;
	m->in_seq = fill_ipvs_seq(&v->in_seq, &p->seq[0]);
	m->out_seq = fill_ipvs_seq(&v->out_seq, &p->seq[1]);
	m->pe_name = string_of(v->pe_name);
	m->timeout_s = v->timeout_s;
	if (v->has_control) {
		fill_key(&v->control, &p->control);
		m->control = &p->control;
	}
}

size_t pb_flow_pack(const struct flow *f, uint8_t *buf)
{
	Sync__Flow m = SYNC__FLOW__INIT;
	Sync__FlowKey key;
	struct conntrack_parts ct;
	struct ipvs_parts ipvs;

	fill_key(&f->key, &key);
	m.key = &key;
	if (f->key.kind == FLOW_IPVS) {
		fill_ipvs(&f->ipvs, &ipvs);
		m.ipvs = &ipvs.ipvs;
	} else {
		fill_conntrack(f, &ct);
		if (protobuf_c_message_get_packed_size(&ct.ct.base)) /* an empty one is left out */
			m.ct = &ct.ct;
	}
	assert(sync__flow__get_packed_size(&m) <= PB_FLOW_MAX);
	return sync__flow__pack(&m, buf);
}
