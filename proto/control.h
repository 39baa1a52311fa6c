/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control messages as plain structures with fixed bounds, read and written without allocation.
 * What a peer sends beyond a bound is refused (-EBADMSG), so nothing here is ever larger than it
 * looks. Names are printable ASCII, so that they may be logged.
 */
#ifndef PROTO_CONTROL_H
#define PROTO_CONTROL_H

#include "proto/data.h"
#include "proto/flow.h"

enum node_role { ROLE_IDLE = 0, ROLE_STANDBY = 1, ROLE_ACTIVE = 2 };

enum node_state {
	STATE_IDLE = 0,
	STATE_JOINING = 1,
	STATE_REPAIRING = 2,
	STATE_STANDBY = 3,
	STATE_DEGRADED = 4,
	STATE_ACTIVE = 5,
	STATES = 6,
};

/* Terms are ordered by (term, node). */
struct term {
	uint64_t number;
	uint16_t node;
};

enum {
	HELLO_GROUPS_MAX = 16, /* on one page */
	HELLO_GROUPS_SENT = 6, /* on one of ours: with all else they fit the shortest datagram */
	HELLO_ITEMS_MAX = 16,
	HELLO_ADDRESSES_MAX = 32,
	ITEM_NAME_MAX = 64,
};

struct hello_group {
	uint32_t id;
	uint8_t role;  /* enum node_role */
	uint8_t state; /* enum node_state */
	bool ready, complete;
	struct term term; /* highest seen */
	uint64_t position;
	uint64_t fingerprint;
	uint64_t flows;
	uint64_t final_counter;
	bool split;
	uint64_t
		digest; /* active and complete: of the table as sent; 0 also where it is not told */
};

struct hello_echo {
	uint16_t node;
	uint64_t session, control_counter;
	uint32_t held_us;
	uint32_t max_datagram;
};

struct hello_item {
	char name[ITEM_NAME_MAX];
	uint64_t hash;
};

/* The item of a node on a desk; sync-replay plays a journal to nobody who does not say it. */
#define REHEARSAL_ITEM "rehearsal"

struct hello {
	uint64_t sent_us;
	char name[NODE_NAME_MAX];
	uint32_t encoder, page, pages;
	uint64_t last_data, oldest_data;
	uint32_t digest_key_id;
	uint8_t groups, keys, echoes, items, addresses; /* how many of each */
	struct hello_group group[HELLO_GROUPS_MAX];
	uint16_t key_id[KEYS_MAX];
	struct hello_echo echo[NODES_MAX];
	struct hello_item item[HELLO_ITEMS_MAX];
	struct {
		uint8_t len; /* 4 or 16 */
		struct flow_addr addr;
	} address[HELLO_ADDRESSES_MAX];
	uint32_t pad; /* bytes of padding */
};

struct status {
	uint16_t node;
	uint64_t session, applied, installed;
	uint32_t window;
};

struct nak {
	uint16_t node;
	uint64_t session;
	uint32_t n;
	struct {
		uint64_t first;
		uint32_t count;
	} missing[NAK_RANGES_MAX];
};

enum repair_why {
	REPAIR_JOIN,
	REPAIR_CHECK,
	REPAIR_GAP,
	REPAIR_VERIFY,
	REPAIR_KERNEL,
	REPAIR_WHYS
};

struct repair_request {
	uint16_t node;
	uint64_t session;
	uint32_t group;
	uint8_t why; /* enum repair_why */
	uint32_t n;
	struct {
		struct hash_range range;
		bool flows;
	} range[REPAIR_RANGES_MAX];
};

enum { OFFER_PUTS_MAX = 256 };

struct offer {
	uint16_t node;
	uint64_t session;
	uint32_t group;
	uint32_t n;
	struct {
		const uint8_t *flow; /* encoded; borrowed */
		uint32_t len;
	} put[OFFER_PUTS_MAX];
};

enum control_kind { CONTROL_HELLO = 1, CONTROL_STATUS, CONTROL_NAK, CONTROL_REPAIR, CONTROL_OFFER };

struct control {
	uint8_t kind; /* enum control_kind */
	union {
		struct hello hello;
		struct status status;
		struct nak nak;
		struct repair_request repair;
		struct offer offer;
	};
};

/* Returns the payload's length, or -EMSGSIZE where it is longer than cap. */
int control_write(const struct control *c, uint8_t *buf, size_t cap);

/*
 * Returns 0, or -EBADMSG (malformed, over a bound, none or several messages): then *out is
 * undefined. Borrows from buf.
 */
int control_read(const uint8_t *buf, size_t len, struct control *out);

#endif
