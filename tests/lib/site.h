/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wires and addresses of the small site that tests of the kernel's edges use: client -- box --
 * server, three namespaces. ct_site.h and ipvs_site.h put their own on top. Failures end the test
 * (Check).
 *
 *   client 192.0.2.7 ---- 192.0.2.1 box 10.2.0.1 ---- server 10.2.0.11, .12
 *     2001:db8::7                                       fd00:2::11
 *   virtual: 203.0.113.10, 2001:db8:1::10
 */
#ifndef TESTS_LIB_SITE_H
#define TESTS_LIB_SITE_H

#include <stdint.h>
#include <sys/socket.h>

struct site {
	int box, client, server; /* namespaces, for as long as the process lives */
};

/* Builds it in namespaces of its own; the caller's process is left in the box. */
void site_open(struct site *s);

/* Gives the present namespace's interfaces front and back the box's addresses; it forwards. */
void site_set_up_box(void);

/* Moves the caller into a namespace. */
void site_in(int ns);

/* ip and port (host order) as an address of the family. Returns its length. */
socklen_t site_address(int family, const char *ip, uint16_t port, struct sockaddr_storage *out);

#endif
