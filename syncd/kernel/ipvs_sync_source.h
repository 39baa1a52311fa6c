/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel-sync source of IPVS, for stock kernels without BTF: the master sync thread's messages
 * for changes, conntrack's events for the birth of NAT connections, and readings of /proc for the
 * dump, for what neither told, and for deletes. Late and quadratic; docs/ipvs.md says how much.
 */
#ifndef SYNCD_KERNEL_IPVS_SYNC_SOURCE_H
#define SYNCD_KERNEL_IPVS_SYNC_SOURCE_H

#include "syncd/kernel/kernel.h"

/*
 * Needs CAP_NET_RAW until it returns. -EBUSY: the kernel's master sync thread works for somebody
 * else. Else 0 or -errno.
 */
int ipvs_sync_source_open(size_t rcvbuf_bytes, const struct source_events *events,
			  struct source **out);

/* What the sink did, since /proc would show only half of it. For ipvs_sync_sink_watch. */
void ipvs_sync_source_on_done(void *source, enum sink_op op, const struct flow *f,
			      uint32_t timeout_s, uint64_t now_us);

#endif
