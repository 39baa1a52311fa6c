/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bpf source of IPVS, for stock kernels with BTF: events, deletes and a dump that is linear in
 * the table, by a BPF program on the functions that every connection passes (ipvs.bpf.c). Flows
 * come without the link to their template, which the sink of stock kernels cannot make either.
 */
#ifndef SYNCD_KERNEL_IPVS_BPF_SOURCE_H
#define SYNCD_KERNEL_IPVS_BPF_SOURCE_H

#include "syncd/kernel/kernel.h"

/*
 * Loads the program and attaches it: CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN (a module's BTF) and
 * CAP_SYSLOG until it returns, later none. Returns 0, -EOPNOTSUPP where this build has it not, or
 * -errno; *step then names what failed (a constant).
 */
int ipvs_bpf_source_open(const struct source_events *events, struct source **out,
			 const char **step);

/* Whether the kernel takes the program: it is loaded, not attached. As above. */
int ipvs_bpf_source_try(const char **step);

#endif
