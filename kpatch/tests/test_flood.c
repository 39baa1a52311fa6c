/*
 * test_flood: a flood of new connections through the director, with the kernel's defence against
 * it, one listener that does not read and one that does, dumps and deletions meanwhile: memory is
 * bounded, other connections are not disturbed, and what was told agrees with what is there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kpatch/tests/client.h"
#include "kpatch/tests/site.h"
#include "kpatch/tests/tap.h"

#define FLOOD	     20000
#define FLOOD_LEAST  500
#define FLOOD_MS     20000 /* half-open connections expire after 60 s */
#define FLOOD_PORT   83
#define ECHO_PORT    53
#define ECHO_EVERY   200
#define SLOW_BUFFER  65536
#define WAITS	     240
#define WAIT_MS	     500
#define ECHO_SECONDS 30

struct flood {
	struct tap tap;
	struct client *slow, *fast, *reader;
	int echo_client, echo_server; /* the ends of another connection */
	atomic_bool stop;
	atomic_int dumps;
	int sent, new, del;
};

/* ---- packets -----------------------------------------------------------------------------------
 */

struct syn {
	struct iphdr ip;
	struct tcphdr tcp;
};

static uint32_t add16(uint32_t sum, const void *bytes, size_t len)
{
	const uint16_t *words = bytes;

	for (size_t i = 0; i < len / 2; i++)
		sum += words[i];
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The first packet of connection `i`, from one of 50,000 ports of several addresses. */
static struct syn make_syn(uint32_t i)
{
	struct syn syn = {
		.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP},
		.tcp = {.doff = 5, .syn = 1, .dest = htons(FLOOD_PORT), .window = htons(1000)},
	};
	uint32_t pseudo;

	syn.ip.tot_len = htons(sizeof(syn));
	syn.ip.saddr = htonl(0x0a010032U + i / 10000);
	inet_pton(AF_INET, SITE_SERVICE, &syn.ip.daddr);
	syn.tcp.source = htons((uint16_t)(10000 + i % 10000));
	pseudo = add16(0, &syn.ip.saddr, 8) + htons(IPPROTO_TCP) + htons(sizeof(syn.tcp));
	syn.tcp.check = fold(add16(pseudo, &syn.tcp, sizeof(syn.tcp)));
	return syn;
}

static bool echo(int client, int server)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char byte;

	return send(client, "x", 1, 0) == 1 &&
	       recvfrom(server, &byte, 1, 0, (struct sockaddr *)&from, &len) == 1 &&
	       sendto(server, "y", 1, 0, (struct sockaddr *)&from, len) == 1 &&
	       recv(client, &byte, 1, 0) == 1;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/*
 * Sends the flood, and one exchange of another connection for every so many packets of it. On a
 * slow kernel it is a smaller one, so that its first connections do not expire while it lasts.
 */
static void send_flood(struct flood *f)
{
	int64_t end = now_ms() + FLOOD_MS;
	struct sockaddr_in to = {.sin_family = AF_INET};
	int raw = site_socket(SITE_AT_CLIENT, AF_INET, SOCK_RAW, IPPROTO_RAW, 0);
	unsigned int echoed = 0, echoes = 0;
	uint32_t i;

	inet_pton(AF_INET, SITE_SERVICE, &to.sin_addr);
	f->sent = 0;
	for (i = 0; i < FLOOD && (i < FLOOD_LEAST || now_ms() < end); i++) {
		struct syn syn = make_syn(i);

		f->sent += sendto(raw, &syn, sizeof(syn), 0, (struct sockaddr *)&to, sizeof(to)) ==
			   sizeof(syn);
		if (i % ECHO_EVERY == 0) {
			echoes++;
			echoed += echo(f->echo_client, f->echo_server);
		}
	}
	tap_u32(&f->tap, i, (unsigned int)f->sent, "packets of the flood");
	tap_u32(&f->tap, echoes, echoed, "exchanges of the other connection under it");
	close(raw);
}

/* It is there before the defence, which drops the first packets of some connections. */
static void open_echo(struct flood *f)
{
	struct timeval patience = {.tv_sec = ECHO_SECONDS};

	f->echo_server = site_socket(SITE_AT_SERVER, AF_INET, SOCK_DGRAM, 0, ECHO_PORT);
	f->echo_client = site_socket(SITE_AT_CLIENT, AF_INET, SOCK_DGRAM, 0, 0);
	setsockopt(f->echo_server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(f->echo_client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	tap_err(&f->tap, 0, site_connect(f->echo_client, SITE_SERVICE, ECHO_PORT),
		"another connection");
	tap_ok(&f->tap, echo(f->echo_client, f->echo_server), "it goes through");
}

/* ---- readers -----------------------------------------------------------------------------------
 */

static void count(void *arg, uint8_t cmd, uint32_t portid, const struct conn *conn)
{
	struct flood *f = arg;

	(void)portid;
	if (conn->vport != FLOOD_PORT)
		return;
	f->new += cmd == IPVS_CMD_NEW_CONN;
	f->del += cmd == IPVS_CMD_DEL_CONN;
}

/* Dumps, and deletes what a dump told first, until the flood is over. */
static void delete_first(void *arg, uint8_t cmd, uint32_t portid, const struct conn *conn)
{
	struct conn *first = arg;

	(void)cmd;
	(void)portid;
	if (!first->given && conn->vport == FLOOD_PORT) {
		*first = *conn;
		first->control = NULL;
		first->given = CONN_KEY;
	}
}

static void *disturb(void *arg)
{
	struct flood *f = arg;
	struct client *deleter = client_open();

	while (deleter && !atomic_load(&f->stop)) {
		struct conn first = {0};

		if (client_dump(f->reader, NULL, delete_first, &first) < 0)
			break;
		atomic_fetch_add(&f->dumps, 1);
		if (first.given)
			client_delete(deleter, &first);
	}
	client_close(deleter);
	return NULL;
}

/* Bytes that wait for a listener, from /proc/net/netlink; -1 if it is not there. */
static long waiting_bytes(const struct client *client)
{
	FILE *file = fopen("/proc/thread-self/net/netlink", "r");
	unsigned int protocol, portid;
	char line[256];
	long bytes, found = -1;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*s %u %u %*s %ld", &protocol, &portid, &bytes) == 3 &&
		    protocol == NETLINK_GENERIC && portid == client_portid(client))
			found = bytes;
	if (file)
		fclose(file);
	return found;
}

static int flood_size(struct flood *f)
{
	struct conn filter = {.vport = FLOOD_PORT, .given = CONN_BIT(IPVS_CONN_ATTR_VPORT)};

	return client_dump(f->reader, &filter, NULL, NULL);
}

/* What the fast listener heard and what is there are compared when nothing changes meanwhile. */
static void expect_agreement(struct flood *f)
{
	int told, there, waits = 0;

	do {
		told = f->new - f->del;
		there = flood_size(f);
	} while (client_events(f->fast, WAIT_MS, count, f) > 0 && waits++ < WAITS);
	tap_u32(&f->tap, (unsigned int)told, (unsigned int)there, "what was told is what is there");
}

static bool lost_events(struct client *client)
{
	char byte;

	return recv(client_fd(client), &byte, 1, MSG_DONTWAIT) < 0 && errno == ENOBUFS;
}

/* ---- tests -------------------------------------------------------------------------------------
 */

static void test_flood(struct flood *f)
{
	pthread_t thread;
	long bytes;

	pthread_create(&thread, NULL, disturb, f);
	send_flood(f);
	atomic_store(&f->stop, true);
	pthread_join(thread, NULL);
	tap_ok(&f->tap, f->dumps > 0, "%d dumps meanwhile", f->dumps);
	bytes = waiting_bytes(f->slow);
	/* the kernel's limit is that of the buffer, doubled, and one message */
	tap_ok(&f->tap, bytes > 0 && bytes <= 2 * SLOW_BUFFER + 4096,
	       "what waits for the slow listener is bounded: %ld bytes", bytes);
	tap_ok(&f->tap, lost_events(f->slow), "it learns that it missed some");
	if (!tap_ok(&f->tap, client_events(f->fast, WAIT_MS, count, f) >= 0, "the other reads"))
		return;
	tap_ok(&f->tap, f->new == f->sent, "it heard of each new connection: %d", f->new);
	expect_agreement(f);
}

static bool defend(const char *level)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "echo %s >/proc/sys/net/ipv4/vs/drop_entry && "
		 "echo %s >/proc/sys/net/ipv4/vs/secure_tcp && "
		 "echo %s >/proc/sys/net/ipv4/vs/drop_packet",
		 level, level, level);
	return !system(command);
}

/* The kernel drops half-open connections at random, once a second, and is not hindered. */
static void test_defence(struct flood *f)
{
	int before = f->del, waits = 0;

	tap_ok(&f->tap, defend("3"), "defend: drop_entry, secure_tcp, drop_packet");
	while (f->del < before + 100 && waits++ < WAITS)
		if (client_events(f->fast, WAIT_MS, count, f) < 0)
			break;
	tap_ok(&f->tap, f->del >= before + 100, "connections are dropped and told: %d",
	       f->del - before);
	send_flood(f);
	tap_ok(&f->tap, defend("0"), "defend no more");
	/* what a defence round still does is told when it is done */
	client_events(f->fast, 3 * WAIT_MS, count, f);
	expect_agreement(f);
}

static struct client *listen_all(void)
{
	struct client *client = client_open();

	if (client && (client_join(client, IPVS_CONN_GENL_MCGRP_NEW) ||
		       client_join(client, IPVS_CONN_GENL_MCGRP_SET) ||
		       client_join(client, IPVS_CONN_GENL_MCGRP_DEL)))
		return NULL;
	return client;
}

int main(void)
{
	int size = SLOW_BUFFER, large = 64 << 20;
	struct flood f = {0};
	int err = site_open();

	if (!tap_ok(&f.tap, !err, "build the site: %s", strerror(-err)))
		return tap_end(&f.tap);
	/* nobody has the flood's server's address, so its connections stay half open */
	err = site_rules("-A -t 10.1.0.100:83 -s rr\n-a -t 10.1.0.100:83 -r 10.2.0.99 -m\n"
			 "-A -u 10.1.0.100:53 -s rr\n-a -u 10.1.0.100:53 -r 10.2.0.2 -m\n");
	f.slow = listen_all();
	f.fast = listen_all();
	f.reader = client_open();
	if (!tap_ok(&f.tap, !err && f.slow && f.fast && f.reader, "listen"))
		return tap_end(&f.tap);
	setsockopt(client_fd(f.slow), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(client_fd(f.fast), SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large));
	open_echo(&f);
	test_flood(&f);
	test_defence(&f);
	client_close(f.slow);
	client_close(f.fast);
	client_close(f.reader);
	close(f.echo_client);
	close(f.echo_server);
	site_rules("-C\n");
	return tap_end(&f.tap);
}
