/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What IPVS is configured to do, as fingerprints: two nodes must have the same services, real
 * servers and settings, since an entry finds its server by the local configuration. Configuring
 * them is keepalived's; naming what differs is ours. Weights and counters do not count: health
 * checks move them.
 */
#ifndef SYNCD_KERNEL_IPVS_SERVICES_H
#define SYNCD_KERNEL_IPVS_SERVICES_H

#include <stddef.h>
#include <stdint.h>

enum { IPVS_SERVICE_NAME = 64 };

struct ipvs_service {
	char name[IPVS_SERVICE_NAME]; /* "tcp 203.0.113.10:80", "fwmark 7" */
	uint64_t hash; /* scheduler, persistence, and servers with their forwarding methods */
};

/*
 * A text of /proc/net/ip_vs: the first `max` services, and all of them in *all, whatever their
 * order. Returns how many were written. Pure.
 */
size_t ipvs_services_parse(const char *text, struct ipvs_service *out, size_t max, uint64_t *all);

/* The same of this network namespace. Returns how many, or -errno. */
int ipvs_services_read(struct ipvs_service *out, size_t max, uint64_t *all);

/* net.ipv4.vs.*: those that decide what becomes of a connection taken over, as one hash. */
uint64_t ipvs_services_settings(void);

#endif
