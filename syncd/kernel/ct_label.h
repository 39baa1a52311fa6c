/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What marks the sink's entries as this node's: a label bit, which outlives the daemon. Entries
 * have room for labels only where a rule of their namespace uses them, so an nftables table of our
 * own holds one, in a chain that no packet passes. See docs/adr/0010-marked-entries.md.
 */
#ifndef SYNCD_KERNEL_CT_LABEL_H
#define SYNCD_KERNEL_CT_LABEL_H

#include <stddef.h>

enum { CT_LABEL_BITS = 128, CT_LABEL_WHY_MAX = 128 };

struct ct_label;

/*
 * Entries made from now on in this namespace can carry the bit (below CT_LABEL_BITS). `node` names
 * the table; one that a killed daemon left is taken over, without a moment in which no rule uses
 * labels. Returns 0; -ENOMEM; -EOPNOTSUPP with why (CT_LABEL_WHY_MAX bytes) saying what nftables
 * said.
 */
int ct_label_open(const char *node, unsigned bit, struct ct_label **out, char *why);

/* Puts the table again where it is gone ("flush ruleset"). Returns 1 where it was; 0; -EOPNOTSUPP.
 */
int ct_label_keep(struct ct_label *l);

/* Removes the table. Entries that carry the bit keep it. */
void ct_label_close(struct ct_label *l);

#endif
