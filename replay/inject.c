// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inject: plays a node's journal to a target (inject.h): the table as it was at --from, then what
 * follows until --until, at the journal's own pace or another.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/flow_codec.h"
#include "replay/inject.h"
#include "replay/state.h"
#include "replay/text.h"

struct inject {
	const struct options *o;
	struct injector *to;
	struct tables *tables; /* that records are read through */
	struct when from, until;
	uint64_t start_us;	    /* journal's beginning */
	uint64_t first_us, mono_us; /* the first record played, and when that was */
	uint64_t ops;
};

uint64_t inject_now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * S_US + (uint64_t)t.tv_nsec / 1000;
}

static void wait_until(struct inject *in, uint64_t at_us)
{
	if (at_us > inject_now_us())
		in->to->ops->wait(in->to, at_us);
}

static void submit(struct inject *in, bool put, const struct flow *f)
{
	if (in->o->filter.put >= 0 && put != in->o->filter.put)
		return;
	if (!in->mono_us)
		in->mono_us = inject_now_us();
	if (in->o->pps)
		wait_until(in, in->mono_us + in->ops * S_US / in->o->pps);
	in->ops++;
	in->to->ops->submit(in->to, put, f);
	if (in->o->one_at_a_time)
		in->to->ops->settle(in->to);
}

static int submit_present(void *ctx, uint64_t hash, const uint8_t *bytes, size_t len)
{
	struct inject *in = ctx;
	struct flow f;

	(void)hash;
	if (flow_decode(bytes, len, &f) == 0 && filter_key(&in->o->filter, &f.key))
		submit(in, true, &f);
	return in->to->failed;
}

static void on_piece(void *ctx, const struct journal_record *r, const struct data_info *info,
		     bool put, const uint8_t *bytes, size_t len)
{
	struct inject *in = ctx;
	struct flow f = {0};

	if (r->type == JOURNAL_KEYFRAME || in->to->failed ||
	    !filter_group(&in->o->filter, info->group) ||
	    (put ? flow_decode(bytes, len, &f) : flow_key_decode(bytes, len, &f.key)) ||
	    !filter_key(&in->o->filter, &f.key))
		return;
	submit(in, put, &f);
}

static int play(void *ctx, const struct journal_record *r)
{
	struct inject *in = ctx;

	if (in->from.kind && !when_is_after(&in->from, r, in->start_us))
		return 0; /* in the table that was put in first */
	if (when_is_after(&in->until, r, in->start_us) || in->to->failed)
		return 1;
	if (!in->first_us) {
		in->first_us = r->wall_us;
		in->mono_us = inject_now_us();
	}
	if (!in->o->top_speed && !in->o->pps && r->wall_us > in->first_us)
		wait_until(in, in->mono_us + (uint64_t)((double)(r->wall_us - in->first_us) /
							in->o->speed));
	tables_apply(in->tables, r);
	return 0;
}

/* The table at --from, where there is one. *first: the segment to go on with. */
static int submit_table(struct inject *in, const struct input_journal *j, size_t *first)
{
	const struct tables_group *g;
	struct state s = {0};
	int rc;

	if (!in->from.kind)
		return 0;
	rc = state_load(in->o, j, &in->from, NULL, &s);
	for (size_t i = 0; !rc && (g = tables_at(s.tables, i)) != NULL; i++)
		if (filter_group(&in->o->filter, g->id))
			(void)table_walk(g->table, (struct hash_range){0, 0}, submit_present, in);
	*first = s.first;
	state_fini(&s);
	in->mono_us = 0;
	in->ops = 0;
	return rc;
}

static int run(struct inject *in, const struct input_journal *j)
{
	const struct tables_events tev = {.piece = on_piece, .ctx = in};
	const struct input_events ev = {0};
	struct input_range range = command_range(in->o, false);
	int rc = submit_table(in, j, &range.first);

	if (rc)
		return rc;
	in->tables = tables_new(NULL, &tev);
	if (!in->tables)
		return command_failed(j->name, -ENOMEM);
	in->to->ops->begin(in->to);
	rc = input_read(j, &range, &ev, play, in);
	in->to->ops->settle(in->to);
	tables_free(in->tables);
	return rc < 0 ? command_failed(j->name, rc) : 0;
}

static int summary(struct inject *in)
{
	const struct injector_stats *st = &in->to->stats;
	struct json_line j;

	if (in->o->json) {
		json_begin(&j, stdout);
		json_bool_member(&j, "dry_run", in->o->dry_run);
		json_number_member(&j, "puts", st->puts);
		json_number_member(&j, "dels", st->dels);
		json_number_member(&j, "refused", st->refused);
		json_number_member(&j, "left_out", st->skipped);
		json_end(&j);
		return in->to->ops->finish(in->to);
	}
	(void)printf("%s%" PRIu64 " put, %" PRIu64 " deleted, %" PRIu64 " refused",
		     in->o->dry_run ? "dry run: " : "", st->puts, st->dels, st->refused);
	for (size_t i = 0; i < REASONS_MAX && st->reason[i].n; i++)
		(void)printf("%s%s: %" PRIu64, i ? ", " : " (", strerror(-st->reason[i].err),
			     st->reason[i].n);
	(void)fputs(st->reason[0].n ? ")" : "", stdout);
	if (st->skipped)
		(void)printf(", %" PRIu64 " left out", st->skipped);
	return in->to->ops->finish(in->to);
}

int command_inject(const struct options *o)
{
	struct inject in = {.o = o, .from = o->filter.from, .until = o->filter.until};
	const struct input_journal *j = NULL;
	size_t taken = 0;
	struct input input;
	int rc = command_open(o, 0, o->args, &input);

	if (rc)
		return rc;
	for (size_t i = 0; i < input.journals; i++)
		if (command_takes(o, &input.journal[i])) {
			j = &input.journal[i];
			taken++;
		}
	if (taken != 1) {
		(void)fputs("sync-replay: inject plays one node's journal: --node names it\n",
			    stderr);
		rc = EXIT_WRONG_USE;
	}
	if (o->into && o->dry_run) {
		(void)fputs("sync-replay: --dry-run asks a kernel, --into a group\n", stderr);
		rc = EXIT_WRONG_USE;
	}
	in.start_us = input.journal[0].start_us;
	rc = rc ? rc : o->into ? inject_node_open(o, &in.to) : inject_kernel_open(o, &in.to);
	rc = rc ? rc : run(&in, j);
	rc = rc ? rc : summary(&in);
	if (in.to)
		in.to->ops->free(in.to);
	input_free(&input);
	return rc;
}
