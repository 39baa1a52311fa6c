/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A binary heap of timers: see heap.h. */
#include "tests/drill/traffic/heap.h"

#include <errno.h>
#include <stdlib.h>

struct heap {
	struct timer **at; /* at[1] is the first */
	size_t used, room;
};

struct heap *heap_new(void)
{
	return calloc(1, sizeof(struct heap));
}

static void put(struct heap *heap, size_t place, struct timer *timer)
{
	heap->at[place] = timer;
	timer->place = place;
}

static void sift(struct heap *heap, size_t place)
{
	struct timer *timer = heap->at[place];

	while (place > 1 && heap->at[place / 2]->due_ns > timer->due_ns) {
		put(heap, place, heap->at[place / 2]);
		place /= 2;
	}
	for (size_t child = place * 2; child <= heap->used; child = place * 2) {
		if (child < heap->used && heap->at[child + 1]->due_ns < heap->at[child]->due_ns)
			child++;
		if (heap->at[child]->due_ns >= timer->due_ns)
			break;
		put(heap, place, heap->at[child]);
		place = child;
	}
	put(heap, place, timer);
}

int heap_set(struct heap *heap, struct timer *timer, uint64_t due_ns)
{
	timer->due_ns = due_ns;
	if (!timer->place) {
		if (heap->used + 2 > heap->room) {
			size_t room = heap->room ? heap->room * 2 : 1024;
			struct timer **at = realloc(heap->at, room * sizeof(struct timer *));

			if (!at)
				return -ENOMEM;
			heap->at = at;
			heap->room = room;
		}
		heap->used++;
		put(heap, heap->used, timer);
	}
	sift(heap, timer->place);
	return 0;
}

void heap_clear(struct heap *heap, struct timer *timer)
{
	size_t place = timer->place;
	struct timer *last;

	if (!place)
		return;
	last = heap->at[heap->used--];
	timer->place = 0;
	if (last == timer)
		return;
	put(heap, place, last);
	sift(heap, place);
}

struct timer *heap_first(const struct heap *heap)
{
	return heap->used ? heap->at[1] : NULL;
}
