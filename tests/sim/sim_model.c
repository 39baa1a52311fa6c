/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A map and an XOR. */
#include "tests/sim/sim_model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "tests/sim/sim_map.h"

struct held {
	uint64_t content, position;
};

struct sim_model {
	const struct digest_key *key;
	struct sim_map *flows; /* of struct held */
	uint64_t digest;
};

struct sim_model *sim_model_new(const struct digest_key *key)
{
	struct sim_model *m = calloc(1, sizeof *m);

	assert(m);
	m->key = key;
	m->flows = sim_map_new(free);
	return m;
}

void sim_model_free(struct sim_model *m)
{
	if (!m)
		return;
	sim_map_free(m->flows);
	free(m);
}

uint64_t sim_model_digest(const struct sim_model *m)
{
	return m->digest;
}

size_t sim_model_count(const struct sim_model *m)
{
	return sim_map_count(m->flows);
}

bool sim_model_get(const struct sim_model *m, const uint8_t *key, size_t len, uint64_t *content)
{
	const struct held *h = sim_map_get(m->flows, key, len);

	if (h)
		*content = h->content;
	return h;
}

static void del(struct sim_model *m, const uint8_t *key, size_t len)
{
	const struct held *h = sim_map_get(m->flows, key, len);

	if (!h)
		return;
	m->digest ^= h->content;
	(void)sim_map_del(m->flows, key, len);
}

static void put(struct sim_model *m, const uint8_t *flow, size_t len)
{
	const uint8_t *key;
	size_t key_len;
	struct held *h;

	if (flow_key_slice(flow, len, &key, &key_len))
		return;
	del(m, key, key_len);
	h = malloc(sizeof *h);
	assert(h);
	h->content = digest_content(m->key, flow, len);
	h->position = digest_position(m->key, key, key_len);
	m->digest ^= h->content;
	sim_map_put(m->flows, key, key_len, h);
}

static int copy_one(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	(void)hash;
	put(ctx, flow, len);
	return 0;
}

void sim_model_copy(struct sim_model *m, const struct table *t)
{
	static const struct hash_range all = {0, 0};

	sim_map_clear(m->flows);
	m->digest = 0;
	(void)table_walk(t, all, copy_one, m);
}

/* True where the payload puts this key. */
static bool is_put(const uint8_t *payload, size_t len, const uint8_t *key, size_t key_len)
{
	struct data_iter it;
	enum data_piece piece;
	const uint8_t *k;
	size_t n;

	data_iter_init(&it, payload, len);
	while ((piece = data_iter_next(&it)) != DATA_END)
		if (piece == DATA_PUT && flow_key_slice(it.bytes, it.len, &k, &n) == 0 &&
		    n == key_len && memcmp(k, key, n) == 0)
			return true;
	return false;
}

static void apply_range(struct sim_model *m, struct hash_range r, const uint8_t *payload,
			size_t len, const struct table *t)
{
	for (size_t i = 0; i < sim_map_count(m->flows);) {
		const struct sim_map_entry *e = sim_map_at(m->flows, i);
		const struct held *h = e->value;
		const uint8_t *flow;
		size_t n;

		if (hash_range_has(r, h->position) && !is_put(payload, len, e->key, e->len) &&
		    !(t && table_get(t, e->key, e->len, &flow, &n))) {
			m->digest ^= h->content;
			(void)sim_map_del(m->flows, e->key, e->len);
		} else {
			i++;
		}
	}
}

void sim_model_apply(struct sim_model *m, const uint8_t *payload, size_t len, bool removes,
		     const struct table *t)
{
	struct data_info info;
	struct data_iter it;
	enum data_piece piece;

	if (data_read(payload, len, &info))
		return;
	if (info.has_range && removes)
		apply_range(m, info.range, payload, len, t);
	data_iter_init(&it, payload, len);
	while ((piece = data_iter_next(&it)) != DATA_END) {
		if (piece == DATA_PUT)
			put(m, it.bytes, it.len);
		else if (piece == DATA_DEL)
			del(m, it.bytes, it.len);
	}
}

struct explain {
	const struct sim_model *m;
	char *text;
	size_t cap, n;
	unsigned more;
};

static void say(struct explain *x, const char *what, const uint8_t *key, size_t len)
{
	char name[FLOW_TEXT_MAX];
	struct flow_key k;
	int n;

	if (x->more++ >= 4 || x->n >= x->cap || flow_key_decode(key, len, &k))
		return;
	(void)flow_key_format(&k, name);
	n = snprintf(x->text + x->n, x->cap - x->n, "; %s %s", what, name);
	x->n += n > 0 ? (size_t)n : 0;
}

static int explain_one(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	struct explain *x = ctx;
	const struct held *have;
	const uint8_t *key;
	size_t key_len;

	(void)hash;
	if (flow_key_slice(flow, len, &key, &key_len))
		return 0;
	have = sim_map_get(x->m->flows, key, key_len);
	if (!have)
		say(x, "only the table has", key, key_len);
	else if (have->content != digest_content(x->m->key, flow, len))
		say(x, "they differ in", key, key_len);
	return 0;
}

void sim_model_explain(const struct sim_model *m, const struct table *t, char *text, size_t cap)
{
	static const struct hash_range all = {0, 0};
	struct explain x = {.m = m, .text = text, .cap = cap};
	int n = snprintf(text, cap, "table %zu flows (%zu as sent), model %zu", table_count(t),
			 table_count_sent(t), sim_map_count(m->flows));

	x.n = n > 0 ? (size_t)n : 0;
	(void)table_walk(t, all, explain_one, &x);
	for (size_t i = 0; i < sim_map_count(m->flows); i++) {
		const struct sim_map_entry *e = sim_map_at(m->flows, i);
		const uint8_t *flow;
		size_t len;

		if (!table_get(t, e->key, e->len, &flow, &len))
			say(&x, "only the model has", e->key, e->len);
	}
}
