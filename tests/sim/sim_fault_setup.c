/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults of what boxes are given: links that fail, keys that are rotated. */
#include "tests/sim/sim_fault_priv.h"

/* ---- links ---- */

static void end_link(void *ctx, uint64_t tag, void *arg)
{
	struct sim_world *w = ctx;

	(void)arg;
	if (!w->healed)
		sim_net_plug(w->net, (unsigned)(tag >> 8), (unsigned)(tag & 0xff));
}

static void unplug_for(struct sim_world *w, unsigned node, unsigned link, uint64_t us)
{
	sim_net_unplug(w->net, node, link);
	sim_clock_at(w->clock, fault_in_us(w, us), end_link, w, node << 8 | link, NULL);
}

void fault_link(struct sim_world *w)
{
	unsigned link = (unsigned)sim_rng_below(&w->rng, w->profile->links);
	unsigned node = fault_pick_node(w);
	uint64_t us = fault_pick_us(w);
	bool all = sim_rng_chance(&w->rng, 400);

	sim_trace(w, "fault: link %u of %s%u fails for %.3f s", link, all ? "all, not only n" : "n",
		  node + 1, (double)us / 1e6);
	for (unsigned i = 0; i < w->nodes; i++)
		if (all || i == node)
			unplug_for(w, i, link, us);
}

/* ---- keys ---- */

enum { KEY_COMES, KEY_GOES, KEY_DONE };

static void rotate_step(void *ctx, uint64_t tag, void *arg)
{
	struct sim_world *w = ctx;
	unsigned node = (unsigned)(tag >> 8), what = (unsigned)(tag & 0xff);

	(void)arg;
	if (w->healed)
		return;
	if (what == KEY_DONE) {
		w->rotating = false;
		return;
	}
	sim_trace(w, "n%u: key %u %s", node + 1, w->rotation,
		  what == KEY_COMES ? "comes" : "alone");
	sim_node_set_keys(w->node[node], w->rotation, what == KEY_COMES);
}

static void rotate_at(struct sim_world *w, uint64_t us, unsigned node, unsigned what)
{
	sim_clock_at(w->clock, fault_in_us(w, us), rotate_step, w, node << 8 | what, NULL);
}

/* A box after another gets the new key; later, a box after another loses the old one. Who plans
 * looks first whether all have it, the others only hope. */
void fault_rotate(struct sim_world *w)
{
	uint64_t spread_us = sim_rng_below(&w->rng, 1500 * MS_US);
	uint64_t go_us = spread_us + (w->profile->kept ? 2 * S_US : sim_rng_below(&w->rng, S_US));

	if (w->rotating)
		return;
	w->rotating = true;
	w->rotation++;
	sim_trace(w, "fault: rotation to key %u", w->rotation);
	for (unsigned i = 0; i < w->nodes; i++) {
		rotate_at(w, sim_rng_below(&w->rng, spread_us + 1), i, KEY_COMES);
		rotate_at(w, go_us + sim_rng_below(&w->rng, 500 * MS_US), i, KEY_GOES);
	}
	rotate_at(w, go_us + 500 * MS_US, 0, KEY_DONE);
}
