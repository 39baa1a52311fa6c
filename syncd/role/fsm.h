/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A node's state in one group as a pure function. Who decides events is syncd/engine.c; what
 * follows from a state is there too. docs/design.md has the table.
 */
#ifndef SYNCD_ROLE_FSM_H
#define SYNCD_ROLE_FSM_H

#include "proto/control.h"

enum role_event {
	EVENT_ROLE_IDLE,    /* told to be idle */
	EVENT_ROLE_STANDBY, /* told to stand by, or told that another is active */
	EVENT_ROLE_ACTIVE,  /* told to be active */
	EVENT_STREAM,	    /* the active's stream is followed from here */
	EVENT_EQUAL,	    /* a check was equal and the active complete */
	EVENT_DIFFERS,	    /* a check differed */
	EVENT_GAP,	    /* datagrams lost for good */
	EVENT_REFUSED,	    /* the kernel takes no more flows */
	EVENT_ACTIVE_GONE,  /* nobody proven is active */
	EVENT_SUPERSEDED,   /* a higher term is active elsewhere: a split healed */
	ROLE_EVENTS,
};

enum node_state role_next(enum node_state state, enum role_event event);
const char *role_state_name(enum node_state state); /* "joining" */
const char *role_event_name(enum role_event event); /* "a check differed" */
const char *role_name(enum node_role role);	    /* "standby" */

/* Order of terms: negative, 0, positive as a is lower, alike, higher. */
int term_compare(struct term a, struct term b);

#endif
