/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The receivers' half of the checker: what nodes apply, and what their tables then are. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "tests/sim/sim_check_priv.h"

/* Of an empty table, and of each flow that it ever held at once, those included that are deleted
 * and not yet told everywhere. Who loses a chunk at each change is beyond it within some hundreds.
 */
enum { MEMORY_EMPTY = 32 << 10, MEMORY_A_FLOW = 320 };

void pending_clear(struct node_view *v)
{
	while (v->pending) {
		struct pending *p = v->pending;

		v->pending = p->next;
		free(p);
	}
	v->pending_end = &v->pending;
}

void sim_check_on_start(struct sim_check *c, struct sim_node *n)
{
	struct node_view *v = &c->view[sim_node_id(n) - 1];

	pending_clear(v);
	check_again_forget(v);
	for (uint32_t g = 0; g < SIM_GROUPS_MAX; g++)
		sim_model_free(v->group[g].model);
	*v = (struct node_view){0};
	v->pending_end = &v->pending;
	check_stream_new(c, n);
}

static void pending_add(struct node_view *v, const struct sent *s, const uint8_t *payload,
			size_t len)
{
	struct pending *p = malloc(sizeof *p + len);

	assert(p);
	*p = (struct pending){.group = s->group, .removes = s->complete, .len = len};
	memcpy(p->payload, payload, len);
	*v->pending_end = p;
	v->pending_end = &p->next;
}

static bool term_is_lower(uint64_t number, uint16_t node, struct term t)
{
	return number < t.number || (number == t.number && node < t.node);
}

static void check_order(struct sim_check *c, const struct sim_node *n, uint16_t from,
			uint64_t session, uint64_t counter, const struct sent *s)
{
	struct node_view *v = &c->view[sim_node_id(n) - 1];

	if (s->at_us < sim_node_started_us(n))
		check_fail(c, n, "order", "applied %u's data %" PRIu64 ", sent before this start",
			   from, counter);
	if (v->applied[from - 1].session == session && counter <= v->applied[from - 1].counter)
		check_fail(c, n, "order", "applied %u's data %" PRIu64 " after %" PRIu64, from,
			   counter, v->applied[from - 1].counter);
	v->applied[from - 1].session = session;
	v->applied[from - 1].counter = counter;
}

/*
 * What another active says is there is no longer what this one said is gone, where that took over
 * before it was equal: its kernel keeps what ended while it was away, and it takes that for living.
 * Or late, as a predecessor: of two actives, one serves what the other offered, and hears nothing
 * of its end there.
 */
void sim_check_on_told(struct sim_check *c, const struct sim_node *n, const uint8_t *payload,
		       size_t len)
{
	struct stream_book *own = check_stream(c, sim_node_id(n), sim_node_session(n));
	struct sim_map *gone;
	enum data_piece piece;
	struct data_info d;
	struct data_iter it;
	const uint8_t *key;
	size_t key_len;

	c->view[sim_node_id(n) - 1].again = false;
	if (!own || data_read(payload, len, &d))
		return;
	gone = own->group[d.group - 1].gone;
	data_iter_init(&it, payload, len);
	while (gone && (piece = data_iter_next(&it)) != DATA_END)
		if (piece == DATA_PUT && !flow_key_slice(it.bytes, it.len, &key, &key_len))
			(void)sim_map_del(gone, key, key_len);
}

void sim_check_on_applied(struct sim_check *c, struct sim_node *n, uint16_t from, uint64_t session,
			  uint64_t counter, const uint8_t *payload, size_t len)
{
	struct node_view *v = &c->view[sim_node_id(n) - 1];
	const struct stream_book *b = check_stream(c, from, session);
	struct view_group *vg;
	const struct sent *s;

	c->totals.applied++;
	v->again = false;
	if (!b || counter == 0 || counter > b->n ||
	    b->data[counter - 1].payload_hash != check_hash(payload, len)) {
		check_fail(c, n, "order", "applied what node %u never sent as %" PRIu64, from,
			   counter);
		return;
	}
	s = &b->data[counter - 1];
	vg = &v->group[s->group - 1];
	check_order(c, n, from, session, counter, s);
	if (term_is_lower(s->term, from, vg->term))
		check_fail(c, n, "term",
			   "applied data of term %" PRIu64 ".%u while at %" PRIu64 ".%u", s->term,
			   from, vg->term.number, vg->term.node);
	vg->from = from;
	vg->session = session;
	vg->counter = counter;
	pending_add(v, s, payload, len);
	if (!c->view[from - 1].group[s->group - 1].took_equal)
		sim_check_on_told(c, n, payload, len);
}

static void model_restart(struct sim_check *c, struct view_group *vg, const struct table *t)
{
	if (!vg->model)
		vg->model = sim_model_new(&c->digest_key);
	sim_model_copy(vg->model, t);
	vg->modelled = true;
}

static void check_model(struct sim_check *c, struct sim_node *n, uint32_t group,
			struct view_group *vg, const struct engine_group_status *st, bool restart)
{
	struct node_view *v = &c->view[sim_node_id(n) - 1];
	const struct table *t = engine_table(sim_node_engine(n), group);
	char text[800];

	if (restart || !vg->modelled) {
		model_restart(c, vg, t);
		return;
	}
	for (const struct pending *p = v->pending; p; p = p->next)
		if (p->group == group)
			sim_model_apply(vg->model, p->payload, p->len, p->removes, t);
	if (sim_model_digest(vg->model) == st->digest && sim_model_count(vg->model) == st->flows)
		return;
	sim_model_explain(vg->model, t, text, sizeof text);
	check_fail(c, n, "model", "group %u is not what was applied: %s", group, text);
}

static void check_prefix(struct sim_check *c, struct sim_node *n, uint32_t group,
			 struct view_group *vg, const struct engine_group_status *st)
{
	const struct stream_book *b;
	const struct sent *s;
	bool right;

	if (!st->equal && st->state != STATE_STANDBY)
		return;
	b = check_stream(c, vg->from, vg->session);
	if (!b || vg->counter == 0) {
		check_fail(c, n, "prefix", "group %u says equal and has applied nothing", group);
		return;
	}
	s = &b->data[vg->counter - 1];
	right = s->digest == st->digest && s->count == st->flows;
	c->totals.prefixes++;
	if (right)
		vg->tampered = false;
	else if (!vg->tampered)
		check_fail(c, n, "prefix",
			   "group %u, state %d, equal %d at %" PRIu64 " of node %u: %" PRIu64
			   " flows where it had sent %" PRIu64,
			   group, st->state, st->equal, vg->counter, vg->from, st->flows, s->count);
}

static void check_group(struct sim_check *c, struct sim_node *n, uint32_t group)
{
	struct view_group *vg = &c->view[sim_node_id(n) - 1].group[group - 1];
	struct engine_group_status st;
	uint64_t held;

	if (!sim_node_status(n, group, &st))
		return;
	if (term_is_lower(st.term.number, st.term.node, vg->term))
		check_fail(c, n, "term", "group %u fell back to term %" PRIu64 ".%u", group,
			   st.term.number, st.term.node);
	held = st.flows + st.kernel_queued + st.wire_queued +
	       table_graves(engine_table(sim_node_engine(n), group));
	if (held > vg->most_held)
		vg->most_held = held;
	if (st.memory_bytes > MEMORY_EMPTY + vg->most_held * MEMORY_A_FLOW)
		check_fail(c, n, "memory",
			   "group %u holds %" PRIu64 " bytes, and had %" PRIu64
			   " flows at the most",
			   group, st.memory_bytes, vg->most_held);
	if (st.role == ROLE_ACTIVE) {
		if (vg->role != ROLE_ACTIVE || vg->term.number != st.term.number)
			vg->active_since_us = sim_clock_now(c->clock);
		if (vg->role != ROLE_ACTIVE)
			vg->took_equal = vg->role == ROLE_STANDBY && vg->equal;
		vg->modelled = false;
	} else {
		/* What its own kernel told it nobody has sent. */
		check_model(c, n, group, vg, &st,
			    vg->role != st.role || st.refilling || vg->refilling);
		check_prefix(c, n, group, vg, &st);
	}
	vg->role = st.role;
	vg->term = st.term;
	vg->refilling = st.refilling;
	vg->equal = st.equal;
}

void sim_check_after(struct sim_check *c, struct sim_node *n)
{
	for (uint32_t g = 1; g <= c->cfg.groups; g++)
		check_group(c, n, g);
	check_again(c, n);
	pending_clear(&c->view[sim_node_id(n) - 1]);
}

void sim_check_tampered(struct sim_check *c, struct sim_node *n, uint32_t group)
{
	struct view_group *vg = &c->view[sim_node_id(n) - 1].group[group - 1];

	vg->modelled = false;
	vg->tampered = true;
}

uint64_t sim_check_digest(const struct sim_check *c, const struct table *t)
{
	struct sim_model *m = sim_model_new(&c->digest_key);
	uint64_t digest;

	sim_model_copy(m, t);
	digest = sim_model_digest(m);
	sim_model_free(m);
	return digest;
}
