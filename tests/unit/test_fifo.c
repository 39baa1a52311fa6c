// SPDX-License-Identifier: GPL-2.0-or-later
/* keepalived's notify fifo: lines, pieces of lines, nonsense, and a fifo that is replaced. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syncd/role/keepalived_fifo.h"
#include "tests/lib/suite.h"
#include "tests/lib/tmpdir.h"

static const struct {
	const char *line;
	int rc;
	struct vrrp_event ev;
} lines[] = {
	{"INSTANCE \"VI_1\" MASTER 100", 1, {false, "VI_1", VRRP_MASTER, 100}},
	{"INSTANCE \"VI_1\" BACKUP 50", 1, {false, "VI_1", VRRP_BACKUP, 50}},
	{"INSTANCE \"VI_1\" FAULT 0", 1, {false, "VI_1", VRRP_FAULT, 0}},
	{"INSTANCE \"a b\" STOP 255", 1, {false, "a b", VRRP_STOP, 255}},
	{"INSTANCE \"VI_1\" DELETED 1", 1, {false, "VI_1", VRRP_DELETED, 1}},
	{"GROUP \"VG\" MASTER 0", 1, {true, "VG", VRRP_MASTER, 0}},
	{"GROUP \"VG\" BACKUP", 1, {true, "VG", VRRP_BACKUP, 0}},
	{"INSTANCE \"VI_1\" MASTER_RX_LOWER_PRI 100", 0, {0}},
	{"INSTANCE \"VI_1\" BACKUP_PRIORITY 101", 0, {0}},
	{"VIRTUAL_SERVER [192.0.2.1]:tcp:80 UP", 0, {0}},
	{"", -EBADMSG, {0}},
	{"INSTANCE", -EBADMSG, {0}},
	{"INSTANCE VI_1 MASTER 100", -EBADMSG, {0}},
	{"INSTANCE \"VI_1 MASTER 100", -EBADMSG, {0}},
	{"INSTANCE \"\" MASTER 100", -EBADMSG, {0}},
	{"THING \"VI_1\" MASTER 100", -EBADMSG, {0}},
	{"INSTANCE \"VI_1\" MASTER 100 and more", -EBADMSG, {0}},
	{"INSTANCE \"0123456789012345678901234567890123456789012345678901234567890123\" MASTER 1",
	 -EBADMSG,
	 {0}},
};

START_TEST(test_parse)
{
	struct vrrp_event ev = {0};

	ck_assert_int_eq(vrrp_parse(lines[_i].line, strlen(lines[_i].line), &ev), lines[_i].rc);
	ck_assert_int_eq(ev.sync_group, lines[_i].ev.sync_group);
	ck_assert_str_eq(ev.name, lines[_i].ev.name);
	ck_assert_uint_eq(ev.state, lines[_i].ev.state);
	ck_assert_uint_eq(ev.priority, lines[_i].ev.priority);
}
END_TEST

static char dir[64], path[96], seen[512];
static struct keepalived_fifo *fifo;

static void on_event(void *ctx, const struct vrrp_event *ev)
{
	const size_t n = strlen(seen);

	ck_assert_ptr_eq(ctx, seen);
	snprintf(seen + n, sizeof(seen) - n, "%s %u;", ev->name, (unsigned)ev->state);
}

static void setup(void)
{
	tmpdir_make(dir);
	snprintf(path, sizeof(path), "%s/fifo", dir);
	seen[0] = '\0';
	fifo = NULL;
}

static void teardown(void)
{
	keepalived_fifo_free(fifo);
	tmpdir_remove(dir);
}

static int feed(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return keepalived_fifo_on_readable(fifo, on_event, seen);
}

START_TEST(test_pieces)
{
	struct stat st;
	int fd;

	ck_assert_int_eq(keepalived_fifo_open(path, &fifo), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	fd = open(path, O_WRONLY | O_NONBLOCK);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(feed(fd, "INSTANCE \"a\" MA"), 0);
	ck_assert_str_eq(seen, "");
	ck_assert_int_eq(feed(fd, "STER 1\nINSTANCE \"b\" BACKUP 1\nGROUP"), 0);
	ck_assert_str_eq(seen, "a 0;b 1;");
	ck_assert_int_eq(feed(fd, " \"c\" FAULT 1\n"), 0);
	ck_assert_str_eq(seen, "a 0;b 1;c 2;");
	/* The writer goes and comes back: no end of file, nothing lost. */
	close(fd);
	ck_assert_int_eq(keepalived_fifo_on_readable(fifo, on_event, seen), 0);
	fd = open(path, O_WRONLY | O_NONBLOCK);
	ck_assert_int_eq(feed(fd, "INSTANCE \"d\" STOP 1\n"), 0);
	ck_assert_str_eq(seen, "a 0;b 1;c 2;d 3;");
	close(fd);
}
END_TEST

START_TEST(test_nonsense)
{
	char junk[2000];
	int fd;

	ck_assert_int_eq(keepalived_fifo_open(path, &fifo), 0);
	fd = open(path, O_WRONLY | O_NONBLOCK);
	ck_assert_int_eq(feed(fd, "what\n\nINSTANCE \"a\" MASTER 1\n"), 2);
	ck_assert_str_eq(seen, "a 0;");
	memset(junk, 'x', sizeof(junk) - 1);
	junk[sizeof(junk) - 1] = '\0';
	ck_assert_int_eq(feed(fd, junk), 0);
	ck_assert_int_eq(feed(fd, "\nINSTANCE \"b\" BACKUP 1\n"), 1);
	ck_assert_str_eq(seen, "a 0;b 1;");
	close(fd);
}
END_TEST

START_TEST(test_replaced)
{
	char aside[128];
	int fd;

	ck_assert_int_eq(keepalived_fifo_open(path, &fifo), 0);
	ck_assert_int_eq(keepalived_fifo_check(fifo), 0);
	snprintf(aside, sizeof(aside), "%s.old", path);
	ck_assert_int_eq(rename(path, aside), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(keepalived_fifo_check(fifo), 1);
	fd = open(path, O_WRONLY | O_NONBLOCK);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(feed(fd, "INSTANCE \"a\" MASTER 1\n"), 0);
	ck_assert_str_eq(seen, "a 0;");
	close(fd);
	unlink(path);
	ck_assert_int_eq(keepalived_fifo_check(fifo), 1); /* made again */
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_not_a_fifo)
{
	tmpdir_write(path, "");
	ck_assert_int_eq(keepalived_fifo_open(path, &fifo), -EINVAL);
	ck_assert_ptr_null(fifo);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fifo");
	TCase *t = tcase_create("fifo");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, test_parse, 0, (int)(sizeof(lines) / sizeof(lines[0])));
	tcase_add_test(t, test_pieces);
	tcase_add_test(t, test_nonsense);
	tcase_add_test(t, test_replaced);
	tcase_add_test(t, test_not_a_fifo);
	suite_add_tcase(s, t);
	return suite_run(s);
}
