/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "tests/lib/suite.h"

static int run(Suite *s, enum print_output how)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, how);
	failed = srunner_ntests_failed(sr);
	if (failed && how == CK_SILENT)
		srunner_print(sr, CK_NORMAL);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int suite_run(Suite *s)
{
	return run(s, CK_NORMAL);
}

int suite_run_quietly(Suite *s)
{
	return run(s, CK_SILENT);
}
