/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of one group: encoded flows ordered by the keyed hash of their key, in buckets that are
 * ranges of hash space, each with the digest of what was sent. Two queues hang on it: flows to put
 * on the wire and flows to put into the kernel; a flow is in each at most once, so updates coalesce
 * and memory is bounded by the table. Knows bytes only: no protocol, no kernel, no clock.
 *
 * "As sent": a flow that is queued for the wire keeps adding to digests and counts what was last
 * sent (nothing, for a new one); the exchange happens in table_wire_done and table_range_sent. A
 * deleted flow stays as a tombstone until both queues and every hold have let go of it.
 */
#ifndef SYNCD_TABLE_TABLE_H
#define SYNCD_TABLE_TABLE_H

#include "proto/data.h"
#include "proto/digest.h"

struct table;

enum table_queue {
	TABLE_NONE,   /* digest exchanged at once, nobody told: loading a kept table */
	TABLE_WIRE,   /* changed here: to be sent */
	TABLE_KERNEL, /* received: digest exchanged at once, to be installed */
	TABLE_LATER,  /* received: as TABLE_NONE, and the kernel is not told of its end either,
			 until table_kernel_all or table_kernel_again. Puts only */
	TABLE_BOTH,   /* received, and ours to pass on: a predecessor's last words. A put is no
			 change of this node's own, so no hold remembers it; a delete is remembered */
};

struct table_item {
	const uint8_t
		*bytes; /* put: encoded flow; del: encoded key. Valid until the table changes */
	size_t len;
	bool del;
};

struct table_slice {
	const uint8_t *bytes; /* encoded key */
	size_t len;
};

/* Called for each flow; return nonzero to stop, which the walk then returns. Must not change the
 * table. */
typedef int table_walk_fn(void *ctx, uint64_t hash, const uint8_t *flow, size_t len);

/* key is borrowed for the table's life. max_flows caps what peers or the kernel can make it hold.
 */
struct table *table_new(const struct digest_key *key, size_t max_flows);
void table_free(struct table *t);

/*
 * Says how many flows an empty table is about to get (capped by max_flows), so that it need not
 * grow on the way. Best before flows that come in hash order; harmless when wrong.
 */
void table_reserve(struct table *t, size_t flows);

/*
 * Stores an encoded flow (copied) unless the same bytes are there already. Returns 1 where
 * something changed, 0 where not, -ENOSPC at max_flows, -ENOMEM, -EBADMSG (no key in front),
 * -EMSGSIZE (longer than FLOW_MAX). TABLE_KERNEL and TABLE_NONE overrule a change not sent yet.
 */
int table_put(struct table *t, const uint8_t *flow, size_t len, enum table_queue queue);

/*
 * Deletes by encoded key. Returns 1 where it was there, 0 where not; -ENOMEM, and -ENOSPC where a
 * delete of a flow that is not there could not be remembered for a hold. TABLE_WIRE tells what the
 * kernel said, so the flow leaves the kernel's queue; one never sent leaves the wire's.
 */
int table_del(struct table *t, const uint8_t *key, size_t len, enum table_queue queue);

/*
 * Says that this key is about to be looked up, put or deleted, so that what that needs is fetched
 * meanwhile. Best told of a burst's keys in their order before the first of them is put, and of at
 * most TABLE_EXPECT_MAX at once. Changes no result, also where a key that was expected never comes.
 */
enum { TABLE_EXPECT_MAX = 64 };
void table_expect(struct table *t, const uint8_t *key, size_t len);

/* Finds a live flow. Returns true with *flow valid until the table changes. */
bool table_get(const struct table *t, const uint8_t *key, size_t key_len, const uint8_t **flow,
	       size_t *len);

size_t table_count(const struct table *t);	/* live flows now */
size_t table_count_sent(const struct table *t); /* as sent */
/* TABLE_LATER: flows that the kernel has never been told of. */
size_t table_queued(const struct table *t, enum table_queue queue);
uint64_t
table_coalesced(const struct table *t);	    /* changes that met one still queued for the wire */
size_t table_graves(const struct table *t); /* deletions that only a hold keeps in mind */
size_t table_bytes(const struct table *t);  /* memory held, estimated from allocations */

/*
 * Oldest change queued for the wire. Returns false where there is none. table_wire_done takes off
 * what table_wire_next has just shown and exchanges its digest: call it once the change is in a
 * datagram.
 */
bool table_wire_next(struct table *t, struct table_item *out);
void table_wire_done(struct table *t);

/* Takes the oldest change queued for the kernel off its queue. */
bool table_kernel_next(struct table *t, struct table_item *out);

/* Queues a flow for the kernel again (refused, or lost there). Returns true where the table has it
 * and it is queued. */
bool table_kernel_again(struct table *t, const uint8_t *key, size_t key_len);

/* Takes a flow off the kernel's queue before its turn. Returns true where it was there and is live:
 * the caller gives it to the kernel. */
bool table_kernel_take(struct table *t, const uint8_t *key, size_t key_len);

/* Queues every live flow for the kernel: install = takeover, or a kernel found empty. 0 or -ENOMEM
 * with nothing queued. */
int table_kernel_all(struct table *t);

/*
 * Queues, for TABLE_KERNEL or TABLE_WIRE, a delete of a flow that the table has not, for who may
 * have it still. Returns 0 (also where the table has it: nothing is queued), -EBADMSG, -ENOSPC or
 * -ENOMEM.
 */
int table_tell_end(struct table *t, const uint8_t *key, size_t key_len, enum table_queue queue);

/* Forgets a queue: a node that left the active role drops what it had not sent, and its digests
 * speak of the table as it is. */
void table_queue_clear(struct table *t, enum table_queue queue);

/* Digest and number of flows of a range, as sent. */
void table_range_digest(const struct table *t, struct hash_range r, uint64_t *digest,
			uint64_t *count);

/*
 * Digests of the 2^bits equal sub-ranges of r, as sent, into digest[]; the count of the whole range
 * into *count. r.depth + bits is at most 64 (asserted: check what a peer asks for first).
 */
void table_range_split(const struct table *t, struct hash_range r, unsigned bits, uint64_t *digest,
		       uint64_t *count);

/* Walks live flows (their present bytes) of a range in hash order. */
int table_walk(const struct table *t, struct hash_range r, table_walk_fn *fn, void *ctx);

/* Bytes that data_add_put would need for all live flows of the range; past DATAGRAM_MAX it stops
 * counting and returns what it has. */
size_t table_range_size(const struct table *t, struct hash_range r);

/* All flows of the range have just been sent as they are: exchanges digests, drops them from
 * TABLE_WIRE. */
void table_range_sent(struct table *t, struct hash_range r);

/*
 * Removes from the range every live flow whose encoded key is not among keep (n slices, any order),
 * queueing for TABLE_KERNEL. Returns how many were removed. Exchange of digests at once, of deletes
 * not sent yet too. Flows touched under an open hold stay as they are: theirs is the newer news.
 */
size_t table_range_keep(struct table *t, struct hash_range r, const struct table_slice *keep,
			size_t n);

/*
 * Holds: between begin and end the table remembers which flows were changed with TABLE_WIRE,
 * deleted ones included, so that older news (a dump's record, a predecessor's late data) can be
 * told from newer. Nest: the memory goes back to the first begin since which one was always open.
 */
void table_hold_begin(struct table *t);
void table_hold_end(struct table *t);
bool table_touched(const struct table *t, const uint8_t *key, size_t key_len);

/*
 * Changes made here are stamped with the number of the last hold, from 1, also after it has ended.
 * table_walk_since walks the live flows of the range stamped since (and with) that one; since 0,
 * all. Stamps of more than 32,767 holds ago may be told as later ones, never as none.
 */
uint64_t table_epoch(const struct table *t);
int table_walk_since(const struct table *t, struct hash_range r, uint64_t epoch, table_walk_fn *fn,
		     void *ctx);

/*
 * Two bits a flow that the table keeps for its callers. Every table_put of a flow, also of the same
 * bytes, sets SEEN and clears SUSPECT.
 */
enum table_bit {
	TABLE_SEEN = 1,	   /* met by the dump that runs */
	TABLE_SUSPECT = 2, /* said to be destroyed, not believed yet */
};

/* Both return true where the table has the flow (live) and, table_bit_get, the bit is set. */
bool table_bit_set(struct table *t, const uint8_t *key, size_t key_len, enum table_bit bit);
bool table_bit_get(const struct table *t, const uint8_t *key, size_t key_len, enum table_bit bit);
void table_bit_clear_all(struct table *t, enum table_bit bit);

/* Walks the live flows of the range that have the bit clear. */
int table_walk_without(const struct table *t, struct hash_range r, enum table_bit bit,
		       table_walk_fn *fn, void *ctx);

/*
 * Works out anew the hashes of all flows of the range that were sent as they are, hands each that
 * is not what its digest says (memory that changed by itself) to on_damaged, and makes digests say
 * what is there, so that the next comparison finds it. Returns how many flows were looked at.
 */
size_t table_recheck(struct table *t, struct hash_range r,
		     void (*on_damaged)(void *ctx, const uint8_t *flow, size_t len), void *ctx);

/* Forgets everything, queues and tombstones too. */
void table_clear(struct table *t);

#endif
