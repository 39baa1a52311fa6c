/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulation's only clock: a heap of things to do, ordered by time and then by when they were
 * asked for, so that a seed is one story. Time stands still while a thing is done.
 */
#ifndef TESTS_SIM_CLOCK_H
#define TESTS_SIM_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_clock;

/* arg is owned by the clock and freed with free(3) after the call. */
typedef void sim_clock_fn(void *ctx, uint64_t tag, void *arg);

struct sim_clock *sim_clock_new(void);
void sim_clock_free(struct sim_clock *c);

/* Microseconds since the world began. */
uint64_t sim_clock_now(const struct sim_clock *c);

/* Does fn(ctx, tag, arg) at at_us, or now where that has passed. arg (taken) may be NULL. */
void sim_clock_at(struct sim_clock *c, uint64_t at_us, sim_clock_fn *fn, void *ctx, uint64_t tag,
		  void *arg);

/* Does the next thing, if it is due until end_us. False: nothing is, and the time is now end_us. */
bool sim_clock_step(struct sim_clock *c, uint64_t end_us);

#endif
