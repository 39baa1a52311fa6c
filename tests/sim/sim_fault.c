/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults of wire and boxes, and the schedule of all. */
#include <string.h>

#include "tests/sim/sim_fault_priv.h"

uint64_t fault_in_us(struct sim_world *w, uint64_t us)
{
	return sim_clock_now(w->clock) + us;
}

uint64_t fault_pick_us(struct sim_world *w)
{
	uint64_t most = sim_rng_chance(&w->rng, 200) ? 6 * S_US : 1500 * MS_US;

	return sim_rng_range(&w->rng, 20 * MS_US, most);
}

unsigned fault_pick_node(struct sim_world *w)
{
	return (unsigned)sim_rng_below(&w->rng, w->nodes);
}

uint32_t fault_pick_group(struct sim_world *w)
{
	return (uint32_t)sim_rng_range(&w->rng, 1, w->groups);
}

/* ---- the wire ---- */

static void end_cut(void *ctx, uint64_t tag, void *arg)
{
	struct sim_world *w = ctx;

	(void)arg;
	if (!w->healed)
		sim_net_join(w->net, (unsigned)(tag >> 8), (unsigned)(tag & 0xff));
}

static void cut_for(struct sim_world *w, unsigned from, unsigned to, uint64_t us)
{
	if (from == to)
		return;
	sim_net_cut(w->net, from, to);
	sim_clock_at(w->clock, fault_in_us(w, us), end_cut, w, from << 8 | to, NULL);
}

static void isolate(struct sim_world *w)
{
	unsigned n = fault_pick_node(w);
	uint64_t us = fault_pick_us(w);

	sim_trace(w, "fault: n%u is cut off for %.3f s", n + 1, (double)us / 1e6);
	for (unsigned i = 0; i < w->nodes; i++) {
		cut_for(w, n, i, us);
		cut_for(w, i, n, us);
	}
}

static void one_way(struct sim_world *w)
{
	unsigned from = fault_pick_node(w), to = fault_pick_node(w);
	uint64_t us = fault_pick_us(w);

	sim_trace(w, "fault: n%u no longer reaches n%u for %.3f s", from + 1, to + 1,
		  (double)us / 1e6);
	cut_for(w, from, to, us);
}

static uint32_t halves_for(struct sim_world *w, uint64_t us)
{
	uint32_t half = (uint32_t)sim_rng_range(&w->rng, 1, (1u << w->nodes) - 2u);

	sim_trace(w, "fault: the wire falls apart for %.3f s, half %#x", (double)us / 1e6, half);
	for (unsigned a = 0; a < w->nodes; a++)
		for (unsigned b = 0; b < w->nodes; b++)
			if ((half >> a & 1u) != (half >> b & 1u))
				cut_for(w, a, b, us);
	return half;
}

static void halves(struct sim_world *w)
{
	(void)halves_for(w, fault_pick_us(w));
}

static void end_split(void *ctx, uint64_t tag, void *arg)
{
	struct sim_world *w = ctx;

	(void)tag;
	(void)arg;
	if (!w->healed)
		sim_world_settle_roles(w);
}

static void split_brain(struct sim_world *w)
{
	uint32_t group = fault_pick_group(w);
	unsigned holder = sim_world_holder(w, group), n = fault_pick_node(w);
	uint64_t us = sim_rng_range(&w->rng, S_US, 5 * S_US);
	uint32_t half = halves_for(w, us);

	if (holder == w->nodes)
		return;
	for (unsigned i = 0; i < w->nodes; i++, n = (n + 1) % w->nodes) {
		if ((half >> n & 1u) == (half >> holder & 1u) || !sim_node_running(w->node[n]))
			continue;
		sim_world_hold(w, n, group, true);
		sim_clock_at(w->clock, fault_in_us(w, us + sim_rng_below(&w->rng, S_US)), end_split,
			     w, group, NULL);
		return;
	}
}

static void weather(struct sim_world *w)
{
	const struct sim_profile *p = w->profile;
	uint32_t mess = (uint32_t)sim_rng_range(&w->rng, p->mess[0], p->mess[1]);
	struct sim_net_faults f = {
		.loss = (uint32_t)sim_rng_range(&w->rng, p->loss[0], p->loss[1]),
		/* Nothing can be kept on a wire that is dead for a second while the role moves. */
		.burst = p->kept ? 0 : (uint32_t)sim_rng_below(&w->rng, 1 + p->loss[1] / 20u),
		.burst_max = (uint32_t)sim_rng_range(&w->rng, 1, 60),
		.duplicate = mess,
		.reorder = mess,
		.reorder_us = (uint32_t)sim_rng_range(&w->rng, 100, 20000),
		.corrupt = mess / 4,
		.truncate = mess / 8,
		.loop = mess ? 500 : 0,
		.replay = p->replay,
		.links = sim_rng_chance(&w->rng, 250) ? 2 : 1,
	};

	if (p->links) {
		f.links = p->links;
		f.link_us = (uint32_t)sim_rng_below(&w->rng, 3000);
	}
	f.delay_us[0] = (uint32_t)sim_rng_range(&w->rng, 10, 100);
	f.delay_us[1] = f.delay_us[0] + (uint32_t)sim_rng_below(&w->rng, 2000);
	sim_trace(w, "weather: loss %u burst %u/%u mess %u, %u-%u us, %u links", f.loss, f.burst,
		  f.burst_max, mess, f.delay_us[0], f.delay_us[1], f.links);
	sim_net_set_faults(w->net, &f);
}

/* ---- boxes ---- */

static void start_again(void *ctx, uint64_t tag, void *arg)
{
	(void)arg;
	sim_world_start(ctx, (unsigned)tag);
}

static void stop_for_a_while(struct sim_world *w, enum sim_stop how)
{
	unsigned n = fault_pick_node(w);
	uint64_t us = fault_pick_us(w);
	bool keep = how != SIM_CRASH && us < 700 * MS_US;

	if (!sim_node_up(w->node[n]))
		return;
	sim_world_stop(w, n, how, keep);
	sim_clock_at(w->clock, fault_in_us(w, us), start_again, w, n, NULL);
}

static void crash(struct sim_world *w)
{
	stop_for_a_while(w, SIM_CRASH);
}

static void kill_daemon(struct sim_world *w)
{
	stop_for_a_while(w, SIM_KILL);
}

static void restart(struct sim_world *w)
{
	stop_for_a_while(w, SIM_STOP);
}

static void restart_spoilt(struct sim_world *w)
{
	stop_for_a_while(w, SIM_STOP);
	for (unsigned i = 0; i < w->nodes; i++)
		if (!sim_node_up(w->node[i]))
			(void)sim_node_spoil(w->node[i]);
}

static void go_on(void *ctx, uint64_t tag, void *arg)
{
	struct sim_world *w = ctx;

	(void)arg;
	sim_trace(w, "n%u goes on", (unsigned)tag + 1);
	sim_node_pause(w->node[tag], false);
	sim_world_tell(w, (unsigned)tag);
}

static void move_addresses_away(struct sim_world *w, unsigned n)
{
	for (uint32_t g = 1; g <= w->groups; g++) {
		unsigned to = sim_world_other(w, n);

		if (!(w->holders[g - 1] & 1u << n) || to == w->nodes)
			continue;
		sim_world_hold(w, n, g, false);
		sim_world_hold(w, to, g, true);
	}
}

static void stop_going(struct sim_world *w)
{
	unsigned n = fault_pick_node(w);
	uint64_t us = fault_pick_us(w);

	if (!sim_node_running(w->node[n]))
		return;
	sim_trace(w, "fault: n%u is stopped for %.3f s", n + 1, (double)us / 1e6);
	sim_node_pause(w->node[n], true);
	sim_clock_at(w->clock, fault_in_us(w, us), go_on, w, n, NULL);
	if (sim_rng_chance(&w->rng, 500))
		move_addresses_away(w, n);
}

static void end_slow(void *ctx, uint64_t tag, void *arg)
{
	struct sim_world *w = ctx;

	(void)arg;
	sim_node_set_slow(w->node[tag], 0, 0);
}

static void slow_down(struct sim_world *w)
{
	unsigned n = fault_pick_node(w);
	uint64_t us = fault_pick_us(w);
	uint32_t gap = (uint32_t)sim_rng_range(&w->rng, 1000, 50000);

	sim_trace(w, "fault: n%u is slow for %.3f s", n + 1, (double)us / 1e6);
	sim_node_set_slow(w->node[n], gap, (unsigned)sim_rng_range(&w->rng, 1, 8));
	sim_clock_at(w->clock, fault_in_us(w, us), end_slow, w, n, NULL);
}

static void wall_jump(struct sim_world *w)
{
	unsigned n = fault_pick_node(w);
	int64_t by = (int64_t)sim_rng_below(&w->rng, 7200) - 3600;

	sim_trace(w, "fault: n%u's clock jumps by %d s", n + 1, (int)by);
	sim_node_jump_wall(w->node[n], by * (int64_t)S_US);
}

/* ---- the schedule ---- */

static void (*const fault[SIM_FAULTS])(struct sim_world *w) = {
	[FAULT_ISOLATE] = isolate,
	[FAULT_ONE_WAY] = one_way,
	[FAULT_HALVES] = halves,
	[FAULT_SPLIT_BRAIN] = split_brain,
	[FAULT_CRASH] = crash,
	[FAULT_KILL] = kill_daemon,
	[FAULT_PAUSE] = stop_going,
	[FAULT_SLOW] = slow_down,
	[FAULT_WALL_JUMP] = wall_jump,
	[FAULT_SWITCH] = fault_switch,
	[FAULT_SWITCH_RUSHED] = fault_switch_rushed,
	[FAULT_HANDOVER] = fault_handover,
	[FAULT_IDLE] = fault_idle,
	[FAULT_FLUSH] = fault_flush,
	[FAULT_NIBBLE] = fault_nibble,
	[FAULT_TAMPER] = fault_tamper,
	[FAULT_STORM] = fault_storm,
	[FAULT_OVERRUN] = fault_overrun,
	[FAULT_REFUSE] = fault_refuse,
	[FAULT_FULL] = fault_full,
	[FAULT_INTERRUPT] = fault_interrupt,
	[FAULT_WEATHER] = weather,
	[FAULT_RECONCILE] = fault_reconcile,
	[FAULT_RESTART] = restart,
	[FAULT_RESTART_SPOILT] = restart_spoilt,
	[FAULT_LINK] = fault_link,
	[FAULT_ROTATE] = fault_rotate,
};

static void next_fault(void *ctx, uint64_t tag, void *arg)
{
	struct sim_world *w = ctx;
	size_t pick;

	(void)arg;
	if (w->healed)
		return;
	pick = sim_rng_weighted(&w->rng, w->profile->fault, SIM_FAULTS);
	if (tag > 0 && pick < SIM_FAULTS)
		fault[pick](w);
	if (w->profile->faults_per_s == 0)
		return;
	sim_clock_at(w->clock,
		     fault_in_us(w, sim_rng_below(&w->rng, 2 * S_US / w->profile->faults_per_s)),
		     next_fault, w, 1, NULL);
}

void sim_fault_schedule(struct sim_world *w)
{
	weather(w);
	next_fault(w, 0, NULL);
}

void sim_fault_heal(struct sim_world *w)
{
	struct sim_net_faults fine = {
		.delay_us = {20, 200}, .replay = w->profile->replay, .links = w->profile->links};

	w->healed = true;
	w->things = w->profile->things;
	sim_net_join_all(w->net);
	sim_net_set_faults(w->net, &fine);
	for (unsigned i = 0; i < w->nodes; i++) {
		sim_node_set_slow(w->node[i], 0, 0);
		fault_mend_kernel(w, i);
		sim_node_set_keys(w->node[i], w->rotation, true);
		sim_world_start(w, i);
		sim_node_pause(w->node[i], false);
		sim_world_tell(w, i);
	}
	memset(w->quiet_until_us, 0, sizeof w->quiet_until_us);
	sim_world_settle_roles(w);
}
