// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The netlink source of IPVS: one socket hears the connections' multicast groups, another dumps.
 * An event is a connection's whole state, so there are no parts to merge.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/ip_vs_conn.h>

#include "syncd/kernel/ct_dump.h"
#include "syncd/kernel/ipvs_flow.h"
#include "syncd/kernel/ipvs_nl.h"
#include "syncd/kernel/ipvs_nl_message.h"

enum {
	PART_BYTES = 65536,
	DUMP_SHARE = 4,	     /* of the budget, at least, while a dump runs */
	LIVE_LEFT_MS = 1000, /* with more time left than this a connection did not end by itself */
};

struct ipvs_nl_source {
	struct source base;
	struct source_events to;
	struct ipvs_genl genl;
	struct ct_socket events;
	struct ct_dump dump;
	bool dumped; /* a dump has ended, with dump_err, which is not told yet */
	int dump_err;
	uint32_t own_portid;
	enum source_listen listening;
	int epoll_fd;
	uint8_t part[PART_BYTES] __attribute__((aligned(8)));
};

static struct ipvs_nl_source *of(struct source *s)
{
	return (struct ipvs_nl_source *)(void *)s;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void on_change(struct ipvs_nl_source *s, int command, const struct ipvs_nl_record *r)
{
	if (command == IPVS_CMD_DEL_CONN) {
		bool live = r->expires_ms > LIVE_LEFT_MS && !ipvs_flow_closing(&r->flow);

		s->to.on_event(s->to.ctx, FLOW_DESTROY, &r->flow, FLOW_PART_ALL, live);
		return;
	}
	if (s->listening != SOURCE_ALL)
		return;
	if (ipvs_flow_ripe(&r->flow))
		s->to.on_event(s->to.ctx, command == IPVS_CMD_NEW_CONN ? FLOW_NEW : FLOW_UPDATE,
			       &r->flow, FLOW_PART_ALL, false);
}

static void on_message(struct ipvs_nl_source *s, const struct nlmsghdr *nlh)
{
	struct ipvs_nl_record r;

	if (nlh->nlmsg_type != s->genl.family)
		return;
	if (s->own_portid && nlh->nlmsg_pid == s->own_portid)
		return;
	if (s->listening == SOURCE_NOTHING)
		return;
	if (ipvs_nl_parse(nlh, &r) == 0 && r.wanted)
		on_change(s, ipvs_nl_command(nlh), &r);
}

static int read_events(struct ipvs_nl_source *s, unsigned budget)
{
	unsigned done = 0;

	while (done < budget) {
		ssize_t n = recv(s->events.fd, s->part, sizeof(s->part), MSG_DONTWAIT);
		const struct nlmsghdr *nlh = (const void *)s->part;
		int left = (int)n;

		if (n < 0 && errno == ENOBUFS) {
			s->to.on_overrun(s->to.ctx);
			done++;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? (int)done : -errno;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			on_message(s, nlh);
		done++;
	}
	return (int)done;
}

/* ---- dumps ----------------------------------------------------------------------------------- */

/* Tells of the dump's end once no event is left that it has overtaken. Returns as read_events. */
static int tell_dump_end(struct ipvs_nl_source *s, unsigned budget)
{
	int events = read_events(s, budget);

	if (events >= 0 && (unsigned)events < budget) {
		s->dumped = false;
		s->to.on_dump_end(s->to.ctx, s->dump_err);
	}
	return events;
}

static void on_record(void *ctx, const struct nlmsghdr *nlh)
{
	struct ipvs_nl_source *s = ctx;
	struct ipvs_nl_record r;

	if (ipvs_nl_parse(nlh, &r) || !r.wanted || !ipvs_flow_ripe(&r.flow))
		return;
	/* One that a standby holds unbound came before its service: put again, it is bound. */
	if (r.bound || s->listening == SOURCE_ALL)
		s->to.on_dump(s->to.ctx, &r.flow, false);
}

static unsigned read_dump(struct ipvs_nl_source *s, unsigned budget)
{
	unsigned done = ct_dump_read(&s->dump, budget, on_record, s, &s->dump_err);

	/* Its socket is closed now, and so out of the epoll descriptor. */
	s->dumped = !s->dump.running;
	return done;
}

static int watch(struct ipvs_nl_source *s, int fd)
{
	struct epoll_event e = {.events = EPOLLIN};

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int source_dump(struct source *base)
{
	struct ipvs_nl_source *s = of(base);
	uint8_t buf[IPVS_NL_HEADER] __attribute__((aligned(8)));
	struct nlmsghdr *nlh;
	int err;

	if (s->dumped)
		return -EBUSY;
	nlh = ipvs_nl_begin(buf, s->genl.family, IPVS_CMD_GET_CONN, NLM_F_DUMP, 0);
	err = ct_dump_begin(&s->dump, NETLINK_GENERIC, nlh);
	if (err)
		return err;
	s->dump_err = 0;
	err = watch(s, s->dump.socket.fd);
	if (err)
		ct_dump_fini(&s->dump);
	return err;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static int source_poll(struct source *base, unsigned budget, uint64_t now_us)
{
	struct ipvs_nl_source *s = of(base);
	int events, more = 0;
	unsigned records = 0;

	(void)now_us;
	events = read_events(s, s->dump.running ? budget - budget / DUMP_SHARE : budget);
	if (events < 0)
		return events;
	if (s->dump.running)
		records = read_dump(s, budget - (unsigned)events);
	if (s->dumped)
		more = tell_dump_end(s, budget);
	return more < 0 ? more : events + (int)records + more;
}

static int source_listen(struct source *base, enum source_listen what)
{
	struct ipvs_nl_source *s = of(base);
	const struct {
		uint32_t group;
		enum source_listen from; /* joined from this on */
	} groups[] = {
		{s->genl.group_del, SOURCE_DESTROY},
		{s->genl.group_new, SOURCE_ALL},
		{s->genl.group_set, SOURCE_ALL},
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]) && err == 0; i++) {
		bool was = s->listening >= groups[i].from, want = what >= groups[i].from;

		if (was != want)
			err = ct_socket_group(&s->events, groups[i].group, want);
	}
	if (err == 0)
		s->listening = what;
	return err;
}

static int source_fd(const struct source *base)
{
	return ((const struct ipvs_nl_source *)(const void *)base)->epoll_fd;
}

static void source_free(struct source *base)
{
	struct ipvs_nl_source *s = base ? of(base) : NULL;

	if (!s)
		return;
	ct_dump_fini(&s->dump);
	ct_socket_close(&s->events);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s);
}

static const struct source_ops ops = {
	.name = "netlink",
	.listen = source_listen,
	.fd = source_fd,
	.poll = source_poll,
	.dump = source_dump,
	.free = source_free,
};

int ipvs_nl_source_open(uint32_t own_portid, size_t rcvbuf_bytes,
			const struct source_events *events, struct source **out)
{
	struct ipvs_nl_source *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->base.ops = &ops;
	s->to = *events;
	s->own_portid = own_portid;
	s->events.fd = -1;
	ct_dump_init(&s->dump);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	err = s->epoll_fd < 0 ? -errno : ipvs_genl_open(&s->events, rcvbuf_bytes);
	if (err == 0)
		err = ipvs_genl_find(&s->events, &s->genl);
	if (err == 0 && !s->genl.group_del)
		err = -EOPNOTSUPP;
	if (err == 0)
		err = watch(s, s->events.fd);
	if (err) {
		source_free(&s->base);
		return err;
	}
	*out = &s->base;
	return 0;
}
