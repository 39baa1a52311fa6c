/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/data.h"
#include "proto/flow_codec.h"
#include "proto/sync.pb-c.h"
#include "tests/lib/random_flow.h"
#include "tests/lib/suite.h"

START_TEST(test_everything_comes_back)
{
	uint8_t buf[DATAGRAM_MAX], flow[FLOW_MAX], key[FLOW_KEY_MAX];
	const struct hash_range range = {.lo = 0xab00000000000000, .depth = 8};
	const struct data_check check = {.digest = 77, .count = 3, .complete = true};
	const uint64_t digest[4] = {1, 0, UINT64_MAX, 4};
	struct data_info info;
	struct data_writer w;
	struct data_iter it;
	struct flow f;
	int len, key_len;

	numbered_flow(1, &f);
	len = flow_encode(&f, flow);
	key_len = flow_key_encode(&f.key, key);
	data_begin(&w, buf, sizeof(buf), 1234567, 9, 12);
	ck_assert(data_add_put(&w, flow, (size_t)len));
	ck_assert(data_add_del(&w, key, (size_t)key_len));
	ck_assert(data_add_range(&w, range));
	ck_assert(data_add_check(&w, &check));
	ck_assert(data_add_digests(&w, range, 1000, digest, 4));
	ck_assert(data_add_final(&w));

	ck_assert_int_eq(data_read(buf, w.len, &info), 0);
	ck_assert_uint_eq(info.sent_us, 1234567);
	ck_assert_uint_eq(info.group, 9);
	ck_assert_uint_eq(info.term, 12);
	ck_assert(info.puts == 1 && info.dels == 1 && info.digests == 1 && info.final);
	ck_assert(info.has_range && info.range.lo == range.lo && info.range.depth == 8);
	ck_assert(info.has_check && info.check.digest == 77 && info.check.count == 3 &&
		  info.check.complete);

	data_iter_init(&it, buf, w.len);
	ck_assert_int_eq(data_iter_next(&it), DATA_PUT);
	ck_assert_uint_eq(it.len, len);
	ck_assert_mem_eq(it.bytes, flow, it.len);
	ck_assert_int_eq(data_iter_next(&it), DATA_DEL);
	ck_assert_uint_eq(it.len, key_len);
	ck_assert_mem_eq(it.bytes, key, it.len);
	ck_assert_int_eq(data_iter_next(&it), DATA_DIGESTS);
	ck_assert(it.digests.range.lo == range.lo && it.digests.range.depth == 8);
	ck_assert_uint_eq(it.digests.count, 1000);
	ck_assert_uint_eq(it.digests.n, 4);
	ck_assert_mem_eq(it.digests.digest, digest, sizeof(digest));
	ck_assert_int_eq(data_iter_next(&it), DATA_END);
	ck_assert_int_eq(data_iter_next(&it), DATA_END);
}
END_TEST

/* More than fit in one batch, of lengths of one byte and of two, with digests between them. */
START_TEST(test_batches)
{
	enum { PIECES = 3 * DATA_BATCH + 5 };
	static uint8_t buf[PIECES * (FLOW_MAX + 4)];
	const uint64_t digest[2] = {1, 2};
	struct data_batch b = {0};
	struct data_writer w;
	struct data_iter it, one;
	size_t seen = 0, larger = 0;
	bool more = true;

	data_begin(&w, buf, sizeof(buf), 1, 1, 1);
	for (unsigned i = 0; i < PIECES; i++) {
		uint8_t flow[FLOW_MAX], key[FLOW_KEY_MAX];
		struct flow f;
		int len;

		numbered_flow(i, &f);
		len = flow_encode(&f, flow);
		ck_assert_int_gt(len, 0);
		if (i % 7 == 0) { /* of a newer peer: a field that is not known here */
			flow[len++] = 0x7a;
			flow[len++] = 100;
			memset(flow + len, 0, 100);
			len += 100;
		}
		larger += len >= 0x80;
		if (i % 3)
			ck_assert(data_add_put(&w, flow, (size_t)len));
		else
			ck_assert(data_add_del(&w, key, (size_t)flow_key_encode(&f.key, key)));
		if (i % 11 == 0)
			ck_assert(data_add_digests(&w, (struct hash_range){0, 0}, 2, digest, 2));
	}
	data_iter_init(&it, buf, w.len);
	data_iter_init(&one, buf, w.len);
	for (; more; b.n = b.puts = 0) {
		more = data_iter_batch(&it, &b);
		for (size_t i = 0, put = 0; i < b.n; i++, seen++) {
			enum data_piece piece;

			do
				piece = data_iter_next(&one);
			while (piece == DATA_DIGESTS);
			ck_assert_int_eq(piece, b.put[i] ? DATA_PUT : DATA_DEL);
			ck_assert(!b.put[i] || b.flow[put++].bytes == one.bytes);
			ck_assert(b.key[i].bytes >= one.bytes &&
				  b.key[i].bytes + b.key[i].len <= one.bytes + one.len);
		}
	}
	ck_assert_uint_eq(seen, PIECES);
	ck_assert_uint_gt(larger, 0);
}
END_TEST

/* On the way of data_read: what is short and has room; of what cannot be read, nothing. */
START_TEST(test_read_batch)
{
	enum { PIECES = 40 };
	static uint8_t buf[PIECES * FLOW_MAX];
	uint8_t key[FLOW_KEY_MAX];
	struct data_batch b = {0};
	struct data_info info;
	struct data_writer w;
	struct data_iter rest;

	data_begin(&w, buf, sizeof(buf), 1, 7, 1);
	for (unsigned i = 0; i < PIECES; i++) {
		struct flow f;

		numbered_flow(i, &f);
		ck_assert(data_add_del(&w, key, (size_t)flow_key_encode(&f.key, key)));
	}
	for (unsigned i = 1; i * PIECES <= DATA_BATCH; i++) {
		ck_assert_int_eq(data_read_batch(buf, w.len, &info, &b, &rest), 0);
		ck_assert_uint_eq(info.group, 7);
		ck_assert_uint_eq(info.dels, PIECES);
		ck_assert_uint_eq(b.n, i * PIECES);
		ck_assert_int_eq(data_iter_next(&rest), DATA_END);
	}
	ck_assert_int_eq(data_read_batch(buf, w.len - 1, &info, &b, &rest), -EBADMSG);
	ck_assert_uint_eq(b.n, DATA_BATCH / PIECES * PIECES);
	ck_assert_int_eq(data_read_batch(buf, w.len, &info, &b, &rest), 0);
	ck_assert_uint_eq(b.n, DATA_BATCH);
	for (unsigned i = DATA_BATCH % PIECES; i < PIECES; i++)
		ck_assert_int_eq(data_iter_next(&rest), DATA_DEL);
	ck_assert_int_eq(data_iter_next(&rest), DATA_END);
}
END_TEST

START_TEST(test_empty)
{
	struct data_info info;
	struct data_writer w;
	struct data_iter it;
	uint8_t buf[64];

	data_begin(&w, buf, sizeof(buf), 0, 0, 0);
	ck_assert_uint_eq(w.len, 0);
	ck_assert_int_eq(data_read(buf, 0, &info), 0);
	ck_assert(!info.has_range && !info.has_check && !info.final && !info.puts);
	data_iter_init(&it, NULL, 0);
	ck_assert_int_eq(data_iter_next(&it), DATA_END);
}
END_TEST

/* protobuf-c understands what we write and, packing it again, writes the same bytes. */
START_TEST(test_bytes_equal_protobuf_c)
{
	static uint8_t buf[DATAGRAM_MAX], again[DATAGRAM_MAX];
	uint8_t flow[FLOW_MAX];
	struct rng r;

	rng_init_env(&r, "data");
	for (int i = 0; i < 2000; i++) {
		uint64_t digest[REPAIR_FANOUT];
		struct data_writer w;
		struct flow f;
		Sync__Data *m;

		data_begin(&w, buf, sizeof(buf), rng_next(&r), (uint32_t)rng_below(&r, 300),
			   rng_next(&r));
		for (uint64_t n = rng_below(&r, 5); n; n--) {
			random_flow(&r, &f);
			ck_assert(data_add_put(&w, flow, (size_t)flow_encode(&f, flow)));
		}
		for (uint64_t n = rng_below(&r, 5); n; n--) {
			random_flow(&r, &f);
			ck_assert(data_add_del(&w, flow, (size_t)flow_key_encode(&f.key, flow)));
		}
		if (rng_one_in(&r, 2))
			ck_assert(data_add_range(&w, (struct hash_range){.depth = 0}));
		if (rng_one_in(&r, 2))
			ck_assert(data_add_check(&w, &(struct data_check){.digest = rng_next(&r)}));
		rng_fill(&r, digest, sizeof(digest));
		if (rng_one_in(&r, 2))
			ck_assert(data_add_digests(&w, (struct hash_range){0, 0}, rng_next(&r),
						   digest, REPAIR_FANOUT));
		m = sync__data__unpack(NULL, w.len, buf);
		ck_assert_ptr_nonnull(m);
		ck_assert_uint_eq(sync__data__get_packed_size(m), w.len);
		sync__data__pack(m, again);
		ck_assert_mem_eq(buf, again, w.len);
		sync__data__free_unpacked(m, NULL);
	}
}
END_TEST

/* A datagram is filled to the last byte, and a piece that does not fit leaves it as it was. */
START_TEST(test_filling_to_the_brim)
{
	uint8_t buf[DATAGRAM_START], flow[FLOW_MAX], before[DATAGRAM_START];
	const uint64_t digest[REPAIR_FANOUT] = {1};
	const struct hash_range all = {0, 0};
	struct rng r;

	rng_init_env(&r, "data");
	for (int i = 0; i < 2000; i++) {
		size_t cap = 64 + rng_below(&r, sizeof(buf) - 64), len;
		struct data_writer w;
		struct data_info info;
		struct flow f;
		bool fits;

		data_begin(&w, buf, cap, 5, 6, 7);
		do {
			random_flow(&r, &f);
			len = (size_t)flow_encode(&f, flow);
			fits = w.len + data_put_size(len) <= cap;
			memcpy(before, buf, w.len);
			len = w.len;
			ck_assert(data_add_put(&w, flow, (size_t)flow_encode(&f, flow)) == fits);
		} while (fits);
		ck_assert_uint_eq(w.len, len);
		ck_assert_mem_eq(before, buf, w.len);
		if (cap - w.len < 512) {
			ck_assert(!data_add_digests(&w, all, 1, digest, REPAIR_FANOUT));
			ck_assert_uint_eq(w.len, len);
		}
		while (data_add_final(&w))
			ck_assert_uint_le(w.len, cap);
		ck_assert_uint_ge(w.len + 1, cap);
		ck_assert(!data_add_check(&w, &(struct data_check){.digest = 1}));
		ck_assert_int_eq(data_read(buf, w.len, &info), 0);
	}
}
END_TEST

START_TEST(test_unpacked_digests_are_accepted)
{
	/* range {} (everything), count 2, two digests one by one */
	const uint8_t bytes[] = {0x42, 24, 0x0a, 0, 0x10, 2, 0x19, 1, 0, 0, 0, 0,    0,
				 0,    0,  0x19, 2, 0,	  0, 0,	   0, 0, 0, 0, 0x78, 1};
	struct data_info info;
	struct data_iter it;

	ck_assert_int_eq(data_read(bytes, sizeof(bytes), &info), 0);
	data_iter_init(&it, bytes, sizeof(bytes));
	ck_assert_int_eq(data_iter_next(&it), DATA_DIGESTS);
	ck_assert_uint_eq(it.digests.n, 2);
	ck_assert_uint_eq(it.digests.digest[1], 2);
}
END_TEST

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
static const struct {
	const char *what;
	const uint8_t *bytes;
	size_t len;
} bad[] = {
	{"put without a flow", BYTES(0x22, 0)},
	{"put without a key in front", BYTES(0x22, 4, 0x12, 2, 0x40, 7)},
	{"put with an empty key", BYTES(0x22, 2, 0x0a, 0)},
	{"delete of nothing", BYTES(0x2a, 0)},
	{"two ranges", BYTES(0x32, 0, 0x32, 0)},
	{"range deeper than 64", BYTES(0x32, 2, 0x10, 65)},
	{"range that is not aligned", BYTES(0x32, 11, 0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0x10, 8)},
	{"two checks", BYTES(0x3a, 0, 0x3a, 0)},
	{"digests without a range", BYTES(0x42, 10, 0x1a, 8, 0, 0, 0, 0, 0, 0, 0, 0)},
	{"no digests", BYTES(0x42, 2, 0x0a, 0)},
	{"half a digest", BYTES(0x42, 8, 0x0a, 0, 0x1a, 4, 0, 0, 0, 0)},
	{"digests below single hashes", BYTES(0x42, 22, 0x0a, 2, 0x10, 64, 0x1a, 16, 0, 0, 0, 0, 0,
					      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
	{"three sub-ranges", BYTES(0x42, 28, 0x0a, 0, 0x1a, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
				   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
	{"field number 0", BYTES(0x00, 1)},
	{"group of protobuf's first version", BYTES(0x7b, 0x7c)},
	{"length beyond the end", BYTES(0x22, 5, 0x0a)},
	{"length of 2^64 - 1",
	 BYTES(0x22, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)},
	{"varint without an end", BYTES(0x10, 0xff, 0xff)},
	{"varint of more than 64 bits",
	 BYTES(0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02)},
	{"group of more than 32 bits", BYTES(0x10, 0x80, 0x80, 0x80, 0x80, 0x10)},
};

START_TEST(test_bad_is_refused)
{
	uint8_t *copy = malloc(bad[_i].len); /* on the heap, for a sanitizer to see its end */
	struct data_info info;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bad[_i].bytes, bad[_i].len);
	ck_assert_msg(data_read(copy, bad[_i].len, &info) == -EBADMSG, "accepted: %s",
		      bad[_i].what);
	free(copy);
}
END_TEST

START_TEST(test_too_many_digests_are_refused)
{
	uint8_t bytes[4 + 4 + 128 * 8] = {0x42, 0x85, 0x08, 0x0a, 0, 0x1a, 0x80, 0x08};
	struct data_info info;

	ck_assert_int_eq(data_read(bytes, sizeof(bytes), &info), -EBADMSG);
	bytes[1] = 0x85, bytes[2] = 0x04; /* 64 of them are as many as there may be */
	bytes[6] = 0x80, bytes[7] = 0x04;
	ck_assert_int_eq(data_read(bytes, 8 + 512, &info), 0);
}
END_TEST

START_TEST(test_ranges)
{
	const struct hash_range all = {0, 0}, top = {0x8000000000000000, 1}, one = {7, 64};

	ck_assert(hash_range_has(all, 0) && hash_range_has(all, UINT64_MAX));
	ck_assert(hash_range_has(top, UINT64_MAX) && !hash_range_has(top, INT64_MAX));
	ck_assert_uint_eq(hash_range_last(top), UINT64_MAX);
	ck_assert(hash_range_has(one, 7) && !hash_range_has(one, 8) && !hash_range_has(one, 6));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("data");
	TCase *tc = tcase_create("data");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_everything_comes_back);
	tcase_add_test(tc, test_batches);
	tcase_add_test(tc, test_read_batch);
	tcase_add_test(tc, test_empty);
	tcase_add_test(tc, test_bytes_equal_protobuf_c);
	tcase_add_test(tc, test_filling_to_the_brim);
	tcase_add_test(tc, test_unpacked_digests_are_accepted);
	tcase_add_loop_test(tc, test_bad_is_refused, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, test_too_many_digests_are_refused);
	tcase_add_test(tc, test_ranges);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
