// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The netlink sink of IPVS. Runs of alike operations go into one request each, in the order in
 * which they were submitted; the kernel carries a request out inside send(2) and tells which items
 * failed before its acknowledgement. A connection whose template is not there yet is put again
 * after the others of its flush, and then without it: its packets matter more than the link.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/ip_vs_conn.h>

#include "syncd/kernel/ipvs_nl.h"
#include "syncd/kernel/ipvs_nl_message.h"
#include "syncd/kernel/ipvs_queue.h"

enum {
	BATCH_MAX = 48, /* connections a request, so that any 48 fit its bytes */
	BATCH_BYTES = IPVS_NL_HEADER + BATCH_MAX * IPVS_NL_CONN_MAX,
	RCVBUF_BYTES = 1 << 20,
	ANSWER_BYTES = 65536,
	ANSWER_TIMEOUT_MS = 1000,
	EXPIRY_SLACK_MS = 1000, /* not worth a change */
};

struct ipvs_nl_sink {
	struct sink base;
	struct sink_events to;
	struct ipvs_genl genl;
	struct ct_socket socket;
	uint32_t lease_ms, seq;
	struct ipvs_queue queue;
	size_t settled; /* of the queue's oldest, how many have been carried out */
	int err[BATCH_MAX];
	struct ipvs_nl_record got; /* the answer to a GET */
	bool have_got;
	uint8_t buf[BATCH_BYTES] __attribute__((aligned(8)));
	uint8_t answer[ANSWER_BYTES] __attribute__((aligned(8)));
};

static struct ipvs_nl_sink *of(struct sink *s)
{
	return (struct ipvs_nl_sink *)(void *)s;
}

static const struct ipvs_nl_sink *of_const(const struct sink *s)
{
	return (const struct ipvs_nl_sink *)(const void *)s;
}

/* ---- one request ----------------------------------------------------------------------------- */

/* Takes a message of the answer. Returns 1 where it was the last, with *err. */
static int take(struct ipvs_nl_sink *s, const struct nlmsghdr *nlh, size_t n, int *err)
{
	if (nlh->nlmsg_seq != s->seq)
		return 0; /* of a request given up */
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		*err = -EBADMSG;
		if (nlh->nlmsg_len >= NLMSG_HDRLEN + sizeof(*err))
			memcpy(err, mnl_nlmsg_get_payload(nlh), sizeof(*err));
		return 1;
	}
	if (nlh->nlmsg_type != s->genl.family)
		return 0;
	if (ipvs_nl_command(nlh) == IPVS_CMD_CONN_ERRORS)
		(void)ipvs_nl_parse_errors(nlh, s->err, n);
	else if (ipvs_nl_command(nlh) == IPVS_CMD_NEW_CONN)
		s->have_got = ipvs_nl_parse(nlh, &s->got) == 0;
	return 0;
}

/* Sends the request in buf, of n connections. Returns its status: 0, or the first item's error. */
static int carry_out(struct ipvs_nl_sink *s, const struct nlmsghdr *request, size_t n)
{
	int err = ct_socket_send(&s->socket, request, request->nlmsg_len);

	memset(s->err, 0, sizeof(s->err));
	s->have_got = false;
	while (err == 0) {
		struct pollfd p = {.fd = s->socket.fd, .events = POLLIN};
		const struct nlmsghdr *nlh = (const void *)s->answer;
		ssize_t len;
		int left;

		if (poll(&p, 1, ANSWER_TIMEOUT_MS) == 0)
			return -ETIMEDOUT;
		len = recv(s->socket.fd, s->answer, sizeof(s->answer), MSG_DONTWAIT);
		if (len < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		left = (int)len;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			if (take(s, nlh, n, &err))
				return err;
	}
	return err;
}

static struct nlmsghdr *begin(struct ipvs_nl_sink *s, uint8_t command)
{
	return ipvs_nl_begin(s->buf, s->genl.family, command, NLM_F_ACK, ++s->seq);
}

static uint8_t command_of(enum sink_op op)
{
	return op == SINK_PUT	? IPVS_CMD_NEW_CONN
	       : op == SINK_DEL ? IPVS_CMD_DEL_CONN
				: IPVS_CMD_SET_CONN;
}

static enum ipvs_nl_what what_of(enum sink_op op)
{
	return op == SINK_PUT ? IPVS_NL_ALL : op == SINK_DEL ? IPVS_NL_KEY : IPVS_NL_EXPIRES;
}

static int carry_out_one(struct ipvs_nl_sink *s, uint8_t command, const struct flow *f,
			 enum ipvs_nl_what what, uint32_t expires_ms)
{
	struct nlmsghdr *request = begin(s, command);

	ipvs_nl_add(request, f, what, expires_ms);
	return carry_out(s, request, 1);
}

/* ---- operations ------------------------------------------------------------------------------ */

static void settle(struct ipvs_task *t, int err)
{
	if (t->op == SINK_DEL && err == -ENOENT)
		err = 0;
	ipvs_task_done(t, err);
}

static bool has_error(const struct ipvs_nl_sink *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s->err[i])
			return true;
	return false;
}

/* Carries out n tasks from the i-th on, of one operation. */
static void run_alike(struct ipvs_nl_sink *s, size_t i, size_t n)
{
	enum sink_op op = ipvs_queue_at(&s->queue, i)->op;
	struct nlmsghdr *request = begin(s, command_of(op));
	int err;

	for (size_t k = 0; k < n; k++)
		ipvs_nl_add(request, &ipvs_queue_at(&s->queue, i + k)->flow, what_of(op),
			    s->lease_ms);
	err = carry_out(s, request, n);
	/* Refused as a whole: nothing was told of the items, so each is tried by itself. */
	if (err && n > 1 && !has_error(s, n)) {
		for (size_t k = 0; k < n; k++)
			run_alike(s, i + k, 1);
		return;
	}
	for (size_t k = 0; k < n; k++) {
		struct ipvs_task *t = ipvs_queue_at(&s->queue, i + k);
		int e = n == 1 ? err : s->err[k];

		if (op == SINK_PUT && e == -ENOLINK)
			t->err = e; /* put_unlinked comes back to it */
		else
			settle(t, e);
	}
}

/* The true time left, where more is left: the state may have moved on, so it is not set. */
static void run_expiry(struct ipvs_nl_sink *s, struct ipvs_task *t)
{
	int err = carry_out_one(s, IPVS_CMD_GET_CONN, &t->flow, IPVS_NL_KEY, 0);

	if (err == 0 && s->have_got && s->got.expires_ms > s->got.timeout_ms + EXPIRY_SLACK_MS)
		err = carry_out_one(s, IPVS_CMD_SET_CONN, &t->flow, IPVS_NL_EXPIRES,
				    s->got.timeout_ms);
	settle(t, err);
}

static void put_unlinked(struct ipvs_nl_sink *s, struct ipvs_task *t)
{
	int err = carry_out_one(s, IPVS_CMD_NEW_CONN, &t->flow, IPVS_NL_ALL, s->lease_ms);

	if (err == -ENOLINK) {
		err = carry_out_one(s, IPVS_CMD_NEW_CONN, &t->flow, IPVS_NL_ALL_ALONE, s->lease_ms);
		err = err ? err : -ENOENT;
	}
	settle(t, err);
}

static size_t alike_from(const struct ipvs_nl_sink *s, size_t i)
{
	size_t n = 1;

	while (i + n < s->queue.count && n < BATCH_MAX &&
	       ipvs_queue_at(&s->queue, i + n)->op == ipvs_queue_at(&s->queue, i)->op)
		n++;
	return n;
}

static void run_all(struct ipvs_nl_sink *s)
{
	size_t first = s->settled, n;

	for (size_t i = first; i < s->queue.count; i += n) {
		struct ipvs_task *t = ipvs_queue_at(&s->queue, i);

		n = 1;
		if (t->op == SINK_LIBERAL) {
			settle(t, 0); /* IPVS tracks no windows */
		} else if (t->op == SINK_EXPIRY) {
			run_expiry(s, t);
		} else {
			n = alike_from(s, i);
			run_alike(s, i, n);
		}
	}
	for (size_t i = first; i < s->queue.count; i++) {
		struct ipvs_task *t = ipvs_queue_at(&s->queue, i);

		if (!t->done)
			put_unlinked(s, t);
	}
	s->settled = s->queue.count;
	ipvs_queue_announce(&s->queue);
}

static int sink_submit(struct sink *base, enum sink_op op, const struct flow *f)
{
	return ipvs_queue_add(&of(base)->queue, op, f);
}

static int sink_flush(struct sink *base, uint64_t now_us)
{
	(void)now_us;
	run_all(of(base));
	return 0;
}

static int sink_poll(struct sink *base, uint64_t now_us)
{
	struct ipvs_nl_sink *s = of(base);
	int reported = ipvs_queue_report(&s->queue, &s->to);

	(void)now_us;
	s->settled -= (size_t)reported;
	return reported;
}

static int sink_fd(const struct sink *base)
{
	return of_const(base)->queue.event_fd;
}

static size_t sink_pending(const struct sink *base)
{
	return of_const(base)->queue.count;
}

static void sink_free(struct sink *base)
{
	struct ipvs_nl_sink *s = base ? of(base) : NULL;

	if (!s)
		return;
	ct_socket_close(&s->socket);
	ipvs_queue_fini(&s->queue);
	free(s);
}

static const struct sink_ops ops = {
	.name = "netlink",
	.capacity = IPVS_QUEUE_MAX,
	.submit = sink_submit,
	.flush = sink_flush,
	.fd = sink_fd,
	.poll = sink_poll,
	.pending = sink_pending,
	.free = sink_free,
};

int ipvs_nl_sink_open(unsigned lease_s, const struct sink_events *events, struct sink **out)
{
	struct ipvs_nl_sink *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->base.ops = &ops;
	s->to = *events;
	s->lease_ms = lease_s * 1000;
	s->socket.fd = -1;
	err = ipvs_queue_init(&s->queue);
	if (err == 0)
		err = ipvs_genl_open(&s->socket, RCVBUF_BYTES);
	if (err == 0)
		err = ipvs_genl_find(&s->socket, &s->genl);
	if (err == 0 && !s->genl.group_del)
		err = -EOPNOTSUPP;
	if (err) {
		sink_free(&s->base);
		return err;
	}
	*out = &s->base;
	return 0;
}

uint32_t ipvs_nl_sink_portid(const struct sink *s)
{
	return of_const(s)->socket.portid;
}
