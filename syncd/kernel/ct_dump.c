// SPDX-License-Identifier: GPL-2.0-or-later
/* See ct_dump.h. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include "syncd/kernel/ct_dump.h"

enum { RCVBUF_BYTES = 1 << 20 };

void ct_dump_init(struct ct_dump *d)
{
	memset(d, 0, sizeof(*d));
	d->socket.fd = -1;
}

void ct_dump_fini(struct ct_dump *d)
{
	ct_socket_close(&d->socket);
	d->running = false;
}

int ct_dump_begin(struct ct_dump *d, int bus, struct nlmsghdr *request)
{
	int err;

	if (d->running)
		return -EBUSY;
	err = ct_socket_open(&d->socket, bus);
	if (err)
		return err;
	(void)ct_socket_set_rcvbuf(&d->socket, RCVBUF_BYTES);
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = ++d->seq;
	err = ct_socket_send(&d->socket, request, request->nlmsg_len);
	if (err) {
		ct_socket_close(&d->socket);
		return err;
	}
	d->interrupted = false;
	d->running = true;
	return 0;
}

/* What a failed dump left in the socket must not be taken for the next one's. */
static int end(struct ct_dump *d, int err)
{
	ct_dump_fini(d);
	return err == 0 && d->interrupted ? -EINTR : err;
}

static void take_part(struct ct_dump *d, size_t bytes, ct_dump_fn *fn, void *ctx, unsigned *done,
		      int *err)
{
	const struct nlmsghdr *nlh = (const void *)d->part;
	int left = (int)bytes;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_seq != d->seq)
			continue;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			d->interrupted = true;
		if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR) {
			int32_t answer = 0;

			if (nlh->nlmsg_len >= NLMSG_HDRLEN + sizeof(answer))
				memcpy(&answer, mnl_nlmsg_get_payload(nlh), sizeof(answer));
			*err = end(d, answer);
			return;
		}
		if (nlh->nlmsg_type >= NLMSG_MIN_TYPE) {
			fn(ctx, nlh);
			(*done)++;
		}
	}
}

unsigned ct_dump_read(struct ct_dump *d, unsigned budget, ct_dump_fn *fn, void *ctx, int *err)
{
	unsigned done = 0;

	while (d->running && done < budget) {
		ssize_t n = recv(d->socket.fd, d->part, sizeof(d->part), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0)
			*err = end(d, -errno);
		else
			take_part(d, (size_t)n, fn, ctx, &done, err);
	}
	return done;
}
