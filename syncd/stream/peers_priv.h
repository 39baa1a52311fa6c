/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What peers.c (places, opening, ageing) and peers_hello.c (proof, what hellos say) share. */
#ifndef SYNCD_STREAM_PEERS_PRIV_H
#define SYNCD_STREAM_PEERS_PRIV_H

#include "syncd/stream/peers.h"
#include "syncd/stream/replay_window.h"

enum {
	UNPROVEN_MAX = 32,
	ONCE_PROVEN_MAX = 2 * NODES_MAX, /* sessions that are, were, or have just ended being */
	SESSIONS_MAX = UNPROVEN_MAX + ONCE_PROVEN_MAX,
	SENT_RING = 8192, /* own control datagrams whose time is known: 2 s of 4,000 a second */
	SEAL_KEYS = 2,	  /* cached a session: before and after a rotation */
};

enum session_state {
	SESSION_NONE,
	SESSION_UNPROVEN,
	SESSION_PROVEN,
	SESSION_LAPSED,
	SESSION_ENDED
};

/* What one link has brought of a session: the longest datagram lately, and of the time before. */
struct heard {
	uint64_t at_us, since_us;
	uint32_t longest, before;
};

struct session {
	struct peer peer; /* first: a struct peer handed out is found again by a cast */
	enum session_state state;
	uint64_t fresh_until_us;
	uint64_t echoed; /* highest control counter of ours that proved it */
	uint64_t control_heard_us;
	uint64_t hello_counter;	       /* control counter of the last hello taken in */
	struct heard heard[LINKS_MAX]; /* by link */
	struct replay_window window;
	size_t place; /* of its groups, once proven */

	struct {
		bool used;
		uint16_t id;
		struct seal_key key;
	} seal[SEAL_KEYS];
	unsigned seal_next;

	/* Merging of a hello's pages: which round named each group last. */
	uint64_t pages_seen;
	uint32_t pages;
	uint32_t round;
	uint32_t named_in[GROUPS_MAX];
};

struct peers {
	uint16_t node;
	uint64_t session;
	unsigned link; /* that what is opened next came over */
	bool insecure;
	size_t keys;
	struct group_key key[KEYS_MAX];

	uint64_t control_last;
	uint64_t control_sent_us[SENT_RING]; /* by counter */
	uint64_t impostor_until_us;

	struct hello_group (*groups)[GROUPS_MAX]; /* by ONCE_PROVEN place */
	bool groups_used[ONCE_PROVEN_MAX];
	struct session *at; /* SESSIONS_MAX */
	struct control scratch;
};

/* What is not heard again within twice that no longer proves that the path carries it. */
#define LENGTH_PROVES_US (5 * S_US)

static inline bool session_once_proven(const struct session *s)
{
	return s->state >= SESSION_PROVEN;
}

/*
 * Where an authentic hello of another session with our own id echoes what we have just sent, it is
 * no recording of ourselves: raises the alarm for as long as that proves.
 */
void peers_on_own_id(struct peers *p, const uint8_t *payload, size_t len, uint64_t now_us);

#endif
