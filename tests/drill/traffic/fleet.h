/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All the flows of a drill: opens them at a rate, turns the loop, keeps the times of what was
 * broken, and tells when every flow has shown life again. Used by drive.c and report.c. */
#ifndef TESTS_DRILL_TRAFFIC_FLEET_H
#define TESTS_DRILL_TRAFFIC_FLEET_H

#include "tests/drill/traffic/flow.h"

#define FLEET_MAX_GROUPS  128
#define FLEET_MAX_OUTAGES 64

/* From a fault until service was back (the addresses had moved); end 0: not yet. */
struct fleet_outage {
	uint64_t begin_ns, end_ns;
};

struct fleet {
	struct flow_env env;
	struct flow_group groups[FLEET_MAX_GROUPS];
	size_t n_groups;
	struct flow **flows; /* by id */
	size_t n_flows;
	struct fleet_outage outages[FLEET_MAX_OUTAGES];
	size_t n_outages;
	uint64_t settle_limit_ns;
	uint64_t doomed;	/* servers, by number, whose flows are lost with them */
	uint64_t open_until_ns; /* when the flows asked for so far will have been opened */
	char entered[64];	/* the namespace this process is in */
};

/* Prepares an empty fleet. Returns 0 or -errno. */
int fleet_init(struct fleet *fleet, uint64_t seed);

/* Opens `spec->count` flows like spec, `rate` a second. Returns 0 or -errno. */
int fleet_add(struct fleet *fleet, const struct flow_group *spec, uint32_t rate);

/* Something breaks at at_ns (0: now). Returns its time, or 0 when there were too many. */
uint64_t fleet_fault(struct fleet *fleet, uint64_t at_ns);

/* What broke last is whole again since at_ns (0: now). */
void fleet_healed(struct fleet *fleet, uint64_t at_ns);

/* A server dies: its flows are nobody's fault from now on. server: below 64. */
void fleet_doom(struct fleet *fleet, unsigned server);
bool fleet_is_doomed(const struct fleet *fleet, const struct flow *flow);

/* From now on waits for every living flow to complete an exchange not yet begun. */
void fleet_settle(struct fleet *fleet, uint64_t limit_ns);

/* How many living flows have not yet; the caller stops asking by fleet_settled(). */
size_t fleet_unsettled(const struct fleet *fleet);

/*
 * How many living flows need sync and do not come and go: a table that knows all holds as many. Of
 * parked ones no client knows whether they live.
 */
size_t fleet_staying(const struct fleet *fleet);

/* Runs what is due and what the poller reports, for at most max_ms. Returns true when standard
 * input has something to read. */
bool fleet_turn(struct fleet *fleet, int max_ms);

#endif
