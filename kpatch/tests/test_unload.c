/*
 * test_unload: the module goes while a listener is there, which outlives it, and with connections
 * in its table; it stays while a dump is under way; and it comes back. It expects to be the only
 * user of ip_vs, and leaves it loaded.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kpatch/tests/client.h"
#include "kpatch/tests/tap.h"

#define CONNECTIONS 2000
#define BATCH	    200
#define QUIET_MS    300
#define PATIENCE_MS 15000
#define ROUNDS	    3

static int add_connections(struct client *client)
{
	int err = 0;

	for (uint16_t i = 0; i < CONNECTIONS && !err;) {
		client_begin(client, IPVS_CMD_NEW_CONN);
		for (int k = 0; k < BATCH; k++, i++) {
			struct conn conn = conn_tcp4("10.1.2.3", (uint16_t)(1024 + i), "10.9.0.1",
						     80, "10.9.1.1", 8080);

			client_add(client, &conn);
		}
		err = client_send(client, NULL, 0, NULL);
	}
	return err;
}

static struct client *listener_open(void)
{
	struct client *listener = client_open();

	if (listener && (client_join(listener, IPVS_CONN_GENL_MCGRP_NEW) ||
			 client_join(listener, IPVS_CONN_GENL_MCGRP_SET) ||
			 client_join(listener, IPVS_CONN_GENL_MCGRP_DEL))) {
		client_close(listener);
		return NULL;
	}
	return listener;
}

static bool unload(void)
{
	return !system("rmmod $(lsmod | sed -n 's/^\\(ip_vs[^ ]*\\) .*/\\1/p') 2>/dev/null");
}

/* A reader that closes gives the module back a little later. */
static bool unload_in_time(void)
{
	for (int i = 0; i < PATIENCE_MS / QUIET_MS; i++) {
		if (unload())
			return true;
		(void)poll(NULL, 0, QUIET_MS);
	}
	return false;
}

static bool load(void)
{
	return !system("modprobe -a ip_vs ip_vs_rr");
}

static void test_under_listener(struct tap *tap, int round)
{
	struct client *client, *listener;
	int events;

	if (!tap_ok(tap, load(), "load, round %d", round))
		return;
	client = client_open();
	listener = listener_open();
	if (!tap_ok(tap, client && listener, "listen"))
		return;
	tap_err(tap, 0, add_connections(client), "connections");
	tap_ok(tap, unload(), "unload under the listener");
	events = client_events(listener, QUIET_MS, NULL, NULL);
	tap_ok(tap, events == CONNECTIONS,
	       "it has what was told before: %d events; the end of the table is not told", events);
	tap_err(tap, -ENOENT, client_dump(client, NULL, NULL, NULL), "ask for a dump");
	tap_ok(tap, load(), "load again under it");
	client_close(client);
	client_close(listener);
}

/* A dump that is not read to its end keeps the module. */
static void test_under_dump(struct tap *tap)
{
	struct client *client = client_open(), *reader = client_open();
	int size = 4096;

	if (!tap_ok(tap, client && reader, "open"))
		return;
	tap_err(tap, 0, add_connections(client), "connections");
	(void)setsockopt(client_fd(reader), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	tap_err(tap, 0, client_dump_begin(reader), "begin a dump");
	tap_ok(tap, !unload(), "the module stays under it");
	client_close(reader);
	client_close(client);
	tap_ok(tap, unload_in_time(), "and goes when its reader has gone");
}

int main(void)
{
	struct tap tap = {0};

	tap_ok(&tap, unload(), "unload");
	for (int i = 0; i < ROUNDS; i++)
		test_under_listener(&tap, i);
	test_under_dump(&tap);
	tap_ok(&tap, load(), "load");
	return tap_end(&tap);
}
