/*
 * bench_rates: connections inserted, changed, dumped and deleted a second through the connection
 * API, and inserted and dumped through ctnetlink, in the same kernel. Argument: how many.
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
#include <time.h>

#include "kpatch/tests/client.h"

#define BATCH  200
#define BUFFER (256 * 1024)

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void report(const char *what, uint32_t n, double start)
{
	double seconds = now() - start;

	printf("%-22s %8u in %6.3f s  %9.0f/s\n", what, n, seconds, n / seconds);
}

static struct conn numbered(uint32_t i)
{
	struct conn conn = conn_tcp4("10.0.0.0", 0, "10.1.0.100", 80, "10.2.0.2", 80);

	conn.caddr.v4.s_addr = htonl(0x0a4d0000U + (i & 0xffff));
	conn.cport = (uint16_t)(1024 + (i >> 16));
	conn.timeout_ms = 3600000;
	conn.given |= CONN_BIT(IPVS_CONN_ATTR_TIMEOUT);
	return conn;
}

static int request_all(struct client *client, uint8_t cmd, uint32_t n, uint64_t given)
{
	for (uint32_t i = 0; i < n;) {
		int err;

		client_begin(client, cmd);
		for (uint32_t k = 0; k < BATCH && i < n; k++, i++) {
			struct conn conn = numbered(i);

			conn.given &= given;
			client_add(client, &conn);
		}
		err = client_send(client, NULL, 0, NULL);
		if (err)
			return err;
	}
	return 0;
}

static int bench_ipvs(uint32_t n)
{
	struct client *client = client_open();
	double start = now();
	int err, dumped;

	if (!client)
		return -EPROTO;
	err = request_all(client, IPVS_CMD_NEW_CONN, n, UINT64_MAX);
	report("ipvs insert", n, start);
	start = now();
	if (!err)
		err = request_all(client, IPVS_CMD_SET_CONN, n,
				  CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_TIMEOUT));
	report("ipvs prolong", n, start);
	start = now();
	dumped = client_dump(client, NULL, NULL, NULL);
	report("ipvs dump", dumped < 0 ? 0 : (uint32_t)dumped, start);
	start = now();
	if (!err)
		err = request_all(client, IPVS_CMD_DEL_CONN, n, CONN_KEY);
	report("ipvs delete", n, start);
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

static int ct_insert(struct mnl_socket *socket, char *buf, uint32_t n)
{
	for (uint32_t i = 0; i < n;) {
		size_t len = 0;
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
		err = ct_send(socket, buf, len);
		if (err)
			return err;
	}
	return 0;
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

static int bench_conntrack(uint32_t n)
{
	struct mnl_socket *socket = mnl_socket_open(NETLINK_NETFILTER);
	static char buf[BUFFER];
	uint32_t dumped = 0;
	double start;
	int err;

	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	start = now();
	err = ct_insert(socket, buf, n);
	report("ctnetlink insert", n, start);
	start = now();
	if (!err)
		err = ct_dump(socket, buf, &dumped);
	report("ctnetlink dump", dumped, start);
	mnl_socket_close(socket);
	return err;
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)atoi(argv[1]) : 50000;
	int err = bench_ipvs(n);

	if (err)
		fprintf(stderr, "bench_rates: ipvs: %s\n", strerror(-err));
	else if ((err = bench_conntrack(n)))
		fprintf(stderr, "bench_rates: ctnetlink: %s\n", strerror(-err));
	return err ? 1 : 0;
}
