/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When to read events: at each while they are few, at a fixed short interval once they are many,
 * at twice that once a turn fills more than a datagram anyway. A listener woken by every message
 * costs the kernel's own packet path nearly half of its rate; each turn of ours costs as much as
 * several events, and ends in a datagram that may be nearly empty.
 * Pure: told the time and what was read.
 */
#ifndef SYNCD_KERNEL_CT_PACE_H
#define SYNCD_KERNEL_CT_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CT_PACE_WINDOW_US = 4000,
	CT_PACE_BUSY = 32,  /* events in a window from which on polling is cheaper */
	CT_PACE_CALM = 16,  /* fewer in a window: wait again */
	CT_PACE_FULL = 200, /* in a window, 50,000 a second: the double interval */
	CT_PACE_LESS = 150, /* fewer in a window: the single one again */
};

struct ct_pace {
	bool busy;
	bool full;	   /* only while busy */
	uint64_t since_us; /* begin of the window */
	unsigned events;   /* in it */
};

/* Counts what a turn at now_us read. Returns true where busy or full has changed. */
bool ct_pace_turn(struct ct_pace *p, uint64_t now_us, unsigned events);

#endif
