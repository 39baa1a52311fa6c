/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protobuf's wire format, as much of it as proto/sync.proto needs: varints, fixed integers and
 * length-delimited fields (https://protobuf.dev/programming-guides/encoding/). The reader is safe
 * on any input; the put functions are for callers who know that the space is there, the writer for
 * those who do not. Private to floor 0 and its tests.
 */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum wire_type { WIRE_VARINT = 0, WIRE_I64 = 1, WIRE_LEN = 2, WIRE_I32 = 5 };

/* A field's number and type as it stands on the wire; one byte for numbers up to 15. */
#define WIRE_TAG(number, type) ((uint32_t)(number) << 3 | (uint32_t)(type))

enum { WIRE_VARINT32_MAX = 5 };

static inline size_t wire_varint_size(uint64_t v)
{
	return (size_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}

static inline uint32_t wire_zigzag32(int32_t v)
{
	return (uint32_t)v << 1 ^ (v < 0 ? UINT32_MAX : 0);
}

static inline int32_t wire_unzigzag32(uint32_t v)
{
	return (int32_t)(v >> 1 ^ -(v & 1));
}

/* ---- writing where space is known: each returns the position after what it wrote ---- */

static inline uint8_t *wire_put_varint(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

static inline uint8_t *wire_put_i32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static inline uint8_t *wire_put_i64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static inline uint8_t *wire_put_bytes(uint8_t *p, const void *bytes, size_t len)
{
	p = wire_put_varint(p, len);
	if (len)
		memcpy(p, bytes, len);
	return p + len;
}

/*
 * Ends a message whose body was written at body, one byte after its tag: writes the length there,
 * and makes room where it takes more than that byte. Returns the new end.
 */
uint8_t *wire_put_length(uint8_t *body, uint8_t *end);

/* ---- writing into a bounded buffer; what does not fit sets full, and nothing more is written ----
 */

struct wire_writer {
	uint8_t *buf;
	size_t len, cap;
	bool full;
};

/* Each writes tag and value; those without `always` leave out the default value (zero, empty). */
void wire_write_varint(struct wire_writer *w, uint32_t tag, uint64_t v);
void wire_write_varint_always(struct wire_writer *w, uint32_t tag, uint64_t v);
void wire_write_i32(struct wire_writer *w, uint32_t tag, uint32_t v);
void wire_write_i64(struct wire_writer *w, uint32_t tag, uint64_t v);
void wire_write_i64_always(struct wire_writer *w, uint32_t tag, uint64_t v);
void wire_write_bytes(struct wire_writer *w, uint32_t tag, const void *bytes, size_t len);
void wire_write_bytes_always(struct wire_writer *w, uint32_t tag, const void *bytes, size_t len);

/* Begins a message field; the mark that it returns goes to wire_write_end. */
size_t wire_write_begin(struct wire_writer *w, uint32_t tag);
void wire_write_end(struct wire_writer *w, size_t mark);

/* ---- reading ---- */

struct wire_reader {
	const uint8_t *p, *end;
};

struct wire_field {
	uint32_t tag;	      /* WIRE_TAG: compare number and type at once */
	uint64_t value;	      /* varint and fixed integers */
	const uint8_t *bytes; /* WIRE_LEN: borrowed from what is read */
	size_t len;
};

static inline struct wire_reader wire_reader_over(const uint8_t *buf, size_t len)
{
	/* An empty slice may come with no buffer, and arithmetic on NULL is undefined. */
	static const uint8_t none[1];

	return len ? (struct wire_reader){buf, buf + len} : (struct wire_reader){none, none};
}

bool wire_read_varint_long(struct wire_reader *r, uint64_t *out);

/* False where it is cut short or longer than 64 bits. */
static inline bool wire_read_varint(struct wire_reader *r, uint64_t *out)
{
	if (r->p < r->end && *r->p < 0x80) {
		*out = *r->p++;
		return true;
	}
	return wire_read_varint_long(r, out);
}

/*
 * Reads the next field. Returns 1, 0 at the end, -EBADMSG where it is cut short or of a type that
 * no proto3 encoder writes. Callers skip a tag they do not know by going on.
 */
int wire_read_field_any(struct wire_reader *r, struct wire_field *out);

static inline int wire_read_field(struct wire_reader *r, struct wire_field *out)
{
	const uint8_t *p = r->p;

	/* What datagrams consist of: flows and keys below 128 bytes. */
	if (r->end - p < 2 || p[0] < 8 || p[0] >= 0x80 || (p[0] & 7) != WIRE_LEN || p[1] >= 0x80 ||
	    r->end - p - 2 < p[1])
		return wire_read_field_any(r, out);
	*out = (struct wire_field){.tag = p[0], .bytes = p + 2, .len = p[1]};
	r->p = p + 2 + p[1];
	return 1;
}

#endif
