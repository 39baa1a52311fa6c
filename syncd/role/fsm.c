// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of fsm.h, one function a state, each with the full switch. Called by the engine, which
 * acts on and logs what changes. docs/design.md has the same table for people.
 */
#include "syncd/role/fsm.h"

#include <stddef.h>

/*
 * What every state does when told a role: told to stand by, a node has to prove itself anew unless
 * it stands by already.
 */
static enum node_state next_idle(enum role_event event)
{
	switch (event) {
	case EVENT_ROLE_STANDBY:
		return STATE_JOINING;
	case EVENT_ROLE_ACTIVE:
		return STATE_ACTIVE;
	case EVENT_ROLE_IDLE:
	case EVENT_STREAM:
	case EVENT_EQUAL:
	case EVENT_DIFFERS:
	case EVENT_GAP:
	case EVENT_REFUSED:
	case EVENT_ACTIVE_GONE:
	case EVENT_SUPERSEDED:
	case ROLE_EVENTS:
		break;
	}
	return STATE_IDLE;
}

static enum node_state next_joining(enum role_event event)
{
	switch (event) {
	case EVENT_ROLE_IDLE:
		return STATE_IDLE;
	case EVENT_ROLE_ACTIVE:
		return STATE_ACTIVE;
	case EVENT_STREAM:
	case EVENT_DIFFERS:
	case EVENT_GAP:
		return STATE_REPAIRING;
	case EVENT_EQUAL:
		return STATE_STANDBY;
	case EVENT_ROLE_STANDBY:
	case EVENT_REFUSED:
	case EVENT_ACTIVE_GONE:
	case EVENT_SUPERSEDED:
	case ROLE_EVENTS:
		break;
	}
	return STATE_JOINING;
}

static enum node_state next_repairing(enum role_event event)
{
	switch (event) {
	case EVENT_ROLE_IDLE:
		return STATE_IDLE;
	case EVENT_ROLE_ACTIVE:
		return STATE_ACTIVE;
	case EVENT_EQUAL:
		return STATE_STANDBY;
	case EVENT_ACTIVE_GONE:
		return STATE_JOINING;
	case EVENT_ROLE_STANDBY:
	case EVENT_STREAM:
	case EVENT_DIFFERS:
	case EVENT_GAP:
	case EVENT_REFUSED:
	case EVENT_SUPERSEDED:
	case ROLE_EVENTS:
		break;
	}
	return STATE_REPAIRING;
}

/*
 * The active's death does not take back what was proven: that is the moment it was proven for.
 * Following another stream does, once something of it has been applied.
 */
static enum node_state next_standby(enum role_event event)
{
	switch (event) {
	case EVENT_ROLE_IDLE:
		return STATE_IDLE;
	case EVENT_ROLE_ACTIVE:
		return STATE_ACTIVE;
	case EVENT_STREAM:
		return STATE_REPAIRING;
	case EVENT_DIFFERS:
	case EVENT_GAP:
	case EVENT_REFUSED:
		return STATE_DEGRADED;
	case EVENT_ROLE_STANDBY:
	case EVENT_EQUAL:
	case EVENT_ACTIVE_GONE:
	case EVENT_SUPERSEDED:
	case ROLE_EVENTS:
		break;
	}
	return STATE_STANDBY;
}

static enum node_state next_degraded(enum role_event event)
{
	switch (event) {
	case EVENT_ROLE_IDLE:
		return STATE_IDLE;
	case EVENT_ROLE_ACTIVE:
		return STATE_ACTIVE;
	case EVENT_STREAM:
		return STATE_REPAIRING;
	case EVENT_EQUAL:
		return STATE_STANDBY;
	case EVENT_ROLE_STANDBY:
	case EVENT_DIFFERS:
	case EVENT_GAP:
	case EVENT_REFUSED:
	case EVENT_ACTIVE_GONE:
	case EVENT_SUPERSEDED:
	case ROLE_EVENTS:
		break;
	}
	return STATE_DEGRADED;
}

static enum node_state next_active(enum role_event event)
{
	switch (event) {
	case EVENT_ROLE_IDLE:
		return STATE_IDLE;
	case EVENT_ROLE_STANDBY:
	case EVENT_SUPERSEDED:
		return STATE_JOINING;
	case EVENT_ROLE_ACTIVE:
	case EVENT_STREAM:
	case EVENT_EQUAL:
	case EVENT_DIFFERS:
	case EVENT_GAP:
	case EVENT_REFUSED:
	case EVENT_ACTIVE_GONE:
	case ROLE_EVENTS:
		break;
	}
	return STATE_ACTIVE;
}

enum node_state role_next(enum node_state state, enum role_event event)
{
	switch (state) {
	case STATE_IDLE:
		return next_idle(event);
	case STATE_JOINING:
		return next_joining(event);
	case STATE_REPAIRING:
		return next_repairing(event);
	case STATE_STANDBY:
		return next_standby(event);
	case STATE_DEGRADED:
		return next_degraded(event);
	case STATE_ACTIVE:
		return next_active(event);
	case STATES:
		break;
	}
	return STATE_IDLE;
}

const char *role_state_name(enum node_state state)
{
	static const char *const name[STATES] = {"idle",    "joining",	"repairing",
						 "standby", "degraded", "active"};

	return (unsigned)state < STATES ? name[state] : "unknown";
}

const char *role_event_name(enum role_event event)
{
	static const char *const name[ROLE_EVENTS] = {
		[EVENT_ROLE_IDLE] = "told to be idle",
		[EVENT_ROLE_STANDBY] = "told to stand by",
		[EVENT_ROLE_ACTIVE] = "told to be active",
		[EVENT_STREAM] = "the active's stream is followed",
		[EVENT_EQUAL] = "a check was equal",
		[EVENT_DIFFERS] = "a check differed",
		[EVENT_GAP] = "datagrams were lost for good",
		[EVENT_REFUSED] = "the kernel refuses flows",
		[EVENT_ACTIVE_GONE] = "nobody is known to be active",
		[EVENT_SUPERSEDED] = "another node is active in a higher term",
	};

	return (unsigned)event < ROLE_EVENTS ? name[event] : "unknown";
}

const char *role_name(enum node_role role)
{
	static const char *const name[] = {"idle", "standby", "active"};

	return (unsigned)role < sizeof(name) / sizeof(name[0]) ? name[role] : "unknown";
}

int term_compare(struct term a, struct term b)
{
	if (a.number != b.number)
		return a.number < b.number ? -1 : 1;
	return a.node < b.node ? -1 : a.node > b.node;
}
