/*
 * site: a client, a director and a server as network namespaces, for tests with traffic:
 *
 *   client 10.1.0.2 ---- 10.1.0.1 director 10.2.0.1 ---- 10.2.0.2 server
 *          fd01::2       fd01::1           fd02::1       fd02::2
 *
 * The service's addresses are 10.1.0.100 and fd01::100. Only in a guest: it changes the machine.
 */
#ifndef KPATCH_TESTS_SITE_H
#define KPATCH_TESTS_SITE_H

#include <stdint.h>

#define SITE_CLIENT   "10.1.0.2"
#define SITE_SERVICE  "10.1.0.100"
#define SITE_SERVER   "10.2.0.2"
#define SITE_CLIENT6  "fd01::2"
#define SITE_SERVICE6 "fd01::100"
#define SITE_SERVER6  "fd02::2"

enum site_node { SITE_AT_CLIENT, SITE_AT_DIRECTOR, SITE_AT_SERVER };

/* Builds the site and puts the calling thread into the director. 0 or -errno. */
int site_open(void);

/* Runs ipvsadm's rules, one a line, in the director. 0 or -1. */
int site_rules(const char *rules);

/* A socket of that node, bound to `port` (0: any). The descriptor or -errno. */
int site_socket(enum site_node node, int family, int type, int protocol, uint16_t port);

/* Begins to connect to an address of either family. 0 or -errno; waits for the end of it. */
int site_connect(int fd, const char *addr, uint16_t port);

#endif
