/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The generic netlink family of IPVS: its number, and what a kernel's IPVS can do through it. */
#ifndef SYNCD_KERNEL_IPVS_GENL_H
#define SYNCD_KERNEL_IPVS_GENL_H

#include "syncd/kernel/ct_socket.h"

struct ipvs_genl {
	uint16_t family;
	uint32_t group_new, group_set, group_del; /* 0: this kernel has no connection API */
};

/*
 * Asks over a NETLINK_GENERIC socket. Returns 0, -ENOENT where IPVS is not loaded in this kernel,
 * or -errno.
 */
int ipvs_genl_find(struct ct_socket *s, struct ipvs_genl *out);

/* Opens a generic netlink socket for one of the edges. 0 or -errno. */
int ipvs_genl_open(struct ct_socket *s, size_t rcvbuf_bytes);

#endif
