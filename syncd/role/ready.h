/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hysteresis between what the engine says of a group (ready or not, many times a second) and what
 * keepalived is shown: a change is shown once it has held for a while, so that the gate neither
 * flaps nor sticks. Pure: time is handed in.
 */
#ifndef SYNCD_ROLE_READY_H
#define SYNCD_ROLE_READY_H

#include <stdbool.h>
#include <stdint.h>

struct ready_config {
	uint64_t rise_us; /* ready for so long without a break: shown as ready */
	uint64_t fall_us; /* not ready for so long: shown as not ready */
};

struct ready_gate {
	bool begun, active;
	bool shown;	   /* what is shown now */
	bool raw;	   /* what was last said */
	uint64_t since_us; /* raw has held since then */
};

/*
 * Takes what holds now. An active node is always shown as ready, so that the gate never takes an
 * address from who serves; once it is no longer active it is shown as it is, at once. At the start
 * it is not ready until proven. Returns true where what is shown has changed, or is first known.
 */
bool ready_gate_step(struct ready_gate *g, const struct ready_config *cfg, bool ready, bool active,
		     uint64_t now_us);

#endif
