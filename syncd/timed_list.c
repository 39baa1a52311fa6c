// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys that wait for their time, in order; bounded by the caller's maximum. Used by the engine's
 * paths. */
#include <stdlib.h>
#include <string.h>

#include "syncd/engine_priv.h"

static bool timed_list_grow(struct timed_list *l)
{
	size_t cap = l->cap ? l->cap * 2 : 64;
	struct timed_key **ring = calloc(cap, sizeof(struct timed_key *));

	if (!ring)
		return false;
	for (size_t i = 0; i < l->n; i++)
		ring[i] = l->ring[(l->head + i) % l->cap];
	free(l->ring);
	l->ring = ring;
	l->cap = cap;
	l->head = 0;
	return true;
}

bool timed_list_add(struct timed_list *l, size_t max, const uint8_t *key, size_t len, uint8_t kind,
		    uint64_t due_us)
{
	struct timed_key *k;

	if (l->n >= max || len > FLOW_KEY_MAX || (l->n == l->cap && !timed_list_grow(l)))
		return false;
	k = malloc(sizeof(*k) + len);
	if (!k)
		return false;
	k->due_us = due_us;
	k->len = (uint16_t)len;
	k->kind = kind;
	memcpy(k->key, key, len);
	l->ring[(l->head + l->n++) % l->cap] = k;
	return true;
}

bool timed_list_due(const struct timed_list *l, uint64_t now_us)
{
	return l->n > 0 && l->ring[l->head]->due_us <= now_us;
}

uint64_t timed_list_next(const struct timed_list *l)
{
	return l->n > 0 ? l->ring[l->head]->due_us : UINT64_MAX;
}

const struct timed_key *timed_list_at(const struct timed_list *l, size_t i)
{
	return l->ring[(l->head + i) % l->cap];
}

struct timed_key *timed_list_take(struct timed_list *l)
{
	struct timed_key *k = l->ring[l->head];

	l->head = (l->head + 1) % l->cap;
	l->n--;
	return k;
}

void timed_list_clear(struct timed_list *l)
{
	while (l->n > 0)
		free(timed_list_take(l));
}

void timed_list_fini(struct timed_list *l)
{
	timed_list_clear(l);
	free(l->ring);
	memset(l, 0, sizeof(*l));
}
