/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hears what the kernel's master sync thread says on a private dummy interface: connections as
 * packets of their clients change them. Where it hears that late and what never, docs/ipvs.md
 * tells. The settings of net.ipv4.vs that make the thread talkative are put back at the end; a
 * crash leaves them noted on the interface, for the next start.
 */
#ifndef SYNCD_KERNEL_IPVS_TAP_H
#define SYNCD_KERNEL_IPVS_TAP_H

#include "syncd/kernel/ipvs_sync_message.h"

/* Seconds after which the thread tells again of a connection that has packets. */
enum { IPVS_TAP_REFRESH_S = 10 };

struct ipvs_tap;

/* -EBUSY: the master thread works for somebody else. Else 0 or -errno. */
int ipvs_tap_open(size_t rcvbuf_bytes, struct ipvs_tap **out);
void ipvs_tap_close(struct ipvs_tap *t);

int ipvs_tap_fd(const struct ipvs_tap *t);

/*
 * Hands what was heard to fn, at most about `budget` records. Returns how many, or -errno;
 * *overrun: some were lost for want of buffer.
 */
int ipvs_tap_poll(struct ipvs_tap *t, unsigned budget, ipvs_sync_fn *fn, void *ctx, bool *overrun);

#endif
