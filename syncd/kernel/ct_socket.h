/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Netlink sockets as the kernel's edges use them, over libmnl. In the caller's namespace. */
#ifndef SYNCD_KERNEL_CT_SOCKET_H
#define SYNCD_KERNEL_CT_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mnl_socket;
struct sock_filter;
struct nlmsghdr;

struct ct_socket {
	struct mnl_socket *nl;
	int fd;
	uint32_t portid;
};

/*
 * Opens a non-blocking socket of a netlink bus (NETLINK_NETFILTER, NETLINK_ROUTE), connected to
 * the kernel so that nobody else's messages are heard. Returns 0 or -errno.
 */
int ct_socket_open(struct ct_socket *s, int bus);
void ct_socket_close(struct ct_socket *s);

/* Sets the receive buffer, beyond rmem_max where we may. Returns the bytes granted or -errno. */
long ct_socket_set_rcvbuf(struct ct_socket *s, size_t bytes);

/* Joins or leaves a multicast group. Returns 0 or -errno. */
int ct_socket_group(struct ct_socket *s, unsigned group, bool join);

/* Attaches a classic BPF program that sees each message from its netlink header on. */
int ct_socket_filter(struct ct_socket *s, struct sock_filter *program, size_t count);

/* Sends one request. Returns 0 or -errno. */
int ct_socket_send(struct ct_socket *s, const void *message, size_t len);

/*
 * Sends a request and hands each message of the answer to fn until it is complete. For set-up,
 * not for the hot path: waits up to timeout_ms for each part. Returns 0, the error that the kernel
 * or fn answered, -EINTR for a dump that was interrupted, -ETIMEDOUT.
 */
typedef int ct_answer_fn(void *ctx, const struct nlmsghdr *nlh);
int ct_socket_ask(struct ct_socket *s, const void *message, size_t len, unsigned timeout_ms,
		  ct_answer_fn *fn, void *ctx);

#endif
