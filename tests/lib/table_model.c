/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table's reference model (table_model.h). Slow on purpose: every answer is a loop over keys.
 */
#include "tests/lib/table_model.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/table/table.h"

/* Check writes each assertion to a pipe; a model makes millions. */
#define EXPECT(cond)                               \
	do {                                       \
		if (!(cond))                       \
			ck_abort_msg("%s", #cond); \
	} while (0)

enum { SOON_MAX = 80, KEY_LEN_MAX = 40, BYTES_MAX = 160 };

struct entry {
	uint8_t key[KEY_LEN_MAX], bytes[BYTES_MAX], sent[BYTES_MAX];
	size_t key_len, len, sent_len;
	bool live, counted; /* counted: sent[] is what the others have */
	bool touched;
	bool later;	       /* the kernel was never told of it */
	unsigned bits;	       /* enum table_bit */
	uint64_t wire, kernel; /* order in the queue; 0: not in it */
	uint64_t hash;
};

struct model {
	struct rng *rng;
	struct table *t;
	struct digest_key key;
	unsigned n, max;
	unsigned holds;
	uint64_t order, coalesced;
	struct entry *e;
	struct entry *soon[SOON_MAX]; /* what the table was told to expect */
	unsigned soon_at, soon_n;
};

static void model_init(struct model *m, struct rng *rng, const struct table_model_run *run)
{
	uint8_t secret[32];

	*m = (struct model){.rng = rng, .n = run->keys, .max = run->max_flows};
	rng_fill(rng, secret, sizeof(secret));
	digest_key_derive(&m->key, secret);
	m->e = calloc(m->n, sizeof(*m->e));
	EXPECT(m->e != NULL);
	for (unsigned i = 0; i < m->n; i++) {
		struct entry *e = &m->e[i];

		e->key_len = 4 + rng_below(rng, KEY_LEN_MAX - 3);
		rng_fill(rng, e->key, e->key_len);
		memcpy(e->key, &i, sizeof(i));
		e->hash = digest_position(&m->key, e->key, e->key_len);
	}
	m->t = table_new(&m->key, m->max);
	EXPECT(m->t != NULL);
}

/* A flow of this key: few different ones, so that the same bytes come back now and then. */
static size_t model_flow(struct model *m, const struct entry *e, uint8_t *flow)
{
	uint64_t shape = rng_below(m->rng, 4);
	size_t extra = shape * shape * 11;

	flow[0] = 0x0a;
	flow[1] = (uint8_t)e->key_len;
	memcpy(flow + 2, e->key, e->key_len);
	memset(flow + 2 + e->key_len, (int)shape, extra);
	return 2 + e->key_len + extra;
}

/* Mostly what was expected, in that order, but for what is left out of it and slips in between. */
static struct entry *model_pick(struct model *m)
{
	if (rng_one_in(m->rng, 8))
		m->soon_at += (unsigned)rng_below(m->rng, 12);
	if (m->soon_at < m->soon_n && !rng_one_in(m->rng, 8))
		return m->soon[m->soon_at++];
	return &m->e[rng_below(m->rng, m->n)];
}

static void step_expect(struct model *m)
{
	m->soon_at = 0;
	m->soon_n = 1 + (unsigned)rng_below(m->rng, SOON_MAX);
	for (unsigned i = 0; i < m->soon_n; i++) {
		m->soon[i] = &m->e[rng_below(m->rng, m->n)];
		table_expect(m->t, m->soon[i]->key, m->soon[i]->key_len);
	}
}

static unsigned model_live(const struct model *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n; i++)
		n += m->e[i].live;
	return n;
}

static void model_touch(const struct model *m, struct entry *e)
{
	if (m->holds)
		e->touched = true;
}

/* What is there is what was sent. */
static void entry_settle(struct entry *e)
{
	e->wire = 0;
	e->counted = e->live;
	if (e->live)
		memcpy(e->sent, e->bytes, e->sent_len = e->len);
}

static void entry_queue_wire(struct model *m, struct entry *e)
{
	if (!e->wire) {
		e->wire = ++m->order;
		return;
	}
	m->coalesced++;
	if (!e->live && !e->counted)
		e->wire = 0;
	if (e->live && e->counted && e->len == e->sent_len &&
	    memcmp(e->bytes, e->sent, e->len) == 0)
		e->wire = 0;
}

static void entry_queue_kernel(struct model *m, struct entry *e)
{
	if (!e->kernel)
		e->kernel = ++m->order;
	e->later = false;
}

static void step_put(struct model *m, enum table_queue queue)
{
	struct entry *e = model_pick(m);
	uint8_t flow[BYTES_MAX];
	size_t len = model_flow(m, e, flow);
	int ret = table_put(m->t, flow, len, queue);

	if (ret >= 0)
		e->bits = (e->bits | TABLE_SEEN) & ~TABLE_SUSPECT;
	if (e->live && e->len == len && memcmp(e->bytes, flow, len) == 0) {
		EXPECT(ret == 0);
		e->later &= queue != TABLE_WIRE;
		if (queue == TABLE_WIRE)
			model_touch(m, e);
		else
			entry_settle(e);
		return;
	}
	if (!e->live && model_live(m) == m->max) {
		EXPECT(ret == -ENOSPC);
		return;
	}
	EXPECT(ret == 1);
	if (queue == TABLE_LATER) {
		e->later |= !e->live && !e->kernel;
		e->kernel = 0;
	}
	e->live = true;
	memcpy(e->bytes, flow, e->len = len);
	if (queue == TABLE_WIRE) {
		e->later = false;
		model_touch(m, e);
		entry_queue_wire(m, e);
		return;
	}
	entry_settle(e);
	if (queue == TABLE_KERNEL)
		entry_queue_kernel(m, e);
}

static void step_del(struct model *m, enum table_queue queue)
{
	struct entry *e = model_pick(m);
	const bool was = e->live, later = e->later;

	EXPECT(table_del(m->t, e->key, e->key_len, queue) == was);
	e->live = e->later = false;
	if (queue == TABLE_WIRE) {
		model_touch(m, e);
		e->kernel = 0;
		if (was)
			entry_queue_wire(m, e);
		return;
	}
	entry_settle(e);
	if (was && queue == TABLE_KERNEL && !later)
		entry_queue_kernel(m, e);
}

static struct entry *model_first(struct model *m, enum table_queue queue)
{
	struct entry *first = NULL;
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < m->n; i++) {
		uint64_t order = queue == TABLE_WIRE ? m->e[i].wire : m->e[i].kernel;

		if (order && order < least) {
			least = order;
			first = &m->e[i];
		}
	}
	return first;
}

static void expect_item(const struct entry *e, const struct table_item *item)
{
	EXPECT(item->del == !e->live);
	EXPECT(memcmp(item->bytes, e->live ? e->bytes : e->key, item->len) == 0);
	EXPECT(item->len == (e->live ? e->len : e->key_len));
}

static void step_wire(struct model *m)
{
	struct entry *e = model_first(m, TABLE_WIRE);
	struct table_item item;

	EXPECT(table_wire_next(m->t, &item) == (e != NULL));
	if (!e)
		return;
	expect_item(e, &item);
	table_wire_done(m->t);
	entry_settle(e);
}

static void step_kernel(struct model *m)
{
	struct entry *e = model_first(m, TABLE_KERNEL);
	struct table_item item;

	EXPECT(table_kernel_next(m->t, &item) == (e != NULL));
	if (!e)
		return;
	expect_item(e, &item);
	e->kernel = 0;
}

static void step_kernel_again(struct model *m)
{
	struct entry *e = model_pick(m);

	EXPECT(table_kernel_again(m->t, e->key, e->key_len) == e->live);
	if (e->live)
		entry_queue_kernel(m, e);
}

static void step_kernel_take(struct model *m)
{
	struct entry *e = model_pick(m);
	bool takes = e->live && e->kernel;

	EXPECT(table_kernel_take(m->t, e->key, e->key_len) == takes);
	if (takes)
		e->kernel = 0;
}

static void step_tell_end(struct model *m)
{
	struct entry *e = model_pick(m);
	bool wire = rng_one_in(m->rng, 2);

	EXPECT(table_tell_end(m->t, e->key, e->key_len, wire ? TABLE_WIRE : TABLE_KERNEL) == 0);
	if (!e->live && !wire)
		entry_queue_kernel(m, e);
	else if (!e->live && !e->wire)
		e->wire = ++m->order;
}

/* The order in which table_kernel_all queues is the table's: learn it by draining the queue. */
static void step_kernel_all(struct model *m)
{
	struct table_item item;
	size_t n = 0;

	while (model_first(m, TABLE_KERNEL))
		step_kernel(m);
	EXPECT(table_kernel_all(m->t) == 0);
	EXPECT(table_queued(m->t, TABLE_KERNEL) == model_live(m));
	for (; table_kernel_next(m->t, &item); n++)
		EXPECT(!item.del);
	EXPECT(n == model_live(m));
	for (unsigned i = 0; i < m->n; i++)
		m->e[i].later = false;
}

static void step_queue_clear(struct model *m)
{
	enum table_queue queue = rng_one_in(m->rng, 2) ? TABLE_WIRE : TABLE_KERNEL;

	table_queue_clear(m->t, queue);
	for (unsigned i = 0; i < m->n; i++) {
		if (queue == TABLE_WIRE)
			entry_settle(&m->e[i]);
		else
			m->e[i].kernel = 0;
	}
}

static void step_hold(struct model *m)
{
	if (m->holds < 3 && rng_one_in(m->rng, 2)) {
		table_hold_begin(m->t);
		m->holds++;
	} else if (m->holds) {
		table_hold_end(m->t);
		m->holds--;
	}
	if (!m->holds)
		for (unsigned i = 0; i < m->n; i++)
			m->e[i].touched = false;
}

/* A range around some key, of a depth that is often near the directory's. */
static struct hash_range model_range(struct model *m)
{
	struct hash_range r = {0};
	uint64_t hash = rng_one_in(m->rng, 4) ? rng_next(m->rng) : model_pick(m)->hash;

	r.depth = (uint8_t)(rng_one_in(m->rng, 2) ? rng_below(m->rng, 14) : rng_below(m->rng, 65));
	r.lo = r.depth == 0 ? 0 : r.depth == 64 ? hash : hash & ~(UINT64_MAX >> r.depth);
	return r;
}

static enum table_bit model_bit(struct model *m)
{
	return rng_one_in(m->rng, 2) ? TABLE_SEEN : TABLE_SUSPECT;
}

static void step_bits(struct model *m)
{
	struct entry *e = model_pick(m);
	enum table_bit bit = model_bit(m);

	if (rng_one_in(m->rng, 50)) {
		table_bit_clear_all(m->t, bit);
		for (unsigned i = 0; i < m->n; i++)
			m->e[i].bits &= ~bit;
		return;
	}
	EXPECT(table_bit_set(m->t, e->key, e->key_len, bit) == e->live);
	if (e->live)
		e->bits |= bit;
}

static void step_range_sent(struct model *m)
{
	struct hash_range r = model_range(m);

	table_range_sent(m->t, r);
	for (unsigned i = 0; i < m->n; i++)
		if (hash_range_has(r, m->e[i].hash))
			entry_settle(&m->e[i]);
}

/* Keeps a random half of the range, plus keys that are not there or not in the range. */
static void step_range_keep(struct model *m)
{
	struct hash_range r = model_range(m);
	struct table_slice *keep = calloc(m->n, sizeof(*keep));
	bool *kept = calloc(m->n, sizeof(*kept));
	size_t n = 0, removed = 0, got;

	EXPECT(keep && kept);
	for (unsigned i = 0; i < m->n; i++) {
		kept[i] = rng_one_in(m->rng, 2);
		if (kept[i])
			keep[n++] = (struct table_slice){m->e[i].key, m->e[i].key_len};
	}
	for (size_t i = n; i > 1; i--) {
		size_t j = rng_below(m->rng, i);
		struct table_slice swap = keep[j];

		keep[j] = keep[i - 1];
		keep[i - 1] = swap;
	}
	got = table_range_keep(m->t, r, keep, n);
	for (unsigned i = 0; i < m->n; i++) {
		struct entry *e = &m->e[i];

		if (!hash_range_has(r, e->hash) || e->touched || (e->live && kept[i]))
			continue;
		if (e->live) {
			removed++;
			/* which of them goes first is the table's choice */
			e->kernel = 0;
			e->live = false;
			if (!e->later)
				entry_queue_kernel(m, e);
			e->later = false;
		}
		entry_settle(e);
	}
	EXPECT(got == removed);
	/* so both queues of deletes are emptied here, in whatever order */
	for (struct table_item item; table_kernel_next(m->t, &item);) {
		unsigned i;

		for (i = 0; i < m->n; i++)
			if (m->e[i].kernel && item.del == !m->e[i].live &&
			    item.len == (item.del ? m->e[i].key_len : m->e[i].len) &&
			    memcmp(item.bytes, item.del ? m->e[i].key : m->e[i].bytes, item.len) ==
				    0)
				break;
		EXPECT(i < m->n);
		m->e[i].kernel = 0;
	}
	EXPECT(model_first(m, TABLE_KERNEL) == NULL);
	free(kept);
	free(keep);
}

static void check_split(struct model *m)
{
	struct hash_range r = model_range(m);
	unsigned bits = (unsigned)rng_below(m->rng, 7);
	uint64_t got[64], want[64] = {0}, digest, all = 0, count = 0, got_count;

	if (r.depth + bits > 64)
		bits = 64 - r.depth;
	for (unsigned i = 0; i < m->n; i++) {
		const struct entry *e = &m->e[i];
		uint64_t content;

		if (!e->counted || !hash_range_has(r, e->hash))
			continue;
		content = digest_content(&m->key, e->sent, e->sent_len);
		want[bits ? (e->hash - r.lo) >> (64 - r.depth - bits) : 0] ^= content;
		all ^= content;
		count++;
	}
	table_range_split(m->t, r, bits, got, &got_count);
	EXPECT(got_count == count);
	EXPECT(memcmp(got, want, sizeof(*got) << bits) == 0);
	table_range_digest(m->t, r, &digest, &got_count);
	EXPECT(got_count == count);
	EXPECT(digest == all);
}

struct walked {
	const struct model *m;
	struct hash_range r;
	uint64_t last;
	size_t n, size;
};

static int check_walked(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	struct walked *w = ctx;
	const uint8_t *have;
	size_t have_len;

	EXPECT(hash_range_has(w->r, hash));
	EXPECT(hash >= w->last);
	EXPECT(table_get(w->m->t, flow + 2, flow[1], &have, &have_len));
	EXPECT(have == flow);
	EXPECT(have_len == len);
	w->last = hash;
	w->n++;
	w->size += data_put_size(len);
	return 0;
}

static void check_without(struct model *m, struct hash_range r)
{
	struct walked w = {.m = m, .r = r};
	enum table_bit bit = model_bit(m);
	size_t n = 0;

	for (unsigned i = 0; i < m->n; i++)
		n += m->e[i].live && !(m->e[i].bits & bit) && hash_range_has(r, m->e[i].hash);
	EXPECT(table_walk_without(m->t, r, bit, check_walked, &w) == 0);
	EXPECT(w.n == n);
}

static void check_walk(struct model *m)
{
	struct walked w = {.m = m, .r = model_range(m)};
	size_t n = 0, size;

	for (unsigned i = 0; i < m->n; i++)
		n += m->e[i].live && hash_range_has(w.r, m->e[i].hash);
	EXPECT(table_walk(m->t, w.r, check_walked, &w) == 0);
	EXPECT(w.n == n);
	check_without(m, w.r);
	size = table_range_size(m->t, w.r);
	if (w.size <= DATAGRAM_MAX)
		EXPECT(size == w.size);
	else
		EXPECT(size > DATAGRAM_MAX);
}

static void check_all(struct model *m)
{
	size_t live = 0, counted = 0, wire = 0, kernel = 0, later = 0;

	for (unsigned i = 0; i < m->n; i++) {
		const struct entry *e = &m->e[i];
		const uint8_t *flow;
		size_t len;
		bool got = table_get(m->t, e->key, e->key_len, &flow, &len);

		EXPECT(got == e->live);
		if (got) {
			EXPECT(len == e->len);
			EXPECT(memcmp(flow, e->bytes, len) == 0);
		}
		EXPECT(table_touched(m->t, e->key, e->key_len) == e->touched);
		for (unsigned bit = TABLE_SEEN; bit <= TABLE_SUSPECT; bit <<= 1)
			EXPECT(table_bit_get(m->t, e->key, e->key_len, (enum table_bit)bit) ==
			       (e->live && e->bits & bit));
		live += e->live;
		counted += e->counted;
		wire += e->wire != 0;
		kernel += e->kernel != 0;
		later += e->later;
	}
	EXPECT(table_count(m->t) == live);
	EXPECT(table_count_sent(m->t) == counted);
	EXPECT(table_queued(m->t, TABLE_WIRE) == wire);
	EXPECT(table_queued(m->t, TABLE_KERNEL) == kernel);
	EXPECT(table_queued(m->t, TABLE_LATER) == later);
	EXPECT(table_coalesced(m->t) == m->coalesced);
	for (unsigned i = 0; i < 8; i++) {
		check_split(m);
		check_walk(m);
	}
}

static void step_rare(struct model *m)
{
	switch (rng_below(m->rng, 7)) {
	case 0:
		step_kernel_all(m);
		break;
	case 1:
		step_queue_clear(m);
		break;
	case 2:
		step_range_sent(m);
		break;
	case 3:
		step_range_keep(m);
		break;
	case 4:
	case 5:
		step_hold(m);
		break;
	default:
		if (!rng_one_in(m->rng, 8))
			break;
		table_clear(m->t);
		for (unsigned i = 0; i < m->n; i++) {
			struct entry *e = &m->e[i];

			e->live = e->counted = e->touched = e->later = false;
			e->wire = e->kernel = 0;
		}
	}
}

/* Phases: growth and decline, so that the directory doubles and buckets empty; readers that stand
 * still, so that the queues grow and have holes. */
static void model_step(struct model *m, unsigned phase)
{
	unsigned what = (unsigned)rng_below(m->rng, 100);
	enum table_queue queue = (enum table_queue)rng_below(m->rng, 4);
	bool stalled = phase & 2 && !rng_one_in(m->rng, 20);

	if (rng_one_in(m->rng, 50))
		step_expect(m);
	if (what < (phase & 1 ? 30u : 50u))
		step_put(m, queue);
	else if (what < 70)
		step_del(m, queue == TABLE_LATER ? TABLE_KERNEL : queue);
	else if (what < 73)
		step_bits(m);
	else if (stalled)
		return;
	else if (what < 84)
		step_wire(m);
	else if (what < 95)
		step_kernel(m);
	else if (what < 96)
		step_kernel_again(m);
	else if (what < 97)
		step_kernel_take(m);
	else if (what < 98)
		step_tell_end(m);
	else if (rng_one_in(m->rng, 4))
		step_rare(m);
}

void table_model_run(struct rng *rng, const struct table_model_run *run)
{
	struct model m;

	model_init(&m, rng, run);
	for (unsigned i = 0; i < run->steps; i++) {
		model_step(&m, i / 3000);
		if (i % run->check_every == 0)
			check_all(&m);
	}
	check_all(&m);
	table_free(m.t);
	free(m.e);
}
