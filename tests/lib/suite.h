/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each Check program's main does. */
#ifndef TESTS_LIB_SUITE_H
#define TESTS_LIB_SUITE_H

#include <check.h>

/* Runs the suite and frees it. Returns the exit code for main. */
int suite_run(Suite *s);

/* The same for a program whose output is figures: says something only of what failed. */
int suite_run_quietly(Suite *s);

#endif
