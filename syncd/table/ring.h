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

struct ring_entry {
	struct record *rec; /* NULL: a hole; never at the head or the tail */
	uint64_t sent;	    /* wire: what the record adds to the digest as sent */
};

struct ring {
	struct ring_entry *entry;
	unsigned which;	     /* index into record.place */
	uint32_t cap;	     /* power of two, or 0 */
	uint32_t head, tail; /* places; they wrap, entry[place & (cap - 1)] */
	uint32_t used;	     /* entries that are not holes */
};

/* Makes room for one more. Returns false without memory. */
bool ring_reserve(struct ring *r, size_t more);

/* Appends; room has been reserved. */
void ring_push(struct ring *r, struct record *rec, uint64_t sent);

void ring_remove(struct ring *r, const struct record *rec);

/* The record's entry; it is in the ring. */
struct ring_entry *ring_entry_of(const struct ring *r, const struct record *rec);

/* The oldest record, or NULL. */
struct record *ring_head(const struct ring *r);

void ring_fini(struct ring *r);

#endif
