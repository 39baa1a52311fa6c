/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows for tests: random ones of every kind, and a numbered series of plain ones. */
#ifndef TESTS_LIB_RANDOM_FLOW_H
#define TESTS_LIB_RANDOM_FLOW_H

#include "proto/flow.h"
#include "tests/lib/rng.h"

/* A legal flow of any kind, family and protocol, each optional part present now and then. */
void random_flow(struct rng *r, struct flow *out);
void random_flow_conntrack(struct rng *r, struct flow *out);
void random_flow_ipvs(struct rng *r, struct flow *out);

/*
 * Number i of a series without repeats: established IPv4 TCP through DNAT, as a balancer holds most
 * of. Different i, different key, up to 2^30.
 */
void numbered_flow(uint32_t i, struct flow *out);

#endif
