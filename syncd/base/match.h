/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which group a flow belongs to: the matches of all groups, compiled. A flow is a group's when
 *   its original source or destination is in `match`, or its IPVS fwmark among `marks`
 *     (whichever of the two is configured; both absent: any), and
 *   its destination port is in `ports`, where given (never so for protocols without ports), and
 *   its zone is in `zones`, where given.
 * Groups are asked in the order of their ids, the default group (without any of these) last.
 * It depends on the key alone, so a flow never changes its group, and a delete finds the same one.
 */
#ifndef SYNCD_BASE_MATCH_H
#define SYNCD_BASE_MATCH_H

#include "syncd/base/config.h"

struct match;

/* Copies what it needs. NULL: no memory. */
struct match *config_match_new(const struct config *c);
void config_match_free(struct match *m);

/* The id of the flow's group; 0: none. */
uint32_t config_match_classify(const struct match *m, const struct flow_key *key);

/*
 * What must be alike on all nodes, as a number: the group's match and the filter of conntrack
 * (protocols, states, labels, left out addresses). The order in which a list is written does not
 * matter, nor do options of this node alone.
 */
uint64_t config_group_fingerprint(const struct config *c, const struct config_group *g);

/* The filter's own part of it, to be named where it differs. */
uint64_t config_filter_fingerprint(const struct config *c);

/* Of the zones of all groups: no part of the others, but named where it differs. */
uint64_t config_zones_fingerprint(const struct config *c);

#endif
