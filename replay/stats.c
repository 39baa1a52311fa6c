// SPDX-License-Identifier: GPL-2.0-or-later
/* stats: how much of what. lag: how long from the active's sending to the standby's table. */
#include <inttypes.h>
#include <stdio.h>

#include "replay/commands.h"
#include "replay/histogram.h"
#include "replay/tables.h"
#include "replay/text.h"

struct stats {
	const struct options *o;
	const char *name;
	uint64_t start_us, first_us, last_us;
	uint64_t records[JOURNAL_TYPES], bytes[JOURNAL_TYPES];
	uint64_t puts, dels, ranges, checks, digests, naks, missing, repairs;
};

static void count_control(struct stats *s, const struct journal_record *r)
{
	static struct control c; /* large */

	if (control_read(r->payload, r->len, &c))
		return;
	s->repairs += c.kind == CONTROL_REPAIR;
	s->naks += c.kind == CONTROL_NAK;
	for (uint32_t i = 0; c.kind == CONTROL_NAK && i < c.nak.n; i++)
		s->missing += c.nak.missing[i].count;
}

static int stats_record(void *ctx, const struct journal_record *r)
{
	struct stats *s = ctx;
	struct command_record cr;

	if (r->type >= JOURNAL_TYPES || !command_takes_record(&s->o->filter, r, s->start_us, &cr))
		return 0;
	if (!s->first_us)
		s->first_us = r->wall_us;
	s->last_us = r->wall_us;
	if (cr.has > 0 && r->type != JOURNAL_KEYFRAME) {
		s->puts += cr.puts;
		s->dels += cr.dels;
		s->ranges += cr.info.has_range;
		s->checks += cr.info.has_check;
		s->digests += cr.info.digests;
	} else if (r->type == JOURNAL_CONTROL) {
		count_control(s, r);
	}
	s->records[r->type]++;
	s->bytes[r->type] += r->len;
	return 0;
}

static void stats_print(const struct stats *s)
{
	double secs = (double)(s->last_us - s->first_us) / 1e6;
	double per = secs > 0 ? 1 / secs : 0;
	struct json_line j;

	if (s->o->json) {
		json_begin(&j, stdout);
		json_string_member(&j, "journal", s->name);
		json_real_member(&j, "seconds", secs);
		for (unsigned i = 1; i < JOURNAL_TYPES; i++)
			if (s->records[i])
				json_number_member(&j, journal_type_name(i), s->records[i]);
		json_number_member(&j, "puts", s->puts);
		json_number_member(&j, "dels", s->dels);
		json_number_member(&j, "ranges", s->ranges);
		json_number_member(&j, "checks", s->checks);
		json_number_member(&j, "naks", s->naks);
		json_number_member(&j, "datagrams_asked_again", s->missing);
		json_number_member(&j, "repair_requests", s->repairs);
		json_end(&j);
		return;
	}
	(void)printf("%s: %.3f s\n%-12s %10s %12s %12s %14s\n", s->name, secs, "type", "records",
		     "bytes", "records/s", "bytes/s");
	for (unsigned i = 1; i < JOURNAL_TYPES; i++)
		if (s->records[i])
			(void)printf("%-12s %10" PRIu64 " %12" PRIu64 " %12.1f %14.1f\n",
				     journal_type_name(i), s->records[i], s->bytes[i],
				     (double)s->records[i] * per, (double)s->bytes[i] * per);
	(void)printf("puts %" PRIu64 " (%.1f/s), deletes %" PRIu64 " (%.1f/s), ranges %" PRIu64
		     ", digests %" PRIu64 ", checks %" PRIu64 "\nnaks %" PRIu64 " for %" PRIu64
		     " datagrams, repair requests %" PRIu64 "\n",
		     s->puts, (double)s->puts * per, s->dels, (double)s->dels * per, s->ranges,
		     s->digests, s->checks, s->naks, s->missing, s->repairs);
}

int command_stats(const struct options *o)
{
	const struct input_events ev = {0};
	struct input_range range = command_range(o, false);
	struct input in;
	int rc = command_open(o, 0, o->args, &in);

	for (size_t i = 0; !rc && i < in.journals; i++) {
		struct stats s = {.o = o, .name = in.journal[i].name};

		s.start_us = in.journal[i].start_us;
		range.from_us = when_wall_us(&o->filter.from, s.start_us);
		rc = input_read(&in.journal[i], &range, &ev, stats_record, &s);
		if (rc < 0)
			rc = command_failed(s.name, rc);
		else
			stats_print(&s);
	}
	if (rc == 0)
		input_free(&in);
	return rc;
}

/* ---- lag ---- */

enum { WAITING_MAX = 1 << 14 /* datagrams applied and not yet installed; others do not count */ };

struct lag {
	const struct options *o;
	uint16_t from;
	uint64_t start_us;
	struct histogram table, kernel; /* until it has it */
	struct {
		uint64_t session, counter, sent_us;
	} waiting[WAITING_MAX];
	size_t waits;
	int64_t raw_us;	   /* of the last one applied */
	int64_t offset_us; /* of the clocks, as the nodes' echoes had it */
	bool has_offset;
};

/* The raw difference has the clocks' difference in it; the daemon's samples tell it. */
static void lag_add(const struct lag *l, struct histogram *h, uint64_t at_us, uint64_t sent_us)
{
	int64_t us = (int64_t)(at_us - sent_us) - l->offset_us;

	histogram_add(h, us > 0 ? (uint64_t)us : 0);
}

static void lag_installed(struct lag *l, const struct journal_record *r)
{
	size_t left = 0;

	for (size_t i = 0; i < l->waits; i++) {
		if (l->waiting[i].session == r->session && l->waiting[i].counter > r->counter)
			l->waiting[left++] = l->waiting[i];
		else if (l->waiting[i].session == r->session)
			lag_add(l, &l->kernel, r->wall_us, l->waiting[i].sent_us);
	}
	l->waits = left;
}

static int lag_record(void *ctx, const struct journal_record *r)
{
	struct lag *l = ctx;
	struct journal_sample s;
	struct command_record cr;

	if (r->type == JOURNAL_SAMPLE && l->raw_us &&
	    journal_sample_read(r->payload, r->len, &s) == 0 && s.lag_us) {
		l->offset_us = l->raw_us - (int64_t)s.lag_us;
		l->has_offset = true;
	}
	if (r->type == JOURNAL_INSTALLED && r->node == l->from)
		lag_installed(l, r);
	if ((r->type != JOURNAL_APPLIED && r->type != JOURNAL_KEPT) || r->node != l->from ||
	    !command_takes_record(&l->o->filter, r, l->start_us, &cr) || cr.has <= 0)
		return 0;
	l->raw_us = (int64_t)(r->wall_us - cr.info.sent_us);
	lag_add(l, &l->table, r->wall_us, cr.info.sent_us);
	if (l->waits < WAITING_MAX) {
		l->waiting[l->waits].session = r->session;
		l->waiting[l->waits].counter = r->counter;
		l->waiting[l->waits++].sent_us = cr.info.sent_us;
	}
	return 0;
}

struct lag_names {
	const char *from, *to, *until;
};

static void lag_print(const struct lag *l, const struct histogram *h, const struct lag_names *n)
{
	static const double quantile[] = {0.5, 0.9, 0.99, 0.999};
	static const char *const name[] = {"p50_us", "p90_us", "p99_us", "p999_us"};
	struct json_line j;

	if (l->o->json) {
		json_begin(&j, stdout);
		json_string_member(&j, "from", n->from);
		json_string_member(&j, "to", n->to);
		json_string_member(&j, "until", n->until);
		json_number_member(&j, "datagrams", h->n);
		for (size_t i = 0; i < 4; i++)
			json_number_member(&j, name[i], histogram_quantile(h, quantile[i]));
		json_number_member(&j, "max_us", h->max);
		json_end(&j);
		return;
	}
	(void)printf("%s -> %s %s: %" PRIu64 " datagrams, us: p50 %" PRIu64 " p90 %" PRIu64
		     " p99 %" PRIu64 " p99.9 %" PRIu64 " max %" PRIu64 "%s\n",
		     n->from, n->to, n->until, h->n, histogram_quantile(h, 0.5),
		     histogram_quantile(h, 0.9), histogram_quantile(h, 0.99),
		     histogram_quantile(h, 0.999), h->max,
		     l->has_offset ? "" : " (clocks taken as alike)");
}

static int lag_of(const struct options *o, const struct input_journal *from,
		  const struct input_journal *to)
{
	static struct lag l; /* large */
	const struct input_events ev = {0};
	const struct input_range range = command_range(o, false);
	int rc;

	l = (struct lag){.o = o, .from = from->node, .start_us = to->start_us};
	rc = input_read(to, &range, &ev, lag_record, &l);
	if (rc < 0)
		return command_failed(to->name, rc);
	lag_print(&l, &l.table, &(struct lag_names){from->name, to->name, "table"});
	if (l.kernel.n)
		lag_print(&l, &l.kernel, &(struct lag_names){from->name, to->name, "kernel"});
	return 0;
}

int command_lag(const struct options *o)
{
	struct input in;
	int rc = command_open(o, 0, o->args, &in);

	if (rc)
		return rc;
	if (in.journals < 2) {
		(void)fputs("usage: sync-replay lag JOURNAL JOURNAL, of two nodes\n", stderr);
		rc = EXIT_WRONG_USE;
	}
	for (size_t a = 0; a < in.journals; a++)
		for (size_t b = 0; !rc && b < in.journals; b++)
			if (a != b)
				rc = lag_of(o, &in.journal[a], &in.journal[b]);
	input_free(&in);
	return rc;
}
