// SPDX-License-Identifier: GPL-2.0-or-later
/* The journal's bytes: what is written is what is committed, and whatever is wrong is refused. */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "proto/journal.h"
#include "proto/data.h"
#include "proto/flow_codec.h"
#include "tests/lib/example_messages.h"
#include "tests/lib/golden.h"
#include "tests/lib/suite.h"

static const struct journal_header example_header = {
	.node = 2,
	.segment = 7,
	.session = 0x1122334455667788,
	.wall_us = 1795313576261320,
	.mono_us = 86400000001,
	.digest_key_id = 0xdeadbeef,
	.previous = {1, 2, 3, 4, [31] = 0xff},
	.name = "lb-b",
};

static const struct journal_record example_record = {
	.type = JOURNAL_STATE,
	.flags = 0,
	.node = 2,
	.number = 9,
	.session = 0x1122334455667788,
	.counter = 0,
	.wall_us = 1795313576261321,
	.mono_us = 86400000002,
};

static const struct journal_change example_change = {
	.group = 1,
	.from = STATE_STANDBY,
	.to = STATE_ACTIVE,
	.term = {.number = 5, .node = 2},
	.text = "told by keepalived",
};

static size_t example(uint8_t *buf)
{
	uint8_t part[JOURNAL_PART_MAX];
	struct journal_record r = example_record;

	r.payload = part;
	r.len = journal_change_write(&example_change, part);
	return journal_record_write(&r, buf);
}

START_TEST(test_header)
{
	uint8_t buf[JOURNAL_HEADER_LEN];
	struct journal_header h;

	journal_header_write(&example_header, buf);
	golden_expect("journal_header", "a segment's header: node 2, segment 7", buf, sizeof(buf));
	ck_assert_int_eq(journal_header_read(buf, sizeof(buf), &h), 0);
	ck_assert(h.node == 2 && h.segment == 7 && h.digest_key_id == 0xdeadbeef);
	ck_assert_uint_eq(h.session, example_header.session);
	ck_assert_uint_eq(h.wall_us, example_header.wall_us);
	ck_assert_uint_eq(h.mono_us, example_header.mono_us);
	ck_assert_mem_eq(h.previous, example_header.previous, JOURNAL_HASH_LEN);
	ck_assert_str_eq(h.name, "lb-b");
	ck_assert_int_eq(journal_header_read(buf, sizeof(buf) - 1, &h), -EBADMSG);
	for (size_t bit = 0; bit < 8 * sizeof(buf); bit++) {
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_lt(journal_header_read(buf, sizeof(buf), &h), 0);
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf[16] = 2;
	ck_assert_int_eq(journal_header_read(buf, sizeof(buf), &h), -EPROTONOSUPPORT);
}
END_TEST

START_TEST(test_record)
{
	uint8_t buf[512];
	size_t n = example(buf);
	struct journal_record r;
	struct journal_change c;

	golden_expect("journal_record", "a record: standby to active, term 5", buf, n);
	ck_assert_int_eq(journal_record_read(buf, sizeof(buf), &r), (int)n);
	ck_assert(r.type == JOURNAL_STATE && r.node == 2 && r.number == 9);
	ck_assert_uint_eq(r.session, example_record.session);
	ck_assert_uint_eq(r.wall_us, example_record.wall_us);
	ck_assert_uint_eq(r.mono_us, example_record.mono_us);
	ck_assert_int_eq(journal_change_read(r.payload, r.len, &c), 0);
	ck_assert(c.group == 1 && c.from == STATE_STANDBY && c.to == STATE_ACTIVE);
	ck_assert(c.term.number == 5 && c.term.node == 2);
	ck_assert_str_eq(c.text, example_change.text);
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(journal_record_read(buf, cut, &r), -EBADMSG);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(journal_record_read(buf, n, &r), -EBADMSG);
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}
END_TEST

START_TEST(test_block)
{
	uint8_t raw[512], packed[1024], head[JOURNAL_BLOCK_LEN];
	static uint8_t back[JOURNAL_BLOCK_MAX];
	struct journal_packer *p = journal_packer_new();
	struct journal_block b = {.method = (uint8_t)_i, .records = 1}, got;

	ck_assert_ptr_nonnull(p);
	b.raw = (uint32_t)example(raw);
	b.first_number = 9;
	b.first_us = b.last_us = example_record.wall_us;
	ck_assert_int_eq(journal_pack(p, raw, &b, packed), 0);
	journal_block_write(&b, head);
	if (_i == JOURNAL_STORED) /* zstd's output may change with its version */
		golden_expect("journal_block", "header of a stored block with that record", head,
			      sizeof(head));
	ck_assert_int_eq(journal_block_read(head, sizeof(head), &got), 0);
	ck_assert(got.stored == b.stored && got.raw == b.raw && got.records == 1);
	ck_assert(got.method == _i && got.first_number == 9 && got.hash == b.hash);
	ck_assert(got.first_us == b.first_us && got.last_us == b.last_us);
	ck_assert_int_eq(journal_unpack(p, &got, packed, back), 0);
	ck_assert_mem_eq(back, raw, b.raw);
	for (size_t bit = 0; bit < 8 * b.stored; bit++) {
		packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(journal_unpack(p, &got, packed, back), -EBADMSG);
		packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * sizeof(head); bit++) {
		head[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(journal_block_read(head, sizeof(head), &got), -EBADMSG);
		head[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	journal_packer_free(p);
}
END_TEST

/* A header that is whole, and says what cannot be. */
START_TEST(test_block_limits)
{
	static const struct journal_block good = {.raw = 1000, .stored = 1000, .records = 2};
	uint8_t head[JOURNAL_BLOCK_LEN];
	struct journal_block b = good, got;

	journal_block_write(&b, head);
	ck_assert_int_eq(journal_block_read(head, sizeof(head), &got), 0);
	b.raw = b.stored = JOURNAL_BLOCK_MAX + 1;
	journal_block_write(&b, head);
	ck_assert_int_eq(journal_block_read(head, sizeof(head), &got), -EBADMSG);
	b = good;
	b.method = 2;
	journal_block_write(&b, head);
	ck_assert_int_eq(journal_block_read(head, sizeof(head), &got), -EBADMSG);
	b = good;
	b.stored++;
	journal_block_write(&b, head);
	ck_assert_int_eq(journal_block_read(head, sizeof(head), &got), -EBADMSG);
	b = good;
	b.records = 1000;
	journal_block_write(&b, head);
	ck_assert_int_eq(journal_block_read(head, sizeof(head), &got), -EBADMSG);
}
END_TEST

START_TEST(test_parts)
{
	struct journal_note n = {.group = 3, .text = "rotated"}, n2;
	struct journal_lost l = {.records = 5, .bytes = 6}, l2;
	struct journal_sample s = {.group = 1,
				   .state = STATE_STANDBY,
				   .equal = true,
				   .flows = 1,
				   .kernel_queued = 2,
				   .wire_queued = 3,
				   .refused = 4,
				   .lag_us = 5,
				   .would_lose = 6,
				   .digest = 7,
				   .naks_sent = 8,
				   .retransmitted = 9},
			      s2;
	struct journal_change c;
	uint8_t buf[JOURNAL_PART_MAX];
	size_t len;

	len = journal_note_write(&n, buf);
	golden_expect("journal_note", "payload of a note: group 3, \"rotated\"", buf, len);
	ck_assert_int_eq(journal_note_read(buf, len, &n2), 0);
	ck_assert(n2.group == 3 && strcmp(n2.text, "rotated") == 0);
	buf[5] = 0x1b; /* nothing of a record reaches a terminal as it is */
	ck_assert_int_eq(journal_note_read(buf, len, &n2), 0);
	ck_assert_str_eq(n2.text, "r?tated");
	ck_assert_int_eq(journal_note_read(buf, 3, &n2), -EBADMSG);
	len = journal_lost_write(&l, buf);
	golden_expect("journal_lost", "payload of a loss: 5 records of 6 bytes", buf, len);
	ck_assert_int_eq(journal_lost_read(buf, len, &l2), 0);
	ck_assert(l2.records == 5 && l2.bytes == 6);
	len = journal_sample_write(&s, buf);
	golden_expect("journal_sample", "payload of a sample: group 1, standby, equal, then 1 to 9",
		      buf, len);
	ck_assert_int_eq(journal_sample_read(buf, len, &s2), 0);
	ck_assert(s2.equal && !s2.ready && !s2.complete && s2.state == STATE_STANDBY);
	ck_assert(s2.flows == 1 && s2.kernel_queued == 2 && s2.wire_queued == 3 && s2.refused == 4);
	ck_assert(s2.lag_us == 5 && s2.would_lose == 6 && s2.digest == 7);
	ck_assert(s2.naks_sent == 8 && s2.retransmitted == 9);
	ck_assert_int_eq(journal_sample_read(buf, len - 1, &s2), -EBADMSG);
	len = journal_change_write(&example_change, buf);
	buf[5] = STATES;
	ck_assert_int_eq(journal_change_read(buf, len, &c), -EBADMSG);
}
END_TEST

START_TEST(test_keyframe)
{
	uint8_t buf[JOURNAL_KEYFRAME_LEN + DATAGRAM_START], flow[FLOW_MAX];
	const struct data_check check = {.digest = 0x0123456789abcdef, .count = 1};
	struct data_writer w;
	struct data_info info;
	const uint8_t *data;
	uint64_t queued;
	struct flow f;
	size_t len;

	example_flows[0].make(&f);
	journal_keyframe_write(7, buf);
	data_begin(&w, buf + JOURNAL_KEYFRAME_LEN, DATAGRAM_START, 1795313576261320, 1, 5);
	ck_assert(data_add_range(&w, (struct hash_range){0x8000000000000000, 1}));
	ck_assert(data_add_put(&w, flow, (size_t)flow_encode(&f, flow)));
	ck_assert(data_add_check(&w, &check));
	golden_expect(
		"journal_keyframe",
		"payload of a keyframe's last slice: 7 changes waited, a range, a flow, a check",
		buf, JOURNAL_KEYFRAME_LEN + w.len);
	ck_assert_int_eq(
		journal_keyframe_read(buf, JOURNAL_KEYFRAME_LEN + w.len, &queued, &data, &len), 0);
	ck_assert(queued == 7 && len == w.len && data_read(data, len, &info) == 0);
	ck_assert(info.puts == 1 && info.range.depth == 1 && info.check.count == 1);
	ck_assert_int_eq(journal_keyframe_read(buf, JOURNAL_KEYFRAME_LEN - 1, &queued, &data, &len),
			 -EBADMSG);
}
END_TEST

START_TEST(test_names)
{
	for (unsigned i = 1; i < JOURNAL_TYPES; i++)
		ck_assert_ptr_nonnull(journal_type_name(i));
	ck_assert_ptr_null(journal_type_name(0));
	ck_assert_ptr_null(journal_type_name(JOURNAL_TYPES));
}
END_TEST

static Suite *journal_suite(void)
{
	Suite *s = suite_create("journal");
	TCase *tc = tcase_create("bytes");

	tcase_add_test(tc, test_header);
	tcase_add_test(tc, test_record);
	tcase_add_loop_test(tc, test_block, JOURNAL_STORED, JOURNAL_ZSTD + 1);
	tcase_add_test(tc, test_block_limits);
	tcase_add_test(tc, test_parts);
	tcase_add_test(tc, test_keyframe);
	tcase_add_test(tc, test_names);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	return suite_run(journal_suite());
}
