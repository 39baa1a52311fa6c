/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets in other network namespaces: one process serves and drives a whole site. */
#ifndef TESTS_DRILL_TRAFFIC_NETNS_H
#define TESTS_DRILL_TRAFFIC_NETNS_H

#include <stdint.h>

/* Moves this thread into the namespace at path (/run/netns/NAME). Returns 0 or -errno. */
int netns_enter(const char *path);

/* CLOCK_MONOTONIC in nanoseconds: the clock of all the drill's programs. */
uint64_t netns_now_ns(void);

/* Raises the limit of open files to what the system allows; 100,000 flows need it. */
void netns_raise_file_limit(void);

#endif
