/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A node's tables as they were at a moment, read from the nearest keyframe before it. */
#ifndef REPLAY_STATE_H
#define REPLAY_STATE_H

#include "replay/commands.h"
#include "replay/tables.h"

/* A place in a node's stream: nothing after it is applied. */
struct state_place {
	uint16_t node;
	uint64_t session, counter;
};

struct state {
	struct digest_key key;
	struct tables *tables;
	size_t first;	  /* segment that reading began with */
	uint64_t records; /* read */
	uint64_t at_us;	  /* wall clock of the last record applied */
	uint64_t damaged;
};

/*
 * Fills in the tables of a journal at `when` (WHEN_NONE: its end), or at `place` where that is not
 * NULL. 0, or an exit code after saying why. state_fini in any case.
 */
int state_load(const struct options *o, const struct input_journal *j, const struct when *when,
	       const struct state_place *place, struct state *out);
void state_fini(struct state *s);

enum { STATE_DIFFERENCE_MAX = 2 * FLOW_TEXT_MAX + 128 };

/* The first flow, in order of hash, in which two tables of a group differ, in words. False: none.
 */
bool state_first_difference(const struct state *a, const char *name_a, const struct state *b,
			    const char *name_b, uint32_t group, char *out);

#endif
