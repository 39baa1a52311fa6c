/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See journal_lab.h. */
#include "tests/lib/journal_lab.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/flow_codec.h"

enum { SLICE_BITS = 6, CAREFUL_EACH = 250 };

static void must(bool good)
{
	if (!good)
		abort();
}

size_t journal_lab_flow(unsigned number, uint8_t *buf)
{
	struct flow f = {
		.key = {.addr_len = 4, .l4proto = 6, .sport = (uint16_t)number, .dport = 80}};
	int n;

	memcpy(f.key.src.b,
	       (uint8_t[]){192, 0, 2 + (uint8_t)(number >> 24), (uint8_t)(number >> 16)}, 4);
	memcpy(f.key.dst.b, (uint8_t[]){203, 0, 113, 10}, 4);
	flow_mirror_reply(&f);
	memcpy(f.ct.reply_src.b, (uint8_t[]){10, 2, 0, 11}, 4);
	f.ct.reply_sport = 8080;
	f.ct.status = 0x26;
	f.ct.state = 3;
	n = flow_encode(&f, buf);
	must(n > 0);
	return (size_t)n;
}

/* Another number for each. */
static unsigned scatter(unsigned number)
{
	return number * 2654435761u;
}

static void append(struct journal_lab *l, struct journal_record r)
{
	r.node = l->node;
	r.session = l->session;
	r.wall_us = r.mono_us = l->wall_us += 10;
	while (!journal_has_room(l->j))
		(void)poll(NULL, 0, 1);
	must(journal_append(l->j, &r));
	l->appended++;
}

static void wait_for_writer(struct journal_lab *l)
{
	struct journal_stats st;

	do
		journal_read_stats(l->j, &st);
	while (st.records < l->appended && poll(NULL, 0, 1) == 0);
}

static int add_flow(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	(void)hash;
	return !data_add_put(ctx, flow, len);
}

static void slice(struct journal_lab *l, struct hash_range r, uint8_t flags)
{
	struct journal_record rec = {.type = JOURNAL_KEYFRAME, .flags = flags};
	struct data_check c = {.complete = true};
	struct data_writer w;

	data_begin(&w, l->payload + JOURNAL_KEYFRAME_LEN, DATAGRAM_MAX, l->wall_us, 1, 1);
	must(data_add_range(&w, r));
	must(table_walk(l->table, r, add_flow, &w) == 0);
	if (flags & JOURNAL_KEYFRAME_LAST) {
		table_range_digest(l->table, (struct hash_range){0, 0}, &c.digest, &c.count);
		must(data_add_check(&w, &c));
	}
	journal_keyframe_write(0, l->payload);
	rec.payload = l->payload;
	rec.len = JOURNAL_KEYFRAME_LEN + w.len;
	append(l, rec);
}

static void keyframe(struct journal_lab *l)
{
	uint8_t bits = SLICE_BITS;

	while (table_count(l->table) >> bits > 64)
		bits++;
	for (uint64_t i = 0; i < 1ull << bits; i++)
		slice(l, (struct hash_range){i << (64 - bits), bits},
		      (uint8_t)((i == 0 ? JOURNAL_KEYFRAME_FIRST : 0) |
				(i + 1 == 1ull << bits ? JOURNAL_KEYFRAME_LAST : 0)));
}

void journal_lab_open(struct journal_lab *l, const char *dir, uint64_t rotate_bytes, bool compress)
{
	static const uint8_t zero[32];
	struct journal_config c = {
		.dir = dir,
		.name = "lab",
		.node = 1,
		.session = 0x1122334455667788,
		.rotate_bytes = rotate_bytes,
		.rotate_us = 3600 * S_US,
		.keep = 100000,
		.compress = compress,
		.queue_bytes = 8 << 20,
	};
	struct journal_note n = {.text = "lab"};
	uint8_t buf[JOURNAL_PART_MAX];

	*l = (struct journal_lab){.node = c.node, .session = c.session};
	l->careful = rotate_bytes < 1 << 20;
	l->wall_us = (uint64_t)time(NULL) * S_US;
	digest_key_derive(&l->key, zero);
	c.digest_key_id = l->key.id;
	l->table = table_new(&l->key, 1 << 26);
	must(l->table && journal_open(&c, &l->j) == 0 && journal_start(l->j) == 0);
	append(l, (struct journal_record){.type = JOURNAL_START,
					  .payload = buf,
					  .len = journal_note_write(&n, buf)});
}

void journal_lab_close(struct journal_lab *l)
{
	journal_close(l->j);
	table_free(l->table);
}

void journal_lab_send(struct journal_lab *l, unsigned first, unsigned n, bool del, bool check)
{
	struct journal_record rec = {.type = JOURNAL_SENT, .counter = ++l->counter};
	struct data_check c = {.complete = true};
	uint8_t flow[FLOW_MAX];
	struct data_writer w;

	data_begin(&w, l->payload, DATAGRAM_MAX, l->wall_us, 1, 1);
	for (unsigned i = first; i < first + n; i++) {
		size_t len = journal_lab_flow(l->scattered ? scatter(i) : i, flow), key_len;
		const uint8_t *key;

		must(flow_key_slice(flow, len, &key, &key_len) == 0);
		must(del ? data_add_del(&w, key, key_len) : data_add_put(&w, flow, len));
		(void)(del ? table_del(l->table, key, key_len, TABLE_NONE)
			   : table_put(l->table, flow, len, TABLE_NONE));
	}
	if (check) {
		table_range_digest(l->table, (struct hash_range){0, 0}, &c.digest, &c.count);
		must(data_add_check(&w, &c));
	}
	rec.payload = l->payload;
	rec.len = w.len;
	memcpy(l->sent, l->payload, w.len);
	l->sent_len = w.len;
	append(l, rec);
	if (l->careful && l->counter % CAREFUL_EACH == 0)
		wait_for_writer(l);
	if (journal_generation(l->j) != l->generation) {
		l->generation = journal_generation(l->j);
		keyframe(l);
	}
}

void journal_lab_write(const char *dir, unsigned flows, unsigned each, uint64_t rotate_bytes,
		       bool compress)
{
	static struct journal_lab l; /* large */

	journal_lab_open(&l, dir, rotate_bytes, compress);
	for (unsigned i = 0; i < flows; i += each)
		journal_lab_send(&l, i, each, false, i % 100 == 0);
	for (unsigned i = 0; i < flows / 2; i += each)
		journal_lab_send(&l, i, each, true, i % 100 == 0);
	journal_lab_send(&l, 0, 0, false, true);
	journal_lab_close(&l);
}
