/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the filter that the kernel itself can apply to the event socket (classic BPF): what
 * it drops there costs neither a copy nor a wake. Whatever it cannot tell it lets through.
 */
#ifndef SYNCD_KERNEL_CT_BPF_H
#define SYNCD_KERNEL_CT_BPF_H

#include "syncd/kernel/ct_filter.h"

struct sock_filter;

enum { CT_BPF_MAX = 64 };

/*
 * Drops events caused by own_portid, of other protocols than the configured ones, and of loopback
 * and multicast addresses. Returns how many instructions it wrote to out[CT_BPF_MAX].
 */
size_t ct_bpf_build(const struct ct_config *c, uint32_t own_portid, struct sock_filter *out);

#endif
