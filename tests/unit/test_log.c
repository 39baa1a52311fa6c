// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines of the log: prefixes, levels, what a peer's text cannot do to them, limits. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "syncd/base/log.h"
#include "tests/lib/suite.h"

static char text[8192];

/* Runs f with stderr in a pipe and returns what was written. */
static const char *capture(void (*f)(void))
{
	const int kept = dup(STDERR_FILENO);
	int p[2];
	ssize_t n;

	ck_assert_int_eq(pipe(p), 0);
	dup2(p[1], STDERR_FILENO);
	close(p[1]);
	f();
	dup2(kept, STDERR_FILENO);
	close(kept);
	n = read(p[0], text, sizeof(text) - 1);
	close(p[0]);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	return text;
}

static void some_levels(void)
{
	log_set_level(LOG_LEVEL_NOTICE);
	log_error("e %d", 1);
	log_warning("w");
	log_notice("n");
	log_info("i");
	log_debug("d");
}

static void evil(void)
{
	log_error("name is '%s'", "x\n<0>forged\x1b[2J");
}

static void very_long(void)
{
	char big[4000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_error("%s", big);
}

START_TEST(test_levels)
{
	ck_assert_str_eq(capture(some_levels), "<3>e 1\n<4>w\n<5>n\n");
}
END_TEST

START_TEST(test_one_line)
{
	ck_assert_str_eq(capture(evil), "<3>name is 'x?<0>forged?[2J'\n");
	ck_assert_uint_lt(strlen(capture(very_long)), 1025);
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}
END_TEST

START_TEST(test_limit)
{
	struct log_limit l = {0};
	uint64_t suppressed = 99;

	ck_assert(log_allow(&l, 5, 1000, &suppressed));
	ck_assert_uint_eq(suppressed, 0);
	ck_assert(!log_allow(&l, 6, 1000, &suppressed));
	ck_assert(!log_allow(&l, 1004, 1000, &suppressed));
	ck_assert(log_allow(&l, 1005, 1000, &suppressed));
	ck_assert_uint_eq(suppressed, 2);
	ck_assert(log_allow(&l, 9999, 1000, NULL));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");

	tcase_add_test(t, test_levels);
	tcase_add_test(t, test_one_line);
	tcase_add_test(t, test_limit);
	suite_add_tcase(s, t);
	return suite_run(s);
}
