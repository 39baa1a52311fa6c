/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The box's own addresses, kept current in a filter by rtnetlink: connections that begin or end on
 * them are left out of the synchronisation. Owned by the conntrack source.
 */
#ifndef SYNCD_KERNEL_CT_LOCAL_H
#define SYNCD_KERNEL_CT_LOCAL_H

#include "syncd/kernel/ct_filter.h"

struct ct_local;

/* Reads the addresses into filter (borrowed for its life) and watches them. 0 or -errno. */
int ct_local_open(struct ct_filter *filter, struct ct_local **out);
void ct_local_close(struct ct_local *local);

int ct_local_fd(const struct ct_local *local);

/* Takes notice of changes. Returns 0 or -errno; the next call tries again what failed. */
int ct_local_poll(struct ct_local *local);

#endif
