// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The conntrack source: one socket for events (many messages a system call, the kernel's own
 * filter in front), one for dumps, one that watches the box's addresses, and a timer, all behind
 * one epoll descriptor. While many events come the event socket is taken out of it and the timer
 * wakes the caller instead (ct_pace.h), so the caller's loop needs to know nothing of it.
 */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
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
#include "syncd/kernel/ct_dump.h"
#include "syncd/kernel/ct_message.h"
#include "syncd/kernel/ct_pace.h"
#include "syncd/kernel/ct_recent.h"
#include "syncd/kernel/ct_sink.h"
#include "syncd/kernel/ct_socket.h"
#include "syncd/kernel/ct_source.h"

enum {
	BURST = 64, /* messages a system call */
	/* An event is far smaller; a longer one is counted as lost. Not a power of two, for else
	 * all begin in the same few lines of the cache. */
	MESSAGE_BYTES = 2048 + 64,
	DUMP_SHARE = 4,	       /* of the budget, at least, while a dump runs */
	ADDRESSES_EVERY = 64,  /* turns between looks at the addresses while busy */
	ASK_TIMEOUT_MS = 1000, /* the kernel answers at once */
	AHEAD = 32,	       /* events read before the first of them is told */
	EARLY_BITS = 1 << 20,
	YOUNG_ASKS_PER_MS = 2, /* a hundredth of a processor */
};

/* No flow is longer than this on the way to being ripe (SYN_SENT: the kernel's default timeout). */
#define YOUNG_US (120 * S_US)

struct ct_source {
	struct source base;
	struct source_events to;
	struct ct_config config;
	struct sink *sink; /* told of losses; may be NULL */
	struct ct_filter *filter;
	struct addresses *addresses;
	struct ct_socket events, ask;
	struct ct_dump dump;
	bool dumped; /* it has ended, with dump_err, which is not told yet */
	int dump_err;
	struct ct_pace pace;
	struct ct_source_stats stats;
	int epoll_fd, timer_fd;
	uint32_t own_portid;
	enum source_listen listening;
	uint32_t ask_seq;
	bool rejoined;		 /* hears all events, since after the last turn */
	uint64_t young_until_us; /* there may be flows whose begin was not heard */
	uint64_t asks_us;	 /* when asks_left was counted */
	uint64_t asks_left;
	unsigned turn;
	uint64_t early[EARLY_BITS / 64]; /* by key hash: see remember_early */
	struct {
		const struct nlmsghdr *nlh; /* in bursts */
		struct ct_record record;
	} told[AHEAD];
	unsigned ahead; /* of them, read and not told yet */
	struct mmsghdr headers[BURST];
	struct iovec parts[BURST];
	uint8_t bursts[BURST][MESSAGE_BYTES] __attribute__((aligned(8)));
};

struct asked { /* for on_asked */
	const uint8_t *label_mask;
	struct ct_record *record;
	bool got;
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
	if (s->sink)
		ct_sink_forget(s->sink, NULL);
	if (want <= s->config.rcvbuf_max_bytes) {
		got = ct_socket_set_rcvbuf(&s->events, want);
		if (got > 0)
			s->stats.rcvbuf_bytes = (uint64_t)got;
	}
	s->to.on_overrun(s->to.ctx);
}

/*
 * An event carries a part once, when it changes. One that is not ripe yet may carry what the flow
 * keeps (its master, labels set by the first packet's rules, the SYN proxy's numbers): such flows
 * are remembered, as bits of a hash, and asked for in full when they ripen. A bit that stands for
 * another flow costs a question.
 */
static uint64_t *early_word(struct ct_source *s, const struct flow_key *k, uint64_t *bit)
{
	uint64_t hash = ct_recent_hash(k);

	*bit = 1ull << (hash % 64);
	return &s->early[(hash >> 8) % (EARLY_BITS / 64)];
}

static void remember_early(struct ct_source *s, const struct flow_key *k)
{
	uint64_t bit, *word = early_word(s, k, &bit);

	*word |= bit;
}

static bool recall_early(struct ct_source *s, const struct flow_key *k)
{
	uint64_t bit, *word = early_word(s, k, &bit);
	bool was = *word & bit;

	*word &= ~bit;
	return was;
}

static bool has_states(uint8_t l4proto)
{
	return l4proto == IPPROTO_TCP || l4proto == IPPROTO_SCTP || l4proto == IPPROTO_DCCP;
}

static int on_asked(void *ctx, const struct nlmsghdr *nlh)
{
	struct asked *a = ctx;

	if (ct_message_parse(nlh, a->label_mask, a->record) < 0)
		return -EBADMSG;
	a->got = true;
	return 0;
}

/* Reads all of a flow from the kernel. Returns false where it is gone. */
static bool ask_for(struct ct_source *s, const struct flow_key *k, struct ct_record *out)
{
	uint8_t buf[CT_MESSAGE_MAX];
	struct ct_batch b = {.buf = buf, .seq = ++s->ask_seq};
	struct asked a = {s->config.label_mask, out, false};

	s->stats.asked++;
	ct_message_get(&b, k);
	ct_message_want_ack(&b, 0);
	return ct_socket_ask(&s->ask, buf, b.len, ASK_TIMEOUT_MS, on_asked, &a) == 0 && a.got &&
	       flow_key_equal(&out->flow.key, k);
}

/*
 * After the subscription began, changes of flows come whose begin nobody heard. They are completed
 * too, as long as such flows may be about and at a bounded rate: the rest is the reconcile's.
 */
static bool ask_of_young(struct ct_source *s)
{
	if (s->young_until_us == 0 || s->asks_left == 0)
		return false;
	s->asks_left--;
	return true;
}

static void grow_older(struct ct_source *s, uint64_t now_us)
{
	if (s->rejoined) {
		s->rejoined = false;
		s->young_until_us = now_us + YOUNG_US;
	}
	if (s->young_until_us == 0)
		return;
	if (now_us >= s->young_until_us)
		s->young_until_us = 0;
	if (now_us - s->asks_us >= MS_US) {
		s->asks_left = YOUNG_ASKS_PER_MS * ((now_us - s->asks_us) / MS_US);
		if (s->asks_left > 1000 * YOUNG_ASKS_PER_MS)
			s->asks_left = 1000 * YOUNG_ASKS_PER_MS;
		s->asks_us = now_us;
	}
}

/* A change of a flow that is ripe: completed where the parts that came would not do. */
static void on_update(struct ct_source *s, struct ct_record *r)
{
	bool stateless = has_states(r->flow.key.l4proto) && !(r->parts & FLOW_PART_STATE);
	struct flow_key key = r->flow.key;

	if (recall_early(s, &key) || stateless || ask_of_young(s)) {
		if (!ask_for(s, &key, r))
			return; /* gone: its destroy follows */
		r->parts = FLOW_PART_ALL;
		if (!ct_filter_ripe(s->filter, &r->flow, r->parts))
			return;
	}
	s->to.on_event(s->to.ctx, FLOW_UPDATE, &r->flow, r->parts, false);
}

static void on_unripe(struct ct_source *s, const struct ct_record *r, unsigned carried)
{
	s->stats.unripe++;
	if (carried & CT_BPF_KEEPSAKES)
		remember_early(s, &r->flow.key);
}

static void on_change(struct ct_source *s, struct ct_record *r, bool is_new)
{
	unsigned carried = r->parts;

	/* A mark of zero is not written; what a new flow does not carry it does not have. */
	r->parts = is_new ? FLOW_PART_ALL : carried | FLOW_PART_MARK;
	if (!ct_filter_ripe(s->filter, &r->flow, r->parts))
		on_unripe(s, r, carried);
	else if (is_new)
		s->to.on_event(s->to.ctx, FLOW_NEW, &r->flow, r->parts, false);
	else
		on_update(s, r);
}

/* An event out of a message, read and filtered. Returns false where there is nothing to tell. */
static bool read_message(struct ct_source *s, const struct nlmsghdr *nlh, struct ct_record *r)
{
	bool destroy = ct_message_is_destroy(nlh);

	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_CTNETLINK)
		return false;
	s->stats.events++;
	if (s->own_portid && nlh->nlmsg_pid == s->own_portid) {
		s->stats.own++;
		return false;
	}
	/* Left over from before the groups were left. */
	if (s->listening == SOURCE_NOTHING || (s->listening == SOURCE_DESTROY && !destroy))
		return false;
	if (ct_message_parse(nlh, s->config.label_mask, r) < 0) {
		s->stats.malformed++;
		return false;
	}
	if (destroy && s->sink)
		ct_sink_forget(s->sink, &r->flow.key);
	if (!ct_filter_wants(s->filter, &r->flow)) {
		s->stats.left_out++;
		return false;
	}
	return true;
}

static void tell(struct ct_source *s, const struct nlmsghdr *nlh, struct ct_record *r)
{
	if (ct_message_is_destroy(nlh))
		s->to.on_event(s->to.ctx, FLOW_DESTROY, &r->flow, r->parts,
			       ct_message_is_live(nlh, r));
	else
		on_change(s, r, ct_message_is_new(nlh));
}

static void tell_ahead(struct ct_source *s)
{
	unsigned n = s->ahead;

	s->ahead = 0;
	for (unsigned i = 0; i < n; i++)
		tell(s, s->told[i].nlh, &s->told[i].record);
}

/* Events are gathered before they are told, so that what they need of memory is on its way. */
static void on_message(struct ct_source *s, const struct nlmsghdr *nlh)
{
	struct ct_record *r = &s->told[s->ahead].record;

	if (!read_message(s, nlh, r))
		return;
	if (s->to.on_ahead)
		s->to.on_ahead(s->to.ctx, &r->flow.key);
	s->told[s->ahead++].nlh = nlh;
	if (s->ahead == AHEAD)
		tell_ahead(s);
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
		tell_ahead(s);
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

/*
 * Of a connection that is offloaded to a flowtable the kernel tells neither state nor timeout
 * (ctnetlink_dump_info in nf_conntrack_netlink.c): its status has to do.
 */
static void on_record(void *ctx, const struct nlmsghdr *nlh)
{
	struct ct_source *s = ctx;
	struct ct_record r;

	s->stats.dump_records++;
	if (ct_message_parse(nlh, s->config.label_mask, &r) < 0)
		s->stats.malformed++;
	else if (!ct_filter_wants(s->filter, &r.flow))
		s->stats.left_out++;
	else if (!ct_filter_ripe(s->filter, &r.flow, r.parts))
		s->stats.unripe++;
	else
		s->to.on_dump(s->to.ctx, &r.flow, ct_message_has_label(&r, s->config.own_label));
}

static unsigned read_dump(struct ct_source *s, unsigned budget)
{
	unsigned done = ct_dump_read(&s->dump, budget, on_record, s, &s->dump_err);

	/* Its socket is closed now, and so out of the epoll descriptor. */
	s->dumped = !s->dump.running;
	s->stats.dumps += s->dumped;
	return done;
}

/* Tells of the dump's end once no event is left that it has overtaken. Returns as read_events. */
static int tell_dump_end(struct ct_source *s, unsigned budget)
{
	int events = read_events(s, budget);

	if (events >= 0 && (unsigned)events < budget) {
		s->dumped = false;
		s->to.on_dump_end(s->to.ctx, s->dump_err);
	}
	return events;
}

static int source_dump(struct source *base)
{
	struct {
		struct nlmsghdr nlh;
		struct nfgenmsg gen;
	} ask = {
		.nlh = {.nlmsg_len = sizeof(ask),
			.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET},
		.gen = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0},
	};
	struct ct_source *s = of(base);
	int err = s->dumped ? -EBUSY : ct_dump_begin(&s->dump, NETLINK_NETFILTER, &ask.nlh);

	if (err)
		return err;
	s->dump_err = 0;
	err = watch(s, EPOLL_CTL_ADD, s->dump.socket.fd, EPOLLIN);
	if (err)
		ct_dump_fini(&s->dump);
	return err;
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* Trades the event socket's wakes for the timer's, or back. */
static void set_pace(struct ct_source *s)
{
	const long poll_ns = (long)s->config.poll_us * (s->pace.full ? 2000 : 1000);
	struct itimerspec t = {0};

	if (s->pace.busy) {
		t.it_interval.tv_nsec = t.it_value.tv_nsec = poll_ns;
		(void)watch(s, EPOLL_CTL_MOD, s->events.fd, 0);
	} else {
		(void)watch(s, EPOLL_CTL_MOD, s->events.fd, EPOLLIN);
	}
	(void)timerfd_settime(s->timer_fd, 0, &t, NULL);
}

static int source_poll(struct source *base, unsigned budget, uint64_t now_us)
{
	struct ct_source *s = of(base);
	unsigned for_dump = s->dump.running ? budget / DUMP_SHARE : 0;
	uint64_t expired;
	unsigned records = 0;
	int events;

	grow_older(s, now_us);
	if (s->pace.busy) {
		s->stats.busy_turns++;
		(void)!read(s->timer_fd, &expired, sizeof(expired));
	}
	if (!s->pace.busy || s->turn++ % ADDRESSES_EVERY == 0)
		(void)addresses_refresh(s->addresses);
	events = read_events(s, budget - for_dump);
	if (events < 0)
		return events;
	if (s->dump.running)
		records = read_dump(s, budget - (unsigned)events);
	if (s->dumped) {
		int more = tell_dump_end(s, budget);

		if (more < 0)
			return more;
		events += more;
	}
	if (s->config.poll_us && ct_pace_turn(&s->pace, now_us, (unsigned)events))
		set_pace(s);
	return events + (int)records;
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
	s->rejoined |= s->listening != SOURCE_ALL && what == SOURCE_ALL;
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
	ct_dump_fini(&s->dump);
	ct_socket_close(&s->events);
	ct_socket_close(&s->ask);
	addresses_close(s->addresses);
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
	s->stats.kernel_filter = ct_socket_filter(&s->events, program, count) == 0;
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
		err = watch(s, EPOLL_CTL_ADD, addresses_fd(s->addresses), EPOLLIN);
	return err;
}

static int set_addresses(void *filter, const struct address *all, size_t count)
{
	return ct_filter_set_addresses(filter, all, count);
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
	ct_config_keep_own(&s->config);
	s->own_portid = own_portid;
	s->epoll_fd = s->timer_fd = s->events.fd = s->ask.fd = -1;
	ct_dump_init(&s->dump);
	for (int i = 0; i < BURST; i++) {
		s->parts[i] = (struct iovec){s->bursts[i], MESSAGE_BYTES};
		s->headers[i].msg_hdr = (struct msghdr){.msg_iov = &s->parts[i], .msg_iovlen = 1};
	}
	s->filter = ct_filter_new(c);
	s->config.ignore = NULL; /* the filter has its own copies */
	err = s->filter ? open_events(s) : -ENOMEM;
	if (err == 0)
		err = ct_socket_open(&s->ask, NETLINK_NETFILTER);
	if (err == 0)
		err = addresses_open(set_addresses, s->filter, &s->addresses);
	if (err == 0)
		err = open_waits(s);
	if (err) {
		source_free(&s->base);
		return err;
	}
	*out = &s->base;
	return 0;
}

void ct_source_inform(struct source *s, struct sink *sink)
{
	of(s)->sink = sink;
}

const struct ct_source_stats *ct_source_stats(const struct source *s)
{
	return &of_const(s)->stats;
}
