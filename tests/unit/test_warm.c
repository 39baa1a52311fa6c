// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables between two lives: their form, each way in which it may be damaged, and where they are. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/flow_codec.h"
#include "syncd/warm/warm_store.h"
#include "tests/lib/random_flow.h"
#include "tests/lib/suite.h"
#include "tests/lib/tmpdir.h"

enum { ROOM = 1 << 20 };

static uint8_t image[ROOM];
static size_t image_len;

static const struct warm_head head = {
	.place = {.boot_id = {1, 2, 3, 16}, .netns = 0x123456789abcdef0},
	.encoder = 7,
	.node = 65535,
	.digest_key_id = 0xfedcba98,
	.mono_us = 99,
	.wall_us = UINT64_MAX,
	.session = 0x8000000000000001,
};

static const struct warm_group group = {
	.id = 65535,
	.flags = WARM_ACTIVE | WARM_TIMED,
	.term = {.number = 12345678901234, .node = 77},
	.fingerprint = 0xaabbccddeeff0011,
	.digest = 3,
	.as_of_node = 2,
	.as_of_counter = 17,
};

static int to_image(void *ctx, const uint8_t *bytes, size_t len)
{
	(void)ctx;
	ck_assert_uint_le(image_len + len, sizeof(image));
	memcpy(image + image_len, bytes, len);
	image_len += len;
	return 0;
}

static size_t encoded(uint32_t i, uint8_t *bytes)
{
	struct flow f;
	int n;

	numbered_flow(i, &f);
	n = flow_encode(&f, bytes);
	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

static size_t encoded_key(uint32_t i, uint8_t *bytes)
{
	struct flow f;
	int n;

	numbered_flow(i, &f);
	n = flow_key_encode(&f.key, bytes);
	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

/* Two groups, the first with flows and keys, the second empty. */
static void make_image(uint32_t flows, uint32_t keys)
{
	struct warm_group g = group;
	uint8_t bytes[FLOW_MAX];
	struct warm_writer *w;

	image_len = 0;
	w = warm_write_begin(&head, to_image, NULL);
	ck_assert_ptr_nonnull(w);
	g.flows = flows;
	warm_write_group(w, &g);
	for (uint32_t i = 0; i < flows; i++)
		warm_write_flow(w, bytes, encoded(i, bytes));
	for (uint32_t i = 0; i < keys; i++)
		warm_write_again(w, bytes, encoded_key(i, bytes));
	g = (struct warm_group){.id = 1};
	warm_write_group(w, &g);
	ck_assert_int_eq(warm_write_end(w), 0);
}

START_TEST(test_comes_back)
{
	uint8_t bytes[FLOW_MAX];
	struct warm_head h;
	struct warm_iter it;

	make_image(3000, 3);
	ck_assert_int_eq(warm_check(image, image_len, &h), 0);
	ck_assert_mem_eq(&h.place, &head.place, sizeof(h.place));
	ck_assert(h.encoder == head.encoder && h.node == head.node &&
		  h.digest_key_id == head.digest_key_id && h.mono_us == head.mono_us &&
		  h.wall_us == head.wall_us && h.session == head.session);
	warm_iter_init(&it, image);
	ck_assert_int_eq(warm_iter_next(&it), WARM_GROUP);
	ck_assert(it.group.id == group.id && it.group.flags == group.flags &&
		  it.group.term.number == group.term.number && it.group.term.node == 77 &&
		  it.group.fingerprint == group.fingerprint && it.group.flows == 3000 &&
		  it.group.digest == 3 && it.group.as_of_node == 2 && it.group.as_of_counter == 17);
	for (uint32_t i = 0; i < 3000; i++) {
		ck_assert_int_eq(warm_iter_next(&it), WARM_FLOW);
		ck_assert_uint_eq(it.len, encoded(i, bytes));
		ck_assert_mem_eq(it.bytes, bytes, it.len);
	}
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_int_eq(warm_iter_next(&it), WARM_AGAIN);
		ck_assert_uint_eq(it.len, encoded_key(i, bytes));
		ck_assert_mem_eq(it.bytes, bytes, it.len);
	}
	ck_assert_int_eq(warm_iter_next(&it), WARM_GROUP);
	ck_assert(it.group.id == 1 && it.group.flows == 0);
	ck_assert_int_eq(warm_iter_next(&it), WARM_END);
}
END_TEST

START_TEST(test_each_byte_counts)
{
	struct warm_head h;

	make_image(20, 2);
	for (size_t i = 0; i < image_len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			image[i] ^= (uint8_t)(1u << bit);
			ck_assert_int_lt(warm_check(image, image_len, &h), 0);
			image[i] ^= (uint8_t)(1u << bit);
		}
	ck_assert_int_eq(warm_check(image, image_len, &h), 0);
}
END_TEST

/* Each length at the end of an allocation, for a sanitizer to see a byte read too many. */
START_TEST(test_cut_short)
{
	struct warm_head h;

	make_image(20, 2);
	for (size_t len = 0; len < image_len; len++) {
		uint8_t *cut = malloc(len + 1);

		ck_assert_ptr_nonnull(cut);
		memcpy(cut + 1, image, len);
		ck_assert_int_eq(warm_check(cut + 1, len, &h), -EBADMSG);
		free(cut);
	}
	image[image_len] = 0;
	ck_assert_int_eq(warm_check(image, image_len + 1, &h), -EBADMSG);
}
END_TEST

START_TEST(test_another_format)
{
	struct warm_head h;

	make_image(1, 0);
	image[11]++;
	ck_assert_int_eq(warm_check(image, image_len, &h), -EPROTONOSUPPORT);
}
END_TEST

/* Well sealed, but not what it says: only our own bug would write it, and it is refused too. */
START_TEST(test_contradictions)
{
	struct warm_group g = group;
	uint8_t bytes[FLOW_MAX];
	struct warm_writer *w;
	struct warm_head h;

	for (int what = 0; what < 5; what++) {
		image_len = 0;
		w = warm_write_begin(&head, to_image, NULL);
		g.flows = what == 0 ? 2 : 1;
		if (what != 1)
			warm_write_group(w, &g);
		warm_write_flow(w, bytes, what == 2 ? 1 : encoded(1, bytes));
		if (what == 3)
			warm_write_flow(w, bytes, encoded(2, bytes));
		if (what == 4)
			warm_write_again(w, bytes, 2);
		ck_assert_int_eq(warm_write_end(w), 0);
		ck_assert_int_eq(warm_check(image, image_len, &h), -EBADMSG);
	}
}
END_TEST

static int fails(void *ctx, const uint8_t *bytes, size_t len)
{
	(void)bytes;
	(void)len;
	return (*(int *)ctx)++ ? -EIO : -ENOSPC;
}

START_TEST(test_disk_full)
{
	uint8_t bytes[FLOW_MAX];
	int calls = 0;
	struct warm_writer *w = warm_write_begin(&head, fails, &calls);

	for (uint32_t i = 0; i < 10000; i++)
		warm_write_flow(w, bytes, encoded(i, bytes));
	ck_assert_int_eq(warm_write_end(w), -ENOSPC);
	ck_assert_int_eq(calls, 1);
}
END_TEST

static char dir[64], path[128];

static void setup(void)
{
	tmpdir_make(dir);
	(void)snprintf(path, sizeof(path), "%s/tables", dir);
}

static void teardown(void)
{
	tmpdir_remove(dir);
}

static void write_file(bool keep)
{
	struct warm_store *s;

	ck_assert_int_eq(warm_store_begin(path, &s), 0);
	ck_assert_int_eq(warm_store_write(s, (const uint8_t *)"tables", 6), 0);
	ck_assert_int_eq(warm_store_end(s, keep), 0);
}

START_TEST(test_file_once)
{
	struct warm_kept k;
	struct stat st;

	ck_assert_int_eq(warm_store_open(path, &k), -ENOENT);
	write_file(false);
	ck_assert_int_eq(warm_store_open(path, &k), -ENOENT);
	write_file(true);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(warm_store_open(path, &k), 0);
	ck_assert_uint_eq(k.image.len, 6);
	ck_assert_mem_eq(k.image.bytes, "tables", 6);
	ck_assert(!k.from_manager);
	warm_store_close(&k);
	ck_assert_int_eq(warm_store_open(path, &k), -ENOENT);
	ck_assert_int_eq(rmdir(dir), 0); /* nothing is left */
	ck_assert_int_eq(mkdir(dir, 0700), 0);
}
END_TEST

START_TEST(test_file_of_others)
{
	struct warm_kept k;

	write_file(true);
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(warm_store_open(path, &k), -EPERM);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_eq(warm_store_open(path, &k), -ELOOP);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(warm_store_open(path, &k), -EPERM);
	tmpdir_write(path, "");
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(warm_store_open(path, &k), 0);
	ck_assert(k.image.len == 0 && !k.image.bytes);
	warm_store_close(&k);
}
END_TEST

START_TEST(test_place)
{
	struct warm_place a, b;

	ck_assert_int_eq(warm_place_here(&a), 0);
	ck_assert_int_eq(warm_place_here(&b), 0);
	ck_assert_mem_eq(&a, &b, sizeof(a));
	ck_assert_uint_ne(a.netns, 0);
}
END_TEST

static Suite *warm_suite(void)
{
	Suite *s = suite_create("warm");
	TCase *tc = tcase_create("form"), *store = tcase_create("store");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_comes_back);
	tcase_add_test(tc, test_each_byte_counts);
	tcase_add_test(tc, test_cut_short);
	tcase_add_test(tc, test_another_format);
	tcase_add_test(tc, test_contradictions);
	tcase_add_test(tc, test_disk_full);
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(store, setup, teardown);
	tcase_add_test(store, test_file_once);
	tcase_add_test(store, test_file_of_others);
	tcase_add_test(store, test_place);
	suite_add_tcase(s, store);
	return s;
}

int main(void)
{
	return suite_run(warm_suite());
}
