/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table against its reference model, over universes from a handful of keys to thousands. */
#include <check.h>

#include "tests/lib/suite.h"
#include "tests/lib/table_model.h"

static const struct table_model_run runs[] = {
	{.keys = 5, .max_flows = 4, .steps = 40000, .check_every = 7},
	{.keys = 60, .max_flows = 60, .steps = 40000, .check_every = 50},
	{.keys = 400, .max_flows = 230, .steps = 40000, .check_every = 100},
	{.keys = 4000, .max_flows = 3900, .steps = 40000, .check_every = 2000},
};

START_TEST(test_model)
{
	struct rng rng;

	rng_init_env(&rng, "table_model");
	table_model_run(&rng, &runs[_i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("table_model");
	TCase *tc = tcase_create("model");

	tcase_add_loop_test(tc, test_model, 0, sizeof(runs) / sizeof(runs[0]));
	tcase_set_timeout(tc, 300);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
