// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One kernel operation for each flow of a table, in slices of hash space, so that a million flows
 * are never one turn's work: leases renewed, windows made liberal, true timeouts restored.
 */
#include <errno.h>
#include <netinet/in.h>

#include "proto/flow_codec.h"
#include "syncd/engine_priv.h"

void slices_init(struct slices *s, const struct table *t)
{
	size_t slices = table_count(t) / SLICE_FLOWS;

	*s = (struct slices){0};
	while (slices >> s->depth && s->depth < 24)
		s->depth++;
}

bool slices_next(struct slices *s, struct hash_range *out)
{
	if (s->next >> s->depth)
		return false;
	out->depth = s->depth;
	out->lo = s->depth ? s->next << (64 - s->depth) : 0;
	s->next++;
	return true;
}

void sweep_start(struct group *g, struct sweep *s, enum sink_op op)
{
	*s = (struct sweep){.running = true, .op = op};
	slices_init(&s->at, g->table);
}

struct sweep_walk {
	struct engine *e;
	enum sink_op op;
	size_t n;
};

static int sweep_flow(void *ctx, uint64_t hash, const uint8_t *bytes, size_t len)
{
	struct sweep_walk *w = ctx;
	struct flow f;

	(void)hash;
	if (flow_decode(bytes, len, &f))
		return 0;
	if (w->op == SINK_LIBERAL && f.key.kind != FLOW_CONNTRACK)
		return 0;
	w->n++;
	return path_kernel_submit(w->e, w->op, &f) == -EAGAIN;
}

void sweep_step(struct engine *e, struct group *g, struct sweep *s, size_t *budget)
{
	struct sweep_walk w = {.e = e, .op = s->op};
	struct hash_range r;

	while (s->running && w.n < *budget && path_kernel_has_room(e)) {
		if (!slices_next(&s->at, &r)) {
			s->running = false;
		} else if (table_walk(g->table, r, sweep_flow, &w)) {
			s->at.next--; /* no room: the slice is done again, which does no harm */
			break;
		}
	}
	*budget -= w.n < *budget ? w.n : *budget;
}

/*
 * Leases are renewed at half their time, a slice after another over a quarter of it, and only while
 * somebody is active: what nobody serves may end.
 */
void lease_tick(struct engine *e, struct group *g, size_t *budget, uint64_t *next_us)
{
	uint64_t lease_us = e->cfg.lease_s * S_US;
	struct sweep *s = &g->lease;

	if (g->role != ROLE_STANDBY || g->cfg.install != INSTALL_HOT || !g->active || !lease_us) {
		g->lease_next_us = 0;
		s->running = false;
		return;
	}
	if (!s->running && e->now.mono_us >= g->lease_next_us) {
		/* What this node served until now has its own timeouts, which may be short. */
		uint64_t over_us = lease_us / (g->lease_next_us ? 4 : 64);

		sweep_start(g, s, SINK_RENEW);
		g->lease_next_us = e->now.mono_us + lease_us / 2;
		g->lease_slice_us = over_us >> s->at.depth;
		g->lease_slice_next_us = e->now.mono_us;
	}
	if (s->running && e->now.mono_us >= g->lease_slice_next_us) {
		uint64_t behind_us = e->now.mono_us - g->lease_slice_next_us;
		uint64_t due = 1 + (g->lease_slice_us ? behind_us / g->lease_slice_us : 1u << 20);
		uint64_t stop = s->at.next + due;

		while (s->running && s->at.next<stop && * budget> 0 && path_kernel_has_room(e)) {
			size_t one = 1;

			sweep_step(e, g, s, &one);
			*budget -= 1;
		}
		g->lease_slice_next_us += due * g->lease_slice_us;
	}
	sooner(next_us, s->running ? g->lease_slice_next_us : g->lease_next_us);
}
