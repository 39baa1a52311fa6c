/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A node's tables, rebuilt from its journal's records with the daemon's own table. A group's table
 * is exact from the session's start, a keyframe or an equal check on, until something changed it
 * that is not in the journal; only while it is exact are checks compared.
 */
#ifndef REPLAY_TABLES_H
#define REPLAY_TABLES_H

#include "proto/journal.h"
#include "replay/digest_queue.h"
#include "syncd/table/table.h"

struct tables;

struct tables_group {
	uint32_t id;
	struct table *table;	/* NULL without a digest key */
	struct digest_map *map; /* instead of it, where only digests are wanted */
	bool exact;
	uint8_t state; /* enum node_state, of the node whose journal it is */
	struct term term;
	uint16_t stream_node; /* where the table's last change came from */
	uint64_t stream_session, stream_counter;
	uint64_t checks_equal, checks_differed, checks_unproven;
	bool differs;		/* the last check that was compared did */
	uint64_t equal_counter; /* where in its stream the last equal one was */

	/* private */
	bool sweeping;
	uint64_t sweep_lo;
	uint64_t unsent; /* changes in the keyframe that the stream has not said yet */
};

/* A check of the stream, or of a keyframe, compared with the table. */
struct tables_check {
	const struct journal_record *record;
	const struct tables_group *group;
	struct data_check said;
	uint64_t digest, count;
	bool compared, equal;
};

struct tables_events {
	void (*check)(void *ctx, const struct tables_check *c);
	/* Before it is applied: a put (flow) or delete (key). `in_range`: of a repair or keyframe.
	 */
	void (*piece)(void *ctx, const struct journal_record *r, const struct data_info *info,
		      bool put, const uint8_t *bytes, size_t len);
	void (*malformed)(void *ctx, const struct journal_record *r, const char *what);
	void *ctx;
};

/* key NULL: payloads are read and told, tables are not rebuilt. Borrowed, as is ev. */
struct tables *tables_new(const struct digest_key *key, const struct tables_events *ev);

/* The same without flows, to prove digests alone: several times faster. */
struct tables *tables_new_digests(const struct digest_key *key, const struct tables_events *ev);
void tables_free(struct tables *t);

void tables_apply(struct tables *t, const struct journal_record *r);

/* Records are missing: nothing is exact until the next keyframe. */
void tables_lose(struct tables *t);

/* The group, or NULL; by index NULL past the last. */
struct tables_group *tables_group(const struct tables *t, uint32_t id);
struct tables_group *tables_at(const struct tables *t, size_t index);

/* The Data that a record carries, whatever its type. 1, 0: none, -EBADMSG. */
int record_data(const struct journal_record *r, const uint8_t **data, size_t *len,
		struct data_info *info);

#endif
