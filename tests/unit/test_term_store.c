// SPDX-License-Identifier: GPL-2.0-or-later
/* Terms and roles over restarts, reboots and damaged files. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syncd/role/term_store.h"
#include "tests/lib/suite.h"
#include "tests/lib/tmpdir.h"

static char top[64], state[96], run[96], file[128];

static void setup(void)
{
	tmpdir_make(top);
	snprintf(state, sizeof(state), "%s/lib/a", top);
	snprintf(run, sizeof(run), "%s/run/a", top);
}

static void teardown(void)
{
	tmpdir_remove(top);
}

static struct term_store *open_store(void)
{
	struct term_store *s = NULL;

	ck_assert_int_eq(term_store_open(state, run, &s), 0);
	return s;
}

static void expect(const struct term_store *s, uint32_t group, uint64_t number, enum node_role role,
		   bool known)
{
	struct term_kept k;

	ck_assert_int_eq(term_store_get(s, group, &k), 0);
	ck_assert_uint_eq(k.highest.number, number);
	ck_assert_uint_eq(k.role, role);
	ck_assert(k.role_known == known);
}

START_TEST(test_restart)
{
	struct term_store *s = open_store();
	struct term_kept k;

	ck_assert_int_eq(term_store_get(s, 1, &k), -ENOENT);
	ck_assert_int_eq(term_store_put(s, 1, (struct term){7, 2}, ROLE_ACTIVE), 0);
	ck_assert_int_eq(term_store_put(s, 300, (struct term){UINT64_MAX, 1}, ROLE_STANDBY), 0);
	term_store_free(s);
	s = open_store();
	expect(s, 1, 7, ROLE_ACTIVE, true);
	expect(s, 300, UINT64_MAX, ROLE_STANDBY, true);
	/* The highest stays the highest. */
	ck_assert_int_eq(term_store_put(s, 1, (struct term){5, 9}, ROLE_STANDBY), 0);
	expect(s, 1, 7, ROLE_STANDBY, true);
	term_store_free(s);
}
END_TEST

static bool held(const struct term_store *s, uint32_t group)
{
	struct term_kept k;

	ck_assert_int_eq(term_store_get(s, group, &k), 0);
	return k.held;
}

/* Who held an address is kept while that one is active, and no longer. */
START_TEST(test_holding)
{
	struct term_store *s = open_store();

	ck_assert_int_eq(term_store_put(s, 1, (struct term){7, 2}, ROLE_ACTIVE), 0);
	ck_assert_int_eq(term_store_put(s, 2, (struct term){7, 2}, ROLE_STANDBY), 0);
	ck_assert_int_eq(term_store_hold(s, 1), 0);
	ck_assert_int_eq(term_store_hold(s, 2), 0);
	ck_assert_int_eq(term_store_hold(s, 3), 0);
	term_store_free(s);
	s = open_store();
	ck_assert(held(s, 1) && !held(s, 2));
	ck_assert_int_eq(term_store_put(s, 1, (struct term){8, 2}, ROLE_ACTIVE), 0);
	ck_assert(held(s, 1));
	ck_assert_int_eq(term_store_put(s, 1, (struct term){9, 3}, ROLE_STANDBY), 0);
	ck_assert(!held(s, 1));
	ck_assert_int_eq(term_store_put(s, 1, (struct term){10, 2}, ROLE_ACTIVE), 0);
	ck_assert(!held(s, 1));
	term_store_free(s);
}
END_TEST

/* What a version without that wrote is read. */
START_TEST(test_former)
{
	struct term_store *s = open_store();

	term_store_free(s);
	snprintf(file, sizeof(file), "%s/role", run);
	tmpdir_write(file, "syncd roles 1\ngroup 1 term 7 node 2 role 2\nend\n");
	s = open_store();
	expect(s, 1, 7, ROLE_ACTIVE, true);
	ck_assert(!held(s, 1));
	term_store_free(s);
}
END_TEST

/* A reboot takes the runtime directory, and with it the role, but never the term. */
START_TEST(test_reboot)
{
	struct term_store *s = open_store();

	ck_assert_int_eq(term_store_put(s, 1, (struct term){7, 2}, ROLE_ACTIVE), 0);
	term_store_free(s);
	tmpdir_remove(run);
	s = open_store();
	expect(s, 1, 7, ROLE_IDLE, false);
	term_store_free(s);
}
END_TEST

START_TEST(test_damaged)
{
	static const char *const bad[] = {
		"",
		"something else\n",
		"syncd terms 1\n",
		"syncd terms 1\ngroup 1 term 7 node 2\n",
		"syncd terms 1\ngroup 1 term 7 node 2\nen",
		"syncd terms 1\ngroup 1 term x node 2\nend\n",
		"syncd terms 1\ngroup 1 term 7 node 70000\nend\n",
		"syncd terms 1\ngroup 1 term 7 node 2 more\nend\n",
		"syncd terms 1\nend\ngroup 1 term 7 node 2\n",
	};
	struct term_store *s = open_store();

	term_store_free(s);
	snprintf(file, sizeof(file), "%s/terms", state);
	tmpdir_write(file, bad[_i]);
	s = NULL;
	ck_assert_int_eq(term_store_open(state, run, &s), -EBADMSG);
	ck_assert_ptr_null(s);
}
END_TEST

/* Where the new file cannot be written the old one is whole. */
START_TEST(test_no_space)
{
	const struct rlimit none = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
	struct rlimit former;
	struct term_store *s = open_store();

	ck_assert_int_eq(term_store_put(s, 1, (struct term){7, 2}, ROLE_ACTIVE), 0);
	getrlimit(RLIMIT_FSIZE, &former);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	ck_assert_int_eq(term_store_put(s, 1, (struct term){8, 2}, ROLE_ACTIVE), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &former);
	expect(s, 1, 8, ROLE_ACTIVE, true);
	term_store_free(s);
	s = open_store();
	expect(s, 1, 7, ROLE_ACTIVE, true);
	term_store_free(s);
}
END_TEST

START_TEST(test_many)
{
	struct term_store *s = open_store();

	for (uint32_t g = 1; g <= GROUPS_MAX; g++)
		ck_assert_int_eq(term_store_put(s, g, (struct term){g, 1}, ROLE_STANDBY), 0);
	ck_assert_int_eq(term_store_put(s, 999, (struct term){1, 1}, ROLE_STANDBY), -ENOSPC);
	term_store_free(s);
	s = open_store();
	for (uint32_t g = 1; g <= GROUPS_MAX; g++)
		expect(s, g, g, ROLE_STANDBY, true);
	term_store_free(s);
}
END_TEST

START_TEST(test_not_a_directory)
{
	struct term_store *s = NULL;

	snprintf(file, sizeof(file), "%s/lib", top);
	tmpdir_write(file, "");
	ck_assert_int_eq(term_store_open(state, run, &s), -ENOTDIR);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("term_store");
	TCase *t = tcase_create("term_store");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_restart);
	tcase_add_test(t, test_holding);
	tcase_add_test(t, test_former);
	tcase_add_test(t, test_reboot);
	tcase_add_loop_test(t, test_damaged, 0, 9);
	tcase_add_test(t, test_no_space);
	tcase_add_test(t, test_many);
	tcase_add_test(t, test_not_a_directory);
	suite_add_tcase(s, t);
	return suite_run(s);
}
