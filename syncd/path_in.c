// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In: another node's datagrams, in order -> table -> the kernel's queue. Called whenever a receiver
 * has something; what is queued for the kernel is installed by path_kernel.c.
 */
#include "proto/flow_codec.h"
#include "syncd/engine_priv.h"

/*
 * A predecessor's last words are this node's to pass on: the others may have missed them. With
 * install = takeover a flow is not installed, but one that this node served before ends here too.
 */
static enum table_queue queue_for(const struct group *g, bool tail, bool del)
{
	switch (g->cfg.install) {
	case INSTALL_NEVER:
		return tail ? TABLE_WIRE : TABLE_NONE;
	case INSTALL_TAKEOVER:
		if (!tail && !del)
			return TABLE_LATER;
		break;
	case INSTALL_HOT:
		break;
	}
	return tail ? TABLE_BOTH : TABLE_KERNEL;
}

static void drop(struct engine *e, const struct stream *s, uint64_t counter, const char *why,
		 size_t len)
{
	e->io.on_record(e->io.ctx, RECORD_DROPPED, s->node, s->session, counter,
			(const uint8_t *)why, len);
}

/* The table fetches what a datagram's first flows need while they are read. */
static void expect_pieces(const struct group *g, const uint8_t *payload, size_t len)
{
	struct data_iter it;
	enum data_piece piece;
	const uint8_t *key;
	size_t key_len;
	unsigned n = 0;

	data_iter_init(&it, payload, len);
	while (n < TABLE_EXPECT_MAX && (piece = data_iter_next(&it)) != DATA_END) {
		key = it.bytes;
		key_len = it.len;
		if (piece == DATA_DIGESTS ||
		    (piece == DATA_PUT && flow_key_slice(it.bytes, it.len, &key, &key_len)))
			continue;
		table_expect(g->table, key, key_len);
		n++;
	}
}

static void apply_puts_and_dels(struct engine *e, struct group *g, const uint8_t *payload,
				size_t len, bool tail)
{
	const enum table_queue on_put = queue_for(g, tail, false);
	const enum table_queue on_del = queue_for(g, tail, true);
	struct data_iter it;
	enum data_piece piece;
	const uint8_t *key;
	size_t key_len;

	expect_pieces(g, payload, len);
	data_iter_init(&it, payload, len);
	while ((piece = data_iter_next(&it)) != DATA_END) {
		if (piece == DATA_DIGESTS)
			continue;
		key = it.bytes;
		key_len = it.len;
		if (piece == DATA_PUT && flow_key_slice(it.bytes, it.len, &key, &key_len))
			continue;
		/* What changed here since the takeover is newer than what the predecessor says. */
		if (tail && table_touched(g->table, key, key_len))
			continue;
		if (piece == DATA_PUT) {
			if (table_put(g->table, it.bytes, it.len, on_put) < 0)
				g->refused_since_sync++;
			e->counters.puts_applied++;
		} else {
			split_note_closed(e, g, key, key_len);
			(void)table_del(g->table, key, key_len, on_del);
			e->counters.dels_applied++;
		}
	}
}

/* A range-complete: what is not among its puts goes, once the active has said that its table is
 * whole. */
static void apply_range(struct engine *e, struct group *g, const struct data_info *info,
			const uint8_t *payload, size_t len, bool active_complete)
{
	struct table_slice keep[DATAGRAM_MAX / 16];
	struct data_iter it;
	enum data_piece piece;
	size_t n = 0, n_kept;
	uint64_t bytes = 0;

	data_iter_init(&it, payload, len);
	while ((piece = data_iter_next(&it)) != DATA_END) {
		if (piece != DATA_PUT || n >= sizeof(keep) / sizeof(keep[0]) ||
		    flow_key_slice(it.bytes, it.len, &keep[n].bytes, &keep[n].len))
			continue;
		bytes += it.len;
		n++;
	}
	n_kept = n;
	if (active_complete &&
	    split_keep_own(e, g, info->range, keep, &n_kept, sizeof(keep) / sizeof(keep[0])))
		e->counters.dels_applied += table_range_keep(g->table, info->range, keep, n_kept);
	repair_client_on_range(g->client, info->range, n, bytes, e->now.mono_us);
}

static void apply_digests(struct engine *e, struct group *g, const uint8_t *payload, size_t len)
{
	struct data_iter it;
	enum data_piece piece;

	data_iter_init(&it, payload, len);
	while ((piece = data_iter_next(&it)) != DATA_END)
		if (piece == DATA_DIGESTS)
			repair_client_on_digests(g->client, g->table, &it.digests, e->now.mono_us);
}

/* Clocks of two boxes: the peer's offset comes from the hellos' echoes. */
static void note_lag(struct engine *e, struct group *g, const struct peer *p, uint64_t sent_us)
{
	int64_t lag_us = (int64_t)(e->now.wall_us - sent_us) + (p ? p->clock_offset_us : 0);

	g->lag_us = lag_us > 0 ? (uint64_t)lag_us : 0;
}

/* Told by a check, in the stream's own order: a hello may have outrun ranges of before. */
static bool stream_is_complete(struct group *g, const struct stream *s,
			       const struct data_info *info)
{
	if (info->has_check && info->check.complete) {
		g->complete_session = s->session;
		g->complete_term = info->term;
	}
	return g->complete_session == s->session && g->complete_term == info->term;
}

/* What was compared with another stream or term says nothing once this one speaks, even if only to
 * somebody else: what it said before was not heard here. */
static void note_change(struct engine *e, struct group *g, const struct stream *s,
			const struct data_info *info)
{
	if (info->has_range || info->puts || info->dels)
		g->data_since_check = true;
	if (info->has_check || !g->equal ||
	    (g->equal_session == s->session && g->equal_term == info->term))
		return;
	g->equal = false;
	group_event(e, g, EVENT_STREAM);
}

/* A data datagram in its turn. */
struct arrival {
	uint64_t counter;
	const uint8_t *payload;
	size_t len;
};

static void apply_as_standby(struct engine *e, struct group *g, struct stream *s,
			     const struct data_info *info, const struct arrival *a)
{
	const bool complete = stream_is_complete(g, s, info);

	e->io.on_record(e->io.ctx, info->has_range && !complete ? RECORD_KEPT : RECORD_APPLIED,
			s->node, s->session, a->counter, a->payload, a->len);
	note_lag(e, g, peers_by_node(e->peers, s->node), info->sent_us);
	note_change(e, g, s, info);
	if (info->has_range) {
		if (complete)
			audit_on_range(e, g, info->range, a->payload, a->len);
		apply_range(e, g, info, a->payload, a->len, complete);
	}
	apply_puts_and_dels(e, g, a->payload, a->len, false);
	if (info->digests)
		apply_digests(e, g, a->payload, a->len);
	if (info->has_check)
		path_repair_on_check(e, g, s, a->counter, &info->check);
}

/* The predecessor's last words reach the node that took over: until its final, or for a second. */
static bool is_tail(const struct engine *e, const struct group *g, const struct stream *s,
		    const struct data_info *info)
{
	return g->role == ROLE_ACTIVE && g->tail_held && s->node == g->tail_node &&
	       e->now.mono_us < g->tail_until_us && info->term + 1 == g->term.number;
}

static void apply(struct engine *e, struct stream *s, uint64_t counter, const uint8_t *payload,
		  size_t len)
{
	struct data_info info;
	struct group *g;
	struct term t;

	if (data_read(payload, len, &info)) {
		e->counters.malformed++;
		drop(e, s, counter, "malformed", 9);
		return;
	}
	g = group_by_id(e, info.group);
	if (!g || g->role == ROLE_IDLE)
		return;
	if (is_tail(e, g, s, &info)) {
		e->io.on_record(e->io.ctx, RECORD_TAIL, s->node, s->session, counter, payload, len);
		apply_puts_and_dels(e, g, payload, len, true);
		if (info.final)
			g->tail_until_us = e->now.mono_us;
		return;
	}
	t = (struct term){.number = info.term, .node = s->node};
	if (g->role == ROLE_ACTIVE || term_compare(t, g->term) < 0) {
		e->counters.stale_term++;
		drop(e, s, counter, "stale term", 10);
		return;
	}
	if (g->active != s->node || term_compare(t, g->term) > 0) {
		/* Its data outran its hello. */
		group_take_term(e, g, t);
		g->active = s->node;
		group_new_stream(e, g);
	}
	apply_as_standby(e, g, s, &info, &(struct arrival){counter, payload, len});
}

/* Datagrams of this stream were lost for good: who follows it is no prefix until the next equal
 * check. */
static void stream_gap(struct engine *e, const struct stream *s)
{
	for (size_t i = 0; i < e->cfg.groups; i++) {
		struct group *g = &e->group[i];

		if (g->role != ROLE_STANDBY || g->active != s->node)
			continue;
		g->equal = false;
		g->data_since_check = true;
		group_event(e, g, EVENT_GAP);
	}
}

void path_in_apply(struct engine *e, struct stream *s)
{
	const uint8_t *payload;
	uint64_t counter;
	size_t len;
	bool gap;

	while (receiver_next(s->receiver, &payload, &len, &counter, &gap)) {
		if (gap) {
			drop(e, s, counter, "lost before it", 14);
			stream_gap(e, s);
		}
		apply(e, s, counter, payload, len);
		s->since_status++;
	}
	if (s->since_status >= APPLIED_PER_STATUS)
		s->status_due_us = e->now.mono_us;
	else if (s->since_status && !s->status_due_us)
		s->status_due_us = e->now.mono_us + STATUS_INTERVAL_US;
}
