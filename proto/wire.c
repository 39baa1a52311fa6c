/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the wire format's reader and writer that are not worth inlining. */
#include <errno.h>

#include "proto/wire.h"

uint8_t *wire_put_length(uint8_t *body, uint8_t *end)
{
	size_t len = (size_t)(end - body);
	size_t extra = wire_varint_size(len) - 1;

	if (extra)
		memmove(body + extra, body, len);
	wire_put_varint(body - 1, len);
	return end + extra;
}

/* ---- bounded writer ---- */

/* Where n more bytes go, or NULL where they do not fit. */
static uint8_t *wire_take(struct wire_writer *w, size_t n)
{
	uint8_t *p;

	if (w->full || n > w->cap - w->len) {
		w->full = true;
		return NULL;
	}
	p = w->buf + w->len;
	w->len += n;
	return p;
}

void wire_write_varint_always(struct wire_writer *w, uint32_t tag, uint64_t v)
{
	uint8_t *p = wire_take(w, wire_varint_size(tag) + wire_varint_size(v));

	if (p)
		wire_put_varint(wire_put_varint(p, tag), v);
}

void wire_write_varint(struct wire_writer *w, uint32_t tag, uint64_t v)
{
	if (v)
		wire_write_varint_always(w, tag, v);
}

void wire_write_i32(struct wire_writer *w, uint32_t tag, uint32_t v)
{
	uint8_t *p;

	if (!v)
		return;
	p = wire_take(w, wire_varint_size(tag) + sizeof(v));
	if (p)
		wire_put_i32(wire_put_varint(p, tag), v);
}

void wire_write_i64_always(struct wire_writer *w, uint32_t tag, uint64_t v)
{
	uint8_t *p = wire_take(w, wire_varint_size(tag) + sizeof(v));

	if (p)
		wire_put_i64(wire_put_varint(p, tag), v);
}

void wire_write_i64(struct wire_writer *w, uint32_t tag, uint64_t v)
{
	if (v)
		wire_write_i64_always(w, tag, v);
}

void wire_write_bytes_always(struct wire_writer *w, uint32_t tag, const void *bytes, size_t len)
{
	uint8_t *p = wire_take(w, wire_varint_size(tag) + wire_varint_size(len) + len);

	if (p)
		wire_put_bytes(wire_put_varint(p, tag), bytes, len);
}

void wire_write_bytes(struct wire_writer *w, uint32_t tag, const void *bytes, size_t len)
{
	if (len)
		wire_write_bytes_always(w, tag, bytes, len);
}

size_t wire_write_begin(struct wire_writer *w, uint32_t tag)
{
	uint8_t *p = wire_take(w, wire_varint_size(tag) + 1);

	if (p)
		wire_put_varint(p, tag);
	return w->len;
}

void wire_write_end(struct wire_writer *w, size_t mark)
{
	size_t extra;

	if (w->full)
		return;
	extra = wire_varint_size(w->len - mark) - 1;
	if (extra > w->cap - w->len) {
		w->full = true;
		return;
	}
	w->len = (size_t)(wire_put_length(w->buf + mark, w->buf + w->len) - w->buf);
}

/* ---- reader ---- */

bool wire_read_varint_long(struct wire_reader *r, uint64_t *out)
{
	const uint8_t *p = r->p;
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && p < r->end; shift += 7) {
		uint8_t b = *p++;

		if (shift == 63 && b > 1)
			return false;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80) {
			r->p = p;
			*out = v;
			return true;
		}
	}
	return false;
}

static bool wire_read_fixed(struct wire_reader *r, size_t len, uint64_t *out)
{
	uint64_t v = 0;

	if ((size_t)(r->end - r->p) < len)
		return false;
	memcpy(&v, r->p, len);
	*out = le64toh(v);
	r->p += len;
	return true;
}

static bool wire_read_len(struct wire_reader *r, struct wire_field *out)
{
	uint64_t len;

	if (!wire_read_varint(r, &len) || len > (size_t)(r->end - r->p))
		return false;
	out->bytes = r->p;
	out->len = (size_t)len;
	r->p += len;
	return true;
}

int wire_read_field_any(struct wire_reader *r, struct wire_field *out)
{
	uint64_t tag;
	bool ok = false;

	if (r->p == r->end)
		return 0;
	if (!wire_read_varint(r, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
		return -EBADMSG;
	out->tag = (uint32_t)tag;
	switch (tag & 7) {
	case WIRE_VARINT:
		ok = wire_read_varint(r, &out->value);
		break;
	case WIRE_I64:
		ok = wire_read_fixed(r, 8, &out->value);
		break;
	case WIRE_LEN:
		ok = wire_read_len(r, out);
		break;
	case WIRE_I32:
		ok = wire_read_fixed(r, 4, &out->value);
		break;
	}
	return ok ? 1 : -EBADMSG;
}
