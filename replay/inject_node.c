// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inject into a group of running daemons: this program joins it as a node, as a configuration says
 * (syncd.conf(5)), takes the active role, and streams the journal's flows as if its kernel had told
 * of them. The daemon's own engine does it, so what is rehearsed is what happens in production:
 * terms, checks, repair, installation (docs/adr/0008-rehearsal.md).
 *
 * What must never happen is that a production cluster is played to. So the configuration must say
 * `rehearsal`, each node that is heard must say it too, nobody may be active in the group, and all
 * of that holds until the end: whatever else is heard, the role is given up at once.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/key_file.h"
#include "replay/inject.h"
#include "replay/inject_source.h"
#include "replay/text.h"
#include "syncd/base/config.h"
#include "syncd/base/match.h"
#include "syncd/engine.h"
#include "syncd/net/link.h"

enum {
	RECEIVE_BUDGET = 512,
	SUBMITS_PER_TURN = 64,
	WIRE_QUEUED_MAX = 20000, /* changes that wait: then the wire is given its turn */
};
#define LISTEN_US (1500 * MS_US) /* everybody who is there has said hello by then */
#define JOIN_US	  (5 * S_US)
#define IDLE_US	  (20 * MS_US)
#define SETTLE_US (60 * S_US) /* without any progress */

struct to_node {
	struct injector base;
	struct config *cfg;
	struct match *match;
	struct group_key key[KEYS_MAX];
	size_t keys;
	struct digest_key digest_key;
	struct inject_source *flows;
	struct engine *engine;
	struct link *link[LINKS_MAX];
	size_t links;
	bool active; /* the role was taken */
	unsigned submits;
	char alarm[128]; /* that the engine has raised */
};

static volatile sig_atomic_t told_to_stop;

static void on_signal(int signum)
{
	(void)signum;
	told_to_stop = 1;
}

static struct engine_now now_both(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (struct engine_now){
		.mono_us = inject_now_us(),
		.wall_us = (uint64_t)t.tv_sec * S_US + (uint64_t)t.tv_nsec / 1000,
	};
}

/* Ends it: nothing more is played, and nobody is active here any more. */
__attribute__((format(printf, 2, 3))) static void fail(struct to_node *n, const char *fmt, ...)
{
	va_list ap;

	if (n->base.failed)
		return;
	n->base.failed = true;
	(void)fputs("sync-replay: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	for (size_t i = 0; n->active && i < n->cfg->groups; i++)
		(void)engine_set_role(n->engine, n->cfg->group[i].id, ROLE_IDLE, "inject ends",
				      now_both());
	n->active = false;
}

/* ---- what the engine asks for ---- */

static void io_send(void *ctx, const uint8_t *dgram, size_t len)
{
	const struct to_node *n = ctx;

	for (size_t i = 0; i < n->links; i++)
		link_send(n->link[i], dgram, len);
}

static uint32_t io_classify(void *ctx, const struct flow_key *key)
{
	const struct to_node *n = ctx;

	return config_match_classify(n->match, key);
}

static struct source *io_source(void *ctx, enum flow_kind kind)
{
	const struct to_node *n = ctx;

	return inject_source_of(n->flows, kind);
}

static struct sink *io_sink(void *ctx, enum flow_kind kind)
{
	(void)ctx;
	(void)kind;
	return NULL;
}

/* Not kept: the others remember the highest term, and the next one is taken from what they say. */
static void io_store_term(void *ctx, uint32_t group, struct term highest, enum node_role role)
{
	(void)ctx;
	(void)group;
	(void)highest;
	(void)role;
}

static void io_on_state(void *ctx, uint32_t group, enum node_state from, enum node_state to,
			const char *reason)
{
	const struct to_node *n = ctx;

	(void)from;
	(void)to;
	if (n->base.o->verbose)
		(void)fprintf(stderr, "group %u: %s\n", group, reason);
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are struct engine_io's */
static void io_on_record(void *ctx, enum engine_record what, uint16_t node, uint64_t session,
			 uint64_t counter, const uint8_t *bytes, size_t len)
{
	(void)ctx;
	(void)what;
	(void)node;
	(void)session;
	(void)counter;
	(void)bytes;
	(void)len;
}

static void io_on_alarm(void *ctx, uint32_t group, const char *what)
{
	struct to_node *n = ctx;

	(void)snprintf(n->alarm, sizeof(n->alarm), "group %u: %s", group, what);
}

/* ---- who may be played to ---- */

static bool says_rehearsal(const struct peer *p)
{
	for (size_t i = 0; i < p->items; i++)
		if (strcmp(p->item[i].name, REHEARSAL_ITEM) == 0)
			return true;
	return false;
}

static void judge(struct to_node *n, const struct peer *p)
{
	/* A daemon that has just started tells its items a moment later. */
	if (p->items > 0 && !says_rehearsal(p)) {
		fail(n, "node %s does not say `rehearsal = true`: nothing is played to it",
		     p->name);
		return;
	}
	for (size_t i = 0; i < n->cfg->groups; i++) {
		const struct hello_group *g = peer_group(p, n->cfg->group[i].id);

		if (g && g->role == ROLE_ACTIVE)
			fail(n, "node %s is active in group %s%s", p->name, n->cfg->group[i].name,
			     n->active ? ": stopped" : ": nothing is played to it");
	}
}

static void judge_all(struct to_node *n)
{
	struct peers *peers = engine_peers(n->engine);

	for (struct peer *p = peers_next(peers, NULL, false); p && !n->base.failed;
	     p = peers_next(peers, p, false))
		judge(n, p);
}

/* Everybody heard is known to rehearse, and somebody stands by in each group. */
static bool is_joined(struct to_node *n)
{
	struct peers *peers = engine_peers(n->engine);
	size_t served = 0;

	for (struct peer *p = peers_next(peers, NULL, true); p; p = peers_next(peers, p, true))
		if (!p->proven || !says_rehearsal(p))
			return false;
	for (size_t i = 0; i < n->cfg->groups; i++)
		for (struct peer *p = peers_next(peers, NULL, false); p;
		     p = peers_next(peers, p, false)) {
			const struct hello_group *g = peer_group(p, n->cfg->group[i].id);

			if (g && g->role == ROLE_STANDBY) {
				served++;
				break;
			}
		}
	return served == n->cfg->groups;
}

/* ---- turns of the loop ---- */

static void on_datagram(void *ctx, const uint8_t *dgram, size_t len)
{
	struct to_node *n = ctx;

	engine_on_datagram(n->engine, dgram, len, now_both());
}

/* One turn; waits for datagrams, at most until until_us (0: not at all). */
static void turn(struct to_node *n, uint64_t until_us)
{
	struct pollfd p[LINKS_MAX];
	struct engine_now now = now_both();
	uint64_t next_us = engine_tick(n->engine, now);
	int timeout_ms = 0;

	if (until_us < next_us)
		next_us = until_us;
	if (next_us > now.mono_us && !inject_source_poll(n->flows))
		timeout_ms = (int)((next_us - now.mono_us + MS_US - 1) / MS_US);
	for (size_t i = 0; i < n->links; i++)
		p[i] = (struct pollfd){.fd = link_fd(n->link[i]), .events = POLLIN};
	(void)poll(p, n->links, timeout_ms);
	for (size_t i = 0; i < n->links; i++)
		(void)link_receive(n->link[i], RECEIVE_BUDGET, on_datagram, n);
	engine_set_now(n->engine, now_both());
	judge_all(n);
	if (n->alarm[0])
		fail(n, "%s", n->alarm);
	if (told_to_stop)
		fail(n, "stopped by a signal");
}

static uint64_t wire_queued(const struct to_node *n)
{
	struct engine_group_status st;
	uint64_t queued = 0;

	for (size_t i = 0; engine_group_status(n->engine, i, &st) == 0; i++)
		queued += st.wire_queued;
	return queued;
}

static bool all_complete(const struct to_node *n)
{
	struct engine_group_status st;

	for (size_t i = 0; engine_group_status(n->engine, i, &st) == 0; i++)
		if (!st.complete)
			return false;
	return true;
}

/* ---- the target's operations ---- */

static void node_submit(struct injector *base, bool put, const struct flow *f)
{
	struct to_node *n = (struct to_node *)base;
	int err;

	if (config_match_classify(n->match, &f->key) == 0) {
		base->stats.skipped++;
		return;
	}
	err = put ? inject_source_put(n->flows, f) : inject_source_del(n->flows, f);
	base->stats.puts += put;
	base->stats.dels += !put;
	base->stats.refused += err != 0;
	if (!n->active || ++n->submits < SUBMITS_PER_TURN)
		return;
	n->submits = 0;
	do
		turn(n, 0);
	while (wire_queued(n) > WIRE_QUEUED_MAX && !base->failed);
}

static void node_wait(struct injector *base, uint64_t until_us)
{
	struct to_node *n = (struct to_node *)base;

	while (inject_now_us() < until_us && !base->failed)
		turn(n, until_us);
}

static void node_begin(struct injector *base)
{
	struct to_node *n = (struct to_node *)base;

	for (size_t i = 0; i < n->cfg->groups && !base->failed; i++)
		(void)engine_set_role(n->engine, n->cfg->group[i].id, ROLE_ACTIVE,
				      "a journal is played", now_both());
	n->active = true;
	while (!all_complete(n) && !base->failed)
		turn(n, inject_now_us() + IDLE_US);
}

static bool is_sent(const struct to_node *n)
{
	return wire_queued(n) == 0 && engine_all_installed(n->engine);
}

/* True where every standby that is heard says that it has, and has installed, what was sent. */
static bool is_settled(struct to_node *n, uint64_t *progress)
{
	struct peers *peers = engine_peers(n->engine);
	struct engine_group_status st;
	bool all = is_sent(n);
	size_t standbys = 0;

	*progress = engine_sender_stats(n->engine)->data;
	for (size_t i = 0; engine_group_status(n->engine, i, &st) == 0; i++) {
		for (struct peer *p = peers_next(peers, NULL, false); p;
		     p = peers_next(peers, p, false)) {
			const struct hello_group *g = peer_group(p, st.id);

			if (!g || g->role != ROLE_STANDBY)
				continue;
			standbys++;
			*progress += g->flows + g->position;
			all &= g->state == STATE_STANDBY && g->flows == st.flows;
		}
	}
	return all && standbys > 0;
}

static void node_settle(struct injector *base)
{
	struct to_node *n = (struct to_node *)base;

	while (!base->failed && !is_sent(n))
		turn(n, inject_now_us() + IDLE_US);
}

static void wait_for_standbys(struct to_node *n)
{
	const struct injector *base = &n->base;
	uint64_t seen = 0, progress = 0, since_us = inject_now_us();

	while (!base->failed && !is_settled(n, &progress)) {
		turn(n, inject_now_us() + IDLE_US);
		if (progress != seen)
			since_us = inject_now_us();
		else if (inject_now_us() > since_us + SETTLE_US)
			fail(n, "no standby takes more of it");
		seen = progress;
	}
}

/* Each node that was played to, and what it says of itself. */
static void print_standby(const struct options *o, const char *node, const char *group,
			  const struct hello_group *g)
{
	struct json_line j;

	if (!o->json) {
		(void)printf("%s: group %s: %" PRIu64 " flows, %s, term %" PRIu64 " of node %u\n",
			     node, group, g->flows,
			     g->ready ? "equal, installed, ready"
				      : "equal, not ready: ask it (syncctl ready)",
			     g->term.number, g->term.node);
		return;
	}
	json_begin(&j, stdout);
	json_string_member(&j, "standby", node);
	json_string_member(&j, "group", group);
	json_number_member(&j, "flows", g->flows);
	json_bool_member(&j, "ready", g->ready);
	json_number_member(&j, "term", g->term.number);
	json_number_member(&j, "term_node", g->term.node);
	json_end(&j);
}

static int node_finish(struct injector *base)
{
	struct to_node *n = (struct to_node *)base;
	struct peers *peers = engine_peers(n->engine);
	bool good = base->stats.refused == 0;

	if (!base->o->json)
		(void)puts(base->stats.skipped ? " (in no group of this configuration)" : "");
	wait_for_standbys(n);
	node_wait(base, inject_now_us() + 2 * HELLO_INTERVAL_US); /* until they have said so */
	if (base->failed)
		return EXIT_FINDINGS;
	for (struct peer *p = peers_next(peers, NULL, false); p; p = peers_next(peers, p, false))
		for (size_t i = 0; i < n->cfg->groups; i++) {
			const struct hello_group *g = peer_group(p, n->cfg->group[i].id);

			if (!g || g->role != ROLE_STANDBY)
				continue;
			good &= g->ready;
			print_standby(base->o, p->name, n->cfg->group[i].name, g);
		}
	return base->failed || !good ? EXIT_FINDINGS : EXIT_CONSISTENT;
}

static void node_free(struct injector *base)
{
	struct to_node *n = (struct to_node *)base;

	engine_free(n->engine);
	inject_source_free(n->flows);
	for (size_t i = 0; i < n->links; i++)
		link_close(n->link[i]);
	sodium_memzero(n->key, sizeof(n->key));
	config_match_free(n->match);
	config_free(n->cfg);
	free(n);
}

/* ---- opening ---- */

static int load(struct to_node *n, const char *path)
{
	char err[CONFIG_ERROR_MAX];

	if (config_load(path, &n->cfg, err)) {
		(void)fprintf(stderr, "sync-replay: %s\n", err);
		return EXIT_WRONG_USE;
	}
	if (!n->cfg->top.rehearsal) {
		(void)fprintf(stderr,
			      "sync-replay: %s: not without `rehearsal = true`, here and on each "
			      "node that is to be played to\n",
			      path);
		return EXIT_WRONG_USE;
	}
	for (size_t i = 0; i < n->cfg->keys; i++) {
		int rc = key_file_read(n->cfg->key[i].file, &n->key[i]);

		if (rc)
			return command_failed(n->cfg->key[i].file, rc);
	}
	n->keys = n->cfg->top.insecure ? 1 : n->cfg->keys;
	digest_key_derive(&n->digest_key, n->key[0].cluster_secret);
	n->match = config_match_new(n->cfg);
	n->flows = inject_source_new(&n->digest_key, n->cfg->limits.max_flows);
	return n->match && n->flows ? 0 : command_failed(path, -ENOMEM);
}

static int open_links(struct to_node *n)
{
	char err[LINK_ERROR_MAX];

	for (size_t i = 0; i < n->cfg->links; i++) {
		if (link_open(&n->cfg->link[i], &n->link[i], err)) {
			(void)fprintf(stderr, "sync-replay: %s\n", err);
			return EXIT_UNREADABLE;
		}
		n->links++;
	}
	return 0;
}

static int make_engine(struct to_node *n)
{
	static const struct hello_item item = {.name = REHEARSAL_ITEM, .hash = 1};
	const struct config *c = n->cfg;
	struct engine_group_config group[GROUPS_MAX];
	const struct engine_io io = {io_send,	  io_classify,	io_source,   io_sink, io_store_term,
				     io_on_state, io_on_record, io_on_alarm, n};
	struct engine_config ec = {
		.node = (uint16_t)c->node.id,
		.key = n->key,
		.keys = n->keys,
		.insecure = c->top.insecure,
		.group = group,
		.groups = c->groups,
		.max_flows = c->limits.max_flows,
		.retain_bytes = (size_t)c->limits.retain_mb << 20,
		.lease_s = c->conntrack.lease_s,
		.ready_age_ms = c->limits.ready_age_ms,
		.stall_us = c->limits.stall_ms * MS_US,
		.kernel_backlog_max = c->limits.kernel_backlog,
		.datagram_max = DATAGRAM_MAX,
	};

	for (size_t i = 0; i < n->links; i++)
		if (link_datagram_max(n->link[i]) < ec.datagram_max)
			ec.datagram_max = link_datagram_max(n->link[i]);
	memcpy(ec.name, c->node.name, sizeof(ec.name));
	randombytes_buf(&ec.session, sizeof(ec.session));
	randombytes_buf(&ec.random_seed, sizeof(ec.random_seed));
	for (size_t i = 0; i < c->groups; i++) {
		group[i] = (struct engine_group_config){
			.id = c->group[i].id,
			.install = INSTALL_NEVER,
			.fingerprint = config_group_fingerprint(c, &c->group[i]),
		};
		memcpy(group[i].name, c->group[i].name, sizeof(group[i].name));
	}
	n->engine = engine_new(&ec, &io);
	if (!n->engine)
		return command_failed(c->path, -ENOMEM);
	engine_set_items(n->engine, &item, 1);
	inject_source_attach(n->flows, n->engine);
	return 0;
}

/* Hears who is there, in no role. */
static int join(struct to_node *n)
{
	uint64_t begin_us = inject_now_us();

	while (!n->base.failed && (inject_now_us() < begin_us + LISTEN_US || !is_joined(n))) {
		turn(n, inject_now_us() + IDLE_US);
		if (inject_now_us() > begin_us + JOIN_US)
			fail(n,
			     "in %s: no standby is heard in each group, or somebody is heard who "
			     "does not answer",
			     n->cfg->path);
	}
	return n->base.failed ? EXIT_WRONG_USE : 0;
}

int inject_node_open(const struct options *o, struct injector **out)
{
	static const struct injector_ops ops = {
		.submit = node_submit,
		.begin = node_begin,
		.settle = node_settle,
		.wait = node_wait,
		.finish = node_finish,
		.free = node_free,
	};
	struct to_node *n = calloc(1, sizeof(*n));
	int rc;

	if (!n)
		return command_failed(o->into, -ENOMEM);
	n->base = (struct injector){.ops = &ops, .o = o};
	(void)signal(SIGINT, on_signal);
	(void)signal(SIGTERM, on_signal);
	rc = load(n, o->into);
	rc = rc ? rc : open_links(n);
	rc = rc ? rc : make_engine(n);
	rc = rc ? rc : join(n);
	if (rc)
		node_free(&n->base);
	else
		*out = &n->base;
	return rc;
}
