/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of records that grows on demand. A record knows its place, so it can be taken out of the
 * middle at once; the hole it leaves is skipped. Private to the table.
 */
#ifndef SYNCD_TABLE_RING_H
#define SYNCD_TABLE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record;

struct ring {
	struct record **entry; /* NULL: a hole; never at the head or the tail */
	unsigned which;	       /* index into record.place */
	uint32_t cap;	       /* power of two, or 0 */
	uint32_t head, tail;   /* places; they wrap, entry[place & (cap - 1)] */
	uint32_t used;	       /* entries that are not holes */
};

/* Makes room for one more. Returns false without memory. */
bool ring_reserve(struct ring *r, size_t more);

/* Appends; room has been reserved. */
void ring_push(struct ring *r, struct record *rec);

void ring_remove(struct ring *r, const struct record *rec);

/* The record, which is in the ring, has moved. */
void ring_replace(struct ring *r, const struct record *rec, struct record *moved);

/* The oldest record, or NULL. */
struct record *ring_head(const struct ring *r);

void ring_fini(struct ring *r);

#endif
