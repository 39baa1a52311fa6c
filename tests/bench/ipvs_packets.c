/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packets none|bpf|kernel-sync|netlink: what a packet and a connection through the balancer cost
 * while that source listens as on an active node, in nanoseconds of the clock. In a guest whose
 * clock counts instructions (tests/rig/guest -i) these are instructions, the same at each run.
 */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/ipvs_site.h"
#include "tests/lib/suite.h"

enum { PACKETS = 5000, CONNECTIONS = 300, WARM = 100 };

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int open_socket(int ns, int type, const char *ip, uint16_t port, bool listens)
{
	int fd = ipvs_site_socket(&(struct ipvs_socket){.ns = ns,
							.family = AF_INET,
							.type = type,
							.ip = ip,
							.port = port,
							.listens = listens});

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void forward(int client, int server, int n)
{
	char byte;

	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(send(client, "x", 1, 0), 1);
		ck_assert_int_eq(recv(server, &byte, 1, 0), 1);
	}
}

static uint64_t packets(const struct ipvs_site *s)
{
	int server = open_socket(s->server, SOCK_DGRAM, "10.2.0.11", 53, false);
	int client = open_socket(s->client, SOCK_DGRAM, "192.0.2.7", 0, false);
	uint64_t start;

	ck_assert_int_eq(ipvs_site_connect(client, "203.0.113.10", 53, NULL), 0);
	forward(client, server, WARM);
	start = now_ns();
	forward(client, server, PACKETS);
	return (now_ns() - start) / PACKETS;
}

static void connect_all(const struct ipvs_site *s, int listener, int n)
{
	for (int i = 0; i < n; i++) {
		int client = open_socket(s->client, SOCK_STREAM, "192.0.2.7", 0, false), server;

		ck_assert_int_eq(ipvs_site_connect(client, "203.0.113.10", 80, NULL), 0);
		server = accept(listener, NULL, NULL);
		ck_assert_int_ge(server, 0);
		close(client);
		close(server);
	}
}

static uint64_t connections(const struct ipvs_site *s)
{
	int listener = open_socket(s->server, SOCK_STREAM, "10.2.0.11", 80, true);
	uint64_t start;

	connect_all(s, listener, WARM);
	start = now_ns();
	connect_all(s, listener, CONNECTIONS);
	return (now_ns() - start) / CONNECTIONS;
}

/* Returns false for none. */
static bool backend_of(const char *name, enum ipvs_backend *out)
{
	*out = strcmp(name, "bpf") == 0	      ? IPVS_BPF
	       : strcmp(name, "netlink") == 0 ? IPVS_NETLINK
					      : IPVS_KERNEL_SYNC;
	return strcmp(name, "none") != 0;
}

static void tell(const char *what, const char *source, uint64_t value)
{
	printf("{\"name\":\"ipvs_%s_%s\",\"value\":%llu,\"unit\":\"instructions\"}\n", what, source,
	       (unsigned long long)value);
}

static const char *source; /* argument */

/* A test, since the site's checks are Check's. */
START_TEST(measure)
{
	static struct ipvs_site site;
	enum ipvs_backend backend;
	char seed;

	/* Until its random numbers are seeded, they cost the kernel a quarter of a connection. */
	ck_assert_int_eq(getrandom(&seed, sizeof(seed), 0), sizeof(seed));
	ipvs_site_open(&site);
	ipvs_site_both(&site, "ipvsadm -A -t 203.0.113.10:80 -s rr && "
			      "ipvsadm -a -t 203.0.113.10:80 -r 10.2.0.11:80 -m && "
			      "ipvsadm -A -u 203.0.113.10:53 -s rr && "
			      "ipvsadm -a -u 203.0.113.10:53 -r 10.2.0.11:53 -m");
	if (backend_of(source, &backend))
		ipvs_site_edges(&site, backend);
	tell("packet", source, packets(&site));
	tell("connection", source, connections(&site));
	(void)fflush(stdout);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s = suite_create("ipvs_packets");
	TCase *t = tcase_create("all");

	if (argc != 2)
		return 2;
	source = argv[1];
	tcase_set_timeout(t, 300);
	tcase_add_test(t, measure);
	suite_add_tcase(s, t);
	return suite_run_quietly(s);
}
