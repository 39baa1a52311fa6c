/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every number that a daemon counts, with a name for JSON and metrics and a sentence for people:
 * the one table behind `syncctl stats`, `syncctl -j status` and /metrics.
 */
#ifndef SYNCD_COUNTERS_H
#define SYNCD_COUNTERS_H

#include "syncd/engine.h"
#include "syncd/kernel/ct_sink.h"

/* Calls fn for each counter in a fixed order. sink: NULL where conntrack is left out. */
typedef void counter_fn(void *ctx, const char *name, const char *help, uint64_t value);
void counters_each(const struct engine *e, const struct ct_sink_stats *sink, counter_fn *fn,
		   void *ctx);

#endif
