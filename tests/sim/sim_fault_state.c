/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults of roles, kernels and tables: how each begins, how long it lasts, how it ends. */
#include <stdlib.h>

#include "tests/sim/sim_fault_priv.h"

/* A running box that stands by in the group; nodes where there is none. */
static unsigned pick_standby(struct sim_world *w, uint32_t group)
{
	unsigned n = fault_pick_node(w);

	for (unsigned i = 0; i < w->nodes; i++, n = (n + 1) % w->nodes)
		if (sim_node_running(w->node[n]) && !(w->holders[group - 1] & 1u << n))
			return n;
	return w->nodes;
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
	uint32_t g = fault_pick_group(w);
	unsigned from = sim_world_holder(w, g), to = pick_standby(w, g);
	uint64_t gap = sim_rng_below(&w->rng, 300 * MS_US);

	if (from == w->nodes || to == w->nodes)
		return;
	sim_trace(w, "fault: group %u moves from n%u to n%u%s", g, from + 1, to + 1,
		  rushed ? ", rushed" : "");
	if (rushed) {
		sim_world_hold(w, to, g, true);
		sim_clock_at(w->clock, fault_in_us(w, gap), leave_later, w, g << 8 | from, NULL);
	} else {
		sim_world_hold(w, from, g, false);
		sim_clock_at(w->clock, fault_in_us(w, gap), take_later, w, g << 8 | to, NULL);
	}
}

void fault_switch(struct sim_world *w)
{
	switch_over(w, false);
}

void fault_switch_rushed(struct sim_world *w)
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
	w->quiet_until_us[h->group - 1] = fault_in_us(w, 700 * MS_US);
}

/* A person waits until the successor is equal before he asks for a handover. */
static bool is_ready(struct sim_world *w, unsigned n, uint32_t group)
{
	struct engine_group_status st;

	return sim_node_status(w->node[n], group, &st) && st.ready && st.state == STATE_STANDBY;
}

void fault_handover(struct sim_world *w)
{
	uint32_t g = fault_pick_group(w);
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
	w->quiet_until_us[g - 1] = fault_in_us(w, S_US);
	sim_clock_at(w->clock, fault_in_us(w, sim_rng_range(&w->rng, 5, 500) * MS_US),
		     handover_move, w, 0, h);
}

static void idle_no_more(void *ctx, uint64_t tag, void *arg)
{
	(void)arg;
	sim_world_tell(ctx, (unsigned)tag);
}

void fault_idle(struct sim_world *w)
{
	uint32_t g = fault_pick_group(w);
	unsigned n = pick_standby(w, g);

	if (n == w->nodes)
		return;
	sim_trace(w, "fault: n%u is idle in group %u", n + 1, g);
	sim_node_set_role(w->node[n], g, ROLE_IDLE, "told so");
	sim_clock_at(w->clock, fault_in_us(w, fault_pick_us(w)), idle_no_more, w, n, NULL);
}

/* ---- kernels and tables ---- */

void fault_flush(struct sim_world *w)
{
	unsigned n = pick_standby(w, fault_pick_group(w));

	for (uint32_t g = 1; g <= w->groups; g++)
		if (n == w->nodes || w->holders[g - 1] & 1u << n)
			return;
	sim_trace(w, "fault: conntrack -F on n%u", n + 1);
	sim_kernel_flush(sim_node_kernel(w->node[n], FLOW_CONNTRACK));
}

void fault_nibble(struct sim_world *w)
{
	uint32_t g = fault_pick_group(w);
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

void fault_tamper(struct sim_world *w)
{
	uint32_t g = fault_pick_group(w);
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

void fault_storm(struct sim_world *w)
{
	sim_trace(w, "fault: a storm of connections");
	w->things = w->profile->things * 12u;
	sim_clock_at(w->clock, fault_in_us(w, sim_rng_range(&w->rng, 50, 500) * MS_US), end_storm,
		     w, 0, NULL);
}

static const struct sim_kernel_faults no_faults = {
	.event_max = 100000, .flows_max = SIZE_MAX, .backlog_max = 512};

static void set_kernel_faults(struct sim_world *w, unsigned n, const struct sim_kernel_faults *f)
{
	for (unsigned k = 0; k < SIM_KINDS; k++)
		sim_kernel_set_faults(sim_node_kernel(w->node[n], (enum flow_kind)k), f);
}

void fault_mend_kernel(struct sim_world *w, unsigned node)
{
	set_kernel_faults(w, node, &no_faults);
}

static void end_kernel(void *ctx, uint64_t tag, void *arg)
{
	(void)arg;
	fault_mend_kernel(ctx, (unsigned)tag);
}

static void kernel_for_a_while(struct sim_world *w, unsigned n, const char *what,
			       const struct sim_kernel_faults *f)
{
	sim_trace(w, "fault: n%u's kernel %s", n + 1, what);
	set_kernel_faults(w, n, f);
	sim_clock_at(w->clock, fault_in_us(w, fault_pick_us(w)), end_kernel, w, n, NULL);
}

void fault_overrun(struct sim_world *w)
{
	struct sim_kernel_faults f = no_faults;
	unsigned n = sim_world_holder(w, fault_pick_group(w));

	if (n == w->nodes)
		return;
	f.event_max = sim_rng_range(&w->rng, 1, 30);
	kernel_for_a_while(w, n, "has room for few events", &f);
	fault_storm(w);
}

void fault_refuse(struct sim_world *w)
{
	struct sim_kernel_faults f = no_faults;

	f.refuse = (uint32_t)sim_rng_range(&w->rng, 10, 600);
	f.backlog_max = sim_rng_range(&w->rng, 4, 64);
	kernel_for_a_while(w, fault_pick_node(w), "refuses flows", &f);
}

void fault_full(struct sim_world *w)
{
	struct sim_kernel_faults f = no_faults;
	unsigned n = fault_pick_node(w);

	f.flows_max = sim_kernel_count(sim_node_kernel(w->node[n], FLOW_CONNTRACK)) +
		      sim_rng_below(&w->rng, 10);
	kernel_for_a_while(w, n, "is full", &f);
}

void fault_interrupt(struct sim_world *w)
{
	struct sim_kernel_faults f = no_faults;

	f.interrupt = 700;
	kernel_for_a_while(w, fault_pick_node(w), "interrupts dumps", &f);
}

void fault_reconcile(struct sim_world *w)
{
	sim_node_reconcile(w->node[fault_pick_node(w)]);
}
