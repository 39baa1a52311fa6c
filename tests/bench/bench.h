/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What bench programs share: clocks, resident memory, and one line of JSON a figure on stdout,
 * which tests/bench/run.sh shows and keeps.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

uint64_t bench_now_ns(void);

/* CPU time of this thread: what others on the machine take is not in it. */
uint64_t bench_cpu_ns(void);

/* Resident bytes of this process, from /proc/self/statm. */
size_t bench_rss_bytes(void);

/* name: PART.WHAT; better: "lower" or "higher". */
void bench_emit(const char *name, double value, const char *unit, const char *better);

/* The same beside a peer's figure of the same run; the ratio is value / peer_value. */
void bench_emit_peer(const char *name, double value, const char *unit, const char *better,
		     const char *peer, double peer_value);

#endif
