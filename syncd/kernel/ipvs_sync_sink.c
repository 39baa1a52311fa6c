// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See ipvs_sync_sink.h. Messages are sent to the backup thread in rounds that its socket's buffer
 * holds at any setting. A round is over when the thread has taken all of it, which is looked for
 * every half millisecond; one that was lost in part is sent again, for doing it twice does no harm.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "syncd/kernel/ipvs_arrival.h"
#include "syncd/kernel/ipvs_daemon.h"
#include "syncd/kernel/ipvs_flow.h"
#include "syncd/kernel/ipvs_queue.h"
#include "syncd/kernel/ipvs_sync_message.h"
#include "syncd/kernel/ipvs_sync_sink.h"

enum {
	MESSAGE_BYTES = 1472, /* what a frame of the dummy interface holds, as the thread expects */
	ROUND_MESSAGES = 16,  /* some 40 KiB of kernel memory: a fifth of the smallest default */
	LOOK_US = 500,
	TRIES_MAX = 5,
};
#define ROUND_TIMEOUT_US (500 * MS_US)

struct ipvs_sync_sink {
	struct sink base;
	struct sink_events to;
	uint32_t lease_s;
	struct ipvs_daemon daemon;
	struct ipvs_queue queue;
	size_t settled;	   /* of the queue's oldest, how many are done */
	size_t under_way;  /* after them, sent and not yet known to be taken */
	unsigned messages; /* that the round took */
	unsigned tries;	   /* of the round */
	uint64_t sent_us;  /* when the round was sent */
	struct ipvs_arrival before;
	int socket, timer_fd, epoll_fd;
	ipvs_sync_sink_fn *watcher;
	void *watcher_ctx;
	struct ipvs_sync_sink_stats stats;
	uint8_t buf[MESSAGE_BYTES];
};

static struct ipvs_sync_sink *of(struct sink *s)
{
	return (struct ipvs_sync_sink *)(void *)s;
}

static const struct ipvs_sync_sink *of_const(const struct sink *s)
{
	return (const struct ipvs_sync_sink *)(const void *)s;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void set_timer(struct ipvs_sync_sink *s, bool on)
{
	struct itimerspec t = {0};

	if (on)
		t.it_interval.tv_nsec = t.it_value.tv_nsec = LOOK_US * 1000L;
	(void)timerfd_settime(s->timer_fd, 0, &t, NULL);
}

static bool is_template(const struct flow *f)
{
	return f->key.sport == 0;
}

/*
 * A record has one timeout, which a connection's first packet here sets right, but a template
 * keeps: it gets its own, and when that ends on a standby it is put again.
 */
static uint32_t timeout_of(const struct ipvs_sync_sink *s, const struct flow *f)
{
	return is_template(f) && f->ipvs.timeout_s ? f->ipvs.timeout_s : s->lease_s;
}

/*
 * Adds what the task asks of the kernel. Returns false where the message is full. What a message
 * cannot do counts as done: the time left on an active node is set by packets.
 */
static bool write_task(struct ipvs_sync_sink *s, const struct ipvs_task *t,
		       struct ipvs_sync_writer *w)
{
	const struct flow *f = &t->flow;

	switch (t->op) {
	case SINK_PUT:
	case SINK_RENEW:
		return !ipvs_sync_fits(f) || ipvs_sync_add(w, f, timeout_of(s, f));
	case SINK_DEL:
		return ipvs_sync_add_end(w, &f->key);
	case SINK_EXPIRY:
	case SINK_LIBERAL:
		break;
	}
	return true;
}

static void send_message(struct ipvs_sync_sink *s, struct ipvs_sync_writer *w)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(IPVS_SYNC_PORT),
				 .sin_addr = {htonl(0xe0000051)}}; /* IP_VS_SYNC_GROUP */

	ipvs_sync_end(w);
	/* One that was not sent is not taken either, which is seen. */
	(void)!sendto(s->socket, w->buf, w->len, MSG_DONTWAIT, (const struct sockaddr *)&to,
		      sizeof(to));
	s->messages++;
	s->stats.messages++;
	s->stats.records += w->count;
}

/* Sends what the queue has from `settled` on, as far as a round goes. */
static void send_round(struct ipvs_sync_sink *s, uint64_t now_us)
{
	struct ipvs_sync_writer w;
	size_t i = s->settled;

	(void)ipvs_arrival_read(&s->before);
	s->messages = 0;
	ipvs_sync_begin(&w, s->buf, sizeof(s->buf), IPVS_DAEMON_ID);
	while (i < s->queue.count) {
		if (write_task(s, ipvs_queue_at(&s->queue, i), &w)) {
			i++;
			continue;
		}
		send_message(s, &w);
		ipvs_sync_begin(&w, s->buf, sizeof(s->buf), IPVS_DAEMON_ID);
		if (s->messages == ROUND_MESSAGES)
			break;
	}
	if (w.count)
		send_message(s, &w);
	s->under_way = i - s->settled;
	s->sent_us = now_us;
	s->stats.rounds++;
}

static void tell_watcher(const struct ipvs_sync_sink *s, const struct ipvs_task *t)
{
	if (s->watcher && (t->op == SINK_PUT || t->op == SINK_RENEW || t->op == SINK_DEL))
		s->watcher(s->watcher_ctx, t->op, &t->flow, timeout_of(s, &t->flow), s->sent_us);
}

static void end_round(struct ipvs_sync_sink *s, int err)
{
	for (size_t i = 0; i < s->under_way; i++) {
		struct ipvs_task *t = ipvs_queue_at(&s->queue, s->settled + i);
		bool unfit =
			(t->op == SINK_PUT || t->op == SINK_RENEW) && !ipvs_sync_fits(&t->flow);

		s->stats.unfit += unfit;
		ipvs_task_done(t, unfit ? -EAFNOSUPPORT : err);
		if (t->err == 0)
			tell_watcher(s, t);
	}
	s->settled += s->under_way;
	s->under_way = 0;
	s->tries = 0;
	ipvs_queue_announce(&s->queue);
}

enum round { ROUND_WAITS, ROUND_TAKEN, ROUND_LOST };

static enum round look(struct ipvs_sync_sink *s, uint64_t now_us)
{
	struct ipvs_arrival a;

	if (s->messages == 0)
		return ROUND_TAKEN;
	s->stats.waits++;
	if (ipvs_arrival_read(&a) == 0 && a.there && a.waiting == 0) {
		if (a.dropped != s->before.dropped)
			return ROUND_LOST;
		if (a.taken - s->before.taken >= s->messages)
			return ROUND_TAKEN;
	}
	return now_us - s->sent_us > ROUND_TIMEOUT_US ? ROUND_LOST : ROUND_WAITS;
}

/* Takes rounds as far as they go without waiting. */
static void advance(struct ipvs_sync_sink *s, uint64_t now_us)
{
	bool waits = false;

	while (!waits && (s->under_way || s->settled < s->queue.count)) {
		if (!s->under_way)
			send_round(s, now_us);
		switch (look(s, now_us)) {
		case ROUND_WAITS:
			waits = true;
			break;
		case ROUND_TAKEN:
			end_round(s, 0);
			break;
		case ROUND_LOST:
			if (++s->tries < TRIES_MAX) {
				s->stats.again++;
				send_round(s, now_us);
			} else {
				s->stats.lost += s->under_way;
				end_round(s, -EIO);
			}
			break;
		}
	}
	set_timer(s, waits);
}

/* ---- operations ------------------------------------------------------------------------------ */

static int sink_submit(struct sink *base, enum sink_op op, const struct flow *f)
{
	return ipvs_queue_add(&of(base)->queue, op, f);
}

static int sink_flush(struct sink *base, uint64_t now_us)
{
	struct ipvs_sync_sink *s = of(base);

	if (!s->under_way)
		advance(s, now_us);
	return 0;
}

static int sink_poll(struct sink *base, uint64_t now_us)
{
	struct ipvs_sync_sink *s = of(base);
	uint64_t expired;
	int reported;

	if (read(s->timer_fd, &expired, sizeof(expired)) > 0)
		advance(s, now_us);
	reported = ipvs_queue_report(&s->queue, &s->to);
	s->settled -= (size_t)reported;
	return reported;
}

static int sink_fd(const struct sink *base)
{
	return of_const(base)->epoll_fd;
}

static size_t sink_pending(const struct sink *base)
{
	return of_const(base)->queue.count;
}

static void sink_free(struct sink *base)
{
	struct ipvs_sync_sink *s = base ? of(base) : NULL;

	if (!s)
		return;
	ipvs_daemon_stop(&s->daemon);
	if (s->socket >= 0)
		close(s->socket);
	if (s->timer_fd >= 0)
		close(s->timer_fd);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	ipvs_queue_fini(&s->queue);
	free(s);
}

static const struct sink_ops ops = {
	.name = "kernel-sync",
	.capacity = IPVS_QUEUE_MAX,
	.submit = sink_submit,
	.flush = sink_flush,
	.fd = sink_fd,
	.poll = sink_poll,
	.pending = sink_pending,
	.free = sink_free,
};

static int open_socket(struct ipvs_sync_sink *s)
{
	struct ip_mreqn to = {.imr_ifindex = s->daemon.ifindex};
	int on = 1;

	s->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s->socket < 0 ||
	    setsockopt(s->socket, IPPROTO_IP, IP_MULTICAST_IF, &to, sizeof(to)) < 0 ||
	    setsockopt(s->socket, IPPROTO_IP, IP_MULTICAST_LOOP, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

static int open_waits(struct ipvs_sync_sink *s)
{
	struct epoll_event e = {.events = EPOLLIN};

	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->epoll_fd < 0 || s->timer_fd < 0 ||
	    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->timer_fd, &e) < 0 ||
	    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->queue.event_fd, &e) < 0)
		return -errno;
	return 0;
}

int ipvs_sync_sink_open(unsigned lease_s, const struct sink_events *events, struct sink **out)
{
	struct ipvs_sync_sink *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->base.ops = &ops;
	s->to = *events;
	s->lease_s = lease_s;
	s->socket = s->timer_fd = s->epoll_fd = -1;
	err = ipvs_queue_init(&s->queue);
	if (err == 0)
		err = ipvs_daemon_start(&s->daemon, IPVS_DAEMON_BACKUP, 0);
	if (err == 0)
		err = open_socket(s);
	if (err == 0)
		err = open_waits(s);
	if (err) {
		sink_free(&s->base);
		return err;
	}
	*out = &s->base;
	return 0;
}

void ipvs_sync_sink_watch(struct sink *base, ipvs_sync_sink_fn *fn, void *ctx)
{
	struct ipvs_sync_sink *s = of(base);

	s->watcher = fn;
	s->watcher_ctx = ctx;
}

const struct ipvs_sync_sink_stats *ipvs_sync_sink_stats(const struct sink *s)
{
	return &of_const(s)->stats;
}
