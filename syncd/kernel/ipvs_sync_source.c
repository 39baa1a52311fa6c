// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See ipvs_sync_source.h. One memory (ipvs_known.h) of what the kernel has, which three tellers
 * fill: the tap and conntrack while the node is active, the sink while it stands by. A pass reads
 * /proc against it, and a dump is a pass whose flows are handed out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "syncd/kernel/ipvs_ct_hint.h"
#include "syncd/kernel/ipvs_flow.h"
#include "syncd/kernel/ipvs_known.h"
#include "syncd/kernel/ipvs_proc.h"
#include "syncd/kernel/ipvs_scan.h"
#include "syncd/kernel/ipvs_sync_source.h"
#include "syncd/kernel/ipvs_tap.h"

/* A pass costs half a processor while it runs, and then nothing for nine times as long. */
enum { REST = 9 };
#define REST_MIN_US	 (5 * S_US)
#define SERVERS_FRESH_US S_US
#define SLACK_US	 (2 * S_US) /* timers are coarse, and a line waits in the pipe */
#define LATELY_US	 (2 * S_US) /* what was told so lately /proc does not know better */

struct ipvs_sync_source {
	struct source base;
	struct source_events to;
	struct ipvs_tap *tap;
	struct ipvs_ct_hint hint;
	struct ipvs_scan *scan;
	struct ipvs_known *known;
	struct ipvs_servers *servers;
	uint64_t servers_us;		 /* when they were read */
	int epoll_fd, timer_fd, more_fd; /* more_fd: an eventfd, readable while work is left */
	enum source_listen listening;
	bool dumping;	 /* asked for and not ended */
	bool handing;	 /* the pass that runs is its */
	bool judging;	 /* the pass was read to its end */
	uint64_t now_us; /* of this turn */
	uint64_t pass_us;
};

static struct ipvs_sync_source *of(struct source *s)
{
	return (struct ipvs_sync_source *)(void *)s;
}

static const struct ipvs_sync_source *of_const(const struct source *s)
{
	return (const struct ipvs_sync_source *)(const void *)s;
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void tell(struct ipvs_sync_source *s, enum flow_event what, const struct flow *f)
{
	if (s->listening == SOURCE_ALL || (s->listening && what == FLOW_DESTROY))
		s->to.on_event(s->to.ctx, what, f, FLOW_PART_ALL, false);
}

static void on_tapped(void *ctx, const struct ipvs_sync_record *r)
{
	struct ipvs_sync_source *s = ctx;
	uint64_t life_us = ((uint64_t)r->timeout_s + IPVS_TAP_REFRESH_S) * S_US + SLACK_US;

	if (s->listening != SOURCE_ALL)
		return;
	if (!r->wanted || !ipvs_flow_ripe(&r->flow) || ipvs_flow_is_end(&r->flow))
		return;
	(void)ipvs_known_put(s->known, &r->flow, true, s->now_us, s->now_us + life_us);
	tell(s, FLOW_UPDATE, &r->flow);
}

/* Until the tap tells more, the next pass knows when it ends. */
static void on_hint(void *ctx, const struct flow *f)
{
	struct ipvs_sync_source *s = ctx;

	if (s->listening != SOURCE_ALL || ipvs_known_get(s->known, &f->key, NULL))
		return;
	(void)ipvs_known_put(s->known, f, true, s->now_us, UINT64_MAX);
	tell(s, FLOW_UPDATE, f);
}

static void refresh_servers(struct ipvs_sync_source *s, uint64_t now_us)
{
	struct ipvs_servers *servers = ipvs_servers_read();

	s->servers_us = now_us;
	if (!servers)
		return;
	ipvs_servers_free(s->servers);
	s->servers = servers;
}

/* Whether the kernel finds a server for it now. */
static bool has_server(struct ipvs_sync_source *s, const struct flow *f, uint64_t now_us)
{
	struct flow copy = *f;
	uint32_t timeout_ms;

	if (ipvs_servers_complete(s->servers, &copy, &timeout_ms))
		return true;
	if (now_us - s->servers_us < SERVERS_FRESH_US)
		return false;
	refresh_servers(s, now_us);
	return ipvs_servers_complete(s->servers, &copy, &timeout_ms);
}

void ipvs_sync_source_on_done(void *source, enum sink_op op, const struct flow *f,
			      uint32_t timeout_s, uint64_t now_us)
{
	struct ipvs_sync_source *s = source;
	uint64_t ends_us = now_us + (uint64_t)timeout_s * S_US + SLACK_US;

	if (op == SINK_DEL)
		ipvs_known_del(s->known, &f->key);
	else if (op == SINK_PUT || !ipvs_known_get(s->known, &f->key, NULL))
		(void)ipvs_known_put(s->known, f, has_server(s, f, now_us), now_us, ends_us);
	else
		ipvs_known_seen(s->known, &f->key, ends_us);
}

/* ---- what /proc shows ------------------------------------------------------------------------ */

static void hand_out(struct ipvs_sync_source *s, const struct flow *f)
{
	if (s->handing && ipvs_flow_ripe(f))
		s->to.on_dump(s->to.ctx, f, false);
}

/* One that nobody told of: idle since before we came, or late in the tap. */
static void found_unknown(struct ipvs_sync_source *s, struct ipvs_proc_line *l, uint64_t ends_us)
{
	uint32_t timeout_ms;

	if (!ipvs_servers_complete(s->servers, &l->flow, &timeout_ms) ||
	    !ipvs_flow_take(&l->flow, l->flow.ipvs.flags, timeout_ms) || !ipvs_flow_ripe(&l->flow))
		return;
	(void)ipvs_known_put(s->known, &l->flow, true, 0, ends_us);
	tell(s, FLOW_UPDATE, &l->flow);
	hand_out(s, &l->flow);
}

/* It came to a standby before its service did: put again, it is bound. */
static bool must_be_bound(const struct ipvs_sync_source *s, const struct ipvs_known_entry *e)
{
	struct flow copy = e->flow;
	uint32_t timeout_ms;

	return s->listening != SOURCE_ALL && !e->bound &&
	       ipvs_servers_complete(s->servers, &copy, &timeout_ms);
}

static void found_known(struct ipvs_sync_source *s, struct ipvs_known_entry *e,
			const struct ipvs_proc_line *l, uint64_t ends_us)
{
	bool fresh = e->told_us && s->now_us - e->told_us < LATELY_US;

	if (l->flow.ipvs.state != e->flow.ipvs.state && !fresh) {
		uint8_t pe_data[FLOW_PE_DATA_MAX]; /* e borrows what the put replaces */

		if (e->flow.key.pe_data_len) {
			memcpy(pe_data, e->flow.key.pe_data, e->flow.key.pe_data_len);
			e->flow.key.pe_data = pe_data;
		}
		ipvs_flow_set_state(&e->flow, l->flow.ipvs.state);
		(void)ipvs_known_put(s->known, &e->flow, e->bound, e->told_us, ends_us);
		tell(s, FLOW_UPDATE, &e->flow);
		hand_out(s, &e->flow);
		return;
	}
	ipvs_known_seen(s->known, &e->flow.key, ends_us);
	if (!must_be_bound(s, e))
		hand_out(s, &e->flow);
}

static void on_line(void *ctx, char *line)
{
	struct ipvs_sync_source *s = ctx;
	struct ipvs_known_entry e;
	struct ipvs_proc_line l;
	struct flow_key key;
	uint64_t ends_us;

	if (ipvs_proc_read_line(line, &l) || ipvs_flow_is_end(&l.flow))
		return;
	key = l.flow.key;
	ipvs_flow_key_from_kernel(&key);
	ends_us = s->now_us + (uint64_t)l.expires_s * S_US + SLACK_US;
	if (ipvs_known_get(s->known, &key, &e) && e.flow.ipvs.dport == l.flow.ipvs.dport &&
	    memcmp(&e.flow.ipvs.dest, &l.flow.ipvs.dest, sizeof(e.flow.ipvs.dest)) == 0)
		found_known(s, &e, &l, ends_us);
	else
		found_unknown(s, &l, ends_us);
}

static void on_unseen(void *ctx, const struct ipvs_known_entry *e, bool gone)
{
	struct ipvs_sync_source *s = ctx;

	if (gone)
		tell(s, FLOW_DESTROY, &e->flow);
	else
		hand_out(s, &e->flow);
}

/* ---- passes ---------------------------------------------------------------------------------- */

static void set_timer(struct ipvs_sync_source *s, uint64_t in_us)
{
	struct itimerspec t = {0};

	t.it_value.tv_sec = (time_t)(in_us / S_US);
	t.it_value.tv_nsec = (long)(in_us % S_US) * 1000 + 1;
	(void)timerfd_settime(s->timer_fd, 0, &t, NULL);
}

static void more(struct ipvs_sync_source *s)
{
	const uint64_t one = 1;

	(void)!write(s->more_fd, &one, sizeof(one));
}

static void end_pass(struct ipvs_sync_source *s, int err)
{
	bool handing = s->handing;
	uint64_t rest_us = REST * (s->now_us - s->pass_us);

	s->judging = s->handing = false;
	set_timer(s, s->dumping && !handing ? 0 : rest_us > REST_MIN_US ? rest_us : REST_MIN_US);
	if (handing) {
		s->dumping = false;
		s->to.on_dump_end(s->to.ctx, err);
	}
}

static void begin_pass(struct ipvs_sync_source *s)
{
	struct epoll_event e = {.events = EPOLLIN};
	int err;

	if (s->judging || ipvs_scan_running(s->scan) || (!s->dumping && !s->listening))
		return;
	ipvs_ct_hint_listen(&s->hint, s->listening == SOURCE_ALL);
	refresh_servers(s, s->now_us);
	s->pass_us = s->now_us;
	s->handing = s->dumping;
	ipvs_known_begin(s->known);
	err = ipvs_scan_begin(s->scan);
	if (err == 0 && epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, ipvs_scan_fd(s->scan), &e) < 0) {
		err = -errno;
		ipvs_scan_abort(s->scan);
	}
	if (err)
		end_pass(s, err);
}

static unsigned read_pass(struct ipvs_sync_source *s, unsigned budget)
{
	bool ended;
	int err;
	unsigned done = ipvs_scan_poll(s->scan, budget, on_line, s, &ended, &err);

	s->judging = ended && !err;
	if (ended && err)
		end_pass(s, err);
	if (s->judging || done == budget)
		more(s);
	return done;
}

static int source_dump(struct source *base)
{
	struct ipvs_sync_source *s = of(base);

	if (s->dumping)
		return -EBUSY;
	s->dumping = true;
	/* One that runs may have passed what is in doubt. */
	ipvs_scan_abort(s->scan);
	s->judging = false;
	set_timer(s, 0);
	return 0;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static int source_poll(struct source *base, unsigned budget, uint64_t now_us)
{
	struct ipvs_sync_source *s = of(base);
	uint64_t cleared;
	bool overrun;
	unsigned done;
	int n;

	s->now_us = now_us;
	(void)!read(s->more_fd, &cleared, sizeof(cleared));
	if (read(s->timer_fd, &cleared, sizeof(cleared)) > 0)
		begin_pass(s);
	n = ipvs_tap_poll(s->tap, budget / 2 + 1, on_tapped, s, &overrun);
	if (n < 0)
		return n;
	if (overrun)
		s->to.on_overrun(s->to.ctx);
	done = (unsigned)n + ipvs_ct_hint_poll(&s->hint, budget / 4 + 1, on_hint, s);
	if (ipvs_scan_running(s->scan))
		done += read_pass(s, budget / 2 + 1);
	if (s->judging) {
		if (ipvs_known_judge(s->known, now_us, budget + 1, on_unseen, s))
			end_pass(s, 0);
		else
			more(s);
	}
	return (int)done;
}

static int source_listen(struct source *base, enum source_listen what)
{
	struct ipvs_sync_source *s = of(base);

	if (s->listening == SOURCE_NOTHING && what)
		set_timer(s, REST_MIN_US);
	s->listening = what;
	ipvs_ct_hint_listen(&s->hint, what == SOURCE_ALL);
	return 0;
}

static int source_fd(const struct source *base)
{
	return of_const(base)->epoll_fd;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void source_free(struct source *base)
{
	struct ipvs_sync_source *s = base ? of(base) : NULL;

	if (!s)
		return;
	ipvs_tap_close(s->tap);
	ipvs_ct_hint_close(&s->hint);
	ipvs_scan_free(s->scan);
	ipvs_known_free(s->known);
	ipvs_servers_free(s->servers);
	close_fd(s->epoll_fd);
	close_fd(s->timer_fd);
	close_fd(s->more_fd);
	free(s);
}

static const struct source_ops ops = {
	.name = "kernel-sync",
	.listen = source_listen,
	.fd = source_fd,
	.poll = source_poll,
	.dump = source_dump,
	.free = source_free,
};

/* ---- opening --------------------------------------------------------------------------------- */

static int watch(struct ipvs_sync_source *s, int fd)
{
	struct epoll_event e = {.events = EPOLLIN};

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int open_waits(struct ipvs_sync_source *s)
{
	int err;

	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	s->more_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->epoll_fd < 0 || s->timer_fd < 0 || s->more_fd < 0)
		return -errno;
	err = watch(s, s->timer_fd);
	if (err == 0)
		err = watch(s, s->more_fd);
	if (err == 0)
		err = watch(s, ipvs_tap_fd(s->tap));
	if (err == 0 && s->hint.events.fd >= 0)
		err = watch(s, s->hint.events.fd);
	return err;
}

int ipvs_sync_source_open(size_t rcvbuf_bytes, const struct source_events *events,
			  struct source **out)
{
	struct ipvs_sync_source *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->base.ops = &ops;
	s->to = *events;
	s->epoll_fd = s->timer_fd = s->more_fd = -1;
	ipvs_ct_hint_open(&s->hint, rcvbuf_bytes);
	s->known = ipvs_known_new();
	s->servers = ipvs_servers_read();
	err = s->known && s->servers ? ipvs_scan_new(&s->scan) : -ENOMEM;
	if (err == 0)
		err = ipvs_tap_open(rcvbuf_bytes, &s->tap);
	if (err == 0)
		err = open_waits(s);
	if (err) {
		source_free(&s->base);
		return err;
	}
	*out = &s->base;
	return 0;
}
