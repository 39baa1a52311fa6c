/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all IPVS back ends share: how a connection of the kernel's (include/net/ip_vs.h, struct
 * ip_vs_conn) becomes a flow and back, which ones are synchronised, and from when on. Pure.
 */
#ifndef SYNCD_KERNEL_IPVS_FLOW_H
#define SYNCD_KERNEL_IPVS_FLOW_H

#include "proto/flow.h"

/* IP_VS_CONN_F_* of uapi/linux/ip_vs.h, whose header redefines what libc's define too */
enum {
	IPVS_F_FWD_MASK = 0x0007,
	IPVS_F_BYPASS = 0x0004,
	IPVS_F_INACTIVE = 0x0100,
	IPVS_F_OUT_SEQ = 0x0200,
	IPVS_F_IN_SEQ = 0x0400,
	IPVS_F_NO_CPORT = 0x0800,
	IPVS_F_TEMPLATE = 0x1000,
	IPVS_F_ONE_PACKET = 0x2000,
};

/*
 * The kernel's key of a template of a fwmark service has the mark, in network order, where the
 * virtual address would be, and no protocol. A flow's key has it as what it is.
 */
void ipvs_flow_key_from_kernel(struct flow_key *k);
/* The key as the kernel has it. k and out may be one. */
void ipvs_flow_key_to_kernel(const struct flow_key *k, struct flow_key *out);

/*
 * Makes a flow, as a back end read it with the kernel's key and all of its flags, into one that is
 * alike on all nodes: keys by ipvs_flow_key_from_kernel, the kernel's own flags and what they say
 * is not there cleared. timeout_ms: of templates. Returns false where it is of no kind that is
 * synchronised (one-packet and bypassed flows, data connections whose client's port is not known
 * yet).
 */
bool ipvs_flow_take(struct flow *f, uint32_t flags, uint32_t timeout_ms);

/* True for states from which on a flow is worth a place on the other nodes: TCP and SCTP from
 * established on, everything else from its first packet. */
bool ipvs_flow_ripe(const struct flow *f);

/* What the sink of stock kernels makes to end a connection (ipvs_sync_add_end): nothing of the
 * network's. */
bool ipvs_flow_is_end(const struct flow *f);

/* Sets the activity flag as the kernel does with the state (set_tcp_state and its like). */
void ipvs_flow_set_state(struct flow *f, uint16_t state);

/* Ended by itself: its entry only waits to expire. */
bool ipvs_flow_closing(const struct flow *f);

#endif
