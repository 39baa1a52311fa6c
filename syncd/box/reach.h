/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this box has to reach to be of use: interfaces that need a carrier, and gateways that need
 * to answer as neighbours do (ARP, neighbour discovery). Looked at once a second; nothing is sent
 * but what the kernel sends to make sure of a neighbour (rtnetlink(7), arp(7)).
 */
#ifndef SYNCD_BOX_REACH_H
#define SYNCD_BOX_REACH_H

#include "syncd/base/config.h"

struct reach;

/* *out is the caller's. cfg is copied. Returns 0 or -errno. */
int reach_new(const struct config_reach *cfg, struct reach **out);
void reach_free(struct reach *r);

/*
 * The first that cannot be reached, as text that is r's until the next call; NULL: none. A gateway
 * is at fault once the kernel has given it up (three unanswered probes, by default 3 s), and well
 * at its next answer. Needs CAP_NET_ADMIN.
 */
const char *reach_check(struct reach *r);

#endif
