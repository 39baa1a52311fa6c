/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink attributes, read and written in place. Inline because some thirty of them are walked for
 * each event: the time of a call each would be that of the whole parser. Used by the kernel's
 * edges only; knows nothing of conntrack.
 */
#ifndef SYNCD_KERNEL_CT_ATTR_H
#define SYNCD_KERNEL_CT_ATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/netlink.h>

/* What is left to read of a row of attributes. */
struct ct_attrs {
	const uint8_t *at;
	size_t left;
};

/* One attribute read: its type without the flag bits, and its payload. */
struct ct_attr {
	unsigned type;
	unsigned len;
	const uint8_t *data;
};

/* Reads the next attribute. Returns false at the end and at the first malformed one. */
static inline bool ct_attr_next(struct ct_attrs *row, struct ct_attr *out)
{
	struct nlattr head;
	size_t step;

	if (row->left < sizeof(head))
		return false;
	memcpy(&head, row->at, sizeof(head));
	if (head.nla_len < sizeof(head) || head.nla_len > row->left)
		return false;
	out->type = head.nla_type & NLA_TYPE_MASK;
	out->len = head.nla_len - (unsigned)sizeof(head);
	out->data = row->at + sizeof(head);
	step = NLA_ALIGN((size_t)head.nla_len);
	if (step > row->left)
		step = row->left;
	row->at += step;
	row->left -= step;
	return true;
}

static inline struct ct_attrs ct_attr_nested(const struct ct_attr *a)
{
	return (struct ct_attrs){a->data, a->len};
}

/* Payloads in network byte order; one that is too short reads as zero. */
static inline uint8_t ct_attr_u8(const struct ct_attr *a)
{
	return a->len >= 1 ? a->data[0] : 0;
}

static inline uint16_t ct_attr_be16(const struct ct_attr *a)
{
	uint16_t v;

	if (a->len < sizeof(v))
		return 0;
	memcpy(&v, a->data, sizeof(v));
	return __builtin_bswap16(v);
}

static inline uint32_t ct_attr_be32(const struct ct_attr *a)
{
	uint32_t v;

	if (a->len < sizeof(v))
		return 0;
	memcpy(&v, a->data, sizeof(v));
	return __builtin_bswap32(v);
}

static inline uint64_t ct_attr_be64(const struct ct_attr *a)
{
	uint64_t v;

	if (a->len < sizeof(v))
		return 0;
	memcpy(&v, a->data, sizeof(v));
	return __builtin_bswap64(v);
}

/* A writer: the caller has made sure that what it writes fits between at and the buffer's end. */
struct ct_writer {
	uint8_t *at;
};

static inline uint8_t *ct_put_head(struct ct_writer *w, unsigned type, size_t len)
{
	struct nlattr head = {.nla_len = (uint16_t)(sizeof(head) + len),
			      .nla_type = (uint16_t)type};
	uint8_t *data = w->at + sizeof(head);
	size_t padded = NLA_ALIGN(len);

	memcpy(w->at, &head, sizeof(head));
	if (padded != len)
		memset(data + padded - NLA_ALIGNTO, 0, NLA_ALIGNTO);
	w->at = data + padded;
	return data;
}

static inline void ct_put(struct ct_writer *w, unsigned type, const void *data, size_t len)
{
	memcpy(ct_put_head(w, type, len), data, len);
}

static inline void ct_put_u8(struct ct_writer *w, unsigned type, uint8_t v)
{
	*ct_put_head(w, type, sizeof(v)) = v;
}

static inline void ct_put_be16(struct ct_writer *w, unsigned type, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(ct_put_head(w, type, sizeof(v)), &v, sizeof(v));
}

static inline void ct_put_be32(struct ct_writer *w, unsigned type, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(ct_put_head(w, type, sizeof(v)), &v, sizeof(v));
}

static inline void ct_put_be64(struct ct_writer *w, unsigned type, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(ct_put_head(w, type, sizeof(v)), &v, sizeof(v));
}

/* Opens a nest; hand what it returns to ct_nest_end once its attributes are written. */
static inline uint8_t *ct_nest_begin(struct ct_writer *w, unsigned type)
{
	uint8_t *nest = w->at;

	(void)ct_put_head(w, type | NLA_F_NESTED, 0);
	return nest;
}

static inline void ct_nest_end(const struct ct_writer *w, uint8_t *nest)
{
	uint16_t len = (uint16_t)(w->at - nest);

	memcpy(nest, &len, sizeof(len));
}

#endif
