// SPDX-License-Identifier: GPL-2.0-or-later
/* See warm.h. */
#include "syncd/warm/warm.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "proto/flow_codec.h"

enum {
	HEAD_LEN = 8 + 4 + 4 + 2 + 4 + WARM_BOOT_ID_LEN + 8 + 8 + 8 + 8,
	PIECE_LEN = 3, /* kind, length */
	GROUP_LEN = 4 + 1 + 8 + 2 + 8 + 8 + 8 + 2 + 8,
	END_LEN = 16,
	FLUSH_BYTES = 1 << 16,
};

static const uint8_t magic[8] = {'s', 'y', 'n', 'c', 'd', 'w', 'r', 'm'};

/* ---- integers ---- */

static void put(uint8_t **p, uint64_t v, size_t bytes)
{
	uint64_t be = htobe64(v << (64 - 8 * bytes));

	memcpy(*p, &be, bytes);
	*p += bytes;
}

static uint64_t get(const uint8_t **p, size_t bytes)
{
	uint64_t be = 0;

	memcpy(&be, *p, bytes);
	*p += bytes;
	return be64toh(be) >> (64 - 8 * bytes);
}

/* ---- writing ---- */

struct warm_writer {
	warm_write_fn *write;
	void *ctx;
	int err;
	XXH3_state_t *hash;
	uint64_t total;
	size_t len;
	uint8_t buf[FLUSH_BYTES];
};

static void flush(struct warm_writer *w)
{
	if (!w->err && w->len > 0)
		w->err = w->write(w->ctx, w->buf, w->len);
	w->len = 0;
}

static void add(struct warm_writer *w, const uint8_t *bytes, size_t len)
{
	if (w->len + len > sizeof(w->buf))
		flush(w);
	memcpy(w->buf + w->len, bytes, len);
	w->len += len;
	w->total += len;
	(void)XXH3_64bits_update(w->hash, bytes, len);
}

static void add_piece(struct warm_writer *w, enum warm_piece kind, const uint8_t *bytes, size_t len)
{
	uint8_t head[PIECE_LEN], *p = head;

	put(&p, kind, 1);
	put(&p, len, 2);
	add(w, head, sizeof(head));
	add(w, bytes, len);
}

static void write_head(struct warm_writer *w, const struct warm_head *h)
{
	uint8_t head[HEAD_LEN], *p = head;

	memcpy(p, magic, sizeof(magic));
	p += sizeof(magic);
	put(&p, WARM_FORMAT, 4);
	put(&p, h->encoder, 4);
	put(&p, h->node, 2);
	put(&p, h->digest_key_id, 4);
	memcpy(p, h->place.boot_id, WARM_BOOT_ID_LEN);
	p += WARM_BOOT_ID_LEN;
	put(&p, h->place.netns, 8);
	put(&p, h->mono_us, 8);
	put(&p, h->wall_us, 8);
	put(&p, h->session, 8);
	add(w, head, sizeof(head));
}

struct warm_writer *warm_write_begin(const struct warm_head *h, warm_write_fn *write, void *ctx)
{
	struct warm_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->hash = XXH3_createState();
	if (!w->hash) {
		free(w);
		return NULL;
	}
	w->write = write;
	w->ctx = ctx;
	(void)XXH3_64bits_reset(w->hash);
	write_head(w, h);
	return w;
}

void warm_write_group(struct warm_writer *w, const struct warm_group *g)
{
	uint8_t bytes[GROUP_LEN], *p = bytes;

	put(&p, g->id, 4);
	put(&p, g->flags, 1);
	put(&p, g->term.number, 8);
	put(&p, g->term.node, 2);
	put(&p, g->fingerprint, 8);
	put(&p, g->flows, 8);
	put(&p, g->digest, 8);
	put(&p, g->as_of_node, 2);
	put(&p, g->as_of_counter, 8);
	add_piece(w, WARM_GROUP, bytes, sizeof(bytes));
}

void warm_write_flow(struct warm_writer *w, const uint8_t *flow, size_t len)
{
	add_piece(w, WARM_FLOW, flow, len);
}

void warm_write_again(struct warm_writer *w, const uint8_t *key, size_t len)
{
	add_piece(w, WARM_AGAIN, key, len);
}

int warm_write_end(struct warm_writer *w)
{
	uint8_t end[PIECE_LEN + END_LEN], *p = end;
	int err;

	put(&p, WARM_END, 1);
	put(&p, END_LEN, 2);
	put(&p, w->total, 8);
	add(w, end, (size_t)(p - end));
	put(&p, XXH3_64bits_digest(w->hash), 8);
	add(w, p - 8, 8);
	flush(w);
	err = w->err;
	(void)XXH3_freeState(w->hash);
	free(w);
	return err;
}

/* ---- reading ---- */

static void read_head(const uint8_t *p, struct warm_head *out)
{
	p += sizeof(magic) + 4;
	out->encoder = (uint32_t)get(&p, 4);
	out->node = (uint16_t)get(&p, 2);
	out->digest_key_id = (uint32_t)get(&p, 4);
	memcpy(out->place.boot_id, p, WARM_BOOT_ID_LEN);
	p += WARM_BOOT_ID_LEN;
	out->place.netns = get(&p, 8);
	out->mono_us = get(&p, 8);
	out->wall_us = get(&p, 8);
	out->session = get(&p, 8);
}

static void read_group(const uint8_t *p, struct warm_group *out)
{
	out->id = (uint32_t)get(&p, 4);
	out->flags = (uint8_t)get(&p, 1);
	out->term.number = get(&p, 8);
	out->term.node = (uint16_t)get(&p, 2);
	out->fingerprint = get(&p, 8);
	out->flows = get(&p, 8);
	out->digest = get(&p, 8);
	out->as_of_node = (uint16_t)get(&p, 2);
	out->as_of_counter = get(&p, 8);
}

static int check_end(const uint8_t *bytes, size_t len)
{
	const size_t before = len - PIECE_LEN - END_LEN;
	const uint8_t *p = bytes + before;

	if (get(&p, 1) != WARM_END || get(&p, 2) != END_LEN || get(&p, 8) != before)
		return -EBADMSG;
	return get(&p, 8) == XXH3_64bits(bytes, len - 8) ? 0 : -EBADMSG;
}

static bool flow_is_good(const uint8_t *flow, size_t len)
{
	const uint8_t *key;
	size_t key_len;

	return len <= FLOW_MAX && flow_key_slice(flow, len, &key, &key_len) == 0 &&
	       key_len <= FLOW_KEY_MAX;
}

static bool key_is_good(const uint8_t *key, size_t len)
{
	struct flow_key k;

	return len <= FLOW_KEY_MAX && flow_key_decode(key, len, &k) == 0;
}

/* One piece in its place; left: flows that its group must still have. */
static bool piece_is_good(enum warm_piece kind, const uint8_t *bytes, size_t len, bool *any,
			  uint64_t *left)
{
	struct warm_group g;

	switch (kind) {
	case WARM_GROUP:
		if (len != GROUP_LEN || *left > 0)
			return false;
		read_group(bytes, &g);
		*left = g.flows;
		*any = true;
		return true;
	case WARM_FLOW:
		return *left > 0 && (*left)-- > 0 && flow_is_good(bytes, len);
	case WARM_AGAIN:
		return *any && *left == 0 && key_is_good(bytes, len);
	case WARM_END:
		break;
	}
	return false;
}

int warm_check(const uint8_t *bytes, size_t len, struct warm_head *out)
{
	const uint8_t *p = bytes, *end;
	uint64_t left = 0;
	bool any = false;

	if (len < HEAD_LEN + PIECE_LEN + END_LEN || memcmp(p, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	p += sizeof(magic);
	if (get(&p, 4) != WARM_FORMAT)
		return -EPROTONOSUPPORT;
	if (check_end(bytes, len))
		return -EBADMSG;
	end = bytes + len - PIECE_LEN - END_LEN;
	for (p = bytes + HEAD_LEN; p < end;) {
		enum warm_piece kind;
		size_t n;

		if (end - p < PIECE_LEN)
			return -EBADMSG;
		kind = (enum warm_piece)get(&p, 1);
		n = (size_t)get(&p, 2);
		if (n > (size_t)(end - p) || !piece_is_good(kind, p, n, &any, &left))
			return -EBADMSG;
		p += n;
	}
	if (left > 0)
		return -EBADMSG;
	read_head(bytes, out);
	return 0;
}

void warm_iter_init(struct warm_iter *it, const uint8_t *bytes)
{
	*it = (struct warm_iter){.p = bytes + HEAD_LEN};
}

enum warm_piece warm_iter_next(struct warm_iter *it)
{
	enum warm_piece kind = (enum warm_piece)get(&it->p, 1);

	it->len = (size_t)get(&it->p, 2);
	it->bytes = it->p;
	if (kind == WARM_GROUP)
		read_group(it->bytes, &it->group);
	it->p += it->len;
	return kind;
}
