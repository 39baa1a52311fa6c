/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What became of the flows, as JSON and as a line for the table. */
#ifndef TESTS_DRILL_TRAFFIC_REPORT_H
#define TESTS_DRILL_TRAFFIC_REPORT_H

#include "tests/drill/traffic/fleet.h"

#include <stdio.h>

/* What a drill may demand besides that no flow was harmed; negative: nothing. */
struct report_demand {
	double excess_ms; /* p99 stall of synced flows above that of control flows */
	/* An excess counts where luck alone shows one as large with a smaller probability. */
	double excess_chance;
	double newborn_ms; /* churn: how young a flow may be lost over a fault */
	/* churn: how many may be lost, however young, since they were made while an address moved;
	 * such a drill does not pass, its harm is bounded. */
	double lives_lost;
	/* How many UDP flows that were born after the first fault may end on another server;
	 * bounded likewise. */
	double apart_moved;
	double udp_moved; /* alike, of all UDP flows */
};

enum report_verdict { REPORT_PASS, REPORT_BOUNDED, REPORT_FAIL };

const char *report_verdict_name(enum report_verdict verdict);

/* Writes {META, the flows' members, "problems", "bounded", "pass"} to out. meta: JSON members, each
 * ended by a comma, or empty; problems: lines of what the scenario found wrong. Returns the
 * verdict, and the line for the table in line: flows survived resets hangs corrupt moved p50 p99
 * max control-p99, parted by blanks. */
enum report_verdict report_write(const struct fleet *fleet, const struct report_demand *demand,
				 const char *meta, const char *problems, FILE *out, char *line,
				 size_t line_len);

#endif
