// SPDX-License-Identifier: GPL-2.0-or-later
/* What the engine asks of the daemon: datagrams out, groups of flows, edges, terms; and datagrams
 * in. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "syncd/daemon.h"
#include "syncd/daemon_journal.h"

enum {
	DATAGRAMS_PER_TURN = 512,
};

/* Five hellos missed on a link while another brings them. */
#define LINK_SILENT_US (5 * HELLO_INTERVAL_US)
#define SAY_LOSSES_US  (60 * S_US)

static uint64_t clock_us(clockid_t id)
{
	struct timespec t;

	(void)clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * S_US + (uint64_t)t.tv_nsec / 1000;
}

struct engine_now daemon_now(void)
{
	return (struct engine_now){
		.mono_us = clock_us(CLOCK_MONOTONIC),
		.wall_us = clock_us(CLOCK_REALTIME),
	};
}

/* duplicate: every link carries everything. failover: data goes by the first that works; control by
 * all, which is how a link is known to work. */
static void io_send(void *ctx, const uint8_t *dgram, size_t len)
{
	struct daemon *d = ctx;
	struct frame_header h;
	bool one = d->cfg->sync.mode == CONFIG_FAILOVER && !frame_header_read(dgram, len, &h) &&
		   h.kind == FRAME_DATA;

	for (size_t i = 0; i < d->links; i++)
		if (!one || i == d->data_link)
			link_send(d->link[i].link, dgram, len);
}

static uint32_t io_classify(void *ctx, const struct flow_key *key)
{
	const struct daemon *d = ctx;

	return config_match_classify(d->match, key);
}

static struct source *io_source(void *ctx, enum flow_kind kind)
{
	const struct daemon *d = ctx;

	return d->edge[kind].source;
}

static struct sink *io_sink(void *ctx, enum flow_kind kind)
{
	const struct daemon *d = ctx;

	return d->edge[kind].sink;
}

static void io_store_term(void *ctx, uint32_t group, struct term highest, enum node_role role)
{
	struct daemon *d = ctx;
	int err = daemon_store_term(d, group, highest, role);

	daemon_journal_term(d, group, highest, role);
	if (err)
		log_error("group %u: term %llu could not be kept in %s: %s: after a restart it may "
			  "be taken twice; make room there",
			  group, (unsigned long long)highest.number, d->cfg->top.state_dir,
			  strerror(-err));
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are struct engine_io's */
static void io_record(void *ctx, enum engine_record what, uint16_t node, uint64_t session,
		      uint64_t counter, const uint8_t *bytes, size_t len)
{
	daemon_journal_record(ctx, what, node, session, counter, bytes, len);
}

struct engine_io daemon_engine_io(struct daemon *d)
{
	return (struct engine_io){
		.send = io_send,
		.classify = io_classify,
		.source = io_source,
		.sink = io_sink,
		.store_term = io_store_term,
		.on_state = daemon_on_state,
		.on_record = io_record,
		.on_alarm = daemon_on_alarm,
		.ctx = d,
	};
}

/* A copy of what another link brought first. An older one may be a recording. */
static bool is_copy(const struct peer *p, const struct frame_header *f)
{
	return f->kind == FRAME_CONTROL && f->counter + COPY_WITHIN > p->control_counter;
}

/* The engine does not know links: where it has just heard from the sender, that was by this one. */
static void note_heard(struct daemon_link *l, const uint8_t *dgram, size_t len, uint64_t now_us,
		       bool seen_before)
{
	struct daemon_heard *h = l->d->heard;
	struct frame_header frame;
	const struct peer *p;
	bool first;

	if (frame_header_read(dgram, len, &frame))
		return;
	p = peers_by_node(engine_peers(l->d->engine), frame.node);
	if (!p || p->session != frame.session)
		return;
	first = p->heard_us == now_us && !seen_before;
	if (!first && !(seen_before && is_copy(p, &frame)))
		return;
	for (size_t i = 0; i < NODES_MAX; i++)
		if (h[i].node == frame.node || h[i].node == 0) {
			h[i].node = frame.node;
			h[i].link = first || !h[i].link ? l->link : h[i].link;
			h[i].at_us[l - l->d->link] = now_us;
			return;
		}
}

const char *daemon_peer_link(void *daemon, uint16_t node)
{
	const struct daemon *d = daemon;

	for (size_t i = 0; i < NODES_MAX; i++)
		if (d->heard[i].node == node && node != 0)
			return link_name(d->heard[i].link);
	return NULL;
}

static void on_datagram(void *ctx, const uint8_t *dgram, size_t len)
{
	struct daemon_link *l = ctx;
	struct engine_now now = daemon_now();

	const uint64_t replayed = engine_counters(l->d->engine)->replayed;

	engine_set_link(l->d->engine, (unsigned)(l - l->d->link));
	engine_on_datagram(l->d->engine, dgram, len, now);
	note_heard(l, dgram, len, now.mono_us, engine_counters(l->d->engine)->replayed != replayed);
}

static void on_link(struct ev_loop *loop, ev_io *w, int revents)
{
	struct daemon_link *l = w->data;
	int n = link_receive(l->link, DATAGRAMS_PER_TURN, on_datagram, l);

	(void)loop;
	(void)revents;
	/* ENETDOWN comes once when the interface goes down; daemon_watch_links speaks of that. */
	if (n < 0 && log_allow(&l->d->limit_datagram, daemon_now().mono_us, 10 * S_US, NULL))
		log_warning("link %s: receive: %s", link_name(l->link), strerror(-n));
}

/* Those named in sync { links }, which config_check has put first; without it all. */
int daemon_open_links(struct daemon *d)
{
	size_t n = d->cfg->sync.links.n ? d->cfg->sync.links.n : d->cfg->links;
	char err[LINK_ERROR_MAX];

	for (size_t i = 0; i < n && i < LINKS_MAX; i++) {
		struct daemon_link *l = &d->link[d->links];
		int rc = link_open(&d->cfg->link[i], &l->link, err);

		if (rc) {
			log_error("%s", err);
			return rc == -EPERM || rc == -EACCES ? EXIT_RIGHTS
			       : rc == -ENODEV		     ? EXIT_USAGE
							     : EXIT_RUNTIME;
		}
		l->d = d;
		l->was_up = true;
		ev_io_init(&l->io, on_link, link_fd(l->link), EV_READ);
		l->io.data = l;
		ev_io_start(d->loop, &l->io);
		d->links++;
	}
	return 0;
}

/* A link works that has a carrier and brings what every node sends that is heard at all. */
static bool link_works(const struct daemon *d, size_t link, uint64_t now_us)
{
	for (size_t n = 0; n < NODES_MAX && d->heard[n].node; n++) {
		const uint64_t *at_us = d->heard[n].at_us;
		bool alive = false;

		for (size_t i = 0; i < d->links; i++)
			alive |= at_us[i] + LINK_SILENT_US > now_us;
		if (alive && at_us[link] + LINK_SILENT_US <= now_us)
			return false;
	}
	return d->link[link].was_up;
}

static void choose_data_link(struct daemon *d)
{
	uint64_t now_us = daemon_now().mono_us;
	size_t link = 0;

	while (link < d->links && !link_works(d, link, now_us))
		link++;
	if (link == d->links || link == d->data_link) /* none is better than another */
		return;
	log_notice("data goes by link %s, no longer by %s", link_name(d->link[link].link),
		   link_name(d->link[d->data_link].link));
	d->data_link = link;
}

/* What a link loses by itself, which nothing else would tell. What a full buffer loses is sent
 * again.
 */
static void say_losses(struct daemon_link *l, uint64_t now_us)
{
	const struct link_stats *s = link_stats(l->link);
	const uint64_t errors = s->send_errors - l->errors_told,
		       refused = s->ttl_refused - l->refused_told;

	if (!l->was_up || s->last_error == EAGAIN || s->last_error == ENOBUFS)
		l->errors_told = s->send_errors;
	else if (errors && log_allow(&l->limit_errors, now_us, SAY_LOSSES_US, NULL)) {
		log_warning("link %s: %llu datagrams could not be sent: %s", link_name(l->link),
			    (unsigned long long)errors, strerror(s->last_error));
		l->errors_told = s->send_errors;
	}
	if (refused && log_allow(&l->limit_refused, now_us, SAY_LOSSES_US, NULL)) {
		log_warning("link %s: %llu datagrams had passed a router and were refused: "
			    "ttl_check = false takes them",
			    link_name(l->link), (unsigned long long)refused);
		l->refused_told = s->ttl_refused;
	}
}

/* Where keys differ each node hears nobody, and nothing else would tell why. */
static void say_other_key(struct daemon *d, uint64_t now_us)
{
	const struct engine_counters *c = engine_counters(d->engine);
	const uint64_t unknown = c->unknown_key - d->unknown_key_told;
	const uint64_t refused = c->bad_tag - d->bad_tag_told + unknown;

	if (refused == 0 || !log_allow(&d->limit_other_key, now_us, SAY_LOSSES_US, NULL))
		return;
	log_warning("%llu datagrams were sealed with another key, %llu of them under an id that is "
		    "not here, and refused: the key files must be alike on all nodes",
		    (unsigned long long)refused, (unsigned long long)unknown);
	d->bad_tag_told = c->bad_tag;
	d->unknown_key_told = c->unknown_key;
}

void daemon_watch_links(struct daemon *d)
{
	for (size_t i = 0; i < d->links; i++) {
		struct daemon_link *l = &d->link[i];
		bool up = link_is_up(l->link);

		if (up != l->was_up)
			log_notice("link %s is %s", link_name(l->link), up ? "up" : "down");
		l->was_up = up;
		say_losses(l, daemon_now().mono_us);
	}
	say_other_key(d, daemon_now().mono_us);
	if (d->cfg->sync.mode == CONFIG_FAILOVER)
		choose_data_link(d);
}
