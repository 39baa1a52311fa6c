/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntrackd (FT-FW) in the place of syncd on a pair (pair.h), for comparison. */
#ifndef TESTS_LIB_PAIR_CONNTRACKD_H
#define TESTS_LIB_PAIR_CONNTRACKD_H

#include <stdint.h>

#include "tests/lib/pair.h"

/* Configures and starts it on nodes 0 and 1, and asks for what the other has. */
void pair_conntrackd_start(struct pair *p);

/* Runs its client with these options on node i. Returns the exit code. */
int pair_conntrackd_do(struct pair *p, size_t i, const char *options);

/*
 * Waits until node i has so many flows of the other's, or for good where it does not get them: it
 * never says that it has all, so what does not change for a second is what there will be. Returns
 * how many; *changed_us is when the last came.
 */
size_t pair_conntrackd_arrived(struct pair *p, size_t i, size_t flows, uint64_t *changed_us);

#endif
