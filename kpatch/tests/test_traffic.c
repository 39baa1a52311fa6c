/*
 * test_traffic: the events of connections that packets make, through a director that translates
 * addresses (site.h): every state of a protocol in its order, persistence, keys used again, one
 * packet connections.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kpatch/tests/client.h"
#include "kpatch/tests/site.h"
#include "kpatch/tests/tap.h"

#define QUIET_MS  300
#define TRACE_MAX 1024

/* The protocols' states, from the kernel's include/net/ip_vs.h. */
enum { TCP_NONE, TCP_EST, TCP_SS, TCP_SR, TCP_FW, TCP_TW, TCP_CL, TCP_CW, TCP_LA };

struct fixture {
	struct tap tap;
	struct client *client, *listener;
	char trace[TRACE_MAX]; /* events since the last look: "new 3, set 1, ..." */
	struct conn last;
	bool control_seen;
};

static void trace(void *arg, uint8_t cmd, uint32_t portid, const struct conn *conn)
{
	const char *name = cmd == IPVS_CMD_NEW_CONN   ? "new"
			   : cmd == IPVS_CMD_SET_CONN ? "set"
						      : "del";
	const char *kind = conn->flags & IP_VS_CONN_F_TEMPLATE ? "template " : "";
	struct fixture *f = arg;
	size_t used = strlen(f->trace);

	(void)portid;
	snprintf(f->trace + used, sizeof(f->trace) - used, "%s%s%s %u", used ? ", " : "", kind,
		 name, conn->state);
	if (conn->control)
		f->control_seen = true;
	f->last = *conn;
	f->last.control = NULL;
	f->last.given &= ~CONN_BIT(IPVS_CONN_ATTR_CONTROL);
}

static void forget(struct fixture *f)
{
	client_events(f->listener, QUIET_MS, trace, f);
	f->trace[0] = '\0';
	f->control_seen = false;
}

static void expect(struct fixture *f, const char *expected, const char *what)
{
	client_events(f->listener, QUIET_MS, trace, f);
	if (!strcmp(expected, f->trace))
		tap_ok(&f->tap, true, "%s: %s", what, expected);
	else
		tap_ok(&f->tap, false, "%s: expected \"%s\", got \"%s\"", what, expected, f->trace);
	f->trace[0] = '\0';
}

/* Lets the connection of the last event expire, and expects to be told. */
static void expect_expiry(struct fixture *f, const char *expected, const char *what)
{
	struct conn set = f->last;

	set.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_EXPIRES);
	if (set.flags & IP_VS_CONN_F_TEMPLATE)
		set.given |= CONN_BIT(IPVS_CONN_ATTR_FLAGS);
	set.expires_ms = 1;
	client_request(f->client, IPVS_CMD_SET_CONN, &set);
	expect(f, expected, what);
}

/* A connection through the director, both of its ends. */
struct pair {
	int client, server;
};

static bool open_pair(struct fixture *f, int family, int protocol, uint16_t cport, uint16_t port,
		      struct pair *pair)
{
	int listener = site_socket(SITE_AT_SERVER, family, SOCK_STREAM, protocol, port);
	int err;

	pair->client = site_socket(SITE_AT_CLIENT, family, SOCK_STREAM, protocol, cport);
	if (listener < 0 || pair->client < 0 || listen(listener, 8))
		return tap_ok(&f->tap, false, "sockets: %d, %d", listener, pair->client);
	err = site_connect(pair->client, family == AF_INET6 ? SITE_SERVICE6 : SITE_SERVICE, port);
	pair->server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	return tap_ok(&f->tap, !err && pair->server >= 0, "connect: %s", strerror(-err));
}

static void test_tcp(struct fixture *f, int family, const char *name)
{
	struct pair pair;
	char byte;

	if (!open_pair(f, family, 0, 0, 80, &pair))
		return;
	expect(f, "new 3, set 1", name);
	tap_ok(&f->tap,
	       !(f->last.flags & IP_VS_CONN_F_SYNC) && f->last.has_dest && f->last.af == family &&
		       f->last.in_packets >= 1 && f->last.timeout_ms == 900000,
	       "all of it is told: timeout %u, packets %u", f->last.timeout_ms, f->last.in_packets);
	tap_ok(&f->tap,
	       write(pair.client, "x", 1) == 1 && read(pair.server, &byte, 1) == 1 &&
		       write(pair.server, "y", 1) == 1 && read(pair.client, &byte, 1) == 1,
	       "talk");
	expect(f, "", "talking changes nothing");
	shutdown(pair.client, SHUT_WR);
	expect(f, "set 7", "the client closes: CLOSE_WAIT");
	shutdown(pair.server, SHUT_WR);
	expect(f, "set 5", "the server closes: TIME_WAIT");
	close(pair.client);
	close(pair.server);
	expect_expiry(f, "del 5", "expiry");
}

static void test_tcp_server_first(struct fixture *f)
{
	struct pair pair;

	if (!open_pair(f, AF_INET, 0, 0, 80, &pair))
		return;
	forget(f);
	shutdown(pair.server, SHUT_WR);
	expect(f, "set 4", "the server closes first: FIN_WAIT");
	shutdown(pair.client, SHUT_WR);
	expect(f, "set 5", "the client closes: TIME_WAIT");
	close(pair.client);
	close(pair.server);
	expect_expiry(f, "del 5", "expiry");
}

static void reset(int fd)
{
	struct linger linger = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

static void test_tcp_reset(struct fixture *f)
{
	struct pair pair;

	if (!open_pair(f, AF_INET, 0, 0, 80, &pair))
		return;
	forget(f);
	reset(pair.client);
	expect(f, "set 6", "the client resets: CLOSE");
	close(pair.server);
	expect_expiry(f, "del 6", "expiry");
}

/* A client that uses its port again gets a new connection in place of the old. */
static void test_port_again(struct fixture *f)
{
	struct pair pair;

	if (!open_pair(f, AF_INET, 0, 5555, 80, &pair))
		return;
	shutdown(pair.client, SHUT_WR);
	shutdown(pair.server, SHUT_WR);
	reset(pair.server);
	reset(pair.client);
	forget(f);
	if (!open_pair(f, AF_INET, 0, 5555, 80, &pair))
		return;
	expect(f, "new 3, set 1", "a port is used again: no deletion after the new one");
	tap_u32(&f->tap, 1, (unsigned int)client_dump(f->client, NULL, NULL, NULL),
		"one connection has the key");
	reset(pair.client);
	reset(pair.server);
	forget(f);
	expect_expiry(f, "del 6", "it ends");
}

static bool send_to_server(int client, uint16_t port, int server, struct sockaddr_in *from)
{
	socklen_t len = sizeof(*from);
	char byte;

	return !site_connect(client, SITE_SERVICE, port) && send(client, "x", 1, 0) == 1 &&
	       recvfrom(server, &byte, 1, 0, (struct sockaddr *)from, &len) == 1;
}

static bool exchange(int client, uint16_t port, int server)
{
	struct sockaddr_in from;
	char byte;

	return send_to_server(client, port, server, &from) &&
	       sendto(server, "y", 1, 0, (struct sockaddr *)&from, sizeof(from)) == 1 &&
	       recv(client, &byte, 1, 0) == 1;
}

static void test_udp(struct fixture *f)
{
	int server = site_socket(SITE_AT_SERVER, AF_INET, SOCK_DGRAM, 0, 53);
	int client = site_socket(SITE_AT_CLIENT, AF_INET, SOCK_DGRAM, 0, 0);
	struct sockaddr_in from;

	tap_ok(&f->tap, exchange(client, 53, server), "UDP exchange");
	expect(f, "new 0", "UDP: one state");
	expect_expiry(f, "del 0", "expiry");
	close(server);
	server = site_socket(SITE_AT_SERVER, AF_INET, SOCK_DGRAM, 0, 54);
	tap_ok(&f->tap, send_to_server(client, 54, server, &from), "one packet");
	expect(f, "", "one packet connections are not told");
	close(client);
	close(server);
}

static void test_sctp(struct fixture *f)
{
	struct pair pair;
	int probe = site_socket(SITE_AT_CLIENT, AF_INET, SOCK_STREAM, IPPROTO_SCTP, 0);

	if (probe < 0) {
		tap_ok(&f->tap, true, "SCTP # SKIP the kernel has none");
		return;
	}
	close(probe);
	if (!open_pair(f, AF_INET, IPPROTO_SCTP, 0, 90, &pair))
		return;
	/* INIT1, INIT_ACK, COOKIE_ECHO, COOKIE, ESTABLISHED as ip_vs_proto_sctp.c numbers them */
	client_events(f->listener, QUIET_MS, trace, f);
	tap_ok(&f->tap, !strncmp(f->trace, "new 1, set ", 11) && strstr(f->trace, "set 8"),
	       "SCTP association: %s", f->trace);
	f->trace[0] = '\0';
	close(pair.client);
	close(pair.server);
	client_events(f->listener, QUIET_MS, trace, f);
	tap_ok(&f->tap, strstr(f->trace, "set 13"), "SCTP shutdown: %s", f->trace);
	f->trace[0] = '\0';
	expect_expiry(f, "del 13", "expiry");
}

static void test_persistence(struct fixture *f)
{
	struct pair pair, second;

	if (!open_pair(f, AF_INET, 0, 0, 81, &pair))
		return;
	expect(f, "template new 0, new 3, template set 1, set 1",
	       "persistent: the template comes first, and is assured");
	tap_ok(&f->tap, f->control_seen, "the connection names it");
	if (!open_pair(f, AF_INET, 0, 0, 81, &second))
		return;
	expect(f, "new 3, set 1", "the client's next connection");

	/* the server goes: its template ends when the client comes again */
	site_rules("-e -t " SITE_SERVICE ":81 -r 10.2.0.2 -m -w 0\n"
		   "-a -t " SITE_SERVICE ":81 -r 10.2.0.3 -m\n");
	forget(f);
	reset(second.client);
	reset(second.server);
	reset(pair.client);
	reset(pair.server);
	forget(f);
	if (!open_pair(f, AF_INET, 0, 0, 81, &pair))
		return;
	expect(f, "template del 1, template new 0, new 3, template set 1, set 1",
	       "its server is quiescent: another template");
	reset(pair.client);
	reset(pair.server);
	forget(f);
}

int main(void)
{
	struct fixture f = {0};
	int err = site_open();

	if (!tap_ok(&f.tap, !err, "build the site: %s", strerror(-err)))
		return tap_end(&f.tap);
	err = site_rules("-A -t 10.1.0.100:80 -s rr\n-a -t 10.1.0.100:80 -r 10.2.0.2 -m\n"
			 "-A -t [fd01::100]:80 -s rr\n-a -t [fd01::100]:80 -r [fd02::2]:80 -m\n"
			 "-A -u 10.1.0.100:53 -s rr\n-a -u 10.1.0.100:53 -r 10.2.0.2 -m\n"
			 "-A -u 10.1.0.100:54 -s rr -o\n-a -u 10.1.0.100:54 -r 10.2.0.2 -m\n"
			 "-A -t 10.1.0.100:81 -s rr -p 300\n-a -t 10.1.0.100:81 -r 10.2.0.2 -m\n"
			 "-A --sctp-service 10.1.0.100:90 -s rr\n"
			 "-a --sctp-service 10.1.0.100:90 -r 10.2.0.2 -m\n");
	tap_ok(&f.tap, !err, "services");
	if (system("echo 1 >/proc/sys/net/ipv4/vs/expire_quiescent_template"))
		tap_ok(&f.tap, false, "sysctl");
	f.client = client_open();
	f.listener = client_open();
	if (!tap_ok(&f.tap,
		    f.client && f.listener && !client_join(f.listener, IPVS_CONN_GENL_MCGRP_NEW) &&
			    !client_join(f.listener, IPVS_CONN_GENL_MCGRP_SET) &&
			    !client_join(f.listener, IPVS_CONN_GENL_MCGRP_DEL),
		    "listen"))
		return tap_end(&f.tap);
	test_tcp(&f, AF_INET, "TCP over IPv4: SYN_RECV, ESTABLISHED");
	test_tcp(&f, AF_INET6, "TCP over IPv6");
	test_tcp_server_first(&f);
	test_tcp_reset(&f);
	test_port_again(&f);
	test_udp(&f);
	test_sctp(&f);
	test_persistence(&f);
	client_close(f.listener);
	client_close(f.client);
	(void)!system("ipvsadm -C");
	return tap_end(&f.tap);
}
