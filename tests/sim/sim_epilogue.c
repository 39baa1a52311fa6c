/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * After agreement: what it costs to keep, to move and to mend. An idle cluster sends no data; a
 * takeover between equal nodes sends no flow; an emptied kernel is filled from its own box's table;
 * what repair sends is in proportion to what differed; no connection is lost at a split that heals.
 */
#include <inttypes.h>

#include "tests/sim/sim_world.h"

#define AGREE_US (25 * S_US)
#define IDLE_US	 (2500 * MS_US)
#define AUDIT_US (90 * S_US)
#define MEET_US \
	(2 * S_US) /* less than an entry lives in the kernel that its packets do not reach */

/*
 * Flows that one differing flow may bring along: those of its leaf, which is asked for whole once
 * it is expected to hold REPAIR_LEAF_FLOWS, or of one datagram's range; with room for unlucky ones.
 */
enum { LEAF_MOST = 6 * REPAIR_LEAF_FLOWS };

static void idle(struct sim_world *w)
{
	const struct sim_check_totals *now = sim_check_totals(w->check);
	struct sim_check_totals before = *now;

	sim_trace(w, "---- epilogue: idle");
	sim_world_pass(w, IDLE_US);
	if (now->puts != before.puts || now->range_puts != before.range_puts ||
	    now->digests != before.digests)
		sim_fail(w, 0, "idle",
			 "an idle cluster sent %" PRIu64 " flows, %" PRIu64 " answers of digests",
			 now->puts - before.puts, now->digests - before.digests);
}

static void takeover(struct sim_world *w)
{
	const struct sim_check_totals *now = sim_check_totals(w->check);
	struct sim_check_totals before = *now;
	uint32_t g = (uint32_t)sim_rng_range(&w->rng, 1, w->groups);
	unsigned from = sim_world_holder(w, g), to = sim_world_other(w, from);

	if (to == w->nodes)
		return;
	sim_trace(w, "---- epilogue: group %u from n%u to n%u", g, from + 1, to + 1);
	if (sim_rng_chance(&w->rng, 500)) {
		sim_world_hold(w, from, g, false);
		sim_world_pass(w, sim_rng_below(&w->rng, 200 * MS_US));
		sim_world_hold(w, to, g, true);
	} else {
		sim_world_hold(w, to, g, true);
		sim_world_pass(w, sim_rng_below(&w->rng, 200 * MS_US));
		sim_world_hold(w, from, g, false);
	}
	sim_world_wait_agreement(w, "a takeover between equals", AGREE_US);
	if (now->puts != before.puts)
		sim_fail(w, to, "takeover", "between equal nodes it sent %" PRIu64 " flows",
			 now->puts - before.puts);
}

static unsigned some_standby(struct sim_world *w, uint32_t g)
{
	return sim_world_other(w, sim_world_holder(w, g));
}

static void flushed_kernel(struct sim_world *w)
{
	const struct sim_check_totals *now = sim_check_totals(w->check);
	struct sim_check_totals before = *now;
	unsigned n = some_standby(w, 1);

	for (uint32_t g = 1; g <= w->groups; g++)
		if (n == w->nodes || w->holders[g - 1] & 1u << n)
			return;
	sim_trace(w, "---- epilogue: conntrack -F on n%u", n + 1);
	sim_kernel_flush(sim_node_kernel(w->node[n], FLOW_CONNTRACK));
	sim_kernel_flush(sim_node_kernel(w->node[n], FLOW_IPVS));
	sim_world_wait_agreement(w, "a standby's kernel was emptied", AGREE_US);
	if (now->puts != before.puts)
		sim_fail(w, n, "refill", "the wire carried %" PRIu64 " flows",
			 now->puts - before.puts);
}

/* Some changes of the clients (one alone may change nothing), after which the active sends a check.
 */
static void nudge(struct sim_world *w, uint32_t g)
{
	const struct sim_traffic_stats *t = sim_traffic_stats(w->traffic);
	uint64_t before = t->opened + t->changed;

	for (unsigned i = 0; i < 50 && t->opened + t->changed < before + 5; i++)
		sim_traffic_step(w->traffic, g, 1);
	sim_trace(w, "nudged: %zu connections, %" PRIu64 " opened or changed", t->open,
		  t->opened + t->changed - before);
}

static void divergence(struct sim_world *w)
{
	const struct sim_check_totals *now = sim_check_totals(w->check);
	struct sim_check_totals before = *now;
	uint32_t g = (uint32_t)sim_rng_range(&w->rng, 1, w->groups);
	unsigned n = some_standby(w, g), differ;
	uint64_t sent, most;

	if (n == w->nodes)
		return;
	differ = sim_world_tamper(w, n, g, (unsigned)sim_rng_range(&w->rng, 1, 12));
	sim_trace(w, "---- epilogue: %u flows of n%u's table altered", differ, n + 1);
	if (differ % 2 != 0)
		nudge(w, g); /* otherwise nothing but the active's hello tells */
	sim_world_wait_agreement(w, "a standby's table was altered", AGREE_US);
	sent = now->range_puts - before.range_puts;
	most = (uint64_t)differ * LEAF_MOST;
	if (sent > most)
		sim_fail(w, n, "proportion", "%u flows differed, repair sent %" PRIu64, differ,
			 sent);
}

/* One that gave way in a split keeps its own flows, and offers them, for so long. */
static void forget_splits(struct sim_world *w)
{
	sim_world_pass(w, ENGINE_HEAL_US);
}

/* What has happened to connections so far, by clients and by time. */
static uint64_t happened(struct sim_world *w)
{
	const struct sim_traffic_stats *t = sim_traffic_stats(w->traffic);
	uint64_t sum = t->opened + t->changed + t->closed;

	for (unsigned i = 0; i < w->nodes; i++)
		for (unsigned k = 0; k < SIM_KINDS; k++)
			sum += sim_kernel_stats(sim_node_kernel(w->node[i], (enum flow_kind)k))
				       ->expired;
	return sum;
}

/* What an upgrade is, of a standby or of an active; now and then what was kept is damaged. */
static void restarted(struct sim_world *w)
{
	const struct sim_check_totals *now = sim_check_totals(w->check);
	struct sim_check_totals before;
	unsigned n = sim_world_other(w, w->nodes);
	bool spoilt = sim_rng_chance(&w->rng, 200);
	uint64_t changes, sent;

	if (n == w->nodes)
		return;
	forget_splits(w);
	before = *now;
	changes = happened(w);
	sim_trace(w, "---- epilogue: n%u is restarted in order%s", n + 1,
		  spoilt ? ", and finds damage" : "");
	sim_world_stop(w, n, SIM_STOP, true);
	if (spoilt && sim_node_spoil(w->node[n]) == 0)
		sim_fail(w, n, "restart", "it kept nothing");
	sim_world_pass(w,
		       sim_rng_below(&w->rng, PEER_DEAD_US + 500 * MS_US)); /* less than a lease */
	sim_world_start(w, n);
	if (sim_node_took(w->node[n]) != (spoilt ? 0 : w->groups))
		sim_fail(w, n, "restart", "it took up %zu tables of %u%s",
			 sim_node_took(w->node[n]), w->groups, spoilt ? ", damaged" : "");
	sim_world_wait_agreement(w, "a daemon was restarted in order", AGREE_US);
	sent = now->puts - before.puts;
	changes = happened(w) - changes;
	if (!spoilt && sent > (changes ? (changes + 1) * LEAF_MOST : 0))
		sim_fail(w, n, "restart",
			 "%" PRIu64 " changes were missed, the wire carried %" PRIu64 " flows",
			 changes, sent);
}

static void cut_off(struct sim_world *w, unsigned n)
{
	for (unsigned i = 0; i < w->nodes; i++)
		if (i != n) {
			sim_net_cut(w->net, i, n);
			sim_net_cut(w->net, n, i);
		}
}

/* A standby hears nothing for longer than its peers live, while little changes. */
static void missed_some(struct sim_world *w)
{
	const struct sim_check_totals *now = sim_check_totals(w->check);
	struct sim_check_totals before;
	uint32_t g = (uint32_t)sim_rng_range(&w->rng, 1, w->groups);
	unsigned n = some_standby(w, g);
	uint64_t changes, sent;

	if (n == w->nodes)
		return;
	sim_trace(w, "---- epilogue: n%u misses some changes", n + 1);
	forget_splits(w);
	cut_off(w, n);
	changes = happened(w);
	sim_world_pass(w, PEER_DEAD_US + 500 * MS_US);
	sim_traffic_step(w->traffic, g, (unsigned)sim_rng_range(&w->rng, 1, 10));
	sim_world_pass(w, 500 * MS_US);
	sim_net_join_all(w->net);
	before = *now;
	sim_world_wait_agreement(w, "a standby missed some changes", AGREE_US);
	sent = now->range_puts - before.range_puts;
	changes = happened(w) - changes;
	if (sent > (changes + 1) * LEAF_MOST)
		sim_fail(w, n, "proportion",
			 "%" PRIu64 " changes were missed, repair sent %" PRIu64 " flows", changes,
			 sent);
}

/* ---- a split ----------------------------------------------------------------------------- */

static void expect_known(struct sim_world *w, uint32_t g, unsigned n)
{
	const struct flow *f = sim_traffic_unknown_to(w->traffic, g, n);
	char name[FLOW_TEXT_MAX];

	if (!f)
		return;
	(void)flow_format(f, name);
	sim_fail(w, n, "offers",
		 "two active ones have met, and this one's kernel lacks %s of group %u", name, g);
}

static bool both_know(struct sim_world *w, uint32_t g, unsigned a, unsigned b)
{
	return !sim_traffic_unknown_to(w->traffic, g, a) &&
	       !sim_traffic_unknown_to(w->traffic, g, b);
}

/* Two that are active tell each other the connections that the other has not, before one gives way.
 */
static void meet(struct sim_world *w, uint32_t g, unsigned a, unsigned b)
{
	uint64_t until_us = sim_clock_now(w->clock) + MEET_US;

	while (!both_know(w, g, a, b) && sim_clock_now(w->clock) < until_us)
		sim_world_pass(w, 100 * MS_US);
	expect_known(w, g, a);
	expect_known(w, g, b);
}

/*
 * All connections that lived when a node gave way are in the kernel of the one that stays, which
 * agreement holds to be its table: clients send their packets there since, and wait where it does
 * not know them yet.
 */
static void expect_kept(struct sim_world *w, uint32_t g)
{
	const struct flow *f = sim_traffic_unknown(w->traffic, g);
	char name[FLOW_TEXT_MAX];

	if (!f || w->result->failed)
		return;
	(void)flow_format(f, name);
	sim_fail(w, sim_world_holder(w, g), "heal",
		 "a node gave way at a split, and %s of group %u is lost", name, g);
}

/* While they are apart one's daemon may be restarted, in order or not. */
static void apart(struct sim_world *w, unsigned a, unsigned b)
{
	struct sim_rng r; /* of its own, so that the story's other draws stay what they are */
	unsigned n;

	sim_rng_init(&r, w->seed, 6);
	n = sim_rng_chance(&r, 500) ? a : b;
	if (!sim_rng_chance(&r, 300))
		return;
	sim_world_stop(w, n, sim_rng_chance(&r, 500) ? SIM_STOP : SIM_KILL, true);
	sim_world_pass(w, sim_rng_below(&r, 300 * MS_US));
	sim_world_start(w, n);
	sim_world_pass(w, S_US);
}

/*
 * The active box of a group is cut off and serves on, another takes over, clients reach both; then
 * they meet. What the cut-off one got before it could miss anybody is offered when it gives way,
 * not before.
 */
static void split(struct sim_world *w)
{
	uint32_t g = (uint32_t)sim_rng_range(&w->rng, 1, w->groups);
	unsigned from = sim_world_holder(w, g), to = sim_world_other(w, from), loser;
	unsigned things = (unsigned)sim_rng_range(&w->rng, 1, 30);
	bool early = sim_rng_chance(&w->rng, 300), met = sim_rng_chance(&w->rng, 700);

	if (to == w->nodes)
		return;
	sim_trace(w, "---- epilogue: group %u is split, n%u from n%u", g, from + 1, to + 1);
	forget_splits(w);
	cut_off(w, from);
	if (early)
		sim_traffic_step(w->traffic, g, things);
	sim_world_pass(w, PEER_DEAD_US + 500 * MS_US);
	sim_world_hold(w, to, g, true);
	sim_world_pass(w, 500 * MS_US);
	sim_traffic_step(w->traffic, g, things);
	sim_world_pass(w, 500 * MS_US);
	apart(w, from, to);
	sim_net_join_all(w->net);
	if (met && !early)
		meet(w, g, from, to);
	else if (met)
		sim_world_pass(w, sim_rng_below(&w->rng, S_US));
	loser = sim_rng_chance(&w->rng, 500) ? from : to;
	sim_trace(w, "n%u gives way, met %d, early %d", loser + 1, met, early);
	sim_traffic_set_patient(w->traffic, g, true);
	sim_world_hold(w, loser, g, false);
	sim_world_wait_agreement(w, "a split", AGREE_US);
	expect_kept(w, g);
}

static uint64_t found(const struct audit_group *g, enum audit_where where)
{
	uint64_t sum = 0;

	for (unsigned what = 0; what < AUDIT_WHATS; what++)
		sum += g->found[where][what];
	return sum;
}

/* Starts a deep comparison on a box and waits for its end. NULL: it has none, and that is a
 * failure.
 */
static const struct audit_result *audited(struct sim_world *w, unsigned n)
{
	const struct audit_result *r = engine_audit(sim_node_engine(w->node[n]));
	uint64_t until_us = sim_clock_now(w->clock) + AUDIT_US;

	while (r && r->running && sim_clock_now(w->clock) < until_us)
		sim_world_pass(w, 100 * MS_US);
	if (r && !r->running)
		return r;
	sim_fail(w, n, "deep", "the comparison does not end");
	return NULL;
}

static void expect_no_finding(struct sim_world *w, unsigned n)
{
	const struct audit_result *r;

	sim_node_audit(w->node[n]);
	r = audited(w, n);
	for (size_t i = 0; r && i < r->groups; i++) {
		const struct audit_group *g = &r->group[i];

		if (!r->kernel || !g->compared || !g->equal || g->differed ||
		    found(g, AUDIT_TABLE) || found(g, AUDIT_KERNEL))
			sim_fail(
				w, n, "deep",
				"group %u among equals: kernel %d, compared %d, equal %d, differed "
				"%d, found %" PRIu64 " + %" PRIu64,
				g->id, r->kernel, g->compared, g->equal, g->differed,
				found(g, AUDIT_TABLE), found(g, AUDIT_KERNEL));
	}
}

/* A deep comparison names what differs, and where all agree it finds nothing. */
static void compared_deeply(struct sim_world *w)
{
	uint32_t g = (uint32_t)sim_rng_range(&w->rng, 1, w->groups);
	unsigned n = some_standby(w, g), differ;
	const struct audit_result *r;
	uint64_t changes, named;

	if (n == w->nodes)
		return;
	sim_trace(w, "---- epilogue: n%u compares deeply", n + 1);
	changes = happened(w);
	differ = sim_world_tamper(w, n, g, (unsigned)sim_rng_range(&w->rng, 1, 12));
	sim_node_audit(w->node[n]);
	r = audited(w, n);
	named = r ? found(&r->group[g - 1], AUDIT_TABLE) : 0;
	/* A flow may have been altered twice, and by chance be what it was. */
	if (r && happened(w) == changes && (named > differ || (differ == 1 && named != 1)))
		sim_fail(w, n, "deep", "%u flows were altered, %" PRIu64 " are named", differ,
			 named);
	sim_world_wait_agreement(w, "a standby's table was altered and compared", AGREE_US);
	for (unsigned i = 0; i < w->nodes && !w->result->failed; i++)
		expect_no_finding(w, i);
}

void sim_epilogue(struct sim_world *w)
{
	static void (*const part[])(struct sim_world *
				    w) = {idle,	      takeover,	   restarted,	    flushed_kernel,
					  divergence, missed_some, compared_deeply, split};
	struct sim_net_faults fine = {.delay_us = {20, 200}, .links = w->profile->links};

	/* A request that never arrived is answered when the attacker delivers it after all: once,
	 * and it changes nothing, but it would be counted here. */
	sim_net_set_faults(w->net, &fine);

	for (size_t i = 0; i < sizeof part / sizeof part[0] && !w->result->failed; i++)
		if (sim_rng_chance(&w->rng, 300))
			part[i](w);
}
