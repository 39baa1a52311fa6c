/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of addresses, asked twice for each event: open addressing, built once, then only read. */
#ifndef SYNCD_KERNEL_CT_ADDRS_H
#define SYNCD_KERNEL_CT_ADDRS_H

#include "proto/flow.h"

struct ct_addrs;

/* An empty set with room for count addresses, or NULL. Free with ct_addrs_free. */
struct ct_addrs *ct_addrs_new(size_t count);
void ct_addrs_free(struct ct_addrs *set);

/* Adds one; at most as many as it was made for. */
void ct_addrs_add(struct ct_addrs *set, const struct flow_addr *a, uint8_t addr_len);

bool ct_addrs_has(const struct ct_addrs *set, const struct flow_addr *a, uint8_t addr_len);

#endif
