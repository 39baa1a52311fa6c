// SPDX-License-Identifier: GPL-2.0-or-later
/* See ct_pace.h. */
#include "syncd/kernel/ct_pace.h"

bool ct_pace_turn(struct ct_pace *p, uint64_t now_us, unsigned events)
{
	const uint64_t past_us = now_us - p->since_us;
	const bool was_busy = p->busy, was_full = p->full;

	p->events += events;
	if (!p->busy && p->events >= CT_PACE_BUSY && past_us <= CT_PACE_WINDOW_US) {
		p->busy = true;
	} else if (past_us <= CT_PACE_WINDOW_US) {
		return false;
	} else if (p->busy) {
		/* A late turn finds what came meanwhile, which is no higher rate. */
		uint64_t rate = (uint64_t)p->events * CT_PACE_WINDOW_US / past_us;

		p->busy = p->events >= CT_PACE_CALM;
		p->full = p->busy && rate >= (p->full ? CT_PACE_LESS : CT_PACE_FULL);
	}
	p->since_us = now_us;
	p->events = 0;
	return p->busy != was_busy || p->full != was_full;
}
