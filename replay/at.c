// SPDX-License-Identifier: GPL-2.0-or-later
/* at: the tables as they were. who: which node held a flow then, and as what. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "replay/state.h"
#include "replay/text.h"

struct printing {
	const struct options *o;
	const struct tables_group *g;
	const char *node;
	uint64_t printed;
};

static int print_flow(void *ctx, uint64_t hash, const uint8_t *bytes, size_t len)
{
	struct printing *p = ctx;
	char text[FLOW_TEXT_MAX];
	struct json_line j;
	struct flow f;

	(void)hash;
	if (flow_decode(bytes, len, &f) || !filter_key(&p->o->filter, &f.key))
		return 0;
	p->printed++;
	if (p->o->quiet && !p->o->json)
		return 0;
	(void)flow_format(&f, text);
	if (p->o->json) {
		json_begin(&j, stdout);
		json_string_member(&j, "node", p->node);
		json_number_member(&j, "group", p->g->id);
		json_string_member(&j, "flow", text);
		json_end(&j);
	} else {
		(void)puts(text);
	}
	return ferror(stdout);
}

static int print_state(const struct options *o, const struct input_journal *j,
		       const struct state *s)
{
	struct printing p = {.o = o, .node = j->name};
	char at[TEXT_TIME_LEN];
	int rc = EXIT_CONSISTENT;

	for (size_t i = 0; (p.g = tables_at(s->tables, i)) != NULL; i++) {
		if (!filter_group(&o->filter, p.g->id))
			continue;
		p.printed = 0;
		(void)table_walk(p.g->table, (struct hash_range){0, 0}, print_flow, &p);
		if (!p.g->exact)
			rc = EXIT_FINDINGS;
		(void)fflush(stdout); /* both often go to one place */
		(void)fprintf(stderr,
			      "%s at %s: group %u %s, %zu flows, %" PRIu64
			      " shown, stream %u:%" PRIu64 ", %s; read from segment %u on, %" PRIu64
			      " records\n",
			      j->name, text_time(s->at_us, at), p.g->id, text_state(p.g->state),
			      table_count(p.g->table), p.printed, p.g->stream_node,
			      p.g->stream_counter, p.g->exact ? "exact" : "NOT EXACT",
			      j->file[s->first].header.segment, s->records);
	}
	return rc;
}

static bool take_when(const struct options *o, int index, struct when *out)
{
	*out = (struct when){WHEN_NONE, 0};
	if (index >= o->args || when_parse(o->arg[index], out) == 0)
		return true;
	(void)fprintf(stderr, "sync-replay: what time is \"%s\"? See sync-replay(1)\n",
		      o->arg[index]);
	return false;
}

int command_at(const struct options *o)
{
	struct state s = {0};
	struct when when;
	struct input in;
	int rc, worst = EXIT_CONSISTENT;

	if (o->args < 2 || !take_when(o, 0, &when)) {
		(void)fputs("usage: sync-replay at TIME JOURNAL...\n", stderr);
		return EXIT_WRONG_USE;
	}
	rc = command_open(o, 1, o->args - 1, &in);
	if (rc)
		return rc;
	command_resolve_when(&when, &in, NULL);
	for (size_t i = 0; i < in.journals && !rc; i++) {
		if (!command_takes(o, &in.journal[i]))
			continue;
		rc = state_load(o, &in.journal[i], &when, NULL, &s);
		if (!rc && print_state(o, &in.journal[i], &s))
			worst = EXIT_FINDINGS;
		state_fini(&s);
	}
	input_free(&in);
	return rc ? rc : worst;
}

static bool take_key(const char *text, uint8_t *key, size_t *len)
{
	struct flow_key k;
	int n = flow_key_parse(text, &k) ? -1 : flow_key_encode(&k, key);

	if (n < 0)
		(void)fprintf(stderr,
			      "sync-replay: \"%s\" is no flow; one is \"tcp "
			      "192.0.2.1:4242>203.0.113.10:80\"\n",
			      text);
	*len = n < 0 ? 0 : (size_t)n;
	return n >= 0;
}

/* Returns true where the journal's node was active and held it. */
static bool print_holder(const struct options *o, const struct input_journal *j,
			 const struct state *s, const uint8_t *key, size_t key_len)
{
	const struct tables_group *g;
	char text[FLOW_TEXT_MAX];
	bool held_by_active = false;
	struct json_line l;

	for (size_t i = 0; (g = tables_at(s->tables, i)) != NULL; i++) {
		const uint8_t *flow;
		size_t len;
		bool has = table_get(g->table, key, key_len, &flow, &len);

		if (!filter_group(&o->filter, g->id))
			continue;
		/* On the wire there is what some active node has said. */
		held_by_active |= has && (g->state == STATE_ACTIVE || j->file[0].capture);
		if (o->json) {
			json_begin(&l, stdout);
			json_string_member(&l, "node", j->name);
			json_number_member(&l, "group", g->id);
			json_string_member(&l, "state", text_state(g->state));
			json_number_member(&l, "term", g->term.number);
			json_bool_member(&l, "exact", g->exact);
			json_bool_member(&l, "held", has);
			if (has)
				json_string_member(&l, "flow", text_flow(flow, len, text));
			json_end(&l);
		} else {
			(void)printf("%-12s group %u %-9s term %" PRIu64 ".%u%s: %s\n", j->name,
				     g->id, text_state(g->state), g->term.number, g->term.node,
				     g->exact ? "" : " (not exact)",
				     has ? text_flow(flow, len, text) : "not there");
		}
	}
	return held_by_active;
}

int command_who(const struct options *o)
{
	uint8_t key[FLOW_KEY_MAX];
	struct state s = {0};
	struct when when;
	struct input in;
	bool held = false;
	size_t len;
	int rc;

	if (o->args < 3) {
		(void)fputs("usage: sync-replay who FLOW TIME JOURNAL...\n", stderr);
		return EXIT_WRONG_USE;
	}
	if (!take_key(o->arg[0], key, &len) || !take_when(o, 1, &when))
		return EXIT_WRONG_USE;
	rc = command_open(o, 2, o->args - 2, &in);
	if (rc)
		return rc;
	command_resolve_when(&when, &in, NULL);
	for (size_t i = 0; i < in.journals && !rc; i++) {
		if (!command_takes(o, &in.journal[i]))
			continue;
		rc = state_load(o, &in.journal[i], &when, NULL, &s);
		if (!rc)
			held |= print_holder(o, &in.journal[i], &s, key, len);
		state_fini(&s);
	}
	input_free(&in);
	return rc ? rc : held ? EXIT_CONSISTENT : EXIT_FINDINGS;
}

/* ---- history: what was said of a flow, one line a change ---- */

struct history {
	const struct options *o;
	const char *node;
	uint8_t key[FLOW_KEY_MAX];
	size_t key_len;
	uint8_t last[FLOW_MAX];
	size_t last_len; /* 0: not there */
	bool known;
	uint64_t lines, start_us;
};

/* With a flow it was put, without deleted. */
static void history_line(struct history *h, const struct journal_record *r, const char *what,
			 const uint8_t *flow, size_t len)
{
	const struct filter *f = &h->o->filter;
	char text[FLOW_TEXT_MAX], at[TEXT_TIME_LEN];
	struct json_line j;

	if (!filter_record(f, r, h->start_us) || (f->put >= 0 && f->put != (len > 0)))
		return;
	h->lines++;
	if (h->o->json) {
		json_begin(&j, stdout);
		json_string_member(&j, "time", text_time(r->wall_us, at));
		json_string_member(&j, "journal", h->node);
		json_string_member(&j, "type", journal_type_name(r->type));
		json_number_member(&j, "node", r->node);
		json_number_member(&j, "counter", r->counter);
		json_string_member(&j, "what", what);
		if (len)
			json_string_member(&j, "flow", text_flow(flow, len, text));
		json_end(&j);
		return;
	}
	(void)printf("%s %-10s %-8s %u:%-8" PRIu64 " %-7s %s\n", text_time(r->wall_us, at), h->node,
		     journal_type_name(r->type), r->node, r->counter, what,
		     len ? text_flow(flow, len, text) : "");
}

static void on_piece(void *ctx, const struct journal_record *r, const struct data_info *info,
		     bool put, const uint8_t *bytes, size_t len)
{
	struct history *h = ctx;
	const uint8_t *key = bytes;
	size_t key_len = len;

	if ((put && flow_key_slice(bytes, len, &key, &key_len)) || key_len != h->key_len ||
	    memcmp(key, h->key, key_len) != 0 || !filter_group(&h->o->filter, info->group))
		return;
	if (!put) {
		history_line(h, r, "deleted", NULL, 0);
		h->last_len = 0;
	} else if (!h->known || h->last_len != len || memcmp(h->last, bytes, len) != 0) {
		history_line(h, r, !h->known || h->last_len == 0 ? "there" : "changed", bytes, len);
		if (len <= sizeof(h->last))
			memcpy(h->last, bytes, len);
		h->last_len = len <= sizeof(h->last) ? len : 0;
	}
	h->known = true;
}

/* Removed by a repair: the range was told without it. */
static void check_range(struct history *h, const struct tables *t, const struct journal_record *r)
{
	struct data_info info;
	const uint8_t *data, *flow;
	const struct tables_group *g;
	size_t len;

	if (!h->known || h->last_len == 0 || record_data(r, &data, &len, &info) <= 0 ||
	    !info.has_range || !filter_group(&h->o->filter, info.group))
		return;
	g = tables_group(t, info.group);
	if (!g || !g->table || table_get(g->table, h->key, h->key_len, &flow, &len))
		return;
	history_line(h, r, "removed", NULL, 0);
	h->last_len = 0;
}

struct history_reading {
	struct history *h;
	struct tables *t;
};

static int history_record(void *ctx, const struct journal_record *r)
{
	struct history_reading *hr = ctx;

	tables_apply(hr->t, r);
	check_range(hr->h, hr->t, r);
	return 0;
}

int command_history(const struct options *o)
{
	struct history h = {.o = o};
	const struct tables_events tev = {.piece = on_piece, .ctx = &h};
	const struct input_events ev = {0};
	struct input_range range = command_range(o, true);
	struct history_reading hr = {.h = &h};
	struct input in;
	int rc;

	if (o->args < 2 || !take_key(o->arg[0], h.key, &h.key_len)) {
		(void)fputs("usage: sync-replay history FLOW JOURNAL...\n", stderr);
		return EXIT_WRONG_USE;
	}
	rc = command_open(o, 1, o->args - 1, &in);
	if (rc)
		return rc;
	range.follow = o->follow;
	for (size_t i = 0; i < in.journals && rc >= 0; i++) {
		struct digest_key key;
		bool has = command_digest_key(o, &in.journal[i].file[0].header, &key);

		hr.t = tables_new(has ? &key : NULL, &tev);
		h.node = in.journal[i].name;
		h.known = false;
		h.start_us = in.journal[i].start_us;
		rc = hr.t ? input_read(&in.journal[i], &range, &ev, history_record, &hr) : -ENOMEM;
		tables_free(hr.t);
	}
	input_free(&in);
	return rc < 0 ? command_failed("reading", rc) : h.lines ? EXIT_CONSISTENT : EXIT_FINDINGS;
}
