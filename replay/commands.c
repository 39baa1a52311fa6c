// SPDX-License-Identifier: GPL-2.0-or-later
/* What the commands share; see commands.h. */
#include "replay/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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
	err = input_find(o->arg + first, args, in);
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
