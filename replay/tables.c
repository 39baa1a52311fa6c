// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables from records; see tables.h. The rules are those of syncd/path_in.c and path_out.c. */
#include "replay/tables.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/flow_codec.h"

enum {
	FLOWS_MAX = 1 << 28,
	KEEP_MAX = 900, /* flows of one datagram; fewer fit */
};

struct tables {
	const struct digest_key *key;
	struct digest_queue *queue; /* where only digests are wanted */
	const struct tables_events *ev;
	struct tables_group group[GROUPS_MAX];
	size_t groups;
	bool from_start; /* the session's start was seen: unknown groups are empty */
};

struct tables *tables_new(const struct digest_key *key, const struct tables_events *ev)
{
	struct tables *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->key = key;
	t->ev = ev;
	return t;
}

struct tables *tables_new_digests(const struct digest_key *key, const struct tables_events *ev)
{
	struct tables *t = tables_new(key, ev);

	if (!t || !key)
		return t;
	t->queue = digest_queue_new(key);
	if (t->queue)
		return t;
	tables_free(t);
	return NULL;
}

void tables_free(struct tables *t)
{
	for (size_t i = 0; t && i < t->groups; i++) {
		table_free(t->group[i].table);
		digest_map_free(t->group[i].map);
	}
	if (t)
		digest_queue_free(t->queue);
	free(t);
}

struct tables_group *tables_at(const struct tables *t, size_t index)
{
	return index < t->groups ? (struct tables_group *)(uintptr_t)&t->group[index] : NULL;
}

struct tables_group *tables_group(const struct tables *t, uint32_t id)
{
	for (size_t i = 0; i < t->groups; i++)
		if (t->group[i].id == id)
			return tables_at(t, i);
	return NULL;
}

static struct tables_group *group_make(struct tables *t, uint32_t id)
{
	struct tables_group *g = tables_group(t, id);

	if (g || t->groups == GROUPS_MAX)
		return g;
	g = &t->group[t->groups];
	*g = (struct tables_group){.id = id, .exact = t->from_start};
	if (t->queue)
		g->map = digest_map_new();
	else if (t->key)
		g->table = table_new(t->key, FLOWS_MAX);
	if (t->key && !g->map && !g->table)
		return NULL;
	t->groups++;
	return g;
}

static void group_lose(struct tables_group *g)
{
	g->exact = false;
	g->sweeping = false;
	g->differs = false;
}

void tables_lose(struct tables *t)
{
	t->from_start = false;
	for (size_t i = 0; i < t->groups; i++)
		group_lose(&t->group[i]);
}

static void start(struct tables *t)
{
	t->from_start = true;
	if (t->queue)
		digest_queue_settle(t->queue);
	for (size_t i = 0; i < t->groups; i++) {
		struct tables_group *g = &t->group[i];

		group_lose(g);
		if (g->table)
			table_clear(g->table);
		if (g->map)
			digest_map_clear(g->map);
		g->exact = true;
		g->unsent = 0;
	}
}

/* As record_data, not read. */
static int record_payload(const struct journal_record *r, const uint8_t **data, size_t *len)
{
	uint64_t queued;

	switch (r->type) {
	case JOURNAL_SENT:
	case JOURNAL_APPLIED:
	case JOURNAL_KEPT:
	case JOURNAL_TAIL:
		*data = r->payload;
		*len = r->len;
		return 1;
	case JOURNAL_KEYFRAME:
		return journal_keyframe_read(r->payload, r->len, &queued, data, len) ? -EBADMSG : 1;
	}
	return 0;
}

int record_data(const struct journal_record *r, const uint8_t **data, size_t *len,
		struct data_info *info)
{
	int rc = record_payload(r, data, len);

	return rc > 0 && data_read(*data, *len, info) ? -EBADMSG : rc;
}

static int read_data(struct tables *t, const struct journal_record *r, const uint8_t **data,
		     size_t *len, struct data_info *info)
{
	int rc = record_payload(r, data, len);

	if (rc <= 0)
		return rc;
	rc = t->queue ? digest_queue_read(t->queue, *data, *len, info)
		      : data_read(*data, *len, info);
	return rc ? rc : 1;
}

/* What repair removes stands in the kernel's queue, and here is no kernel. */
static void range_keep(struct tables *t, struct tables_group *g, const struct data_info *info,
		       const uint8_t *data, size_t len)
{
	struct table_slice keep[KEEP_MAX];
	struct data_iter it;
	enum data_piece piece;
	size_t n = 0;

	if (g->map) { /* what stays is put again by the same datagram */
		digest_queue_settle(t->queue);
		digest_map_del_range(g->map, info->range);
		return;
	}
	data_iter_init(&it, data, len);
	while ((piece = data_iter_next(&it)) != DATA_END)
		if (piece == DATA_PUT && n < KEEP_MAX &&
		    flow_key_slice(it.bytes, it.len, &keep[n].bytes, &keep[n].len) == 0)
			n++;
	(void)table_range_keep(g->table, info->range, keep, n);
	table_queue_clear(g->table, TABLE_KERNEL);
}

/* The table fetches what a datagram's first flows need while they are read. */
static void expect_pieces(struct table *t, const uint8_t *data, size_t len)
{
	struct data_iter it;
	enum data_piece piece;
	unsigned n = 0;

	data_iter_init(&it, data, len);
	while (n < TABLE_EXPECT_MAX && (piece = data_iter_next(&it)) != DATA_END) {
		const uint8_t *key = it.bytes;
		size_t key_len = it.len;

		if (piece == DATA_DIGESTS ||
		    (piece == DATA_PUT && flow_key_slice(it.bytes, it.len, &key, &key_len)))
			continue;
		table_expect(t, key, key_len);
		n++;
	}
}

static void pieces(struct tables *t, struct tables_group *g, const struct journal_record *r,
		   const struct data_info *info, const uint8_t *data, size_t len)
{
	bool apply = g->table && r->type != JOURNAL_TAIL;
	struct data_iter it;
	enum data_piece piece;

	if (g->map && r->type != JOURNAL_TAIL)
		digest_queue_take(t->queue, g->map);
	if (!apply && !t->ev->piece)
		return;
	if (apply)
		expect_pieces(g->table, data, len);
	data_iter_init(&it, data, len);
	while ((piece = data_iter_next(&it)) != DATA_END) {
		if (piece == DATA_DIGESTS)
			continue;
		if (t->ev->piece)
			t->ev->piece(t->ev->ctx, r, info, piece == DATA_PUT, it.bytes, it.len);
		if (!apply)
			continue;
		if (piece == DATA_PUT)
			(void)table_put(g->table, it.bytes, it.len, TABLE_NONE);
		else
			(void)table_del(g->table, it.bytes, it.len, TABLE_NONE);
	}
}

static void check(struct tables *t, struct tables_group *g, const struct journal_record *r,
		  const struct data_info *info)
{
	struct tables_check c = {.record = r, .group = g, .said = info->check};

	if ((g->table || g->map) && g->unsent == 0) {
		if (g->map) {
			digest_queue_settle(t->queue);
			if (digest_map_error(g->map))
				group_lose(g);
			c.digest = digest_map_digest(g->map);
			c.count = digest_map_count(g->map);
		} else {
			table_range_digest(g->table, (struct hash_range){0, 0}, &c.digest,
					   &c.count);
		}
		c.equal = c.digest == info->check.digest && c.count == info->check.count;
		g->exact |= c.equal; /* whatever was missing: this is the table */
		c.compared = g->exact;
	}
	if (c.compared) {
		g->differs = !c.equal;
		if (c.equal) {
			g->checks_equal++;
			g->equal_counter = r->counter;
		} else {
			g->checks_differed++;
		}
	} else {
		g->checks_unproven++;
	}
	if (t->ev->check)
		t->ev->check(t->ev->ctx, &c);
}

static void on_data(struct tables *t, struct tables_group *g, const struct journal_record *r,
		    const struct data_info *info, const uint8_t *data, size_t len)
{
	uint64_t changes = info->has_range ? 0 : info->puts + info->dels;

	if (r->type == JOURNAL_TAIL) {
		group_lose(g);
	} else {
		g->stream_node = r->node;
		g->stream_session = r->session;
		g->stream_counter = r->counter;
	}
	if (info->has_range && (g->table || g->map) && r->type != JOURNAL_KEPT &&
	    r->type != JOURNAL_TAIL)
		range_keep(t, g, info, data, len);
	pieces(t, g, r, info, data, len);
	g->unsent -= changes < g->unsent ? changes : g->unsent;
	if (info->has_check && r->type != JOURNAL_TAIL)
		check(t, g, r, info);
}

static void on_keyframe(struct tables *t, struct tables_group *g, const struct journal_record *r,
			const struct data_info *info, const uint8_t *data, size_t len)
{
	uint64_t queued = 0;

	(void)journal_keyframe_read(r->payload, r->len, &queued, &data, &len);
	if (r->flags & JOURNAL_KEYFRAME_FIRST) {
		g->sweeping = true;
		g->sweep_lo = 0;
	}
	if (!info->has_range || info->range.lo != g->sweep_lo)
		g->sweeping = false; /* a slice is missing */
	if ((g->table || g->map) && info->has_range)
		range_keep(t, g, info, data, len);
	pieces(t, g, r, info, data, len);
	if (queued > g->unsent)
		g->unsent = queued;
	if (!info->has_range)
		return;
	g->sweep_lo = hash_range_last(info->range) + 1;
	if (!(r->flags & JOURNAL_KEYFRAME_LAST))
		return;
	g->exact |= g->sweeping;
	g->sweeping = false;
	if (info->has_check)
		check(t, g, r, info);
}

static void on_note(struct tables *t, const struct journal_record *r)
{
	struct journal_note n;
	struct tables_group *g;

	if (journal_note_read(r->payload, r->len, &n)) {
		if (t->ev->malformed)
			t->ev->malformed(t->ev->ctx, r, "a note that cannot be read");
		return;
	}
	g = group_make(t, n.group);
	if (g)
		group_lose(g);
}

static void on_state(struct tables *t, const struct journal_record *r)
{
	struct journal_change c;
	struct tables_group *g;

	if (journal_change_read(r->payload, r->len, &c)) {
		if (t->ev->malformed)
			t->ev->malformed(t->ev->ctx, r, "a change that cannot be read");
		return;
	}
	g = group_make(t, c.group);
	if (!g)
		return;
	g->term = c.term;
	if (r->type == JOURNAL_STATE)
		g->state = c.to;
}

void tables_apply(struct tables *t, const struct journal_record *r)
{
	struct data_info info;
	struct tables_group *g;
	const uint8_t *data;
	size_t len;
	int rc;

	if (r->type == JOURNAL_START)
		start(t);
	else if (r->type == JOURNAL_LOST)
		tables_lose(t);
	else if (r->type == JOURNAL_RESYNC)
		on_note(t, r);
	else if (r->type == JOURNAL_STATE || r->type == JOURNAL_TERM)
		on_state(t, r);
	rc = read_data(t, r, &data, &len, &info);
	if (rc < 0 && t->ev->malformed)
		t->ev->malformed(t->ev->ctx, r, "a payload that cannot be read");
	if (rc <= 0)
		return;
	g = group_make(t, info.group);
	if (!g)
		return;
	if (r->type == JOURNAL_KEYFRAME)
		on_keyframe(t, g, r, &info, data, len);
	else
		on_data(t, g, r, &info, data, len);
}
