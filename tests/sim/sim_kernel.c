/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake kernel's table and what the world does to it. */
#include "tests/sim/sim_kernel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_kernel_priv.h"

void note_push(struct queue *q, struct note *note)
{
	if (q->head > 0 && q->head + q->n == q->cap) {
		memmove(q->note, q->note + q->head, q->n * sizeof *q->note);
		q->head = 0;
	}
	if (q->n == q->cap) {
		q->cap = q->cap ? q->cap * 2 : 64;
		q->note = realloc(q->note, q->cap * sizeof *q->note);
		assert(q->note);
	}
	q->note[q->head + q->n++] = note;
}

struct note *note_pop(struct queue *q)
{
	struct note *note;

	if (q->n == 0)
		return NULL;
	note = q->note[q->head++];
	if (--q->n == 0)
		q->head = 0;
	return note;
}

void queue_clear(struct queue *q)
{
	struct note *note;

	while ((note = note_pop(q)))
		free(note);
	free(q->note);
	*q = (struct queue){0};
}

static struct note *note_of(const uint8_t *bytes, int len)
{
	struct note *note;

	if (len < 0)
		return NULL;
	note = calloc(1, sizeof *note + (size_t)len);
	assert(note);
	note->len = (size_t)len;
	memcpy(note->bytes, bytes, note->len);
	return note;
}

struct note *note_new(const struct flow *f)
{
	uint8_t buf[FLOW_MAX];

	return note_of(buf, flow_encode(f, buf));
}

struct note *note_new_key(const struct flow_key *k)
{
	uint8_t buf[FLOW_MAX];

	return note_of(buf, flow_key_encode(k, buf));
}

struct sim_kernel *sim_kernel_new(struct sim_clock *clock, enum flow_kind kind, uint64_t seed,
				  const struct sim_kernel_io *io)
{
	struct sim_kernel *k = calloc(1, sizeof *k);

	assert(k);
	k->clock = clock;
	k->kind = kind;
	k->io = *io;
	k->flows = sim_map_new(free);
	k->faults = (struct sim_kernel_faults){
		.event_max = 100000, .flows_max = SIZE_MAX, .backlog_max = 512};
	sim_rng_init(&k->rng, seed, 2 + (uint64_t)kind);
	return k;
}

void sim_kernel_free(struct sim_kernel *k)
{
	if (!k)
		return;
	assert(!k->source && !k->sink);
	sim_map_free(k->flows);
	free(k);
}

void sim_kernel_set_faults(struct sim_kernel *k, const struct sim_kernel_faults *f)
{
	k->faults = *f;
}

struct entry *entry_find(const struct sim_kernel *k, const struct flow_key *key)
{
	uint8_t buf[FLOW_MAX];
	int len = flow_key_encode(key, buf);

	return len < 0 ? NULL : sim_map_get(k->flows, buf, (size_t)len);
}

int entry_write(struct sim_kernel *k, const struct flow *f, uint64_t expires_us)
{
	uint8_t buf[FLOW_MAX];
	int len = flow_encode(f, buf);
	const uint8_t *key;
	size_t key_len;
	struct entry *e;
	bool born;

	if (len < 0 || f->key.kind != k->kind || flow_key_slice(buf, (size_t)len, &key, &key_len))
		return -EINVAL;
	e = sim_map_get(k->flows, key, key_len);
	born = !e;
	if (born) {
		e = calloc(1, sizeof *e);
		assert(e);
		sim_map_put(k->flows, key, key_len, e);
	}
	memcpy(e->bytes, buf, (size_t)len);
	(void)flow_decode(e->bytes, (size_t)len, &e->flow);
	e->expires_us = expires_us;
	if (born && k->source)
		source_born(k->source, key, key_len);
	return 0;
}

bool entry_remove(struct sim_kernel *k, const struct flow_key *key)
{
	uint8_t buf[FLOW_MAX];
	int len = flow_key_encode(key, buf);

	return len >= 0 && sim_map_del(k->flows, buf, (size_t)len);
}

static void tell(struct sim_kernel *k, enum flow_event what, const struct flow *f, unsigned parts,
		 bool live)
{
	if (k->source)
		source_tell(k->source, what, f, parts, live);
}

void sim_kernel_write(struct sim_kernel *k, const struct flow *f, unsigned parts,
		      uint64_t expires_us)
{
	bool born = !entry_find(k, &f->key);
	int err = entry_write(k, f, expires_us);

	assert(!err);
	tell(k, born ? FLOW_NEW : FLOW_UPDATE, f, born ? FLOW_PART_ALL : parts, false);
}

bool sim_kernel_destroy(struct sim_kernel *k, const struct flow_key *key, bool live)
{
	const struct entry *e = entry_find(k, key);

	if (!e)
		return false;
	tell(k, FLOW_DESTROY, &e->flow, FLOW_PART_ALL, live);
	return entry_remove(k, &e->flow.key);
}

bool sim_kernel_touch(struct sim_kernel *k, const struct flow_key *key, uint64_t expires_us)
{
	struct entry *e = entry_find(k, key);

	if (!e)
		return false;
	e->expires_us = expires_us;
	return true;
}

void sim_kernel_flush(struct sim_kernel *k)
{
	while (sim_map_count(k->flows) > 0) {
		struct flow_key key = sim_kernel_at(k, 0)->key;

		(void)sim_kernel_destroy(k, &key, true);
	}
}

void sim_kernel_wipe(struct sim_kernel *k)
{
	sim_map_clear(k->flows);
}

void sim_kernel_expire(struct sim_kernel *k)
{
	uint64_t now = sim_clock_now(k->clock);

	for (size_t i = 0; i < sim_map_count(k->flows);) {
		const struct entry *e = sim_map_at(k->flows, i)->value;

		if (e->expires_us > now) {
			i++;
			continue;
		}
		k->stats.expired++;
		(void)sim_kernel_destroy(k, &e->flow.key, false);
	}
}

const struct flow *sim_kernel_get(const struct sim_kernel *k, const struct flow_key *key)
{
	const struct entry *e = entry_find(k, key);

	return e ? &e->flow : NULL;
}

size_t sim_kernel_count(const struct sim_kernel *k)
{
	return sim_map_count(k->flows);
}

const struct flow *sim_kernel_at(const struct sim_kernel *k, size_t index)
{
	const struct entry *e = sim_map_at(k->flows, index)->value;

	return &e->flow;
}

size_t sim_kernel_waiting(const struct sim_kernel *k)
{
	return (k->source ? source_waiting(k->source) : 0) + (k->sink ? sink_waiting(k->sink) : 0);
}

const struct sim_kernel_stats *sim_kernel_stats(const struct sim_kernel *k)
{
	return &k->stats;
}
