/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of IPVS's netlink API (kpatch/uapi/linux/ip_vs_conn.h): connections read from and
 * written into attributes. Pure; used by the netlink source and sink.
 */
#ifndef SYNCD_KERNEL_IPVS_NL_MESSAGE_H
#define SYNCD_KERNEL_IPVS_NL_MESSAGE_H

#include <stddef.h>

#include "proto/flow.h"

struct nlmsghdr;

enum {
	IPVS_NL_CONN_MAX = 1024, /* bytes that one connection takes in a message */
	IPVS_NL_HEADER = 32,	 /* netlink's and generic netlink's headers, with room to spare */
};

struct ipvs_nl_record {
	struct flow flow; /* keys' pe_data borrow from the message */
	uint32_t flags;	  /* all of the kernel's */
	uint32_t timeout_ms, expires_ms;
	bool wanted; /* as ipvs_flow_take says */
	bool bound;  /* to a configured real server */
};

/* The command of a message, or -EBADMSG where it is too short. */
int ipvs_nl_command(const struct nlmsghdr *nlh);

/* Reads the message's connection. Returns 0, or -EBADMSG where it has none or a malformed one. */
int ipvs_nl_parse(const struct nlmsghdr *nlh, struct ipvs_nl_record *out);

/* Reads an IPVS_CMD_CONN_ERRORS: sets err[index] to -errno for each index < n. 0 or -EBADMSG. */
int ipvs_nl_parse_errors(const struct nlmsghdr *nlh, int *err, size_t n);

/* Begins a request in buf (zeroed as far as written). flags: NLM_F_* beside REQUEST. */
struct nlmsghdr *ipvs_nl_begin(void *buf, uint16_t family, uint8_t command, uint16_t flags,
			       uint32_t seq);

/* What of a connection a request says. */
enum ipvs_nl_what {
	IPVS_NL_KEY,	   /* key only */
	IPVS_NL_EXPIRES,   /* key and time left */
	IPVS_NL_ALL,	   /* everything and time left */
	IPVS_NL_ALL_ALONE, /* everything but the link to what controls it */
};

/* Adds a connection, IPVS_NL_CONN_MAX bytes at most. */
void ipvs_nl_add(struct nlmsghdr *nlh, const struct flow *f, enum ipvs_nl_what what,
		 uint32_t expires_ms);

#endif
