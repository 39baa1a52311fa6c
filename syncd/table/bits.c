// SPDX-License-Identifier: GPL-2.0-or-later
/* The two bits a flow that the table keeps for its callers (table.h). */
#include <assert.h>

#include "syncd/table/table_priv.h"

static_assert((int)REC_SEEN == TABLE_SEEN << 5 && (int)REC_SUSPECT == TABLE_SUSPECT << 5,
	      "bits of a record are the callers' bits, shifted");

static uint8_t flag_of(enum table_bit bit)
{
	return (uint8_t)(bit << 5);
}

static struct record *find_live(const struct table *t, const uint8_t *key, size_t key_len)
{
	struct place at;
	struct record *rec =
		bucket_find(t, digest_position(t->key, key, key_len), key, key_len, &at);

	return rec && !(rec->flags & REC_TOMBSTONE) ? rec : NULL;
}

bool table_bit_set(struct table *t, const uint8_t *key, size_t key_len, enum table_bit bit)
{
	struct record *rec = find_live(t, key, key_len);

	if (rec)
		rec->flags |= flag_of(bit);
	return rec;
}

bool table_bit_get(const struct table *t, const uint8_t *key, size_t key_len, enum table_bit bit)
{
	const struct record *rec = find_live(t, key, key_len);

	return rec && rec->flags & flag_of(bit);
}

void table_bit_clear_all(struct table *t, enum table_bit bit)
{
	struct bucket_walk w;
	struct bucket *b;

	bucket_walk_init(&w, (struct hash_range){0});
	while ((b = bucket_walk_next(t, &w)))
		for (unsigned i = 0; i < b->n; i++)
			b->slot[i].rec->flags &= (uint8_t)~flag_of(bit);
}

int table_walk_without(const struct table *t, struct hash_range r, enum table_bit bit,
		       table_walk_fn *fn, void *ctx)
{
	struct bucket_walk w;
	const struct bucket *b;
	int stop = 0;

	bucket_walk_init(&w, r);
	while (!stop && (b = bucket_walk_next(t, &w)))
		for (unsigned i = 0; !stop && i < b->n; i++) {
			const struct slot *s = &b->slot[i];

			if (s->rec->flags & (REC_TOMBSTONE | flag_of(bit)) ||
			    !hash_range_has(r, s->hash))
				continue;
			stop = fn(ctx, s->hash, s->rec->bytes, s->rec->len);
		}
	return stop;
}
