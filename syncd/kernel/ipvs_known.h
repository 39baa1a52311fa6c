/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel-sync edges know of each connection of this kernel: what the tap told or the sink
 * put, which /proc shows only half of, and when it was last seen there. A pass is one reading of
 * /proc, which under churn skips some entries: one that is missing is gone only when its time ran
 * out, too, or when several passes missed it. Pure: time is handed in.
 */
#ifndef SYNCD_KERNEL_IPVS_KNOWN_H
#define SYNCD_KERNEL_IPVS_KNOWN_H

#include "proto/flow.h"

enum { IPVS_KNOWN_MISSES = 3 }; /* passes in a row that call a connection gone before its time */

struct ipvs_known;

struct ipvs_known_entry {
	struct flow flow; /* pe_data borrows from the memory, until it changes */
	uint64_t told_us; /* when it was last told or put; 0: seen in /proc only */
	bool bound;	  /* its server was configured when it was put or found */
};

struct ipvs_known *ipvs_known_new(void); /* NULL: no memory */
void ipvs_known_free(struct ipvs_known *k);

/*
 * Keeps the flow. ends_us: when the kernel's timer may have ended it at the latest. It counts as
 * seen by the pass that runs. Returns 0 or -errno (no memory, or a flow that cannot be encoded).
 */
int ipvs_known_put(struct ipvs_known *k, const struct flow *f, bool bound, uint64_t told_us,
		   uint64_t ends_us);

/* True where it is known; out may be NULL. */
bool ipvs_known_get(const struct ipvs_known *k, const struct flow_key *key,
		    struct ipvs_known_entry *out);

void ipvs_known_del(struct ipvs_known *k, const struct flow_key *key);

/* It was seen by the pass, and ends then. */
void ipvs_known_seen(struct ipvs_known *k, const struct flow_key *key, uint64_t ends_us);

size_t ipvs_known_count(const struct ipvs_known *k);

/* A pass begins. */
void ipvs_known_begin(struct ipvs_known *k);

/*
 * The pass has ended: hands fn those that it did not see, gone or not, a part of them a call.
 * What is gone is forgotten after fn. Returns true once all have been handed out.
 */
typedef void ipvs_known_fn(void *ctx, const struct ipvs_known_entry *e, bool gone);
bool ipvs_known_judge(struct ipvs_known *k, uint64_t now_us, unsigned budget, ipvs_known_fn *fn,
		      void *ctx);

#endif
