// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The conntrack sink. The kernel carries a batch out inside send(2), so its answers are there when
 * send returns: an operation goes through its steps (ct_step.h) in as many batches as it needs,
 * usually one, and ends within flush. Results wait in the slots until poll hands them out; an
 * eventfd says that some do.
 *
 * Only the last message of a batch asks for an acknowledgement. Errors come for each message all
 * the same, so silence before the last one's answer means success.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>

#include "syncd/kernel/ct_message.h"
#include "syncd/kernel/ct_recent.h"
#include "syncd/kernel/ct_sink.h"
#include "syncd/kernel/ct_socket.h"
#include "syncd/kernel/ct_step.h"
#include "syncd/kernel/ct_timeouts.h"

enum {
	SLOTS = 1024,	      /* operations taken and not yet reported */
	BATCH_MESSAGES = 128, /* bounded so that all of its errors fit the receive buffer */
	BATCH_BYTES = 65536,
	RCVBUF_BYTES = 4 << 20,
	ANSWER_BYTES = 8192,
	ANSWER_TIMEOUT_MS = 1000,
	READ_BACK_EVERY =
		256,	/* puts: the kernel reports success where it took another port, too */
	LOST_MAX = 3,	/* times that a batch whose answers were lost is sent again */
	KEY_WORDS = 64, /* of the bitmap that tells keys in flight */
};
#define TIMEOUTS_AGE_US (5 * S_US)

struct entry { /* a message of the batch */
	uint16_t slot;
	bool aside; /* clears the way: its own error does not matter */
	int err;
};

struct ct_sink {
	struct sink base;
	struct sink_events to;
	struct ct_config config;
	struct ct_socket socket;
	struct ct_timeouts timeouts;
	uint64_t timeouts_us; /* when they were read */
	struct ct_sink_stats stats;
	int event_fd;
	uint64_t puts;
	bool announced;				       /* event_fd is readable */
	enum { FULL_UNKNOWN, FULL_YES, FULL_NO } full; /* the kernel's table, in this batch */

	struct ct_task slots[SLOTS]; /* a ring: head is the oldest */
	size_t head, count;
	uint16_t todo[SLOTS]; /* a ring of slots with a step to take, likewise */
	size_t todo_head, todo_count;
	uint64_t keys[KEY_WORDS]; /* a bit for each key among todo, by its hash */
	struct ct_recent recent;

	struct ct_batch batch;
	struct entry entries[BATCH_MESSAGES];
	size_t entry_count;
	uint8_t buf[BATCH_BYTES] __attribute__((aligned(8)));
	uint8_t answer[ANSWER_BYTES] __attribute__((aligned(8)));
};

static struct ct_sink *of(struct sink *s)
{
	return (struct ct_sink *)(void *)s;
}

static const struct ct_sink *of_const(const struct sink *s)
{
	return (const struct ct_sink *)(const void *)s;
}

/* ---- a batch --------------------------------------------------------------------------------- */

static bool batch_has_room(const struct ct_sink *s)
{
	return s->entry_count + CT_STEP_MESSAGES <= BATCH_MESSAGES &&
	       s->batch.len + CT_STEP_MESSAGES * CT_MESSAGE_MAX <= BATCH_BYTES;
}

static void write_batch(struct ct_sink *s)
{
	const struct ct_write how = {.timeout_s = s->config.lease_s,
				     .label_mask = s->config.label_mask,
				     .own_label = s->config.own_label};

	s->batch.len = 0;
	s->entry_count = 0;
	while (s->todo_count && batch_has_room(s)) {
		uint16_t slot = s->todo[s->todo_head];
		unsigned n;

		s->todo_head = (s->todo_head + 1) % SLOTS;
		s->todo_count--;
		n = ct_task_write(&s->slots[slot], &how, &s->batch);
		for (unsigned i = 0; i < n; i++)
			s->entries[s->entry_count++] = (struct entry){slot, i + 1 < n, 0};
	}
}

/* Asks for the last message's acknowledgement; its offset is found by walking once more. */
static void mark_last(struct ct_sink *s)
{
	const uint8_t *at = s->buf, *last = at;
	const uint8_t *end = at + s->batch.len;

	while (at < end) {
		uint32_t len;

		memcpy(&len, at, sizeof(len));
		last = at;
		at += NLMSG_ALIGN(len);
	}
	ct_message_want_ack(&s->batch, (size_t)(last - s->buf));
}

/* Takes one answer. Returns true where it is the one to the batch's last message. */
static bool take_answer(struct ct_sink *s, const struct nlmsghdr *nlh)
{
	uint32_t first = s->batch.seq - (uint32_t)s->entry_count;
	uint32_t at = nlh->nlmsg_seq - first;
	struct ct_record r;

	if (at >= s->entry_count)
		return false; /* of a batch given up */
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		if (nlh->nlmsg_len >= NLMSG_HDRLEN + sizeof(s->entries[at].err))
			memcpy(&s->entries[at].err, mnl_nlmsg_get_payload(nlh),
			       sizeof(s->entries[at].err));
		return at == s->entry_count - 1;
	}
	if (nlh->nlmsg_type >> 8 == NFNL_SUBSYS_CTNETLINK &&
	    ct_message_parse(nlh, s->config.label_mask, &r) == 0)
		ct_task_record(&s->slots[s->entries[at].slot], &s->timeouts, &r);
	return false;
}

/* Reads answers up to the one to the last message. Returns 0 or -errno where it is lost. */
static int read_answers(struct ct_sink *s)
{
	for (;;) {
		ssize_t n = recv(s->socket.fd, s->answer, sizeof(s->answer), MSG_DONTWAIT);
		const struct nlmsghdr *nlh = (const void *)s->answer;
		int left = (int)n;

		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = {.fd = s->socket.fd, .events = POLLIN};

			if (poll(&p, 1, ANSWER_TIMEOUT_MS) == 0)
				return -ETIMEDOUT;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			if (take_answer(s, nlh))
				return 0;
	}
}

static bool table_is_full(void)
{
	long count = ct_sysctl_read("nf_conntrack_count");
	long max = ct_sysctl_read("nf_conntrack_max");

	return count >= 0 && max > 0 && count >= max;
}

static void count_refused(struct ct_sink_stats *n, const struct ct_task *t)
{
	n->refused++;
	switch (-t->err) {
	case ENFILE:
		n->full++;
		break;
	case ENOENT: /* of a change: the flow itself is gone, and put there again */
		n->no_master += t->op == SINK_PUT;
		break;
	case ENOMEM:
	case ENOSPC:
		n->no_memory++;
		break;
	default:
		n->odd++;
		n->odd_err = t->err;
		n->odd_key = t->flow.key;
	}
}

static void count_done(struct ct_sink *s, struct ct_task *t)
{
	struct ct_sink_stats *n = &s->stats;
	static const size_t by_op[] = {
		[SINK_PUT] = offsetof(struct ct_sink_stats, inserted),
		[SINK_RENEW] = offsetof(struct ct_sink_stats, renewed),
		[SINK_DEL] = offsetof(struct ct_sink_stats, deleted),
		[SINK_LIBERAL] = offsetof(struct ct_sink_stats, liberal),
		[SINK_EXPIRY] = offsetof(struct ct_sink_stats, expiry),
	};

	if (t->err == -ENOMEM && s->full == FULL_UNKNOWN)
		s->full = table_is_full() ? FULL_YES : FULL_NO;
	if (t->err == -ENOMEM && s->full == FULL_YES)
		t->err = -ENFILE;
	n->clashes += t->clashed;
	n->replaced += t->replaced;
	n->unlabeled += t->unlabeled;
	n->differed += t->differed;
	if (t->err)
		count_refused(n, t);
	else if (t->op == SINK_PUT && t->ended == CT_STEP_UPDATE)
		n->updated++;
	else
		(*(uint64_t *)(void *)((uint8_t *)n + by_op[t->op]))++;
}

static void push_todo(struct ct_sink *s, uint16_t slot)
{
	assert(s->todo_count < SLOTS);
	s->todo[(s->todo_head + s->todo_count++) % SLOTS] = slot;
}

/* Gives each task of the batch its answer. lost: nothing is known of those without an error. */
static void settle(struct ct_sink *s, int send_err, bool lost)
{
	for (size_t i = 0; i < s->entry_count; i++) {
		const struct entry *e = &s->entries[i];
		struct ct_task *t = &s->slots[e->slot];

		if (e->aside)
			continue;
		if (lost && e->err == 0 && t->lost++ < LOST_MAX) {
			push_todo(s, e->slot);
			continue;
		}
		ct_task_answer(t, send_err ? send_err : lost && e->err == 0 ? -ETIMEDOUT : e->err);
		if (t->step == CT_STEP_DONE)
			count_done(s, t);
		else
			push_todo(s, e->slot);
	}
}

/* Has one batch of steps carried out. Returns 0 or -errno of the socket. */
static int run_batch(struct ct_sink *s)
{
	int err, lost = 0;

	s->full = FULL_UNKNOWN;
	write_batch(s);
	mark_last(s);
	err = ct_socket_send(&s->socket, s->buf, s->batch.len);
	s->stats.batches++;
	if (err == 0)
		lost = read_answers(s);
	if (lost)
		s->stats.lost_acks++;
	settle(s, err, lost != 0);
	return err;
}

static int run_all(struct ct_sink *s)
{
	int err = 0;

	while (s->todo_count) {
		int e = run_batch(s);

		err = err ? err : e;
	}
	memset(s->keys, 0, sizeof(s->keys));
	return err;
}

/* ---- operations ------------------------------------------------------------------------------ */

static void announce(struct ct_sink *s)
{
	const uint64_t one = 1;

	if (!s->announced && s->count && s->slots[s->head].step == CT_STEP_DONE) {
		(void)!write(s->event_fd, &one, sizeof(one));
		s->announced = true;
	}
}

/*
 * Two operations on one flow keep their order: a clash takes the first one further batches, so the
 * second waits until it is done.
 */
static bool meets_earlier(struct ct_sink *s, uint64_t hash)
{
	uint64_t *word = &s->keys[hash / 64 % KEY_WORDS];
	uint64_t bit = 1ull << (hash % 64);
	bool met = *word & bit;

	*word |= bit;
	return met;
}

static int sink_submit(struct sink *base, enum sink_op op, const struct flow *f)
{
	struct ct_sink *s = of(base);
	uint64_t hash = ct_recent_hash(&f->key);
	bool known = false;
	size_t slot;

	if (s->count == SLOTS)
		return -EAGAIN;
	if (meets_earlier(s, hash)) {
		(void)run_all(s);
		(void)meets_earlier(s, hash);
	}
	if (op == SINK_PUT) {
		known = ct_recent_put(&s->recent, hash, f);
		s->stats.nat4 += f->ct.status & IPS_NAT_MASK && f->key.addr_len == 4;
		s->stats.nat6 += f->ct.status & IPS_NAT_MASK && f->key.addr_len == 16;
	}
	if (op == SINK_DEL)
		ct_recent_del(&s->recent, hash);
	slot = (s->head + s->count++) % SLOTS;
	ct_task_begin(&s->slots[slot], op, f, known);
	s->slots[slot].sample = op == SINK_PUT && s->puts++ % READ_BACK_EVERY == 0;
	push_todo(s, (uint16_t)slot);
	if (s->todo_count >= BATCH_MESSAGES - CT_STEP_MESSAGES) {
		(void)run_all(s);
		announce(s);
	}
	return 0;
}

static int sink_flush(struct sink *base, uint64_t now_us)
{
	struct ct_sink *s = of(base);
	int err;

	if (now_us - s->timeouts_us > TIMEOUTS_AGE_US) {
		ct_timeouts_read(&s->timeouts);
		s->timeouts_us = now_us;
	}
	err = run_all(s);
	announce(s);
	return err;
}

static int sink_poll(struct sink *base, uint64_t now_us)
{
	struct ct_sink *s = of(base);
	uint64_t cleared;
	int done = 0;

	(void)now_us;
	if (s->announced) {
		(void)!read(s->event_fd, &cleared, sizeof(cleared));
		s->announced = false;
	}
	/* A callback may submit more: those are left for the next call. */
	for (size_t left = s->count; left && s->slots[s->head].step == CT_STEP_DONE; left--) {
		const struct ct_task *t = &s->slots[s->head];

		s->to.on_result(s->to.ctx, t->op, &t->flow, t->err);
		s->head = (s->head + 1) % SLOTS;
		s->count--;
		done++;
	}
	announce(s);
	return done;
}

static int sink_fd(const struct sink *base)
{
	return of_const(base)->event_fd;
}

static size_t sink_pending(const struct sink *base)
{
	return of_const(base)->count;
}

static void sink_free(struct sink *base)
{
	struct ct_sink *s = base ? of(base) : NULL;

	if (!s)
		return;
	ct_socket_close(&s->socket);
	if (s->event_fd >= 0)
		close(s->event_fd);
	ct_recent_fini(&s->recent);
	free(s);
}

static const struct sink_ops ops = {
	.name = "ctnetlink",
	.capacity = SLOTS,
	.submit = sink_submit,
	.flush = sink_flush,
	.fd = sink_fd,
	.poll = sink_poll,
	.pending = sink_pending,
	.free = sink_free,
};

int ct_sink_open(const struct ct_config *c, const struct sink_events *events, struct sink **out)
{
	struct ct_sink *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->base.ops = &ops;
	s->to = *events;
	s->config = *c;
	ct_config_keep_own(&s->config);
	s->config.ignore = NULL;
	s->batch = (struct ct_batch){.buf = s->buf, .seq = 1};
	s->socket.fd = -1;
	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = s->event_fd < 0 ? -errno : ct_socket_open(&s->socket, NETLINK_NETFILTER);
	if (err == 0)
		err = ct_recent_init(&s->recent);
	if (err) {
		sink_free(&s->base);
		return err;
	}
	(void)ct_socket_set_rcvbuf(&s->socket, RCVBUF_BYTES); /* a batch's errors fit any */
	ct_timeouts_read(&s->timeouts);
	*out = &s->base;
	return 0;
}

uint32_t ct_sink_portid(const struct sink *s)
{
	return of_const(s)->socket.portid;
}

void ct_sink_forget(struct sink *base, const struct flow_key *key)
{
	struct ct_sink *s = of(base);

	if (key)
		ct_recent_del(&s->recent, ct_recent_hash(key));
	else
		ct_recent_clear(&s->recent);
}

const struct ct_sink_stats *ct_sink_stats(const struct sink *s)
{
	return &of_const(s)->stats;
}
