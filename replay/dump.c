// SPDX-License-Identifier: GPL-2.0-or-later
/* dump: records, one a line, those that the filters leave; with -v the flows in them too. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/flow_codec.h"
#include "replay/commands.h"
#include "replay/tables.h"
#include "replay/text.h"

struct dump {
	const struct options *o;
	uint64_t start_us;
	uint64_t damaged;
	struct json_line j;
};

static void print_pieces(struct dump *d, const uint8_t *data, size_t len)
{
	char text[FLOW_TEXT_MAX];
	struct data_iter it;
	enum data_piece piece;
	bool first = true;

	if (d->o->json)
		(void)fputs(",\"flows\":[", stdout);
	data_iter_init(&it, data, len);
	while ((piece = data_iter_next(&it)) != DATA_END) {
		bool put = piece == DATA_PUT;
		const char *what;

		if (piece == DATA_DIGESTS ||
		    !command_takes_piece(&d->o->filter, put, it.bytes, it.len))
			continue;
		what = put ? text_flow(it.bytes, it.len, text) : text_key(it.bytes, it.len, text);
		if (d->o->json) {
			(void)printf("%s{\"op\":\"%s\",\"flow\":", first ? "" : ",",
				     put ? "put" : "del");
			json_print_string(stdout, what);
			(void)fputc('}', stdout);
		} else {
			(void)printf("    %s %s\n", put ? "put" : "del", what);
		}
		first = false;
	}
	if (d->o->json)
		(void)fputc(']', stdout);
}

static void print_data(struct dump *d, const struct data_info *info)
{
	if (d->o->json) {
		json_number_member(&d->j, "group", info->group);
		json_number_member(&d->j, "term", info->term);
		json_number_member(&d->j, "sent_us", info->sent_us);
		json_number_member(&d->j, "puts", info->puts);
		json_number_member(&d->j, "dels", info->dels);
		if (info->has_range) {
			json_hex_member(&d->j, "range", info->range.lo);
			json_number_member(&d->j, "depth", info->range.depth);
		}
		if (info->has_check) {
			json_hex_member(&d->j, "digest", info->check.digest);
			json_number_member(&d->j, "count", info->check.count);
			json_bool_member(&d->j, "complete", info->check.complete);
		}
		if (info->digests)
			json_number_member(&d->j, "digests", info->digests);
		if (info->final)
			json_bool_member(&d->j, "final", true);
		return;
	}
	(void)printf(" group %u term %" PRIu64 " puts %u dels %u", info->group, info->term,
		     info->puts, info->dels);
	if (info->has_range)
		(void)printf(" range %016" PRIx64 "/%u", info->range.lo, info->range.depth);
	if (info->digests)
		(void)printf(" digests %u", info->digests);
	if (info->has_check)
		(void)printf(" check %016" PRIx64 " of %" PRIu64 "%s", info->check.digest,
			     info->check.count, info->check.complete ? "" : " (incomplete)");
	if (info->final)
		(void)printf(" final");
}

static void print_change(struct dump *d, const struct journal_record *r)
{
	struct journal_change c;
	const char *(*name)(unsigned) = r->type == JOURNAL_STATE ? text_state : text_role;

	if (journal_change_read(r->payload, r->len, &c))
		return;
	if (d->o->json) {
		json_number_member(&d->j, "group", c.group);
		json_string_member(&d->j, "from", name(c.from));
		json_string_member(&d->j, "to", name(c.to));
		json_number_member(&d->j, "term", c.term.number);
		json_number_member(&d->j, "term_node", c.term.node);
		json_string_member(&d->j, "text", c.text);
	} else if (r->type == JOURNAL_STATE) {
		(void)printf(" group %u %s -> %s term %" PRIu64 ".%u: %s", c.group, name(c.from),
			     name(c.to), c.term.number, c.term.node, c.text);
	} else {
		(void)printf(" group %u term %" PRIu64 ".%u role %s", c.group, c.term.number,
			     c.term.node, name(c.to));
	}
}

static void print_control(struct dump *d, const struct journal_record *r)
{
	static const char *const name[] = {"?", "hello", "status", "nak", "repair", "offer"};
	static struct control c; /* large */
	uint64_t n = 0;

	if (control_read(r->payload, r->len, &c))
		return;
	if (c.kind == CONTROL_NAK)
		for (uint32_t i = 0; i < c.nak.n; i++)
			n += c.nak.missing[i].count;
	else
		n = c.kind == CONTROL_REPAIR ? c.repair.n : c.kind == CONTROL_OFFER ? c.offer.n : 0;
	if (d->o->json) {
		json_string_member(&d->j, "message", name[c.kind]);
		json_number_member(&d->j, "items", n);
	} else {
		(void)printf(" %s of %" PRIu64, name[c.kind], n);
	}
}

static void print_sample(struct dump *d, const struct journal_record *r)
{
	struct journal_sample s;

	if (journal_sample_read(r->payload, r->len, &s))
		return;
	if (d->o->json) {
		json_number_member(&d->j, "group", s.group);
		json_string_member(&d->j, "state", text_state(s.state));
		json_bool_member(&d->j, "equal", s.equal);
		json_bool_member(&d->j, "ready", s.ready);
		json_number_member(&d->j, "flows", s.flows);
		json_number_member(&d->j, "kernel_queued", s.kernel_queued);
		json_number_member(&d->j, "wire_queued", s.wire_queued);
		json_number_member(&d->j, "refused", s.refused);
		json_number_member(&d->j, "lag_us", s.lag_us);
		json_number_member(&d->j, "would_lose", s.would_lose);
		json_number_member(&d->j, "naks", s.naks_sent);
		json_number_member(&d->j, "retransmitted", s.retransmitted);
	} else {
		(void)printf(" group %u %s%s%s flows %" PRIu64 " waiting %" PRIu64 "+%" PRIu64
			     " lag %" PRIu64 " us would lose %" PRIu64,
			     s.group, text_state(s.state), s.equal ? " equal" : "",
			     s.ready ? " ready" : "", s.flows, s.kernel_queued, s.wire_queued,
			     s.lag_us, s.would_lose);
	}
}

static void print_note(struct dump *d, const struct journal_record *r)
{
	struct journal_note n = {0};
	struct journal_lost l;

	if (r->type == JOURNAL_LOST) {
		if (journal_lost_read(r->payload, r->len, &l) == 0)
			(void)snprintf(n.text, sizeof(n.text),
				       "%" PRIu64 " records of %" PRIu64 " bytes", l.records,
				       l.bytes);
	} else if (r->type == JOURNAL_DROPPED) {
		(void)snprintf(n.text, sizeof(n.text), "%.*s", (int)r->len,
			       (const char *)r->payload);
	} else if (journal_note_read(r->payload, r->len, &n)) {
		return;
	}
	if (d->o->json) {
		json_number_member(&d->j, "group", n.group);
		json_string_member(&d->j, "text", n.text);
	} else {
		(void)printf(n.group ? " group %u: " : " ", n.group);
		(void)printf("%s", n.text);
	}
}

static void print_payload(struct dump *d, const struct journal_record *r)
{
	switch ((enum journal_type)r->type) {
	case JOURNAL_STATE:
	case JOURNAL_TERM:
		print_change(d, r);
		break;
	case JOURNAL_CONTROL:
		print_control(d, r);
		break;
	case JOURNAL_SAMPLE:
		print_sample(d, r);
		break;
	case JOURNAL_DROPPED:
	case JOURNAL_RESYNC:
	case JOURNAL_LOST:
	case JOURNAL_START:
	case JOURNAL_END:
	case JOURNAL_RECONCILE:
	case JOURNAL_KEY:
	case JOURNAL_CONFIG:
	case JOURNAL_ALARM:
		print_note(d, r);
		break;
	case JOURNAL_SENT:
	case JOURNAL_APPLIED:
	case JOURNAL_KEPT:
	case JOURNAL_TAIL:
	case JOURNAL_KEYFRAME:
	case JOURNAL_INSTALLED:
	case JOURNAL_TYPES:
		break;
	}
}

static void print_head(struct dump *d, const struct journal_record *r)
{
	const char *type = journal_type_name(r->type);
	char at[TEXT_TIME_LEN];

	if (d->o->json) {
		json_begin(&d->j, stdout);
		json_number_member(&d->j, "record", r->number);
		json_string_member(&d->j, "time", text_time(r->wall_us, at));
		json_number_member(&d->j, "mono_us", r->mono_us);
		json_string_member(&d->j, "type", type ? type : "unknown");
		json_number_member(&d->j, "node", r->node);
		json_hex_member(&d->j, "session", r->session);
		json_number_member(&d->j, "counter", r->counter);
	} else {
		(void)printf("%8" PRIu64 " %s %-9s %u:%" PRIu64, r->number,
			     text_time(r->wall_us, at), type ? type : "unknown", r->node,
			     r->counter);
	}
}

static int on_record(void *ctx, const struct journal_record *r)
{
	struct dump *d = ctx;
	const struct filter *f = &d->o->filter;
	struct command_record cr;
	bool has;

	if (!d->start_us)
		d->start_us = r->wall_us;
	if (!d->o->follow && when_is_after(&f->until, r, d->start_us) &&
	    f->until.kind != WHEN_COUNTER)
		return 1;
	if (!command_takes_record(f, r, d->start_us, &cr))
		return 0;
	has = cr.has > 0;
	print_head(d, r);
	if (has)
		print_data(d, &cr.info);
	else
		print_payload(d, r);
	if (has && d->o->json && d->o->verbose)
		print_pieces(d, cr.data, cr.len);
	if (d->o->json)
		json_end(&d->j);
	else
		(void)fputc('\n', stdout);
	if (has && !d->o->json && d->o->verbose)
		print_pieces(d, cr.data, cr.len);
	return ferror(stdout) ? 1 : 0;
}

static void on_damage(void *ctx, const struct input_file *f, uint64_t offset, const char *what)
{
	struct dump *d = ctx;

	(void)fprintf(stderr, "sync-replay: %s: at %" PRIu64 ": %s: skipped\n", f->path, offset,
		      what);
	d->damaged++;
}

int command_dump(const struct options *o)
{
	struct dump d = {.o = o};
	const struct input_events ev = {.damage = on_damage, .ctx = &d};
	struct input_range range = command_range(o, true);
	struct input in;
	int rc = command_open(o, 0, o->args, &in);

	if (rc)
		return rc;
	range.follow = o->follow;
	for (size_t i = 0; i < in.journals && rc >= 0; i++) {
		d.start_us = in.journal[i].start_us;
		range.from_us = when_wall_us(&o->filter.from, d.start_us);
		rc = input_read(&in.journal[i], &range, &ev, on_record, &d);
	}
	if (rc < 0)
		rc = command_failed("reading", rc);
	else
		rc = d.damaged || in.unreadable ? EXIT_FINDINGS : EXIT_CONSISTENT;
	input_free(&in);
	return rc;
}
