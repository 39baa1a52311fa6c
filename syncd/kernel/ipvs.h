/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPVS's edges: which back end a kernel can have, and opening one. docs/ipvs.md compares them.
 * Everything acts on the network namespace that the caller is in.
 */
#ifndef SYNCD_KERNEL_IPVS_H
#define SYNCD_KERNEL_IPVS_H

#include "syncd/kernel/kernel.h"

enum ipvs_backend { IPVS_AUTO, IPVS_BPF, IPVS_KERNEL_SYNC, IPVS_NETLINK };

struct ipvs_config {
	enum ipvs_backend backend;
	unsigned lease_s;    /* an installed connection lives so long unless renewed */
	size_t rcvbuf_bytes; /* of what is heard from the kernel */
};

enum { IPVS_WHY_MAX = 256 };

struct ipvs_edge {
	struct source *source;
	struct sink *sink;
	const char *limits;	/* what the back end cannot do, in words; "": nothing */
	char why[IPVS_WHY_MAX]; /* on failure: what is missing, and what to do; with auto, why not a
				   better one */
};

/*
 * Opens the back end, with auto the best that this kernel has. Returns 0, -ENOENT where this kernel
 * has no IPVS at all, or -errno; why is then filled in.
 */
int ipvs_open(const struct ipvs_config *c, const struct source_events *to_source,
	      const struct sink_events *to_sink, struct ipvs_edge *out);

#endif
