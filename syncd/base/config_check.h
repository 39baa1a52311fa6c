/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the table of options cannot say: references, uniqueness, options that go together. */
#ifndef SYNCD_BASE_CONFIG_CHECK_H
#define SYNCD_BASE_CONFIG_CHECK_H

#include "syncd/base/config.h"

/*
 * Checks what was read against itself and fills in what follows from other options (directories,
 * default groups, order of links, keys and groups). Returns 0, or -EINVAL with the error in
 * c->tree.
 */
int config_check(struct config *c);

#endif
