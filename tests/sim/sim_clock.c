/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A binary heap of calls to come. */
#include "tests/sim/sim_clock.h"

#include <assert.h>
#include <stdlib.h>

struct call {
	uint64_t at_us, order, tag;
	sim_clock_fn *fn;
	void *ctx, *arg;
};

struct sim_clock {
	uint64_t now_us, order;
	struct call *heap;
	size_t n, cap;
};

struct sim_clock *sim_clock_new(void)
{
	struct sim_clock *c = calloc(1, sizeof *c);

	assert(c);
	return c;
}

void sim_clock_free(struct sim_clock *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		free(c->heap[i].arg);
	free(c->heap);
	free(c);
}

uint64_t sim_clock_now(const struct sim_clock *c)
{
	return c->now_us;
}

static bool before(const struct call *a, const struct call *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap(struct call *a, struct call *b)
{
	struct call t = *a;

	*a = *b;
	*b = t;
}

void sim_clock_at(struct sim_clock *c, uint64_t at_us, sim_clock_fn *fn, void *ctx, uint64_t tag,
		  void *arg)
{
	size_t i = c->n;

	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 256;
		c->heap = realloc(c->heap, c->cap * sizeof *c->heap);
		assert(c->heap);
	}
	c->heap[c->n++] = (struct call){
		.at_us = at_us > c->now_us ? at_us : c->now_us,
		.order = c->order++,
		.tag = tag,
		.fn = fn,
		.ctx = ctx,
		.arg = arg,
	};
	for (; i > 0 && before(&c->heap[i], &c->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&c->heap[i], &c->heap[(i - 1) / 2]);
}

static struct call pop(struct sim_clock *c)
{
	struct call top = c->heap[0];
	size_t i = 0;

	c->heap[0] = c->heap[--c->n];
	for (;;) {
		size_t l = 2 * i + 1, least = i;

		if (l < c->n && before(&c->heap[l], &c->heap[least]))
			least = l;
		if (l + 1 < c->n && before(&c->heap[l + 1], &c->heap[least]))
			least = l + 1;
		if (least == i)
			return top;
		swap(&c->heap[i], &c->heap[least]);
		i = least;
	}
}

bool sim_clock_step(struct sim_clock *c, uint64_t end_us)
{
	struct call call;

	if (c->n == 0 || c->heap[0].at_us > end_us) {
		if (c->now_us < end_us)
			c->now_us = end_us;
		return false;
	}
	call = pop(c);
	c->now_us = call.at_us;
	call.fn(call.ctx, call.tag, call.arg);
	free(call.arg);
	return true;
}
