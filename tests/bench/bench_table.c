/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a table costs: bytes a flow, nanoseconds an operation, and the longest single call while it
 * grows. Flows are the usual ones of a balancer, encoded beforehand; their places in the table are
 * random, so with a million of them nothing is in the cache by luck. Usage: bench_table [FLOWS]
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "syncd/table/table.h"
#include "tests/bench/bench.h"
#include "tests/lib/random_flow.h"

enum { FLOWS = 1000000, HOT = 1000, STRIDE = 64, VARIANTS = 2, BURST = 64 };

struct sample {
	uint8_t len, key_at, key_len;
	uint8_t bytes[STRIDE - 3];
};

struct bench {
	struct digest_key key;
	struct table *t;
	uint32_t n;
	struct sample *sample[VARIANTS]; /* the same flows in two states */
	double bytes;			 /* mean encoded length */
};

static void encode(struct sample *s, uint32_t i, uint8_t state)
{
	struct flow f;
	uint8_t buf[FLOW_MAX];
	const uint8_t *key;
	size_t key_len;
	int len;

	numbered_flow(i, &f);
	f.ct.state = state;
	len = flow_encode(&f, buf);
	assert(len > 0 && len <= (int)sizeof(s->bytes));
	if (flow_key_slice(buf, (size_t)len, &key, &key_len))
		abort();
	s->len = (uint8_t)len;
	s->key_at = (uint8_t)(key - buf);
	s->key_len = (uint8_t)key_len;
	memcpy(s->bytes, buf, (size_t)len);
}

static void prepare(struct bench *b, uint32_t n)
{
	static const uint8_t secret[32] = {1};

	digest_key_derive(&b->key, secret);
	b->n = n;
	for (unsigned v = 0; v < VARIANTS; v++)
		b->sample[v] = calloc(n, sizeof(struct sample));
	if (!b->sample[0] || !b->sample[1])
		abort();
	for (uint32_t i = 0; i < n; i++) {
		encode(&b->sample[0][i], i, 3);
		encode(&b->sample[1][i], i, 7);
		b->bytes += b->sample[0][i].len;
	}
	b->bytes /= n;
}

static void must(int ret, int want)
{
	if (ret != want) {
		fprintf(stderr, "bench_table: got %d, expected %d\n", ret, want);
		exit(1);
	}
}

static void per(const char *name, uint64_t since, uint32_t n)
{
	bench_emit(name, (double)(bench_cpu_ns() - since) / n, "ns", "lower");
}

static void drain(struct table *t, enum table_queue queue)
{
	struct table_item item;

	if (queue == TABLE_WIRE)
		while (table_wire_next(t, &item))
			table_wire_done(t);
	else
		while (table_kernel_next(t, &item))
			;
}

/* Tells of the burst that begins with sample i. */
static void expect(struct bench *b, unsigned variant, uint32_t i)
{
	if (i % BURST != 0)
		return;
	for (uint32_t k = i; k < i + BURST && k < b->n; k++) {
		const struct sample *s = &b->sample[variant][k];

		table_expect(b->t, s->bytes + s->key_at, s->key_len);
	}
}

static void refill(struct bench *b)
{
	table_clear(b->t);
	for (uint32_t i = 0; i < b->n; i++)
		must(table_put(b->t, b->sample[0][i].bytes, b->sample[0][i].len, TABLE_NONE), 1);
}

/* In bursts whose keys are known beforehand, as events and datagrams come. */
static void bench_bursts(struct bench *b)
{
	uint64_t start = bench_cpu_ns();

	table_clear(b->t);
	for (uint32_t i = 0; i < b->n; i++) {
		const struct sample *s = &b->sample[0][i];

		expect(b, 0, i);
		must(table_put(b->t, s->bytes, s->len, TABLE_KERNEL), 1);
		if (i % BURST == BURST - 1)
			drain(b->t, TABLE_KERNEL);
	}
	drain(b->t, TABLE_KERNEL);
	per("table.put_new_expected", start, b->n);
	start = bench_cpu_ns();
	for (uint32_t i = 0; i < b->n; i++) {
		const struct sample *s = &b->sample[1][i];

		expect(b, 1, i);
		must(table_put(b->t, s->bytes, s->len, TABLE_KERNEL), 1);
		if (i % BURST == BURST - 1)
			drain(b->t, TABLE_KERNEL);
	}
	per("table.update_expected", start, b->n);
}

static void bench_fill(struct bench *b)
{
	size_t rss = bench_rss_bytes();
	uint64_t start = bench_cpu_ns(), worst = 0;

	b->t = table_new(&b->key, b->n);
	for (uint32_t i = 0; i < b->n; i++) {
		const struct sample *s = &b->sample[0][i];

		must(table_put(b->t, s->bytes, s->len, TABLE_KERNEL), 1);
		if (i % 64 == 63)
			drain(b->t, TABLE_KERNEL);
	}
	drain(b->t, TABLE_KERNEL);
	per("table.put_new", start, b->n);
	bench_emit("table.encoded_bytes_per_flow", b->bytes, "B", "lower");
	bench_emit("table.rss_per_flow", (double)(bench_rss_bytes() - rss) / b->n, "B", "lower");
	bench_emit("table.own_bytes_per_flow", (double)table_bytes(b->t) / b->n, "B", "lower");
	table_clear(b->t);
	for (uint32_t i = 0; i < b->n; i++) { /* once more, each call timed */
		const struct sample *s = &b->sample[0][i];
		uint64_t before = bench_cpu_ns(), took;

		must(table_put(b->t, s->bytes, s->len, TABLE_NONE), 1);
		took = bench_cpu_ns() - before;
		if (took > worst)
			worst = took;
	}
	bench_emit("table.put_worst_while_growing", (double)worst / 1000, "us", "lower");
}

static int by_position(const void *a, const void *b)
{
	uint64_t x = ((const uint64_t *)a)[0], y = ((const uint64_t *)b)[0];

	return (x > y) - (x < y);
}

/* As a joiner gets them. */
static void bench_in_order(struct bench *b, bool told, const char *mean, const char *longest)
{
	uint64_t(*order)[2] = calloc(b->n, sizeof(*order)), start, worst = 0;
	struct table *t = table_new(&b->key, 4 * (size_t)b->n);

	if (!order || !t)
		abort();
	for (uint32_t i = 0; i < b->n; i++) {
		const struct sample *s = &b->sample[0][i];

		order[i][0] = digest_position(&b->key, s->bytes + s->key_at, s->key_len);
		order[i][1] = i;
	}
	qsort(order, b->n, sizeof(*order), by_position);
	if (told)
		table_reserve(t, b->n);
	start = bench_cpu_ns();
	for (uint32_t i = 0; i < b->n; i++) {
		const struct sample *s = &b->sample[0][order[i][1]];
		uint64_t before = bench_cpu_ns(), took;

		must(table_put(t, s->bytes, s->len, TABLE_NONE), 1);
		took = bench_cpu_ns() - before;
		if (took > worst)
			worst = took;
	}
	per(mean, start, b->n);
	bench_emit(longest, (double)worst / 1000, "us", "lower");
	table_free(t);
	free(order);
}

static void bench_updates(struct bench *b)
{
	uint64_t start = bench_cpu_ns();

	for (uint32_t i = 0; i < b->n; i++) {
		const struct sample *s = &b->sample[1][i];

		must(table_put(b->t, s->bytes, s->len, TABLE_WIRE), 1);
		if (i % 64 == 63)
			drain(b->t, TABLE_WIRE);
	}
	drain(b->t, TABLE_WIRE);
	per("table.update_and_send", start, b->n);
	start = bench_cpu_ns();
	for (uint32_t i = 0; i < b->n; i++) {
		const struct sample *s = &b->sample[1][i];

		must(table_put(b->t, s->bytes, s->len, TABLE_WIRE), 0);
	}
	per("table.put_same", start, b->n);
	start = bench_cpu_ns();
	for (uint32_t i = 0; i < b->n; i++) {
		const struct sample *s = &b->sample[i / HOT % 2][i % HOT];

		(void)table_put(b->t, s->bytes, s->len, TABLE_WIRE);
		if (i % 64 == 63)
			drain(b->t, TABLE_WIRE);
	}
	drain(b->t, TABLE_WIRE);
	per("table.update_and_send_hot", start, b->n);
}

/* Everything at once: a first dump, and a wire slower than it. */
static void bench_backlog(struct bench *b)
{
	uint64_t start;

	for (uint32_t i = 0; i < b->n; i++) {
		const struct sample *s = &b->sample[i & 1][i];

		(void)table_put(b->t, s->bytes, s->len, TABLE_WIRE);
	}
	for (uint32_t i = 0; i < b->n; i++) {
		const struct sample *s = &b->sample[~i & 1][i];

		(void)table_put(b->t, s->bytes, s->len, TABLE_WIRE);
	}
	bench_emit("table.backlog_own_bytes_per_flow", (double)table_bytes(b->t) / b->n, "B",
		   "lower");
	start = bench_cpu_ns();
	drain(b->t, TABLE_WIRE);
	per("table.send_backlog", start, b->n);
	(void)table_kernel_all(b->t);
	start = bench_cpu_ns();
	drain(b->t, TABLE_KERNEL);
	per("table.kernel_backlog", start, b->n);
}

static void bench_lookups(struct bench *b)
{
	uint64_t start = bench_cpu_ns();
	const uint8_t *flow;
	size_t len;

	for (uint32_t i = 0; i < b->n; i++) {
		const struct sample *s = &b->sample[0][i];

		must(table_get(b->t, s->bytes + s->key_at, s->key_len, &flow, &len), true);
	}
	per("table.get", start, b->n);
	start = bench_cpu_ns();
	for (uint32_t i = 0; i < b->n; i++) {
		const struct sample *s = &b->sample[0][i % HOT];

		must(table_get(b->t, s->bytes + s->key_at, s->key_len, &flow, &len), true);
	}
	per("table.get_hot", start, b->n);
}

static int count_one(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	(void)hash;
	(void)flow;
	*(size_t *)ctx += len;
	return 0;
}

static void bench_ranges(struct bench *b)
{
	uint64_t digest[REPAIR_FANOUT], count, start;
	size_t bytes = 0;
	enum { ROUNDS = 20, LEAF = 18 };

	start = bench_cpu_ns();
	for (unsigned i = 0; i < ROUNDS; i++)
		table_range_split(b->t, (struct hash_range){0}, REPAIR_FANOUT_BITS, digest, &count);
	per("table.split_root", start, ROUNDS);
	must((int)count, (int)b->n);
	start = bench_cpu_ns();
	for (uint64_t i = 0; i < 1 << 12; i++)
		table_range_split(b->t, (struct hash_range){i << 52, 12}, REPAIR_FANOUT_BITS,
				  digest, &count);
	per("table.split_depth_12", start, 1 << 12);
	start = bench_cpu_ns();
	for (uint64_t i = 0; i < 1 << LEAF; i++)
		table_range_digest(b->t, (struct hash_range){i << (64 - LEAF), LEAF}, digest,
				   &count);
	per("table.digest_leaf", start, 1 << LEAF);
	start = bench_cpu_ns();
	table_walk(b->t, (struct hash_range){0}, count_one, &bytes);
	per("table.walk_per_flow", start, b->n);
	start = bench_cpu_ns();
	table_bit_clear_all(b->t, TABLE_SEEN);
	bench_emit("table.bit_clear_all", (double)(bench_cpu_ns() - start) / 1e6, "ms", "lower");
}

static void bench_deletes(struct bench *b)
{
	uint64_t start = bench_cpu_ns();

	for (uint32_t i = 0; i < b->n; i++) {
		const struct sample *s = &b->sample[0][i];

		must(table_del(b->t, s->bytes + s->key_at, s->key_len, TABLE_WIRE), 1);
		if (i % 64 == 63)
			drain(b->t, TABLE_WIRE);
	}
	drain(b->t, TABLE_WIRE);
	per("table.del_and_send", start, b->n);
}

int main(int argc, char **argv)
{
	struct bench b = {0};

	prepare(&b, argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : FLOWS);
	bench_fill(&b);
	bench_bursts(&b);
	refill(&b);
	bench_in_order(&b, true, "table.put_in_hash_order_told",
		       "table.put_in_hash_order_told_worst");
	bench_in_order(&b, false, "table.put_in_hash_order", "table.put_in_hash_order_worst");
	bench_updates(&b);
	bench_backlog(&b);
	bench_lookups(&b);
	bench_ranges(&b);
	bench_deletes(&b);
	table_free(b.t);
	for (unsigned v = 0; v < VARIANTS; v++)
		free(b.sample[v]);
	return 0;
}
