/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the command line names (segments, directories of them, "-") as journals: one a node, its
 * segments in order, and captures of the wire. Reading goes on from segment to segment; who reads
 * is told where one begins and what is damaged.
 */
#ifndef REPLAY_INPUT_H
#define REPLAY_INPUT_H

#include "proto/seal.h"
#include "replay/segment.h"

enum { INPUT_JOURNALS_MAX = NODES_MAX };

struct input_file {
	char *path; /* "-": standard input, as it comes */
	struct journal_header header;
	uint64_t bytes; /* 0: not known */
	bool capture;	/* of the wire (capture.h); all of them are journals of node 0 */
};

struct input_journal {
	uint16_t node;
	char name[NODE_NAME_MAX];
	struct input_file *file; /* by segment number */
	size_t files;
	uint64_t start_us; /* beginning of the earliest of all journals that were named */
};

struct input {
	struct input_journal journal[INPUT_JOURNALS_MAX];
	size_t journals;
	size_t unreadable; /* named, and no segments: told on stderr */
	int spool;	   /* what came through a pipe; -1: nothing did */
};

/*
 * A pipe is kept in a nameless file first ($TMPDIR, /var/tmp), since most commands read more than
 * once; with `follow` it is read as it comes. Returns 0 where at least one segment was found;
 * -ENOENT, -EINVAL ("-" beside others), -ENOMEM, or -errno of the file.
 */
int input_find(char *const *arg, int args, bool follow, struct input *out);
void input_free(struct input *in);

struct input_events {
	/* A segment begins; of the one before, how it ended. NULL: none before. Either may be NULL.
	 */
	void (*segment)(void *ctx, const struct input_file *f, const struct segment *before);
	void (*damage)(void *ctx, const struct input_file *f, uint64_t offset, const char *what);
	/* All were read; of the last. */
	void (*end)(void *ctx, const struct segment *last);
	void *ctx;
};

struct input_range {
	size_t first;		     /* segment by index to begin with */
	uint64_t from_us;	     /* blocks that end before are passed over; 0: none */
	bool follow;		     /* at the end, wait for more */
	bool progress;		     /* a bar on stderr */
	const struct group_key *key; /* that opens captures; NULL: only insecure ones */
};

/* Return nonzero to stop; input_read returns it. */
typedef int input_record_fn(void *ctx, const struct journal_record *r);

/* Reads a journal. Returns 0, what fn returned, or -errno where a file cannot be read. */
int input_read(const struct input_journal *j, const struct input_range *range,
	       const struct input_events *ev, input_record_fn *fn, void *ctx);

#endif
