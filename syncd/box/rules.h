/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nftables ruleset, as far as it concerns flows that move between boxes: a fingerprint of the
 * NAT chains, and flowtables, whose flows make few events (nft(8), libnftables).
 */
#ifndef SYNCD_BOX_RULES_H
#define SYNCD_BOX_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RULES_NAMES_MAX = 128 };

struct rules_found {
	uint64_t nat; /* fingerprint of all rules in chains of type nat, and in those that such
		       * rules jump to; 0: there are none */
	size_t nat_rules;
	size_t flowtables;
	char flowtable_names[RULES_NAMES_MAX]; /* "inet filter ft, ..." */
};

/*
 * Reads nft's JSON (`nft -j -s list ruleset`). What differs between boxes without a difference in
 * meaning (handles, counters, order of tables) does not matter; the content of named sets is left
 * out, since it may change all the time. Returns 0 or -EBADMSG.
 */
int rules_parse(const char *json, struct rules_found *out);

struct rules_watch;

/* Returns 0 or -errno. */
int rules_watch_new(struct rules_watch **out);
void rules_watch_free(struct rules_watch *w);

/*
 * To be called about once a second: looks whether the ruleset has changed, has a child process read
 * it, and in a later call returns true with what that found. Never waits for it.
 */
bool rules_watch_get(struct rules_watch *w, struct rules_found *out);

#endif
