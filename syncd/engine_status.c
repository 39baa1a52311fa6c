// SPDX-License-Identifier: GPL-2.0-or-later
/* What a group says of itself: ready or not, why not, and what a takeover now would lose. */
#include <errno.h>

#include "syncd/engine_priv.h"

enum { REASONS_MAX = sizeof(((struct engine_group_status *)0)->reason) / sizeof(const char *) };

static void add_reason(struct engine_group_status *st, const char *why)
{
	if (st->reasons < REASONS_MAX)
		st->reason[st->reasons++] = why;
}

static bool configuration_differs(const struct engine *e, const struct group *g)
{
	const struct peer *p = peers_by_node(e->peers, g->active);
	const struct hello_group *hg = p ? peer_group(p, g->cfg.id) : NULL;

	return (hg && hg->fingerprint != g->cfg.fingerprint) ||
	       (p && p->digest_key_id != e->digest_key.id);
}

static void standby_reasons(const struct engine *e, const struct group *g,
			    struct engine_group_status *st)
{
	if (!g->active && g->term.number == 0)
		add_reason(st, "no active node has been heard");
	if (!g->equal)
		add_reason(st, g->state == STATE_DEGRADED ? "datagrams were lost: being repaired"
							  : "not yet equal to the active");
	else if (st->equal_age_ms > e->cfg.ready_age_ms)
		add_reason(st, "the last equal check is too old");
	if (g->cfg.install == INSTALL_NEVER)
		add_reason(st, "install = never: nothing is installed");
	if (g->cfg.install == INSTALL_HOT && st->kernel_queued > e->cfg.kernel_backlog_max)
		add_reason(st, "the kernel is behind the table");
	if (g->kernel_full)
		add_reason(st, KERNEL_FULL);
	else if (st->refused)
		add_reason(st, "the kernel refused flows");
	if (configuration_differs(e, g))
		add_reason(st, "match, filter or cluster secret differ from the active's");
}

static uint64_t would_lose(const struct group *g, const struct engine_group_status *st)
{
	uint64_t lost = st->refused;

	if (g->role != ROLE_STANDBY)
		return 0;
	if (g->cfg.install == INSTALL_NEVER)
		return st->flows;
	if (g->cfg.install == INSTALL_HOT)
		lost += st->kernel_queued;
	if (!g->equal && g->check_count > st->flows)
		lost += g->check_count - st->flows;
	return lost;
}

static void fill_time(const struct engine *e, const struct group *g, struct engine_group_status *st)
{
	for (int s = 0; s < STATES; s++)
		st->time_in_state_ms[s] = g->time_in_state_us[s] / MS_US;
	st->time_in_state_ms[g->state] += (e->now.mono_us - g->state_since_us) / MS_US;
	st->transitions = g->transitions;
	st->equal_age_ms = g->equal_us ? (e->now.mono_us - g->equal_us) / MS_US : 0;
}

int engine_group_status(const struct engine *e, size_t index, struct engine_group_status *out)
{
	const struct group *g;
	uint64_t count;

	if (index >= e->cfg.groups)
		return -ENOENT;
	g = &e->group[index];
	*out = (struct engine_group_status){
		.id = g->cfg.id,
		.name = g->cfg.name,
		.role = g->role,
		.state = g->state,
		.term = g->term,
		.active = g->active,
		.flows = table_count(g->table),
		.kernel_queued =
			table_queued(g->table, TABLE_KERNEL) + table_queued(g->table, TABLE_LATER),
		.wire_queued = table_queued(g->table, TABLE_WIRE),
		.kept = g->kept_flows,
		.refused = g->retry.n + g->refused_by_kernel + g->refused_since_sync,
		.deferred = g->role == ROLE_STANDBY && g->cfg.install == INSTALL_TAKEOVER,
		.equal = g->equal,
		.lag_us = g->lag_us,
		.complete = g->complete,
		.refilling = g->refill != 0,
		.repair = *repair_client_progress(g->client),
		.memory_bytes = table_bytes(g->table),
	};
	table_range_digest(g->table, (struct hash_range){0, 0}, &out->digest, &count);
	fill_time(e, g, out);
	if (g->role == ROLE_IDLE)
		add_reason(out, "idle");
	else if (g->role == ROLE_STANDBY)
		standby_reasons(e, g, out);
	for (size_t i = 0; i < e->faults; i++)
		add_reason(out, e->fault[i]);
	if (e->impostor)
		add_reason(out, "another node uses this node's id");
	if (g->handover)
		add_reason(out, "handing over");
	out->handover = g->handover;
	out->whole = !g->unproven || (g->complete && out->kernel_queued == 0 && out->refused == 0);
	out->ready = out->reasons == 0;
	out->would_lose = would_lose(g, out);
	return 0;
}

uint32_t engine_encoder(void)
{
	return ENCODER_VERSION;
}

void engine_set_faults(struct engine *e, const char *const *why, size_t n)
{
	e->faults = n < FAULTS_MAX ? n : FAULTS_MAX;
	for (size_t i = 0; i < e->faults; i++)
		e->fault[i] = why[i];
}
