/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flow to canonical bytes. Runs for every kernel event, so it allocates nothing and checks no space
 * while it writes: what the fields can take together is bounded below, and that bound by FLOW_MAX.
 * Reading is in flow_codec_read.c.
 */
#include <assert.h>
#include <errno.h>

#include "proto/flow_codec.h"
#include "proto/flow_rules.h"
#include "proto/wire.h"

/* The longest encodings, field by field in the order of proto/sync.proto; a tag takes one byte, two
 * from field 16 on. */
enum {
	SIZE_V8 = 1 + 2,  /* a varint of one byte's range */
	SIZE_V16 = 1 + 3, /* ... of 16 bits, or of 16 bits + 1 */
	SIZE_V32 = 1 + WIRE_VARINT32_MAX,
	SIZE_I32 = 1 + 4,
	SIZE_ADDR = 1 + 1 + 16,
	SIZE_MESSAGE = 1 + 2, /* its tag and length */
	SIZE_KEY = SIZE_V8 + SIZE_V32 + SIZE_V32 + SIZE_V8 + 2 * SIZE_ADDR + SIZE_I32 + 1 + 2 +
		   FLOW_PE_DATA_MAX,
	SIZE_SEQ = SIZE_MESSAGE + SIZE_I32 + 2 * SIZE_V32,
	SIZE_CT = 2 * SIZE_ADDR + 2 * SIZE_V16 + SIZE_V8 + SIZE_V8 + SIZE_V16 + SIZE_V32 + 1 + 1 +
		  FLOW_LABELS_MAX + 2 * SIZE_SEQ + SIZE_MESSAGE + 3 * SIZE_I32 + 1 + 1 +
		  FLOW_HELPER_MAX + SIZE_MESSAGE + SIZE_KEY + SIZE_I32 + 2 * (1 + SIZE_I32) + 1 +
		  SIZE_V8 + 1 + 1 + 8,
	SIZE_IPVS = SIZE_ADDR + 2 * SIZE_V16 + SIZE_V16 + SIZE_V32 + 2 * SIZE_SEQ + 1 + 1 +
		    FLOW_PE_NAME_MAX + SIZE_V32 + SIZE_MESSAGE + SIZE_KEY,
};
static_assert(2 * SIZE_MESSAGE + SIZE_KEY + SIZE_CT <= (int)FLOW_MAX, "any conntrack flow fits");
static_assert(2 * SIZE_MESSAGE + SIZE_KEY + SIZE_IPVS <= (int)FLOW_MAX, "any IPVS flow fits");
static_assert((int)SIZE_KEY <= (int)FLOW_KEY_MAX, "any key fits");

static inline uint8_t *put_tag(uint8_t *p, unsigned number, enum wire_type type)
{
	return wire_put_varint(p, WIRE_TAG(number, type));
}

static inline uint8_t *put_uint(uint8_t *p, unsigned number, uint64_t v)
{
	return v ? wire_put_varint(put_tag(p, number, WIRE_VARINT), v) : p;
}

static inline uint8_t *put_sint(uint8_t *p, unsigned number, int32_t v)
{
	return put_uint(p, number, wire_zigzag32(v));
}

static inline uint8_t *put_fixed(uint8_t *p, unsigned number, uint32_t v)
{
	return v ? wire_put_i32(put_tag(p, number, WIRE_I32), v) : p;
}

static inline uint8_t *put_bytes(uint8_t *p, unsigned number, const void *bytes, size_t len)
{
	return len ? wire_put_bytes(put_tag(p, number, WIRE_LEN), bytes, len) : p;
}

/* An address's two lengths are told apart so that each copy is of a constant size. */
static inline uint8_t *put_addr(uint8_t *p, unsigned number, const struct flow_addr *a, uint8_t len)
{
	p = wire_put_varint(put_tag(p, number, WIRE_LEN), len);
	if (len == 4)
		memcpy(p, a->b, 4);
	else
		memcpy(p, a->b, 16);
	return p + len;
}

/* Begins a message field: its length byte is filled in by end_message. */
static inline uint8_t *begin_message(uint8_t *p, unsigned number)
{
	return put_tag(p, number, WIRE_LEN) + 1;
}

/* Ends one. An empty message is taken back with its tag, unless it is to stand for something. */
static inline uint8_t *end_message(uint8_t *body, uint8_t *end, bool keep_empty)
{
	if (end == body && !keep_empty)
		return body - 2; /* tag and length byte: numbers of message fields are below 16 */
	if (end - body < 0x80) {
		body[-1] = (uint8_t)(end - body);
		return end;
	}
	return wire_put_length(body, end);
}

static uint8_t *put_key(uint8_t *p, const struct flow_key *k)
{
	p = put_uint(p, 1, k->kind);
	p = put_uint(p, 2, k->zone | (uint32_t)k->zone_dir << 16);
	p = put_uint(p, 3, k->fwmark);
	p = put_uint(p, 4, k->l4proto);
	p = put_addr(p, 5, &k->src, k->addr_len);
	p = put_addr(p, 6, &k->dst, k->addr_len);
	p = put_fixed(p, 7, (uint32_t)k->sport << 16 | k->dport);
	return put_bytes(p, 8, k->pe_data, k->pe_data_len);
}

static uint8_t *put_seqadj(uint8_t *p, unsigned number, const struct flow_seqadj *s)
{
	uint8_t *body = begin_message(p, number);

	p = put_fixed(body, 1, s->correction_pos);
	p = put_sint(p, 2, s->offset_before);
	p = put_sint(p, 3, s->offset_after);
	return end_message(body, p, false);
}

static uint8_t *put_synproxy(uint8_t *p, const struct flow_conntrack *ct)
{
	uint8_t *body = begin_message(p, 12);

	p = put_fixed(body, 1, ct->synproxy_isn);
	p = put_fixed(p, 2, ct->synproxy_its);
	p = put_fixed(p, 3, ct->synproxy_tsoff);
	return end_message(body, p, false);
}

static inline uint32_t pack_window(const struct flow_conntrack *ct)
{
	uint32_t orig = ct->tcp_flags[FLOW_ORIG] | (uint32_t)ct->tcp_scale[FLOW_ORIG] << 3;
	uint32_t reply = ct->tcp_flags[FLOW_REPLY] | (uint32_t)ct->tcp_scale[FLOW_REPLY] << 3;

	return orig | reply << 7;
}

static uint8_t *put_reply(uint8_t *p, const struct flow *f)
{
	const struct flow_conntrack *ct = &f->ct;
	uint16_t sport = flow_key_mirrored_sport(&f->key);

	if (memcmp(&ct->reply_src, &f->key.dst, sizeof(ct->reply_src)) != 0)
		p = put_addr(p, 1, &ct->reply_src, f->key.addr_len);
	if (memcmp(&ct->reply_dst, &f->key.src, sizeof(ct->reply_dst)) != 0)
		p = put_addr(p, 2, &ct->reply_dst, f->key.addr_len);
	if (ct->reply_sport != sport)
		p = put_uint(p, 3, ct->reply_sport + 1u);
	if (ct->reply_dport != f->key.sport)
		p = put_uint(p, 4, ct->reply_dport + 1u);
	return p;
}

static size_t labels_len(const uint8_t *labels)
{
	size_t len = FLOW_LABELS_MAX;

	while (len && !labels[len - 1])
		len--;
	return len;
}

/* What few flows have; kept out of the way of the many that do not. */
static uint8_t *put_conntrack_rest(uint8_t *p, const struct flow_conntrack *ct)
{
	p = put_bytes(p, 9, ct->labels, labels_len(ct->labels));
	p = put_seqadj(p, 10, &ct->seqadj[FLOW_ORIG]);
	p = put_seqadj(p, 11, &ct->seqadj[FLOW_REPLY]);
	p = put_synproxy(p, ct);
	p = put_bytes(p, 13, ct->helper, strlen(ct->helper));
	if (ct->has_master) {
		uint8_t *body = begin_message(p, 14);

		p = end_message(body, put_key(body, &ct->master), true);
	}
	p = put_fixed(p, 15, ct->vtag[FLOW_ORIG]);
	p = put_fixed(p, 16, ct->vtag[FLOW_REPLY]);
	p = put_uint(p, 17, ct->dccp_role);
	if (ct->dccp_handshake_seq)
		p = wire_put_i64(put_tag(p, 18, WIRE_I64), ct->dccp_handshake_seq);
	return p;
}

static uint8_t *put_conntrack(uint8_t *p, const struct flow *f)
{
	const struct flow_conntrack *ct = &f->ct;
	uint8_t *body = begin_message(p, 2);

	p = put_reply(body, f);
	p = put_uint(p, 5, ct->status);
	p = put_uint(p, 6, ct->state);
	p = put_uint(p, 7, pack_window(ct));
	p = put_uint(p, 8, ct->mark);
	p = put_conntrack_rest(p, ct);
	return end_message(body, p, false);
}

static uint8_t *put_ipvs_seq(uint8_t *p, unsigned number, const struct flow_ipvs_seq *s)
{
	uint8_t *body = begin_message(p, number);

	p = put_fixed(body, 1, s->init_seq);
	p = put_sint(p, 2, s->delta);
	p = put_sint(p, 3, s->previous_delta);
	return end_message(body, p, false);
}

static uint8_t *put_ipvs(uint8_t *p, const struct flow_ipvs *v)
{
	uint8_t *body = begin_message(p, 3);

	p = put_addr(body, 1, &v->dest, v->dest_len);
	p = put_uint(p, 2, v->dport);
	p = put_uint(p, 3, v->flags);
	p = put_uint(p, 4, v->state);
	p = put_uint(p, 5, v->fwmark);
	p = put_ipvs_seq(p, 6, &v->in_seq);
	p = put_ipvs_seq(p, 7, &v->out_seq);
	p = put_bytes(p, 8, v->pe_name, strlen(v->pe_name));
	p = put_uint(p, 9, v->timeout_s);
	if (v->has_control) {
		uint8_t *inner = begin_message(p, 10);

		p = end_message(inner, put_key(inner, &v->control), true);
	}
	return end_message(body, p, true);
}

int flow_key_encode(const struct flow_key *k, uint8_t *buf)
{
	if (!flow_key_valid(k))
		return -EINVAL;
	return (int)(put_key(buf, k) - buf);
}

int flow_encode(const struct flow *f, uint8_t *buf)
{
	uint8_t *body = begin_message(buf, 1);
	uint8_t *p;

	if (!flow_valid(f))
		return -EINVAL;
	p = end_message(body, put_key(body, &f->key), true);
	p = f->key.kind == FLOW_IPVS ? put_ipvs(p, &f->ipvs) : put_conntrack(p, f);
	assert(p - buf <= FLOW_MAX);
	return (int)(p - buf);
}
