/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conntrack source: one socket for events (many messages a system call, the kernel's own
 * filter in front), one for dumps, one that watches the box's addresses, and a timer, all behind
 * one epoll descriptor. While many events come the event socket is taken out of it and the timer
 * wakes the caller instead (ct_pace.h), so the caller's loop needs to know nothing of it.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "syncd/kernel/ct_bpf.h"
#include "syncd/kernel/ct_local.h"
#include "syncd/kernel/ct_message.h"
#include "syncd/kernel/ct_pace.h"
#include "syncd/kernel/ct_socket.h"
#include "syncd/kernel/ct_source.h"

enum {
	BURST = 64,	       /* messages a system call */
	MESSAGE_BYTES = 2048,  /* an event is far smaller; a longer one is counted as lost */
	DUMP_BYTES = 32768,    /* netlink never makes a larger part of a dump */
	DUMP_SHARE = 4,	       /* of the budget, at least, while a dump runs */
	LOCAL_EVERY = 64,      /* turns between looks at the addresses while busy */
	DUMP_RCVBUF = 1 << 20, /* of the dump's socket */
};

struct ct_source {
	struct source base;
	struct source_events to;
	struct ct_config config;
	struct ct_filter *filter;
	struct ct_local *local;
	struct ct_socket events, dump;
	struct ct_pace pace;
	struct ct_source_stats stats;
	int epoll_fd, timer_fd;
	uint32_t own_portid;
	enum source_listen listening;
	bool dumping;
	bool dump_interrupted;
	uint32_t dump_seq;
	unsigned turn;
	struct mmsghdr headers[BURST];
	struct iovec parts[BURST];
	uint8_t bursts[BURST][MESSAGE_BYTES] __attribute__((aligned(8)));
	uint8_t dump_part[DUMP_BYTES] __attribute__((aligned(8)));
};

static struct ct_source *of(struct source *s)
{
	return (struct ct_source *)(void *)s;
}

static const struct ct_source *of_const(const struct source *s)
{
	return (const struct ct_source *)(const void *)s;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void on_overrun(struct ct_source *s)
{
	size_t want = s->stats.rcvbuf_bytes * 2;
	long got;

	s->stats.overruns++;
	if (want <= s->config.rcvbuf_max_bytes) {
		got = ct_socket_set_rcvbuf(&s->events, want);
		if (got > 0)
			s->stats.rcvbuf_bytes = (uint64_t)got;
	}
	s->to.on_overrun(s->to.ctx);
}

static void on_message(struct ct_source *s, const struct nlmsghdr *nlh)
{
	struct ct_record r;
	enum flow_event what;
	bool destroy = ct_message_is_destroy(nlh);

	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_CTNETLINK)
		return;
	s->stats.events++;
	if (s->own_portid && nlh->nlmsg_pid == s->own_portid) {
		s->stats.own++;
		return;
	}
	/* Left over from before the groups were left. */
	if (s->listening == SOURCE_NOTHING || (s->listening == SOURCE_DESTROY && !destroy))
		return;
	if (ct_message_parse(nlh, s->config.label_mask, &r) < 0) {
		s->stats.malformed++;
		return;
	}
	if (!ct_filter_wants(s->filter, &r.flow)) {
		s->stats.left_out++;
		return;
	}
	if (destroy) {
		s->to.on_event(s->to.ctx, FLOW_DESTROY, &r.flow, r.parts,
			       ct_message_is_live(nlh, &r));
		return;
	}
	what = ct_message_is_new(nlh) ? FLOW_NEW : FLOW_UPDATE;
	/* A mark of zero is not written; what a new flow does not carry it does not have. */
	r.parts = what == FLOW_NEW ? FLOW_PART_ALL : r.parts | FLOW_PART_MARK;
	if (!ct_filter_ripe(s->filter, &r.flow, r.parts)) {
		s->stats.unripe++;
		return;
	}
	s->to.on_event(s->to.ctx, what, &r.flow, r.parts, false);
}

static void on_datagram(struct ct_source *s, const void *buf, size_t len, bool cut)
{
	const struct nlmsghdr *nlh = buf;
	int left = (int)len;

	if (cut) {
		on_overrun(s);
		return;
	}
	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		on_message(s, nlh);
}

/* Reads at most budget datagrams (an event each). Returns how many or -errno. */
static int read_events(struct ct_source *s, unsigned budget)
{
	unsigned done = 0;

	while (done < budget) {
		unsigned want = budget - done < BURST ? budget - done : BURST;
		int n = recvmmsg(s->events.fd, s->headers, want, MSG_DONTWAIT, NULL);

		if (n < 0 && errno == ENOBUFS) {
			on_overrun(s);
			done++;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n <= 0)
			break;
		for (int i = 0; i < n; i++)
			on_datagram(s, s->bursts[i], s->headers[i].msg_len,
				    s->headers[i].msg_hdr.msg_flags & MSG_TRUNC);
		done += (unsigned)n;
		if ((unsigned)n < want)
			break;
	}
	return (int)done;
}

/* ---- dumps ----------------------------------------------------------------------------------- */

static int watch(struct ct_source *s, int op, int fd, uint32_t what)
{
	struct epoll_event e = {.events = what};

	return epoll_ctl(s->epoll_fd, op, fd, &e) < 0 ? -errno : 0;
}

static void end_dump(struct ct_source *s, int err)
{
	(void)watch(s, EPOLL_CTL_DEL, s->dump.fd, 0);
	/* What a failed dump left behind must not be taken for the next one's. */
	ct_socket_close(&s->dump);
	s->dumping = false;
	s->stats.dumps++;
	if (err == 0 && s->dump_interrupted)
		err = -EINTR;
	s->to.on_dump_end(s->to.ctx, err);
}

static void on_record(struct ct_source *s, const struct nlmsghdr *nlh)
{
	struct ct_record r;

	s->stats.dump_records++;
	if (ct_message_parse(nlh, s->config.label_mask, &r) < 0)
		s->stats.malformed++;
	else if (!ct_filter_wants(s->filter, &r.flow))
		s->stats.left_out++;
	else if (!ct_filter_ripe(s->filter, &r.flow, FLOW_PART_ALL))
		s->stats.unripe++;
	else
		s->to.on_dump(s->to.ctx, &r.flow);
}

/* Returns true once the dump has ended; counts records in *done. */
static bool take_part(struct ct_source *s, size_t bytes, unsigned *done)
{
	const struct nlmsghdr *nlh = (const void *)s->dump_part;
	int left = (int)bytes;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_seq != s->dump_seq)
			continue;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			s->dump_interrupted = true;
		if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR) {
			int32_t err = 0;

			if (nlh->nlmsg_len >= NLMSG_HDRLEN + sizeof(err))
				memcpy(&err, mnl_nlmsg_get_payload(nlh), sizeof(err));
			end_dump(s, err);
			return true;
		}
		if (nlh->nlmsg_type >> 8 == NFNL_SUBSYS_CTNETLINK) {
			on_record(s, nlh);
			(*done)++;
		}
	}
	return false;
}

static int read_dump(struct ct_source *s, unsigned budget)
{
	unsigned done = 0;

	while (s->dumping && done < budget) {
		ssize_t n = recv(s->dump.fd, s->dump_part, sizeof(s->dump_part), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0)
			end_dump(s, -errno);
		else if (take_part(s, (size_t)n, &done))
			break;
	}
	return (int)done;
}

static int source_dump(struct source *base)
{
	struct ct_source *s = of(base);
	struct {
		struct nlmsghdr nlh;
		struct nfgenmsg gen;
	} ask = {
		.nlh = {.nlmsg_len = sizeof(ask),
			.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.gen = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0},
	};
	int err;

	if (s->dumping)
		return -EBUSY;
	err = ct_socket_open(&s->dump, NETLINK_NETFILTER);
	if (err)
		return err;
	(void)ct_socket_set_rcvbuf(&s->dump, DUMP_RCVBUF);
	ask.nlh.nlmsg_seq = ++s->dump_seq;
	err = ct_socket_send(&s->dump, &ask, sizeof(ask));
	if (err == 0)
		err = watch(s, EPOLL_CTL_ADD, s->dump.fd, EPOLLIN);
	if (err) {
		ct_socket_close(&s->dump);
		return err;
	}
	s->dump_interrupted = false;
	s->dumping = true;
	return 0;
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* Trades the event socket's wakes for the timer's, or back. */
static void set_busy(struct ct_source *s, bool busy)
{
	struct itimerspec t = {0};

	if (busy) {
		t.it_interval.tv_nsec = t.it_value.tv_nsec = (long)s->config.poll_us * 1000;
		(void)watch(s, EPOLL_CTL_MOD, s->events.fd, 0);
	} else {
		(void)watch(s, EPOLL_CTL_MOD, s->events.fd, EPOLLIN);
	}
	(void)timerfd_settime(s->timer_fd, 0, &t, NULL);
}

static int source_poll(struct source *base, unsigned budget, uint64_t now_us)
{
	struct ct_source *s = of(base);
	unsigned for_dump = s->dumping ? budget / DUMP_SHARE : 0;
	uint64_t expired;
	int events, records = 0;

	if (s->pace.busy) {
		s->stats.busy_turns++;
		(void)!read(s->timer_fd, &expired, sizeof(expired));
	}
	if (!s->pace.busy || s->turn++ % LOCAL_EVERY == 0)
		(void)ct_local_poll(s->local);
	events = read_events(s, budget - for_dump);
	if (events < 0)
		return events;
	if (s->dumping)
		records = read_dump(s, budget - (unsigned)events);
	if (s->config.poll_us && ct_pace_turn(&s->pace, now_us, (unsigned)events))
		set_busy(s, s->pace.busy);
	return events + records;
}

static int source_listen(struct source *base, enum source_listen what)
{
	static const struct {
		unsigned group;
		enum source_listen from; /* joined from this on */
	} groups[] = {
		{NFNLGRP_CONNTRACK_DESTROY, SOURCE_DESTROY},
		{NFNLGRP_CONNTRACK_NEW, SOURCE_ALL},
		{NFNLGRP_CONNTRACK_UPDATE, SOURCE_ALL},
	};
	struct ct_source *s = of(base);
	int err;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		bool was = s->listening >= groups[i].from, want = what >= groups[i].from;

		if (was == want)
			continue;
		err = ct_socket_group(&s->events, groups[i].group, want);
		if (err)
			return err;
	}
	s->listening = what;
	return 0;
}

static int source_fd(const struct source *base)
{
	return of_const(base)->epoll_fd;
}

static void source_free(struct source *base)
{
	struct ct_source *s = base ? of(base) : NULL;

	if (!s)
		return;
	ct_socket_close(&s->dump);
	ct_socket_close(&s->events);
	ct_local_close(s->local);
	ct_filter_free(s->filter);
	if (s->timer_fd >= 0)
		close(s->timer_fd);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s);
}

/* ---- opening --------------------------------------------------------------------------------- */

static const struct source_ops ops = {
	.name = "ctnetlink",
	.caps = KERNEL_CAP_EVENTS | KERNEL_CAP_DESTROY_EVENTS | KERNEL_CAP_FAST_DUMP |
		KERNEL_CAP_EXACT,
	.listen = source_listen,
	.fd = source_fd,
	.poll = source_poll,
	.dump = source_dump,
	.free = source_free,
};

static int open_events(struct ct_source *s)
{
	struct sock_filter program[CT_BPF_MAX];
	size_t count = ct_bpf_build(&s->config, s->own_portid, program);
	long got;
	int err = ct_socket_open(&s->events, NETLINK_NETFILTER);

	if (err)
		return err;
	got = ct_socket_set_rcvbuf(&s->events, s->config.rcvbuf_bytes);
	if (got < 0)
		return (int)got;
	s->stats.rcvbuf_bytes = (uint64_t)got;
	/* Saves time only: what it would drop is dropped here too. */
	(void)ct_socket_filter(&s->events, program, count);
	return 0;
}

static int open_waits(struct ct_source *s)
{
	int err;

	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->epoll_fd < 0 || s->timer_fd < 0)
		return -errno;
	err = watch(s, EPOLL_CTL_ADD, s->events.fd, EPOLLIN);
	if (err == 0)
		err = watch(s, EPOLL_CTL_ADD, s->timer_fd, EPOLLIN);
	if (err == 0)
		err = watch(s, EPOLL_CTL_ADD, ct_local_fd(s->local), EPOLLIN);
	return err;
}

int ct_source_open(const struct ct_config *c, uint32_t own_portid,
		   const struct source_events *events, struct source **out)
{
	struct ct_source *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->base.ops = &ops;
	s->to = *events;
	s->config = *c;
	s->own_portid = own_portid;
	s->epoll_fd = s->timer_fd = s->events.fd = s->dump.fd = -1;
	for (int i = 0; i < BURST; i++) {
		s->parts[i] = (struct iovec){s->bursts[i], MESSAGE_BYTES};
		s->headers[i].msg_hdr = (struct msghdr){.msg_iov = &s->parts[i], .msg_iovlen = 1};
	}
	s->filter = ct_filter_new(c);
	s->config.ignore = NULL; /* the filter has its own copies */
	s->config.zones = NULL;
	err = s->filter ? open_events(s) : -ENOMEM;
	if (err == 0)
		err = ct_local_open(s->filter, &s->local);
	if (err == 0)
		err = open_waits(s);
	if (err) {
		source_free(&s->base);
		return err;
	}
	*out = &s->base;
	return 0;
}

int ct_source_set_members(struct source *s, const struct ct_address *addrs, size_t count)
{
	return ct_filter_set_addresses(of(s)->filter, CT_OWNER_MEMBERS, addrs, count);
}

const struct ct_source_stats *ct_source_stats(const struct source *s)
{
	return &of_const(s)->stats;
}
