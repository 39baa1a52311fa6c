/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Boxes, addresses, clients and the course of a story. */
#include "tests/sim/sim_world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/flow_codec.h"

#define TRAFFIC_US (10 * MS_US)
#define TOUCH_US   (400 * MS_US)
#define AGREE_US   (40 * S_US)

void sim_trace(struct sim_world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->verbose)
		return;
	printf("%11.6f  ", (double)sim_clock_now(w->clock) / 1e6);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void sim_fail(struct sim_world *w, unsigned node, const char *invariant, const char *fmt, ...)
{
	struct sim_result *r = w->result;
	char what[1400];
	va_list ap;

	if (r->failed)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	r->failed = true;
	(void)snprintf(r->text, sizeof r->text,
		       "seed %" PRIu64 " profile %s t=%.6fs node %u invariant \"%s\": %s", w->seed,
		       w->profile->name, (double)sim_clock_now(w->clock) / 1e6, node + 1, invariant,
		       what);
	sim_trace(w, "FAILED %s", r->text);
}

void sim_world_pass(struct sim_world *w, uint64_t us)
{
	uint64_t end = sim_clock_now(w->clock) + us;

	while (!w->result->failed && sim_clock_step(w->clock, end))
		continue;
}

/* ---- what nodes, wire and checker tell ---- */

static void on_violation(void *ctx, const struct sim_node *n, const char *invariant,
			 const char *text)
{
	sim_fail(ctx, sim_node_id(n) - 1u, invariant, "%s", text);
}

static void on_send(void *ctx, struct sim_node *n, const uint8_t *dgram, size_t len)
{
	struct sim_world *w = ctx;

	sim_check_on_send(w->check, n, dgram, len);
	sim_net_send(w->net, sim_node_id(n) - 1u, dgram, len);
}

static const char *const record_name[] = {"sent", "applied", "kept", "tail", "dropped", "control"};

static void trace_flows(struct sim_world *w, const uint8_t *payload, size_t len)
{
	char name[FLOW_TEXT_MAX];
	enum data_piece piece;
	struct data_iter it;
	struct flow f;

	data_iter_init(&it, payload, len);
	while ((piece = data_iter_next(&it)) != DATA_END) {
		if (piece == DATA_PUT && flow_decode(it.bytes, it.len, &f) == 0) {
			(void)flow_format(&f, name);
			sim_trace(w, "    put %s", name);
		} else if (piece == DATA_DEL && flow_key_decode(it.bytes, it.len, &f.key) == 0) {
			(void)flow_key_format(&f.key, name);
			sim_trace(w, "    del %s", name);
		}
	}
}

static void trace_data(struct sim_world *w, const struct sim_node *n, enum engine_record what,
		       uint16_t from, uint64_t counter, const uint8_t *bytes, size_t len)
{
	struct data_info d;

	if (what == RECORD_DROPPED) {
		sim_trace(w, "n%u dropped n%u:%" PRIu64 " %.*s", sim_node_id(n), from, counter,
			  (int)len, (const char *)bytes);
		return;
	}
	if (what == RECORD_CONTROL || what == RECORD_INSTALLED || data_read(bytes, len, &d))
		return;
	sim_trace(w,
		  "n%u %s n%u:%" PRIu64 " group %u term %" PRIu64
		  " puts %u dels %u digests %u%s%s%s",
		  sim_node_id(n), record_name[what], from, counter, d.group, d.term, d.puts, d.dels,
		  d.digests, d.has_range ? " range" : "",
		  d.has_check ? d.check.complete ? " check" : " check (incomplete)" : "",
		  d.final ? " final" : "");
	if (w->verbose > 1)
		trace_flows(w, bytes, len);
}

static void on_record(void *ctx, struct sim_node *n, enum engine_record what, uint16_t from,
		      uint64_t session, uint64_t counter, const uint8_t *bytes, size_t len)
{
	struct sim_world *w = ctx;

	if (w->verbose)
		trace_data(w, n, what, from, counter, bytes, len);
	if (what == RECORD_APPLIED || what == RECORD_KEPT)
		sim_check_on_applied(w->check, n, from, session, counter, bytes, len);
	if (what == RECORD_TAIL)
		sim_check_on_told(w->check, n, bytes, len);
}

static void on_state(void *ctx, struct sim_node *n, uint32_t group, enum node_state from,
		     enum node_state to, const char *reason)
{
	sim_trace(ctx, "n%u group %u: %s -> %s: %s", sim_node_id(n), group, role_state_name(from),
		  role_state_name(to), reason);
}

static void on_alarm(void *ctx, struct sim_node *n, uint32_t group, const char *what)
{
	sim_trace(ctx, "n%u group %u ALARM %s", sim_node_id(n), group, what);
}

static void on_spin(void *ctx, struct sim_node *n)
{
	sim_fail(ctx, sim_node_id(n) - 1u, "spin", "its loop turns with nothing to do");
}

static void on_start(void *ctx, struct sim_node *n)
{
	struct sim_world *w = ctx;

	sim_check_on_start(w->check, n);
}

static void on_read(void *ctx, struct sim_node *n, const uint8_t *dgram, size_t len)
{
	struct sim_world *w = ctx;

	sim_check_on_read(w->check, n, dgram, len);
}

static void after(void *ctx, struct sim_node *n)
{
	struct sim_world *w = ctx;

	sim_check_after(w->check, n);
}

static void deliver(void *ctx, unsigned to, const uint8_t *dgram, size_t len)
{
	struct sim_world *w = ctx;

	sim_node_deliver(w->node[to], dgram, len);
}

/* ---- addresses ---- */

unsigned sim_world_holder(const struct sim_world *w, uint32_t group)
{
	for (unsigned i = 0; i < w->nodes; i++)
		if (w->holders[group - 1] & 1u << i)
			return i;
	return w->nodes;
}

unsigned sim_world_other(struct sim_world *w, unsigned but)
{
	unsigned candidate[NODES_MAX], n = 0;

	for (unsigned i = 0; i < w->nodes; i++)
		if (i != but && sim_node_running(w->node[i]))
			candidate[n++] = i;
	return n ? candidate[sim_rng_below(&w->rng, n)] : w->nodes;
}

void sim_world_hold(struct sim_world *w, unsigned node, uint32_t group, bool hold)
{
	uint32_t *holders = &w->holders[group - 1];

	sim_trace(w, "address of group %u %s n%u", group, hold ? "comes to" : "leaves", node + 1);
	w->result->takeovers += hold && !(*holders & 1u << node);
	*holders = hold ? *holders | 1u << node : *holders & ~(1u << node);
	if (sim_node_running(w->node[node]))
		sim_node_set_role(w->node[node], group, hold ? ROLE_ACTIVE : ROLE_STANDBY,
				  "the address moved");
}

void sim_world_tell(struct sim_world *w, unsigned node)
{
	for (uint32_t g = 1; g <= w->groups; g++)
		if (sim_node_running(w->node[node]))
			sim_node_set_role(w->node[node], g,
					  w->holders[g - 1] & 1u << node ? ROLE_ACTIVE
									 : ROLE_STANDBY,
					  "as the address is");
}

static void tell_later(void *ctx, uint64_t tag, void *arg)
{
	(void)arg;
	sim_world_tell(ctx, (unsigned)tag);
}

void sim_world_start(struct sim_world *w, unsigned node)
{
	uint32_t holds = 0;

	if (sim_node_up(w->node[node]))
		return;
	for (uint32_t g = 1; g <= w->groups; g++)
		if (w->holders[g - 1] & 1u << node)
			holds |= 1u << (g - 1);
	sim_trace(w, "n%u starts", node + 1);
	sim_node_start(w->node[node], holds);
	if (sim_node_took(w->node[node]) > 0)
		sim_trace(w, "n%u has %zu tables of before", node + 1,
			  sim_node_took(w->node[node]));
	sim_clock_at(w->clock, sim_clock_now(w->clock) + sim_rng_below(&w->rng, 300 * MS_US),
		     tell_later, w, node, NULL);
}

/* Nobody holds the group: after a while some box that runs does. */
static void fail_over(void *ctx, uint64_t tag, void *arg)
{
	struct sim_world *w = ctx;
	uint32_t group = (uint32_t)tag;
	unsigned node;

	(void)arg;
	if (w->holders[group - 1])
		return;
	node = sim_world_other(w, w->nodes);
	if (node < w->nodes)
		sim_world_hold(w, node, group, true);
	else
		sim_clock_at(w->clock, sim_clock_now(w->clock) + 200 * MS_US, fail_over, w, group,
			     NULL);
}

void sim_world_stop(struct sim_world *w, unsigned node, enum sim_stop how, bool keep_address)
{
	static const char *const said[] = {
		[SIM_STOP] = "is stopped in order",
		[SIM_KILL] = "is killed",
		[SIM_CRASH] = "loses power",
	};

	sim_trace(w, "n%u %s", node + 1, said[how]);
	sim_node_stop(w->node[node], how);
	if (keep_address)
		return;
	for (uint32_t g = 1; g <= w->groups; g++) {
		uint64_t at =
			sim_clock_now(w->clock) + sim_rng_range(&w->rng, 100 * MS_US, 1200 * MS_US);

		if (!(w->holders[g - 1] & 1u << node))
			continue;
		sim_world_hold(w, node, g, false);
		sim_clock_at(w->clock, at, fail_over, w, g, NULL);
	}
}

void sim_world_settle_roles(struct sim_world *w)
{
	for (uint32_t g = 1; g <= w->groups; g++) {
		uint32_t holders = w->holders[g - 1];
		uint64_t keep;

		if (holders == 0) {
			fail_over(w, g, NULL);
			continue;
		}
		keep = sim_rng_below(&w->rng, (uint64_t)__builtin_popcount(holders));
		for (unsigned i = 0; i < w->nodes; i++)
			if (holders & 1u << i && keep-- != 0)
				sim_world_hold(w, i, g, false);
	}
}

/* ---- clients ---- */

static uint32_t holders_of(void *ctx, uint32_t group)
{
	const struct sim_world *w = ctx;

	/* While clients wait they have nowhere to go. */
	if (w->quiet_until_us[group - 1] > sim_clock_now(w->clock))
		return 0;
	return w->holders[group - 1];
}

static struct sim_kernel *kernel_of(void *ctx, unsigned box, enum flow_kind kind)
{
	const struct sim_world *w = ctx;

	return sim_node_kernel(w->node[box], kind);
}

static void on_lost(void *ctx, unsigned box, const struct flow *f)
{
	struct sim_world *w = ctx;
	char name[FLOW_TEXT_MAX];

	if (w->verbose < 2)
		return;
	(void)flow_format(f, name);
	sim_trace(w, "n%u resets %s", box + 1, name);
}

static void traffic_tick(void *ctx, uint64_t tag, void *arg)
{
	struct sim_world *w = ctx;

	(void)arg;
	for (uint32_t g = 1; w->traffic_on && g <= w->groups; g++)
		if (w->quiet_until_us[g - 1] <= sim_clock_now(w->clock))
			sim_traffic_step(w->traffic, g,
					 (unsigned)sim_rng_below(&w->rng, w->things + 1u));
	sim_clock_at(w->clock, sim_clock_now(w->clock) + TRAFFIC_US, traffic_tick, w, tag, NULL);
}

static void touch_tick(void *ctx, uint64_t tag, void *arg)
{
	struct sim_world *w = ctx;

	(void)arg;
	sim_traffic_touch(w->traffic);
	for (unsigned i = 0; i < w->nodes; i++)
		for (unsigned k = 0; k < SIM_KINDS; k++)
			sim_kernel_expire(sim_node_kernel(w->node[i], (enum flow_kind)k));
	sim_clock_at(w->clock, sim_clock_now(w->clock) + TOUCH_US, touch_tick, w, tag, NULL);
}

/* ---- the course of a story ---- */

static void make_nodes(struct sim_world *w, const struct group_key *key, size_t flows)
{
	struct sim_node_io io = {
		.send = on_send,
		.on_record = on_record,
		.on_state = on_state,
		.on_alarm = on_alarm,
		.on_spin = on_spin,
		.on_start = on_start,
		.on_read = on_read,
		.after = after,
		.ctx = w,
	};
	struct sim_node_config cfg = {
		.seed = w->seed,
		.groups = w->groups,
		.key = key,
		.insecure = w->profile->insecure,
		.install = w->profile->commits ? INSTALL_TAKEOVER : INSTALL_HOT,
		.max_flows = 2000 + flows * 60,
		.retain_bytes = (size_t)sim_rng_range(&w->rng, 20, 1000) * 1000,
		.lease_s = (uint32_t)sim_rng_range(&w->rng, 4, 8),
		.true_s = (uint32_t)sim_rng_range(&w->rng, 4, 5),
		.reconcile_s = (uint32_t)sim_rng_range(&w->rng, 2, 6),
		.datagram_max = sim_rng_chance(&w->rng, 500) ? DATAGRAM_MAX : 1452,
	};

	for (unsigned i = 0; i < w->nodes; i++) {
		cfg.id = (uint16_t)(i + 1);
		cfg.drift_ppm = (int32_t)sim_rng_below(&w->rng, 401) - 200;
		w->node[i] = sim_node_new(w->clock, &cfg, &io);
	}
}

static size_t pick_mtu(struct sim_world *w)
{
	static const size_t mtu[] = {DATAGRAM_START, 1452, DATAGRAM_MAX};

	return mtu[sim_rng_below(&w->rng, sizeof mtu / sizeof mtu[0])];
}

static void world_init(struct sim_world *w, struct group_key *key)
{
	const struct sim_profile *p = w->profile;
	size_t flows = sim_rng_range(&w->rng, p->flows[0], p->flows[1]);
	struct sim_net_io nio = {.deliver = deliver, .ctx = w};
	struct sim_check_io cio = {.violation = on_violation, .ctx = w};
	struct sim_traffic_io tio = {
		.holders = holders_of, .kernel = kernel_of, .lost = on_lost, .ctx = w};
	struct sim_check_config cc = {
		.key = key,
		.insecure = p->insecure,
	};
	struct sim_traffic_config tc = {
		.seed = w->seed,
		.flows = flows,
		.exotic = 150,
		.ipvs = 300,
		.related = 30,
		.expires_us = 4 * S_US,
	};

	*key = (struct group_key){.id = 1};
	for (size_t i = 0; i < sizeof key->secret; i++)
		key->secret[i] = key->cluster_secret[i] = (uint8_t)sim_rng_next(&w->rng);
	w->nodes = (unsigned)sim_rng_range(&w->rng, p->nodes[0], p->nodes[1]);
	w->groups = (uint32_t)sim_rng_range(&w->rng, p->groups[0], p->groups[1]);
	w->things = p->things;
	w->rotation = 1;
	w->clock = sim_clock_new();
	w->net = sim_net_new(w->clock, w->seed, w->nodes, &nio);
	sim_net_set_mtu(w->net, pick_mtu(w));
	cc.groups = tc.groups = w->groups;
	cc.mtu = sim_net_mtu(w->net);
	w->check = sim_check_new(w->clock, &cc, &cio);
	w->traffic = sim_traffic_new(w->clock, &tc, &tio);
	make_nodes(w, key, flows);
}

static void start_later(void *ctx, uint64_t tag, void *arg)
{
	(void)arg;
	sim_world_start(ctx, (unsigned)tag);
}

static void boot(struct sim_world *w)
{
	for (uint32_t g = 1; g <= w->groups; g++)
		w->holders[g - 1] = 1u << sim_rng_below(&w->rng, w->nodes);
	for (unsigned i = 0; i < w->nodes; i++)
		sim_clock_at(w->clock, sim_rng_below(&w->rng, 400 * MS_US), start_later, w, i,
			     NULL);
	w->traffic_on = true;
	traffic_tick(w, 0, NULL);
	touch_tick(w, 0, NULL);
}

static void check_kept(struct sim_world *w)
{
	uint64_t lost = sim_traffic_stats(w->traffic)->lost;

	if (w->profile->kept && lost > 0)
		sim_fail(w, 0, "kept", "%" PRIu64 " connections lost in planned changes", lost);
}

static void world_fini(struct sim_world *w)
{
	const struct sim_traffic_stats *t = sim_traffic_stats(w->traffic);

	w->result->trace = sim_check_trace(w->check);
	w->result->flows_opened = t->opened;
	w->result->flows_lost = t->lost;
	w->result->datagrams = sim_net_stats(w->net)->sent;
	w->result->prefixes = sim_check_totals(w->check)->prefixes;
	w->result->again = sim_check_totals(w->check)->again;
	w->result->simulated_us = sim_clock_now(w->clock);
	for (unsigned i = 0; i < w->nodes; i++)
		sim_node_free(w->node[i]);
	sim_traffic_free(w->traffic);
	sim_check_free(w->check);
	sim_net_free(w->net);
	sim_clock_free(w->clock);
}

void sim_world_run(const struct sim_profile *p, uint64_t seed, unsigned verbose,
		   struct sim_result *out)
{
	struct sim_world *w = calloc(1, sizeof *w);
	struct group_key key;

	assert(w);
	*out = (struct sim_result){0};
	w->profile = p;
	w->seed = seed;
	w->verbose = verbose;
	w->result = out;
	sim_rng_init(&w->rng, seed, 3);
	world_init(w, &key);
	sim_trace(w, "seed %" PRIu64 " profile %s: %u nodes, %u groups, wire of %zu bytes", seed,
		  p->name, w->nodes, w->groups, sim_net_mtu(w->net));
	boot(w);
	sim_fault_schedule(w);
	sim_world_pass(w, sim_rng_range(&w->rng, p->storm_s[0], p->storm_s[1]) * S_US);
	sim_trace(w, "---- heal");
	sim_fault_heal(w);
	sim_world_pass(w, sim_rng_below(&w->rng, S_US));
	w->traffic_on = false;
	sim_trace(w, "---- settle");
	sim_world_wait_agreement(w, "the storm", AGREE_US);
	check_kept(w);
	if (!out->failed)
		sim_epilogue(w);
	world_fini(w);
	free(w);
}
