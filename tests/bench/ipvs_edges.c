/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * edges bpf|kernel-sync|netlink: how fast that back end inserts and dumps, and how late it tells of
 * a new connection, each beside the bare loop of what it is made of:
 *
 *   insertion  messages made beforehand, sent and waited for, nothing else
 *   dump       netlink: received and counted; the others: /proc/net/ip_vs_conn read to its end
 *   lag        from the client's send; bare: until the server has the datagram
 *
 * In a guest whose clock counts instructions (tests/rig/guest -i) a nanosecond is an instruction.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kpatch/tests/client.h"
#include "syncd/kernel/ipvs_arrival.h"
#include "syncd/kernel/ipvs_daemon.h"
#include "syncd/kernel/ipvs_sync_message.h"
#include "tests/bench/bench.h"
#include "tests/lib/ipvs_site.h"
#include "tests/lib/netns.h"
#include "tests/lib/site.h"
#include "tests/lib/suite.h"

enum {
	FLOWS = 10000,
	SAMPLES = 50, /* fewer than ipvs_site keeps */
	LEASE_S = 600,
	RCVBUF_BYTES = 8 << 20,
	BATCH = 200,
	MESSAGE = 1472,
	MESSAGES = 16,
	HEAR_MS = 10000,
	CHUNK = 1 << 16,
};

static const char *name; /* of the back end: argument */
static enum ipvs_backend backend;

static double per_s(unsigned n, uint64_t begin_ns)
{
	return n / ((double)(bench_now_ns() - begin_ns) / 1e9);
}

static void emit(const char *what, double value, const char *unit, const char *better, double bare)
{
	char full[64];

	(void)snprintf(full, sizeof(full), "ipvs.%s_%s", name, what);
	bench_emit_peer(full, value, unit, better, "bare loop", bare);
}

/* ---- insertion ------------------------------------------------------------------------------- */

/* The net tells those of the bare loop from the back end's. */
static struct flow nth_flow(unsigned i, uint8_t net)
{
	struct flow f = {.key = {.kind = FLOW_IPVS, .addr_len = 4, .l4proto = IPPROTO_TCP}};

	f.key.src = (struct flow_addr){{10, net, (uint8_t)(i >> 8), (uint8_t)i}};
	f.key.dst = (struct flow_addr){{203, 0, 113, 10}};
	f.key.sport = (uint16_t)(1024 + i);
	f.key.dport = 80;
	f.ipvs.dest_len = 4;
	f.ipvs.dest = (struct flow_addr){{10, 2, 0, 11}};
	f.ipvs.dport = 8080;
	f.ipvs.state = 1;
	return f;
}

static double bare_insert_by_netlink(void)
{
	struct client *c = client_open();
	uint64_t begin = bench_now_ns();

	ck_assert_ptr_nonnull(c);
	for (uint32_t i = 0; i < FLOWS;) {
		client_begin(c, IPVS_CMD_NEW_CONN);
		for (unsigned k = 0; k < BATCH; k++, i++) {
			struct conn conn = conn_tcp4("10.9.0.0", (uint16_t)(1024 + i),
						     "203.0.113.10", 80, "10.2.0.11", 8080);

			conn.caddr.v4.s_addr = htonl(0x0a090000u + i);
			client_add(c, &conn);
		}
		ck_assert_int_eq(client_send(c, NULL, 0, NULL), 0);
	}
	client_close(c);
	return per_s(FLOWS, begin);
}

static void wait_taken(const struct ipvs_arrival *before, unsigned messages)
{
	struct ipvs_arrival now;

	do {
		(void)usleep(100);
		ck_assert_int_eq(ipvs_arrival_read(&now), 0);
	} while (now.waiting || now.taken - before->taken < messages);
	ck_assert_uint_eq(now.dropped, before->dropped);
}

/* All messages are there before the clock runs. */
static double bare_insert_by_thread(void)
{
	static uint8_t message[FLOWS / 30][MESSAGE];
	static size_t len[FLOWS / 30];
	struct ip_mreqn by = {.imr_ifindex = (int)if_nametoindex("syncd-ipvs-b")};
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(IPVS_SYNC_PORT),
				 .sin_addr = {htonl(0xe0000051)}};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ipvs_sync_writer w;
	struct ipvs_arrival before;
	unsigned n = 0, sent = 0;
	uint64_t begin;

	ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof(by)), 0);
	ipvs_sync_begin(&w, message[0], MESSAGE, IPVS_DAEMON_ID);
	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow f = nth_flow(i, 9);

		if (ipvs_sync_add(&w, &f, LEASE_S))
			continue;
		ipvs_sync_end(&w);
		len[n++] = w.len;
		ipvs_sync_begin(&w, message[n], MESSAGE, IPVS_DAEMON_ID);
		ck_assert(ipvs_sync_add(&w, &f, LEASE_S));
	}
	ipvs_sync_end(&w);
	len[n++] = w.len;
	begin = bench_now_ns();
	while (sent < n) {
		unsigned round = n - sent < MESSAGES ? n - sent : MESSAGES;

		ck_assert_int_eq(ipvs_arrival_read(&before), 0);
		for (unsigned i = 0; i < round; i++, sent++)
			ck_assert_int_eq(sendto(fd, message[sent], len[sent], 0,
						(const struct sockaddr *)&to, sizeof(to)),
					 (ssize_t)len[sent]);
		wait_taken(&before, round);
	}
	close(fd);
	return per_s(FLOWS, begin);
}

/* ---- the back end's edges, counted -------------------------------------------------------------
 */

struct edges {
	struct ipvs_edge edge;
	unsigned results, dumped;
	bool dump_ended;
};

static void on_event(void *ctx, enum flow_event what, const struct flow *f, unsigned parts,
		     bool live)
{
	(void)ctx;
	(void)what;
	(void)f;
	(void)parts;
	(void)live;
}

static void on_dump(void *ctx, const struct flow *f, bool ours)
{
	struct edges *e = ctx;

	(void)ours;
	(void)f;
	e->dumped++;
}

static void on_dump_end(void *ctx, int err)
{
	struct edges *e = ctx;

	ck_assert_int_eq(err, 0);
	e->dump_ended = true;
}

static void on_overrun(void *ctx)
{
	(void)ctx;
}

static void on_result(void *ctx, enum sink_op op, const struct flow *f, int err)
{
	struct edges *e = ctx;

	(void)op;
	(void)f;
	ck_assert_int_eq(err, 0);
	e->results++;
}

static void turn(struct edges *e)
{
	struct source *source = e->edge.source;
	struct sink *sink = e->edge.sink;
	struct pollfd p[2] = {{.events = POLLIN}, {.events = POLLIN}};

	ck_assert_int_eq(sink->ops->flush(sink, netns_now_us()), 0);
	p[0].fd = sink->ops->fd(sink);
	p[1].fd = source->ops->fd(source);
	(void)poll(p, 2, 1);
	ck_assert_int_ge(sink->ops->poll(sink, netns_now_us()), 0);
	ck_assert_int_ge(source->ops->poll(source, 4096, netns_now_us()), 0);
}

static void open_edges(struct edges *e)
{
	const struct ipvs_config c = {
		.backend = backend, .lease_s = LEASE_S, .rcvbuf_bytes = RCVBUF_BYTES};
	const struct source_events to_source = {.on_event = on_event,
						.on_dump = on_dump,
						.on_dump_end = on_dump_end,
						.on_overrun = on_overrun,
						.ctx = e};
	const struct sink_events to_sink = {on_result, e};

	ck_assert_msg(ipvs_open(&c, &to_source, &to_sink, &e->edge) == 0, "%s", e->edge.why);
	ck_assert_int_eq(e->edge.source->ops->listen(e->edge.source, SOURCE_ALL), 0);
}

static void measure_insertion(struct edges *e)
{
	double bare = backend == IPVS_NETLINK ? bare_insert_by_netlink() : bare_insert_by_thread();
	uint64_t begin = bench_now_ns();

	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow f = nth_flow(i, 8);

		while (e->edge.sink->ops->submit(e->edge.sink, SINK_PUT, &f) == -EAGAIN)
			turn(e);
	}
	while (e->results < FLOWS)
		turn(e);
	emit("insertions", per_s(FLOWS, begin), "flows/s", "higher", bare);
}

static double bare_dump(void)
{
	uint64_t begin = bench_now_ns();
	static char chunk[CHUNK];
	struct client *c;
	ssize_t n;
	int fd;

	if (backend == IPVS_NETLINK) {
		c = client_open();
		ck_assert_ptr_nonnull(c);
		ck_assert_int_eq(client_dump(c, NULL, NULL, NULL), 2 * FLOWS);
		client_close(c);
	} else {
		fd = open("/proc/thread-self/net/ip_vs_conn", O_RDONLY | O_CLOEXEC);
		ck_assert_int_ge(fd, 0);
		while ((n = read(fd, chunk, sizeof(chunk))) > 0)
			;
		ck_assert_int_eq(n, 0);
		close(fd);
	}
	return per_s(2 * FLOWS, begin);
}

static void measure_dump(struct edges *e)
{
	double bare = bare_dump();
	uint64_t begin = bench_now_ns();

	ck_assert_int_eq(e->edge.source->ops->dump(e->edge.source), 0);
	while (!e->dump_ended)
		turn(e);
	ck_assert_uint_eq(e->dumped, 2 * FLOWS);
	emit("dump", per_s(2 * FLOWS, begin), "flows/s", "higher", bare);
}

/* ---- lag ---------------------------------------------------------------------------------------
 */

static uint16_t port; /* of the sample's client */

static bool is_sample(const struct flow *f)
{
	return f->key.sport == port;
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double percentile(double v[SAMPLES], unsigned p)
{
	qsort(v, SAMPLES, sizeof(v[0]), by_size);
	return v[(SAMPLES - 1) * p / 100];
}

static int open_socket(int ns, const char *ip, uint16_t at)
{
	int fd = ipvs_site_socket(&(struct ipvs_socket){
		.ns = ns, .family = AF_INET, .type = SOCK_DGRAM, .ip = ip, .port = at});

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void measure_lag(void)
{
	static struct ipvs_site site;
	double lag[SAMPLES], path[SAMPLES];
	int server;
	char byte;

	ipvs_site_open(&site);
	ipvs_site_both(&site, "ipvsadm -A -u 203.0.113.10:53 -s rr && "
			      "ipvsadm -a -u 203.0.113.10:53 -r 10.2.0.11:53 -m");
	ipvs_site_edges(&site, backend);
	server = open_socket(site.server, "10.2.0.11", 53);
	for (unsigned i = 0; i < SAMPLES; i++) {
		int client;
		uint64_t begin;

		port = (uint16_t)(20000 + i);
		client = open_socket(site.client, "192.0.2.7", port);
		begin = bench_now_ns();
		ck_assert_int_eq(ipvs_site_connect(client, "203.0.113.10", 53, "q"), 0);
		ck_assert_int_eq(recv(server, &byte, 1, 0), 1);
		path[i] = (double)(bench_now_ns() - begin) / 1e3;
		site_in(site.box.ns);
		ck_assert_ptr_nonnull(ipvs_site_hear(&site.box, is_sample, HEAR_MS));
		lag[i] = (double)(bench_now_ns() - begin) / 1e3;
		close(client);
	}
	emit("lag_p50", percentile(lag, 50), "us", "lower", percentile(path, 50));
	emit("lag_p99", percentile(lag, 99), "us", "lower", percentile(path, 99));
}

/* ---- all
 * ----------------------------------------------------------------------------------------- */

/* A test, since the site's checks are Check's. */
START_TEST(measure)
{
	struct edges e = {0};
	char seed;

	/* The kernel's random numbers are seeded first, as in ipvs_packets.c. */
	ck_assert_int_eq(getrandom(&seed, sizeof(seed), 0), sizeof(seed));
	ck_assert_int_eq(netns_enter(), 0);
	/* By which kernel-sync knows how an entry of /proc forwards. */
	ck_assert_int_eq(netns_sh("ipvsadm -A -t 203.0.113.10:80 -s rr && "
				  "ipvsadm -a -t 203.0.113.10:80 -r 10.2.0.11:8080 -m"),
			 0);
	open_edges(&e);
	measure_insertion(&e);
	measure_dump(&e);
	e.edge.source->ops->free(e.edge.source);
	e.edge.sink->ops->free(e.edge.sink);
	measure_lag();
	(void)fflush(stdout);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s = suite_create("ipvs_edges");
	TCase *t = tcase_create("all");

	if (argc != 2)
		return 2;
	name = argv[1];
	backend = strcmp(name, "bpf") == 0	 ? IPVS_BPF
		  : strcmp(name, "netlink") == 0 ? IPVS_NETLINK
						 : IPVS_KERNEL_SYNC;
	tcase_set_timeout(t, 600);
	tcase_add_test(t, measure);
	suite_add_tcase(s, t);
	return suite_run_quietly(s);
}
