/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * IPVS connections over generic netlink: dump, events, insertion, change and deletion.
 *
 * The commands belong to the family IPVS_GENL_NAME of <linux/ip_vs.h>, which also defines the
 * connection flags (IP_VS_CONN_F_*). All need CAP_NET_ADMIN in the user namespace that owns the
 * network namespace, and speak of that network namespace alone.
 */
#ifndef _UAPI_LINUX_IP_VS_CONN_H
#define _UAPI_LINUX_IP_VS_CONN_H

/* Multicast groups: an event is the connection's whole state, in one message of one connection.
 * Its nlmsg_pid is the port of the socket whose request caused it, else 0. A reader that could
 * not keep up, or missed an event for lack of memory, gets ENOBUFS and should dump again.
 */
#define IPVS_CONN_GENL_MCGRP_NEW	"conn-new"	/* IPVS_CMD_NEW_CONN */
#define IPVS_CONN_GENL_MCGRP_SET	"conn-set"	/* IPVS_CMD_SET_CONN */
#define IPVS_CONN_GENL_MCGRP_DEL	"conn-del"	/* IPVS_CMD_DEL_CONN */

/* A connection's flag, apart from the others: it has counters, as all that began while the sysctl
 * net.ipv4.vs.conn_acct was set, but for templates. Only told; in a request it changes nothing.
 */
#define IP_VS_CONN_F_COUNTED	(1 << 24)

/* Commands, numbered apart from the family's others.
 *
 * A request for NEW, SET or DEL holds one or more IPVS_CONN_CMD_ATTR_CONN, which are all tried. If
 * any failed, the request's status (NLMSG_ERROR) is the first error; if it held several, a message
 * IPVS_CMD_CONN_ERRORS before it tells each, or the status is ENOBUFS: not all could be told.
 * Success is told only where NLM_F_ACK asks for it. Attributes that a command does not use, and
 * unknown flags, are refused for the whole request.
 */
enum {
	/* Add a connection, or replace its state if it is there: all that SET can change, where
	 * what is not given is as in a new one, but for CONTROL. One that leads to another
	 * destination is deleted first: EBUSY if it cannot be. ENOLINK if CONTROL is not there.
	 */
	IPVS_CMD_NEW_CONN	= 0x40,
	/* Change the given attributes of a connection: FLAGS, STATE, TIMEOUT, EXPIRES, IN_SEQ,
	 * OUT_SEQ, CONTROL. ENOENT if it is not there; ESTALE if DADDR, DPORT are given and others.
	 */
	IPVS_CMD_SET_CONN	= 0x41,
	/* Delete a connection, by its key. ENOENT, ESTALE as above; EBUSY while it controls others
	 * or a packet is just using it: then it expires soon.
	 */
	IPVS_CMD_DEL_CONN	= 0x42,
	/* Get one connection, by its key; or with NLM_F_DUMP all, or those that match every
	 * attribute given in an IPVS_CONN_CMD_ATTR_CONN: of the key and destination, STATE, FWMARK,
	 * FLAGS with FLAGS_MASK. Answers are IPVS_CMD_NEW_CONN.
	 */
	IPVS_CMD_GET_CONN	= 0x43,
	IPVS_CMD_CONN_ERRORS	= 0x44,	/* answer only: IPVS_CONN_CMD_ATTR_ERROR ... */
};

/* Attributes of these commands' first level */
enum {
	IPVS_CONN_CMD_ATTR_UNSPEC,
	IPVS_CONN_CMD_ATTR_CONN,	/* nested IPVS_CONN_ATTR_*; may be repeated */
	IPVS_CONN_CMD_ATTR_ERROR,	/* nested IPVS_CONN_ERROR_ATTR_*; may be repeated */
	IPVS_CONN_CMD_ATTR_EXCLUSIVE,	/* flag: NEW adds only, EEXIST for what is there */
	__IPVS_CONN_CMD_ATTR_MAX,
};

#define IPVS_CONN_CMD_ATTR_MAX (__IPVS_CONN_CMD_ATTR_MAX - 1)

/* A connection. Its key is AF, PROTOCOL, CADDR, CPORT, VADDR, VPORT, and whether FLAGS has
 * IP_VS_CONN_F_TEMPLATE; CPORT is 0 in templates and with IP_VS_CONN_F_NO_CPORT. In a template of a
 * fwmark service PROTOCOL is 0 and VADDR begins with the mark in network order. Templates of a
 * persistence engine are found by PE_NAME and PE_DATA.
 */
enum {
	IPVS_CONN_ATTR_UNSPEC,
	IPVS_CONN_ATTR_PAD,
	IPVS_CONN_ATTR_AF,		/* u16: AF_INET or AF_INET6, of client and service */
	IPVS_CONN_ATTR_PROTOCOL,	/* u16: IPPROTO_*, 0 in templates of fwmark services */
	IPVS_CONN_ATTR_CADDR,		/* client's address: 4 or 16 bytes, by AF */
	IPVS_CONN_ATTR_CPORT,		/* be16 */
	IPVS_CONN_ATTR_VADDR,		/* service's address: 4 or 16 bytes, by AF */
	IPVS_CONN_ATTR_VPORT,		/* be16 */
	IPVS_CONN_ATTR_DAF,		/* u16: family of DADDR; absent: AF */
	IPVS_CONN_ATTR_DADDR,		/* destination's address: 4 or 16 bytes, by DAF */
	IPVS_CONN_ATTR_DPORT,		/* be16 */
	IPVS_CONN_ATTR_FLAGS,		/* u32: IP_VS_CONN_F_*; _F_SYNC: it was inserted */
	IPVS_CONN_ATTR_STATE,		/* u16: the protocol's state, or the template's bits */
	IPVS_CONN_ATTR_FWMARK,		/* u32: of a fwmark service; absent: 0 */
	IPVS_CONN_ATTR_TIMEOUT,		/* u32: ms from the last packet to expiry, in this state; at
					 * most ~0, 49 days, as EXPIRES
					 */
	IPVS_CONN_ATTR_EXPIRES,		/* u32: ms left until expiry */
	IPVS_CONN_ATTR_IN_SEQ,		/* nested IPVS_CONN_SEQ_ATTR_*: client to server */
	IPVS_CONN_ATTR_OUT_SEQ,		/* nested IPVS_CONN_SEQ_ATTR_*: server to client */
	IPVS_CONN_ATTR_CONTROL,		/* nested: key of the template or control connection */
	IPVS_CONN_ATTR_PE_NAME,		/* string: persistence engine of a template */
	IPVS_CONN_ATTR_PE_DATA,		/* binary, up to IP_VS_PEDATA_MAXLEN */
	IPVS_CONN_ATTR_IN_PACKETS,	/* u32: packets from the client, as the sync protocol needs
					 * them: begins at sync_threshold if inserted; read only
					 */
	IPVS_CONN_ATTR_N_CONTROL,	/* u32: connections that it controls; read only */
	IPVS_CONN_ATTR_HAS_DEST,	/* flag: a configured destination is bound; read only */
	IPVS_CONN_ATTR_FLAGS_MASK,	/* u32: in a GET: which bits of FLAGS must match */
	/* With IP_VS_CONN_F_COUNTED. What this host forwarded, as counted for services: IP's bytes,
	 * and ICMP errors too. 0 when inserted; read only.
	 */
	IPVS_CONN_ATTR_IN_COUNTERS,	/* nested IPVS_CONN_COUNTERS_ATTR_*: client to server */
	IPVS_CONN_ATTR_OUT_COUNTERS,	/* nested, the same: server to client, if it comes by */
	__IPVS_CONN_ATTR_MAX,
};

#define IPVS_CONN_ATTR_MAX (__IPVS_CONN_ATTR_MAX - 1)

/* Sequence numbers of one direction, as changed by an application helper (FTP) */
enum {
	IPVS_CONN_SEQ_ATTR_UNSPEC,
	IPVS_CONN_SEQ_ATTR_INIT,	/* u32: from here on DELTA applies, before it PREV_DELTA */
	IPVS_CONN_SEQ_ATTR_DELTA,	/* u32 */
	IPVS_CONN_SEQ_ATTR_PREV_DELTA,	/* u32 */
	__IPVS_CONN_SEQ_ATTR_MAX,
};

#define IPVS_CONN_SEQ_ATTR_MAX (__IPVS_CONN_SEQ_ATTR_MAX - 1)

/* What was forwarded in one direction */
enum {
	IPVS_CONN_COUNTERS_ATTR_UNSPEC,
	IPVS_CONN_COUNTERS_ATTR_PAD,
	IPVS_CONN_COUNTERS_ATTR_PACKETS,	/* u64 */
	IPVS_CONN_COUNTERS_ATTR_BYTES,		/* u64 */
	__IPVS_CONN_COUNTERS_ATTR_MAX,
};

#define IPVS_CONN_COUNTERS_ATTR_MAX (__IPVS_CONN_COUNTERS_ATTR_MAX - 1)

/* One connection of a request that failed */
enum {
	IPVS_CONN_ERROR_ATTR_UNSPEC,
	IPVS_CONN_ERROR_ATTR_INDEX,	/* u32: its place in the request, from 0 */
	IPVS_CONN_ERROR_ATTR_CODE,	/* u32: errno, positive */
	__IPVS_CONN_ERROR_ATTR_MAX,
};

#define IPVS_CONN_ERROR_ATTR_MAX (__IPVS_CONN_ERROR_ATTR_MAX - 1)

#endif /* _UAPI_LINUX_IP_VS_CONN_H */
