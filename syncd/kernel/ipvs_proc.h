/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /proc tells of IPVS's connections (ip_vs_conn) and servers (ip_vs), and what follows of
 * flags that it does not tell. Texts are those of net/netfilter/ipvs/ip_vs_conn.c and ip_vs_ctl.c.
 * All but ipvs_servers_read is pure.
 */
#ifndef SYNCD_KERNEL_IPVS_PROC_H
#define SYNCD_KERNEL_IPVS_PROC_H

#include <stddef.h>

#include "proto/flow.h"

struct ipvs_proc_line {
	struct flow flow; /* key as the kernel has it, flags but TEMPLATE unknown; pe_data borrows
			     from the line */
	uint32_t expires_s;
};

/*
 * One line of ip_vs_conn, without its newline. Returns 0, or -EINVAL where it is none of a
 * connection (the head), or of one that the sync protocol could not carry either.
 */
int ipvs_proc_read_line(const char *line, struct ipvs_proc_line *out);

/* The servers that are configured. */
struct ipvs_servers;

/* From a text of ip_vs, which may be empty. NULL: no memory. */
struct ipvs_servers *ipvs_servers_parse(const char *text);
/* From this network namespace's. */
struct ipvs_servers *ipvs_servers_read(void);
void ipvs_servers_free(struct ipvs_servers *s);

/*
 * Fills in what /proc does not tell of a flow that nobody told of: forwarding method and activity
 * as the kernel sets them for its server (ip_vs_bind_dest), a template's timeout. fwmark and
 * sequence deltas stay unknown. Returns false where no such server is configured.
 */
bool ipvs_servers_complete(const struct ipvs_servers *s, struct flow *f, uint32_t *timeout_ms);

#endif
