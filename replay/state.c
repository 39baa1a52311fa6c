// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables at a moment; see state.h. */
#include "replay/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct load {
	struct state *s;
	const struct when *when;
	const struct state_place *place;
	uint64_t start_us;
	uint64_t session; /* that a counter is of: the journal's last */
};

static bool is_behind(const struct load *l, const struct journal_record *r)
{
	if (l->place)
		return r->node == l->place->node && r->session == l->place->session &&
		       r->counter > l->place->counter &&
		       (r->type == JOURNAL_SENT || r->type == JOURNAL_APPLIED ||
			r->type == JOURNAL_KEPT);
	return when_is_after(l->when, r, l->start_us);
}

static int on_record(void *ctx, const struct journal_record *r)
{
	struct load *l = ctx;

	if (is_behind(l, r))
		return 1;
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
	uint64_t wall_us = when_wall_us(when, j->file[0].header.wall_us);
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
	struct input_range range = {.first = first_segment(j, when, place)};
	int rc = command_need_key(o, j, &out->key);

	out->tables = NULL;
	l.start_us = j->file[0].header.wall_us;
	while (!rc) {
		tables_free(out->tables);
		out->tables = tables_new(&out->key, &none);
		out->records = out->damaged = 0;
		out->first = range.first;
		if (!out->tables)
			return command_failed(j->name, -ENOMEM);
		rc = input_read(j, &range, &ev, on_record, &l);
		if (rc < 0)
			return command_failed(j->file[range.first].path, rc);
		rc = 0;
		/* Before its first keyframe, a segment tells less than the one before. */
		if (all_exact(out->tables) || range.first == 0)
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
