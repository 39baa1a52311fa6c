/*
 * watch: the events of a director's connections as text, and connections through it to cause them
 * (site.h). "new 3, set 1" are a new connection in state 3 that changed to state 1. Before the
 * verb: "template"; "data" for one that another connection controls; "portless" for one whose
 * client port is not known yet.
 */
#ifndef KPATCH_TESTS_WATCH_H
#define KPATCH_TESTS_WATCH_H

#include "kpatch/tests/client.h"
#include "kpatch/tests/tap.h"

#define WATCH_TRACE_MAX 1024

struct watch {
	struct tap tap;
	struct client *client, *listener;
	char trace[WATCH_TRACE_MAX]; /* events since the last look */
	struct conn last;	     /* that of the last event, its control taken off */
	struct conn last_data;	     /* the same of the last event of a data connection */
	bool control_seen;
};

/* The protocol's states, from the kernel's include/net/ip_vs.h. */
enum { TCP_NONE, TCP_EST, TCP_SS, TCP_SR, TCP_FW, TCP_TW, TCP_CL, TCP_CW, TCP_LA, TCP_LISTENING };

/* Builds the site with these rules of ipvsadm, and listens to all events. False: give up. */
bool watch_open(struct watch *w, const char *rules);
void watch_close(struct watch *w);

/* Adds what has come to `trace`. */
void watch_look(struct watch *w);

/* Checks that these events came since the last look, or passes them over. */
void watch_expect(struct watch *w, const char *expected, const char *what);
void watch_forget(struct watch *w);

/* Lets a connection expire, and expects to be told. */
void watch_expire(struct watch *w, const struct conn *conn, const char *expected);

/* A TCP or SCTP connection through the director, both of its ends. */
struct pair {
	int client, server;
};

/* Connects a client's port (0: any) to the service's `port`, where a server listens. */
bool watch_connect(struct watch *w, int family, int protocol, uint16_t cport, uint16_t port,
		   struct pair *pair);

/* Closes one side by a reset. */
void watch_reset(int fd);

/* Sends `text` from one end and checks that `expected` arrives at the other. */
void watch_send(struct watch *w, int from, int to, const char *text, const char *expected);

#endif
