/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the sink has put and not deleted, as far as it remembers: small sets of tags. A flow found
 * there is updated at once; otherwise it is inserted, and looked at where it is there already. A
 * wrong "known" costs a step, or leaves a clash to the next reconcile where all of a tag's bits
 * agree by chance.
 */
#ifndef SYNCD_KERNEL_CT_RECENT_H
#define SYNCD_KERNEL_CT_RECENT_H

#include "proto/flow.h"

struct ct_recent {
	uint32_t *tag; /* 0: none */
};

int ct_recent_init(struct ct_recent *r);
void ct_recent_fini(struct ct_recent *r);

uint64_t ct_recent_hash(const struct flow_key *k);

/* Notes a put of f, whose key hashes to hash. Returns whether it had been noted already, with the
 * same reply tuple, NAT, master and helper: what an update cannot change. */
bool ct_recent_put(struct ct_recent *r, uint64_t hash, const struct flow *f);
void ct_recent_del(struct ct_recent *r, uint64_t hash);
void ct_recent_clear(struct ct_recent *r);

#endif
