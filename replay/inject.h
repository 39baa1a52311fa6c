/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where inject puts flows: this namespace's kernel (inject_kernel.c), or a group of running
 * daemons, as a node of it (inject_node.c). What is played, and when, is inject.c's.
 */
#ifndef REPLAY_INJECT_H
#define REPLAY_INJECT_H

#include "replay/commands.h"

enum { REASONS_MAX = 16 };

struct injector_stats {
	uint64_t puts, dels;
	uint64_t skipped; /* not this target's: of a kind or a group that it has not */
	uint64_t refused;
	struct {
		int err;
		uint64_t n;
	} reason[REASONS_MAX]; /* why, by error */
};

struct injector;

struct injector_ops {
	/* Takes a put, or a delete by key. What is submitted before begin is there from the
	 * beginning. */
	void (*submit)(struct injector *i, bool put, const struct flow *f);
	void (*begin)(struct injector *i);
	void (*settle)(struct injector *i); /* until all that was submitted has arrived */
	void (*wait)(struct injector *i, uint64_t until_us); /* CLOCK_MONOTONIC */
	/* Says how it went, in words, behind the counts. Returns an exit code. */
	int (*finish)(struct injector *i);
	void (*free)(struct injector *i);
};

struct injector {
	const struct injector_ops *ops;
	const struct options *o;
	struct injector_stats stats;
	bool failed; /* nothing more can be played; it was said why */
};

/* 0 or an exit code, after saying why. */
int inject_kernel_open(const struct options *o, struct injector **out);
int inject_node_open(const struct options *o, struct injector **out);

uint64_t inject_now_us(void);

#endif
