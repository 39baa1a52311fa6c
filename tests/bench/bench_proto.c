/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What floor 0 costs: CPU time to encode, decode, hash and seal a flow, one thread, and the bytes
 * that a flow takes on the wire in a full datagram, header and tag included.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "proto/data.h"
#include "proto/digest.h"
#include "proto/flow_codec.h"
#include "proto/seal.h"
#include "tests/bench/bench.h"
#include "tests/lib/pb_flow.h"
#include "tests/lib/random_flow.h"

/* Few enough to stay in the cache: the code is measured, not the memory. */
enum { FLOWS = 256, PAYLOAD = DATAGRAM_START - FRAME_OVERHEAD };

struct set {
	struct flow flow[FLOWS];
	uint8_t bytes[FLOWS][FLOW_MAX];
	size_t len[FLOWS];
};

static struct set dnat4, mixed;
static uint8_t dgram[DATAGRAM_MAX], opened[DATAGRAM_MAX];
static struct digest_key digest_key;
static struct seal_key key;
static volatile uint64_t sink;

static void fill(struct set *s)
{
	for (int i = 0; i < FLOWS; i++) {
		int len = flow_encode(&s->flow[i], s->bytes[i]);

		assert(len > 0);
		s->len[i] = (size_t)len;
	}
}

static void make_sets(void)
{
	struct rng r;

	rng_init(&r, 1);
	for (uint32_t i = 0; i < FLOWS; i++) {
		numbered_flow(i * 977, &dnat4.flow[i]);
		random_flow(&r, &mixed.flow[i]);
	}
	fill(&dnat4);
	fill(&mixed);
}

static void encode(const struct set *s, int i)
{
	uint8_t buf[FLOW_MAX];

	sink += (uint64_t)flow_encode(&s->flow[i], buf) + buf[5];
}

static void encode_protobuf_c(const struct set *s, int i)
{
	uint8_t buf[PB_FLOW_MAX];

	sink += pb_flow_pack(&s->flow[i], buf) + buf[5];
}

static void decode(const struct set *s, int i)
{
	struct flow f;

	sink += (uint64_t)flow_decode(s->bytes[i], s->len[i], &f) + f.key.sport;
}

static void digest(const struct set *s, int i)
{
	const uint8_t *k;
	size_t len;

	(void)flow_key_slice(s->bytes[i], s->len[i], &k, &len);
	sink += digest_position(&digest_key, k, len);
	sink += digest_content(&digest_key, s->bytes[i], s->len[i]);
}

static void seal_one(const struct set *s, int i)
{
	const struct frame_header h = {FRAME_DATA, 7, 1, 1, 1 + (uint64_t)i};

	(void)s;
	sink += seal(&key, &h, dgram, PAYLOAD);
}

static void open_one(const struct set *s, int i)
{
	const struct frame_header h = {FRAME_DATA, 7, 1, 1, 1};

	(void)s;
	(void)i;
	sink += (uint64_t)seal_open(&key, &h, dgram, DATAGRAM_START, opened);
}

/* The best of several runs: what disturbs a run only ever makes it longer. */
static double ns_each(void (*fn)(const struct set *s, int i), const struct set *s)
{
	unsigned rounds = getenv("QUICK") ? 400 : 2000;
	double best = 1e12;

	for (int run = 0; run < 5; run++) {
		uint64_t start = bench_cpu_ns();
		double ns;

		for (unsigned k = 0; k < rounds; k++) {
			for (int i = 0; i < FLOWS; i++)
				fn(s, i);
		}
		ns = (double)(bench_cpu_ns() - start) / rounds / FLOWS;
		best = ns < best ? ns : best;
	}
	return best;
}

/* Bytes a flow of a full datagram, header and tag included. */
static double wire_bytes(const struct set *s, size_t datagram)
{
	struct data_writer w;
	size_t n = 0;

	data_begin(&w, dgram, datagram - FRAME_OVERHEAD, 1795313576261320, 1, 5);
	while (data_add_put(&w, s->bytes[n % FLOWS], s->len[n % FLOWS]))
		n++;
	return (double)(w.len + FRAME_OVERHEAD) / (double)n;
}

int main(void)
{
	const struct group_key group = {.id = 7, .secret = {1}};
	const struct frame_header h = {FRAME_DATA, 7, 1, 1, 1};

	if (sodium_init() < 0)
		return 1;
	digest_key_derive(&digest_key, group.cluster_secret);
	seal_key_derive(&key, &group, 1, 1);
	make_sets();
	bench_emit_peer("proto.encode_dnat4", ns_each(encode, &dnat4), "ns", "lower", "protobuf-c",
			ns_each(encode_protobuf_c, &dnat4));
	bench_emit("proto.encode_mixed", ns_each(encode, &mixed), "ns", "lower");
	bench_emit("proto.decode_dnat4", ns_each(decode, &dnat4), "ns", "lower");
	bench_emit("proto.decode_mixed", ns_each(decode, &mixed), "ns", "lower");
	bench_emit("proto.digests_dnat4", ns_each(digest, &dnat4), "ns", "lower");
	bench_emit("proto.seal_1232", ns_each(seal_one, &dnat4), "ns", "lower");
	(void)seal(&key, &h, dgram, PAYLOAD);
	bench_emit("proto.open_1232", ns_each(open_one, &dnat4), "ns", "lower");
	bench_emit("proto.wire_dnat4_1232", wire_bytes(&dnat4, DATAGRAM_START), "bytes", "lower");
	bench_emit("proto.wire_dnat4_8952", wire_bytes(&dnat4, DATAGRAM_MAX), "bytes", "lower");
	return 0;
}
