/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The netlink back end of IPVS, for kernels with the connection API of kpatch/: exact both ways.
 * Everything acts on the network namespace that the caller is in when it opens.
 */
#ifndef SYNCD_KERNEL_IPVS_NL_H
#define SYNCD_KERNEL_IPVS_NL_H

#include "syncd/kernel/ipvs_genl.h"
#include "syncd/kernel/kernel.h"

/*
 * own_portid: the sink's, whose changes are not events. Returns 0, -EOPNOTSUPP where the kernel has
 * no such API, or -errno.
 */
int ipvs_nl_source_open(uint32_t own_portid, size_t rcvbuf_bytes,
			const struct source_events *events, struct source **out);
int ipvs_nl_sink_open(unsigned lease_s, const struct sink_events *events, struct sink **out);

uint32_t ipvs_nl_sink_portid(const struct sink *s);

#endif
