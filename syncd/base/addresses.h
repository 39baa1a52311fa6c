/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The box's own addresses, kept current by rtnetlink. Connections of the box itself are left out by
 * them; and who holds a group's virtual addresses is the active one, whatever a file of before a
 * restart says: a takeover begins when they come, some milliseconds before anybody tells of it.
 */
#ifndef SYNCD_BASE_ADDRESSES_H
#define SYNCD_BASE_ADDRESSES_H

#include "syncd/base/config.h"

struct addresses;

struct address {
	struct flow_addr addr;
	uint8_t addr_len; /* 4 or 16 */
	bool broadcast;	  /* a subnet's broadcast address, not one of the box */
};

/* Told all of them (borrowed for the call) after each reading. An error of its own (-errno) has
 * them read and told again. */
typedef int addresses_fn(void *ctx, const struct address *all, size_t count);

/*
 * Reads the addresses of the caller's namespace, tells fn (NULL: nobody), and watches them.
 * Returns 0, -ENOMEM, -errno of the kernel, or what fn returned.
 */
int addresses_open(addresses_fn *fn, void *ctx, struct addresses **out);
void addresses_close(struct addresses *a);

/* Readable once something has changed. */
int addresses_fd(const struct addresses *a);

/* Reads them anew where there was a change. Returns 0 or -errno; the next call tries again. */
int addresses_refresh(struct addresses *a);

/* True where the box has one of the single addresses (/32, /128) of a list. */
bool addresses_has(const struct addresses *a, const struct config_prefixes *list);

#endif
