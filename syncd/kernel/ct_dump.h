/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dump by netlink, read bit by bit on a socket of its own: the filter of conntrack's event socket
 * would swallow its records, and nothing of a failed one is taken for the next one's. Owned by the
 * sources of conntrack and of IPVS.
 */
#ifndef SYNCD_KERNEL_CT_DUMP_H
#define SYNCD_KERNEL_CT_DUMP_H

#include "syncd/kernel/ct_socket.h"

enum { CT_DUMP_BYTES = 32768 }; /* netlink never makes a larger part */

struct ct_dump {
	struct ct_socket socket; /* open only while one runs */
	bool running;
	bool interrupted; /* the kernel said that the table changed shape meanwhile */
	uint32_t seq;
	uint8_t part[CT_DUMP_BYTES] __attribute__((aligned(8)));
};

typedef void ct_dump_fn(void *ctx, const struct nlmsghdr *nlh);

void ct_dump_init(struct ct_dump *d);
void ct_dump_fini(struct ct_dump *d);

/*
 * Sends the request (its flags and sequence number are written here) on that bus of netlink;
 * d->socket.fd is then to be polled. Returns 0 or -errno (-EBUSY: one runs).
 */
int ct_dump_begin(struct ct_dump *d, int bus, struct nlmsghdr *request);

/*
 * Hands about budget records (whole parts, so some more) to fn. Returns how many. Once d->running
 * is false it has ended, *err saying how: 0, -EINTR for an interrupted one, or -errno.
 */
unsigned ct_dump_read(struct ct_dump *d, unsigned budget, ct_dump_fn *fn, void *ctx, int *err);

#endif
