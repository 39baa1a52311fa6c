// SPDX-License-Identifier: GPL-2.0-or-later
/* info: what is there. Reads headers and block headers' worth of each segment, all of it once. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay/commands.h"
#include "replay/text.h"

struct info {
	const struct options *o;
	struct journal_header header;
	const char *path;
	uint64_t records, bytes, raw, first_us, last_us, damaged, lost;
	char ended[16];
	bool any;
};

static void print_segment(struct info *in)
{
	char a[TEXT_TIME_LEN], b[TEXT_TIME_LEN];
	struct json_line j;

	if (!in->any)
		return;
	if (in->o->json) {
		json_begin(&j, stdout);
		json_string_member(&j, "path", in->path);
		json_number_member(&j, "node", in->header.node);
		json_string_member(&j, "name", in->header.name);
		json_hex_member(&j, "session", in->header.session);
		json_number_member(&j, "segment", in->header.segment);
		json_string_member(&j, "from", text_time(in->first_us, a));
		json_string_member(&j, "until", text_time(in->last_us, b));
		json_number_member(&j, "records", in->records);
		json_number_member(&j, "bytes", in->bytes);
		json_number_member(&j, "unpacked", in->raw);
		json_number_member(&j, "lost", in->lost);
		json_number_member(&j, "damaged", in->damaged);
		json_string_member(&j, "end", in->ended);
		json_end(&j);
		return;
	}
	(void)printf("%4u %-12s %016" PRIx64 " %8u %-27s %-27s %9" PRIu64 " %11" PRIu64
		     " %12" PRIu64 " %-8s%s\n",
		     in->header.node, in->header.name, in->header.session, in->header.segment,
		     text_time(in->first_us, a), text_time(in->last_us, b), in->records, in->bytes,
		     in->raw, in->ended, in->damaged ? " DAMAGED" : "");
}

static void on_segment(void *ctx, const struct input_file *f, const struct segment *before)
{
	struct info *in = ctx;

	if (before)
		in->bytes = segment_offset(before);
	print_segment(in);
	*in = (struct info){.o = in->o, .header = f->header, .path = f->path, .any = true};
	in->first_us = in->last_us = f->header.wall_us;
	(void)strcpy(in->ended, "open");
}

static void on_damage(void *ctx, const struct input_file *f, uint64_t offset, const char *what)
{
	struct info *in = ctx;

	(void)fprintf(stderr, "sync-replay: %s: at %" PRIu64 ": %s: skipped\n", f->path, offset,
		      what);
	in->damaged++;
}

static void on_end(void *ctx, const struct segment *last)
{
	struct info *in = ctx;

	in->bytes = segment_offset(last);
}

static int on_record(void *ctx, const struct journal_record *r)
{
	struct info *in = ctx;
	struct journal_note n;
	struct journal_lost l;

	in->records++;
	in->raw += JOURNAL_RECORD_LEN + r->len;
	in->last_us = r->wall_us;
	if (r->type == JOURNAL_END && journal_note_read(r->payload, r->len, &n) == 0)
		(void)snprintf(in->ended, sizeof(in->ended), "%.15s", n.text);
	if (r->type == JOURNAL_LOST && journal_lost_read(r->payload, r->len, &l) == 0)
		in->lost += l.records;
	return 0;
}

/* All that was captured is one line: it has no segments. */
static void begin_capture(struct info *in, const struct input_journal *j)
{
	on_segment(in, &j->file[0], NULL);
	for (size_t i = 0; i < j->files; i++)
		in->bytes += j->file[i].bytes;
	(void)strcpy(in->ended, "capture");
}

int command_info(const struct options *o)
{
	struct info in = {.o = o};
	const struct input_events ev = {
		.segment = on_segment, .damage = on_damage, .end = on_end, .ctx = &in};
	const struct input_range range = command_range(o, true);
	struct input input;
	uint64_t damaged = 0;
	int rc = command_open(o, 0, o->args, &input);

	if (rc)
		return rc;
	if (!o->json)
		(void)printf("%4s %-12s %-16s %8s %-27s %-27s %9s %11s %12s %s\n", "node", "name",
			     "session", "segment", "from", "until", "records", "bytes", "unpacked",
			     "end");
	for (size_t i = 0; i < input.journals && !rc; i++) {
		if (!command_takes(o, &input.journal[i]))
			continue;
		if (input.journal[i].file[0].capture)
			begin_capture(&in, &input.journal[i]);
		rc = input_read(&input.journal[i], &range, &ev, on_record, &in);
		if (rc < 0)
			rc = command_failed(in.path ? in.path : input.journal[i].file[0].path, rc);
		print_segment(&in);
		damaged += in.damaged;
		in.any = false;
	}
	rc = rc ? rc : damaged || input.unreadable ? EXIT_FINDINGS : EXIT_CONSISTENT;
	input_free(&input);
	return rc;
}
