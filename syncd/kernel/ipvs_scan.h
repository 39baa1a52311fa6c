/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads /proc/net/ip_vs_conn in a thread of its own, line by line for the loop. The kernel walks
 * the table from its start for every 4 KiB that are read, so a reading of n connections costs n^2,
 * and one read of a large table milliseconds: no loop can wait for that. The thread sleeps as long
 * as each read took, so a reading has half a processor at most.
 */
#ifndef SYNCD_KERNEL_IPVS_SCAN_H
#define SYNCD_KERNEL_IPVS_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipvs_scan;

int ipvs_scan_new(struct ipvs_scan **out); /* 0 or -errno */
void ipvs_scan_free(struct ipvs_scan *s);  /* ends a reading that runs */

/* Begins a reading. -EBUSY while one runs, or -errno. */
int ipvs_scan_begin(struct ipvs_scan *s);
/* Ends one that runs, without a word. */
void ipvs_scan_abort(struct ipvs_scan *s);
bool ipvs_scan_running(const struct ipvs_scan *s);

/* Readable while lines wait, or the end of the reading does. */
int ipvs_scan_fd(const struct ipvs_scan *s);

/*
 * Hands up to budget lines, without newline, to fn. Returns how many; *ended is set where that was
 * the last, and *err then says how the reading ended.
 */
typedef void ipvs_scan_fn(void *ctx, char *line);
unsigned ipvs_scan_poll(struct ipvs_scan *s, unsigned budget, ipvs_scan_fn *fn, void *ctx,
			bool *ended, int *err);

#endif
