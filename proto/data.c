/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sync.Data's writer and reader. Flows pass through as slices: they were encoded at one kernel's
 * edge and are decoded at the other's.
 */
#include <assert.h>
#include <errno.h>

#include "proto/data.h"
#include "proto/data_range.h"
#include "proto/flow_codec.h"
#include "proto/wire.h"

/* Fields of sync.Data, sync.Range, sync.Check and sync.Digests. */
enum {
	TAG_SENT = WIRE_TAG(1, WIRE_I64),
	TAG_GROUP = WIRE_TAG(2, WIRE_VARINT),
	TAG_TERM = WIRE_TAG(3, WIRE_VARINT),
	TAG_PUT = WIRE_TAG(4, WIRE_LEN),
	TAG_DEL = WIRE_TAG(5, WIRE_LEN),
	TAG_RANGE = WIRE_TAG(6, WIRE_LEN),
	TAG_CHECK = WIRE_TAG(7, WIRE_LEN),
	TAG_DIGESTS = WIRE_TAG(8, WIRE_LEN),
	TAG_FINAL = WIRE_TAG(9, WIRE_VARINT),

	RANGE_LO = WIRE_TAG(1, WIRE_I64),
	RANGE_DEPTH = WIRE_TAG(2, WIRE_VARINT),

	CHECK_DIGEST = WIRE_TAG(1, WIRE_I64),
	CHECK_COUNT = WIRE_TAG(2, WIRE_VARINT),
	CHECK_COMPLETE = WIRE_TAG(3, WIRE_VARINT),

	DIGESTS_RANGE = WIRE_TAG(1, WIRE_LEN),
	DIGESTS_COUNT = WIRE_TAG(2, WIRE_VARINT),
	DIGESTS_DIGEST = WIRE_TAG(3, WIRE_I64),
	DIGESTS_PACKED = WIRE_TAG(3, WIRE_LEN),
};

/* ---- writing ---- */

static struct wire_writer writer_of(const struct data_writer *w)
{
	return (struct wire_writer){.buf = w->buf, .len = w->len, .cap = w->cap};
}

/* Takes over what was written, or leaves it all out. */
static bool keep(struct data_writer *w, const struct wire_writer *ww)
{
	if (!ww->full)
		w->len = ww->len;
	return !ww->full;
}

void data_begin(struct data_writer *w, uint8_t *buf, size_t cap, uint64_t sent_us, uint32_t group,
		uint64_t term)
{
	struct wire_writer ww = {.buf = buf, .len = 0, .cap = cap};

	wire_write_i64(&ww, TAG_SENT, sent_us);
	wire_write_varint(&ww, TAG_GROUP, group);
	wire_write_varint(&ww, TAG_TERM, term);
	assert(!ww.full);
	*w = (struct data_writer){.buf = buf, .len = ww.len, .cap = cap};
}

bool data_add_put(struct data_writer *w, const uint8_t *flow, size_t len)
{
	struct wire_writer ww = writer_of(w);

	wire_write_bytes_always(&ww, TAG_PUT, flow, len);
	return keep(w, &ww);
}

bool data_add_del(struct data_writer *w, const uint8_t *key, size_t len)
{
	struct wire_writer ww = writer_of(w);

	wire_write_bytes_always(&ww, TAG_DEL, key, len);
	return keep(w, &ww);
}

void data_write_range(struct wire_writer *w, uint32_t tag, struct hash_range r)
{
	size_t mark = wire_write_begin(w, tag);

	wire_write_i64(w, RANGE_LO, r.lo);
	wire_write_varint(w, RANGE_DEPTH, r.depth);
	wire_write_end(w, mark);
}

bool data_add_range(struct data_writer *w, struct hash_range r)
{
	struct wire_writer ww = writer_of(w);

	data_write_range(&ww, TAG_RANGE, r);
	return keep(w, &ww);
}

bool data_add_check(struct data_writer *w, const struct data_check *c)
{
	struct wire_writer ww = writer_of(w);
	size_t mark = wire_write_begin(&ww, TAG_CHECK);

	wire_write_i64(&ww, CHECK_DIGEST, c->digest);
	wire_write_varint(&ww, CHECK_COUNT, c->count);
	wire_write_varint(&ww, CHECK_COMPLETE, c->complete);
	wire_write_end(&ww, mark);
	return keep(w, &ww);
}

/* Sub-ranges are of equal size, so there is a power of two of them, and they end at single hashes.
 */
static bool fanout_valid(struct hash_range r, size_t n)
{
	return n > 0 && n <= REPAIR_FANOUT && !(n & (n - 1)) && r.depth + __builtin_ctzll(n) <= 64;
}

bool data_add_digests(struct data_writer *w, struct hash_range r, uint64_t count,
		      const uint64_t *digest, size_t n)
{
	struct wire_writer ww = writer_of(w);
	size_t mark = wire_write_begin(&ww, TAG_DIGESTS);
	uint64_t packed[REPAIR_FANOUT];

	assert(fanout_valid(r, n));
	data_write_range(&ww, DIGESTS_RANGE, r);
	wire_write_varint(&ww, DIGESTS_COUNT, count);
	for (size_t i = 0; i < n; i++)
		packed[i] = htole64(digest[i]);
	wire_write_bytes(&ww, DIGESTS_PACKED, packed, n * sizeof(packed[0]));
	wire_write_end(&ww, mark);
	return keep(w, &ww);
}

bool data_add_final(struct data_writer *w)
{
	struct wire_writer ww = writer_of(w);

	wire_write_varint(&ww, TAG_FINAL, 1);
	return keep(w, &ww);
}

size_t data_put_size(size_t len)
{
	return wire_varint_size(TAG_PUT) + wire_varint_size(len) + len;
}

/* ---- reading ---- */

bool data_read_range(const uint8_t *buf, size_t len, struct hash_range *out)
{
	struct wire_reader r = wire_reader_over(buf, len);
	struct wire_field f;
	uint64_t lo = 0, depth = 0;
	int more;

	while ((more = wire_read_field(&r, &f)) > 0) {
		if (f.tag == RANGE_LO)
			lo = f.value;
		else if (f.tag == RANGE_DEPTH)
			depth = f.value;
	}
	if (more < 0 || depth > 64)
		return false;
	*out = (struct hash_range){.lo = lo, .depth = (uint8_t)depth};
	return depth == 64 || !(lo & (UINT64_MAX >> depth));
}

static bool read_check(const struct wire_field *outer, struct data_check *c)
{
	struct wire_reader r = wire_reader_over(outer->bytes, outer->len);
	struct wire_field f;
	int more;

	*c = (struct data_check){0};
	while ((more = wire_read_field(&r, &f)) > 0) {
		if (f.tag == CHECK_DIGEST)
			c->digest = f.value;
		else if (f.tag == CHECK_COUNT)
			c->count = f.value;
		else if (f.tag == CHECK_COMPLETE)
			c->complete = f.value != 0;
	}
	return more == 0;
}

static bool read_packed(const struct wire_field *f, struct data_digests *d)
{
	size_t n = f->len / sizeof(uint64_t);

	if (f->len % sizeof(uint64_t) || n > REPAIR_FANOUT - d->n)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint64_t v;

		memcpy(&v, f->bytes + i * sizeof(v), sizeof(v));
		d->digest[d->n++] = le64toh(v);
	}
	return true;
}

static bool read_digests_field(const struct wire_field *f, struct data_digests *d, bool *has_range)
{
	switch (f->tag) {
	case DIGESTS_RANGE:
		*has_range = true;
		return data_read_range(f->bytes, f->len, &d->range);
	case DIGESTS_COUNT:
		d->count = f->value;
		return true;
	case DIGESTS_DIGEST:
		if (d->n == REPAIR_FANOUT)
			return false;
		d->digest[d->n++] = f->value;
		return true;
	case DIGESTS_PACKED:
		return read_packed(f, d);
	}
	return true;
}

static bool read_digests(const struct wire_field *outer, struct data_digests *d)
{
	struct wire_reader r = wire_reader_over(outer->bytes, outer->len);
	struct wire_field f;
	bool has_range = false;
	int more;

	d->count = 0;
	d->n = 0;
	while ((more = wire_read_field(&r, &f)) > 0) {
		if (!read_digests_field(&f, d, &has_range))
			return false;
	}
	return more == 0 && has_range && fanout_valid(d->range, d->n);
}

static bool put_valid(const struct wire_field *f)
{
	const uint8_t *key;
	size_t key_len;

	return f->len <= FLOW_MAX && !flow_key_slice(f->bytes, f->len, &key, &key_len);
}

static bool read_info_piece(const struct wire_field *f, struct data_info *info)
{
	struct data_digests digests;

	switch (f->tag) {
	case TAG_PUT:
		info->puts++;
		return put_valid(f);
	case TAG_DEL:
		info->dels++;
		return f->len > 0 && f->len <= FLOW_KEY_MAX;
	case TAG_RANGE:
		if (info->has_range)
			return false;
		info->has_range = true;
		return data_read_range(f->bytes, f->len, &info->range);
	case TAG_CHECK:
		if (info->has_check)
			return false;
		info->has_check = true;
		return read_check(f, &info->check);
	case TAG_DIGESTS:
		info->digests++;
		return read_digests(f, &digests);
	}
	return true;
}

static bool read_info_field(const struct wire_field *f, struct data_info *info)
{
	switch (f->tag) {
	case TAG_SENT:
		info->sent_us = f->value;
		return true;
	case TAG_GROUP:
		info->group = (uint32_t)f->value;
		return f->value <= UINT32_MAX;
	case TAG_TERM:
		info->term = f->value;
		return true;
	case TAG_FINAL:
		info->final = f->value != 0;
		return true;
	}
	return read_info_piece(f, info);
}

/*
 * What datagrams consist of: a put or delete whose length, and that of the key in it, takes one
 * byte; tag and length of both are looked at in one word.
 */
enum {
	SHORT_LEN = 0x7f << 8,
	SHORT_DEL = TAG_DEL,
	SHORT_DEL_MASK = 0x80ff,
	SHORT_PUT = TAG_PUT | WIRE_TAG(1, WIRE_LEN) << 16,
};
static const uint32_t short_put_mask = 0x80ff80ff;

/* Returns its size with the key, or 0: it may be good, and is to be read with more care. */
static inline size_t read_short(const uint8_t *p, const uint8_t *end, bool *put,
				struct digest_input *key)
{
	uint32_t head, len, key_len;

	if (end - p < (ptrdiff_t)sizeof(head))
		return 0;
	memcpy(&head, p, sizeof(head));
	head = le32toh(head);
	len = (head & SHORT_LEN) >> 8;
	if ((head & short_put_mask) == SHORT_PUT) {
		key_len = head >> 24;
		if (!key_len || key_len + 2 > len)
			return 0;
		*put = true;
		*key = (struct digest_input){p + 4, key_len};
	} else {
		if ((head & SHORT_DEL_MASK) != SHORT_DEL || !len)
			return 0;
		*put = false;
		*key = (struct digest_input){p + 2, len};
	}
	return end - p - 2 < (ptrdiff_t)len ? 0 : len + 2;
}

static inline void batch_add(struct data_batch *b, const struct digest_input *key, bool put,
			     const uint8_t *flow, size_t flow_len)
{
	b->key[b->n] = *key;
	b->put[b->n++] = put;
	b->flow[b->puts] = (struct digest_input){flow, flow_len};
	b->puts += put;
}

/* Short ones, as many as there are and find room. */
static inline void batch_add_short(struct data_batch *b, struct wire_reader *r)
{
	struct digest_input key;
	bool put;
	size_t n;

	for (; b->n < DATA_BATCH && (n = read_short(r->p, r->end, &put, &key)) != 0; r->p += n)
		batch_add(b, &key, put, r->p + 2, n - 2);
}

static inline void count_short(struct wire_reader *r, struct data_info *info)
{
	struct digest_input key;
	bool put;

	for (size_t n; (n = read_short(r->p, r->end, &put, &key)) != 0; r->p += n) {
		info->puts += put;
		info->dels += !put;
	}
}

/* Into b goes what comes before `rest`. */
static inline int read_all(const uint8_t *buf, size_t len, struct data_info *out,
			   struct data_batch *b, const uint8_t **rest)
{
	struct wire_reader r = wire_reader_over(buf, len);
	struct data_info info = {0};
	struct wire_field f;
	int more = 1;

	while (more > 0) {
		const uint8_t *at;

		if (b && !*rest) {
			batch_add_short(b, &r);
			if (b->n == DATA_BATCH)
				*rest = r.p;
		}
		count_short(&r, &info);
		at = r.p;
		more = wire_read_field(&r, &f);
		if (more <= 0)
			break;
		if (!read_info_field(&f, &info))
			return -EBADMSG;
		if (b && !*rest && (f.tag == TAG_PUT || f.tag == TAG_DEL))
			*rest = at;
	}
	if (more < 0)
		return -EBADMSG;
	*out = info;
	return 0;
}

int data_read(const uint8_t *buf, size_t len, struct data_info *out)
{
	return read_all(buf, len, out, NULL, NULL);
}

int data_read_batch(const uint8_t *buf, size_t len, struct data_info *out, struct data_batch *b,
		    struct data_iter *it)
{
	size_t n = b->n, puts = b->puts;
	const uint8_t *rest = NULL;

	if (read_all(buf, len, out, b, &rest)) {
		b->n = n;
		b->puts = puts;
		return -EBADMSG;
	}
	out->puts += (uint32_t)(b->puts - puts);
	out->dels += (uint32_t)(b->n - n - (b->puts - puts));
	data_iter_init(it, rest, rest ? (size_t)(buf + len - rest) : 0);
	return 0;
}

void data_iter_init(struct data_iter *it, const uint8_t *buf, size_t len)
{
	struct wire_reader r = wire_reader_over(buf, len);

	it->p = r.p;
	it->end = r.end;
	it->bytes = NULL;
	it->len = 0;
}

static enum data_piece piece_of(uint32_t tag)
{
	switch (tag) {
	case TAG_PUT:
		return DATA_PUT;
	case TAG_DEL:
		return DATA_DEL;
	case TAG_DIGESTS:
		return DATA_DIGESTS;
	}
	return DATA_END;
}

enum data_piece data_iter_next(struct data_iter *it)
{
	struct wire_reader r = {it->p, it->end};
	enum data_piece piece = DATA_END;
	struct wire_field f;

	while (piece == DATA_END && wire_read_field(&r, &f) > 0)
		piece = piece_of(f.tag);
	it->p = r.p;
	if (piece == DATA_END)
		return DATA_END;
	it->bytes = f.bytes;
	it->len = f.len;
	if (piece == DATA_DIGESTS && !read_digests(&f, &it->digests))
		return DATA_END;
	return piece;
}

bool data_iter_batch(struct data_iter *it, struct data_batch *b)
{
	struct wire_reader r = {it->p, it->end};
	bool more = true;

	while (more) {
		struct digest_input key;
		struct wire_field f;

		batch_add_short(b, &r);
		if (b->n == DATA_BATCH)
			break;
		more = wire_read_field(&r, &f) > 0;
		if (!more || (f.tag != TAG_PUT && f.tag != TAG_DEL))
			continue;
		key = (struct digest_input){f.bytes, f.len};
		if (f.tag == TAG_DEL || !flow_key_slice(f.bytes, f.len, &key.bytes, &key.len))
			batch_add(b, &key, f.tag == TAG_PUT, f.bytes, f.len);
	}
	it->p = r.p;
	return more;
}
