// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * diff: two nodes' tables, flow by flow. At a time: as each was then. Without: at the last place of
 * the one's stream that both journals reach, where the tables ought to be the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "replay/state.h"
#include "replay/text.h"

/* ---- the last place that both reach ---- */

struct last {
	uint16_t self, other;		  /* 0: a capture, of whatever stream was on the wire */
	struct state_place sent, applied; /* this node's own stream; the other's, as applied here */
	uint64_t applied_us;
};

static int find_last(void *ctx, const struct journal_record *r)
{
	struct last *l = ctx;

	if (r->type == JOURNAL_SENT) {
		l->sent = (struct state_place){r->node, r->session, r->counter};
	} else if ((r->type == JOURNAL_APPLIED || r->type == JOURNAL_KEPT) &&
		   (r->node == l->other || l->other == 0)) {
		l->applied = (struct state_place){r->node, r->session, r->counter};
		l->applied_us = r->wall_us;
	}
	return 0;
}

static int read_last(const struct options *o, const struct input_journal *j, uint16_t other,
		     struct last *out)
{
	const struct input_events ev = {0};
	const struct input_range range = command_range(o, true);
	int rc;

	*out = (struct last){.self = j->node, .other = other};
	rc = input_read(j, &range, &ev, find_last, out);
	return rc < 0 ? command_failed(j->name, rc) : 0;
}

/* A capture has what was sent, as has the journal of who sent it: the end of the shorter. */
static bool same_stream(const struct state_place *a, const struct state_place *b,
			struct state_place *out)
{
	if (!a->counter || a->node != b->node || a->session != b->session)
		return false;
	*out = a->counter < b->counter ? *a : *b;
	return true;
}

static int find_place(const struct options *o, const struct input_journal *a,
		      const struct input_journal *b, struct state_place *out)
{
	const struct last *leader, *follower;
	struct last la, lb;
	int rc = read_last(o, a, b->node, &la);

	rc = rc ? rc : read_last(o, b, a->node, &lb);
	if (rc)
		return rc;
	follower = la.applied_us > lb.applied_us ? &la : &lb;
	leader = follower == &la ? &lb : &la;
	if (!follower->applied.counter && same_stream(&la.sent, &lb.sent, out))
		return 0;
	if (!follower->applied.counter) {
		(void)fputs("sync-replay: neither has applied the other's stream: name a time\n",
			    stderr);
		return EXIT_WRONG_USE;
	}
	*out = follower->applied;
	/* The end of a crashed node's journal may be missing. */
	if (leader->sent.session == out->session && leader->sent.counter < out->counter)
		out->counter = leader->sent.counter;
	return 0;
}

/* ---- comparing ---- */

struct comparing {
	const struct options *o;
	const char *name_a, *name_b;
	const struct table *other;
	uint32_t group;
	bool second; /* the walk of B: what A has was compared already */
	uint64_t only_a, only_b, differ;
};

static void print_one(const struct comparing *c, const char *what, const char *a, const char *b)
{
	struct json_line j;

	if (c->o->json) {
		json_begin(&j, stdout);
		json_number_member(&j, "group", c->group);
		json_string_member(&j, "difference", what);
		if (a)
			json_string_member(&j, c->name_a, a);
		if (b)
			json_string_member(&j, c->name_b, b);
		json_end(&j);
	} else if (a && b) {
		(void)printf("differs\n    %s: %s\n    %s: %s\n", c->name_a, a, c->name_b, b);
	} else {
		(void)printf("only %s: %s\n", a ? c->name_a : c->name_b, a ? a : b);
	}
}

static int compare_flow(void *ctx, uint64_t hash, const uint8_t *bytes, size_t len)
{
	struct comparing *c = ctx;
	char mine[FLOW_TEXT_MAX], theirs[FLOW_TEXT_MAX];
	const uint8_t *key, *flow;
	size_t key_len, flow_len;
	struct flow_key k;
	bool has;

	(void)hash;
	if (flow_key_slice(bytes, len, &key, &key_len) || flow_key_decode(key, key_len, &k) ||
	    !filter_key(&c->o->filter, &k))
		return 0;
	has = table_get(c->other, key, key_len, &flow, &flow_len);
	if (has && (c->second || (flow_len == len && memcmp(flow, bytes, len) == 0)))
		return 0;
	(void)text_flow(bytes, len, mine);
	if (has) {
		c->differ++;
		print_one(c, "differs", mine, text_flow(flow, flow_len, theirs));
	} else if (c->second) {
		c->only_b++;
		print_one(c, "only B", NULL, mine);
	} else {
		c->only_a++;
		print_one(c, "only A", mine, NULL);
	}
	return 0;
}

static void compare_group(struct comparing *c, const struct tables_group *a,
			  const struct tables_group *b)
{
	c->group = a->id;
	c->second = false;
	c->other = b->table;
	(void)table_walk(a->table, (struct hash_range){0, 0}, compare_flow, c);
	c->second = true;
	c->other = a->table;
	(void)table_walk(b->table, (struct hash_range){0, 0}, compare_flow, c);
}

static int compare(const struct options *o, const struct input_journal *ja,
		   const struct input_journal *jb, const struct state *a, const struct state *b)
{
	struct comparing c = {.o = o, .name_a = ja->name, .name_b = jb->name};
	const struct tables_group *ga, *gb;
	char at_a[TEXT_TIME_LEN], at_b[TEXT_TIME_LEN];
	struct json_line j;
	bool exact = true;

	for (size_t i = 0; (ga = tables_at(a->tables, i)) != NULL; i++) {
		gb = tables_group(b->tables, ga->id);
		if (!gb || !filter_group(&o->filter, ga->id))
			continue;
		exact = exact && ga->exact && gb->exact;
		compare_group(&c, ga, gb);
		if (!o->quiet)
			(void)fprintf(
				stderr,
				"group %u: %s %s, %zu flows at %s, %u:%" PRIu64
				"%s; %s %s, %zu flows at %s, %u:%" PRIu64 "%s\n",
				ga->id, ja->name, text_state(ga->state), table_count(ga->table),
				text_time(a->at_us, at_a), ga->stream_node, ga->stream_counter,
				ga->exact ? "" : " NOT EXACT", jb->name, text_state(gb->state),
				table_count(gb->table), text_time(b->at_us, at_b), gb->stream_node,
				gb->stream_counter, gb->exact ? "" : " NOT EXACT");
	}
	if (!o->quiet)
		(void)fprintf(stderr,
			      "%" PRIu64 " only %s, %" PRIu64 " only %s, %" PRIu64 " differ%s\n",
			      c.only_a, ja->name, c.only_b, jb->name, c.differ,
			      exact ? "" : "; NOT EXACT: the journals do not tell all of it");
	if (o->json) {
		json_begin(&j, stdout);
		json_string_member(&j, "a", ja->name);
		json_string_member(&j, "b", jb->name);
		json_number_member(&j, "only_a", c.only_a);
		json_number_member(&j, "only_b", c.only_b);
		json_number_member(&j, "differ", c.differ);
		json_bool_member(&j, "exact", exact);
		json_end(&j);
	}
	return c.only_a || c.only_b || c.differ || !exact ? EXIT_FINDINGS : EXIT_CONSISTENT;
}

int command_diff(const struct options *o)
{
	struct state a = {0}, b = {0};
	struct state_place place, *at = NULL;
	struct when when = {WHEN_NONE, 0};
	struct input ia, ib;
	int rc;

	if (o->args < 2 || o->args > 3 || (o->args == 3 && when_parse(o->arg[2], &when))) {
		(void)fputs("usage: sync-replay diff JOURNAL JOURNAL [TIME]\n", stderr);
		return EXIT_WRONG_USE;
	}
	rc = command_open(o, 0, 1, &ia);
	if (rc)
		return rc;
	rc = command_open(o, 1, 1, &ib);
	if (rc) {
		input_free(&ia);
		return rc;
	}
	command_resolve_when(&when, &ia, &ib);
	if (when.kind == WHEN_NONE) {
		rc = find_place(o, &ia.journal[0], &ib.journal[0], &place);
		at = &place;
	}
	rc = rc ? rc : state_load(o, &ia.journal[0], &when, at, &a);
	rc = rc ? rc : state_load(o, &ib.journal[0], &when, at, &b);
	rc = rc ? rc : compare(o, &ia.journal[0], &ib.journal[0], &a, &b);
	state_fini(&a);
	state_fini(&b);
	input_free(&ia);
	input_free(&ib);
	return rc;
}
