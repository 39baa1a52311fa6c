// SPDX-License-Identifier: GPL-2.0-or-later
/* See ct_pace.h. */
#include "syncd/kernel/ct_pace.h"

bool ct_pace_turn(struct ct_pace *p, uint64_t now_us, unsigned events)
{
	bool was = p->busy;

	p->events += events;
	if (!p->busy && p->events >= CT_PACE_BUSY && now_us - p->since_us <= CT_PACE_WINDOW_US)
		p->busy = true;
	else if (now_us - p->since_us <= CT_PACE_WINDOW_US)
		return false;
	else if (p->busy)
		p->busy = p->events >= CT_PACE_CALM;
	p->since_us = now_us;
	p->events = 0;
	return p->busy != was;
}
