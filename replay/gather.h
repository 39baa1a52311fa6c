/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the report shows of one journal, gathered in one reading. */
#ifndef REPLAY_GATHER_H
#define REPLAY_GATHER_H

#include "replay/commands.h"
#include "replay/histogram.h"
#include "replay/series.h"
#include "replay/tables.h"

enum { GATHER_EVENTS_MAX = 5000, GATHER_LABEL = 64 };

struct gather_event {
	uint64_t wall_us;
	uint32_t group;
	uint8_t type;	  /* enum journal_type */
	uint8_t from, to; /* of transitions */
	uint64_t term;
	uint32_t times; /* alike and close together, told once */
	char text[JOURNAL_TEXT_MAX + 1];
};

/* Named counts of flows: the first so many names, and the rest under the last. */
struct gather_counts {
	char name[SERIES_NAMED][GATHER_LABEL];
	uint64_t n[SERIES_NAMED];
	unsigned names;
};

struct gather {
	const struct options *o;
	const struct input_journal *journal;
	uint64_t start_us, last_us, records, damaged;
	struct series series;
	struct gather_counts states, servers;
	struct gather_event *event;
	size_t events, events_more; /* more: there was no room for */
	struct histogram lag[NODES_MAX];
	uint16_t lag_from[NODES_MAX];
	size_t lags;
	struct tables *tables; /* NULL without a key */
	int64_t raw_us, offset_us;
	bool recount;	 /* a repair may have removed flows */
	uint32_t bucket; /* that counts belong to */
	uint64_t bucket_us;
};

/* 0, or an exit code after saying why. gather_fini in any case. */
int gather_journal(const struct options *o, const struct input_journal *j, uint64_t start_us,
		   struct gather *out);
void gather_fini(struct gather *g);

#endif
