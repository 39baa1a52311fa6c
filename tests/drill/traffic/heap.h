/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A binary heap of timers that know their place, so that any of them can be moved or taken out. */
#ifndef TESTS_DRILL_TRAFFIC_HEAP_H
#define TESTS_DRILL_TRAFFIC_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct timer {
	uint64_t due_ns;
	size_t place; /* in the heap, from 1; 0: not in it */
};

struct heap;

struct heap *heap_new(void);

/* Puts the timer in, or moves it, to fall due at due_ns. The timer is borrowed until it is taken
 * out. Returns 0 or -ENOMEM. */
int heap_set(struct heap *heap, struct timer *timer, uint64_t due_ns);

/* Takes the timer out, if it is in. */
void heap_clear(struct heap *heap, struct timer *timer);

/* The timer that falls due first, or NULL. */
struct timer *heap_first(const struct heap *heap);

#endif
