/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this kernel and namespace can do for conntrack's synchronisation, and what stands in its
 * way, in words for an operator. Asked at the start; ct_probe_nat also later, and the rest by
 * `syncctl doctor`.
 */
#ifndef SYNCD_KERNEL_CT_PROBE_H
#define SYNCD_KERNEL_CT_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CT_PROBE_TEXT_MAX = 256 };

struct ct_probe {
	/* nf_conntrack_events before it was made 1, or -errno where the kernel has none. */
	long events_before;
	int events_err;		     /* 0: it is 1 now; -errno: it could not be set */
	bool sctp, dccp;	     /* tracked by this kernel */
	char why[CT_PROBE_TEXT_MAX]; /* of a failed ct_probe_run */
};

/*
 * Looks whether ctnetlink is there and we may use it, makes sure that flows report their changes
 * (nf_conntrack_events = 1: with 2, flows born while nobody listens stay mute for ever), and finds
 * out what is tracked. Returns 0; or -errno with out->why set: -EPERM (no CAP_NET_ADMIN),
 * -EPROTONOSUPPORT (kernel without netfilter netlink or ctnetlink).
 */
int ct_probe_run(struct ct_probe *out);

/*
 * Whether this namespace translates addresses of IPv4 and IPv6 at all: an nft chain of type nat or
 * the nat table of iptables makes it so. Without, an installed flow's packets pass untranslated.
 * Returns 0 or -errno.
 */
int ct_probe_nat(bool *ipv4, bool *ipv6);

/* Entries in the table (of this namespace) and how many there may be. Returns 0 or -errno. */
int ct_probe_table(uint64_t *count, uint64_t *max);

/*
 * Whether there are entries of UDP to this port (host byte order) in the table: what is sent there
 * is tracked, or was until some seconds ago. family: AF_INET or AF_INET6. The kernel chooses them
 * (CTA_FILTER, Linux 5.8); walks the whole table. Returns 0 or -errno.
 */
int ct_probe_udp(int family, uint16_t port, bool *tracked);

#endif
