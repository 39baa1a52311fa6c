/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of sync-replay. Each returns an exit code (options.h). */
#ifndef REPLAY_COMMANDS_H
#define REPLAY_COMMANDS_H

#include "proto/digest.h"
#include "proto/data.h"
#include "replay/input.h"
#include "replay/options.h"

typedef int command_fn(const struct options *o);

command_fn command_info, command_dump, command_verify, command_at, command_history, command_who;
command_fn command_diff, command_lag, command_stats, command_report, command_inject, command_export;

/* Finds what the arguments name, or says why not. 0 or an exit code. */
int command_open(const struct options *o, int first, int args, struct input *in);

/* How a command reads: with -k's key, and a bar on a terminal unless it `prints` on one. */
struct input_range command_range(const struct options *o, bool prints);

/* "+5" is since the earliest beginning of all journals, so that it means the same in each. */
void command_resolve_when(struct when *w, const struct input *in, const struct input *more);

/* False where --node leaves this journal out, for commands that speak of journals as a whole. */
bool command_takes(const struct options *o, const struct input_journal *j);

/* What the filters leave of a record. */
struct command_record {
	int has; /* 1: a Data, which is below; 0: it carries none; -EBADMSG */
	const uint8_t *data;
	size_t len;
	struct data_info info;
	uint64_t puts, dels; /* that the filters leave */
};

/* False where they leave nothing of it: for its time, type, node, group or flows. */
bool command_takes_record(const struct filter *f, const struct journal_record *r, uint64_t start_us,
			  struct command_record *out);

/* A put (an encoded flow) or a delete (its key). */
bool command_takes_piece(const struct filter *f, bool put, const uint8_t *bytes, size_t len);

/* Says why reading failed. Returns EXIT_UNREADABLE. */
int command_failed(const char *what, int err);

/*
 * The key of the digests that the journal was written under: from -k, or the one of clusters
 * without keys. False where the given one is another, or none was given and one is needed.
 */
bool command_digest_key(const struct options *o, const struct journal_header *h,
			struct digest_key *out);

/* The same, and says so: 0 or an exit code. */
int command_need_key(const struct options *o, const struct input_journal *j,
		     struct digest_key *out);

#endif
