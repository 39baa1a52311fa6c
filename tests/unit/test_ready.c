// SPDX-License-Identifier: GPL-2.0-or-later
/* The ready gate's hysteresis, and the track file that keepalived reads. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syncd/role/ready.h"
#include "syncd/role/track_file.h"
#include "tests/lib/suite.h"
#include "tests/lib/tmpdir.h"

static const struct ready_config cfg = {.rise_us = 1000, .fall_us = 3000};

START_TEST(test_rise_and_fall)
{
	struct ready_gate g = {0};

	ck_assert(ready_gate_step(&g, &cfg, false, false, 100)); /* first known */
	ck_assert(!g.shown);
	ck_assert(!ready_gate_step(&g, &cfg, true, false, 200));
	ck_assert(!ready_gate_step(&g, &cfg, true, false, 1199));
	ck_assert(ready_gate_step(&g, &cfg, true, false, 1200));
	ck_assert(g.shown);
	ck_assert(!ready_gate_step(&g, &cfg, false, false, 2000));
	/* ready again in time: nobody sees it, and the clock of falling begins anew */
	ck_assert(!ready_gate_step(&g, &cfg, true, false, 4999));
	ck_assert(!ready_gate_step(&g, &cfg, false, false, 5000));
	ck_assert(!ready_gate_step(&g, &cfg, false, false, 7999));
	ck_assert(ready_gate_step(&g, &cfg, false, false, 8000));
	ck_assert(!g.shown);
}
END_TEST

/* However it flickers, faster than the delays nothing is shown. */
START_TEST(test_no_flapping)
{
	struct ready_gate g = {0};

	(void)ready_gate_step(&g, &cfg, false, false, 0);
	for (uint64_t t = 1; t < 100000; t += 500)
		ck_assert(!ready_gate_step(&g, &cfg, t / 500 % 2 == 0, false, t));
	ck_assert(!g.shown);
}
END_TEST

START_TEST(test_active)
{
	struct ready_gate g = {0};

	ck_assert(ready_gate_step(&g, &cfg, false, true, 100));
	ck_assert(g.shown);
	ck_assert(!ready_gate_step(&g, &cfg, false, true, 999999));
	/* no longer active: as it is, at once */
	ck_assert(ready_gate_step(&g, &cfg, false, false, 1000000));
	ck_assert(!g.shown);
	(void)ready_gate_step(&g, &cfg, true, true, 1000001);
	ck_assert(!ready_gate_step(&g, &cfg, true, false, 1000002));
	ck_assert(g.shown);
}
END_TEST

START_TEST(test_values)
{
	ck_assert_int_eq(track_value(true, false), 0);
	ck_assert_int_eq(track_value(true, true), 0);
	ck_assert_int_eq(track_value(false, false), 1);
	/* keepalived.conf(5): a result below -253 is a fault, also at weight -1 */
	ck_assert_int_lt(track_value(false, true) * -1, -253);
}
END_TEST

START_TEST(test_write)
{
	char dir[64], path[96], text[16];

	tmpdir_make(dir);
	snprintf(path, sizeof(path), "%s/web.ready", dir);
	ck_assert_int_eq(track_file_write(dir, "web", TRACK_NOT_READY), 0);
	ck_assert_str_eq(tmpdir_read(path, text, sizeof(text)), "1\n");
	ck_assert_int_eq(track_file_write(dir, "web", TRACK_READY), 0);
	ck_assert_str_eq(tmpdir_read(path, text, sizeof(text)), "0\n");
	tmpdir_remove(dir);
	ck_assert_int_eq(track_file_write(dir, "web", 0), -ENOENT);
}
END_TEST

static char race_path[96];
static atomic_bool race_over;
static atomic_int torn, reads;

static void *race_reader(void *arg)
{
	char text[16];

	(void)arg;
	while (!atomic_load(&race_over)) {
		tmpdir_read(race_path, text, sizeof(text)); /* aborts where the file is missing */
		if (strcmp(text, "0\n") != 0 && strcmp(text, "254\n") != 0)
			atomic_fetch_add(&torn, 1);
		atomic_fetch_add(&reads, 1);
	}
	return NULL;
}

START_TEST(test_atomic)
{
	char dir[64];
	pthread_t t;

	tmpdir_make(dir);
	snprintf(race_path, sizeof(race_path), "%s/web.ready", dir);
	ck_assert_int_eq(track_file_write(dir, "web", TRACK_READY), 0);
	pthread_create(&t, NULL, race_reader, NULL);
	for (int i = 0; i < 20000 && (i < 2000 || atomic_load(&reads) < 100); i++)
		ck_assert_int_eq(
			track_file_write(dir, "web", i % 2 ? TRACK_READY : TRACK_NOT_READY_CLOSED),
			0);
	atomic_store(&race_over, true);
	pthread_join(t, NULL);
	ck_assert_int_ge(atomic_load(&reads), 1);
	ck_assert_int_eq(atomic_load(&torn), 0);
	tmpdir_remove(dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ready");
	TCase *t = tcase_create("ready");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, test_rise_and_fall);
	tcase_add_test(t, test_no_flapping);
	tcase_add_test(t, test_active);
	tcase_add_test(t, test_values);
	tcase_add_test(t, test_write);
	tcase_add_test(t, test_atomic);
	suite_add_tcase(s, t);
	return suite_run(s);
}
