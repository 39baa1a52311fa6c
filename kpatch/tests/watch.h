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

/*
 * Checks that just these events come, or passes over what comes. They are waited for as long as a
 * kernel may take that checks itself at each step; only that nothing more comes is a matter of
 * time.
 */
void watch_expect(struct watch *w, const char *expected, const char *what);
void watch_forget(struct watch *w);

/* Waits until `event` is in `trace`, and leaves it there. False: it did not come. */
bool watch_await(struct watch *w, const char *event);

/* Lets a connection expire, and expects to be told. */
void watch_expire(struct watch *w, const struct conn *conn, const char *expected);

/*
 * The same of a connection that its ends have just closed: waits for the event of that first, and
 * minds neither what else comes nor that its own timeout may be the shorter.
 */
void watch_finish(struct watch *w, const struct conn *conn, const char *closed,
		  const char *expired);

/* Deletes all connections that there are, so that none of them ends in a later check. */
void watch_clear(struct watch *w);

/* A TCP or SCTP connection through the director, both of its ends. */
struct pair {
	int client, server;
};

/* Connects a client's port (0: any) to the service's `port`, where a server listens. */
bool watch_connect(struct watch *w, int family, int protocol, uint16_t cport, uint16_t port,
		   struct pair *pair);

/* Closes one side by a reset. */
void watch_reset(int fd);

/* Waits until neither end owes the other an acknowledgement: no packet is under way. */
void watch_settle(struct watch *w, const struct pair *pair);

/* Sends `text` from one end and checks that `expected` arrives at the other. */
void watch_send(struct watch *w, int from, int to, const char *text, const char *expected);

#endif
