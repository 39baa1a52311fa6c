// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verify: proves of each journal that no record is missing, doubled or changed, that its segments
 * are a chain, that the stream's numbers have no gap, and that the tables rebuilt from it have the
 * digests that were told in the stream. Says what it could not prove.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/state.h"
#include "replay/text.h"
#include "replay/verify.h"

enum { STREAMS = 64, SHOWN_MAX = 1000 };

struct stream {
	uint16_t node;
	uint64_t session, counter;
	uint64_t anew; /* applied though what was before it was not; 0: never */
};

struct verify {
	const struct options *o;
	const struct input_journal *journal;
	const struct input_file *file;
	verify_finding_fn *tell; /* instead of printing */
	void *tell_ctx;
	struct tables *tables;
	struct tables_events tables_events;
	bool has_key;
	uint64_t start_us;

	struct journal_header header; /* of the segment being read */
	bool any, rotated;
	uint64_t number, session;
	bool numbered; /* a record of the session was seen */
	bool forgive;  /* records were lost: the next counter may be any */
	struct stream stream[STREAMS];
	size_t streams;
	const struct journal_record *at; /* being looked at */

	struct state_place bad; /* the first check that differed without leave; counter 0: none */
	uint32_t bad_group;
	uint64_t findings, records, checks_equal, checks_unproven, checks_differed, lost,
		passed_over;
};

__attribute__((format(printf, 2, 3))) static void finding(struct verify *v, const char *fmt, ...)
{
	const struct journal_record *r = v->at;
	char what[512], at[TEXT_TIME_LEN];
	struct json_line j;
	va_list ap;

	if (r && (when_is_after(&v->o->filter.until, r, v->start_us) ||
		  (v->o->filter.from.kind && !when_is_after(&v->o->filter.from, r, v->start_us))))
		return;
	if (v->findings++ >= SHOWN_MAX)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (v->tell) {
		v->tell(v->tell_ctx, r ? r->wall_us : 0, what);
		return;
	}
	if (v->o->json) {
		json_begin(&j, stdout);
		json_string_member(&j, "finding", what);
		json_number_member(&j, "node", v->journal->node);
		json_number_member(&j, "segment", v->header.segment);
		json_number_member(&j, "record", r ? r->number : 0);
		json_string_member(&j, "time", r ? text_time(r->wall_us, at) : "");
		json_end(&j);
	} else {
		(void)printf("finding: %s segment %u record %" PRIu64 " %s: %s\n", v->header.name,
			     v->header.segment, r ? r->number : 0,
			     r ? text_time(r->wall_us, at) : "-", what);
	}
}

/* ---- segments ---- */

static void link_segments(struct verify *v, const struct journal_header *h,
			  const struct segment *before)
{
	uint8_t hash[JOURNAL_HASH_LEN];

	if (h->segment <= v->header.segment) {
		finding(v, "segment %u follows segment %u", h->segment, v->header.segment);
		return;
	}
	if (h->segment != v->header.segment + 1) {
		finding(v, "segments %u to %u are missing", v->header.segment + 1, h->segment - 1);
		tables_lose(v->tables);
		v->forgive = true;
		v->numbered = false;
		return;
	}
	segment_hash(before, hash);
	if (memcmp(hash, h->previous, sizeof(hash)) != 0)
		finding(v,
			"segment %u is not the one that segment %u was chained to: it was changed "
			"or cut",
			v->header.segment, h->segment);
}

/* Through a pipe, the header tells only now under which key the digests are. */
static void check_key(struct verify *v, const struct journal_header *h)
{
	struct digest_key key;

	if (!v->has_key || command_digest_key(v->o, h, &key))
		return;
	tables_free(v->tables);
	v->tables = tables_new(NULL, &v->tables_events);
	v->has_key = false;
	if (!v->tables)
		abort();
}

/* Whoever swaps two files leaves each whole. */
static void check_name(struct verify *v, const struct input_file *f)
{
	const char *slash = strrchr(f->path, '/'), *name = slash ? slash + 1 : f->path;
	unsigned node, number;

	if (sscanf(name, "journal-%u-%u.zst", &node, &number) == 2 &&
	    (node != f->header.node || number != f->header.segment))
		finding(v, "%s holds segment %u of node %u", f->path, f->header.segment,
			f->header.node);
}

static void on_segment(void *ctx, const struct input_file *f, const struct segment *before)
{
	static const uint8_t none[JOURNAL_HASH_LEN];
	struct verify *v = ctx;

	v->at = NULL;
	check_name(v, f);
	if (!before)
		check_key(v, &f->header);
	if (before)
		link_segments(v, &f->header, before);
	else if (f->header.segment == 1 && memcmp(f->header.previous, none, sizeof(none)) != 0)
		finding(v, "the first segment is chained to one before");
	if (!v->any && f->header.segment != 1 && !v->o->quiet && !v->o->json && !v->tell)
		(void)printf("note: %s begins with segment %u\n", f->header.name,
			     f->header.segment);
	if (!before || f->header.session != v->header.session) {
		v->numbered = false;
		tables_lose(v->tables);
	}
	v->header = f->header;
	v->file = f;
	v->any = true;
	v->rotated = false;
}

static void on_damage(void *ctx, const struct input_file *f, uint64_t offset, const char *what)
{
	struct verify *v = ctx;

	v->at = NULL;
	finding(v, "%s, at byte %" PRIu64 " of %s", what, offset, f->path);
	tables_lose(v->tables);
	v->forgive = true;
}

static void on_end(void *ctx, const struct segment *last)
{
	struct verify *v = ctx;

	v->at = NULL;
	if (v->rotated)
		finding(v, "segment %u, which follows, is missing", v->header.segment + 1);
	else if (!segment_ended(last) && !v->o->quiet && !v->o->json && !v->tell)
		(void)printf("note: %s segment %u has no end: it is being written, or its node "
			     "crashed\n",
			     v->header.name, v->header.segment);
}

/* ---- numbers ---- */

static uint64_t records_lost(const struct journal_record *r)
{
	struct journal_lost l;

	return r->type == JOURNAL_LOST && journal_lost_read(r->payload, r->len, &l) == 0 ? l.records
											 : 0;
}

static void check_number(struct verify *v, const struct journal_record *r)
{
	uint64_t expected = v->numbered ? v->number + 1 : r->number;
	uint64_t lost = records_lost(r);

	/* A session's journal begins with 1, unless its first segments are not there. */
	if (!v->numbered && v->session != v->header.session && v->session && !v->forgive)
		expected = 1;
	if (r->number > expected && r->number - expected > lost && !v->forgive)
		finding(v, "records %" PRIu64 " to %" PRIu64 " are missing", expected,
			r->number - 1);
	else if (r->number < expected)
		finding(v, "record %" PRIu64 " comes after record %" PRIu64, r->number,
			expected - 1);
	if (r->number != expected && !lost)
		tables_lose(v->tables);
	v->number = r->number;
	v->session = v->header.session;
	v->numbered = true;
	v->lost += lost;
}

static struct stream *stream_of(struct verify *v, const struct journal_record *r)
{
	struct stream *s;

	for (size_t i = 0; i < v->streams; i++)
		if (v->stream[i].node == r->node && v->stream[i].session == r->session)
			return &v->stream[i];
	/* Sessions end; the oldest make room. */
	if (v->streams == STREAMS) {
		memmove(&v->stream[0], &v->stream[1], (STREAMS - 1) * sizeof(v->stream[0]));
		v->streams--;
	}
	s = &v->stream[v->streams++];
	*s = (struct stream){.node = r->node, .session = r->session};
	return s;
}

static void check_counter(struct verify *v, const struct journal_record *r)
{
	struct stream *s;

	if (r->type != JOURNAL_SENT && r->type != JOURNAL_APPLIED && r->type != JOURNAL_KEPT)
		return;
	s = stream_of(v, r);
	if (s->counter && r->counter <= s->counter)
		finding(v, "%s %u:%" PRIu64 " comes after %" PRIu64, journal_type_name(r->type),
			r->node, r->counter, s->counter);
	else if (r->type == JOURNAL_SENT && s->counter && r->counter != s->counter + 1 &&
		 !v->forgive)
		finding(v, "sent %" PRIu64 " comes after %" PRIu64, r->counter, s->counter);
	else if (r->type != JOURNAL_SENT && s->counter && r->counter > s->counter + 1 &&
		 !v->forgive) {
		s->anew = r->counter;
		v->passed_over += r->counter - s->counter - 1;
	}
	s->counter = r->counter;
	v->forgive = false;
}

/* ---- digests ---- */

static void on_check(void *ctx, const struct tables_check *c)
{
	struct verify *v = ctx;

	v->checks_unproven += !c->compared;
	v->checks_equal += c->compared && c->equal;
	v->checks_differed += c->compared && !c->equal;
	if (!c->compared || c->equal || !filter_group(&v->o->filter, c->group->id))
		return;
	/* A joiner's first checks differ: that is how it learns what to ask for. So do those of who
	 * lost the stream for a while and follows it anew. */
	if (c->record->type == JOURNAL_APPLIED &&
	    (c->group->state != STATE_STANDBY ||
	     c->group->equal_counter < stream_of(v, c->record)->anew))
		return;
	finding(v,
		"%s %u:%" PRIu64 " group %u: said %016" PRIx64 " of %" PRIu64
		" flows, the journal's table has %016" PRIx64 " of %" PRIu64,
		journal_type_name(c->record->type), c->record->node, c->record->counter,
		c->group->id, c->said.digest, c->said.count, c->digest, c->count);
	if (v->bad.counter == 0 && c->record->type == JOURNAL_APPLIED) {
		v->bad = (struct state_place){c->record->node, c->record->session,
					      c->record->counter};
		v->bad_group = c->group->id;
	}
}

static void on_malformed(void *ctx, const struct journal_record *r, const char *what)
{
	(void)r;
	finding(ctx, "%s", what);
}

/* Says that it is equal, though the check just before was not. */
static void check_claim(struct verify *v, const struct journal_record *r)
{
	const struct tables_group *g;
	struct journal_change c;

	if (r->type != JOURNAL_STATE || journal_change_read(r->payload, r->len, &c) ||
	    c.to != STATE_STANDBY)
		return;
	g = tables_group(v->tables, c.group);
	if (g && g->exact && g->differs)
		finding(v, "group %u becomes standby, though its table differs", c.group);
}

static int on_record(void *ctx, const struct journal_record *r)
{
	struct verify *v = ctx;
	struct journal_note n;

	v->at = r;
	v->records++;
	check_number(v, r);
	if (r->type == JOURNAL_LOST)
		v->forgive = true;
	check_counter(v, r);
	check_claim(v, r);
	tables_apply(v->tables, r);
	if (r->type == JOURNAL_END)
		v->rotated = journal_note_read(r->payload, r->len, &n) == 0 &&
			     strcmp(n.text, "rotated") == 0;
	return 0;
}

static void summary(const struct verify *v)
{
	struct json_line j;

	if (v->o->json) {
		json_begin(&j, stdout);
		json_string_member(&j, "journal", v->journal->name);
		json_number_member(&j, "node", v->journal->node);
		json_number_member(&j, "records", v->records);
		json_number_member(&j, "checks_equal", v->checks_equal);
		json_number_member(&j, "checks_differed", v->checks_differed);
		json_number_member(&j, "checks_unproven", v->checks_unproven);
		json_number_member(&j, "lost", v->lost);
		json_number_member(&j, "passed_over", v->passed_over);
		json_number_member(&j, "findings", v->findings);
		json_bool_member(&j, "digests", v->has_key);
		json_end(&j);
		return;
	}
	if (!v->o->quiet) {
		(void)printf("%s: %" PRIu64 " records, ", v->journal->name, v->records);
		if (v->has_key)
			(void)printf("%" PRIu64 " checks equal, %" PRIu64 " differed, %" PRIu64
				     " could not be compared, ",
				     v->checks_equal, v->checks_differed, v->checks_unproven);
		else
			(void)printf("digests not compared (no key), ");
		if (v->lost)
			(void)printf("%" PRIu64 " records lost, ", v->lost);
		if (v->passed_over)
			(void)printf("%" PRIu64 " datagrams passed over, ", v->passed_over);
		(void)printf("%" PRIu64 " findings\n", v->findings);
	}
}

static int verify_one(struct verify *v)
{
	const struct options *o = v->o;
	const struct input_journal *j = v->journal;
	const struct input_events ev = {
		.segment = on_segment, .damage = on_damage, .end = on_end, .ctx = v};
	struct input_range range = command_range(o, false);
	struct digest_key key;
	int rc;

	v->tables_events =
		(struct tables_events){.check = on_check, .malformed = on_malformed, .ctx = v};
	range.follow = o->follow;
	v->start_us = j->start_us;
	v->has_key = command_digest_key(o, &j->file[0].header, &key);
	if (o->has_key && !v->has_key)
		return command_need_key(o, j, &key);
	v->tables = tables_new_digests(v->has_key ? &key : NULL, &v->tables_events);
	if (!v->tables)
		return command_failed(j->name, -ENOMEM);
	rc = input_read(j, &range, &ev, on_record, v);
	if (rc < 0)
		rc = command_failed(v->file ? v->file->path : j->file[0].path, rc);
	else if (!v->tell)
		summary(v);
	tables_free(v->tables);
	return rc;
}

int verify_journal(const struct options *o, const struct input_journal *j, verify_finding_fn *fn,
		   void *ctx, uint64_t *findings)
{
	struct verify v = {.o = o, .journal = j, .tell = fn, .tell_ctx = ctx};
	int rc = verify_one(&v);

	*findings += v.findings;
	return rc;
}

/* Where the sender's journal is at hand, which flow it was. */
static void name_flow(const struct verify *v, const struct input *in)
{
	const struct when end = {WHEN_NONE, 0};
	struct state mine = {0}, theirs = {0};
	char what[STATE_DIFFERENCE_MAX];

	for (size_t i = 0; v->bad.counter && i < in->journals; i++) {
		const struct input_journal *sender = &in->journal[i];

		if (sender->node != v->bad.node || sender == v->journal)
			continue;
		if (state_load(v->o, sender, &end, &v->bad, &theirs) == 0 &&
		    state_load(v->o, v->journal, &end, &v->bad, &mine) == 0 &&
		    state_first_difference(&theirs, sender->name, &mine, v->journal->name,
					   v->bad_group, what))
			(void)printf(v->o->json ? "{\"first\":\"%s\"}\n"
						: "first flow that differs: %s\n",
				     what);
		state_fini(&mine);
		state_fini(&theirs);
	}
}

int command_verify(const struct options *o)
{
	struct input in;
	uint64_t findings = 0;
	int rc = command_open(o, 0, o->args, &in);

	if (rc)
		return rc;
	findings = in.unreadable;
	for (size_t i = 0; i < in.journals && !rc; i++) {
		struct verify v = {.o = o, .journal = &in.journal[i]};

		if (!command_takes(o, &in.journal[i]))
			continue;
		rc = verify_one(&v);
		findings += v.findings;
		if (!rc)
			name_flow(&v, &in);
	}
	input_free(&in);
	return rc ? rc : findings ? EXIT_FINDINGS : EXIT_CONSISTENT;
}
