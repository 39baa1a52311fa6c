/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which addresses this box has, kept current by rtnetlink: who holds a group's virtual addresses is
 * the active one, whatever a file of before a restart says, and a takeover begins when they come,
 * some milliseconds before anybody tells of it.
 */
#ifndef SYNCD_ROLE_HOLDER_H
#define SYNCD_ROLE_HOLDER_H

#include "syncd/base/config.h"

struct holder;

/* Reads the addresses of the caller's namespace and watches them. Returns 0, -ENOMEM, or -errno of
 * the kernel. */
int holder_new(struct holder **out);
void holder_free(struct holder *h);

int holder_fd(const struct holder *h);

/* Reads them anew where there was a change. Returns 0 or -errno; the next call tries again. */
int holder_on_readable(struct holder *h);

/* True where the box has one of the single addresses (/32, /128) of a list. */
bool holder_has(const struct holder *h, const struct config_prefixes *list);

#endif
