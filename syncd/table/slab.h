/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of one table: chunks of fixed size classes cut from mapped slabs, so that a flow of forty
 * bytes does not pay malloc's header. A freed chunk is reused for its own class only; slabs go back
 * to the system all at once, in slab_clear. Private to the table.
 */
#ifndef SYNCD_TABLE_SLAB_H
#define SYNCD_TABLE_SLAB_H

#include <stddef.h>
#include <stdint.h>

enum {
	SLAB_FINE = 8, /* granule of chunks up to SLAB_FINE_MAX bytes, and their alignment */
	SLAB_FINE_MAX = 256,
	SLAB_COARSE = 64, /* granule above */
	SLAB_MAX = 1024,  /* largest chunk */
	SLAB_CLASSES = SLAB_FINE_MAX / SLAB_FINE + (SLAB_MAX - SLAB_FINE_MAX) / SLAB_COARSE,
};

struct slab_class {
	void *free;   /* linked through the chunks' first bytes */
	uint8_t *cut; /* next chunk never used yet, up to end */
	uint8_t *end;
};

struct slab {
	struct slab_class cls[SLAB_CLASSES];
	struct slab_region *regions;
	size_t cut_bytes; /* ever handed out: what is resident */
};

/* Class of a size of 1 to SLAB_MAX bytes, and the size of a class. */
static inline unsigned slab_class_of(size_t size)
{
	if (size <= SLAB_FINE_MAX)
		return (unsigned)((size - 1) / SLAB_FINE);
	return (unsigned)(SLAB_FINE_MAX / SLAB_FINE + (size - SLAB_FINE_MAX - 1) / SLAB_COARSE);
}

static inline size_t slab_class_size(unsigned cls)
{
	if (cls < SLAB_FINE_MAX / SLAB_FINE)
		return (size_t)(cls + 1) * SLAB_FINE;
	return SLAB_FINE_MAX + (size_t)(cls + 1 - SLAB_FINE_MAX / SLAB_FINE) * SLAB_COARSE;
}

/* A chunk of slab_class_size(cls) bytes, or NULL without memory. Returned by slab_give. */
void *slab_take(struct slab *s, unsigned cls);
void slab_give(struct slab *s, unsigned cls, void *chunk);

/* Unmaps everything; every chunk is gone. */
void slab_clear(struct slab *s);

/* Whole zeroed pages straight from the system, resident as they are touched; NULL without memory.
 */
void *slab_map(size_t bytes);
void slab_unmap(void *p, size_t bytes);

#endif
