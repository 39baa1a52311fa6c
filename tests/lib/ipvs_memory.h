/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPVS's table in the kernel's memory, for ipvs_table.c. */
#ifndef TESTS_LIB_IPVS_MEMORY_H
#define TESTS_LIB_IPVS_MEMORY_H

#include "tests/lib/ipvs_table.h"

typedef int ipvs_memory_fn(void *ctx, const struct ipvs_entry *e); /* 0 or -errno, which ends it */

/* Each connection of the calling thread's network namespace. Returns 0 or -errno. */
int ipvs_memory_walk(ipvs_memory_fn *fn, void *ctx);

#endif
