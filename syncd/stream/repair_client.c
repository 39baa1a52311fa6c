/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A standby's side of repair in one group. A run begins with a check that differs and goes down
 * through digests to the ranges whose flows it asks for. What is still to be asked lies on a stack,
 * deepest last, so that it stays small however much differs; what was asked is bounded, repeated
 * with growing intervals, and gone when answered, whoever had asked. A run that ends decides
 * nothing: the next equal check does, and one that differs begins another.
 *
 * Called by the engine at the exact place of the stream that each message has. Reads the table,
 * never changes it.
 */
#include "syncd/stream/repair.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/stream/random.h"

enum {
	TODO_MAX = 8192,
	ASKED_MAX = 256,     /* ranges on their way: a few datagrams of requests */
	RETRIES_SLOWER = 30, /* each waits half of REPAIR_RETRY_US longer */
	LITTLE = 16,	     /* part of the active's flows that is not worth comparing */
	RUNS_AT_ONCE = 3,    /* after so many in vain, further ones wait */
	RUN_SHIFT_MAX = 5,
};

#define RUN_WAIT_US (250 * MS_US)
#define ABANDON_US  (5 * S_US) /* a run without an answer: begin again with what the check says */

/* How much of a range has been answered is counted in parts of 2^63. */
#define WHOLE (1ull << 63)

struct want {
	struct hash_range range;
	bool flows; /* otherwise digests */
};

struct asked {
	struct want want;
	uint64_t asked_us, due_us; /* last, and to be repeated */
	uint64_t request;	   /* number of the last one that it was in */
	uint64_t covered;	   /* of WHOLE, by range-completes that lay inside */
	unsigned tries;
};

struct repair_client {
	uint64_t random;
	struct repair_progress progress;
	enum repair_why why;
	uint64_t answered_us;	     /* last progress of any kind: the server is at it */
	uint64_t requests, answered; /* their number, and the last one that was answered whole */
	unsigned runs;		     /* since the last equal check */
	uint64_t next_run_us;

	size_t todos, asks, digest_asks;
	struct want todo[TODO_MAX];
	struct asked asked[ASKED_MAX];
};

struct repair_client *repair_client_new(uint64_t random_seed)
{
	struct repair_client *c = calloc(1, sizeof(*c));

	if (c)
		c->random = random_seed;
	return c;
}

void repair_client_free(struct repair_client *c)
{
	free(c);
}

const struct repair_progress *repair_client_progress(const struct repair_client *c)
{
	return &c->progress;
}

static bool range_equal(struct hash_range a, struct hash_range b)
{
	return a.lo == b.lo && a.depth == b.depth;
}

static bool range_within(struct hash_range inner, struct hash_range outer)
{
	return inner.depth >= outer.depth && hash_range_has(outer, inner.lo);
}

/* What part of outer the range within it makes, of WHOLE. */
static uint64_t range_part(struct hash_range inner, struct hash_range outer)
{
	unsigned deeper = inner.depth - outer.depth;

	return deeper < 64 ? WHOLE >> deeper : 1;
}

/* ---- runs -------------------------------------------------------------------------------- */

static void update_progress(struct repair_client *c)
{
	c->progress.outstanding = c->asks + c->todos;
	c->progress.running = c->progress.outstanding > 0;
}

static void push(struct repair_client *c, struct hash_range r, bool flows)
{
	/* What finds no place differs at the next check again. */
	if (c->todos < TODO_MAX)
		c->todo[c->todos++] = (struct want){r, flows};
}

static void forget_all(struct repair_client *c)
{
	c->todos = c->asks = c->digest_asks = 0;
	update_progress(c);
}

void repair_client_stop(struct repair_client *c)
{
	forget_all(c);
	c->runs = 0;
	c->next_run_us = 0;
}

/* Runs in vain (an active that is not complete yet, a table that is full) come at growing
 * intervals, so that what cannot be made equal does not fill the wire. */
static void start_run(struct repair_client *c, enum repair_why why, bool flows, uint64_t now_us)
{
	c->runs++;
	c->why = why;
	c->answered_us = now_us;
	c->progress = (struct repair_progress){.started_us = now_us};
	push(c, (struct hash_range){0, 0}, flows);
	update_progress(c);
	if (c->runs > RUNS_AT_ONCE) {
		unsigned shift = c->runs - RUNS_AT_ONCE;
		uint64_t wait_us = RUN_WAIT_US << (shift < RUN_SHIFT_MAX ? shift : RUN_SHIFT_MAX);

		c->next_run_us = now_us + wait_us + random_below(&c->random, wait_us / 4);
	}
}

bool repair_client_on_check(struct repair_client *c, const struct table *t,
			    const struct data_check *k, enum repair_why why, uint64_t now_us)
{
	uint64_t digest, count;

	table_range_digest(t, (struct hash_range){0, 0}, &digest, &count);
	if (digest == k->digest && count == k->count) {
		repair_client_stop(c);
		return true;
	}
	if (c->progress.running && now_us - c->answered_us > ABANDON_US)
		forget_all(c);
	/* Next to nothing here, or there: no digest would save a flow. */
	if (!c->progress.running && now_us >= c->next_run_us)
		start_run(c, why, count <= k->count / LITTLE || k->count <= REPAIR_LEAF_FLOWS,
			  now_us);
	return false;
}

/* ---- answers ----------------------------------------------------------------------------- */

static bool is_asked(const struct repair_client *c, uint64_t request)
{
	for (size_t i = 0; i < c->asks; i++)
		if (c->asked[i].request == request)
			return true;
	return false;
}

/* Of one request some may have been answered early, since another standby had asked before: only
 * where all have been does it tell that its turn has come. */
static void asked_remove(struct repair_client *c, size_t i)
{
	const uint64_t request = c->asked[i].request;

	c->digest_asks -= !c->asked[i].want.flows;
	c->asked[i] = c->asked[--c->asks];
	if (request > c->answered && !is_asked(c, request))
		c->answered = request;
}

/* Takes a question for digests of exactly this range off. Returns false where there was none. */
static bool take_digest_ask(struct repair_client *c, struct hash_range r)
{
	for (size_t i = 0; i < c->asks; i++) {
		if (!c->asked[i].want.flows && range_equal(c->asked[i].want.range, r)) {
			asked_remove(c, i);
			return true;
		}
	}
	for (size_t i = c->todos; i-- > 0;) {
		if (!c->todo[i].flows && range_equal(c->todo[i].range, r)) {
			c->todo[i] = c->todo[--c->todos];
			return true;
		}
	}
	return false;
}

static unsigned log2_of(size_t n)
{
	return n > 1 ? (unsigned)__builtin_ctzll(n) : 0;
}

void repair_client_on_digests(struct repair_client *c, const struct table *t,
			      const struct data_digests *d, uint64_t now_us)
{
	uint64_t mine[REPAIR_FANOUT], count;
	unsigned bits = log2_of(d->n), depth = d->range.depth + bits;
	bool leaves = d->count >> bits <= REPAIR_LEAF_FLOWS || depth >= 64;

	if (d->n < 2 || d->n > REPAIR_FANOUT || (d->n & (d->n - 1)) != 0 || depth > 64)
		return;
	if (!c->progress.running || !take_digest_ask(c, d->range))
		return;
	c->answered_us = now_us;
	c->progress.digests += d->n;
	table_range_split(t, d->range, bits, mine, &count);
	for (size_t i = 0; i < d->n; i++) {
		const struct hash_range r = {
			.lo = d->range.lo | (uint64_t)i << (64 - depth),
			.depth = (uint8_t)depth,
		};

		/* Where either side has nothing there is nothing to compare further. */
		if (mine[i] != d->digest[i])
			push(c, r, leaves || mine[i] == 0 || d->digest[i] == 0);
	}
	update_progress(c);
}

void repair_client_on_range(struct repair_client *c, struct hash_range r, uint64_t flows,
			    uint64_t bytes, uint64_t now_us)
{
	size_t kept = 0;

	if (!c->progress.running)
		return;
	c->progress.flows += flows;
	c->progress.flow_bytes += bytes;
	for (size_t i = c->asks; i-- > 0;) {
		struct asked *a = &c->asked[i];

		if (range_within(r, a->want.range)) {
			c->answered_us = now_us;
			a->covered += a->want.flows ? range_part(r, a->want.range) : 0;
		}
		if (a->covered >= WHOLE || range_within(a->want.range, r))
			asked_remove(c, i);
	}
	for (size_t i = 0; i < c->todos; i++)
		if (!range_within(c->todo[i].range, r))
			c->todo[kept++] = c->todo[i];
	c->todos = kept;
	update_progress(c);
}

/* ---- questions --------------------------------------------------------------------------- */

static void add_question(struct repair_client *c, struct asked *a, uint64_t now_us,
			 struct repair_request *out)
{
	uint64_t wait_us = REPAIR_RETRY_US * (2 + a->tries) / 2;

	if (a->tries < RETRIES_SLOWER)
		a->tries++;
	a->request = c->requests;
	a->asked_us = now_us;
	a->due_us = now_us + wait_us + random_below(&c->random, wait_us / 4);
	out->range[out->n].range = a->want.range;
	out->range[out->n++].flows = a->want.flows;
}

/* The server answers in turn and the stream keeps the order: where a later request has been
 * answered whole and of this question nothing, it was lost. */
static bool is_overtaken(const struct repair_client *c, const struct asked *a)
{
	return a->request < c->answered && a->covered == 0;
}

/* While answers come, however slowly, the rest is on its way too. */
static uint64_t repeat_at_us(const struct repair_client *c, const struct asked *a)
{
	uint64_t patient_us = c->answered_us + REPAIR_RETRY_US;

	if (is_overtaken(c, a))
		return a->asked_us + REPAIR_LINGER_US;
	return a->due_us > patient_us ? a->due_us : patient_us;
}

static void repeat_due(struct repair_client *c, uint64_t now_us, struct repair_request *out)
{
	for (size_t i = 0; i < c->asks && out->n < REPAIR_RANGES_MAX; i++) {
		struct asked *a = &c->asked[i];

		if (now_us < repeat_at_us(c, a))
			continue;
		if (is_overtaken(c, a))
			a->tries = 0;
		/* Part of it came and the rest was lost: find out what is still missing. */
		if (a->want.flows && a->covered > 0 && a->want.range.depth < 64) {
			a->want.flows = false;
			a->covered = 0;
			c->digest_asks++;
		}
		add_question(c, a, now_us, out);
	}
}

/* An answer to digests brings at most REPAIR_FANOUT more to do, for which there has to be room. */
static bool may_ask(const struct repair_client *c, const struct want *w)
{
	return w->flows || c->asks == 0 ||
	       c->todos + (c->digest_asks + 1) * REPAIR_FANOUT <= TODO_MAX;
}

static void ask_new(struct repair_client *c, uint64_t now_us, struct repair_request *out)
{
	size_t room = ASKED_MAX - c->asks;

	/* Full requests, unless that would leave the server without work. */
	if (room < REPAIR_RANGES_MAX && room < c->todos)
		return;
	while (c->todos > 0 && c->asks < ASKED_MAX && out->n < REPAIR_RANGES_MAX) {
		struct asked *a = &c->asked[c->asks];

		if (!may_ask(c, &c->todo[c->todos - 1]))
			break;
		*a = (struct asked){.want = c->todo[--c->todos]};
		c->asks++;
		c->digest_asks += !a->want.flows;
		add_question(c, a, now_us, out);
	}
}

bool repair_client_request(struct repair_client *c, uint64_t now_us, struct repair_request *out,
			   uint64_t *next_us)
{
	out->n = 0;
	out->why = (uint8_t)c->why;
	c->requests++;
	*next_us = UINT64_MAX;
	repeat_due(c, now_us, out);
	ask_new(c, now_us, out);
	if (out->n == REPAIR_RANGES_MAX) {
		*next_us = now_us;
		return true;
	}
	for (size_t i = 0; i < c->asks; i++) {
		uint64_t at_us = repeat_at_us(c, &c->asked[i]);

		*next_us = at_us < *next_us ? at_us : *next_us;
	}
	return out->n > 0;
}
