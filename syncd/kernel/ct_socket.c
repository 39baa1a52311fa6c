// SPDX-License-Identifier: GPL-2.0-or-later
/* See ct_socket.h. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/netlink.h>

#include "syncd/kernel/ct_socket.h"

enum { ANSWER_BYTES = 32768 };

int ct_socket_open(struct ct_socket *s, int bus)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	int one = 1;
	int err;

	s->nl = mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!s->nl)
		return -errno;
	s->fd = mnl_socket_get_fd(s->nl);
	if (mnl_socket_bind(s->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		goto fail;
	s->portid = mnl_socket_get_portid(s->nl);
	if (connect(s->fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		goto fail;
	/* An error then quotes only the header of what it is about, not all of it. */
	(void)mnl_socket_setsockopt(s->nl, NETLINK_CAP_ACK, &one, sizeof(one));
	return 0;
fail:
	err = -errno;
	ct_socket_close(s);
	return err;
}

void ct_socket_close(struct ct_socket *s)
{
	if (s->nl)
		(void)mnl_socket_close(s->nl);
	s->nl = NULL;
	s->fd = -1;
}

long ct_socket_set_rcvbuf(struct ct_socket *s, size_t bytes)
{
	int want = bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)bytes;
	int got;
	socklen_t len = sizeof(got);

	if (setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &want, sizeof(want)) < 0 &&
	    setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &want, sizeof(want)) < 0)
		return -errno;
	if (getsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &got, &len) < 0)
		return -errno;
	return got / 2; /* the kernel counts its own overhead in (socket(7)) */
}

int ct_socket_group(struct ct_socket *s, unsigned group, bool join)
{
	int number = (int)group;
	int what = join ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP;

	return mnl_socket_setsockopt(s->nl, what, &number, sizeof(number)) < 0 ? -errno : 0;
}

int ct_socket_filter(struct ct_socket *s, struct sock_filter *program, size_t count)
{
	struct sock_fprog prog = {.len = (unsigned short)count, .filter = program};

	return setsockopt(s->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno
											: 0;
}

int ct_socket_send(struct ct_socket *s, const void *message, size_t len)
{
	return mnl_socket_sendto(s->nl, message, len) < 0 ? -errno : 0;
}

/* Returns 1 where the answer is complete, 0 where more follows, or -errno. */
static int take_answer(const void *buf, size_t bytes, ct_answer_fn *fn, void *ctx)
{
	const struct nlmsghdr *nlh = buf;
	int left = (int)bytes;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			return -EINTR;
		if (nlh->nlmsg_type == NLMSG_DONE)
			return 1;
		if (nlh->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

			return e->error ? e->error : 1;
		}
		if (nlh->nlmsg_type >= NLMSG_MIN_TYPE && fn) {
			int err = fn(ctx, nlh);

			if (err)
				return err;
		}
	}
	return 0;
}

int ct_socket_ask(struct ct_socket *s, const void *message, size_t len, unsigned timeout_ms,
		  ct_answer_fn *fn, void *ctx)
{
	static _Thread_local uint8_t buf[ANSWER_BYTES] __attribute__((aligned(8)));
	int err = ct_socket_send(s, message, len);

	while (err == 0) {
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		ssize_t n;

		if (poll(&p, 1, (int)timeout_ms) == 0)
			return -ETIMEDOUT;
		n = recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		err = n < 0 ? -errno : take_answer(buf, (size_t)n, fn, ctx);
	}
	return err < 0 ? err : 0;
}
