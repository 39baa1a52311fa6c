/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sink of IPVS on stock kernels: connections go in through the kernel's backup sync thread.
 * What that cannot say is left out: links to templates, servers of another family, time left of
 * connections on the active node (after promotion their packets set it).
 */
#ifndef SYNCD_KERNEL_IPVS_SYNC_SINK_H
#define SYNCD_KERNEL_IPVS_SYNC_SINK_H

#include "syncd/kernel/kernel.h"

struct ipvs_sync_sink_stats {
	uint64_t messages, records, rounds, waits, again, lost, unfit;
};

/* -EBUSY: the kernel's backup thread works for somebody else. Else 0 or -errno. */
int ipvs_sync_sink_open(unsigned lease_s, const struct sink_events *events, struct sink **out);

/*
 * Tells fn of each put, renewal and delete that the kernel took, and for how long: for a source
 * that cannot read it back (NULL: nobody).
 */
typedef void ipvs_sync_sink_fn(void *ctx, enum sink_op op, const struct flow *f, uint32_t timeout_s,
			       uint64_t now_us);
void ipvs_sync_sink_watch(struct sink *s, ipvs_sync_sink_fn *fn, void *ctx);

const struct ipvs_sync_sink_stats *ipvs_sync_sink_stats(const struct sink *s);

#endif
