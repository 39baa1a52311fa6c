/*
 * test_counters: which connections are counted, and packets and bytes of those through a director
 * (site.h), exactly, for each way of forwarding; as the events, a request and the service's own
 * counters tell them.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kpatch/tests/client.h"
#include "kpatch/tests/site.h"
#include "kpatch/tests/tap.h"
#include "kpatch/tests/watch.h"

/* How long to wait for what the kernel does in its own time. */
#define AWAIT_TRIES 300
#define AWAIT_US    50000

#define IP_UDP_HEADERS	 28
#define IPV6_UDP_HEADERS 48

static bool counted(const struct conn *conn, const uint64_t in[2], const uint64_t out[2])
{
	return (conn->given & CONN_COUNTERS) == CONN_COUNTERS &&
	       !memcmp(conn->in_counters, in, sizeof(conn->in_counters)) &&
	       !memcmp(conn->out_counters, out, sizeof(conn->out_counters));
}

/* Checks the counters of an event's connection: packets and bytes. */
static void expect_counted(struct watch *f, const struct conn *conn, const uint64_t in[2],
			   const uint64_t out[2], const char *what)
{
	tap_ok(&f->tap, counted(conn, in, out), "%s: in %llu, %llu, out %llu, %llu", what,
	       (unsigned long long)conn->in_counters[0], (unsigned long long)conn->in_counters[1],
	       (unsigned long long)conn->out_counters[0],
	       (unsigned long long)conn->out_counters[1]);
}

/* Waits until that is counted in the connection. */
static void await_counted(struct watch *f, const struct conn *conn, const uint64_t in[2],
			  const uint64_t out[2], const char *what)
{
	struct conn key = *conn, got = {0};

	key.given = CONN_KEY;
	for (int i = 0; i < AWAIT_TRIES; i++) {
		conn_clear(&got);
		if (client_get(f->client, &key, &got) || counted(&got, in, out))
			break;
		usleep(AWAIT_US);
	}
	expect_counted(f, &got, in, out, what);
	conn_clear(&got);
}

/* Counting is of the network namespace that asked for it: the exit status is another's value. */
static int value_elsewhere(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		FILE *file = unshare(CLONE_NEWNET) ? NULL
						   : fopen("/proc/sys/net/ipv4/vs/conn_acct", "r");

		_exit(file ? getc(file) - '0' : 255);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void expect_new(struct watch *f, int expected, const struct conn *conn, const char *what)
{
	tap_err(&f->tap, expected, client_request(f->client, IPVS_CMD_NEW_CONN, conn), what);
}

static void expect_dump(struct watch *f, unsigned int expected, const char *what)
{
	struct conn filter = {.given = CONN_BIT(IPVS_CONN_ATTR_FLAGS) |
				       CONN_BIT(IPVS_CONN_ATTR_FLAGS_MASK),
			      .flags = IP_VS_CONN_F_COUNTED,
			      .flags_mask = IP_VS_CONN_F_COUNTED};

	tap_u32(&f->tap, expected, (unsigned int)client_dump(f->client, &filter, NULL, NULL), what);
}

/* Inserted connections, before, while and after counting is on; leaves it on. */
static void test_inserted(struct watch *f)
{
	struct conn before = conn_tcp4("10.1.2.3", 1, "10.9.0.1", 80, "10.9.1.1", 8080), got;
	struct conn conn = before, template = before;

	before.flags = IP_VS_CONN_F_COUNTED;
	conn.cport = 2;
	template.cport = 0;
	template.flags = IP_VS_CONN_F_TEMPLATE;
	expect_new(f, 0, &before, "a connection, counting being off");
	if (tap_err(&f->tap, 0, client_get(f->client, &before, &got), "get it")) {
		tap_ok(&f->tap, !(got.given & CONN_COUNTERS) && !(got.flags & IP_VS_CONN_F_COUNTED),
		       "it has no counters, though it says so");
		conn_clear(&got);
	}
	tap_err(&f->tap, -EINVAL, client_set_counting("2"), "conn_acct has two values");
	tap_err(&f->tap, 0, client_set_counting("1"), "count");
	tap_u32(&f->tap, 0, (unsigned int)value_elsewhere(), "another namespace does not");
	expect_new(f, 0, &conn, "another connection");
	expect_new(f, 0, &template, "a template");
	if (tap_err(&f->tap, 0, client_get(f->client, &conn, &got), "get the connection")) {
		tap_ok(&f->tap,
		       got.flags & IP_VS_CONN_F_COUNTED &&
			       counted(&got, (uint64_t[]){0, 0}, (uint64_t[]){0, 0}),
		       "its counters begin at 0");
		conn_clear(&got);
	}
	expect_dump(f, 1, "those that are counted");
	tap_err(&f->tap, 0, client_set_counting("0"), "count no more");
	expect_dump(f, 1, "what is counted goes on to be");
	conn.given |= CONN_BIT(IPVS_CONN_ATTR_IN_COUNTERS);
	expect_new(f, -EINVAL, &conn, "counters are read only");
	watch_clear(f);
	tap_err(&f->tap, 0, client_set_counting("1"), "count");
}

static void test_udp(struct watch *f, int family, uint64_t headers)
{
	static const size_t sent[] = {1, 100, 1000}, answered[] = {10, 500};
	int server = site_socket(SITE_AT_SERVER, family, SOCK_DGRAM, 0, 56);
	int client = site_socket(SITE_AT_CLIENT, family, SOCK_DGRAM, 0, 0);
	uint64_t in[2] = {3, 1101 + 3 * headers}, out[2] = {2, 510 + 2 * headers};
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	char buf[1024] = "";
	bool good = !site_connect(client, family == AF_INET ? SITE_SERVICE : SITE_SERVICE6, 56);

	for (size_t i = 0; good && i < 3; i++)
		good = send(client, buf, sent[i], 0) == (ssize_t)sent[i] &&
		       recvfrom(server, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len) ==
			       (ssize_t)sent[i];
	for (size_t i = 0; good && i < 2; i++)
		good = sendto(server, buf, answered[i], 0, (struct sockaddr *)&from, len) ==
			       (ssize_t)answered[i] &&
		       recv(client, buf, sizeof(buf), 0) == (ssize_t)answered[i];
	tap_ok(&f->tap, good, "three datagrams and two answers");
	watch_expect(f, "new 0", "they are one connection");
	expect_counted(f, &f->last, (uint64_t[]){1, 1 + headers}, (uint64_t[]){0, 0},
		       "its event counts the first");
	await_counted(f, &f->last, in, out, "all are counted");
	close(server);
	if (family == AF_INET) {
		tap_ok(&f->tap, send(client, "x", 1, 0) == 1, "one where nobody listens");
		in[0]++, in[1] += 1 + headers;
		out[0]++, out[1] += IP_UDP_HEADERS + 1 + headers;
		await_counted(f, &f->last, in, out, "the server's ICMP error counts as its own");
	}
	watch_expire(f, &f->last, "del 0");
	expect_counted(f, &f->last, in, out, "the last event has the sum");
	close(client);
}

/* The server's answers do not come by: only the client is counted. */
static void test_one_way(struct watch *f, uint16_t port, const char *method)
{
	int client = site_socket(SITE_AT_CLIENT, AF_INET, SOCK_DGRAM, 0, 0);
	uint64_t in[2] = {1, 1 + IP_UDP_HEADERS}, none[2] = {0, 0};

	tap_ok(&f->tap, !site_connect(client, SITE_SERVICE, port) && send(client, "x", 1, 0) == 1,
	       "%s", method);
	watch_expect(f, "new 0", "it is told");
	expect_counted(f, &f->last, in, none, method);
	watch_expire(f, &f->last, "del 0");
	close(client);
}

/* What the kernel counts for the service; it adds it up every two seconds. */
static bool service_counted(const struct conn *conn)
{
	unsigned long long in[2] = {0}, out[2] = {0};
	FILE *stats = popen("ipvsadm -Ln --stats --exact -t " SITE_SERVICE ":83", "r");
	char line[256];

	while (stats && fgets(line, sizeof(line), stats))
		if (sscanf(line, "TCP %*s %*u %llu %llu %llu %llu", &in[0], &out[0], &in[1],
			   &out[1]) == 4)
			break;
	return stats && !pclose(stats) && in[0] == conn->in_counters[0] &&
	       in[1] == conn->in_counters[1] && out[0] == conn->out_counters[0] &&
	       out[1] == conn->out_counters[1];
}

static void test_tcp(struct watch *f)
{
	static char buf[64 * 1024];
	struct pair pair;
	bool same = false;
	size_t got = 0;

	if (!watch_connect(f, AF_INET, 0, 0, 83, &pair))
		return;
	tap_ok(&f->tap, write(pair.client, buf, sizeof(buf)) == sizeof(buf), "64 KiB by TCP");
	while (got < sizeof(buf)) {
		ssize_t n = read(pair.server, buf, sizeof(buf));

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	shutdown(pair.client, SHUT_WR);
	shutdown(pair.server, SHUT_WR);
	watch_finish(f, &f->last, "set 5", "del 5");
	watch_reset(pair.client);
	watch_reset(pair.server);
	tap_ok(&f->tap,
	       got == sizeof(buf) && f->last.in_counters[1] > sizeof(buf) &&
		       f->last.out_counters[0] >= 3 &&
		       f->last.out_counters[1] >= 40 * f->last.out_counters[0],
	       "in %llu, out %llu bytes", (unsigned long long)f->last.in_counters[1],
	       (unsigned long long)f->last.out_counters[1]);
	for (int i = 0; i < AWAIT_TRIES && !same; i++) {
		same = service_counted(&f->last);
		usleep(same ? 0 : AWAIT_US);
	}
	tap_ok(&f->tap, same, "its service, which had no other, counted the same");
}

/* What begins from now on is not counted any more. */
static void test_off(struct watch *f)
{
	struct pair pair;

	tap_err(&f->tap, 0, client_set_counting("0"), "count no more");
	if (!watch_connect(f, AF_INET, 0, 0, 83, &pair))
		return;
	watch_expect(f, "new 3, set 1", "another connection");
	tap_ok(&f->tap, !(f->last.given & CONN_COUNTERS), "it has no counters");
	watch_reset(pair.client);
	watch_reset(pair.server);
	watch_forget(f);
}

int main(void)
{
	struct watch f = {0};

	if (!watch_open(&f, "-A -u 10.1.0.100:56 -s rr\n-a -u 10.1.0.100:56 -r 10.2.0.2 -m\n"
			    "-A -u [fd01::100]:56 -s rr\n-a -u [fd01::100]:56 -r [fd02::2]:56 -m\n"
			    "-A -u 10.1.0.100:57 -s rr\n-a -u 10.1.0.100:57 -r 10.2.0.2 -g\n"
			    "-A -u 10.1.0.100:58 -s rr\n-a -u 10.1.0.100:58 -r 10.2.0.2 -i\n"
			    "-A -t 10.1.0.100:83 -s rr\n-a -t 10.1.0.100:83 -r 10.2.0.2 -m\n"))
		return tap_end(&f.tap);
	test_inserted(&f);
	test_udp(&f, AF_INET, IP_UDP_HEADERS);
	test_udp(&f, AF_INET6, IPV6_UDP_HEADERS);
	test_one_way(&f, 57, "direct routing");
	test_one_way(&f, 58, "a tunnel");
	test_tcp(&f);
	test_off(&f);
	watch_close(&f);
	return tap_end(&f.tap);
}
