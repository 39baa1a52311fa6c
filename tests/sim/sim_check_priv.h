/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two halves of the checker share; nobody else includes this. */
#ifndef TESTS_SIM_CHECK_PRIV_H
#define TESTS_SIM_CHECK_PRIV_H

#include "tests/sim/sim_check.h"
#include "tests/sim/sim_map.h"
#include "tests/sim/sim_model.h"

/* Datagrams read that are remembered of each daemon: one that is displaced is not judged. */
enum { READ_MAX = 1 << 14 };

/* One data datagram as it left, and the group's table as sent right after it. */
struct sent {
	uint64_t at_us, dgram_hash, payload_hash, term, digest, count;
	uint32_t group;
	bool complete;
};

struct stream_group {
	struct sim_model *model; /* of the sender's table as sent */
	bool explained;		 /* the model is in step */
	uint64_t term;
	struct sim_map *gone; /* key -> content hash of flows said to be deleted */
};

/* All that one session sent. */
struct stream_book {
	uint16_t node;
	uint64_t session;
	uint16_t key_id; /* that `key` is derived from; 0: none yet */
	struct seal_key key;
	struct sent *data; /* by counter - 1 */
	size_t n, cap;
	uint64_t *control; /* hash by counter - 1 */
	size_t controls;
	uint64_t ended_us; /* the node's next session began; 0: it has not */
	struct stream_group group[SIM_GROUPS_MAX];
};

/* A datagram applied in the call that has not returned yet. */
struct pending {
	struct pending *next;
	uint32_t group;
	bool removes;
	size_t len;
	uint8_t payload[];
};

struct view_group {
	enum node_role role;
	struct term term;
	uint64_t active_since_us;
	uint16_t from; /* whose datagram was applied last */
	uint64_t session, counter;
	struct sim_model *model; /* of a standby's table; NULL: none yet */
	bool modelled, tampered, refilling;
	bool equal;	    /* as standby, when last looked at */
	uint64_t most_held; /* flows in its table, deleted ones that it has to keep in mind too */
	bool took_equal;    /* as active: it was, when it took over */
};

/* What one node has applied. */
struct node_view {
	struct view_group group[SIM_GROUPS_MAX];
	struct {
		uint64_t session, counter;
	} applied[NODES_MAX]; /* by sender: the last counter, whatever its group */
	struct pending *pending, **pending_end;
	uint64_t *read; /* hashes of datagrams read, by hash: a later one may displace another */
	bool again;	/* the call that has not returned yet reads one of them */
	uint64_t before, turn_us; /* its last call that has returned */
};

struct sim_check {
	struct sim_clock *clock;
	struct sim_check_config cfg;
	struct sim_check_io io;
	struct digest_key digest_key;
	struct stream_book **stream;
	size_t streams;
	struct node_view view[NODES_MAX];
	struct sim_check_totals totals;
	uint64_t trace;
};

__attribute__((format(printf, 4, 5))) void check_fail(struct sim_check *c, const struct sim_node *n,
						      const char *invariant, const char *fmt, ...);
struct stream_book *check_stream(const struct sim_check *c, uint16_t node, uint64_t session);
void check_stream_new(struct sim_check *c, const struct sim_node *n);
uint64_t check_hash(const uint8_t *p, size_t len);
void check_again(struct sim_check *c, struct sim_node *n);
void check_again_forget(struct node_view *v); /* a new daemon has read nothing */
void pending_clear(struct node_view *v);

#endif
