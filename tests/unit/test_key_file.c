/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "proto/key_file.h"
#include "tests/lib/suite.h"

#define SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER  "/////////////////////////////////////////+4="

static char dir[] = "/tmp/test_key_file.XXXXXX";

static void make_path(char *buf, size_t size, const char *name)
{
	(void)snprintf(buf, size, "%s/%s", dir, name);
}

static void put_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	ck_assert_int_eq(close(fd), 0);
}

static void expect_equal(const struct group_key *a, const struct group_key *b)
{
	ck_assert_uint_eq(a->id, b->id);
	ck_assert_mem_eq(a->secret, b->secret, sizeof(a->secret));
	ck_assert_mem_eq(a->cluster_secret, b->cluster_secret, sizeof(a->cluster_secret));
}

START_TEST(test_write_and_read)
{
	struct group_key k, back;
	struct stat st;
	char path[128];

	make_path(path, sizeof(path), "1.key");
	group_key_generate(&k, 65535, NULL);
	ck_assert_int_eq(key_file_write(path, &k), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(key_file_read(path, &back), 0);
	expect_equal(&k, &back);
	ck_assert_int_eq(key_file_write(path, &k), -EEXIST);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(test_generate)
{
	static const uint8_t zero[32];
	struct group_key a, b, c;

	group_key_generate(&a, 1, NULL);
	group_key_generate(&b, 2, &a);
	group_key_generate(&c, 3, NULL);
	ck_assert_uint_eq(b.id, 2);
	ck_assert_mem_ne(a.secret, zero, 32);
	ck_assert_mem_ne(a.secret, a.cluster_secret, 32);
	ck_assert_mem_ne(a.secret, b.secret, 32);
	ck_assert_mem_eq(a.cluster_secret, b.cluster_secret, 32);
	ck_assert_mem_ne(a.cluster_secret, c.cluster_secret, 32);
}
END_TEST

START_TEST(test_format_of_the_text)
{
	static const char text[] = "syncd-key 1\r\n# note\n\nid  12 \ncluster " OTHER
				   "\nsecret " SECRET; /* any order, no newline at the end */
	struct group_key k;

	ck_assert_int_eq(key_file_parse(text, strlen(text), &k), 0);
	ck_assert_uint_eq(k.id, 12);
	for (uint8_t i = 0; i < 32; i++)
		ck_assert_uint_eq(k.secret[i], i);
	ck_assert_uint_eq(k.cluster_secret[0], 0xff);
	ck_assert_uint_eq(k.cluster_secret[31], 0xee);
}
END_TEST

#define HEAD "syncd-key 1\n"
static const char *const bad_texts[] = {
	"",
	HEAD,
	"id 1\nsecret " SECRET "\ncluster " SECRET "\n",
	"id 1\n" HEAD "secret " SECRET "\ncluster " SECRET "\n",
	"syncd-key 2\nid 1\nsecret " SECRET "\ncluster " SECRET "\n",
	HEAD "id 0\nsecret " SECRET "\ncluster " SECRET "\n",
	HEAD "id 65536\nsecret " SECRET "\ncluster " SECRET "\n",
	HEAD "id 1x\nsecret " SECRET "\ncluster " SECRET "\n",
	HEAD "id\nsecret " SECRET "\ncluster " SECRET "\n",
	HEAD "secret " SECRET "\ncluster " SECRET "\n",
	HEAD "id 1\nid 1\nsecret " SECRET "\ncluster " SECRET "\n",
	HEAD "id 1\nsecret " SECRET "\n",
	HEAD "id 1\nsecret " SECRET " x\ncluster " SECRET "\n",
	HEAD "id 1\nsecret AAEC\ncluster " SECRET "\n",
	HEAD "id 1\nsecret A" SECRET "\ncluster " SECRET "\n",
	HEAD "id 1\nsecret " SECRET "\ncluster " SECRET "\nmore 1\n",
	"-----BEGIN PRIVATE KEY-----\n",
};

START_TEST(test_bad_text_is_refused)
{
	struct group_key k;

	ck_assert_msg(key_file_parse(bad_texts[_i], strlen(bad_texts[_i]), &k) == -EBADMSG,
		      "accepted: %s", bad_texts[_i]);
}
END_TEST

START_TEST(test_bad_files)
{
	static char big[KEY_FILE_MAX + 2];
	struct group_key k;
	char path[128];

	make_path(path, sizeof(path), "bad.key");
	ck_assert_int_eq(key_file_read(path, &k), -ENOENT);
	ck_assert_int_eq(key_file_read(dir, &k), -EBADMSG);
	put_file(path, HEAD "id 1\nsecret " SECRET "\ncluster " SECRET "\n", 0640);
	ck_assert_int_eq(key_file_read(path, &k), -EACCES);
	put_file(path, HEAD "id 1\nsecret " SECRET "\ncluster " SECRET "\n", 0604);
	ck_assert_int_eq(key_file_read(path, &k), -EACCES);
	put_file(path, HEAD "id 1\nsecret " SECRET "\ncluster " SECRET "\n", 0400);
	ck_assert_int_eq(key_file_read(path, &k), 0);
	ck_assert_int_eq(unlink(path), 0);
	memset(big, '#', sizeof(big) - 1);
	put_file(path, big, 0600);
	ck_assert_int_eq(key_file_read(path, &k), -EBADMSG);
	ck_assert_int_eq(unlink(path), 0);
	/* nobody writes to it, and it must not hang */
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(key_file_read(path, &k), -EBADMSG);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("key_file");
	TCase *tc = tcase_create("key_file");
	int ret;

	if (sodium_init() < 0 || !mkdtemp(dir))
		return 1;
	tcase_add_test(tc, test_write_and_read);
	tcase_add_test(tc, test_generate);
	tcase_add_test(tc, test_format_of_the_text);
	tcase_add_loop_test(tc, test_bad_text_is_refused, 0,
			    sizeof(bad_texts) / sizeof(bad_texts[0]));
	tcase_add_test(tc, test_bad_files);
	suite_add_tcase(s, tc);
	ret = suite_run(s);
	(void)rmdir(dir);
	return ret;
}
