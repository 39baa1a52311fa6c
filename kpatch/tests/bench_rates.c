/*
 * bench_rates: connections inserted, changed, dumped and deleted a second through the connection
 * API, and inserted and dumped through ctnetlink, in the same kernel. Argument: how many.
 *
 * Both in turn, several times, one of them first and then the other, so that neither has the better
 * of a kernel whose caches are warm or which still frees what the other deleted. Insertion, change
 * and deletion are what the kernel takes from a request to its acknowledgement: how well a library
 * makes messages is not measured.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "kpatch/tests/client.h"

#define ROUNDS	5
#define BATCH	200
#define BUFFER	(256 * 1024)
#define REST_US 500000 /* in which an idle kernel frees what was deleted */

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

enum what {
	IPVS_INSERT,
	IPVS_PROLONG,
	IPVS_DUMP,
	IPVS_DELETE,
	CT_INSERT,
	CT_DUMP,
	N_WHATS,
};

static const char *const names[N_WHATS] = {"ipvs insert", "ipvs prolong",     "ipvs dump",
					   "ipvs delete", "ctnetlink insert", "ctnetlink dump"};

struct bench {
	uint32_t n; /* connections */
	double rates[N_WHATS][ROUNDS];
};

static struct conn numbered(uint32_t i)
{
	struct conn conn = conn_tcp4("10.0.0.0", 0, "10.1.0.100", 80, "10.2.0.2", 80);

	conn.caddr.v4.s_addr = htonl(0x0a4d0000U + (i & 0xffff));
	conn.cport = (uint16_t)(1024 + (i >> 16));
	conn.timeout_ms = 3600000;
	conn.given |= CONN_BIT(IPVS_CONN_ATTR_TIMEOUT);
	return conn;
}

static int request_all(struct client *client, uint8_t cmd, uint32_t n, uint64_t given,
		       double *seconds)
{
	*seconds = 0;
	for (uint32_t i = 0; i < n;) {
		double start;
		int err;

		client_begin(client, cmd);
		for (uint32_t k = 0; k < BATCH && i < n; k++, i++) {
			struct conn conn = numbered(i);

			conn.given &= given;
			client_add(client, &conn);
		}
		start = now();
		err = client_send(client, NULL, 0, NULL);
		*seconds += now() - start;
		if (err)
			return err;
	}
	return 0;
}

static int bench_ipvs(struct bench *bench, int round)
{
	static const struct {
		enum what what;
		uint8_t cmd;
		uint64_t given;
	} requests[] = {
		{IPVS_INSERT, IPVS_CMD_NEW_CONN, UINT64_MAX},
		{IPVS_PROLONG, IPVS_CMD_SET_CONN, CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_TIMEOUT)},
		{IPVS_DELETE, IPVS_CMD_DEL_CONN, CONN_KEY},
	};
	struct client *client = client_open();
	int err = client ? 0 : -EPROTO, dumped;
	double seconds;

	for (size_t i = 0; !err && i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].what == IPVS_DELETE) {
			seconds = now();
			dumped = client_dump(client, NULL, NULL, NULL);
			bench->rates[IPVS_DUMP][round] = dumped / (now() - seconds);
			err = dumped == (int)bench->n ? 0 : -EBADE;
		}
		if (!err)
			err = request_all(client, requests[i].cmd, bench->n, requests[i].given,
					  &seconds);
		bench->rates[requests[i].what][round] = bench->n / seconds;
	}
	client_close(client);
	return err;
}

/* ---- ctnetlink ---------------------------------------------------------------------------------
 */

static struct nf_conntrack *flow(uint32_t i)
{
	struct nf_conntrack *ct = nfct_new();

	if (!ct)
		return NULL;
	nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET);
	nfct_set_attr_u32(ct, ATTR_IPV4_SRC, htonl(0x0a4d0000U + (i & 0xffff)));
	nfct_set_attr_u32(ct, ATTR_IPV4_DST, htonl(0x0a010064U));
	nfct_set_attr_u8(ct, ATTR_L4PROTO, IPPROTO_TCP);
	nfct_set_attr_u16(ct, ATTR_PORT_SRC, htons((uint16_t)(1024 + (i >> 16))));
	nfct_set_attr_u16(ct, ATTR_PORT_DST, htons(80));
	nfct_setobjopt(ct, NFCT_SOPT_SETUP_REPLY);
	nfct_set_attr_u8(ct, ATTR_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
	nfct_set_attr_u32(ct, ATTR_TIMEOUT, 3600);
	return ct;
}

static struct nlmsghdr *ct_message(char *at, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_INET;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

/* Sends messages of which the last asks for an acknowledgement, and waits for it. */
static int ct_send(struct mnl_socket *socket, char *buf, size_t len)
{
	char answer[8192];
	ssize_t n;

	if (mnl_socket_sendto(socket, buf, len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(socket, answer, sizeof(answer));
	if (n < 0)
		return -errno;
	return mnl_cb_run(answer, (size_t)n, 0, 0, NULL, NULL) < 0 ? -errno : 0;
}

static int ct_insert(struct mnl_socket *socket, char *buf, uint32_t n, double *seconds)
{
	*seconds = 0;
	for (uint32_t i = 0; i < n;) {
		size_t len = 0;
		double start;
		int err;

		for (uint32_t k = 0; k < BATCH && i < n; k++, i++) {
			bool last = k == BATCH - 1 || i == n - 1;
			struct nlmsghdr *nlh = ct_message(buf + len, IPCTNL_MSG_CT_NEW,
							  NLM_F_CREATE | (last ? NLM_F_ACK : 0));
			struct nf_conntrack *ct = flow(i);

			if (!ct)
				return -ENOMEM;
			nfct_nlmsg_build(nlh, ct);
			nfct_destroy(ct);
			len += nlh->nlmsg_len;
		}
		start = now();
		err = ct_send(socket, buf, len);
		*seconds += now() - start;
		if (err)
			return err;
	}
	return 0;
}

/* All that there are. */
static int ct_delete(struct mnl_socket *socket, char *buf)
{
	struct nlmsghdr *nlh = ct_message(buf, IPCTNL_MSG_CT_DELETE, NLM_F_ACK);

	return ct_send(socket, buf, nlh->nlmsg_len);
}

static int count(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	(*(uint32_t *)data)++;
	return MNL_CB_OK;
}

static int ct_dump(struct mnl_socket *socket, char *buf, uint32_t *n)
{
	struct nlmsghdr *nlh = ct_message(buf, IPCTNL_MSG_CT_GET, NLM_F_DUMP);
	int more = MNL_CB_OK;

	if (mnl_socket_sendto(socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (more > MNL_CB_STOP) {
		ssize_t len = mnl_socket_recvfrom(socket, buf, BUFFER);

		if (len < 0)
			return -errno;
		more = mnl_cb_run(buf, (size_t)len, 0, 0, count, n);
	}
	return more < 0 ? -errno : 0;
}

static int bench_conntrack(struct bench *bench, int round)
{
	struct mnl_socket *socket = mnl_socket_open(NETLINK_NETFILTER);
	static char buf[BUFFER];
	uint32_t dumped = 0;
	double seconds;
	int err;

	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	err = ct_insert(socket, buf, bench->n, &seconds);
	bench->rates[CT_INSERT][round] = bench->n / seconds;
	seconds = now();
	if (!err)
		err = ct_dump(socket, buf, &dumped);
	bench->rates[CT_DUMP][round] = dumped / (now() - seconds);
	if (!err)
		err = dumped == bench->n ? ct_delete(socket, buf) : -EBADE;
	mnl_socket_close(socket);
	return err;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(struct bench *bench)
{
	printf("%u connections, median of %d runs, a second\n", bench->n, ROUNDS);
	for (int i = 0; i < N_WHATS; i++) {
		double *rates = bench->rates[i];

		qsort(rates, ROUNDS, sizeof(rates[0]), by_value);
		printf("%-18s %9.0f  (%.0f to %.0f)\n", names[i], rates[ROUNDS / 2], rates[0],
		       rates[ROUNDS - 1]);
	}
	printf("ipvs insert / ctnetlink insert: %.2f\n",
	       bench->rates[IPVS_INSERT][ROUNDS / 2] / bench->rates[CT_INSERT][ROUNDS / 2]);
}

int main(int argc, char **argv)
{
	struct bench bench = {.n = argc > 1 ? (uint32_t)atoi(argv[1]) : 50000};
	static int (*const turns[])(struct bench * bench, int round) = {bench_ipvs,
									bench_conntrack};
	int err = 0;
	char seed;

	/*
	 * Waits for the kernel's generator of random numbers. Until it is seeded, each number that
	 * the kernel needs costs it 10,000 instructions, and conntrack needs one a connection.
	 */
	if (getrandom(&seed, sizeof(seed), 0) < 0)
		err = -errno;
	for (int i = 0; !err && i < 2 * ROUNDS; i++) {
		usleep(REST_US);
		/* 0, 1, 1, 0, 0, 1, ... */
		err = turns[(i + 1) / 2 % 2](&bench, i / 2);
	}
	if (err)
		fprintf(stderr, "bench_rates: %s\n", strerror(-err));
	else
		report(&bench);
	return err ? 1 : 0;
}
