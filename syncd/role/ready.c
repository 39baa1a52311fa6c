// SPDX-License-Identifier: GPL-2.0-or-later
/* The ready gate. Called by daemon_role.c, which writes the track file. */
#include "syncd/role/ready.h"

static uint64_t delay(const struct ready_gate *g, const struct ready_config *cfg)
{
	return g->raw ? cfg->rise_us : cfg->fall_us;
}

bool ready_gate_step(struct ready_gate *g, const struct ready_config *cfg, bool ready, bool active,
		     uint64_t now_us)
{
	const bool first = !g->begun, was = g->shown;

	if (first || ready != g->raw) {
		g->raw = ready;
		g->since_us = now_us;
	}
	if (active)
		g->shown = true;
	else if (g->active)
		g->shown = ready;
	else if (g->shown != g->raw && now_us - g->since_us >= delay(g, cfg))
		g->shown = g->raw;
	g->begun = true;
	g->active = active;
	return first || g->shown != was;
}
