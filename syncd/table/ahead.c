/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking ahead (table_expect). A table larger than the caches spends its time waiting for a
 * bucket's head, then its slots, then a record. Where a burst of keys is known beforehand, each of
 * these is fetched a few keys before its turn, and the hash worked out for it is kept for its use.
 *
 * A queue of keys: what is looked up is searched for near its head; what is put or deleted leaves
 * it, with what was expected before and has not come. Only time depends on it, never a result.
 */
#include <string.h>

#include "syncd/table/table_priv.h"

enum {
	DISTANCE = 6, /* keys between a fetch and what needs it to have arrived */
	SEARCH = 8,   /* expected keys that may have been left out before the one that came */
};

static struct ahead_item *item_at(struct ahead *a, uint32_t i)
{
	return &a->item[i % AHEAD_MAX];
}

static void fetch_slots(const struct table *t, uint64_t hash)
{
	unsigned depth;
	const struct bucket *b = bucket_of(t, hash, &depth);

	for (unsigned i = 0; i < b->n; i += 64 / sizeof(*b->slot))
		__builtin_prefetch(&b->slot[i]);
	__builtin_prefetch(&b->slot[b->n]); /* where a new one goes */
}

static void fetch_record(const struct table *t, uint64_t hash)
{
	unsigned depth;
	const struct bucket *b = bucket_of(t, hash, &depth);

	for (unsigned i = 0; i < b->n; i++)
		if (slot_may_be(b->slot[i], hash)) {
			const uint8_t *rec = (const uint8_t *)slot_record(b->slot[i]);

			__builtin_prefetch(rec);
			__builtin_prefetch(rec + 64);
		}
}

/* Fetches slots up to `slots` and records up to `records`, of which each has been fetched what
 * leads to it. */
static void fetch_upto(const struct table *t, struct ahead *a, uint32_t slots, uint32_t records)
{
	while ((int32_t)(slots - a->slots) > 0)
		fetch_slots(t, item_at(a, a->slots++)->hash);
	while ((int32_t)(records - a->records) > 0)
		fetch_record(t, item_at(a, a->records++)->hash);
}

static void forget_first(struct ahead *a, uint32_t head)
{
	a->head = head;
	if ((int32_t)(a->slots - head) < 0)
		a->slots = head;
	if ((int32_t)(a->records - head) < 0)
		a->records = head;
}

void table_expect(struct table *t, const uint8_t *key, size_t len)
{
	struct ahead *a = &t->ahead;
	struct ahead_item *item;
	unsigned depth;

	if (len > AHEAD_KEY_MAX)
		return;
	if (a->tail - a->head == AHEAD_MAX)
		forget_first(a, a->head + 1);
	item = item_at(a, a->tail++);
	item->hash = digest_position(t->key, key, len);
	item->len = (uint8_t)len;
	memcpy(item->key, key, len);
	__builtin_prefetch(bucket_of(t, item->hash, &depth));
	fetch_upto(t, a, a->tail - DISTANCE, a->tail - 2 * DISTANCE);
}

/* The item of a key, or NULL. */
static const struct ahead_item *find(const struct ahead *a, const uint8_t *key, size_t len,
				     uint32_t *at)
{
	for (uint32_t i = a->head; i != a->tail && i - a->head < SEARCH; i++) {
		const struct ahead_item *item = &a->item[i % AHEAD_MAX];

		if (item->len == len && memcmp(item->key, key, len) == 0) {
			*at = i;
			return item;
		}
	}
	return NULL;
}

static uint32_t at_most(uint32_t i, uint32_t end)
{
	return (int32_t)(i - end) > 0 ? end : i;
}

uint64_t ahead_position(const struct table *t, const uint8_t *key, size_t len)
{
	const struct ahead_item *item;
	uint32_t at;

	item = find(&t->ahead, key, len, &at);
	return item ? item->hash : digest_position(t->key, key, len);
}

uint64_t ahead_take(struct table *t, const uint8_t *key, size_t len)
{
	struct ahead *a = &t->ahead;
	const struct ahead_item *item;
	uint32_t at;

	item = find(a, key, len, &at);
	if (!item)
		return digest_position(t->key, key, len);
	forget_first(a, at + 1);
	fetch_upto(t, a, at_most(a->head + 2 * DISTANCE, a->tail),
		   at_most(a->head + DISTANCE, a->tail));
	return item->hash;
}
