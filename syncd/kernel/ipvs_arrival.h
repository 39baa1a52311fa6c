/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the kernel's backup thread has taken what it was sent: the socket it reads is in
 * /proc/net/udp, and what all sockets of the namespace were handed in /proc/net/snmp. The
 * parsers are pure.
 */
#ifndef SYNCD_KERNEL_IPVS_ARRIVAL_H
#define SYNCD_KERNEL_IPVS_ARRIVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipvs_arrival {
	bool there;	  /* the backup thread has its socket */
	uint64_t waiting; /* bytes in its receive buffer */
	uint64_t dropped; /* by it, since it was opened */
	uint64_t taken;	  /* datagrams taken by all UDP sockets of the namespace */
};

/* Reads both. Returns 0 or -errno. */
int ipvs_arrival_read(struct ipvs_arrival *out);

/* A text of /proc/net/udp: fills all but taken. */
void ipvs_arrival_parse_udp(const char *text, struct ipvs_arrival *out);

/* A text of /proc/net/snmp: InDatagrams of its Udp lines. Returns 0 or -EBADMSG. */
int ipvs_arrival_parse_snmp(const char *text, uint64_t *taken);

#endif
