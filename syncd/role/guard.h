/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard: while a node is active but not ready, packets that belong to a connection it does not
 * know are dropped instead of being answered with a reset, until the entry has come. Both ways: to
 * and from what the group matches, and from the real servers, whose retransmissions would otherwise
 * occupy the reverse tuple (docs/failure-modes.md). An nftables table of this daemon's own, one
 * chain a group, at priority mangle: behind conntrack, before destination NAT. The kernel takes it
 * away when the daemon dies, and nobody else can (NFT_TABLE_F_OWNER, Linux 5.12 and later).
 */
#ifndef SYNCD_ROLE_GUARD_H
#define SYNCD_ROLE_GUARD_H

#include "syncd/base/config.h"

struct guard;

/*
 * `node` names the table. Removes what an earlier daemon of this name left behind. Returns 0;
 * -ENOMEM; -EPERM without rights; -EOPNOTSUPP where the kernel has no nftables or conntrack for it.
 */
int guard_new(const char *node, struct guard **out);

/* Removes the table. */
void guard_free(struct guard *g);

enum guard_level {
	GUARD_DOWN,
	GUARD_STRAYS, /* TCP and SCTP, which say themselves whether a packet begins a connection */
	GUARD_ALL,    /* and UDP, where any packet without an entry may be an old flow's */
};

/*
 * Sets the guard of a group; doing so twice is legal. Returns 0; -ENODATA where the group has
 * neither addresses to match nor servers, so that there is nothing to guard; -EIO with guard_error.
 */
int guard_set(struct guard *g, const struct config_group *group, enum guard_level level);

/* What nftables said last; "" at first. Borrowed. */
const char *guard_error(const struct guard *g);

#endif
