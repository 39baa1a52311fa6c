/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open addressing into an array of entries. */
#include "tests/sim/sim_map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SLOT_EMPTY = 0 };

struct sim_map {
	struct sim_map_entry *entry;
	size_t n, cap;
	uint32_t *slot; /* index + 1 into entry */
	size_t slots;	/* a power of two */
	void (*free_value)(void *value);
};

static uint64_t hash_of(const uint8_t *key, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ key[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

struct sim_map *sim_map_new(void (*free_value)(void *value))
{
	struct sim_map *m = calloc(1, sizeof *m);

	assert(m);
	m->free_value = free_value;
	m->slots = 64;
	m->slot = calloc(m->slots, sizeof *m->slot);
	assert(m->slot);
	return m;
}

void sim_map_clear(struct sim_map *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->entry[i].key);
		if (m->free_value)
			m->free_value(m->entry[i].value);
	}
	m->n = 0;
	memset(m->slot, 0, m->slots * sizeof *m->slot);
}

void sim_map_free(struct sim_map *m)
{
	if (!m)
		return;
	sim_map_clear(m);
	free(m->entry);
	free(m->slot);
	free(m);
}

/* The slot of the key, or the empty one where it would go. */
static size_t find(const struct sim_map *m, const uint8_t *key, size_t len)
{
	size_t s = hash_of(key, len) & (m->slots - 1);

	while (m->slot[s] != SLOT_EMPTY) {
		const struct sim_map_entry *e = &m->entry[m->slot[s] - 1];

		if (e->len == len && memcmp(e->key, key, len) == 0)
			break;
		s = (s + 1) & (m->slots - 1);
	}
	return s;
}

void *sim_map_get(const struct sim_map *m, const uint8_t *key, size_t len)
{
	uint32_t at = m->slot[find(m, key, len)];

	return at == SLOT_EMPTY ? NULL : m->entry[at - 1].value;
}

static void grow(struct sim_map *m)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 32;
		m->entry = realloc(m->entry, m->cap * sizeof *m->entry);
		assert(m->entry);
	}
	if (m->n * 2 < m->slots)
		return;
	m->slots *= 2;
	free(m->slot);
	m->slot = calloc(m->slots, sizeof *m->slot);
	assert(m->slot);
	for (size_t i = 0; i < m->n; i++)
		m->slot[find(m, m->entry[i].key, m->entry[i].len)] = (uint32_t)(i + 1);
}

void sim_map_put(struct sim_map *m, const uint8_t *key, size_t len, void *value)
{
	size_t s = find(m, key, len);
	struct sim_map_entry *e;

	if (m->slot[s] != SLOT_EMPTY) {
		e = &m->entry[m->slot[s] - 1];
		if (m->free_value && e->value != value)
			m->free_value(e->value);
		e->value = value;
		return;
	}
	grow(m);
	e = &m->entry[m->n++];
	e->key = malloc(len ? len : 1);
	assert(e->key);
	memcpy(e->key, key, len);
	e->len = len;
	e->value = value;
	m->slot[find(m, key, len)] = (uint32_t)m->n;
}

/* Empties a slot and moves up what had been pushed past it. */
static void unlink_slot(struct sim_map *m, size_t hole)
{
	for (size_t s = hole;;) {
		const struct sim_map_entry *e;
		size_t home;

		s = (s + 1) & (m->slots - 1);
		if (m->slot[s] == SLOT_EMPTY)
			break;
		e = &m->entry[m->slot[s] - 1];
		home = hash_of(e->key, e->len) & (m->slots - 1);
		if (((s - home) & (m->slots - 1)) >= ((s - hole) & (m->slots - 1))) {
			m->slot[hole] = m->slot[s];
			hole = s;
		}
	}
	m->slot[hole] = SLOT_EMPTY;
}

bool sim_map_del(struct sim_map *m, const uint8_t *key, size_t len)
{
	size_t s = find(m, key, len), i;

	if (m->slot[s] == SLOT_EMPTY)
		return false;
	i = m->slot[s] - 1;
	unlink_slot(m, s);
	free(m->entry[i].key);
	if (m->free_value)
		m->free_value(m->entry[i].value);
	if (i != --m->n) {
		m->slot[find(m, m->entry[m->n].key, m->entry[m->n].len)] = (uint32_t)(i + 1);
		m->entry[i] = m->entry[m->n];
	}
	return true;
}

size_t sim_map_count(const struct sim_map *m)
{
	return m->n;
}

const struct sim_map_entry *sim_map_at(const struct sim_map *m, size_t index)
{
	assert(index < m->n);
	return &m->entry[index];
}
