/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/control.h"
#include "proto/flow_codec.h"
#include "proto/sync.pb-c.h"
#include "tests/lib/example_messages.h"
#include "tests/lib/random_flow.h"
#include "tests/lib/suite.h"

static struct control message, back;

static size_t write_example(enum control_kind kind, uint8_t *buf, size_t cap)
{
	static uint8_t flow[FLOW_MAX];
	struct flow f;
	int len;

	example_flows[0].make(&f);
	len = flow_encode(&f, flow);
	example_control(&message, kind, flow, (size_t)len);
	len = control_write(&message, buf, cap);
	ck_assert_int_gt(len, 0);
	return (size_t)len;
}

START_TEST(test_hello_comes_back)
{
	const struct hello *a = &message.hello, *b = &back.hello;
	uint8_t buf[DATAGRAM_START];
	size_t len = write_example(CONTROL_HELLO, buf, sizeof(buf));

	ck_assert_int_eq(control_read(buf, len, &back), 0);
	ck_assert_int_eq(back.kind, CONTROL_HELLO);
	ck_assert_uint_eq(b->sent_us, a->sent_us);
	ck_assert_str_eq(b->name, "lb-a");
	ck_assert(b->encoder == 1 && b->page == 1 && b->pages == 2);
	ck_assert(b->last_data == 1000 && b->oldest_data == 900 && b->digest_key_id == 0xcafe);
	ck_assert_uint_eq(b->groups, 2);
	ck_assert(b->group[0].id == 1 && b->group[0].role == ROLE_ACTIVE &&
		  b->group[0].state == STATE_ACTIVE && b->group[0].complete && !b->group[0].ready);
	ck_assert(b->group[1].term.number == 7 && b->group[1].term.node == 2 && b->group[1].ready &&
		  b->group[1].position == 1234567 && b->group[1].fingerprint == UINT64_MAX &&
		  b->group[1].flows == 1 && b->group[1].final_counter == 99);
	ck_assert(b->keys == 2 && b->key_id[0] == 7 && b->key_id[1] == 300);
	ck_assert(b->echoes == 1 && b->echo[0].node == 2 && b->echo[0].held_us == 1500 &&
		  b->echo[0].session == 0x1122334455667788 && b->echo[0].control_counter == 4711 &&
		  b->echo[0].max_datagram == 8952);
	ck_assert(b->items == 1 && b->item[0].hash == 0x2222);
	ck_assert_str_eq(b->item[0].name, a->item[0].name);
	ck_assert(b->addresses == 2 && b->address[0].len == 4 && b->address[1].len == 16);
	ck_assert_mem_eq(&b->address[1].addr, &a->address[1].addr, 16);
	ck_assert_uint_eq(b->pad, 3);
}
END_TEST

START_TEST(test_small_ones_come_back)
{
	uint8_t buf[DATAGRAM_START];
	size_t len = write_example(CONTROL_STATUS, buf, sizeof(buf));

	ck_assert_int_eq(control_read(buf, len, &back), 0);
	ck_assert(back.kind == CONTROL_STATUS && back.status.node == 1 &&
		  back.status.session == 0x1122334455667788 && back.status.applied == 1000 &&
		  back.status.installed == 990 && back.status.window == 4096);
	len = write_example(CONTROL_NAK, buf, sizeof(buf));
	ck_assert_int_eq(control_read(buf, len, &back), 0);
	ck_assert(back.kind == CONTROL_NAK && back.nak.n == 2 && back.nak.node == 1 &&
		  back.nak.missing[0].first == 1000 && back.nak.missing[0].count == 1 &&
		  back.nak.missing[1].first == 1UL << 40 && back.nak.missing[1].count == 300);
	len = write_example(CONTROL_REPAIR, buf, sizeof(buf));
	ck_assert_int_eq(control_read(buf, len, &back), 0);
	ck_assert(back.kind == CONTROL_REPAIR && back.repair.n == 2 && back.repair.group == 1 &&
		  back.repair.why == REPAIR_GAP && back.repair.range[0].range.depth == 0 &&
		  !back.repair.range[0].flows && back.repair.range[1].range.depth == 16 &&
		  back.repair.range[1].range.lo == 0xabcd000000000000 &&
		  back.repair.range[1].flows);
	len = write_example(CONTROL_OFFER, buf, sizeof(buf));
	ck_assert_int_eq(control_read(buf, len, &back), 0);
	ck_assert(back.kind == CONTROL_OFFER && back.offer.n == 2 && back.offer.group == 3 &&
		  back.offer.put[1].len == message.offer.put[1].len);
	ck_assert_mem_eq(back.offer.put[1].flow, message.offer.put[1].flow, back.offer.put[1].len);
}
END_TEST

static void random_hello(struct rng *r, struct hello *h)
{
	h->sent_us = rng_next(r);
	memcpy(h->name, "node with a name", 17);
	h->pages = (uint32_t)rng_below(r, 3);
	h->last_data = rng_next(r);
	h->groups = (uint8_t)rng_below(r, HELLO_GROUPS_MAX + 1);
	for (unsigned i = 0; i < h->groups; i++) {
		h->group[i].id = (uint32_t)rng_below(r, 300);
		h->group[i].role = (uint8_t)rng_below(r, 3);
		h->group[i].state = (uint8_t)rng_below(r, STATES);
		h->group[i].term.number = rng_next(r);
		h->group[i].term.node = (uint16_t)rng_next(r);
		h->group[i].ready = rng_one_in(r, 2);
		h->group[i].position = rng_next(r) >> rng_below(r, 64);
		h->group[i].fingerprint = rng_next(r);
		h->group[i].digest = rng_next(r);
	}
	h->keys = (uint8_t)rng_below(r, KEYS_MAX + 1);
	for (unsigned i = 0; i < h->keys; i++)
		h->key_id[i] = (uint16_t)rng_next(r);
	h->echoes = (uint8_t)rng_below(r, NODES_MAX + 1);
	for (unsigned i = 0; i < h->echoes; i++)
		h->echo[i] = (struct hello_echo){(uint16_t)rng_next(r), rng_next(r), rng_next(r),
						 (uint32_t)rng_next(r), (uint32_t)rng_next(r)};
	h->addresses = (uint8_t)rng_below(r, HELLO_ADDRESSES_MAX + 1);
	for (unsigned i = 0; i < h->addresses; i++) {
		h->address[i].len = rng_one_in(r, 2) ? 4 : 16;
		rng_fill(r, h->address[i].addr.b, h->address[i].len);
	}
	h->pad = (uint32_t)rng_below(r, 2000);
}

static void random_control(struct rng *r, struct control *c)
{
	memset(c, 0, sizeof(*c));
	c->kind = (uint8_t)(CONTROL_HELLO + rng_below(r, 4));
	switch ((enum control_kind)c->kind) {
	case CONTROL_HELLO:
		random_hello(r, &c->hello);
		break;
	case CONTROL_STATUS:
		c->status = (struct status){(uint16_t)rng_next(r), rng_next(r), rng_next(r),
					    rng_next(r), (uint32_t)rng_next(r)};
		break;
	case CONTROL_NAK:
		c->nak.n = (uint32_t)rng_below(r, NAK_RANGES_MAX + 1);
		for (uint32_t i = 0; i < c->nak.n; i++) {
			c->nak.missing[i].first = 1 + rng_below(r, 1UL << 50);
			c->nak.missing[i].count = (uint32_t)(1 + rng_below(r, 5000));
		}
		break;
	case CONTROL_REPAIR:
		c->repair.n = (uint32_t)rng_below(r, REPAIR_RANGES_MAX + 1);
		c->repair.why = (uint8_t)rng_below(r, REPAIR_WHYS);
		for (uint32_t i = 0; i < c->repair.n; i++) {
			c->repair.range[i].range.depth = (uint8_t)(1 + rng_below(r, 64));
			c->repair.range[i].range.lo = rng_next(r)
						      << (64 - c->repair.range[i].range.depth);
			c->repair.range[i].flows = rng_one_in(r, 2);
		}
		break;
	case CONTROL_OFFER:
		break;
	}
}

/* Ours to protobuf-c and back to the same bytes; and ours to ours, every field the same. */
START_TEST(test_bytes_equal_protobuf_c)
{
	static uint8_t buf[DATAGRAM_MAX], again[DATAGRAM_MAX];
	struct rng r;

	rng_init_env(&r, "control");
	for (int i = 0; i < 5000; i++) {
		Sync__Control *m;
		int len;

		random_control(&r, &message);
		len = control_write(&message, buf, sizeof(buf));
		ck_assert_int_gt(len, 0);
		m = sync__control__unpack(NULL, (size_t)len, buf);
		ck_assert_ptr_nonnull(m);
		ck_assert_uint_eq(sync__control__get_packed_size(m), len);
		sync__control__pack(m, again);
		ck_assert_mem_eq(buf, again, len);
		sync__control__free_unpacked(m, NULL);
		ck_assert_int_eq(control_read(buf, (size_t)len, &back), 0);
		ck_assert_mem_eq(&message, &back, sizeof(back));
	}
}
END_TEST

START_TEST(test_too_small_a_buffer)
{
	static uint8_t buf[DATAGRAM_START];

	for (int kind = CONTROL_HELLO; kind <= CONTROL_OFFER; kind++) {
		size_t len = write_example((enum control_kind)kind, buf, sizeof(buf));

		for (size_t cap = 0; cap < len; cap++) {
			uint8_t *small = malloc(cap + 1);

			ck_assert_ptr_nonnull(small);
			ck_assert_int_eq(control_write(&message, small + 1, cap), -EMSGSIZE);
			free(small);
		}
		ck_assert_int_eq(control_write(&message, buf, len), len);
	}
	message.kind = CONTROL_HELLO;
	message.hello.pad = DATAGRAM_MAX + 1;
	ck_assert_int_eq(control_write(&message, buf, sizeof(buf)), -EMSGSIZE);
}
END_TEST

START_TEST(test_truncated)
{
	static uint8_t buf[DATAGRAM_START];

	for (int kind = CONTROL_HELLO; kind <= CONTROL_OFFER; kind++) {
		size_t len = write_example((enum control_kind)kind, buf, sizeof(buf));

		for (size_t cut = 0; cut < len; cut++) {
			uint8_t *copy = malloc(cut + 1);

			ck_assert_ptr_nonnull(copy);
			memcpy(copy + 1, buf, cut);
			ck_assert_int_eq(control_read(copy + 1, cut, &back), -EBADMSG);
			free(copy);
		}
	}
}
END_TEST

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
static const struct {
	const char *what;
	const uint8_t *bytes;
	size_t len;
} bad[] = {
	{"nothing", BYTES(0xfa, 0x01, 0)},
	{"two messages", BYTES(0x12, 0, 0x1a, 0)},
	{"one message twice", BYTES(0x12, 0, 0x12, 0)},
	{"node of 17 bits", BYTES(0x12, 4, 0x08, 0x80, 0x80, 0x04)},
	{"role 3", BYTES(0x0a, 4, 0x32, 2, 0x10, 3)},
	{"state 6", BYTES(0x0a, 4, 0x32, 2, 0x18, 6)},
	{"name with a newline", BYTES(0x0a, 4, 0x12, 2, 'a', '\n')},
	{"name with a NUL", BYTES(0x0a, 4, 0x12, 2, 'a', 0)},
	{"address of 5 bytes", BYTES(0x0a, 7, 0x6a, 5, 1, 2, 3, 4, 5)},
	{"key id of 17 bits", BYTES(0x0a, 5, 0x4a, 3, 0x80, 0x80, 0x04)},
	{"nak of counter 0", BYTES(0x1a, 4, 0x1a, 2, 0x10, 1)},
	{"nak of no counter", BYTES(0x1a, 4, 0x1a, 2, 0x08, 1)},
	{"nak beyond the last counter", BYTES(0x1a, 15, 0x1a, 13, 0x08, 0xff, 0xff, 0xff, 0xff,
					      0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x10, 1)},
	{"repair without a range", BYTES(0x22, 4, 0x2a, 2, 0x10, 1)},
	{"repair of an unaligned range",
	 BYTES(0x22, 13, 0x2a, 11, 0x0a, 9, 0x09, 1, 0, 0, 0, 0, 0, 0, 0)},
	{"repair for no known reason", BYTES(0x22, 2, 0x20, REPAIR_WHYS)},
	{"offer of no flow", BYTES(0x2a, 2, 0x22, 0)},
};

START_TEST(test_bad_is_refused)
{
	ck_assert_msg(control_read(bad[_i].bytes, bad[_i].len, &back) == -EBADMSG, "accepted: %s",
		      bad[_i].what);
}
END_TEST

/* One more than the bound of each list. */
START_TEST(test_bounds_of_lists)
{
	static const struct {
		uint8_t message, tag;
		uint8_t item[4], item_len;
		unsigned max;
	} lists[] = {
		{0x0a, 0x32, {0}, 0, HELLO_GROUPS_MAX},
		{0x0a, 0x5a, {0}, 0, NODES_MAX},
		{0x0a, 0x62, {0}, 0, HELLO_ITEMS_MAX},
		{0x0a, 0x6a, {1, 2, 3, 4}, 4, HELLO_ADDRESSES_MAX},
		{0x0a, 0x4a, {1}, 1, KEYS_MAX},
		{0x1a, 0x1a, {0x08, 1, 0x10, 1}, 4, NAK_RANGES_MAX},
		{0x22, 0x2a, {0x0a, 0}, 2, REPAIR_RANGES_MAX},
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (unsigned n = lists[i].max; n <= lists[i].max + 1; n++) {
			uint8_t buf[2048], *p = buf + 3;
			size_t body;

			for (unsigned k = 0; k < n; k++) {
				*p++ = lists[i].tag;
				*p++ = lists[i].item_len;
				memcpy(p, lists[i].item, lists[i].item_len);
				p += lists[i].item_len;
			}
			body = (size_t)(p - buf) - 3;
			buf[0] = lists[i].message;
			buf[1] = (uint8_t)(0x80 | (body & 0x7f));
			buf[2] = (uint8_t)(body >> 7);
			ck_assert_int_eq(control_read(buf, body + 3, &back),
					 n > lists[i].max ? -EBADMSG : 0);
		}
	}
}
END_TEST

START_TEST(test_unknown_fields_are_skipped)
{
	/* status{node 3, unknown}, then an unknown message of a newer version */
	const uint8_t bytes[] = {0x12, 5, 0x08, 3, 0xf8, 0x01, 9, 0x3a, 1, 0xff};

	ck_assert_int_eq(control_read(bytes, sizeof(bytes), &back), 0);
	ck_assert(back.kind == CONTROL_STATUS && back.status.node == 3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("control");
	TCase *tc = tcase_create("control");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_hello_comes_back);
	tcase_add_test(tc, test_small_ones_come_back);
	tcase_add_test(tc, test_bytes_equal_protobuf_c);
	tcase_add_test(tc, test_too_small_a_buffer);
	tcase_add_test(tc, test_truncated);
	tcase_add_loop_test(tc, test_bad_is_refused, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, test_bounds_of_lists);
	tcase_add_test(tc, test_unknown_fields_are_skipped);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
