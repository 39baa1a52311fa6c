/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard: while a node is active but not ready, packets that belong to a connection it does not
 * know are dropped instead of being answered with a reset, until the entry has come. Both ways: to
 * the virtual addresses, and from the real servers, whose retransmissions would otherwise occupy
 * the reverse tuple (docs/failure-modes.md). An nftables table of this daemon's own, one chain a
 * group, at priority mangle: behind conntrack, before destination NAT.
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

/*
 * Raises or lowers the guard of a group; doing so twice is legal. Returns 0; -ENODATA where the
 * group has neither addresses to match nor servers, so that there is nothing to guard; -EIO with
 * guard_error.
 */
int guard_raise(struct guard *g, const struct config_group *group);
int guard_lower(struct guard *g, const struct config_group *group);

/* What nftables said last; "" at first. Borrowed. */
const char *guard_error(const struct guard *g);

/* Writes the rules for a group as nftables takes them; for guard_raise and the tests. */
void guard_print(const char *table, const struct config_group *group, FILE *to);

#endif
