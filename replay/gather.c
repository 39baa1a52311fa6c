// SPDX-License-Identifier: GPL-2.0-or-later
/* One reading of a journal for the report; see gather.h. */
#include "replay/gather.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "replay/text.h"

#define CLOSE_US (1 * S_US)

/* ---- flows by state and by real server ---- */

static uint64_t *count_of(struct gather_counts *c, const char *name)
{
	for (unsigned i = 0; i < c->names; i++)
		if (strcmp(c->name[i], name) == 0)
			return &c->n[i];
	if (c->names < SERIES_NAMED) {
		(void)snprintf(c->name[c->names], GATHER_LABEL, "%s",
			       c->names == SERIES_NAMED - 1 ? "others" : name);
		return &c->n[c->names++];
	}
	return &c->n[SERIES_NAMED - 1];
}

static void name_state(const struct flow *f, char *buf)
{
	unsigned state = f->key.kind == FLOW_IPVS ? f->ipvs.state : f->ct.state;
	const char *name = flow_state_name(f->key.kind, f->key.l4proto, state);

	(void)snprintf(buf, GATHER_LABEL, "%s%s%s%s", f->key.kind == FLOW_IPVS ? "ipvs " : "",
		       flow_proto_name(f->key.l4proto), name ? " " : "", name ? name : "");
}

static void name_server(const struct flow *f, char *buf)
{
	bool ipvs = f->key.kind == FLOW_IPVS;
	const struct flow_addr *a = ipvs ? &f->ipvs.dest : &f->ct.reply_src;
	uint8_t len = ipvs ? f->ipvs.dest_len : f->key.addr_len;
	char addr[INET6_ADDRSTRLEN] = "?";

	if (!ipvs && memcmp(a, &f->key.dst, sizeof(*a)) == 0) {
		(void)snprintf(buf, GATHER_LABEL,
			       "outward"); /* its destination is not translated */
		return;
	}
	(void)inet_ntop(len == 4 ? AF_INET : AF_INET6, a, addr, sizeof(addr));
	(void)snprintf(buf, GATHER_LABEL, len == 4 ? "%s:%u" : "[%s]:%u", addr,
		       ipvs ? f->ipvs.dport : f->ct.reply_sport);
}

static void count_flow(struct gather *g, const uint8_t *bytes, size_t len, int64_t by)
{
	char name[GATHER_LABEL];
	struct flow f;

	if (flow_decode(bytes, len, &f) || !filter_key(&g->o->filter, &f.key))
		return;
	name_state(&f, name);
	*count_of(&g->states, name) += (uint64_t)by;
	name_server(&f, name);
	*count_of(&g->servers, name) += (uint64_t)by;
}

static void on_piece(void *ctx, const struct journal_record *r, const struct data_info *info,
		     bool put, const uint8_t *bytes, size_t len)
{
	struct gather *g = ctx;
	const struct tables_group *tg = tables_group(g->tables, info->group);
	const uint8_t *key = bytes, *flow;
	size_t key_len = len, flow_len;

	if (!tg || !tg->table || r->type == JOURNAL_TAIL ||
	    !filter_group(&g->o->filter, info->group) ||
	    (put && flow_key_slice(bytes, len, &key, &key_len)))
		return;
	if (table_get(tg->table, key, key_len, &flow, &flow_len)) {
		if (put && flow_len == len && memcmp(flow, bytes, len) == 0)
			return;
		count_flow(g, flow, flow_len, -1);
	}
	if (put)
		count_flow(g, bytes, len, 1);
}

static int count_again(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	(void)hash;
	count_flow(ctx, flow, len, 1);
	return 0;
}

static void write_counts(struct gather *g)
{
	const struct tables_group *tg;
	uint64_t flows = 0;

	if (!g->tables)
		return;
	if (g->recount) {
		memset(g->states.n, 0, sizeof(g->states.n));
		memset(g->servers.n, 0, sizeof(g->servers.n));
	}
	for (size_t i = 0; (tg = tables_at(g->tables, i)) != NULL; i++) {
		if (!filter_group(&g->o->filter, tg->id))
			continue;
		flows += tg->table ? table_count(tg->table) : 0;
		if (g->recount && tg->table)
			(void)table_walk(tg->table, (struct hash_range){0, 0}, count_again, g);
	}
	g->recount = false;
	series_set(&g->series, SERIES_FLOWS, g->bucket_us, flows);
	for (unsigned i = 0; i < g->states.names; i++)
		series_set(&g->series, SERIES_STATE + i, g->bucket_us, g->states.n[i]);
	for (unsigned i = 0; i < g->servers.names; i++)
		series_set(&g->series, SERIES_SERVER + i, g->bucket_us, g->servers.n[i]);
}

/* ---- events ---- */

static void add_event(struct gather *g, const struct gather_event *e)
{
	struct gather_event *last = g->events ? &g->event[g->events - 1] : NULL;

	assert(g->event);
	if (e->group && !filter_group(&g->o->filter, e->group))
		return;
	if (last && last->type == e->type && last->group == e->group &&
	    strcmp(last->text, e->text) == 0 && e->type != JOURNAL_STATE &&
	    e->wall_us < last->wall_us + CLOSE_US) {
		last->times++;
		return;
	}
	if (g->events == GATHER_EVENTS_MAX) {
		g->events_more++;
		return;
	}
	g->event[g->events] = *e;
	g->event[g->events++].times = 1;
}

static void event_of_change(struct gather *g, const struct journal_record *r)
{
	struct gather_event e = {.wall_us = r->wall_us, .type = r->type};
	struct journal_change c;

	if (journal_change_read(r->payload, r->len, &c))
		return;
	e.group = c.group;
	e.from = c.from;
	e.to = c.to;
	e.term = c.term.number;
	(void)snprintf(e.text, sizeof(e.text), "%s", c.text);
	if (r->type == JOURNAL_TERM)
		(void)snprintf(e.text, sizeof(e.text), "term %" PRIu64 " of node %u", c.term.number,
			       c.term.node);
	add_event(g, &e);
}

/* The state in which a group is when the time begins that is shown. */
static void state_before(struct gather *g, const struct journal_record *r)
{
	struct journal_record then = *r;
	struct journal_change c;

	if (journal_change_read(r->payload, r->len, &c))
		return;
	for (size_t i = 0; i < g->events; i++)
		if (g->event[i].group == c.group) {
			memmove(&g->event[i], &g->event[i + 1],
				(--g->events - i) * sizeof(*g->event));
			break;
		}
	then.wall_us = g->start_us;
	event_of_change(g, &then);
}

static void event_of_control(struct gather *g, const struct journal_record *r)
{
	static const char *const why[REPAIR_WHYS] = {"join", "check", "gap", "verify", "kernel"};
	struct gather_event e = {.wall_us = r->wall_us, .type = r->type};
	static struct control c; /* large */
	uint64_t missing = 0;

	if (control_read(r->payload, r->len, &c))
		return;
	if (c.kind == CONTROL_NAK) {
		for (uint32_t i = 0; i < c.nak.n; i++)
			missing += c.nak.missing[i].count;
		series_add(&g->series, SERIES_NAKS, r->wall_us, missing);
		return;
	}
	if (c.kind == CONTROL_REPAIR && c.repair.n == 0)
		return; /* only asks for a check */
	e.group = c.kind == CONTROL_REPAIR ? c.repair.group : c.offer.group;
	(void)snprintf(e.text, sizeof(e.text), "%s",
		       c.kind == CONTROL_REPAIR ? why[c.repair.why < REPAIR_WHYS ? c.repair.why : 0]
						: "flows offered after a split");
	add_event(g, &e);
}

static void event_of_note(struct gather *g, const struct journal_record *r)
{
	struct gather_event e = {.wall_us = r->wall_us, .type = r->type};
	struct journal_note n = {0};
	struct journal_lost l;

	if (r->type == JOURNAL_LOST && journal_lost_read(r->payload, r->len, &l) == 0)
		(void)snprintf(n.text, sizeof(n.text), "%" PRIu64 " records not kept", l.records);
	else if (r->type == JOURNAL_DROPPED)
		(void)snprintf(n.text, sizeof(n.text), "%.*s", (int)r->len,
			       (const char *)r->payload);
	else if (journal_note_read(r->payload, r->len, &n))
		return;
	if (r->type == JOURNAL_DROPPED)
		series_add(&g->series, SERIES_DROPPED, r->wall_us, 1);
	e.group = n.group;
	memcpy(e.text, n.text, sizeof(e.text));
	add_event(g, &e);
}

static void on_sample(struct gather *g, const struct journal_record *r)
{
	struct journal_sample s;

	if (journal_sample_read(r->payload, r->len, &s) || !filter_group(&g->o->filter, s.group))
		return;
	if (g->raw_us && s.lag_us)
		g->offset_us = g->raw_us - (int64_t)s.lag_us;
	series_set(&g->series, SERIES_WAITING, r->wall_us, s.kernel_queued + s.wire_queued);
	if (s.state == STATE_STANDBY)
		series_set(&g->series, SERIES_LAG_US, r->wall_us, s.lag_us);
	if (!g->tables)
		series_set(&g->series, SERIES_FLOWS, r->wall_us, s.flows);
}

static struct histogram *lag_from(struct gather *g, uint16_t node)
{
	for (size_t i = 0; i < g->lags; i++)
		if (g->lag_from[i] == node)
			return &g->lag[i];
	if (g->lags == NODES_MAX)
		return NULL;
	g->lag_from[g->lags] = node;
	return &g->lag[g->lags++];
}

static void on_data(struct gather *g, const struct journal_record *r,
		    const struct command_record *cr)
{
	bool sent = r->type == JOURNAL_SENT;
	struct histogram *h;

	if (r->type == JOURNAL_KEYFRAME)
		return;
	series_add(&g->series, sent ? SERIES_SENT : SERIES_APPLIED, r->wall_us, 1);
	series_add(&g->series, sent ? SERIES_SENT_BYTES : SERIES_APPLIED_BYTES, r->wall_us,
		   r->len + FRAME_OVERHEAD);
	series_add(&g->series, SERIES_PUTS, r->wall_us, cr->puts);
	series_add(&g->series, SERIES_DELS, r->wall_us, cr->dels);
	if (sent)
		return;
	g->raw_us = (int64_t)(r->wall_us - cr->info.sent_us);
	h = lag_from(g, r->node);
	if (h)
		histogram_add(h,
			      g->raw_us > g->offset_us ? (uint64_t)(g->raw_us - g->offset_us) : 0);
}

static void on_other(struct gather *g, const struct journal_record *r)
{
	switch ((enum journal_type)r->type) {
	case JOURNAL_STATE:
	case JOURNAL_TERM:
		event_of_change(g, r);
		break;
	case JOURNAL_CONTROL:
		event_of_control(g, r);
		break;
	case JOURNAL_SAMPLE:
		on_sample(g, r);
		break;
	case JOURNAL_DROPPED:
	case JOURNAL_LOST:
	case JOURNAL_START:
	case JOURNAL_RECONCILE:
	case JOURNAL_KEY:
	case JOURNAL_CONFIG:
	case JOURNAL_ALARM:
		event_of_note(g, r);
		break;
	case JOURNAL_SENT:
	case JOURNAL_APPLIED:
	case JOURNAL_KEPT:
	case JOURNAL_TAIL:
	case JOURNAL_KEYFRAME:
	case JOURNAL_RESYNC:
	case JOURNAL_END:
	case JOURNAL_INSTALLED:
	case JOURNAL_TYPES:
		break;
	}
}

/* Time goes on where the filters leave any, whatever else they leave. */
static bool is_in_time(const struct gather *g, const struct journal_record *r)
{
	const struct filter times = {
		.from = g->o->filter.from, .until = g->o->filter.until, .node = -1, .type = -1};

	return filter_record(&times, r, g->journal->start_us);
}

static void tell_time(struct gather *g, uint64_t wall_us)
{
	uint32_t bucket = series_at(&g->series, wall_us);

	if (bucket != g->bucket && g->records)
		write_counts(g);
	g->bucket = bucket;
	g->bucket_us = g->last_us = wall_us;
	g->records++;
}

static int on_record(void *ctx, const struct journal_record *r)
{
	struct gather *g = ctx;
	const bool in_time = is_in_time(g, r);
	struct command_record cr;

	if (in_time)
		tell_time(g, r->wall_us);
	else if (r->type == JOURNAL_STATE && g->records == 0)
		state_before(g, r);
	/* What is left out changes the tables all the same, so that the rest is true. */
	if (r->type == JOURNAL_START || r->type == JOURNAL_KEYFRAME ||
	    (record_data(r, &cr.data, &cr.len, &cr.info) > 0 && cr.info.has_range))
		g->recount = true;
	if (g->tables)
		tables_apply(g->tables, r);
	if (!in_time || !command_takes_record(&g->o->filter, r, g->journal->start_us, &cr))
		return 0;
	if (cr.has > 0)
		on_data(g, r, &cr);
	else
		on_other(g, r);
	return 0;
}

static void on_damage(void *ctx, const struct input_file *f, uint64_t offset, const char *what)
{
	struct gather *g = ctx;

	(void)f;
	(void)offset;
	(void)what;
	g->damaged++;
	if (g->tables)
		tables_lose(g->tables);
}

int gather_journal(const struct options *o, const struct input_journal *j, uint64_t start_us,
		   struct gather *out)
{
	const struct tables_events tev = {.piece = on_piece, .ctx = out};
	const struct input_events ev = {.damage = on_damage, .ctx = out};
	const struct input_range range = command_range(o, false);
	struct digest_key key;
	int rc;

	memset(out, 0, sizeof(*out));
	out->o = o;
	out->journal = j;
	out->start_us = start_us;
	series_init(&out->series, start_us);
	out->event = calloc(GATHER_EVENTS_MAX, sizeof(*out->event));
	if (!out->event)
		return command_failed(j->name, -ENOMEM);
	if (command_digest_key(o, &j->file[0].header, &key))
		out->tables = tables_new(&key, &tev);
	rc = input_read(j, &range, &ev, on_record, out);
	write_counts(out);
	tables_free(out->tables);
	out->tables = NULL;
	return rc < 0 ? command_failed(j->name, rc) : 0;
}

void gather_fini(struct gather *g)
{
	free(g->event);
	g->event = NULL;
}
