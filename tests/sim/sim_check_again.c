/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a daemon has read before changes nothing when it is read again, whatever its age: doubled by
 * the wire, come over a second link, or sent again by an attacker. Data may have been refused at
 * first and be wanted by now: applying it is judged by its order. Nor does what a daemon said that
 * has ended long ago, to whomever, read before or not.
 */
#include <assert.h>
#include <stdlib.h>

#include "proto/seal.h"
#include "tests/sim/sim_check_priv.h"

/* Nobody can believe that a daemon still runs: it was silent for so long, and its last word was
 * fresh for so long, and reached a slow box late. */
#define LONG_AGO_US (PEER_DEAD_US + FRESH_US + 3 * S_US)

/* What a replay might be after; ages and readiness change with time alone. */
static uint64_t state_of(struct sim_node *n, uint32_t groups)
{
	uint64_t h = 0;

	for (uint32_t g = 1; g <= groups; g++) {
		struct engine_group_status st;

		if (!sim_node_status(n, g, &st))
			return 0;
		const uint64_t what[] = {
			h,	   st.role,	st.state,	  st.term.number, st.term.node,
			st.active, st.flows,	st.kernel_queued, st.wire_queued, st.equal,
			st.digest, st.complete, st.handover};

		h = check_hash((const uint8_t *)what, sizeof what);
	}
	return h;
}

static bool is_long_ago(const struct sim_check *c, const struct node_view *v, const uint8_t *dgram,
			size_t len)
{
	uint64_t now_us = sim_clock_now(c->clock);
	const struct stream_book *b;
	struct frame_header h;

	if (frame_header_read(dgram, len, &h))
		return false;
	b = check_stream(c, h.node, h.session);
	/* A daemon that was stopped for a while has not noticed yet. */
	return b && b->ended_us && now_us - b->ended_us > LONG_AGO_US && now_us - v->turn_us < S_US;
}

void sim_check_on_read(struct sim_check *c, struct sim_node *n, const uint8_t *dgram, size_t len)
{
	struct node_view *v = &c->view[sim_node_id(n) - 1];
	uint64_t hash = check_hash(dgram, len), *place;

	if (!v->read)
		v->read = calloc(READ_MAX, sizeof *v->read);
	assert(v->read);
	place = &v->read[hash % READ_MAX];
	v->again = *place == hash || is_long_ago(c, v, dgram, len);
	if (v->again)
		v->before = state_of(n, c->cfg.groups);
	*place = hash;
}

void check_again(struct sim_check *c, struct sim_node *n)
{
	struct node_view *v = &c->view[sim_node_id(n) - 1];

	if (v->again) {
		c->totals.again++;
		if (state_of(n, c->cfg.groups) != v->before)
			check_fail(c, n, "again", "a recording has changed something");
	}
	v->again = false;
	v->turn_us = sim_clock_now(c->clock);
}

void check_again_forget(struct node_view *v)
{
	free(v->read);
	v->read = NULL;
	v->again = false;
}
