/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small site of site.h for tests of conntrack's edges: the box translates, and is where source
 * and sink run; 203.0.113.10 port 80 and its IPv6 twin lead to the server's port 8080, connections
 * to 10.2.0.12 are masqueraded. The ruleset marks new flows with 42. Failures end the test (Check).
 */
#ifndef TESTS_LIB_CT_SITE_H
#define TESTS_LIB_CT_SITE_H

#include "tests/lib/site.h"

/* Builds it; the caller's process is left in the box. It ends with the process. */
void ct_site_open(struct site *s);

/* A socket of the server that listens (TCP) or is bound (UDP) to port. */
int ct_site_listen(struct site *s, int family, int type, uint16_t port);

/* A socket of the client, bound to port `from`, connected to ip and port. */
int ct_site_dial(struct site *s, int family, int type, const char *ip, uint16_t port,
		 uint16_t from);

/* Waits until something can be read from fd; two seconds at most. */
void ct_site_wait_readable(int fd);

/* Sends text over from and holds what arrives at to against it. */
void ct_site_say(int from, int to, const char *text);

#endif
