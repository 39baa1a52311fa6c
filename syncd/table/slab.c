/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table's allocator (slab.h). Regions are mapped, not taken from malloc, so that untouched
 * pages cost nothing and slab_clear gives every byte back. Knows nothing of flows.
 */
#include "syncd/table/slab.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)	  ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { REGION_BYTES = 256 * 1024, CACHE_LINE = 64 };

struct slab_region {
	struct slab_region *next;
};

static_assert(sizeof(struct slab_region) <= CACHE_LINE, "a region's head takes its first line");
static_assert(SLAB_FINE >= sizeof(void *), "a free chunk holds a link");

void *slab_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void slab_unmap(void *p, size_t bytes)
{
	if (p)
		(void)munmap(p, bytes);
}

static bool class_refill(struct slab *s, struct slab_class *c)
{
	struct slab_region *r = slab_map(REGION_BYTES);

	if (!r)
		return false;
	r->next = s->regions;
	s->regions = r;
	c->cut = (uint8_t *)r + CACHE_LINE;
	c->end = (uint8_t *)r + REGION_BYTES;
	ASAN_POISON_MEMORY_REGION(c->cut, REGION_BYTES - CACHE_LINE);
	return true;
}

void *slab_take(struct slab *s, unsigned cls)
{
	struct slab_class *c = &s->cls[cls];
	size_t size = slab_class_size(cls);
	void *chunk = c->free;

	if (chunk) {
		ASAN_UNPOISON_MEMORY_REGION(chunk, size);
		memcpy(&c->free, chunk, sizeof(c->free));
		return chunk;
	}
	if ((size_t)(c->end - c->cut) < size && !class_refill(s, c))
		return NULL;
	chunk = c->cut;
	c->cut += size;
	s->cut_bytes += size;
	ASAN_UNPOISON_MEMORY_REGION(chunk, size);
	return chunk;
}

void slab_give(struct slab *s, unsigned cls, void *chunk)
{
	struct slab_class *c = &s->cls[cls];

	memcpy(chunk, &c->free, sizeof(c->free));
	c->free = chunk;
	ASAN_POISON_MEMORY_REGION(chunk, slab_class_size(cls));
}

void slab_clear(struct slab *s)
{
	struct slab_region *next;

	for (struct slab_region *r = s->regions; r; r = next) {
		next = r->next;
		ASAN_UNPOISON_MEMORY_REGION(r, REGION_BYTES);
		slab_unmap(r, REGION_BYTES);
	}
	*s = (struct slab){0};
}
