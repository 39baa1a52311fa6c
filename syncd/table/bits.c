// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two bits a flow that the table keeps for its callers (table.h). SEEN is cleared everywhere at
 * each dump, so it is a stamp that goes stale at once rather than a bit to be visited in each flow.
 */
#include "syncd/table/table_priv.h"

static void bit_set(const struct table *t, struct record *rec, enum table_bit bit)
{
	if (bit == TABLE_SEEN)
		rec->seen = t->seen;
	else
		rec->flags |= REC_SUSPECT;
}

static bool bit_get(const struct table *t, const struct record *rec, enum table_bit bit)
{
	return bit == TABLE_SEEN ? rec->seen == t->seen : rec->flags & REC_SUSPECT;
}

static struct record *find_live(const struct table *t, const uint8_t *key, size_t key_len)
{
	struct place at;
	struct record *rec = bucket_find(t, ahead_position(t, key, key_len), key, key_len, &at);

	return rec && !(rec->flags & REC_TOMBSTONE) ? rec : NULL;
}

bool table_bit_set(struct table *t, const uint8_t *key, size_t key_len, enum table_bit bit)
{
	struct record *rec = find_live(t, key, key_len);

	if (rec)
		bit_set(t, rec, bit);
	return rec;
}

bool table_bit_get(const struct table *t, const uint8_t *key, size_t key_len, enum table_bit bit)
{
	const struct record *rec = find_live(t, key, key_len);

	return rec && bit_get(t, rec, bit);
}

void table_bit_clear_all(struct table *t, enum table_bit bit)
{
	struct bucket_walk w;
	struct bucket *b;

	if (bit == TABLE_SEEN && ++t->seen != 0)
		return;
	/* the stamps have come round: none may be taken for a new one */
	if (bit == TABLE_SEEN)
		t->seen = 1;
	bucket_walk_init(&w, (struct hash_range){0});
	while ((b = bucket_walk_next(t, &w)))
		for (unsigned i = 0; i < b->n; i++) {
			struct record *rec = slot_record(b->slot[i]);

			if (bit == TABLE_SEEN)
				rec->seen = 0;
			else
				rec->flags &= (uint8_t)~REC_SUSPECT;
		}
}

uint64_t table_epoch(const struct table *t)
{
	return t->epochs_before + t->epoch;
}

static bool lacks_bit(const struct table *t, const struct record *rec, unsigned bit)
{
	return !bit_get(t, rec, (enum table_bit)bit);
}

static bool is_since(const struct table *t, const struct record *rec, unsigned epoch)
{
	return rec->epoch >= epoch && rec->epoch <= t->epoch;
}

int table_walk_since(const struct table *t, struct hash_range r, uint64_t epoch, table_walk_fn *fn,
		     void *ctx)
{
	unsigned since = epoch > t->epochs_before ? (unsigned)(epoch - t->epochs_before) : 1;

	return epoch ? table_walk_if(t, r, is_since, since, fn, ctx) : table_walk(t, r, fn, ctx);
}

int table_walk_without(const struct table *t, struct hash_range r, enum table_bit bit,
		       table_walk_fn *fn, void *ctx)
{
	return table_walk_if(t, r, lacks_bit, bit, fn, ctx);
}
