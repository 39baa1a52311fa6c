// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a role means: taking it, whom to follow, two actives. A takeover does no work per flow: it
 * applies what has arrived, takes the next term and says so; the kernel is compared in the
 * background.
 */
#include "syncd/engine_priv.h"

static void tail_end(struct group *g)
{
	if (!g->tail_held)
		return;
	table_hold_end(g->table);
	g->tail_held = false;
	g->tail_node = 0;
}

/* What the predecessor sent and has not been applied: first in order, then from beyond its gaps. */
static void predecessor_drain(struct engine *e, struct group *g)
{
	for (size_t i = 0; g->active && i < e->streams; i++) {
		struct stream *s = &e->stream[i];

		if (s->node != g->active)
			continue;
		receiver_give_up_gaps(s->receiver);
		path_in_apply(e, s);
	}
}

void group_become_active(struct engine *e, struct group *g, const char *reason)
{
	enum node_state from = g->state;
	struct term mine = {.node = e->cfg.node};
	bool resumed = warm_resume(g);

	if (g->role != ROLE_ACTIVE)
		predecessor_drain(e, g);
	/* Only now: what was drained may have been of a term not seen before. */
	mine.number = g->term.number + 1;
	g->tail_node = g->active;
	g->active = e->cfg.node;
	g->role = ROLE_ACTIVE;
	g->complete = false;
	g->fresh = table_count(g->table) == 0;
	g->unproven = !g->fresh && !resumed &&
		      (!g->equal || g->cfg.install != INSTALL_HOT ||
		       table_queued(g->table, TABLE_KERNEL) > e->cfg.kernel_backlog_max);
	g->settled = g->equal;
	g->refill = 0;
	g->served = false;
	g->final_counter = 0;
	g->equal = false;
	g->check_due = true;
	repair_client_stop(g->client);
	repair_server_clear(g->server);
	group_take_term(e, g, mine);
	if (!g->tail_held) {
		table_hold_begin(g->table);
		g->tail_held = true;
	}
	g->tail_until_us = e->now.mono_us + HANDOVER_TAIL_US;
	/* Of what was there when the daemon started nobody knows when it changed. */
	g->term_epoch = g->alone_epoch = from == STATE_IDLE || g->fresh ? 0 : table_epoch(g->table);
	g->own_until_us = UINT64_MAX;
	g->committing =
		!resumed && g->cfg.install == INSTALL_TAKEOVER && table_kernel_all(g->table) == 0;
	path_kernel_listen(e);
	for (int k = 0; k < 2; k++)
		reconcile_want(e, (enum flow_kind)k, e->now.mono_us);
	g->time_in_state_us[from] += e->now.mono_us - g->state_since_us;
	g->state_since_us = e->now.mono_us;
	g->state = role_next(from, EVENT_ROLE_ACTIVE);
	g->transitions++;
	e->hello_now = true;
	e->io.on_state(e->io.ctx, g->cfg.id, from, g->state, reason);
}

/* Of the proven peers that say they are active, the one whose term is the highest. */
static const struct peer *group_find_active(struct engine *e, const struct group *g, struct term *t)
{
	const struct peer *best = NULL;

	for (struct peer *p = peers_next(e->peers, NULL, false); p;
	     p = peers_next(e->peers, p, false)) {
		const struct hello_group *hg = peer_group(p, g->cfg.id);

		if (!hg || hg->role != ROLE_ACTIVE || hg->term.node != p->node)
			continue;
		if (!best || term_compare(hg->term, *t) > 0) {
			best = p;
			*t = hg->term;
		}
	}
	return best;
}

/*
 * The group follows a stream from here. What was proven holds until something of it is applied
 * (path_in.c): a table that has not changed is what it was.
 */
void group_new_stream(struct engine *e, struct group *g)
{
	repair_client_stop(g->client);
	split_follows(e, g);
	g->data_since_check = true;
	g->equal_session = 0;
	if (!g->equal)
		group_event(e, g, EVENT_STREAM);
}

void group_follow(struct engine *e, struct group *g)
{
	struct term t = {0};
	const struct peer *p;

	if (g->role != ROLE_STANDBY)
		return;
	p = group_find_active(e, g, &t);
	if (!p || term_compare(t, g->term) < 0) {
		if (g->active) {
			predecessor_drain(e, g); /* nothing more will fill its gaps */
			g->active = 0;
			group_event(e, g, EVENT_ACTIVE_GONE);
		}
		return;
	}
	if (g->active == p->node && term_compare(t, g->term) == 0)
		return;
	group_take_term(e, g, t);
	g->active = p->node;
	group_new_stream(e, g);
}

/*
 * Active here and there: both stay, for an existing engine decides, but it is said aloud. Once the
 * other has given way and its term is the higher, this node takes the next one.
 */
static bool is_active_here(struct engine *e, const struct group *g, uint16_t node)
{
	const struct peer *p = peers_by_node(e->peers, node);
	const struct hello_group *hg = p ? peer_group(p, g->cfg.id) : NULL;

	return hg && hg->role == ROLE_ACTIVE;
}

static void group_meet_other(struct engine *e, struct group *g, const struct peer *p,
			     const struct hello_group *hg)
{
	if (hg->role == ROLE_ACTIVE && hg->term.node == p->node) {
		split_meet(e, g, p->node);
		split_seen(e, g);
		return;
	}
	if (term_compare(hg->term, g->term) <= 0)
		return;
	split_seen(e, g);
	/* A standby of the other active knows its term: outbidding that would go on for ever. */
	if (is_active_here(e, g, hg->term.node))
		return;
	group_take_term(e, g, (struct term){.number = hg->term.number + 1, .node = e->cfg.node});
	g->check_due = true;
	e->hello_now = true;
}

/* Where both mean the same term, the position is one in this session's stream. */
static void group_heed_position(struct engine *e, const struct group *g, const struct peer *from,
				const struct hello_group *hg)
{
	if (g->role == ROLE_ACTIVE && hg->role == ROLE_STANDBY &&
	    term_compare(hg->term, g->term) == 0)
		sender_on_position(e->sender, from->node, from->session, hg->position,
				   e->now.mono_us);
}

void groups_on_hello(struct engine *e, const struct peer *from)
{
	for (size_t i = 0; i < e->cfg.groups; i++) {
		struct group *g = &e->group[i];
		const struct hello_group *hg = peer_group(from, g->cfg.id);

		if (!hg || g->role == ROLE_IDLE)
			continue;
		if (g->role == ROLE_ACTIVE) {
			group_meet_other(e, g, from, hg);
			group_heed_position(e, g, from, hg);
		} else {
			group_follow(e, g);
		}
	}
}

void groups_tick(struct engine *e)
{
	for (size_t i = 0; i < e->cfg.groups; i++) {
		struct group *g = &e->group[i];

		if (g->tail_held && e->now.mono_us >= g->tail_until_us)
			tail_end(g);
		if (g->split_us && e->now.mono_us > g->split_us + PEER_DEAD_US) {
			g->split_us = 0;
			g->meeting.over = false;
		}
		if (g->role == ROLE_STANDBY && g->active && !peers_by_node(e->peers, g->active))
			group_follow(e, g);
	}
}
