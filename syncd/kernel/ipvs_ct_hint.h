/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * With NAT and net.ipv4.vs.conntrack an IPVS connection has a conntrack entry, whose events name
 * its server at once, where the master sync thread may take seconds. Only a hint: what was tapped
 * or read of a connection says more.
 */
#ifndef SYNCD_KERNEL_IPVS_CT_HINT_H
#define SYNCD_KERNEL_IPVS_CT_HINT_H

#include "syncd/kernel/ct_message.h"
#include "syncd/kernel/ct_socket.h"

struct ipvs_ct_hint {
	struct ct_socket events; /* fd -1: this kernel has none */
	bool listening;
};

/* Opens it, hearing nothing. Where there is no ctnetlink it stays so. */
void ipvs_ct_hint_open(struct ipvs_ct_hint *h, size_t rcvbuf_bytes);
void ipvs_ct_hint_close(struct ipvs_ct_hint *h);

/* on: hears, as far as net.ipv4.vs.conntrack says that there is something to hear. */
void ipvs_ct_hint_listen(struct ipvs_ct_hint *h, bool on);

/* Hands connections that are established to fn. Returns how many messages it read, at most about
 * budget. What was lost here, the tap tells later. */
typedef void ipvs_ct_hint_fn(void *ctx, const struct flow *f);
unsigned ipvs_ct_hint_poll(struct ipvs_ct_hint *h, unsigned budget, ipvs_ct_hint_fn *fn, void *ctx);

/*
 * The IPVS connection that a conntrack record stands for. IPVS alters the reply tuple without
 * setting the bits of NAT (ip_vs_nfct.c), which nothing else does. Pure. False: it stands for none,
 * or for one not yet established.
 */
bool ipvs_ct_hint_take(const struct ct_record *r, struct flow *out);

#endif
