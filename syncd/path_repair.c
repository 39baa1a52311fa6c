// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Proof and repair, the standby's side: a check in the stream is compared at its place, what
 * differs is asked for, and a check is asked for where none comes. The active's side is path_out.c
 * packing what repair_server.c keeps.
 */
#include "syncd/engine_priv.h"

void path_repair_on_check(struct engine *e, struct group *g, const struct stream *s,
			  uint64_t counter, const struct data_check *c)
{
	enum repair_why why = g->state == STATE_JOINING	   ? REPAIR_JOIN
			      : g->state == STATE_DEGRADED ? REPAIR_GAP
							   : REPAIR_CHECK;

	table_reserve(g->table, c->count); /* joining: what is to come, comes in hash order */
	g->check_count = c->count;
	g->last_check_us = e->now.mono_us;
	g->data_since_check = false;
	if (!repair_client_on_check(g->client, g->table, c, why, e->now.mono_us)) {
		e->counters.checks_differed++;
		audit_on_check(e, g, counter, false);
		g->equal = false;
		group_event(e, g, EVENT_DIFFERS);
		return;
	}
	e->counters.checks_equal++;
	if (!c->complete)
		return;
	audit_on_check(e, g, counter, true);
	g->equal = true;
	g->own_until_us = 0;
	g->equal_session = s->session;
	g->equal_term = g->term.number;
	g->equal_us = e->now.mono_us;
	g->refused_since_sync = 0;
	if (!g->kernel_full || g->state != STATE_DEGRADED)
		group_event(e, g, EVENT_EQUAL);
	if (g->kernel_full)
		group_event(e, g, EVENT_REFUSED);
}

/*
 * A check is wanted where the last one says nothing about now: asked for by a repair without
 * ranges. Whoever has just begun to follow a stream may have to ask twice: the active hears it only
 * once it is proven there too.
 */
static bool check_is_wanted(const struct engine *e, const struct group *g)
{
	uint64_t after_us = g->equal ? 2 * CHECK_BUSY_US : REPAIR_RETRY_US;

	return (!g->equal || g->data_since_check) && e->now.mono_us >= g->last_check_us + after_us;
}

static void repair_ask(struct engine *e, struct group *g, const struct peer *active,
		       uint64_t *next_us)
{
	struct control *c = &e->control;
	uint64_t at_us = UINT64_MAX;

	c->kind = CONTROL_REPAIR;
	if (!repair_client_request(g->client, e->now.mono_us, &c->repair, &at_us)) {
		sooner(next_us, at_us);
		if (repair_client_progress(g->client)->running || !check_is_wanted(e, g))
			return;
		c->repair.n = 0;
		c->repair.why = g->state == STATE_JOINING ? REPAIR_JOIN : REPAIR_VERIFY;
		g->last_check_us = e->now.mono_us;
	}
	c->repair.node = active->node;
	c->repair.session = active->session;
	c->repair.group = g->cfg.id;
	control_send(e, c);
	sooner(next_us, at_us); /* now, where one request did not hold all */
	sooner(next_us, e->now.mono_us + REPAIR_RETRY_US);
}

void path_repair_tick(struct engine *e, uint64_t *next_us)
{
	for (size_t i = 0; i < e->cfg.groups; i++) {
		struct group *g = &e->group[i];
		const struct peer *active;

		if (g->role != ROLE_STANDBY || !g->active)
			continue;
		active = peers_by_node(e->peers, g->active);
		if (active && stream_of(e, active->node, active->session))
			repair_ask(e, g, active, next_us);
	}
}
