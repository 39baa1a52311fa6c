/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "proto/wire.h"
#include "tests/lib/pb_flow.h"
#include "tests/lib/random_flow.h"
#include "tests/lib/suite.h"

enum { RANDOM_FLOWS = 50000 };

START_TEST(test_bytes_equal_protobuf_c)
{
	uint8_t ours[FLOW_MAX], theirs[PB_FLOW_MAX];
	struct flow f;
	struct rng r;

	rng_init_env(&r, "flow_codec");
	for (int i = 0; i < RANDOM_FLOWS; i++) {
		int len;

		random_flow(&r, &f);
		len = flow_encode(&f, ours);
		ck_assert_int_gt(len, 0);
		ck_assert_uint_eq(pb_flow_pack(&f, theirs), len);
		ck_assert_mem_eq(ours, theirs, len);
	}
}
END_TEST

START_TEST(test_decode_returns_what_was_encoded)
{
	uint8_t buf[FLOW_MAX], again[FLOW_MAX];
	struct flow f, back;
	struct rng r;

	rng_init_env(&r, "flow_codec");
	for (int i = 0; i < RANDOM_FLOWS; i++) {
		int len;

		random_flow(&r, &f);
		len = flow_encode(&f, buf);
		ck_assert_int_eq(flow_decode(buf, (size_t)len, &back), 0);
		ck_assert(flow_equal(&f, &back));
		ck_assert_int_eq(flow_encode(&back, again), len);
		ck_assert_mem_eq(buf, again, len);
	}
}
END_TEST

START_TEST(test_key_is_a_slice_of_the_flow)
{
	uint8_t buf[FLOW_MAX], key[FLOW_KEY_MAX];
	struct flow_key back;
	struct flow f;
	struct rng r;

	rng_init_env(&r, "flow_codec");
	for (int i = 0; i < RANDOM_FLOWS; i++) {
		const uint8_t *slice;
		size_t slice_len;
		int len, key_len;

		random_flow(&r, &f);
		len = flow_encode(&f, buf);
		key_len = flow_key_encode(&f.key, key);
		ck_assert_int_eq(flow_key_slice(buf, (size_t)len, &slice, &slice_len), 0);
		ck_assert_uint_eq(slice_len, key_len);
		ck_assert_mem_eq(slice, key, slice_len);
		ck_assert_int_eq(flow_key_decode(slice, slice_len, &back), 0);
		ck_assert(flow_key_equal(&back, &f.key));
	}
}
END_TEST

START_TEST(test_dnat_ipv4_tcp_is_small)
{
	uint8_t buf[FLOW_MAX];
	struct flow f;
	int len;

	numbered_flow(123456, &f);
	len = flow_encode(&f, buf);
	printf("flow_codec: DNAT IPv4 TCP: %d bytes\n", len);
	ck_assert_int_gt(len, 30);
	ck_assert_int_le(len, 42);
}
END_TEST

/* Every part as long as it can be: the bound that flow_codec.c asserts at compile time. */
START_TEST(test_longest_flow_fits)
{
	static const uint8_t pe_data[FLOW_PE_DATA_MAX] = {'x'};
	uint8_t buf[FLOW_MAX];
	struct flow f;
	int len;

	memset(&f, 0xff, sizeof(f));
	f.key = (struct flow_key){.kind = FLOW_IPVS,
				  .addr_len = 16,
				  .l4proto = 255,
				  .sport = 65535,
				  .dport = 65535,
				  .fwmark = UINT32_MAX,
				  .pe_data_len = FLOW_PE_DATA_MAX,
				  .pe_data = pe_data};
	f.ipvs.dest_len = 16;
	f.ipvs.flags = FLOW_IPVS_FLAGS_MASK;
	strcpy(f.ipvs.pe_name, "fifteen-letters");
	f.ipvs.in_seq.delta = f.ipvs.out_seq.previous_delta = INT32_MIN;
	f.ipvs.has_control = true;
	f.ipvs.control = f.key;
	len = flow_encode(&f, buf);
	ck_assert_int_gt(len, 2L * FLOW_PE_DATA_MAX);
	ck_assert_int_le(len, FLOW_MAX);
}
END_TEST

START_TEST(test_encode_refuses_what_breaks_a_rule)
{
	uint8_t buf[FLOW_MAX];
	struct flow f;

#define REFUSED(change)                                          \
	do {                                                     \
		numbered_flow(1, &f);                            \
		ck_assert_int_gt(flow_encode(&f, buf), 0);       \
		change;                                          \
		ck_assert_int_eq(flow_encode(&f, buf), -EINVAL); \
	} while (0)

	REFUSED(f.key.addr_len = 5);
	REFUSED(f.key.kind = 2);
	REFUSED(f.key.zone_dir = 3);
	REFUSED(f.key.fwmark = 1);
	REFUSED(f.ct.status |= 0x08); /* IPS_CONFIRMED: each kernel's own */
	REFUSED(f.ct.tcp_flags[1] = 0x08);
	REFUSED(f.ct.tcp_scale[0] = 16);
	REFUSED(f.ct.dccp_role = 3);
	REFUSED(memset(f.ct.helper, 'x', sizeof(f.ct.helper)));
	REFUSED(strcpy(f.ct.helper, "a b"));
	REFUSED((f.ct.has_master = true, f.ct.master = f.key, f.ct.master.kind = FLOW_IPVS));
#undef REFUSED
}
END_TEST

/* Fields of a newer version: numbers that the schema does not know, of each type, anywhere. */
static size_t append_unknown(uint8_t *buf, size_t len)
{
	uint8_t *p = buf + len;

	p = wire_put_varint(wire_put_varint(p, WIRE_TAG(100, WIRE_VARINT)), UINT64_MAX);
	p = wire_put_i32(wire_put_varint(p, WIRE_TAG(101, WIRE_I32)), 7);
	p = wire_put_i64(wire_put_varint(p, WIRE_TAG(2000, WIRE_I64)), 8);
	p = wire_put_bytes(wire_put_varint(p, WIRE_TAG(15, WIRE_LEN)), "new", 3);
	return (size_t)(p - buf);
}

/* Builds a flow message from a key's and a value's bytes. */
static size_t join(uint8_t *buf, const uint8_t *key, size_t key_len, unsigned number,
		   const uint8_t *value, size_t value_len)
{
	uint8_t *p = wire_put_varint(buf, WIRE_TAG(1, WIRE_LEN));

	p = wire_put_bytes(p, key, key_len);
	p = wire_put_bytes(wire_put_varint(p, WIRE_TAG(number, WIRE_LEN)), value, value_len);
	return (size_t)(p - buf);
}

START_TEST(test_unknown_fields_are_skipped)
{
	uint8_t buf[FLOW_MAX], key[FLOW_MAX + 64], value[FLOW_MAX + 64], out[3 * FLOW_MAX];
	struct flow f, back;
	struct rng r;

	rng_init_env(&r, "flow_codec");
	for (int i = 0; i < 2000; i++) {
		const uint8_t *slice;
		size_t key_len, rest, n;
		int len;

		random_flow_conntrack(&r, &f);
		f.ct.mark = 1; /* so that there is a value */
		len = flow_encode(&f, buf);
		ck_assert_int_eq(flow_key_slice(buf, (size_t)len, &slice, &key_len), 0);
		memcpy(key, slice, key_len);
		rest = (size_t)(buf + len - slice) - key_len;
		n = rest < 130 ? 2 : 3; /* the value's own tag and length */
		memcpy(value, slice + key_len + n, rest - n);
		n = join(out, key, append_unknown(key, key_len), 2, value,
			 append_unknown(value, rest - n));
		n = append_unknown(out, n);
		ck_assert_int_eq(flow_decode(out, n, &back), 0);
		ck_assert(flow_equal(&f, &back));
	}
}
END_TEST

START_TEST(test_bits_of_a_newer_version_are_passed_over)
{
	const uint8_t value[] = {0x28, 0xff, 0x7f, 0x38, 0xff, 0xff, 0x7f}; /* status, tcp_window */
	uint8_t key[FLOW_KEY_MAX], out[FLOW_MAX];
	struct flow f, back;
	int key_len;

	numbered_flow(1, &f);
	key_len = flow_key_encode(&f.key, key);
	ck_assert_int_eq(
		flow_decode(out, join(out, key, (size_t)key_len, 2, value, sizeof(value)), &back),
		0);
	ck_assert_uint_eq(back.ct.status, FLOW_STATUS_MASK);
	ck_assert_uint_eq(back.ct.tcp_flags[1], FLOW_TCP_FLAGS_MASK);
	ck_assert_uint_eq(back.ct.tcp_scale[1], FLOW_TCP_SCALE_MASK);
}
END_TEST

/*
 * What an encoder with other habits may write: defaults written out, long varints, fields in
 * another order, a field twice (the last counts), a message in two parts (merged).
 */
START_TEST(test_other_encodings_are_accepted)
{
	static const uint8_t bytes[] = {
		0x8a, 0x00, 0x1b,		    /* key, its tag two bytes long */
		0x3d, 80,   0,	  0x92, 0x10,	    /* ports 4242, 80 before the addresses */
		0x08, 0x00,			    /* kind: conntrack, written out */
		0x20, 17,   0x20, 0x86, 0x80, 0x00, /* protocol twice, the second one long */
		0x32, 4,    203,  0,	113,  10,   /* destination before source */
		0x2a, 4,    192,  0,	2,    1,    /* source */
		0x42, 0,			    /* no pe_data, written out */
		0x12, 2,    0x40, 7,		    /* mark 7, in a first part of the value */
		0x12, 6,    0x30, 3,	0x0a, 0,    0x28, 6 /* state, reply_src mirrored, status */
	};
	struct flow f, want = {.key = {.addr_len = 4,
				       .l4proto = IPPROTO_TCP,
				       .sport = 4242,
				       .dport = 80,
				       .src = {{192, 0, 2, 1}},
				       .dst = {{203, 0, 113, 10}}}};

	flow_mirror_reply(&want);
	want.ct.mark = 7;
	want.ct.state = 3;
	want.ct.status = 6;
	ck_assert_int_eq(flow_decode(bytes, sizeof(bytes), &f), 0);
	ck_assert(flow_equal(&f, &want));
}
END_TEST

START_TEST(test_every_truncation_is_refused_or_whole)
{
	uint8_t buf[FLOW_MAX];
	struct flow f, back;
	struct rng r;

	rng_init_env(&r, "flow_codec");
	for (int i = 0; i < 500; i++) {
		size_t key_end;
		const uint8_t *key;
		int len;

		random_flow(&r, &f);
		len = flow_encode(&f, buf);
		ck_assert_int_eq(flow_key_slice(buf, (size_t)len, &key, &key_end), 0);
		key_end += (size_t)(key - buf);
		for (size_t cut = 0; cut < (size_t)len; cut++) {
			/* A heap copy, so that a sanitizer sees one byte too many. */
			uint8_t *copy = malloc(cut + 1);
			int ret;

			ck_assert_ptr_nonnull(copy);
			memcpy(copy + 1, buf, cut);
			ret = flow_decode(copy + 1, cut, &back);
			/* A conntrack flow without a value is a whole flow. */
			if (cut == key_end && f.key.kind == FLOW_CONNTRACK)
				ck_assert_int_eq(ret, 0);
			else
				ck_assert_int_eq(ret, -EBADMSG);
			free(copy);
		}
	}
}
END_TEST

START_TEST(test_ambiguous_flows_are_refused)
{
	uint8_t key[FLOW_KEY_MAX], buf[FLOW_MAX], out[3 * FLOW_MAX];
	const uint8_t mark[] = {0x40, 7};
	struct flow f, back;
	int len, key_len;

	numbered_flow(1, &f);
	len = flow_encode(&f, buf);
	key_len = flow_key_encode(&f.key, key);
	ck_assert_int_eq(flow_decode(buf, 0, &back), -EBADMSG);

	/* two keys */
	memcpy(out, buf, (size_t)len);
	memcpy(out + len, buf, (size_t)len);
	ck_assert_int_eq(flow_decode(out, 2 * (size_t)len, &back), -EBADMSG);
	/* the key not in front */
	memcpy(out, (uint8_t[]){0x12, 2, 0x40, 7}, 4);
	memcpy(out + 4, buf, (size_t)len);
	ck_assert_int_eq(flow_decode(out, 4 + (size_t)len, &back), -EBADMSG);
	/* the value of the other kind */
	ck_assert_int_eq(
		flow_decode(out, join(out, key, (size_t)key_len, 3, mark, sizeof(mark)), &back),
		-EBADMSG);
	/* addresses of two families */
	memcpy(out, (uint8_t[]){0x2a, 4, 1, 2, 3, 4, 0x32, 16}, 8);
	memset(out + 8, 1, 16);
	ck_assert_int_eq(flow_key_decode(out, 24, &back.key), -EBADMSG);
	/* no addresses at all */
	ck_assert_int_eq(flow_key_decode((uint8_t[]){0x20, 6}, 2, &back.key), -EBADMSG);
}
END_TEST

/* Whatever the bytes, decode ends, and what it accepts can be encoded and decoded again. */
START_TEST(test_damaged_bytes)
{
	uint8_t buf[FLOW_MAX], again[FLOW_MAX];
	struct flow f, back, third;
	unsigned accepted = 0;
	struct rng r;

	rng_init_env(&r, "flow_codec");
	for (int i = 0; i < 100000; i++) {
		int len, n;

		random_flow(&r, &f);
		len = flow_encode(&f, buf);
		buf[rng_below(&r, (uint64_t)len)] ^= (uint8_t)(1 + rng_below(&r, 255));
		if (flow_decode(buf, (size_t)len, &back))
			continue;
		accepted++;
		n = flow_encode(&back, again);
		ck_assert_int_gt(n, 0);
		ck_assert_int_eq(flow_decode(again, (size_t)n, &third), 0);
		ck_assert(flow_equal(&back, &third));
	}
	ck_assert_uint_gt(accepted,
			  1000); /* most flips hit an address: another flow, a legal one */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("flow_codec");
	TCase *tc = tcase_create("flow_codec");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_bytes_equal_protobuf_c);
	tcase_add_test(tc, test_decode_returns_what_was_encoded);
	tcase_add_test(tc, test_key_is_a_slice_of_the_flow);
	tcase_add_test(tc, test_dnat_ipv4_tcp_is_small);
	tcase_add_test(tc, test_longest_flow_fits);
	tcase_add_test(tc, test_encode_refuses_what_breaks_a_rule);
	tcase_add_test(tc, test_unknown_fields_are_skipped);
	tcase_add_test(tc, test_bits_of_a_newer_version_are_passed_over);
	tcase_add_test(tc, test_other_encodings_are_accepted);
	tcase_add_test(tc, test_every_truncation_is_refused_or_whole);
	tcase_add_test(tc, test_ambiguous_flows_are_refused);
	tcase_add_test(tc, test_damaged_bytes);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
