// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_site.h. */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/ipvs_site.h"
#include "tests/lib/netns.h"
#include "tests/lib/site.h"

enum { LEASE_S = 600, RCVBUF_BYTES = 1 << 20, PATIENCE_MS = 30000, TURN_MS = 20 };

/* ---- the site -------------------------------------------------------------------------------- */

void ipvs_site_open(struct ipvs_site *s)
{
	struct site site;

	memset(s, 0, sizeof(*s));
	site_open(&site);
	s->box.ns = site.box;
	s->client = site.client;
	s->server = site.server;
	s->twin.ns = netns_new();
	ck_assert_int_ge(s->twin.ns, 0);
	ck_assert_int_eq(netns_link(s->twin.ns, "front", s->twin.ns, "front-peer"), 0);
	ck_assert_int_eq(netns_link(s->twin.ns, "back", s->twin.ns, "back-peer"), 0);
	site_in(s->twin.ns);
	site_set_up_box();
	site_in(s->box.ns);
}

static void sh(int ns, const char *command)
{
	site_in(ns);
	ck_assert_msg(netns_sh("%s", command) == 0, "fails: %s", command);
}

void ipvs_site_both(struct ipvs_site *s, const char *command)
{
	sh(s->twin.ns, command);
	sh(s->box.ns, command);
}

/* ---- traffic --------------------------------------------------------------------------------- */

int ipvs_site_socket(const struct ipvs_socket *want)
{
	struct sockaddr_storage at;
	socklen_t len = site_address(want->family, want->ip, want->port, &at);
	const struct timeval patience = {.tv_sec = 5};
	int home = netns_current(), on = 1, fd;

	site_in(want->ns);
	fd = socket(want->family, want->type | SOCK_CLOEXEC, want->proto);
	if (fd < 0)
		fd = -errno;
	site_in(home);
	close(home);
	if (fd < 0)
		return fd;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (want->mark)
		ck_assert_int_eq(
			setsockopt(fd, SOL_SOCKET, SO_MARK, &want->mark, sizeof(want->mark)), 0);
	ck_assert_msg(bind(fd, (struct sockaddr *)&at, len) == 0, "bind: %s", strerror(errno));
	if (want->listens)
		ck_assert_int_eq(listen(fd, 16), 0);
	return fd;
}

int ipvs_site_connect(int fd, const char *ip, uint16_t port, const char *text)
{
	struct sockaddr_storage to, own = {0};
	socklen_t len = sizeof(own);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &len), 0);
	len = site_address(own.ss_family, ip, port, &to);
	if (connect(fd, (struct sockaddr *)&to, len) < 0)
		return -errno;
	return text && send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* ---- edges ----------------------------------------------------------------------------------- */

static void keep(struct ipvs_heard *list, size_t *n, const struct flow *f, bool gone)
{
	struct ipvs_heard *h = list;

	while (h < list + *n && !flow_key_equal(&h->flow.key, &f->key))
		h++;
	if (h == list + IPVS_HEARD_MAX)
		return;
	if (h == list + *n)
		(*n)++;
	h->flow = *f;
	h->gone = gone;
	if (f->key.pe_data_len)
		memcpy(h->pe_data, f->key.pe_data, f->key.pe_data_len);
	h->flow.key.pe_data = f->key.pe_data_len ? h->pe_data : NULL;
}

static void on_event(void *ctx, enum flow_event what, const struct flow *f, unsigned parts,
		     bool live)
{
	struct ipvs_node *n = ctx;

	(void)parts;
	(void)live;
	keep(n->event, &n->events, f, what == FLOW_DESTROY);
}

static void on_dump(void *ctx, const struct flow *f, bool ours)
{
	struct ipvs_node *n = ctx;

	(void)ours;
	keep(n->dumped, &n->dumps, f, false);
}

static void on_dump_end(void *ctx, int err)
{
	struct ipvs_node *n = ctx;

	ck_assert_int_eq(err, 0);
	n->dump_ended = true;
}

static void on_overrun(void *ctx)
{
	(void)ctx;
}

static void on_result(void *ctx, enum sink_op op, const struct flow *f, int err)
{
	struct ipvs_node *n = ctx;

	(void)op;
	(void)f;
	n->put_err = err;
	n->put_done = true;
}

static void open_edge(struct ipvs_node *n, enum ipvs_backend backend)
{
	const struct ipvs_config c = {
		.backend = backend, .lease_s = LEASE_S, .rcvbuf_bytes = RCVBUF_BYTES};
	const struct source_events to_source = {.on_event = on_event,
						.on_dump = on_dump,
						.on_dump_end = on_dump_end,
						.on_overrun = on_overrun,
						.ctx = n};
	const struct sink_events to_sink = {on_result, n};
	int err;

	site_in(n->ns);
	err = ipvs_open(&c, &to_source, &to_sink, &n->edge);
	ck_assert_msg(err == 0, "%s: %s", n->edge.why, strerror(-err));
}

void ipvs_site_edges(struct ipvs_site *s, enum ipvs_backend backend)
{
	open_edge(&s->twin, backend);
	open_edge(&s->box, backend);
	ck_assert_int_eq(s->twin.edge.source->ops->listen(s->twin.edge.source, SOURCE_DESTROY), 0);
	ck_assert_int_eq(s->box.edge.source->ops->listen(s->box.edge.source, SOURCE_ALL), 0);
}

/* The parts read /proc of the namespace that they are called in. */
static void turn(struct ipvs_node *n)
{
	struct source *source = n->edge.source;
	struct sink *sink = n->edge.sink;
	struct pollfd p[2] = {{.events = POLLIN}, {.events = POLLIN}};

	site_in(n->ns);
	ck_assert_int_eq(sink->ops->flush(sink, netns_now_us()), 0);
	p[0].fd = sink->ops->fd(sink);
	p[1].fd = source->ops->fd(source);
	(void)poll(p, 2, TURN_MS);
	ck_assert_int_ge(sink->ops->poll(sink, netns_now_us()), 0);
	ck_assert_int_ge(source->ops->poll(source, 1024, netns_now_us()), 0);
}

const struct flow *ipvs_site_hear(struct ipvs_node *n, ipvs_site_match *match, unsigned timeout_ms)
{
	uint64_t end = netns_now_us() + timeout_ms * MS_US;

	do {
		for (size_t i = n->mark; i < n->events; i++)
			if (!n->event[i].gone && match(&n->event[i].flow))
				return &n->event[i].flow;
		turn(n);
	} while (netns_now_us() < end);
	return NULL;
}

void ipvs_site_dump(struct ipvs_node *n)
{
	uint64_t end = netns_now_us() + PATIENCE_MS * MS_US;

	n->dump_ended = false;
	n->dumps = 0;
	site_in(n->ns);
	ck_assert_int_eq(n->edge.source->ops->dump(n->edge.source), 0);
	while (!n->dump_ended) {
		ck_assert_uint_lt(netns_now_us(), end);
		turn(n);
	}
}

const struct flow *ipvs_site_dumped(const struct ipvs_node *n, const struct flow_key *key)
{
	for (size_t i = 0; i < n->dumps; i++)
		if (flow_key_equal(&n->dumped[i].flow.key, key))
			return &n->dumped[i].flow;
	return NULL;
}

int ipvs_site_put(struct ipvs_node *n, const struct flow *f)
{
	uint64_t end = netns_now_us() + PATIENCE_MS * MS_US;

	n->put_done = false;
	site_in(n->ns);
	ck_assert_int_eq(n->edge.sink->ops->submit(n->edge.sink, SINK_PUT, f), 0);
	while (!n->put_done) {
		ck_assert_uint_lt(netns_now_us(), end);
		turn(n);
	}
	return n->put_err;
}
