// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_sync_message.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "syncd/kernel/ipvs_flow.h"
#include "syncd/kernel/ipvs_sync_message.h"

enum {
	VERSION = 1,
	TYPE_IPV6 = 1,
	SIZE_MASK = 0x0fff, /* of ver_size; above it the record's version, 0 */
	FIXED = 24,	    /* before the addresses */
	OPT_SEQ = 1,
	OPT_PE_DATA = 2,
	OPT_PE_NAME = 3,
	OPT_REQUIRED = 0x80, /* IPVS_OPT_F_PARAM: who does not know it drops the record */
	SEQ_BYTES = 24,
	COUNT_MAX = 255,
	END_TIMEOUT_S = 1,
};

/* ---- bytes ----------------------------------------------------------------------------------- */

static uint8_t *put16(uint8_t *p, uint16_t v)
{
	v = htons(v);
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static uint8_t *put_bytes(uint8_t *p, const void *from, size_t len)
{
	memcpy(p, from, len);
	return p + len;
}

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return ntohs(v);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return ntohl(v);
}

/* ---- writing --------------------------------------------------------------------------------- */

void ipvs_sync_begin(struct ipvs_sync_writer *w, uint8_t *buf, size_t cap, uint8_t syncid)
{
	*w = (struct ipvs_sync_writer){.buf = buf, .cap = cap, .len = IPVS_SYNC_HEADER};
	memset(buf, 0, IPVS_SYNC_HEADER);
	buf[1] = syncid;
	buf[5] = VERSION;
}

void ipvs_sync_end(struct ipvs_sync_writer *w)
{
	(void)put16(w->buf + 2, (uint16_t)w->len);
	w->buf[4] = (uint8_t)w->count;
}

bool ipvs_sync_fits(const struct flow *f)
{
	return f->ipvs.dest_len == f->key.addr_len;
}

static uint8_t *put_seqs(uint8_t *p, const struct flow_ipvs *v)
{
	*p++ = OPT_SEQ;
	*p++ = SEQ_BYTES;
	p = put32(p, v->in_seq.init_seq);
	p = put32(p, (uint32_t)v->in_seq.delta);
	p = put32(p, (uint32_t)v->in_seq.previous_delta);
	p = put32(p, v->out_seq.init_seq);
	p = put32(p, (uint32_t)v->out_seq.delta);
	return put32(p, (uint32_t)v->out_seq.previous_delta);
}

static uint8_t *put_engine(uint8_t *p, const struct flow_key *k, const struct flow_ipvs *v)
{
	size_t name = strnlen(v->pe_name, sizeof(v->pe_name));

	if (!k->pe_data_len || !name)
		return p;
	*p++ = OPT_PE_DATA;
	*p++ = k->pe_data_len;
	p = put_bytes(p, k->pe_data, k->pe_data_len);
	*p++ = OPT_PE_NAME;
	*p++ = (uint8_t)name;
	return put_bytes(p, v->pe_name, name);
}

static uint8_t *put_record(uint8_t *start, const struct flow *f, uint32_t timeout_s)
{
	const struct flow_ipvs *v = &f->ipvs;
	struct flow_key k;
	uint8_t *p = start;

	ipvs_flow_key_to_kernel(&f->key, &k);
	*p++ = k.addr_len == 16 ? TYPE_IPV6 : 0;
	*p++ = k.l4proto;
	p = put16(p, 0); /* the size, below */
	p = put32(p, v->flags);
	p = put16(p, v->state);
	p = put16(p, k.sport);
	p = put16(p, k.dport);
	p = put16(p, v->dport);
	p = put32(p, v->fwmark);
	p = put32(p, timeout_s);
	p = put_bytes(p, k.src.b, k.addr_len);
	p = put_bytes(p, k.dst.b, k.addr_len);
	p = put_bytes(p, v->dest.b, k.addr_len);
	if (v->flags & (IPVS_F_IN_SEQ | IPVS_F_OUT_SEQ))
		p = put_seqs(p, v);
	p = put_engine(p, &k, v);
	(void)put16(start + 2, (uint16_t)(p - start));
	while ((p - start) % 4)
		*p++ = 0;
	return p;
}

bool ipvs_sync_add(struct ipvs_sync_writer *w, const struct flow *f, uint32_t timeout_s)
{
	uint8_t *end;

	if (w->count == COUNT_MAX || w->cap - w->len < IPVS_SYNC_RECORD_MAX)
		return false;
	end = put_record(w->buf + w->len, f, timeout_s);
	w->len = (size_t)(end - w->buf);
	w->count++;
	return true;
}

bool ipvs_sync_add_end(struct ipvs_sync_writer *w, const struct flow_key *key)
{
	struct flow f = {.key = *key, .ipvs = {.dest_len = key->addr_len}};

	f.ipvs.flags = key->sport == 0 ? IPVS_F_TEMPLATE : 0;
	if (key->pe_data_len)
		memcpy(f.ipvs.pe_name, "sip", 4); /* the one that Linux has: ip_vs_pe_sip.c */
	return ipvs_sync_add(w, &f, END_TIMEOUT_S);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void read_seq(const uint8_t *p, struct flow_ipvs_seq *out)
{
	out->init_seq = get32(p);
	out->delta = (int32_t)get32(p + 4);
	out->previous_delta = (int32_t)get32(p + 8);
}

static bool read_option(uint8_t type, const uint8_t *data, uint8_t len, struct flow *f)
{
	switch (type & ~OPT_REQUIRED) {
	case OPT_SEQ:
		if (len != SEQ_BYTES)
			return false;
		read_seq(data, &f->ipvs.in_seq);
		read_seq(data + SEQ_BYTES / 2, &f->ipvs.out_seq);
		return true;
	case OPT_PE_DATA:
		f->key.pe_data = data;
		f->key.pe_data_len = len;
		return len > 0;
	case OPT_PE_NAME:
		if (len == 0 || len >= FLOW_PE_NAME_MAX)
			return false;
		memcpy(f->ipvs.pe_name, data, len);
		return true;
	default:
		return !(type & OPT_REQUIRED);
	}
}

static bool read_options(const uint8_t *p, const uint8_t *end, struct flow *f)
{
	while (p < end) {
		if (end - p < 2 || end - p - 2 < p[1] || !read_option(p[0], p + 2, p[1], f))
			return false;
		p += 2 + p[1];
	}
	return true;
}

/* A record of `size` bytes, its fixed part complete. */
static bool read_record(const uint8_t *p, size_t size, struct ipvs_sync_record *out)
{
	struct flow_key *k = &out->flow.key;
	struct flow_ipvs *v = &out->flow.ipvs;
	uint8_t len = p[0] & TYPE_IPV6 ? 16 : 4;
	const uint8_t *addrs = p + FIXED;

	memset(out, 0, sizeof(*out));
	k->kind = FLOW_IPVS;
	k->addr_len = v->dest_len = len;
	k->l4proto = p[1];
	out->flags = get32(p + 4);
	v->state = get16(p + 8);
	k->sport = get16(p + 10);
	k->dport = get16(p + 12);
	v->dport = get16(p + 14);
	v->fwmark = get32(p + 16);
	out->timeout_s = get32(p + 20);
	memcpy(k->src.b, addrs, len);
	memcpy(k->dst.b, addrs + len, len);
	memcpy(v->dest.b, addrs + 2 * len, len);
	if (!read_options(addrs + 3 * (size_t)len, p + size, &out->flow))
		return false;
	out->wanted = ipvs_flow_take(&out->flow, out->flags,
				     out->timeout_s > UINT32_MAX / 1000 ? UINT32_MAX
									: out->timeout_s * 1000);
	return true;
}

int ipvs_sync_read(const uint8_t *buf, size_t len, uint8_t syncid, ipvs_sync_fn *fn, void *ctx)
{
	struct ipvs_sync_record r;
	size_t at = IPVS_SYNC_HEADER, size, fixed;

	if (len < IPVS_SYNC_HEADER || buf[0] != 0 || buf[5] != VERSION || get16(buf + 2) != len)
		return -EBADMSG;
	if (buf[1] != syncid)
		return -ENOMSG;
	for (unsigned i = 0; i < buf[4]; i++) {
		if (at > len || len - at < FIXED)
			return -EBADMSG;
		fixed = FIXED + (buf[at] & TYPE_IPV6 ? 48u : 12u);
		size = get16(buf + at + 2) & SIZE_MASK;
		if (get16(buf + at + 2) & ~SIZE_MASK || size < fixed || size > len - at ||
		    !read_record(buf + at, size, &r))
			return -EBADMSG;
		fn(ctx, &r);
		at += (size + 3) & ~(size_t)3;
	}
	return buf[4];
}
