/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds: the memory of what changed here since a dump or a handover began. A record carries the
 * number of the hold that it was touched in, so beginning and ending one costs nothing; only the
 * tombstones that nothing but a hold keeps are listed, and freed a few at a time once it has ended.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "syncd/table/table_priv.h"

enum { GRAVES_MIN = 64, EPOCHS_DOWN = 1 << 15 };

bool hold_has(const struct table *t, const struct record *rec)
{
	return t->holds && rec->epoch == t->epoch;
}

void hold_touch(struct table *t, struct record *rec)
{
	rec->epoch = t->epoch;
}

static bool graves_reserve(struct table *t)
{
	size_t cap = t->grave_cap ? 2 * t->grave_cap : GRAVES_MIN;
	uint64_t *grave;

	if (t->graves < t->grave_cap)
		return true;
	grave = realloc(t->grave, cap * sizeof(*grave));
	if (!grave)
		return false;
	t->grave = grave;
	t->grave_cap = cap;
	return true;
}

void hold_release(struct table *t, struct place at)
{
	struct record *rec = place_record(at);

	if (!(rec->flags & REC_TOMBSTONE) || rec->flags & (REC_WIRE | REC_KERNEL))
		return;
	if (rec->flags & REC_GRAVE)
		return; /* hold_purge comes to it */
	if (hold_has(t, rec) && graves_reserve(t)) {
		t->grave[t->graves++] = rec->hash;
		rec->flags |= REC_GRAVE;
		return;
	}
	bucket_remove(t, at);
	record_free(t, rec);
}

/* Frees every tombstone of this hash that nothing needs any more. */
static void grave_open(struct table *t, uint64_t hash)
{
	unsigned depth;
	struct bucket *b = bucket_of(t, hash, &depth);

	for (unsigned i = b->n; i-- > 0;) {
		struct record *rec = slot_record(b->slot[i]);

		if (!slot_may_be(b->slot[i], hash) || rec->hash != hash ||
		    !(rec->flags & REC_GRAVE))
			continue;
		rec->flags &= (uint8_t)~REC_GRAVE;
		hold_release(t, (struct place){b, i});
	}
}

void hold_purge(struct table *t, size_t n)
{
	if (t->holds)
		return;
	while (t->graves && n--)
		grave_open(t, t->grave[--t->graves]);
	if (t->graves == 0 && t->grave_cap) {
		free(t->grave);
		t->grave = NULL;
		t->grave_cap = 0;
	}
}

/*
 * A record has no room for a larger number: all go down by half of what it can hold, and those that
 * would go below the first become the first, so that what changed here is never taken for what did
 * not.
 */
static void epoch_restart(struct table *t)
{
	struct bucket_walk w;
	struct bucket *b;

	bucket_walk_init(&w, (struct hash_range){0});
	while ((b = bucket_walk_next(t, &w)))
		for (unsigned i = 0; i < b->n; i++) {
			struct record *rec = slot_record(b->slot[i]);

			if (rec->epoch)
				rec->epoch = (uint16_t)(rec->epoch > EPOCHS_DOWN
								? rec->epoch - EPOCHS_DOWN
								: 1);
		}
	t->epoch = (uint16_t)(t->epoch - EPOCHS_DOWN);
	t->epochs_before += EPOCHS_DOWN;
}

void table_hold_begin(struct table *t)
{
	if (t->holds++)
		return;
	if (t->epoch == UINT16_MAX)
		epoch_restart(t);
	t->epoch++;
}

void table_hold_end(struct table *t)
{
	assert(t->holds);
	t->holds--;
}

bool table_touched(const struct table *t, const uint8_t *key, size_t key_len)
{
	const struct record *rec;
	struct place at;

	if (!t->holds)
		return false;
	rec = bucket_find(t, ahead_position(t, key, key_len), key, key_len, &at);
	return rec && hold_has(t, rec);
}
