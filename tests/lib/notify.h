/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A service manager's part of sd_notify(3), for one daemon of a test: a thread reads the socket,
 * keeps one descriptor (FDSTORE=1) and gives it to the next daemon in the way of sd_listen_fds(3).
 */
#ifndef TESTS_LIB_NOTIFY_H
#define TESTS_LIB_NOTIFY_H

#include <stdbool.h>

struct notify;

/* Binds the socket at path. Aborts where it cannot. */
struct notify *notify_open(const char *path);
void notify_close(struct notify *n);

/* In a child, before exec: its environment, and the descriptor kept, as number 3. */
void notify_child(struct notify *n);

/* The descriptor kept; -1: none. It stays the manager's. */
int notify_stored(struct notify *n);

/* What is kept from now on instead (taken; -1: nothing), under the same name. */
void notify_store(struct notify *n, int fd);

/* How many were handed in, and how many taken out by name, so far. */
unsigned notify_count(struct notify *n, bool removed);

#endif
