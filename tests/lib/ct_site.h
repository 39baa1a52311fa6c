/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small site for tests of conntrack's edges: client -- box -- server, three namespaces. The box
 * forwards and translates, and is where source and sink run; 203.0.113.10 port 80 and its IPv6
 * twin lead to the server's port 8080, connections to 10.2.0.12 are masqueraded. The ruleset marks
 * new flows with 42. Failures end the test (Check).
 *
 *   client 192.0.2.7 ---- 192.0.2.1 box 10.2.0.1 ---- server 10.2.0.11, .12
 *     2001:db8::7                                       fd00:2::11
 */
#ifndef TESTS_LIB_CT_SITE_H
#define TESTS_LIB_CT_SITE_H

#include <stdint.h>

struct ct_site {
	int box, client, server; /* namespaces; the caller is in box */
};

/* Builds it; the caller's process is left in the box. It ends with the process. */
void ct_site_open(struct ct_site *s);
void ct_site_in(int ns);

/* A socket of the server that listens (TCP) or is bound (UDP) to port. */
int ct_site_listen(struct ct_site *s, int family, int type, uint16_t port);

/* A socket of the client, bound to port `from`, connected to ip and port. */
int ct_site_dial(struct ct_site *s, int family, int type, const char *ip, uint16_t port,
		 uint16_t from);

/* Waits until something can be read from fd; two seconds at most. */
void ct_site_wait_readable(int fd);

/* Sends text over from and holds what arrives at to against it. */
void ct_site_say(int from, int to, const char *text);

#endif
