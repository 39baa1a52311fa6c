/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who else speaks on the wire: sessions, their keys and replay windows, freshness by echoes,
 * round-trip times, and what each one's hello last said. Pure: time is handed in, nothing is sent
 * from here.
 */
#ifndef SYNCD_STREAM_PEERS_H
#define SYNCD_STREAM_PEERS_H

#include "proto/control.h"
#include "proto/seal.h"

struct peers;

/* Control counters by which a copy over a slower link may be behind. */
enum { COPY_WITHIN = 64 };

struct peers_config {
	uint16_t node;
	uint64_t session; /* own, random at each start */
	const struct group_key *key;
	size_t keys;
	bool insecure;
	uint32_t digest_key_id;
};

/* One session of another node. Read by anyone, written only by peers.c. */
struct peer {
	uint16_t node;
	uint64_t session;
	char name[NODE_NAME_MAX];
	bool proven;	   /* its hello has echoed this session, lately */
	uint64_t heard_us; /* last authenticated datagram */
	uint64_t hello_us; /* last hello acted on; 0: none */
	uint64_t control_counter;
	uint32_t rtt_us;	 /* smoothed; 0: not known yet */
	int64_t clock_offset_us; /* its wall clock less ours */
	uint32_t max_datagram;	 /* longest it says all links by which it hears us have carried */
	uint64_t last_data, oldest_data;
	uint32_t encoder, digest_key_id;
	uint8_t keys, items, addresses;
	uint16_t key_id[KEYS_MAX];
	struct hello_item item[HELLO_ITEMS_MAX];
	struct {
		uint8_t len;
		struct flow_addr addr;
	} address[HELLO_ADDRESSES_MAX];
	size_t groups;
	struct hello_group *group; /* merged over pages, ordered by id */
};

/* key[] is copied. Returns NULL without memory. */
struct peers *peers_new(const struct peers_config *cfg);
void peers_free(struct peers *p);

/* Replaces the keys accepted (rotation). */
void peers_set_keys(struct peers *p, const struct group_key *key, size_t n);

struct peers_opened {
	struct frame_header header;
	struct peer *from;
};

/* What is opened next came over this link (below LINKS_MAX; at first 0). */
void peers_set_link(struct peers *p, unsigned link);

/*
 * Opens a datagram: header, key, tag, replay window of control. Returns the payload's length with
 * *out set; otherwise -errno and nothing has changed but a counter of the caller's:
 * -EBADMSG malformed, -EPROTONOSUPPORT version, -ENOKEY unknown key id, -EKEYREJECTED bad tag,
 * -ELOOP own datagram come back, -EEXIST control seen already, -EADDRINUSE authentic but with this
 * node's own id (an alarm only once proven: see peers_impostor). payload holds len bytes.
 *
 * An opened datagram is authentic, not fresh: unless from->proven, act on nothing but hellos,
 * and on those by peers_on_hello only. A pointer to an unproven session is valid until the next
 * call.
 */
int peers_open(struct peers *p, const uint8_t *dgram, size_t len, uint64_t now_us, uint8_t *payload,
	       struct peers_opened *out);

/*
 * Takes in a hello. wall_us is the wall clock at now_us. Returns 1 where the peer was not proven
 * before and is now, 0 otherwise. It is proven by an echo of this session with a control counter
 * sent within FRESH_US, and from then on speaks for its node alone: the node's former session ends.
 * An unproven one's words are not taken, but for its name.
 */
int peers_on_hello(struct peers *p, struct peer *from, const struct hello *h,
		   uint64_t control_counter, uint64_t now_us, uint64_t wall_us);

/* Notes that a control datagram with this counter was sent: echoes are judged by it. */
void peers_control_sent(struct peers *p, uint64_t counter, uint64_t now_us);

/* Fills the echoes of an own hello: every session heard lately, proven ones first. */
void peers_fill_echoes(const struct peers *p, struct hello *out, uint64_t now_us);

/*
 * Ages: unproves who has not echoed for FRESH_US, forgets who was not heard for PEER_DEAD_US. For
 * each session that was ever proven and has ended (aged, or displaced since the last tick) calls
 * gone before it is forgotten.
 */
void peers_tick(struct peers *p, uint64_t now_us, void (*gone)(void *ctx, const struct peer *who),
		void *ctx);

/* Proven peers, one by one: peers_next(p, NULL) is the first. All of them with any = true. */
struct peer *peers_next(struct peers *p, const struct peer *after, bool any);
struct peer *peers_by_node(struct peers *p, uint16_t node); /* proven only */
const struct hello_group *peer_group(const struct peer *who, uint32_t id);

/* True while a proven other session claims this node's id. */
bool peers_impostor(const struct peers *p, uint64_t now_us);

/* Longest datagram that every proven peer has heard, at least DATAGRAM_START. */
uint32_t peers_datagram_max(const struct peers *p);

/* True where every proven peer accepts this key: the sender may change to it. */
bool peers_accept_key(const struct peers *p, uint16_t key_id);

#endif
