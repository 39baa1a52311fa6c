/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measuring and reporting for the bench programs (bench.h). */
#include "tests/bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t bench_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

size_t bench_rss_bytes(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f) {
		if (fscanf(f, "%*u %lu", &pages) != 1)
			pages = 0;
		(void)fclose(f);
	}
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

void bench_emit(const char *name, double value, const char *unit, const char *better)
{
	bench_emit_peer(name, value, unit, better, NULL, NAN);
}

void bench_emit_peer(const char *name, double value, const char *unit, const char *better,
		     const char *peer, double peer_value)
{
	printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",", name, value, unit);
	if (peer)
		printf("\"peer\":\"%s\",\"peer_value\":%.6g,\"ratio\":%.4g,", peer, peer_value,
		       value / peer_value);
	else
		printf("\"peer\":null,\"peer_value\":null,\"ratio\":null,");
	printf("\"better\":\"%s\"}\n", better);
	(void)fflush(stdout);
}
