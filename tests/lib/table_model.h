/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table held against a naive reference over random operations: a small universe of keys in an
 * array, with what was sent, what is queued and what was touched kept in so many words.
 */
#ifndef TESTS_LIB_TABLE_MODEL_H
#define TESTS_LIB_TABLE_MODEL_H

#include "tests/lib/rng.h"

struct table_model_run {
	unsigned keys;	    /* size of the universe */
	unsigned max_flows; /* at least half of keys: the cap on tombstones is another test's */
	unsigned steps;
	unsigned check_every; /* steps between comparisons of everything */
};

/* Runs one; fails the Check test at the first difference. */
void table_model_run(struct rng *rng, const struct table_model_run *run);

#endif
