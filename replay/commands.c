// SPDX-License-Identifier: GPL-2.0-or-later
/* What the commands share; see commands.h. */
#include "replay/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/flow_codec.h"
#include "replay/tables.h"

int command_failed(const char *what, int err)
{
	(void)fprintf(stderr, "sync-replay: %s: %s\n", what,
		      err == -EBADMSG		? "no journal"
		      : err == -EPROTONOSUPPORT ? "a journal of another version"
						: strerror(-err));
	return EXIT_UNREADABLE;
}

int command_open(const struct options *o, int first, int args, struct input *in)
{
	int err;

	if (args < 1) {
		(void)fprintf(stderr, "sync-replay: which journal? See sync-replay(1)\n");
		return EXIT_WRONG_USE;
	}
	err = input_find(o->arg + first, args, o->follow, in);
	if (err == -EINVAL) {
		(void)fprintf(stderr, "sync-replay: - must be the only journal\n");
		return EXIT_WRONG_USE;
	}
	if (err == -ENOENT)
		(void)fprintf(stderr, "sync-replay: %s: no segment of a journal there\n",
			      o->arg[first]);
	else if (err)
		return command_failed(o->arg[first], err);
	return err ? EXIT_UNREADABLE : 0;
}

struct input_range command_range(const struct options *o, bool prints)
{
	return (struct input_range){
		.key = o->has_key ? &o->key : NULL,
		.progress = !o->quiet && !o->follow && isatty(STDERR_FILENO) &&
			    !(prints && isatty(STDOUT_FILENO)),
	};
}

bool command_takes_piece(const struct filter *f, bool put, const uint8_t *bytes, size_t len)
{
	const uint8_t *key = bytes;
	size_t key_len = len;
	struct flow_key k;

	if (f->put >= 0 && put != f->put)
		return false;
	if (put && flow_key_slice(bytes, len, &key, &key_len))
		return false;
	return flow_key_decode(key, key_len, &k) == 0 && filter_key(f, &k);
}

static void count_pieces(const struct filter *f, struct command_record *out)
{
	struct data_iter it;
	enum data_piece piece;

	data_iter_init(&it, out->data, out->len);
	while ((piece = data_iter_next(&it)) != DATA_END)
		if (piece != DATA_DIGESTS &&
		    command_takes_piece(f, piece == DATA_PUT, it.bytes, it.len))
			*(piece == DATA_PUT ? &out->puts : &out->dels) += 1;
}

/* The group that a record without a Data speaks of; 0: the node, or none. */
static uint32_t group_of(const struct journal_record *r)
{
	struct journal_sample s;
	struct journal_change c;
	struct journal_note n;

	switch ((enum journal_type)r->type) {
	case JOURNAL_STATE:
	case JOURNAL_TERM:
		return journal_change_read(r->payload, r->len, &c) ? 0 : c.group;
	case JOURNAL_SAMPLE:
		return journal_sample_read(r->payload, r->len, &s) ? 0 : s.group;
	case JOURNAL_RESYNC:
	case JOURNAL_START:
	case JOURNAL_END:
	case JOURNAL_RECONCILE:
	case JOURNAL_KEY:
	case JOURNAL_CONFIG:
	case JOURNAL_ALARM:
		return journal_note_read(r->payload, r->len, &n) ? 0 : n.group;
	case JOURNAL_SENT:
	case JOURNAL_APPLIED:
	case JOURNAL_KEPT:
	case JOURNAL_TAIL:
	case JOURNAL_DROPPED:
	case JOURNAL_CONTROL:
	case JOURNAL_KEYFRAME:
	case JOURNAL_LOST:
	case JOURNAL_INSTALLED:
	case JOURNAL_TYPES:
		break;
	}
	return 0;
}

bool command_takes_record(const struct filter *f, const struct journal_record *r, uint64_t start_us,
			  struct command_record *out)
{
	*out = (struct command_record){.has = 0};
	if (!filter_record(f, r, start_us))
		return false;
	out->has = record_data(r, &out->data, &out->len, &out->info);
	if (out->has <= 0)
		return !filter_has_flows(f) &&
		       (!f->group || !group_of(r) || filter_group(f, group_of(r)));
	if (!filter_group(f, out->info.group))
		return false;
	out->puts = out->info.puts;
	out->dels = out->info.dels;
	if (!filter_has_flows(f))
		return true;
	out->puts = out->dels = 0;
	count_pieces(f, out);
	return out->puts + out->dels > 0;
}

bool command_takes(const struct options *o, const struct input_journal *j)
{
	/* A capture is of all nodes, and of a pipe nothing is known yet. */
	return o->filter.node < 0 || j->node == 0 || j->node == o->filter.node;
}

static uint64_t earliest_us(const struct input *in)
{
	uint64_t us = UINT64_MAX;

	for (size_t i = 0; in && i < in->journals; i++)
		if (in->journal[i].file[0].header.wall_us < us)
			us = in->journal[i].file[0].header.wall_us;
	return us;
}

void command_resolve_when(struct when *w, const struct input *in, const struct input *more)
{
	uint64_t a = earliest_us(in), b = earliest_us(more);

	if (w->kind == WHEN_SINCE_START)
		*w = (struct when){WHEN_WALL, when_wall_us(w, a < b ? a : b)};
}

bool command_digest_key(const struct options *o, const struct journal_header *h,
			struct digest_key *out)
{
	static const uint8_t zero[32];

	digest_key_derive(out, o->has_key ? o->key.cluster_secret : zero);
	/* A capture does not say, nor yet a pipe: the given one is believed. */
	return h->segment == 0 || out->id == h->digest_key_id;
}

int command_need_key(const struct options *o, const struct input_journal *j, struct digest_key *out)
{
	if (command_digest_key(o, &j->file[0].header, out))
		return 0;
	(void)fprintf(stderr, "sync-replay: %s: %s\n", j->file[0].path,
		      o->has_key ? "written under another cluster's key than -k gives"
				 : "the tables need the cluster's key: give a key file by -k");
	return EXIT_WRONG_USE;
}
