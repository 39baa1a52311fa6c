/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small site of site.h for tests of IPVS's edges, without nftables, which not every guest has.
 * Traffic goes through `box`; `twin` has the same addresses and is a standby that is wired to
 * nobody. Each balancer has a back end opened in it. Failures end the test (Check).
 */
#ifndef TESTS_LIB_IPVS_SITE_H
#define TESTS_LIB_IPVS_SITE_H

#include "syncd/kernel/ipvs.h"

enum { IPVS_HEARD_MAX = 64 };

struct ipvs_heard {
	struct flow flow;
	uint8_t pe_data[FLOW_PE_DATA_MAX];
	bool gone;
};

struct ipvs_node {
	int ns;
	struct ipvs_edge edge;
	struct ipvs_heard event[IPVS_HEARD_MAX],
		dumped[IPVS_HEARD_MAX]; /* last word of each flow */
	size_t events, dumps;
	size_t mark; /* events before it are of no interest to ipvs_site_hear */
	bool dump_ended;
	int put_err;
	bool put_done;
};

struct ipvs_site {
	int client, server;
	struct ipvs_node box, twin;
};

/* Builds it; the caller is left in the box, whose process it ends with. */
void ipvs_site_open(struct ipvs_site *s);

/* Runs a shell command in both balancers, which must succeed: ipvsadm's, say. */
void ipvs_site_both(struct ipvs_site *s, const char *command);

/* Opens the back end in both, for as long as the process lives; the box listens as active. */
void ipvs_site_edges(struct ipvs_site *s, enum ipvs_backend backend);

/* A socket in a namespace, bound to ip and port (0: any); listening if TCP or SCTP and `listens`.
 * proto: 0, or IPPROTO_SCTP. mark: SO_MARK, 0 none. */
struct ipvs_socket {
	int ns, family, type, proto;
	const char *ip;
	uint16_t port;
	bool listens;
	uint32_t mark;
};
int ipvs_site_socket(const struct ipvs_socket *want); /* -errno where the kernel has no such */

/* Connects, and sends text where it is not NULL. From the namespace of fd. Returns 0 or -errno. */
int ipvs_site_connect(int fd, const char *ip, uint16_t port, const char *text);

/* Turns the box's back end until an event matches; the flow, or NULL after timeout_ms. */
typedef bool ipvs_site_match(const struct flow *f);
const struct flow *ipvs_site_hear(struct ipvs_node *n, ipvs_site_match *match, unsigned timeout_ms);

/* A dump of the node's kernel; afterwards in n->dumped. */
void ipvs_site_dump(struct ipvs_node *n);
const struct flow *ipvs_site_dumped(const struct ipvs_node *n, const struct flow_key *key);

/* Puts a flow into the node's kernel. Returns the result. */
int ipvs_site_put(struct ipvs_node *n, const struct flow *f);

#endif
