/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long the kernel itself would let a flow of some state live, from the sysctls. A flow does not
 * tell (its time left runs down, and UNACK or RETRANS shorten it without an event). Timeout
 * policies attached by rules (nfct, nft ct timeout) are not seen: they count from the next packet.
 */
#ifndef SYNCD_KERNEL_CT_TIMEOUTS_H
#define SYNCD_KERNEL_CT_TIMEOUTS_H

#include "proto/flow.h"

enum { CT_TCP_STATES = 10, CT_SCTP_STATES = 10, CT_DCCP_STATES = 10 };

struct ct_timeouts {
	uint32_t tcp_s[CT_TCP_STATES];
	uint32_t sctp_s[CT_SCTP_STATES];
	uint32_t dccp_s[CT_DCCP_STATES];
	uint32_t udp_s, udp_stream_s;
	uint32_t gre_s, gre_stream_s;
	uint32_t icmp_s, icmpv6_s;
	uint32_t generic_s;
};

/*
 * Reads the present namespace's sysctls. What is not there (protocol not in this kernel) keeps the
 * kernel's documented default (Documentation/networking/nf_conntrack-sysctl.rst).
 */
void ct_timeouts_read(struct ct_timeouts *t);

/* Seconds for the flow's protocol, state and status; never 0. */
uint32_t ct_timeouts_of(const struct ct_timeouts *t, const struct flow *f);

/* Reads /proc/sys/net/netfilter/<name>. Returns the value or -errno. */
long ct_sysctl_read(const char *name);
int ct_sysctl_write(const char *name, long value);

#endif
