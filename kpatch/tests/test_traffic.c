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
#include "kpatch/tests/watch.h"

static void test_tcp(struct watch *f, int family, const char *name)
{
	struct pair pair;
	char byte;

	if (!watch_connect(f, family, 0, 0, 80, &pair))
		return;
	watch_expect(f, "new 3, set 1", name);
	tap_ok(&f->tap,
	       !(f->last.flags & IP_VS_CONN_F_SYNC) && f->last.has_dest && f->last.af == family &&
		       f->last.in_packets >= 1 && f->last.timeout_ms == 900000,
	       "all of it is told: timeout %u, packets %u", f->last.timeout_ms, f->last.in_packets);
	tap_ok(&f->tap,
	       write(pair.client, "x", 1) == 1 && read(pair.server, &byte, 1) == 1 &&
		       write(pair.server, "y", 1) == 1 && read(pair.client, &byte, 1) == 1,
	       "talk");
	watch_expect(f, "", "talking changes nothing");
	shutdown(pair.client, SHUT_WR);
	watch_expect(f, "set 7", "the client closes: CLOSE_WAIT");
	shutdown(pair.server, SHUT_WR);
	watch_expect(f, "set 5", "the server closes: TIME_WAIT");
	close(pair.client);
	close(pair.server);
	watch_expire(f, &f->last, "del 5");
}

static void test_tcp_server_first(struct watch *f)
{
	struct pair pair;

	if (!watch_connect(f, AF_INET, 0, 0, 80, &pair))
		return;
	watch_forget(f);
	shutdown(pair.server, SHUT_WR);
	watch_expect(f, "set 4", "the server closes first: FIN_WAIT");
	shutdown(pair.client, SHUT_WR);
	watch_expect(f, "set 5", "the client closes: TIME_WAIT");
	close(pair.client);
	close(pair.server);
	watch_expire(f, &f->last, "del 5");
}

static void test_tcp_reset(struct watch *f)
{
	struct pair pair;

	if (!watch_connect(f, AF_INET, 0, 0, 80, &pair))
		return;
	watch_forget(f);
	watch_reset(pair.client);
	watch_expect(f, "set 6", "the client resets: CLOSE");
	close(pair.server);
	watch_expire(f, &f->last, "del 6");
}

/* A client that uses its port again gets a new connection in place of the old. */
static void test_port_again(struct watch *f)
{
	struct pair pair;

	if (!watch_connect(f, AF_INET, 0, 5555, 80, &pair))
		return;
	shutdown(pair.client, SHUT_WR);
	shutdown(pair.server, SHUT_WR);
	tap_ok(&f->tap, watch_await(f, "set 5"), "a connection ends in TIME_WAIT");
	watch_reset(pair.server);
	watch_reset(pair.client);
	watch_forget(f);
	if (!watch_connect(f, AF_INET, 0, 5555, 80, &pair))
		return;
	watch_expect(f, "new 3, set 1", "a port is used again: no deletion after the new one");
	tap_u32(&f->tap, 1, (unsigned int)client_dump(f->client, NULL, NULL, NULL),
		"one connection has the key");
	watch_reset(pair.client);
	watch_reset(pair.server);
	watch_finish(f, &f->last, "set 6", "del 6");
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

static void test_udp(struct watch *f)
{
	int server = site_socket(SITE_AT_SERVER, AF_INET, SOCK_DGRAM, 0, 53);
	int client = site_socket(SITE_AT_CLIENT, AF_INET, SOCK_DGRAM, 0, 0);
	struct sockaddr_in from;
	struct conn key, got;

	tap_ok(&f->tap, exchange(client, 53, server), "UDP exchange");
	watch_expect(f, "new 0", "UDP: one state");
	for (int i = 0; i < 4; i++)
		exchange(client, 53, server);
	key = f->last;
	key.given = CONN_KEY;
	if (tap_err(&f->tap, 0, client_get(f->client, &key, &got), "get it")) {
		tap_u32(&f->tap, 5, got.in_packets, "packets from the client");
		tap_ok(&f->tap, !(got.given & CONN_COUNTERS), "counters are not there unasked");
		conn_clear(&got);
	}
	watch_expect(f, "", "packets alone are not told");
	watch_expire(f, &f->last, "del 0");
	close(server);
	server = site_socket(SITE_AT_SERVER, AF_INET, SOCK_DGRAM, 0, 54);
	tap_ok(&f->tap, send_to_server(client, 54, server, &from), "one packet");
	watch_expect(f, "", "one packet connections are not told");
	close(client);
	close(server);
}

static void test_sctp(struct watch *f)
{
	struct pair pair;
	int probe = site_socket(SITE_AT_CLIENT, AF_INET, SOCK_STREAM, IPPROTO_SCTP, 0);

	if (probe < 0) {
		tap_ok(&f->tap, true, "SCTP # SKIP the kernel has none");
		return;
	}
	close(probe);
	if (!watch_connect(f, AF_INET, IPPROTO_SCTP, 0, 90, &pair))
		return;
	/* INIT1, INIT_ACK, COOKIE_ECHO, COOKIE, ESTABLISHED as ip_vs_proto_sctp.c numbers them */
	tap_ok(&f->tap, watch_await(f, "set 8") && !strncmp(f->trace, "new 1, set ", 11),
	       "SCTP association: %s", f->trace);
	f->trace[0] = '\0';
	close(pair.client);
	close(pair.server);
	watch_finish(f, &f->last, "set 13", "del 13");
}

static void test_persistence(struct watch *f)
{
	struct pair pair, second;
	struct conn first, next;

	if (!watch_connect(f, AF_INET, 0, 0, 81, &pair))
		return;
	watch_expect(f, "template new 0, new 3, template set 1, set 1",
		     "persistent: the template comes first, and is assured");
	tap_ok(&f->tap, f->control_seen, "the connection names it");
	first = f->last;
	if (!watch_connect(f, AF_INET, 0, 0, 81, &second))
		return;
	watch_expect(f, "new 3, set 1", "the client's next connection");
	next = f->last;

	/* the server goes: its template ends when the client comes again */
	site_rules("-e -t " SITE_SERVICE ":81 -r 10.2.0.2 -m -w 0\n"
		   "-a -t " SITE_SERVICE ":81 -r 10.2.0.3 -m\n");
	watch_forget(f);
	watch_reset(second.client);
	watch_reset(second.server);
	watch_finish(f, &next, "set 6", "del 6");
	watch_reset(pair.client);
	watch_reset(pair.server);
	watch_finish(f, &first, "set 6", "del 6");
	if (!watch_connect(f, AF_INET, 0, 0, 81, &pair))
		return;
	watch_expect(f, "template del 1, template new 0, new 3, template set 1, set 1",
		     "its server is quiescent: another template");
	watch_reset(pair.client);
	watch_reset(pair.server);
	watch_clear(f);
}

/* Inserted before its service is configured, bound when it is next prolonged. */
static void test_late_destination(struct watch *f)
{
	struct conn conn = conn_tcp4(SITE_CLIENT, 40000, SITE_SERVICE, 82, SITE_SERVER, 82), set,
		    got;

	conn.flags = IP_VS_CONN_F_DROUTE;
	tap_err(&f->tap, 0, client_request(f->client, IPVS_CMD_NEW_CONN, &conn),
		"a connection of a service that is not configured");
	watch_expect(f, "new 1", "it is told");
	tap_ok(&f->tap, !f->last.has_dest, "it is not bound");
	site_rules("-A -t " SITE_SERVICE ":82 -s rr\n-a -t " SITE_SERVICE ":82 -r 10.2.0.2 -m\n");
	set = conn;
	set.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_TIMEOUT);
	set.timeout_ms = 600000;
	tap_err(&f->tap, 0, client_request(f->client, IPVS_CMD_SET_CONN, &set),
		"prolong it, the service being there");
	watch_expect(f, "set 1", "its binding is told");
	if (tap_err(&f->tap, 0, client_get(f->client, &conn, &got), "get it")) {
		tap_ok(&f->tap, got.has_dest, "it is bound");
		tap_u32(&f->tap, IP_VS_CONN_F_MASQ, got.flags & IP_VS_CONN_F_FWD_MASK,
			"its destination decides the forwarding");
		conn_clear(&got);
	}
	tap_ok(&f->tap, !system("ipvsadm -Ln | grep -q '10.2.0.2:82 *Masq *1 *1 *0'"),
	       "it counts as active");
	client_request(f->client, IPVS_CMD_SET_CONN, &set);
	watch_expect(f, "", "prolonged again: nothing to tell");
	client_delete(f->client, &set);
	watch_expect(f, "del 1", "deleted");
}

int main(void)
{
	struct watch f = {0};

	if (!watch_open(&f, "-A -t 10.1.0.100:80 -s rr\n-a -t 10.1.0.100:80 -r 10.2.0.2 -m\n"
			    "-A -t [fd01::100]:80 -s rr\n-a -t [fd01::100]:80 -r [fd02::2]:80 -m\n"
			    "-A -u 10.1.0.100:53 -s rr\n-a -u 10.1.0.100:53 -r 10.2.0.2 -m\n"
			    "-A -u 10.1.0.100:54 -s rr -o\n-a -u 10.1.0.100:54 -r 10.2.0.2 -m\n"
			    "-A -t 10.1.0.100:81 -s rr -p 300\n-a -t 10.1.0.100:81 -r 10.2.0.2 -m\n"
			    "-A --sctp-service 10.1.0.100:90 -s rr\n"
			    "-a --sctp-service 10.1.0.100:90 -r 10.2.0.2 -m\n"))
		return tap_end(&f.tap);
	if (system("echo 1 >/proc/sys/net/ipv4/vs/expire_quiescent_template"))
		tap_ok(&f.tap, false, "sysctl");
	test_tcp(&f, AF_INET, "TCP over IPv4: SYN_RECV, ESTABLISHED");
	test_tcp(&f, AF_INET6, "TCP over IPv6");
	test_tcp_server_first(&f);
	test_tcp_reset(&f);
	test_port_again(&f);
	test_udp(&f);
	test_sctp(&f);
	test_persistence(&f);
	test_late_destination(&f);
	watch_close(&f);
	return tap_end(&f.tap);
}
