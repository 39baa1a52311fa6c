/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is written is byte for byte what is committed in tests/golden, and reads back the same. */
#include <string.h>

#include <sodium.h>

#include "proto/digest.h"
#include "proto/flow_codec.h"
#include "proto/key_file.h"
#include "tests/lib/example_messages.h"
#include "tests/lib/golden.h"
#include "tests/lib/pb_flow.h"
#include "tests/lib/suite.h"

START_TEST(test_flow)
{
	const struct example_flow *e = &example_flows[_i];
	uint8_t buf[FLOW_MAX], theirs[PB_FLOW_MAX], golden[FLOW_MAX];
	struct flow f, back;
	char name[64];
	size_t n;
	int len;

	e->make(&f);
	len = flow_encode(&f, buf);
	ck_assert_int_gt(len, 0);
	ck_assert_uint_eq(pb_flow_pack(&f, theirs), len);
	ck_assert_mem_eq(buf, theirs, len);
	(void)snprintf(name, sizeof(name), "flow_%s", e->name);
	golden_expect(name, e->what, buf, (size_t)len);
	n = golden_read(name, golden, sizeof(golden));
	ck_assert_int_eq(flow_decode(golden, n, &back), 0);
	ck_assert(flow_equal(&f, &back));
}
END_TEST

START_TEST(test_data)
{
	uint8_t buf[DATAGRAM_START], golden[DATAGRAM_START];
	struct data_writer w;
	struct data_info info;
	struct data_iter it;
	struct flow f, want;
	size_t n;

	example_data(&w, buf, sizeof(buf));
	golden_expect("data", "Data: two puts, a delete, range, check, digests, final", buf, w.len);
	n = golden_read("data", golden, sizeof(golden));
	ck_assert_int_eq(data_read(golden, n, &info), 0);
	ck_assert(info.sent_us == 1795313576261320 && info.group == 1 && info.term == 5);
	ck_assert(info.puts == 2 && info.dels == 1 && info.digests == 1 && info.final);
	ck_assert(info.range.lo == 0x8000000000000000 && info.range.depth == 2);
	ck_assert(info.check.digest == 0x0123456789abcdef && info.check.complete);
	data_iter_init(&it, golden, n);
	ck_assert_int_eq(data_iter_next(&it), DATA_PUT);
	ck_assert_int_eq(flow_decode(it.bytes, it.len, &f), 0);
	example_flows[0].make(&want);
	ck_assert(flow_equal(&f, &want));
}
END_TEST

/* Encoding what was decoded gives the golden bytes again, so every field came back. */
START_TEST(test_control)
{
	static struct control c, back;
	static uint8_t buf[DATAGRAM_MAX], golden[DATAGRAM_MAX];
	uint8_t flow[FLOW_MAX];
	enum control_kind kind = (enum control_kind)_i;
	char name[64], what[64];
	struct flow f;
	int len;
	size_t n;

	example_flows[0].make(&f);
	len = flow_encode(&f, flow);
	example_control(&c, kind, flow, (size_t)len);
	len = control_write(&c, buf, sizeof(buf));
	ck_assert_int_gt(len, 0);
	(void)snprintf(name, sizeof(name), "control_%s", example_control_name(kind));
	(void)snprintf(what, sizeof(what), "Control: %s", example_control_name(kind));
	golden_expect(name, what, buf, (size_t)len);
	n = golden_read(name, golden, sizeof(golden));
	ck_assert_int_eq(control_read(golden, n, &back), 0);
	ck_assert_int_eq(control_write(&back, buf, sizeof(buf)), n);
	ck_assert_mem_eq(buf, golden, n);
}
END_TEST

static size_t make_datagram(const struct seal_key *k, uint8_t *dgram)
{
	const struct frame_header h = {FRAME_DATA, 7, 2, 0x1122334455667788, 99};
	struct data_writer w;

	example_data(&w, dgram + FRAME_HEADER_LEN, DATAGRAM_START - FRAME_OVERHEAD);
	return seal(k, &h, dgram, w.len);
}

static void expect_datagram(const char *name, const char *what, const struct seal_key *k)
{
	uint8_t dgram[DATAGRAM_START], golden[DATAGRAM_START], payload[DATAGRAM_START],
		data[DATAGRAM_START];
	struct frame_header h;
	size_t n, len = make_datagram(k, dgram);
	int payload_len;

	golden_expect(name, what, dgram, len);
	n = golden_read(name, golden, sizeof(golden));
	ck_assert_int_eq(frame_header_read(golden, n, &h), 0);
	ck_assert(h.kind == FRAME_DATA && h.key_id == 7 && h.node == 2 &&
		  h.session == 0x1122334455667788 && h.counter == 99);
	payload_len = seal_open(k, &h, golden, n, payload);
	ck_assert_uint_eq(golden_read("data", data, sizeof(data)), payload_len);
	ck_assert_mem_eq(data, payload, payload_len);
}

START_TEST(test_datagram_sealed)
{
	struct group_key group;
	struct seal_key k;

	example_group_key(&group);
	seal_key_derive(&k, &group, 2, 0x1122334455667788);
	golden_expect("session_key", "session key: secret 00..1f, node 2, session 1122334455667788",
		      k.b, sizeof(k.b));
	expect_datagram("datagram_sealed", "data.hex sealed: key 7, node 2, counter 99", &k);
}
END_TEST

START_TEST(test_datagram_insecure)
{
	struct seal_key k;

	seal_key_insecure(&k);
	expect_datagram("datagram_insecure", "data.hex in the clear, tag of zeroes", &k);
}
END_TEST

START_TEST(test_digest)
{
	uint8_t flow[FLOW_MAX], out[36 + 16];
	struct group_key group;
	struct digest_key k;
	const uint8_t *key;
	size_t len, key_len;
	uint64_t hash;

	example_group_key(&group);
	digest_key_derive(&k, group.cluster_secret);
	len = golden_read("flow_tcp_dnat", flow, sizeof(flow));
	ck_assert_int_eq(flow_key_slice(flow, len, &key, &key_len), 0);
	memcpy(out, k.position, 16);
	memcpy(out + 16, k.content, 16);
	for (unsigned i = 0; i < 4; i++)
		out[32 + i] = (uint8_t)(k.id >> (24 - 8 * i));
	hash = digest_position(&k, key, key_len);
	for (unsigned i = 0; i < 8; i++)
		out[36 + i] = (uint8_t)(hash >> (56 - 8 * i));
	hash = digest_content(&k, flow, len);
	for (unsigned i = 0; i < 8; i++)
		out[44 + i] = (uint8_t)(hash >> (56 - 8 * i));
	golden_expect("digest",
		      "cluster 20..3f: position key, content key, id; position and content of "
		      "flow_tcp_dnat, big-endian",
		      out, sizeof(out));
}
END_TEST

START_TEST(test_key_file)
{
	uint8_t golden[KEY_FILE_MAX];
	struct group_key k, back;
	char text[KEY_FILE_MAX];
	size_t len;

	example_group_key(&k);
	len = key_file_format(&k, text);
	golden_expect("key_file", "key file: id 7, secret 00..1f, cluster 20..3f",
		      (const uint8_t *)text, len);
	len = golden_read("key_file", golden, sizeof(golden));
	ck_assert_int_eq(key_file_parse((const char *)golden, len, &back), 0);
	ck_assert_uint_eq(back.id, k.id);
	ck_assert_mem_eq(back.secret, k.secret, 32);
	ck_assert_mem_eq(back.cluster_secret, k.cluster_secret, 32);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("golden");
	TCase *tc = tcase_create("golden");

	if (sodium_init() < 0)
		return 1;
	tcase_add_loop_test(tc, test_flow, 0, (int)example_flows_count);
	tcase_add_test(tc, test_data);
	tcase_add_loop_test(tc, test_control, CONTROL_HELLO, CONTROL_OFFER + 1);
	tcase_add_test(tc, test_datagram_sealed);
	tcase_add_test(tc, test_datagram_insecure);
	tcase_add_test(tc, test_digest);
	tcase_add_test(tc, test_key_file);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
