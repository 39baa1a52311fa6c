/*
 * test_stress: the connection API under load: dumps while connections come and go, on as many
 * processors as there are; random requests; listeners that do not listen; namespaces that end under
 * listeners and dumps. What must hold is counted; the kernel's own checks see the rest.
 *
 * Arguments: seconds of random requests at least (default 5), seed (default: the time).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kpatch/tests/client.h"
#include "kpatch/tests/tap.h"

#define STABLE	     4000
#define CHURN	     2000
#define BATCH	     200
#define DUMPS	     20
#define NAMESPACES   10
#define RANDOM_MAX   2048
#define GOOD_LEAST   100   /* requests that must have been done, however long they take */
#define ROUNDS_MOST  20000 /* unless none ever is */
#define SMALL_BUFFER 4096
#define STAY_MS	     86400000 /* longer than the slowest guest lives */

struct fixture {
	struct tap tap;
	struct client *client;
	unsigned int seed;
	int seconds;
	atomic_bool stop;
	atomic_uint changes;
};

static struct conn numbered(const char *service, uint32_t i)
{
	struct conn conn = conn_tcp4("10.0.0.0", 0, service, 80, "10.9.1.1", 8080);

	conn.caddr.v4.s_addr = htonl(0x0a000000U + i / 50000);
	conn.cport = (uint16_t)(1 + i % 50000);
	conn.timeout_ms = STAY_MS;
	conn.given |= CONN_BIT(IPVS_CONN_ATTR_TIMEOUT);
	return conn;
}

/* Requests `cmd` for connections [0, n) of a service. 0 or the last error. */
static int change_all(struct client *client, uint8_t cmd, const char *service, uint32_t n)
{
	int err = 0, last = 0;

	for (uint32_t i = 0; i < n;) {
		client_begin(client, cmd);
		for (uint32_t k = 0; k < BATCH && i < n; k++, i++) {
			struct conn conn = numbered(service, i);

			if (cmd == IPVS_CMD_DEL_CONN)
				conn.given = CONN_KEY;
			client_add(client, &conn);
		}
		err = client_send(client, NULL, 0, NULL);
		if (err)
			last = err;
	}
	return last;
}

/* ---- dumps under churn -------------------------------------------------------------------------
 */

static void *churn(void *arg)
{
	struct fixture *f = arg;
	struct client *client = client_open();
	bool counting = true;

	while (client && !atomic_load(&f->stop)) {
		client_set_counting(counting ? "1" : "0");
		counting = !counting;
		change_all(client, IPVS_CMD_NEW_CONN, "10.9.0.2", CHURN);
		change_all(client, IPVS_CMD_DEL_CONN, "10.9.0.2", CHURN);
		atomic_fetch_add(&f->changes, 2 * CHURN);
	}
	client_close(client);
	return NULL;
}

struct census {
	uint8_t seen[STABLE];
	unsigned int twice;
};

static void note(void *arg, uint8_t cmd, uint32_t portid, const struct conn *conn)
{
	struct census *census = arg;
	struct in_addr stable_service;
	uint32_t i = (ntohl(conn->caddr.v4.s_addr) - 0x0a000000U) * 50000 + conn->cport - 1U;

	(void)cmd;
	(void)portid;
	inet_pton(AF_INET, "10.9.0.1", &stable_service);
	if (conn->vaddr.v4.s_addr != stable_service.s_addr || i >= STABLE)
		return;
	census->twice += census->seen[i];
	census->seen[i] = 1;
}

static void test_dump_under_churn(struct fixture *f)
{
	unsigned int missing = 0, twice = 0;
	struct client *reader = client_open();
	pthread_t thread;

	tap_err(&f->tap, 0, change_all(f->client, IPVS_CMD_NEW_CONN, "10.9.0.1", STABLE),
		"connections that stay");
	pthread_create(&thread, NULL, churn, f);
	for (int d = 0; d < DUMPS; d++) {
		struct census census = {0};
		unsigned int seen = 0;

		client_dump(reader, NULL, note, &census);
		for (int i = 0; i < STABLE; i++)
			seen += census.seen[i];
		missing += STABLE - seen;
		twice += census.twice;
	}
	atomic_store(&f->stop, true);
	pthread_join(thread, NULL);
	client_close(reader);
	tap_u32(&f->tap, 0, missing, "left out by dumps");
	tap_ok(&f->tap, twice == 0, "repeated by dumps: %u of %u, under %u changes", twice,
	       DUMPS * STABLE, atomic_load(&f->changes));
	tap_err(&f->tap, 0, change_all(f->client, IPVS_CMD_DEL_CONN, "10.9.0.1", STABLE),
		"delete them");
}

/* ---- a listener that does not listen -----------------------------------------------------------
 */

static void test_slow_listener(struct fixture *f)
{
	struct client *listener = client_open();
	int size = SMALL_BUFFER;
	char byte;

	client_join(listener, IPVS_CONN_GENL_MCGRP_NEW);
	client_join(listener, IPVS_CONN_GENL_MCGRP_DEL);
	setsockopt(client_fd(listener), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	tap_err(&f->tap, 0, change_all(f->client, IPVS_CMD_NEW_CONN, "10.9.0.1", STABLE),
		"changes with a listener whose buffer is full");
	tap_ok(&f->tap, recv(client_fd(listener), &byte, 1, MSG_DONTWAIT) < 0 && errno == ENOBUFS,
	       "it learns that it missed some");
	tap_u32(&f->tap, STABLE, (unsigned int)client_dump(f->client, NULL, NULL, NULL),
		"a dump has them all");
	change_all(f->client, IPVS_CMD_DEL_CONN, "10.9.0.1", STABLE);
	client_close(listener);
}

/* ---- namespaces that end -----------------------------------------------------------------------
 */

/* Leaves connections, a listener and a dump that nobody reads to the end of its namespace. */
static int leave_a_namespace(void)
{
	struct client *client, *listener;

	if (unshare(CLONE_NEWNET))
		return 1;
	client = client_open();
	listener = client_open();
	if (!client || !listener || client_join(listener, IPVS_CONN_GENL_MCGRP_NEW) ||
	    client_join(listener, IPVS_CONN_GENL_MCGRP_DEL))
		return 2;
	if (change_all(client, IPVS_CMD_NEW_CONN, "10.9.0.1", STABLE / 4))
		return 3;
	return client_dump_begin(client) ? 4 : 0;
}

static void test_namespaces(struct fixture *f)
{
	struct client *listener = client_open();
	int status, failed = 0;

	client_join(listener, IPVS_CONN_GENL_MCGRP_DEL);
	for (int i = 0; i < NAMESPACES; i++)
		if (!fork())
			_exit(leave_a_namespace());
	for (int i = 0; i < NAMESPACES; i++)
		failed += wait(&status) < 0 || status;
	tap_u32(&f->tap, 0, (unsigned int)failed, "namespaces that end under listener and dump");
	tap_u32(&f->tap, 0, (unsigned int)client_events(listener, 500, NULL, NULL),
		"their end is not told here");
	client_close(listener);
}

/* ---- random requests ---------------------------------------------------------------------------
 */

static uint32_t next_random(struct fixture *f)
{
	return (uint32_t)rand_r(&f->seed) << 16 ^ (uint32_t)rand_r(&f->seed);
}

/* Attributes of random type, length and content; often nested, often near what is valid. */
static void put_random(struct fixture *f, struct nlmsghdr *nlh, int depth)
{
	static const uint16_t lens[] = {0, 1, 2, 4, 4, 2, 8, 16, 16, 17, 255};
	unsigned int n = next_random(f) % 12;

	for (unsigned int i = 0; i < n && nlh->nlmsg_len < RANDOM_MAX; i++) {
		uint16_t type = (uint16_t)(next_random(f) % (IPVS_CONN_ATTR_MAX + 3));
		uint16_t len = lens[next_random(f) % (sizeof(lens) / sizeof(lens[0]))];
		uint8_t bytes[256];
		struct nlattr *nest;

		if (depth < 3 && next_random(f) % 4 == 0) {
			nest = mnl_attr_nest_start(nlh, type);
			put_random(f, nlh, depth + 1);
			mnl_attr_nest_end(nlh, nest);
			continue;
		}
		for (size_t b = 0; b < sizeof(bytes); b++)
			bytes[b] = (uint8_t)(next_random(f) % 4 ? 0 : next_random(f));
		mnl_attr_put(nlh, type, len, bytes);
	}
}

/* A valid connection of a small set, so that requests meet, with one thing changed at random. */
static struct conn mutant(struct fixture *f)
{
	struct conn conn = numbered("10.9.0.3", next_random(f) % 16);
	static struct conn control;

	conn.flags = next_random(f) % 2 ? 0 : IP_VS_CONN_F_TEMPLATE;
	if (conn.flags)
		conn.cport = 0;
	conn.state = (uint16_t)(next_random(f) % 12);
	conn.dport = (uint16_t)(next_random(f) % 2);
	control = numbered("10.9.0.3", next_random(f) % 16);
	control.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_FLAGS);
	control.cport = 0;
	control.flags = IP_VS_CONN_F_TEMPLATE;
	conn.control = &control;
	conn.expires_ms = next_random(f) % 200;
	conn.given |= next_random(f) % 2 ? CONN_BIT(IPVS_CONN_ATTR_CONTROL) : 0;
	conn.given |= next_random(f) % 2 ? CONN_BIT(IPVS_CONN_ATTR_EXPIRES) : 0;
	conn.given |= next_random(f) % 2 ? CONN_BIT(IPVS_CONN_ATTR_IN_SEQ) : 0;
	if (next_random(f) % 8 == 0)
		conn.given ^= UINT64_C(1) << next_random(f) % (IPVS_CONN_ATTR_MAX + 1);
	conn.given &= ~(CONN_BIT(IPVS_CONN_ATTR_PE_NAME) | CONN_BIT(IPVS_CONN_ATTR_PE_DATA));
	return conn;
}

static void request_wild(struct fixture *f, int fd, uint16_t family)
{
	char buf[4 * RANDOM_MAX];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST | (next_random(f) % 4 ? 0 : NLM_F_DUMP);
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = (uint8_t)(IPVS_CMD_NEW_CONN + next_random(f) % 5);
	genl->version = 1;
	put_random(f, nlh, 0);
	(void)!send(fd, buf, nlh->nlmsg_len, MSG_DONTWAIT);
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static void test_random(struct fixture *f)
{
	static const uint8_t cmds[] = {IPVS_CMD_NEW_CONN, IPVS_CMD_NEW_CONN, IPVS_CMD_SET_CONN,
				       IPVS_CMD_DEL_CONN};
	struct client *wild = client_open();
	time_t end = time(NULL) + f->seconds;
	unsigned int n = 0, good = 0;
	uint8_t cmd;

	printf("# random requests: seed %u, %d s\n", f->seed, f->seconds);
	while (time(NULL) < end || (good < GOOD_LEAST && n < ROUNDS_MOST)) {
		request_wild(f, client_fd(wild), client_family(wild));
		cmd = cmds[next_random(f) % sizeof(cmds)];
		client_begin(f->client, cmd);
		for (unsigned int i = 0; i <= next_random(f) % 3; i++) {
			struct conn conn = mutant(f);

			if (cmd == IPVS_CMD_DEL_CONN && next_random(f) % 8)
				conn.given &= CONN_NAME;
			client_add(f->client, &conn);
		}
		good += !client_send(f->client, NULL, 0, NULL);
		if (n++ % 64 == 0) {
			client_dump(f->client, NULL, NULL, NULL);
			client_set_counting(next_random(f) % 2 ? "1" : "0");
		}
	}
	client_close(wild);
	tap_ok(&f->tap, good >= GOOD_LEAST && good > n / 100 && good < n,
	       "random requests: %u wild, %u of %u mutants done", n, good, n);
}

int main(int argc, char **argv)
{
	struct fixture f = {.client = client_open()};

	f.seconds = argc > 1 ? atoi(argv[1]) : 5;
	f.seed = argc > 2 ? (unsigned int)atoi(argv[2]) : (unsigned int)time(NULL);
	if (!tap_ok(&f.tap, f.client, "open the family"))
		return tap_end(&f.tap);
	test_dump_under_churn(&f);
	test_slow_listener(&f);
	test_namespaces(&f);
	test_random(&f);
	client_close(f.client);
	return tap_end(&f.tap);
}
