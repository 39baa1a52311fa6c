/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "proto/seal.h"
#include "tests/lib/rng.h"
#include "tests/lib/suite.h"

static const struct group_key group_key = {.id = 7, .secret = {1, 2, 3}};
static const struct frame_header header = {
	.kind = FRAME_DATA, .key_id = 7, .node = 2, .session = 0x1122334455667788, .counter = 99};

static void make_key(struct seal_key *k)
{
	seal_key_derive(k, &group_key, header.node, header.session);
}

START_TEST(test_header)
{
	static const uint8_t want[FRAME_HEADER_LEN] = {
		0x53, 0x64, 1,	  1,	0, 7, 0, 2, 0x11, 0x22, 0x33, 0x44,
		0x55, 0x66, 0x77, 0x88, 0, 0, 0, 0, 0,	  0,	0,    99};
	uint8_t dgram[FRAME_OVERHEAD] = {0};
	struct frame_header h;

	frame_header_write(&header, dgram);
	ck_assert_mem_eq(dgram, want, sizeof(want));
	ck_assert_int_eq(frame_header_read(dgram, sizeof(dgram), &h), 0);
	ck_assert(h.kind == header.kind && h.key_id == header.key_id && h.node == header.node &&
		  h.session == header.session && h.counter == header.counter);
}
END_TEST

START_TEST(test_bad_headers)
{
	uint8_t good[FRAME_OVERHEAD] = {0}, bytes[FRAME_OVERHEAD];
	struct frame_header h;

	frame_header_write(&header, good);
	for (size_t len = 0; len < FRAME_OVERHEAD; len++)
		ck_assert_int_eq(frame_header_read(good, len, &h), -EBADMSG);
#define REFUSED(change, err)                                                        \
	do {                                                                        \
		memcpy(bytes, good, sizeof(good));                                  \
		change;                                                             \
		ck_assert_int_eq(frame_header_read(bytes, sizeof(bytes), &h), err); \
	} while (0)
	REFUSED(bytes[0] ^= 1, -EBADMSG);
	REFUSED(bytes[1] ^= 1, -EBADMSG);
	REFUSED(bytes[2] = 2, -EPROTONOSUPPORT);
	REFUSED(bytes[3] = 0, -EBADMSG);
	REFUSED(bytes[3] = 3, -EBADMSG);
	REFUSED(bytes[23] = 0, -EBADMSG); /* counters count from 1 */
#undef REFUSED
}
END_TEST

START_TEST(test_seal_and_open)
{
	static uint8_t dgram[DATAGRAM_MAX], payload[DATAGRAM_MAX], back[DATAGRAM_MAX];
	struct seal_key k;
	struct rng r;

	rng_init_env(&r, "seal");
	make_key(&k);
	for (int i = 0; i < 2000; i++) {
		size_t n = rng_below(&r, sizeof(payload) - FRAME_OVERHEAD + 1), len;
		struct frame_header h = header, seen;

		h.counter = 1 + rng_below(&r, UINT64_MAX);
		rng_fill(&r, payload, n);
		memcpy(dgram + FRAME_HEADER_LEN, payload, n);
		len = seal(&k, &h, dgram, n);
		ck_assert_uint_eq(len, n + FRAME_OVERHEAD);
		ck_assert(n < 8 || memcmp(dgram + FRAME_HEADER_LEN, payload, n) != 0);
		ck_assert_int_eq(frame_header_read(dgram, len, &seen), 0);
		ck_assert_int_eq(seal_open(&k, &seen, dgram, len, back), n);
		ck_assert_mem_eq(back, payload, n);
		/* in place, as the receiver may */
		ck_assert_int_eq(seal_open(&k, &seen, dgram, len, dgram + FRAME_HEADER_LEN), n);
		ck_assert_mem_eq(dgram + FRAME_HEADER_LEN, payload, n);
	}
}
END_TEST

/* Header, payload and tag are all covered: no single bit can change unnoticed. */
START_TEST(test_each_bit_counts)
{
	uint8_t dgram[FRAME_OVERHEAD + 5] = {0}, back[5];
	struct seal_key k;
	size_t len;

	make_key(&k);
	len = seal(&k, &header, dgram, 5);
	for (size_t bit = 0; bit < len * 8; bit++) {
		struct frame_header h;

		dgram[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (!frame_header_read(dgram, len, &h))
			ck_assert_int_eq(seal_open(&k, &h, dgram, len, back), -EKEYREJECTED);
		else
			ck_assert_uint_lt(bit, 8UL * FRAME_HEADER_LEN);
		dgram[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(seal_open(&k, &header, dgram, len, back), 5);
	for (size_t cut = FRAME_OVERHEAD; cut < len; cut++)
		ck_assert_int_eq(seal_open(&k, &header, dgram, cut, back), -EKEYREJECTED);
	ck_assert_int_eq(seal_open(&k, &header, dgram, FRAME_OVERHEAD - 1, back), -EBADMSG);
}
END_TEST

START_TEST(test_keys_are_of_node_session_and_secret)
{
	struct group_key other = group_key;
	struct seal_key a, b;

	make_key(&a);
	make_key(&b);
	ck_assert_mem_eq(a.b, b.b, sizeof(a.b));
	seal_key_derive(&b, &group_key, header.node + 1, header.session);
	ck_assert_mem_ne(a.b, b.b, sizeof(a.b));
	seal_key_derive(&b, &group_key, header.node, header.session + 1);
	ck_assert_mem_ne(a.b, b.b, sizeof(a.b));
	other.secret[31] ^= 1;
	seal_key_derive(&b, &other, header.node, header.session);
	ck_assert_mem_ne(a.b, b.b, sizeof(a.b));
	other = group_key;
	other.cluster_secret[0] ^= 1; /* for digests only */
	seal_key_derive(&b, &other, header.node, header.session);
	ck_assert_mem_eq(a.b, b.b, sizeof(a.b));
}
END_TEST

START_TEST(test_kind_and_counter_change_the_keystream)
{
	uint8_t a[FRAME_OVERHEAD + 32] = {0}, b[FRAME_OVERHEAD + 32] = {0};
	struct frame_header h = header;
	struct seal_key k;

	make_key(&k);
	seal(&k, &header, a, 32);
	h.kind = FRAME_CONTROL;
	seal(&k, &h, b, 32);
	ck_assert_mem_ne(a + FRAME_HEADER_LEN, b + FRAME_HEADER_LEN, 32);
	memset(b, 0, sizeof(b));
	h = header;
	h.counter++;
	seal(&k, &h, b, 32);
	ck_assert_mem_ne(a + FRAME_HEADER_LEN, b + FRAME_HEADER_LEN, 32);
}
END_TEST

START_TEST(test_insecure)
{
	static const uint8_t text[4] = {'t', 'e', 'x', 't'};
	uint8_t dgram[FRAME_OVERHEAD + 4], back[4];
	struct seal_key clear, sealed;
	size_t len;

	seal_key_insecure(&clear);
	make_key(&sealed);
	memcpy(dgram + FRAME_HEADER_LEN, text, sizeof(text));
	len = seal(&clear, &header, dgram, 4);
	ck_assert_uint_eq(len, sizeof(dgram));
	ck_assert_mem_eq(dgram + FRAME_HEADER_LEN, text, 4);
	ck_assert(sodium_is_zero(dgram + len - FRAME_TAG_LEN, FRAME_TAG_LEN));
	ck_assert_int_eq(seal_open(&clear, &header, dgram, len, back), 4);
	ck_assert_mem_eq(back, text, 4);
	ck_assert_int_eq(seal_open(&sealed, &header, dgram, len, back), -EKEYREJECTED);
	dgram[len - 1] = 1;
	ck_assert_int_eq(seal_open(&clear, &header, dgram, len, back), -EKEYREJECTED);
	seal(&sealed, &header, dgram, 4);
	ck_assert_int_eq(seal_open(&clear, &header, dgram, len, back), -EKEYREJECTED);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("seal");
	TCase *tc = tcase_create("seal");

	if (sodium_init() < 0)
		return 1;
	tcase_add_test(tc, test_header);
	tcase_add_test(tc, test_bad_headers);
	tcase_add_test(tc, test_seal_and_open);
	tcase_add_test(tc, test_each_bit_counts);
	tcase_add_test(tc, test_keys_are_of_node_session_and_secret);
	tcase_add_test(tc, test_kind_and_counter_change_the_keystream);
	tcase_add_test(tc, test_insecure);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
