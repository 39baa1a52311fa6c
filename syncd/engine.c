// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine's making, its groups and streams, and the turn of its loop. What happens in a turn is
 * in path_out.c, path_in.c, path_repair.c, path_kernel.c and path_control.c; what a role means in
 * engine_role.c. Called by main.c and by tests/sim only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/engine_priv.h"

struct group *group_by_id(struct engine *e, uint32_t id)
{
	size_t lo = 0, hi = e->cfg.groups;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (e->group[mid].cfg.id == id)
			return &e->group[mid];
		if (e->group[mid].cfg.id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

struct stream *stream_of(struct engine *e, uint16_t node, uint64_t session)
{
	for (size_t i = 0; i < e->streams; i++)
		if (e->stream[i].node == node && e->stream[i].session == session)
			return &e->stream[i];
	return NULL;
}

static void group_set_state(struct engine *e, struct group *g, enum node_state to,
			    const char *reason)
{
	enum node_state from = g->state;

	if (from == to)
		return;
	g->time_in_state_us[from] += e->now.mono_us - g->state_since_us;
	g->state_since_us = e->now.mono_us;
	g->state = to;
	g->transitions++;
	e->hello_now = true;
	e->io.on_state(e->io.ctx, g->cfg.id, from, to, reason);
}

void group_event(struct engine *e, struct group *g, enum role_event ev)
{
	group_set_state(e, g, role_next(g->state, ev), role_event_name(ev));
}

/* Keeps the highest term seen, on disk too. */
void group_take_term(struct engine *e, struct group *g, struct term t)
{
	if (term_compare(t, g->term) <= 0)
		return;
	g->term = t;
	e->io.store_term(e->io.ctx, g->cfg.id, g->term, g->role);
}

static int group_init(struct engine *e, struct group *g, const struct engine_group_config *cfg)
{
	g->cfg = *cfg;
	g->table = table_new(&e->digest_key, e->cfg.max_flows);
	g->server = repair_server_new();
	g->client = repair_client_new(e->cfg.random_seed + cfg->id);
	return g->table && g->server && g->client ? 0 : -ENOMEM;
}

static void group_fini(struct group *g)
{
	repair_client_free(g->client);
	repair_server_free(g->server);
	table_free(g->table);
	timed_list_fini(&g->held);
	timed_list_fini(&g->retry);
	free(g->closed);
}

static void engine_send(void *ctx, const uint8_t *dgram, size_t len)
{
	struct engine *e = ctx;

	e->io.send(e->io.ctx, dgram, len);
}

static int engine_init_stream(struct engine *e)
{
	struct peers_config pc = {
		.node = e->cfg.node,
		.session = e->cfg.session,
		.key = e->key,
		.keys = e->cfg.keys,
		.insecure = e->cfg.insecure,
		.digest_key_id = e->digest_key.id,
	};
	struct sender_config sc = {
		.node = e->cfg.node,
		.session = e->cfg.session,
		.key = e->key[0],
		.insecure = e->cfg.insecure,
		.retain = e->cfg.retain,
		.retain_bytes = e->cfg.retain_bytes,
		.stall_us = e->cfg.stall_us,
	};
	struct sender_io io = {.send = engine_send, .ctx = e};

	e->send_key = e->key[0];
	e->peers = peers_new(&pc);
	e->sender = sender_new(&sc, &io);
	return e->peers && e->sender ? 0 : -ENOMEM;
}

struct engine *engine_new(const struct engine_config *cfg, const struct engine_io *io)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e || cfg->keys > KEYS_MAX || cfg->groups > GROUPS_MAX) {
		free(e);
		return NULL;
	}
	e->cfg = *cfg;
	e->io = *io;
	memcpy(e->key, cfg->key, cfg->keys * sizeof(*cfg->key));
	digest_key_derive(&e->digest_key, e->key[0].cluster_secret);
	e->group = calloc(cfg->groups ? cfg->groups : 1, sizeof(*e->group));
	if (!e->group || engine_init_stream(e))
		goto fail;
	for (size_t i = 0; i < cfg->groups; i++)
		if (group_init(e, &e->group[i], &cfg->group[i]))
			goto fail;
	for (int k = 0; k < 2; k++)
		e->edge[k] = (struct edge){.e = e, .kind = (enum flow_kind)k};
	e->cfg.group = NULL; /* the caller's; each group has its own copy */
	e->cfg.key = NULL;
	return e;
fail:
	engine_free(e);
	return NULL;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->streams; i++)
		receiver_free(e->stream[i].receiver);
	for (size_t i = 0; e->group && i < e->cfg.groups; i++)
		group_fini(&e->group[i]);
	free(e->group);
	audit_free(e);
	sender_free(e->sender);
	peers_free(e->peers);
	free(e);
}

void engine_restore(struct engine *e, uint32_t group, struct term highest, enum node_role role,
		    bool served, struct engine_now now)
{
	struct group *g = group_by_id(e, group);
	const char *reason = "role kept over a restart";
	bool kept;

	e->now = now;
	if (!g)
		return;
	kept = warm_restore(e, g, &highest, role);
	if (kept)
		reason = "role and table kept over a restart";
	g->term = highest;
	g->state_since_us = now.mono_us;
	if (role == ROLE_ACTIVE && highest.node == e->cfg.node)
		group_become_active(e, g, reason);
	else if (role != ROLE_IDLE)
		(void)engine_set_role(e, group, ROLE_STANDBY, reason, now);
	if (g->role == ROLE_STANDBY && served && !kept)
		reconcile_refill(e, g, true);
}

void engine_set_now(struct engine *e, struct engine_now now)
{
	e->now = now;
}

void engine_set_items(struct engine *e, const struct hello_item *item, size_t n)
{
	e->items = (uint8_t)(n < HELLO_ITEMS_MAX ? n : HELLO_ITEMS_MAX);
	memcpy(e->item, item, e->items * sizeof(*item));
}

void engine_set_addresses(struct engine *e, const struct hello *with_addresses)
{
	e->addresses_of = *with_addresses;
}

void engine_set_keys(struct engine *e, const struct group_key *key, size_t n)
{
	e->cfg.keys = n < KEYS_MAX ? n : KEYS_MAX;
	memcpy(e->key, key, e->cfg.keys * sizeof(*key));
	peers_set_keys(e->peers, e->key, e->cfg.keys);
	e->hello_now = true;
}

static bool all_accept(void *ctx, uint16_t key_id)
{
	const struct engine *e = ctx;

	return peers_accept_key(e->peers, key_id);
}

/* The first key seals that every peer has said it accepts, so that rotation has no gap, whoever
 * restarts meanwhile. */
static void engine_rotate_key(struct engine *e)
{
	size_t k = 0;

	while (k < e->cfg.keys && !peers_accept_key(e->peers, e->key[k].id))
		k++;
	if (e->cfg.insecure || k == e->cfg.keys || e->send_key.id == e->key[k].id)
		return;
	e->send_key = e->key[k];
	sender_set_key(e->sender, &e->key[k]);
}

static void stream_end(struct engine *e, struct stream *s)
{
	receiver_free(s->receiver);
	*s = e->stream[--e->streams];
}

/* A session ended: what hung on it ends too. */
static void engine_on_gone(void *ctx, const struct peer *who)
{
	struct engine *e = ctx;
	struct stream *s = stream_of(e, who->node, who->session);

	sender_forget(e->sender, who->node, who->session);
	if (s)
		stream_end(e, s);
	if (!peers_by_node(e->peers, who->node))
		split_alone(e);
}

static void engine_watch_id(struct engine *e)
{
	bool seen = peers_impostor(e->peers, e->now.mono_us);

	if (seen && !e->impostor)
		e->io.on_alarm(e->io.ctx, 0, "another node uses this node's id: give each its own");
	e->impostor = seen;
}

uint64_t engine_tick(struct engine *e, struct engine_now now)
{
	uint64_t next_us = now.mono_us + HELLO_INTERVAL_US;
	bool more;

	e->now = now;
	peers_tick(e->peers, now.mono_us, engine_on_gone, e);
	sender_tick(e->sender, now.mono_us);
	sender_set_datagram_max(e->sender, peers_datagram_max(e->peers));
	engine_watch_id(e);
	engine_rotate_key(e);
	sender_drop_keys(e->sender, all_accept, e);
	groups_tick(e);
	audit_tick(e, &next_us);
	path_repair_tick(e, &next_us);
	more = path_out_tick(e, &next_us);
	more |= path_kernel_tick(e, &next_us);
	path_control_tick(e, &next_us);
	return more ? now.mono_us : next_us;
}

/* Counts why a datagram was not acted on; the caller's log is rate-limited by these. */
static void engine_count_refusal(struct engine *e, int err)
{
	struct engine_counters *c = &e->counters;

	switch (-err) {
	case EPROTONOSUPPORT:
		c->bad_version++;
		break;
	case ENOKEY:
		c->unknown_key++;
		break;
	case EKEYREJECTED:
		c->bad_tag++;
		break;
	case ELOOP:
	case EADDRINUSE: /* another's, under this node's id: engine_watch_id speaks of it */
		c->loops++;
		break;
	case EEXIST:
		c->replayed++;
		break;
	case EUSERS:
		c->unproven++;
		break;
	default:
		c->malformed++;
		break;
	}
}

void engine_set_link(struct engine *e, unsigned link)
{
	peers_set_link(e->peers, link);
}

void engine_on_datagram(struct engine *e, const uint8_t *dgram, size_t len, struct engine_now now)
{
	struct peers_opened in;
	struct stream *s;
	int n;

	e->now = now;
	e->counters.datagrams++;
	e->counters.bytes += len;
	if (len > sizeof(e->payload) + FRAME_OVERHEAD) {
		e->counters.oversized++;
		return;
	}
	n = peers_open(e->peers, dgram, len, now.mono_us, e->payload, &in);
	if (n < 0) {
		engine_count_refusal(e, n);
		return;
	}
	if (in.header.kind == FRAME_CONTROL) {
		path_control_on(e, in.from, in.header.counter, (size_t)n);
		return;
	}
	s = in.from->proven ? stream_of(e, in.header.node, in.header.session) : NULL;
	if (!s) {
		e->counters.unproven++;
		return;
	}
	if (receiver_on_data(s->receiver, in.header.counter, e->payload, (size_t)n, now.mono_us) ==
	    0)
		e->counters.duplicates++;
	path_in_apply(e, s);
}

int engine_set_role(struct engine *e, uint32_t group, enum node_role role, const char *reason,
		    struct engine_now now)
{
	struct group *g = group_by_id(e, group);
	bool was_active;

	if (!g)
		return -ENOENT;
	e->now = now;
	if (g->role == role) {
		g->handover = false; /* told again to be what it is: the handover is called off */
		return 0;
	}
	if (role == ROLE_ACTIVE) {
		group_become_active(e, g, reason);
		return 0;
	}
	was_active = g->role == ROLE_ACTIVE;
	if (was_active)
		path_out_drain(e, g, true);
	g->role = role;
	g->handover = false;
	group_set_state(
		e, g, role_next(g->state, role == ROLE_IDLE ? EVENT_ROLE_IDLE : EVENT_ROLE_STANDBY),
		reason);
	e->io.store_term(e->io.ctx, g->cfg.id, g->term, role);
	if (was_active) {
		timed_list_clear(&g->held);
		table_queue_clear(g->table, TABLE_WIRE);
		repair_server_clear(g->server);
		sweep_start(g, &g->once, SINK_LIBERAL);
		split_gave_way(e, g);
	}
	if (role == ROLE_IDLE) {
		table_clear(g->table);
		g->own_until_us = 0;
		g->equal = false;
	}
	path_kernel_listen(e);
	/* Half a table: its first dump had not ended. */
	if (role == ROLE_STANDBY && was_active && g->fresh && !g->complete)
		reconcile_refill(e, g, true);
	else if (role == ROLE_STANDBY && table_count(g->table) == 0)
		reconcile_refill(e, g, false);
	for (int k = 0; e->cfg.reconcile_s && k < 2; k++)
		reconcile_want(e, (enum flow_kind)k, now.mono_us + e->cfg.reconcile_s * S_US);
	group_follow(e, g);
	return 0;
}

int engine_handover(struct engine *e, uint32_t group, struct engine_now now)
{
	struct group *g = group_by_id(e, group);

	if (!g)
		return -ENOENT;
	if (g->role != ROLE_ACTIVE)
		return -EPERM;
	e->now = now;
	g->handover = true;
	e->hello_now = true;
	return 0;
}

void engine_reconcile(struct engine *e, struct engine_now now)
{
	e->now = now;
	for (int k = 0; k < 2; k++)
		reconcile_want(e, (enum flow_kind)k, now.mono_us);
}

struct peers *engine_peers(struct engine *e)
{
	return e->peers;
}

const struct table *engine_table(const struct engine *e, uint32_t group)
{
	for (size_t i = 0; i < e->cfg.groups; i++)
		if (e->group[i].cfg.id == group)
			return e->group[i].table;
	return NULL;
}

const struct sender_stats *engine_sender_stats(const struct engine *e)
{
	return sender_stats(e->sender);
}

bool engine_all_installed(const struct engine *e)
{
	return sender_installed_everywhere(e->sender) == sender_last(e->sender);
}

const struct engine_counters *engine_counters(const struct engine *e)
{
	return &e->counters;
}
