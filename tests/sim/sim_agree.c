/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the nodes agree: one active in each group, every other box an equal standby with the very
 * same flows, byte by byte, and every kernel holding what its box's tables hold and nothing else of
 * those groups. Also the hand that spoils agreement on purpose.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "tests/sim/sim_world.h"

#define POLL_US	  (300 * MS_US)
#define STABLE_US (1200 * MS_US)

struct text {
	char *buf;
	size_t cap;
};

__attribute__((format(printf, 2, 3))) static bool wrong(const struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(t->buf, t->cap, fmt, ap);
	va_end(ap);
	return false;
}

/* Where flows are installed on promotion only, a standby's kernel may lack some; not have others.
 */
static bool installs(const struct sim_world *w, unsigned n, uint32_t g)
{
	return !w->profile->commits || (w->holders[g - 1] & 1u << n) != 0;
}

static bool has_its_role(struct sim_world *w, unsigned n, uint32_t g, const struct text *t)
{
	struct engine_group_status st;
	bool holds = w->holders[g - 1] & 1u << n;

	if (!sim_node_status(w->node[n], g, &st))
		return wrong(t, "n%u is down", n + 1);
	if (st.role != (holds ? ROLE_ACTIVE : ROLE_STANDBY))
		return wrong(t, "n%u has role %s in group %u", n + 1, role_name(st.role), g);
	if (holds && (!st.complete || st.wire_queued > 0))
		return wrong(t, "n%u, active in group %u: complete %d, %" PRIu64 " to send", n + 1,
			     g, st.complete, st.wire_queued);
	if (!holds && (!st.equal || st.state != STATE_STANDBY))
		return wrong(t, "n%u is %s in group %u, equal %d", n + 1, role_state_name(st.state),
			     g, st.equal);
	if (st.kernel_queued > 0 && installs(w, n, g))
		return wrong(t, "n%u has %" PRIu64 " to install in group %u", n + 1,
			     st.kernel_queued, g);
	return true;
}

static bool is_like_active(struct sim_world *w, unsigned n, unsigned active, uint32_t g,
			   const struct text *t)
{
	struct engine_group_status a, s;

	if (!sim_node_status(w->node[active], g, &a) || !sim_node_status(w->node[n], g, &s))
		return false;
	if (a.digest != s.digest || a.flows != s.flows)
		return wrong(t, "n%u has %" PRIu64 " flows in group %u, its active n%u %" PRIu64,
			     n + 1, s.flows, g, active + 1, a.flows);
	if (n != active && (s.active != active + 1 || s.term.number != a.term.number))
		return wrong(t, "n%u follows n%u in group %u, not n%u", n + 1, s.active, g,
			     active + 1);
	return true;
}

/* ---- table against kernel ---- */

struct walk {
	struct sim_world *w;
	unsigned n;
	uint32_t group;
	const struct text *text;
};

static bool in_any_table(struct sim_world *w, unsigned n, const struct flow_key *key)
{
	uint32_t g = sim_node_classify(key, w->groups);
	uint8_t bytes[FLOW_MAX];
	int len = flow_key_encode(key, bytes);
	const uint8_t *flow;
	size_t flow_len;

	return g > 0 && len > 0 &&
	       table_get(engine_table(sim_node_engine(w->node[n]), g), bytes, (size_t)len, &flow,
			 &flow_len);
}

/* A flow whose master has ended is one by itself: kernels may know of the master still, or not. */
static struct flow orphan(struct sim_world *w, unsigned n, const struct flow *f)
{
	struct flow o = *f;

	if (f->key.kind != FLOW_CONNTRACK || !f->ct.has_master || in_any_table(w, n, &f->ct.master))
		return o;
	o.ct.has_master = false;
	memset(&o.ct.master, 0, sizeof o.ct.master);
	o.ct.status &= ~1u; /* EXPECTED */
	return o;
}

static bool alike(struct sim_world *w, unsigned n, const struct flow *a, const struct flow *b)
{
	struct flow x = orphan(w, n, a), y = orphan(w, n, b);

	return flow_equal(&x, &y);
}

static int in_kernel(void *ctx, uint64_t hash, const uint8_t *bytes, size_t len)
{
	const struct walk *k = ctx;
	const struct flow *have;
	struct flow f;
	char name[FLOW_TEXT_MAX], other[FLOW_TEXT_MAX];

	(void)hash;
	if (flow_decode(bytes, len, &f))
		return !wrong(k->text, "n%u has a flow that cannot be read", k->n + 1);
	have = sim_kernel_get(sim_node_kernel(k->w->node[k->n], (enum flow_kind)f.key.kind),
			      &f.key);
	if (have && alike(k->w, k->n, have, &f))
		return 0;
	(void)flow_format(&f, name);
	if (!have)
		return !wrong(k->text, "n%u's kernel lacks %s of group %u", k->n + 1, name,
			      k->group);
	(void)flow_format(have, other);
	return !wrong(k->text, "n%u's kernel has %s, its table of group %u %s", k->n + 1, other,
		      k->group, name);
}

static bool in_table(struct sim_world *w, unsigned n, const struct flow *f, const struct text *t)
{
	char name[FLOW_TEXT_MAX];

	uint32_t g = sim_node_classify(&f->key, w->groups);

	if (g == 0 || in_any_table(w, n, &f->key))
		return true;
	(void)flow_format(f, name);
	return wrong(t, "n%u's kernel has %s, not in its table", n + 1, name);
}

static bool kernel_is_right(struct sim_world *w, unsigned n, const struct text *t)
{
	static const struct hash_range all = {0, 0};
	struct walk walk = {.w = w, .n = n, .text = t};

	for (walk.group = 1; walk.group <= w->groups; walk.group++)
		if (installs(w, n, walk.group) &&
		    table_walk(engine_table(sim_node_engine(w->node[n]), walk.group), all,
			       in_kernel, &walk))
			return false;
	for (unsigned k = 0; k < SIM_KINDS; k++) {
		struct sim_kernel *kernel = sim_node_kernel(w->node[n], (enum flow_kind)k);

		for (size_t i = 0; i < sim_kernel_count(kernel); i++)
			if (!in_table(w, n, sim_kernel_at(kernel, i), t))
				return false;
	}
	return true;
}

bool sim_world_agrees(struct sim_world *w, char *why, size_t cap)
{
	struct text t = {.buf = why, .cap = cap};

	for (uint32_t g = 1; g <= w->groups; g++) {
		unsigned active = sim_world_holder(w, g);

		if (active == w->nodes)
			return wrong(&t, "nobody holds group %u", g);
		for (unsigned n = 0; n < w->nodes; n++)
			if (!has_its_role(w, n, g, &t) || !is_like_active(w, n, active, g, &t))
				return false;
	}
	for (unsigned n = 0; n < w->nodes; n++)
		if (!kernel_is_right(w, n, &t))
			return false;
	return true;
}

/* The digests may be wrong alike: counts each table anew from its bytes. */
static void check_digests(struct sim_world *w)
{
	struct engine_group_status st;

	for (uint32_t g = 1; g <= w->groups; g++)
		for (unsigned n = 0; n < w->nodes; n++) {
			struct engine *e = sim_node_engine(w->node[n]);

			if (!sim_node_status(w->node[n], g, &st))
				continue;
			if (sim_check_digest(w->check, engine_table(e, g)) != st.digest)
				sim_fail(w, n, "digest", "group %u's digest is not of its flows",
					 g);
		}
}

void sim_world_wait_agreement(struct sim_world *w, const char *after, uint64_t within_us)
{
	uint64_t begin = sim_clock_now(w->clock), since = 0;
	char why[1000];

	while (!w->result->failed) {
		uint64_t now;

		sim_world_pass(w, POLL_US);
		now = sim_clock_now(w->clock);
		if (!sim_world_agrees(w, why, sizeof why))
			since = 0;
		else if (since == 0)
			since = now;
		if (since != 0 && now - since >= STABLE_US)
			break;
		if (now - begin > within_us)
			sim_fail(w, 0, "agreement", "none %.1f s after %s: %s",
				 (double)(now - begin) / 1e6, after, since ? "unstable" : why);
	}
	if (w->result->failed)
		return;
	check_digests(w);
	sim_trace(w, "---- agreed %.1f s after %s",
		  (double)(sim_clock_now(w->clock) - begin - STABLE_US) / 1e6, after);
}

/* ---- the hand ---- */

struct picked {
	unsigned skip, n;
	size_t len;
	uint8_t bytes[FLOW_MAX];
};

static int pick_flow(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	struct picked *p = ctx;

	(void)hash;
	if (p->n++ < p->skip)
		return 0;
	memcpy(p->bytes, flow, len);
	p->len = len;
	return 1;
}

unsigned sim_world_tamper(struct sim_world *w, unsigned node, uint32_t group, unsigned flows)
{
	static const struct hash_range all = {0, 0};
	/* The engine shows its table to be read only; that is what tampering is. */
	struct table *t =
		(struct table *)(uintptr_t)engine_table(sim_node_engine(w->node[node]), group);
	unsigned done = 0;

	for (; done < flows && table_count(t) > 0; done++) {
		struct picked p = {.skip = (unsigned)sim_rng_below(&w->rng, table_count(t))};
		const uint8_t *key;
		size_t len;
		struct flow f;

		if (!table_walk(t, all, pick_flow, &p) || flow_decode(p.bytes, p.len, &f) ||
		    flow_key_slice(p.bytes, p.len, &key, &len))
			break;
		if (f.key.kind == FLOW_CONNTRACK && sim_rng_chance(&w->rng, 300)) {
			uint8_t other[FLOW_MAX];
			int n;

			f.ct.mark ^= 0x40000000;
			n = flow_encode(&f, other);
			assert(n > 0);
			(void)table_put(t, other, (size_t)n, TABLE_NONE);
		} else {
			(void)table_del(t, key, len, TABLE_NONE);
		}
	}
	sim_check_tampered(w->check, w->node[node], group);
	return done;
}
