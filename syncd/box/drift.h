/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What should be alike on all nodes and is not ours to configure: settings of the kernel as items
 * of the hello, and the comparison of two nodes' items. It is named to the operator, and does not
 * make a node unready: two boxes may differ on purpose.
 */
#ifndef SYNCD_BOX_DRIFT_H
#define SYNCD_BOX_DRIFT_H

#include "proto/control.h"

/*
 * Adds the kernel's settings of this network namespace that decide what becomes of a flow taken
 * over (nf_conntrack-sysctl(5) in the kernel's documentation), each with its value as hash; those
 * that this kernel has not are left out. Returns the new number of items, at most HELLO_ITEMS_MAX.
 */
size_t drift_add_settings(struct hello_item *item, size_t n);

/* Adds one item; a name that is too long is cut. */
size_t drift_add(struct hello_item *item, size_t n, const char *name, uint64_t hash);

/* Appends a name to a text of n of them; what has no room is left out. Returns n + 1. */
size_t drift_name(char *text, size_t len, size_t n, const char *name);

/* The item of that name, or NULL. */
const struct hello_item *drift_find(const struct hello_item *item, size_t n, const char *name);

/*
 * Writes the names of items that both have and that differ, with ", " between them, into text.
 * Returns how many.
 */
size_t drift_compare(const struct hello_item *mine, size_t n, const struct hello_item *theirs,
		     size_t m, char *text, size_t len);

#endif
