// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables at a moment; see state.h. */
#include "replay/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "replay/text.h"

struct load {
	struct state *s;
	const struct when *when;
	const struct state_place *place;
	uint64_t start_us;
	uint64_t session; /* that a counter is of: the journal's last */
	bool began, late; /* datagrams were read; the first of them was behind the moment */
};

/* Of the stream whose counters tell the moment. */
static bool is_counted(const struct load *l, const struct journal_record *r)
{
	return (r->type == JOURNAL_SENT || r->type == JOURNAL_APPLIED || r->type == JOURNAL_KEPT) &&
	       (l->place ? r->node == l->place->node && r->session == l->place->session
			 : l->when->kind == WHEN_COUNTER);
}

static bool is_behind(const struct load *l, const struct journal_record *r)
{
	if (l->place)
		return is_counted(l, r) && r->counter > l->place->counter;
	return when_is_after(l->when, r, l->start_us);
}

static int on_record(void *ctx, const struct journal_record *r)
{
	struct load *l = ctx;

	if (is_behind(l, r)) {
		l->late = is_counted(l, r) && !l->began;
		return 1;
	}
	l->began |= is_counted(l, r);
	l->s->records++;
	l->s->at_us = r->wall_us;
	tables_apply(l->s->tables, r);
	/* Right behind the place, so that a change of roles that follows is not in it. */
	return l->place && r->node == l->place->node && r->session == l->place->session &&
	       r->counter == l->place->counter && r->type != JOURNAL_KEYFRAME;
}

static void on_segment(void *ctx, const struct input_file *f, const struct segment *before)
{
	struct load *l = ctx;

	(void)f;
	if (!before)
		tables_lose(l->s->tables);
}

static void on_damage(void *ctx, const struct input_file *f, uint64_t offset, const char *what)
{
	struct load *l = ctx;

	(void)fprintf(stderr, "sync-replay: %s: at %" PRIu64 ": %s: skipped\n", f->path, offset,
		      what);
	l->s->damaged++;
	tables_lose(l->s->tables);
}

static bool all_exact(const struct tables *t)
{
	const struct tables_group *g;
	size_t i;

	for (i = 0; (g = tables_at(t, i)) != NULL; i++)
		if (!g->exact)
			return false;
	return i > 0;
}

/* The last segment that may begin before the moment. */
static size_t first_segment(const struct input_journal *j, const struct when *when,
			    const struct state_place *place)
{
	uint64_t wall_us = when_wall_us(when, j->start_us);
	size_t i = j->files - 1;

	if (place || when->kind == WHEN_COUNTER)
		return i; /* not told by headers: the newest whose keyframe is before it is found */
	while (i > 0 && wall_us && j->file[i].header.wall_us > wall_us)
		i--;
	return i;
}

int state_load(const struct options *o, const struct input_journal *j, const struct when *when,
	       const struct state_place *place, struct state *out)
{
	static const struct tables_events none;
	struct load l = {.s = out, .when = when, .place = place};
	const struct input_events ev = {.segment = on_segment, .damage = on_damage, .ctx = &l};
	struct input_range range = command_range(o, true);
	int rc = command_need_key(o, j, &out->key);

	out->tables = NULL;
	l.start_us = j->start_us;
	range.first = first_segment(j, when, place);
	while (!rc) {
		tables_free(out->tables);
		out->tables = tables_new(&out->key, &none);
		out->records = out->damaged = 0;
		l.began = l.late = false;
		out->first = range.first;
		if (!out->tables)
			return command_failed(j->name, -ENOMEM);
		rc = input_read(j, &range, &ev, on_record, &l);
		if (rc < 0)
			return command_failed(j->file[range.first].path, rc);
		rc = 0;
		/* Before its first keyframe, a segment tells less than the one before; and a
		 * counter does not tell of a keyframe that it is of a later moment.
		 */
		if ((all_exact(out->tables) && !l.late) || range.first == 0)
			break;
		range.first--;
	}
	return rc;
}

void state_fini(struct state *s)
{
	tables_free(s->tables);
	s->tables = NULL;
}

struct differing {
	const struct table *other;
	const uint8_t *flow, *theirs;
	size_t len, their_len;
	uint64_t hash;
};

static int find_difference(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	struct differing *d = ctx;
	const uint8_t *key;
	size_t key_len;

	if (flow_key_slice(flow, len, &key, &key_len))
		return 0;
	d->theirs = NULL;
	if (table_get(d->other, key, key_len, &d->theirs, &d->their_len) && d->their_len == len &&
	    memcmp(d->theirs, flow, len) == 0)
		return 0;
	d->flow = flow;
	d->len = len;
	d->hash = hash;
	return 1;
}

bool state_first_difference(const struct state *a, const char *name_a, const struct state *b,
			    const char *name_b, uint32_t group, char *out)
{
	const struct tables_group *ga = tables_group(a->tables, group),
				  *gb = tables_group(b->tables, group);
	char mine[FLOW_TEXT_MAX], theirs[FLOW_TEXT_MAX];
	const struct hash_range all = {0, 0};
	struct differing da, db;

	if (!ga || !gb)
		return false;
	da = (struct differing){.other = gb->table};
	db = (struct differing){.other = ga->table};
	(void)table_walk(ga->table, all, find_difference, &da);
	(void)table_walk(gb->table, all, find_difference, &db);
	if (!da.flow && !db.flow)
		return false;
	if (!da.flow || (db.flow && db.hash < da.hash)) {
		const char *swap = name_a;

		da = db;
		name_a = name_b;
		name_b = swap;
	}
	(void)snprintf(out, STATE_DIFFERENCE_MAX, "%s: %s; %s: %s", name_a,
		       text_flow(da.flow, da.len, mine), name_b,
		       da.theirs ? text_flow(da.theirs, da.their_len, theirs) : "not there");
	return true;
}
