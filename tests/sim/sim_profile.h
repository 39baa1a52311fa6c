/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of story: how many boxes, what the wire is like, which faults, how often. */
#ifndef TESTS_SIM_PROFILE_H
#define TESTS_SIM_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_fault {
	FAULT_ISOLATE,	      /* a box hears nobody and nobody hears it */
	FAULT_ONE_WAY,	      /* from one to another only */
	FAULT_HALVES,	      /* the wire falls into two */
	FAULT_SPLIT_BRAIN,    /* and both halves have an active */
	FAULT_CRASH,	      /* a box loses power and comes back */
	FAULT_KILL,	      /* a daemon dies and comes back, the kernel lives on */
	FAULT_PAUSE,	      /* a daemon is stopped and goes on */
	FAULT_SLOW,	      /* a box takes in little */
	FAULT_WALL_JUMP,      /* somebody sets the clock */
	FAULT_SWITCH,	      /* the address moves, the old box told first */
	FAULT_SWITCH_RUSHED,  /* the new box told first */
	FAULT_HANDOVER,	      /* syncctl handover */
	FAULT_IDLE,	      /* a standby told to be idle, then to stand by again */
	FAULT_FLUSH,	      /* conntrack -F on a standby */
	FAULT_NIBBLE,	      /* a few flows removed from a standby's kernel */
	FAULT_TAMPER,	      /* a standby's table altered */
	FAULT_STORM,	      /* many connections at once */
	FAULT_OVERRUN,	      /* event queues short, in a storm */
	FAULT_REFUSE,	      /* a kernel refuses some flows for a while */
	FAULT_FULL,	      /* a kernel's table is full for a while */
	FAULT_INTERRUPT,      /* dumps are interrupted for a while */
	FAULT_WEATHER,	      /* the wire becomes another */
	FAULT_RECONCILE,      /* an operator doubts */
	FAULT_RESTART,	      /* a daemon ends in order and comes back with its tables */
	FAULT_RESTART_SPOILT, /* and they were damaged meanwhile */
	FAULT_LINK,	      /* one of the links fails, for a box or for all */
	FAULT_ROTATE,	      /* a new key comes to all boxes, and the old one goes */
	SIM_FAULTS,
};

struct sim_profile {
	const char *name;
	uint16_t share; /* of seeds, where no profile is asked for */
	uint8_t nodes[2], groups[2];
	uint16_t flows[2];	    /* a group settles at */
	uint16_t things;	    /* happen to connections in 10 ms and group, at most */
	uint8_t storm_s[2];	    /* length of the storm */
	uint8_t faults_per_s;	    /* on average */
	uint16_t loss[2], mess[2];  /* permille: loss; doubles, reorder, damage each */
	uint16_t replay;	    /* permille */
	uint8_t links;		    /* that all boxes have; 0: one, and now and then two */
	bool insecure;		    /* no keys */
	bool commits;		    /* install = takeover */
	bool kept;		    /* nothing but planned changes: no connection may be lost */
	uint16_t fault[SIM_FAULTS]; /* weights */
};

extern const struct sim_profile sim_profiles[];
extern const size_t sim_profile_count;

const struct sim_profile *sim_profile_find(const char *name);

/* The profile of a seed where none is asked for. */
const struct sim_profile *sim_profile_of(uint64_t seed);

#endif
