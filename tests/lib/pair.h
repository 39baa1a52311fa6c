/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole daemons in namespaces of their own, joined by one switch, for the tests of what they
 * promise together. Node i (from 0) has id i + 1, address 10.9.9.(i+1) and a conntrack table of its
 * own:
 *
 *   node 0 --s0--+
 *   node 1 --s0--+-- bridge
 *   node 2 --s0--+
 */
#ifndef TESTS_LIB_PAIR_H
#define TESTS_LIB_PAIR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/flow.h"
#include "tests/lib/notify.h"

enum { PAIR_NODES_MAX = 5, PAIR_PATH = 128 };

struct pair_node {
	int ns;	   /* descriptor */
	pid_t pid; /* of the daemon; 0: not running */
	char dir[PAIR_PATH];
	const char *program;	/* beside the tests' folder; NULL: syncd */
	struct notify *manager; /* service manager of the daemon; NULL: none */
};

struct pair {
	char dir[64];
	int sw; /* the switch's namespace */
	size_t nodes;
	bool dnat_only; /* pair_flows makes TCP with destination NAT only */
	bool second;	/* a second link: pair_second_link */
	char link[96];	/* further options of the links, for pair_configure */
	struct pair_node node[PAIR_NODES_MAX];
};

/* Makes the site, one key and a configuration for each node. Aborts where it cannot. */
void pair_open(struct pair *p, size_t nodes);

/*
 * Kills what still runs and removes everything; the kernels' flows first, so that the kernel does
 * not clear away hundreds of thousands behind whatever is measured next.
 */
void pair_close(struct pair *p);

/* A second switch, br1, with a port s1 on each node (10.9.10.(i+1)); pair_configure uses both. */
void pair_second_link(struct pair *p);

/* One of the switches' ports, of node i on link 0 or 1, up or down: the node sees its carrier. */
void pair_cable(struct pair *p, size_t i, unsigned link, bool up);

/* Writes node i's configuration anew: the usual one with `group` and whatever `extra` adds. */
void pair_configure(struct pair *p, size_t i, const char *group, const char *extra);

/* Starts node i's daemon; with wait, returns once its control socket answers. */
void pair_start(struct pair *p, size_t i, bool wait);

/* Sends a signal and waits for its end. Returns the exit code, or 128 + the signal that killed it.
 */
int pair_stop(struct pair *p, size_t i, int sig);

/* What it has logged so far, to be freed. */
char *pair_log(struct pair *p, size_t i);

/* One request such as "role", with "group" and "role" where not NULL. Returns the code or -errno.
 */
int pair_ask(struct pair *p, size_t i, const char *command, const char *group, const char *role,
	     json_t **response);

/* A number (or boolean as 0 and 1) of the first group's status, or of counters; -1 where it is not
 * there. */
long long pair_group(struct pair *p, size_t i, const char *member);
long long pair_counter(struct pair *p, size_t i, const char *name);

/* Waits until pair_group or pair_counter is at least so much. False after timeout_ms. */
bool pair_wait_group(struct pair *p, size_t i, const char *member, long long value,
		     unsigned timeout_ms);
bool pair_wait_counter(struct pair *p, size_t i, const char *name, long long value,
		       unsigned timeout_ms);

/* Until node i stands by with `flows` flows, equal, all of them in its kernel. */
bool pair_wait_equal(struct pair *p, size_t i, long long flows, unsigned timeout_ms);

/* For netns_wait_for, with the pair: node 0 knows no peer any more. */
bool pair_is_alone(void *pair);

/* Goes into node i's namespace, or back to the switch's. */
void pair_enter(struct pair *p, size_t i);
void pair_leave(struct pair *p);

/* Makes, or with del deletes, flows first .. first + n - 1 in node i's kernel: of 4 x 50,000, with
 * dnat_only of 100 x 50,000. */
void pair_flows(struct pair *p, size_t i, unsigned first, unsigned n, bool del);

/* The n-th of these flows, and the number of one that has come back. */
struct flow pair_flow(const struct pair *p, unsigned n);
unsigned pair_flow_number(const struct flow *f);

/* Of what comes in over the sync link, nodes lose so many percent at random; 0: nothing, 100: all.
 */
void pair_set_loss(struct pair *p, unsigned percent);

/* Bytes that node i has sent over the sync link since it was made, link headers included. */
unsigned long long pair_sent_bytes(struct pair *p, size_t i);

/* Entries in node i's kernel that name the virtual address 203.0.113.10 or the NAT's 203.0.113.9.
 */
size_t pair_kernel_count(struct pair *p, size_t i);

#endif
