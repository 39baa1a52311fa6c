/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes to flow. The bytes come from peers, journals and captures: nothing is believed, lengths
 * least of all. A newer peer's unknown fields, status bits and flags are passed over; what would
 * name another connection than the sender meant is refused.
 */
#include <errno.h>

#include "proto/flow_codec.h"
#include "proto/flow_rules.h"
#include "proto/wire.h"

#define VARINT(number)	WIRE_TAG(number, WIRE_VARINT)
#define BYTES(number)	WIRE_TAG(number, WIRE_LEN)
#define FIXED(number)	WIRE_TAG(number, WIRE_I32)
#define FIXED64(number) WIRE_TAG(number, WIRE_I64)

static struct wire_reader reader_of(const struct wire_field *w)
{
	return wire_reader_over(w->bytes, w->len);
}

/* The rest of an IPv4 address stays as it is: zero. */
static bool read_addr(const struct wire_field *w, struct flow_addr *out)
{
	if (w->len != 4 && w->len != 16)
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(out->b, w->bytes, w->len);
	return true;
}

static bool read_name(const struct wire_field *w, char *out, size_t cap)
{
	if (w->len >= cap)
		return false;
	memset(out, 0, cap);
	memcpy(out, w->bytes, w->len);
	return strlen(out) == w->len && flow_name_valid(out, cap);
}

static bool read_u8(const struct wire_field *w, uint8_t *out)
{
	*out = (uint8_t)w->value;
	return w->value <= UINT8_MAX;
}

static bool read_u16(const struct wire_field *w, uint16_t *out)
{
	*out = (uint16_t)w->value;
	return w->value <= UINT16_MAX;
}

/* A port that is carried as port + 1, so that 0 can mean the mirrored one. */
static bool read_port1(const struct wire_field *w, uint16_t mirrored, uint16_t *out)
{
	*out = w->value ? (uint16_t)(w->value - 1) : mirrored;
	return w->value <= UINT16_MAX + 1u;
}

static bool read_zone(const struct wire_field *w, struct flow_key *k)
{
	k->zone = (uint16_t)w->value;
	k->zone_dir = (uint8_t)(w->value >> 16);
	return w->value >> 16 <= FLOW_ZONE_REPLY;
}

static void read_ports(const struct wire_field *w, struct flow_key *k)
{
	k->sport = (uint16_t)(w->value >> 16);
	k->dport = (uint16_t)w->value;
}

static bool read_pe_data(const struct wire_field *w, struct flow_key *k)
{
	k->pe_data = w->len ? w->bytes : NULL;
	k->pe_data_len = (uint8_t)w->len;
	return w->len <= FLOW_PE_DATA_MAX;
}

struct key_lengths {
	size_t src, dst;
};

static bool read_key_field(const struct wire_field *w, struct flow_key *k, struct key_lengths *len)
{
	switch (w->tag) {
	case VARINT(1):
		return read_u8(w, &k->kind);
	case VARINT(2):
		return read_zone(w, k);
	case VARINT(3):
		k->fwmark = (uint32_t)w->value;
		return true;
	case VARINT(4):
		return read_u8(w, &k->l4proto);
	case BYTES(5):
		len->src = w->len;
		return read_addr(w, &k->src);
	case BYTES(6):
		len->dst = w->len;
		return read_addr(w, &k->dst);
	case FIXED(7):
		read_ports(w, k);
		return true;
	case BYTES(8):
		return read_pe_data(w, k);
	}
	return true;
}

static bool read_key(struct wire_reader r, struct flow_key *k)
{
	struct key_lengths len = {0, 0};
	struct wire_field w;
	int more;

	memset(k, 0, sizeof(*k));
	while ((more = wire_read_field(&r, &w)) > 0) {
		if (!read_key_field(&w, k, &len))
			return false;
	}
	k->addr_len = (uint8_t)len.src;
	return more == 0 && len.src == len.dst && flow_key_valid(k);
}

static bool read_seq(const struct wire_field *outer, uint32_t *fixed, int32_t *first,
		     int32_t *second)
{
	struct wire_reader r = reader_of(outer);
	struct wire_field w;
	int more;

	while ((more = wire_read_field(&r, &w)) > 0) {
		switch (w.tag) {
		case FIXED(1):
			*fixed = (uint32_t)w.value;
			break;
		case VARINT(2):
			*first = wire_unzigzag32((uint32_t)w.value);
			break;
		case VARINT(3):
			*second = wire_unzigzag32((uint32_t)w.value);
			break;
		}
	}
	return more == 0;
}

static bool read_seqadj(const struct wire_field *w, struct flow_seqadj *s)
{
	return read_seq(w, &s->correction_pos, &s->offset_before, &s->offset_after);
}

static bool read_ipvs_seq(const struct wire_field *w, struct flow_ipvs_seq *s)
{
	return read_seq(w, &s->init_seq, &s->delta, &s->previous_delta);
}

static bool read_synproxy(const struct wire_field *outer, struct flow_conntrack *ct)
{
	struct wire_reader r = reader_of(outer);
	struct wire_field w;
	int more;

	while ((more = wire_read_field(&r, &w)) > 0) {
		switch (w.tag) {
		case FIXED(1):
			ct->synproxy_isn = (uint32_t)w.value;
			break;
		case FIXED(2):
			ct->synproxy_its = (uint32_t)w.value;
			break;
		case FIXED(3):
			ct->synproxy_tsoff = (uint32_t)w.value;
			break;
		}
	}
	return more == 0;
}

static void unpack_window(uint64_t v, struct flow_conntrack *ct)
{
	ct->tcp_flags[FLOW_ORIG] = v & FLOW_TCP_FLAGS_MASK;
	ct->tcp_scale[FLOW_ORIG] = v >> 3 & FLOW_TCP_SCALE_MASK;
	ct->tcp_flags[FLOW_REPLY] = v >> 7 & FLOW_TCP_FLAGS_MASK;
	ct->tcp_scale[FLOW_REPLY] = v >> 10 & FLOW_TCP_SCALE_MASK;
}

/* An empty address means the mirrored one, which is there already. */
static bool read_reply_addr(const struct wire_field *w, uint8_t addr_len, struct flow_addr *out)
{
	return !w->len || (w->len == addr_len && read_addr(w, out));
}

static bool read_labels(const struct wire_field *w, struct flow_conntrack *ct)
{
	if (w->len > sizeof(ct->labels))
		return false;
	memset(ct->labels, 0, sizeof(ct->labels));
	memcpy(ct->labels, w->bytes, w->len);
	return true;
}

static bool read_master(const struct wire_field *w, struct flow_conntrack *ct)
{
	ct->has_master = true;
	return read_key(reader_of(w), &ct->master) && ct->master.kind == FLOW_CONNTRACK;
}

/* Fields 9 and up, which few flows have. */
static bool read_conntrack_rest(const struct wire_field *w, struct flow_conntrack *ct)
{
	switch (w->tag) {
	case BYTES(9):
		return read_labels(w, ct);
	case BYTES(10):
		return read_seqadj(w, &ct->seqadj[FLOW_ORIG]);
	case BYTES(11):
		return read_seqadj(w, &ct->seqadj[FLOW_REPLY]);
	case BYTES(12):
		return read_synproxy(w, ct);
	case BYTES(13):
		return read_name(w, ct->helper, sizeof(ct->helper));
	case BYTES(14):
		return read_master(w, ct);
	case FIXED(15):
		ct->vtag[FLOW_ORIG] = (uint32_t)w->value;
		return true;
	case FIXED(16):
		ct->vtag[FLOW_REPLY] = (uint32_t)w->value;
		return true;
	case VARINT(17):
		return read_u8(w, &ct->dccp_role) && ct->dccp_role <= 2;
	case FIXED64(18):
		ct->dccp_handshake_seq = w->value;
		return true;
	}
	return true;
}

static bool read_conntrack_field(const struct wire_field *w, struct flow *f)
{
	struct flow_conntrack *ct = &f->ct;

	switch (w->tag) {
	case BYTES(1):
		return read_reply_addr(w, f->key.addr_len, &ct->reply_src);
	case BYTES(2):
		return read_reply_addr(w, f->key.addr_len, &ct->reply_dst);
	case VARINT(3):
		return read_port1(w, flow_key_mirrored_sport(&f->key), &ct->reply_sport);
	case VARINT(4):
		return read_port1(w, f->key.sport, &ct->reply_dport);
	case VARINT(5):
		ct->status = (uint32_t)w->value & FLOW_STATUS_MASK;
		return true;
	case VARINT(6):
		return read_u8(w, &ct->state);
	case VARINT(7):
		unpack_window(w->value, ct);
		return true;
	case VARINT(8):
		ct->mark = (uint32_t)w->value;
		return true;
	}
	return read_conntrack_rest(w, ct);
}

static bool read_conntrack(struct wire_reader r, struct flow *f)
{
	struct wire_field w;
	int more;

	while ((more = wire_read_field(&r, &w)) > 0) {
		if (!read_conntrack_field(&w, f))
			return false;
	}
	return more == 0;
}

static bool read_ipvs_field(const struct wire_field *w, struct flow_ipvs *v)
{
	switch (w->tag) {
	case BYTES(1):
		v->dest_len = (uint8_t)w->len;
		return read_addr(w, &v->dest);
	case VARINT(2):
		return read_u16(w, &v->dport);
	case VARINT(3):
		v->flags = (uint32_t)w->value & FLOW_IPVS_FLAGS_MASK;
		return true;
	case VARINT(4):
		return read_u16(w, &v->state);
	case VARINT(5):
		v->fwmark = (uint32_t)w->value;
		return true;
	case BYTES(6):
		return read_ipvs_seq(w, &v->in_seq);
	case BYTES(7):
		return read_ipvs_seq(w, &v->out_seq);
	case BYTES(8):
		return read_name(w, v->pe_name, sizeof(v->pe_name));
	case VARINT(9):
		v->timeout_s = (uint32_t)w->value;
		return true;
	case BYTES(10):
		v->has_control = true;
		return read_key(reader_of(w), &v->control) && v->control.kind == FLOW_IPVS;
	}
	return true;
}

static bool read_ipvs(struct wire_reader r, struct flow_ipvs *v)
{
	struct wire_field w;
	int more;

	while ((more = wire_read_field(&r, &w)) > 0) {
		if (!read_ipvs_field(&w, v))
			return false;
	}
	return more == 0;
}

int flow_key_slice(const uint8_t *buf, size_t len, const uint8_t **key, size_t *key_len)
{
	struct wire_reader r = wire_reader_over(buf, len);
	struct wire_field w;

	if (wire_read_field(&r, &w) != 1 || w.tag != BYTES(1) || !w.len || w.len > FLOW_KEY_MAX)
		return -EBADMSG;
	*key = w.bytes;
	*key_len = w.len;
	return 0;
}

int flow_key_decode(const uint8_t *buf, size_t len, struct flow_key *out)
{
	struct flow_key k;

	if (!read_key(wire_reader_over(buf, len), &k))
		return -EBADMSG;
	*out = k;
	return 0;
}

/* What stands for the kind that the key does not have, or a second key, leaves two readings. */
static bool read_flow_field(const struct wire_field *w, struct flow *f)
{
	switch (w->tag) {
	case BYTES(1):
		return false;
	case BYTES(2):
		return f->key.kind == FLOW_CONNTRACK && read_conntrack(reader_of(w), f);
	case BYTES(3):
		return f->key.kind == FLOW_IPVS && read_ipvs(reader_of(w), &f->ipvs);
	}
	return true;
}

int flow_decode(const uint8_t *buf, size_t len, struct flow *out)
{
	struct wire_reader r = wire_reader_over(buf, len);
	struct wire_field w;
	struct flow f;
	int more;

	memset(&f, 0, sizeof(f));
	if (wire_read_field(&r, &w) != 1 || w.tag != BYTES(1) || w.len > FLOW_KEY_MAX ||
	    !read_key(reader_of(&w), &f.key))
		return -EBADMSG;
	if (f.key.kind == FLOW_CONNTRACK)
		flow_mirror_reply(&f);
	while ((more = wire_read_field(&r, &w)) > 0) {
		if (!read_flow_field(&w, &f))
			return -EBADMSG;
	}
	if (more < 0 || (f.key.kind == FLOW_IPVS && !f.ipvs.dest_len))
		return -EBADMSG;
	*out = f;
	return 0;
}
