/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each kind of fault: how it begins, how long it lasts, how it ends. */
#include <stdlib.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "tests/sim/sim_world.h"

static uint64_t in_us(struct sim_world *w, uint64_t us)
{
	return sim_clock_now(w->clock) + us;
}

/* Mostly short, now and then longer than a peer is believed in. */
static uint64_t pick_us(struct sim_world *w)
{
	uint64_t most = sim_rng_chance(&w->rng, 200) ? 6 * S_US : 1500 * MS_US;

	return sim_rng_range(&w->rng, 20 * MS_US, most);
}

static unsigned pick_node(struct sim_world *w)
{
	return (unsigned)sim_rng_below(&w->rng, w->nodes);
}

static uint32_t pick_group(struct sim_world *w)
{
	return (uint32_t)sim_rng_range(&w->rng, 1, w->groups);
}

/* A running box that stands by in the group; nodes where there is none. */
static unsigned pick_standby(struct sim_world *w, uint32_t group)
{
	unsigned n = pick_node(w);

	for (unsigned i = 0; i < w->nodes; i++, n = (n + 1) % w->nodes)
		if (sim_node_running(w->node[n]) && !(w->holders[group - 1] & 1u << n))
			return n;
	return w->nodes;
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
	sim_clock_at(w->clock, in_us(w, us), end_cut, w, from << 8 | to, NULL);
}

static void isolate(struct sim_world *w)
{
	unsigned n = pick_node(w);
	uint64_t us = pick_us(w);

	sim_trace(w, "fault: n%u is cut off for %.3f s", n + 1, (double)us / 1e6);
	for (unsigned i = 0; i < w->nodes; i++) {
		cut_for(w, n, i, us);
		cut_for(w, i, n, us);
	}
}

static void one_way(struct sim_world *w)
{
	unsigned from = pick_node(w), to = pick_node(w);
	uint64_t us = pick_us(w);

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
	(void)halves_for(w, pick_us(w));
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
	uint32_t group = pick_group(w);
	unsigned holder = sim_world_holder(w, group), n = pick_node(w);
	uint64_t us = sim_rng_range(&w->rng, S_US, 5 * S_US);
	uint32_t half = halves_for(w, us);

	if (holder == w->nodes)
		return;
	for (unsigned i = 0; i < w->nodes; i++, n = (n + 1) % w->nodes) {
		if ((half >> n & 1u) == (half >> holder & 1u) || !sim_node_running(w->node[n]))
			continue;
		sim_world_hold(w, n, group, true);
		sim_clock_at(w->clock, in_us(w, us + sim_rng_below(&w->rng, S_US)), end_split, w,
			     group, NULL);
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
	unsigned n = pick_node(w);
	uint64_t us = pick_us(w);
	bool keep = how == SIM_KILL && us < 700 * MS_US;

	if (!sim_node_up(w->node[n]))
		return;
	sim_world_stop(w, n, how, keep);
	sim_clock_at(w->clock, in_us(w, us), start_again, w, n, NULL);
}

static void crash(struct sim_world *w)
{
	stop_for_a_while(w, SIM_CRASH);
}

static void kill_daemon(struct sim_world *w)
{
	stop_for_a_while(w, SIM_KILL);
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
	unsigned n = pick_node(w);
	uint64_t us = pick_us(w);

	if (!sim_node_running(w->node[n]))
		return;
	sim_trace(w, "fault: n%u is stopped for %.3f s", n + 1, (double)us / 1e6);
	sim_node_pause(w->node[n], true);
	sim_clock_at(w->clock, in_us(w, us), go_on, w, n, NULL);
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
	unsigned n = pick_node(w);
	uint64_t us = pick_us(w);
	uint32_t gap = (uint32_t)sim_rng_range(&w->rng, 1000, 50000);

	sim_trace(w, "fault: n%u is slow for %.3f s", n + 1, (double)us / 1e6);
	sim_node_set_slow(w->node[n], gap, (unsigned)sim_rng_range(&w->rng, 1, 8));
	sim_clock_at(w->clock, in_us(w, us), end_slow, w, n, NULL);
}

static void wall_jump(struct sim_world *w)
{
	unsigned n = pick_node(w);
	int64_t by = (int64_t)sim_rng_below(&w->rng, 7200) - 3600;

	sim_trace(w, "fault: n%u's clock jumps by %d s", n + 1, (int)by);
	sim_node_jump_wall(w->node[n], by * (int64_t)S_US);
}

/* ---- roles ---- */

static void take_later(void *ctx, uint64_t tag, void *arg)
{
	struct sim_world *w = ctx;
	unsigned n = (unsigned)(tag & 0xff);
	uint32_t g = (uint32_t)(tag >> 8);

	(void)arg;
	if (!w->holders[g - 1] && sim_node_running(w->node[n]))
		sim_world_hold(w, n, g, true);
	else if (!w->holders[g - 1])
		sim_world_settle_roles(w);
}

static void leave_later(void *ctx, uint64_t tag, void *arg)
{
	struct sim_world *w = ctx;
	unsigned n = (unsigned)(tag & 0xff);
	uint32_t g = (uint32_t)(tag >> 8), mine = 1u << n;

	(void)arg;
	if (w->holders[g - 1] & mine && w->holders[g - 1] != mine)
		sim_world_hold(w, n, g, false);
}

static void switch_over(struct sim_world *w, bool rushed)
{
	uint32_t g = pick_group(w);
	unsigned from = sim_world_holder(w, g), to = pick_standby(w, g);
	uint64_t gap = sim_rng_below(&w->rng, 300 * MS_US);

	if (from == w->nodes || to == w->nodes)
		return;
	sim_trace(w, "fault: group %u moves from n%u to n%u%s", g, from + 1, to + 1,
		  rushed ? ", rushed" : "");
	if (rushed) {
		sim_world_hold(w, to, g, true);
		sim_clock_at(w->clock, in_us(w, gap), leave_later, w, g << 8 | from, NULL);
	} else {
		sim_world_hold(w, from, g, false);
		sim_clock_at(w->clock, in_us(w, gap), take_later, w, g << 8 | to, NULL);
	}
}

static void switch_plain(struct sim_world *w)
{
	switch_over(w, false);
}

static void switch_rushed(struct sim_world *w)
{
	switch_over(w, true);
}

struct handover {
	unsigned from, to;
	uint32_t group;
};

/* The daemon has said that it wants to hand over, and whoever decides moves the address. */
static void handover_move(void *ctx, uint64_t tag, void *arg)
{
	struct sim_world *w = ctx;
	const struct handover *h = arg;

	(void)tag;
	w->quiet_until_us[h->group - 1] = 0;
	if (!(w->holders[h->group - 1] & 1u << h->from) || w->healed ||
	    !sim_node_running(w->node[h->to]))
		return;
	sim_world_hold(w, h->from, h->group, false);
	sim_world_hold(w, h->to, h->group, true);
	w->quiet_until_us[h->group - 1] = in_us(w, 700 * MS_US);
}

/* A person waits until the successor is equal before he asks for a handover. */
static bool is_ready(struct sim_world *w, unsigned n, uint32_t group)
{
	struct engine_group_status st;

	return sim_node_status(w->node[n], group, &st) && st.ready && st.state == STATE_STANDBY;
}

static void handover(struct sim_world *w)
{
	uint32_t g = pick_group(w);
	unsigned from = sim_world_holder(w, g), to = pick_standby(w, g);
	struct handover *h;

	if (from == w->nodes || to == w->nodes || !is_ready(w, to, g) ||
	    w->quiet_until_us[g - 1] > sim_clock_now(w->clock))
		return;
	if (sim_node_handover(w->node[from], g))
		return;
	sim_trace(w, "fault: group %u is handed over from n%u to n%u", g, from + 1, to + 1);
	h = malloc(sizeof *h);
	if (!h)
		return;
	*h = (struct handover){.from = from, .to = to, .group = g};
	w->quiet_until_us[g - 1] = in_us(w, S_US);
	sim_clock_at(w->clock, in_us(w, sim_rng_range(&w->rng, 5, 500) * MS_US), handover_move, w,
		     0, h);
}

static void idle_no_more(void *ctx, uint64_t tag, void *arg)
{
	(void)arg;
	sim_world_tell(ctx, (unsigned)tag);
}

static void idle(struct sim_world *w)
{
	uint32_t g = pick_group(w);
	unsigned n = pick_standby(w, g);

	if (n == w->nodes)
		return;
	sim_trace(w, "fault: n%u is idle in group %u", n + 1, g);
	sim_node_set_role(w->node[n], g, ROLE_IDLE, "told so");
	sim_clock_at(w->clock, in_us(w, pick_us(w)), idle_no_more, w, n, NULL);
}

/* ---- kernels and tables ---- */

static void flush_kernel(struct sim_world *w)
{
	unsigned n = pick_standby(w, pick_group(w));

	for (uint32_t g = 1; g <= w->groups; g++)
		if (n == w->nodes || w->holders[g - 1] & 1u << n)
			return;
	sim_trace(w, "fault: conntrack -F on n%u", n + 1);
	sim_kernel_flush(sim_node_kernel(w->node[n], FLOW_CONNTRACK));
}

static void nibble(struct sim_world *w)
{
	uint32_t g = pick_group(w);
	unsigned n = pick_standby(w, g);
	struct sim_kernel *k;

	if (n == w->nodes)
		return;
	k = sim_node_kernel(w->node[n], FLOW_CONNTRACK);
	for (uint64_t i = sim_rng_range(&w->rng, 1, 10); i > 0 && sim_kernel_count(k) > 0; i--) {
		const struct flow *f =
			sim_kernel_at(k, sim_rng_below(&w->rng, sim_kernel_count(k)));
		struct flow_key key = f->key;

		if (sim_node_classify(&key, w->groups) == g)
			(void)sim_kernel_destroy(k, &key, true);
	}
	sim_trace(w, "fault: some flows of group %u vanish from n%u's kernel", g, n + 1);
}

static void tamper(struct sim_world *w)
{
	uint32_t g = pick_group(w);
	unsigned n = pick_standby(w, g);

	if (n == w->nodes)
		return;
	sim_trace(w, "fault: n%u's table of group %u is altered", n + 1, g);
	(void)sim_world_tamper(w, n, g, (unsigned)sim_rng_range(&w->rng, 1, 8));
}

static void end_storm(void *ctx, uint64_t tag, void *arg)
{
	struct sim_world *w = ctx;

	(void)tag;
	(void)arg;
	w->things = w->profile->things;
}

static void storm(struct sim_world *w)
{
	sim_trace(w, "fault: a storm of connections");
	w->things = w->profile->things * 12u;
	sim_clock_at(w->clock, in_us(w, sim_rng_range(&w->rng, 50, 500) * MS_US), end_storm, w, 0,
		     NULL);
}

static const struct sim_kernel_faults no_faults = {
	.event_max = 100000, .flows_max = SIZE_MAX, .backlog_max = 512};

static void set_kernel_faults(struct sim_world *w, unsigned n, const struct sim_kernel_faults *f)
{
	for (unsigned k = 0; k < SIM_KINDS; k++)
		sim_kernel_set_faults(sim_node_kernel(w->node[n], (enum flow_kind)k), f);
}

static void end_kernel(void *ctx, uint64_t tag, void *arg)
{
	(void)arg;
	set_kernel_faults(ctx, (unsigned)tag, &no_faults);
}

static void kernel_for_a_while(struct sim_world *w, unsigned n, const char *what,
			       const struct sim_kernel_faults *f)
{
	sim_trace(w, "fault: n%u's kernel %s", n + 1, what);
	set_kernel_faults(w, n, f);
	sim_clock_at(w->clock, in_us(w, pick_us(w)), end_kernel, w, n, NULL);
}

static void overrun(struct sim_world *w)
{
	struct sim_kernel_faults f = no_faults;
	unsigned n = sim_world_holder(w, pick_group(w));

	if (n == w->nodes)
		return;
	f.event_max = sim_rng_range(&w->rng, 1, 30);
	kernel_for_a_while(w, n, "has room for few events", &f);
	storm(w);
}

static void refuse(struct sim_world *w)
{
	struct sim_kernel_faults f = no_faults;

	f.refuse = (uint32_t)sim_rng_range(&w->rng, 10, 600);
	f.backlog_max = sim_rng_range(&w->rng, 4, 64);
	kernel_for_a_while(w, pick_node(w), "refuses flows", &f);
}

static void full(struct sim_world *w)
{
	struct sim_kernel_faults f = no_faults;
	unsigned n = pick_node(w);

	f.flows_max = sim_kernel_count(sim_node_kernel(w->node[n], FLOW_CONNTRACK)) +
		      sim_rng_below(&w->rng, 10);
	kernel_for_a_while(w, n, "is full", &f);
}

static void interrupt(struct sim_world *w)
{
	struct sim_kernel_faults f = no_faults;

	f.interrupt = 700;
	kernel_for_a_while(w, pick_node(w), "interrupts dumps", &f);
}

static void reconcile(struct sim_world *w)
{
	sim_node_reconcile(w->node[pick_node(w)]);
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
	[FAULT_SWITCH] = switch_plain,
	[FAULT_SWITCH_RUSHED] = switch_rushed,
	[FAULT_HANDOVER] = handover,
	[FAULT_IDLE] = idle,
	[FAULT_FLUSH] = flush_kernel,
	[FAULT_NIBBLE] = nibble,
	[FAULT_TAMPER] = tamper,
	[FAULT_STORM] = storm,
	[FAULT_OVERRUN] = overrun,
	[FAULT_REFUSE] = refuse,
	[FAULT_FULL] = full,
	[FAULT_INTERRUPT] = interrupt,
	[FAULT_WEATHER] = weather,
	[FAULT_RECONCILE] = reconcile,
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
		     in_us(w, sim_rng_below(&w->rng, 2 * S_US / w->profile->faults_per_s)),
		     next_fault, w, 1, NULL);
}

void sim_fault_schedule(struct sim_world *w)
{
	weather(w);
	next_fault(w, 0, NULL);
}

void sim_fault_heal(struct sim_world *w)
{
	struct sim_net_faults fine = {.delay_us = {20, 200}, .replay = w->profile->replay};

	w->healed = true;
	w->things = w->profile->things;
	sim_net_join_all(w->net);
	sim_net_set_faults(w->net, &fine);
	for (unsigned i = 0; i < w->nodes; i++) {
		sim_node_set_slow(w->node[i], 0, 0);
		set_kernel_faults(w, i, &no_faults);
		sim_world_start(w, i);
		sim_node_pause(w->node[i], false);
		sim_world_tell(w, i);
	}
	memset(w->quiet_until_us, 0, sizeof w->quiet_until_us);
	sim_world_settle_roles(w);
}
