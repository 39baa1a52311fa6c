/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Senders' half: every datagram that leaves a node is opened and entered in its stream's book, with
 * the digest that the sender's table had at that moment. Receivers' half: sim_check_table.c.
 */
#include "tests/sim/sim_check.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "proto/control.h"
#include "proto/flow_codec.h"
#include "tests/sim/sim_check_priv.h"

/* A sender may take its predecessor's last words in for HANDOVER_TAIL_US; its table is then more
 * than its stream. */
#define SETTLED_US (HANDOVER_TAIL_US + 300 * MS_US)

void check_fail(struct sim_check *c, const struct sim_node *n, const char *invariant,
		const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->io.violation(c->io.ctx, n, invariant, text);
}

struct sim_check *sim_check_new(struct sim_clock *clock, const struct sim_check_config *cfg,
				const struct sim_check_io *io)
{
	struct sim_check *c = calloc(1, sizeof *c);

	assert(c);
	c->clock = clock;
	c->cfg = *cfg;
	c->io = *io;
	c->trace = 0xcbf29ce484222325u;
	digest_key_derive(&c->digest_key, cfg->key->cluster_secret);
	return c;
}

static void stream_free(struct stream_book *b)
{
	for (uint32_t g = 0; g < SIM_GROUPS_MAX; g++) {
		sim_model_free(b->group[g].model);
		sim_map_free(b->group[g].gone);
	}
	free(b->data);
	free(b->control);
	free(b);
}

void sim_check_free(struct sim_check *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->streams; i++)
		stream_free(c->stream[i]);
	free(c->stream);
	for (unsigned i = 0; i < NODES_MAX; i++) {
		pending_clear(&c->view[i]);
		check_again_forget(&c->view[i]);
		for (uint32_t g = 0; g < SIM_GROUPS_MAX; g++)
			sim_model_free(c->view[i].group[g].model);
	}
	free(c);
}

struct stream_book *check_stream(const struct sim_check *c, uint16_t node, uint64_t session)
{
	for (size_t i = c->streams; i-- > 0;)
		if (c->stream[i]->node == node && c->stream[i]->session == session)
			return c->stream[i];
	return NULL;
}

void check_stream_new(struct sim_check *c, const struct sim_node *n)
{
	struct stream_book *b = calloc(1, sizeof *b);

	assert(b);
	for (size_t i = 0; i < c->streams; i++)
		if (c->stream[i]->node == sim_node_id(n) && !c->stream[i]->ended_us)
			c->stream[i]->ended_us = sim_clock_now(c->clock);
	b->node = sim_node_id(n);
	b->session = sim_node_session(n);
	seal_key_insecure(&b->key);
	c->stream = realloc(c->stream, (c->streams + 1) * sizeof(struct stream_book *));
	assert(c->stream);
	c->stream[c->streams++] = b;
}

static uint64_t hash_bytes(uint64_t h, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

uint64_t check_hash(const uint8_t *p, size_t len)
{
	return XXH3_64bits(p, len);
}

/* A put in a data of ours. */
static void note_put(struct sim_check *c, struct sim_node *n, struct stream_group *sg,
		     const struct data_iter *it)
{
	const uint64_t *content;
	struct flow_key k;
	const uint8_t *key;
	size_t key_len;
	char name[FLOW_TEXT_MAX];

	c->totals.puts++;
	c->totals.put_bytes += it->len;
	if (flow_key_slice(it->bytes, it->len, &key, &key_len) ||
	    flow_key_decode(key, key_len, &k)) {
		check_fail(c, n, "numbers", "a put whose key cannot be read");
		return;
	}
	content = sim_map_get(sg->gone, key, key_len);
	if (!content)
		return;
	if (*content == digest_content(&c->digest_key, it->bytes, it->len) &&
	    !sim_kernel_get(sim_node_kernel(n, (enum flow_kind)k.kind), &k)) {
		(void)flow_key_format(&k, name);
		check_fail(c, n, "return", "%s was said to be gone, and is sent again", name);
	}
	(void)sim_map_del(sg->gone, key, key_len);
}

/* A delete: remembers what the flow last was. */
static void note_del(struct sim_check *c, struct stream_group *sg, const struct data_iter *it)
{
	uint64_t was, *content;

	c->totals.dels++;
	if (!sg->explained || !sim_model_get(sg->model, it->bytes, it->len, &was))
		return;
	content = malloc(sizeof *content);
	assert(content);
	*content = was;
	sim_map_put(sg->gone, it->bytes, it->len, content);
}

static void note_pieces(struct sim_check *c, struct sim_node *n, struct stream_group *sg,
			const uint8_t *payload, size_t len)
{
	struct data_iter it;
	enum data_piece piece;

	data_iter_init(&it, payload, len);
	while ((piece = data_iter_next(&it)) != DATA_END) {
		if (piece == DATA_PUT)
			note_put(c, n, sg, &it);
		else if (piece == DATA_DEL)
			note_del(c, sg, &it);
		else
			c->totals.digests++;
	}
}

static void check_explained(struct sim_check *c, struct sim_node *n, struct stream_group *sg,
			    const struct sent *s, const struct engine_group_status *st,
			    const uint8_t *payload, size_t len)
{
	const struct table *t = engine_table(sim_node_engine(n), s->group);
	struct view_group *v = &c->view[sim_node_id(n) - 1].group[s->group - 1];
	char text[800];

	if (!st->complete || s->at_us < v->active_since_us + SETTLED_US) {
		sg->explained = false;
		return;
	}
	if (!sg->explained || sg->term != s->term) {
		if (st->wire_queued > 0)
			return;
		if (!sg->model)
			sg->model = sim_model_new(&c->digest_key);
		sim_model_copy(sg->model, t);
		sim_map_clear(sg->gone);
		sg->explained = true;
		sg->term = s->term;
		return;
	}
	sim_model_apply(sg->model, payload, len, true, NULL);
	if (sim_model_digest(sg->model) == s->digest && sim_model_count(sg->model) == s->count)
		return;
	sim_model_explain(sg->model, t, text, sizeof text);
	check_fail(c, n, "stream", "group %u: the stream does not tell what changed: %s", s->group,
		   text);
}

static void check_contents(struct sim_check *c, struct sim_node *n, const struct data_info *info,
			   const struct sent *s, const struct engine_group_status *st)
{
	c->totals.data++;
	c->totals.checks += info->has_check;
	if (info->has_range) {
		c->totals.ranges++;
		c->totals.range_puts += info->puts;
	}
	if (st->role != ROLE_ACTIVE)
		check_fail(c, n, "numbers", "data of group %u from a node that is %d there",
			   info->group, st->role);
	if (info->term != st->term.number || st->term.node != sim_node_id(n))
		check_fail(c, n, "term", "data of term %" PRIu64 ", but the term is %" PRIu64 ".%u",
			   info->term, st->term.number, st->term.node);
	if (info->has_check && (info->check.digest != s->digest || info->check.count != s->count ||
				info->check.complete != st->complete))
		check_fail(c, n, "stream", "group %u: a check that is not of the table as sent",
			   info->group);
}

static void on_data(struct sim_check *c, struct sim_node *n, struct stream_book *b,
		    const uint8_t *payload, size_t len)
{
	struct sent *s = &b->data[b->n - 1];
	struct engine_group_status st;
	struct stream_group *sg;
	struct data_info info;

	if (data_read(payload, len, &info) || !sim_node_status(n, info.group, &st)) {
		check_fail(c, n, "numbers", "data that cannot be read");
		return;
	}
	s->group = info.group;
	s->term = info.term;
	s->complete = st.complete;
	s->payload_hash = check_hash(payload, len);
	table_range_digest(engine_table(sim_node_engine(n), info.group), (struct hash_range){0, 0},
			   &s->digest, &s->count);
	sg = &b->group[info.group - 1];
	if (!sg->gone)
		sg->gone = sim_map_new(free);
	if (info.has_range)
		c->totals.range_bytes += len;
	check_contents(c, n, &info, s, &st);
	note_pieces(c, n, sg, payload, len);
	check_explained(c, n, sg, s, &st, payload, len);
}

/* The book of data: a new page, or the same bytes as before. Returns true for a new one. */
static bool enter_data(struct sim_check *c, struct sim_node *n, struct stream_book *b,
		       uint64_t counter, uint64_t hash)
{
	if (counter >= 1 && counter <= b->n) {
		if (b->data[counter - 1].dgram_hash != hash)
			check_fail(c, n, "nonce", "data %" PRIu64 " sealed twice", counter);
		return false;
	}
	if (counter != b->n + 1)
		check_fail(c, n, "numbers", "data %" PRIu64 " after %zu", counter, b->n);
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 256;
		b->data = realloc(b->data, b->cap * sizeof *b->data);
		assert(b->data);
	}
	b->data[b->n++] = (struct sent){.at_us = sim_clock_now(c->clock), .dgram_hash = hash};
	return true;
}

static void enter_control(struct sim_check *c, struct sim_node *n, struct stream_book *b,
			  uint64_t counter, uint64_t hash)
{
	if (counter >= 1 && counter <= b->controls) {
		if (b->control[counter - 1] != hash)
			check_fail(c, n, "nonce", "control %" PRIu64 " sealed twice", counter);
		return;
	}
	if (counter != b->controls + 1)
		check_fail(c, n, "numbers", "control %" PRIu64 " after %zu", counter, b->controls);
	b->control = realloc(b->control, (b->controls + 1) * sizeof *b->control);
	assert(b->control);
	b->control[b->controls++] = hash;
}

/* Longer than the wire carries may be only what is to find out whether it does. */
static void check_probe(struct sim_check *c, struct sim_node *n, const uint8_t *payload, int len)
{
	static struct control heard;

	if (len < 0 || control_read(payload, (size_t)len, &heard) || heard.kind != CONTROL_HELLO ||
	    heard.hello.pad == 0)
		check_fail(c, n, "mtu", "control on a wire of %zu that is no padded hello",
			   c->cfg.mtu);
}

static void use_key(const struct sim_check *c, struct stream_book *b, uint16_t id)
{
	struct group_key k;

	if (c->cfg.insecure || b->key_id == id)
		return;
	b->key_id = id;
	sim_key(c->cfg.key, id, &k);
	seal_key_derive(&b->key, &k, b->node, b->session);
}

void sim_check_on_send(struct sim_check *c, struct sim_node *n, const uint8_t *dgram, size_t len)
{
	uint8_t payload[DATAGRAM_MAX];
	struct stream_book *b = check_stream(c, sim_node_id(n), sim_node_session(n));
	uint64_t now = sim_clock_now(c->clock), hash = check_hash(dgram, len);
	struct frame_header h;
	int plain;

	assert(b);
	c->trace = hash_bytes(c->trace ^ now, (const uint8_t *)&hash, sizeof hash);
	if (len > DATAGRAM_MAX || frame_header_read(dgram, len, &h) || h.node != b->node ||
	    h.session != b->session) {
		check_fail(c, n, "numbers", "a datagram of %zu bytes that is not its own", len);
		return;
	}
	if (h.kind == FRAME_CONTROL) {
		enter_control(c, n, b, h.counter, hash);
		if (len > c->cfg.mtu) {
			use_key(c, b, h.key_id);
			plain = seal_open(&b->key, &h, dgram, len, payload);
			check_probe(c, n, payload, plain);
		}
		return;
	}
	if (len > c->cfg.mtu)
		check_fail(c, n, "mtu", "data of %zu bytes on a wire of %zu", len, c->cfg.mtu);
	if (!enter_data(c, n, b, h.counter, hash))
		return;
	use_key(c, b, h.key_id);
	plain = seal_open(&b->key, &h, dgram, len, payload);
	if (plain < 0)
		check_fail(c, n, "numbers", "data that cannot be opened");
	else
		on_data(c, n, b, payload, (size_t)plain);
}

const struct sim_check_totals *sim_check_totals(const struct sim_check *c)
{
	return &c->totals;
}

uint64_t sim_check_trace(const struct sim_check *c)
{
	return c->trace;
}
