/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One flow of the drill as its client sees it: opens, exchanges checked bytes at its own pace, and
 * notes how it ended and the longest time it stood still. Driven by fleet.c, which owns the clock,
 * the timers and the poller. */
#ifndef TESTS_DRILL_TRAFFIC_FLOW_H
#define TESTS_DRILL_TRAFFIC_FLOW_H

#include "tests/drill/traffic/content.h"
#include "tests/drill/traffic/heap.h"

#include <sys/socket.h>

enum flow_kind {
	FLOW_PACED, /* an exchange of a few hundred bytes each way at each beat */
	FLOW_UP,    /* bulk to the server */
	FLOW_DOWN,  /* bulk from the server */
	FLOW_IDLE,  /* one exchange at its start, one at each settling */
	FLOW_CHURN, /* connects, an exchange, another after a beat, closes, and anew */
	FLOW_PARK, /* one exchange; then both ends forget it without a word: tables still hold it */
	FLOW_MUTE, /* TCP: nothing after its handshake until after the first fault, then as idle */
	FLOW_KINDS
};

enum flow_state {
	FLOW_WAITING, /* to be opened when its timer falls due */
	FLOW_CONNECTING,
	FLOW_RESTING,
	FLOW_BUSY,   /* an exchange is under way */
	FLOW_PARKED, /* see FLOW_PARK */
	FLOW_DEAD,
};

enum flow_end {
	FLOW_LIVES,
	FLOW_RESET,   /* refused, reset, or closed by the far side */
	FLOW_HUNG,    /* no progress within the bound, although retried */
	FLOW_CORRUPT, /* bytes that are not those sent, at either end */
	FLOW_MOVED,   /* answered by another server than before */
	FLOW_ENDS
};

/* What the flows of a group have in common. */
struct flow_group {
	char name[32];
	bool control; /* only routed: needs no sync */
	bool tcp;
	enum flow_kind kind;
	char netns[64];
	struct sockaddr_storage to, from; /* from.ss_family 0: the system chooses */
	socklen_t addr_len;
	uint32_t sources; /* successive addresses from `from` on */
	uint32_t count;
	uint32_t pace_ms;
	uint32_t pace_kib_s;
	uint32_t open_now; /* but of churning groups */
	/* churn only */
	uint32_t lives_opened, lives_completed, lives_lost;
	uint32_t newborn_lost; /* established less than newborn_ms before a fault */
	uint32_t newborn_worst_us;
};

struct flow {
	struct timer timer; /* first: the heap hands it back */
	struct flow_group *group;
	int fd;
	uint32_t id;
	enum flow_state state;
	enum flow_end end;
	bool greeted; /* server is known */
	bool blocked; /* waits for room to send */
	uint32_t server;
	struct content_request req;
	struct content_reply reply;
	uint32_t tx, rx; /* bytes of header and body so far */
	uint32_t exchanges;
	uint32_t life_exchanges;
	uint64_t begun_ns, progress_ns;
	uint64_t established_ns, ended_ns;
	uint64_t done_begun_ns; /* when the last complete exchange began */
	uint64_t worst_begin_ns, worst_end_ns;
};

/* What a flow needs of its surroundings. */
struct flow_env {
	uint64_t now_ns;
	uint64_t seed;
	uint64_t fault_ns;  /* the first fault; 0: none yet */
	uint64_t healed_ns; /* since when the last one is; UINT64_MAX: not yet */
	uint64_t hang_ns;
	uint64_t settle_from_ns; /* each flow is to make an exchange begun since then; 0: nobody
				    waits */
	struct heap *timers;
	int epoll;
	uint8_t *scratch; /* FLOW_SCRATCH_BYTES */
};

#define FLOW_SCRATCH_BYTES 65536u

/* The timer fell due: open, begin an exchange, send again, or give up as hung. The process is in
 * the flow's namespace. */
void flow_on_timer(struct flow *flow, const struct flow_env *env);

/* epoll reports `events` on its socket. */
void flow_on_event(struct flow *flow, const struct flow_env *env, uint32_t events);

/* Idle flows: begin an exchange within the time given. */
void flow_wake(struct flow *flow, const struct flow_env *env, uint64_t within_ns);

#endif
