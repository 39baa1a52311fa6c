/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network namespaces for tests: nameless, so that they vanish with the process that holds them.
 * Everything acts on the calling thread's present namespace, as the daemon's parts do.
 */
#ifndef TESTS_LIB_NETNS_H
#define TESTS_LIB_NETNS_H

#include <stdbool.h>
#include <stdint.h>

/* True where namespaces can be made (CAP_SYS_ADMIN); else prints a SKIP line naming `what`. */
bool netns_usable(const char *what);

/* Moves the caller into a new namespace, loopback up. Returns 0 or -errno. */
int netns_enter(void);

/*
 * Makes a further namespace, loopback up, without staying in it. Returns a descriptor that holds
 * it (close to let it go) or -errno. Needs the caller to have called netns_enter before.
 */
int netns_new(void);

/* Moves the caller into a namespace held by ns. Returns 0 or -errno. */
int netns_switch(int ns);

/* A descriptor of the caller's present namespace, or -errno. */
int netns_current(void);

/* Joins two namespaces by a veth pair, both ends up. Returns 0 or -errno. */
int netns_link(int ns_a, const char *if_a, int ns_b, const char *if_b);

/* Runs a shell command in the present namespace. Returns its exit code or -errno. */
int netns_sh(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes / reads /proc/sys/<name> (with slashes). Return 0 or -errno; the value or -errno. */
int netns_sysctl_set(const char *name, long value);
long netns_sysctl_get(const char *name);

/* Calls cond until it is true; returns false after timeout_ms. Waits briefly between the calls. */
bool netns_wait_for(bool (*cond)(void *ctx), void *ctx, unsigned timeout_ms);

/* CLOCK_MONOTONIC in microseconds. */
uint64_t netns_now_us(void);

#endif
