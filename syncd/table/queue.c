/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table's two queues: to the wire, where the exchange of digests happens as a change leaves,
 * and to the kernel, where only order matters.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "syncd/table/table_priv.h"

static_assert((int)REC_WIRE == 1 << WIRE && (int)REC_KERNEL == 1 << KERNEL, "flag by ring");

bool queue_reserve(struct table *t, enum table_queue queue)
{
	switch (queue) {
	case TABLE_NONE:
	case TABLE_LATER:
		return true;
	case TABLE_WIRE:
		return ring_reserve(&t->ring[WIRE], 1);
	case TABLE_KERNEL:
		return ring_reserve(&t->ring[KERNEL], 1);
	case TABLE_BOTH:
		return ring_reserve(&t->ring[WIRE], 1) && ring_reserve(&t->ring[KERNEL], 1);
	}
	return false;
}

void queue_push(struct table *t, struct record *rec, unsigned which)
{
	if (rec->flags & (1u << which))
		return;
	ring_push(&t->ring[which], rec);
	rec->flags |= (uint8_t)(1u << which);
	if (which == KERNEL)
		queue_not_later(t, rec);
}

void queue_later(struct table *t, struct record *rec)
{
	t->later += !(rec->flags & REC_LATER);
	rec->flags |= REC_LATER;
}

void queue_not_later(struct table *t, struct record *rec)
{
	t->later -= (rec->flags & REC_LATER) != 0;
	rec->flags &= (uint8_t)~REC_LATER;
}

void queue_drop(struct table *t, struct record *rec, unsigned which)
{
	ring_remove(&t->ring[which], rec);
	rec->flags &= (uint8_t) ~(1u << which);
}

void queue_settle(struct table *t, struct bucket *b, struct record *rec)
{
	if (!(rec->flags & REC_WIRE))
		return;
	queue_drop(t, rec, WIRE);
	bucket_settle(t, b, rec);
}

size_t table_queued(const struct table *t, enum table_queue queue)
{
	switch (queue) {
	case TABLE_NONE:
		return 0;
	case TABLE_WIRE:
		return t->ring[WIRE].used;
	case TABLE_KERNEL:
		return t->ring[KERNEL].used;
	case TABLE_LATER:
		return t->later;
	case TABLE_BOTH:
		return t->ring[WIRE].used + t->ring[KERNEL].used;
	}
	return 0;
}

bool table_wire_next(struct table *t, struct table_item *out)
{
	const struct record *rec = ring_head(&t->ring[WIRE]);

	if (!rec)
		return false;
	*out = (struct table_item){rec->bytes, rec->len, rec->flags & REC_TOMBSTONE};
	return true;
}

void table_wire_done(struct table *t)
{
	struct record *rec = ring_head(&t->ring[WIRE]);
	unsigned depth;

	assert(rec);
	queue_settle(t, bucket_of(t, rec->hash, &depth), rec);
	if (rec->flags & REC_TOMBSTONE)
		hold_release(t, bucket_place(t, rec));
}

bool table_kernel_next(struct table *t, struct table_item *out)
{
	struct record *rec = ring_head(&t->ring[KERNEL]);

	if (!rec)
		return false;
	queue_drop(t, rec, KERNEL);
	*out = (struct table_item){rec->bytes, rec->len, rec->flags & REC_TOMBSTONE};
	if (out->del) {
		memcpy(t->popped, rec->bytes, rec->len);
		out->bytes = t->popped;
		hold_release(t, bucket_place(t, rec));
	}
	return true;
}

bool table_kernel_again(struct table *t, const uint8_t *key, size_t key_len)
{
	struct place at;
	struct record *rec = bucket_find(t, ahead_position(t, key, key_len), key, key_len, &at);

	if (!rec || rec->flags & REC_TOMBSTONE || !queue_reserve(t, TABLE_KERNEL))
		return false;
	queue_push(t, rec, KERNEL);
	return true;
}

bool table_kernel_take(struct table *t, const uint8_t *key, size_t key_len)
{
	struct place at;
	struct record *rec = bucket_find(t, ahead_position(t, key, key_len), key, key_len, &at);

	if (!rec || (rec->flags & (REC_KERNEL | REC_TOMBSTONE)) != REC_KERNEL)
		return false;
	queue_drop(t, rec, KERNEL);
	return true;
}

int table_kernel_all(struct table *t)
{
	struct bucket_walk w;
	struct bucket *b;

	if (!ring_reserve(&t->ring[KERNEL], t->live))
		return -ENOMEM;
	bucket_walk_init(&w, (struct hash_range){0});
	while ((b = bucket_walk_next(t, &w)))
		for (unsigned i = 0; i < b->n; i++)
			if (!(slot_record(b->slot[i])->flags & REC_TOMBSTONE))
				queue_push(t, slot_record(b->slot[i]), KERNEL);
	return 0;
}

void table_queue_clear(struct table *t, enum table_queue queue)
{
	struct record *rec;

	if (queue == TABLE_WIRE || queue == TABLE_BOTH)
		while (ring_head(&t->ring[WIRE]))
			table_wire_done(t);
	if (queue == TABLE_KERNEL || queue == TABLE_BOTH)
		while ((rec = ring_head(&t->ring[KERNEL]))) {
			queue_drop(t, rec, KERNEL);
			if (rec->flags & REC_TOMBSTONE)
				hold_release(t, bucket_place(t, rec));
		}
}
