/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A source of events that is no kernel: it holds the flows that were put into it, tells the engine
 * of each change while that listens, and of all of them in a dump.
 */
#ifndef REPLAY_INJECT_SOURCE_H
#define REPLAY_INJECT_SOURCE_H

#include "syncd/engine.h"

struct inject_source;

/* One for each kind of flow, over one table. key is borrowed. NULL without memory. */
struct inject_source *inject_source_new(const struct digest_key *key, size_t max_flows);
void inject_source_free(struct inject_source *s);

/* Before the engine's first call. */
void inject_source_attach(struct inject_source *s, struct engine *e);
struct source *inject_source_of(struct inject_source *s, enum flow_kind kind);

/* Changes the table, and tells of it. 0 or -errno (-ENOSPC, -ENOMEM). */
int inject_source_put(struct inject_source *s, const struct flow *f);
int inject_source_del(struct inject_source *s, const struct flow *f);

/* Goes on with the dumps that were begun. True while one is not at its end. */
bool inject_source_poll(struct inject_source *s);

#endif
