/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the filter that the kernel itself can apply to the event socket (classic BPF): what
 * it drops there costs neither a copy nor a wake, which also keeps a flood of SYNs from filling
 * the buffer. Whatever it cannot tell it lets through.
 */
#ifndef SYNCD_KERNEL_CT_BPF_H
#define SYNCD_KERNEL_CT_BPF_H

#include "syncd/kernel/ct_filter.h"

struct sock_filter;

enum { CT_BPF_MAX = 128 };

/* Parts (enum flow_part) that an event which is not ripe yet may carry for good: it is let through.
 */
#define CT_BPF_KEEPSAKES                                                               \
	(FLOW_PART_LABELS | FLOW_PART_SEQADJ | FLOW_PART_SYNPROXY | FLOW_PART_HELPER | \
	 FLOW_PART_MASTER)

/*
 * Drops events caused by own_portid, of other protocols than the configured ones, of loopback and
 * multicast addresses, and of TCP and UDP flows that are not ripe (ct_filter_ripe) and carry none
 * of the parts above. Returns how many instructions it wrote to out[CT_BPF_MAX].
 */
size_t ct_bpf_build(const struct ct_config *c, uint32_t own_portid, struct sock_filter *out);

#endif
