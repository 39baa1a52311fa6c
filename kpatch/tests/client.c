/* client: see client.h. */
#include "kpatch/tests/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A request of a few hundred connections, and what a kernel sends at once. */
#define REQUEST_MAX   (128 * 1024)
#define RECEIVE_MAX   (64 * 1024)
#define GROUPS_MAX    8
#define SOCKET_BUFFER (16 * 1024 * 1024)

struct client {
	struct mnl_socket *socket;
	uint16_t family;
	uint32_t seq;
	size_t n_groups;
	struct {
		char name[GENL_NAMSIZ];
		uint32_t id;
	} groups[GROUPS_MAX];
	struct nlmsghdr *request;
	uint32_t error_missing;
	char error_text[128];
	char request_buf[REQUEST_MAX];
	char receive_buf[RECEIVE_MAX];
};

/* What the callbacks of one reception fill. */
struct reception {
	struct client *client;
	conn_fn *fn;
	void *arg;
	struct conn_error *errors;
	size_t errors_max, n_errors;
	int n_conns;
};

/* ---- attributes to a connection ----------------------------------------------------------------
 */

static int parse_seq(const struct nlattr *nest, uint32_t seq[3])
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (type >= IPVS_CONN_SEQ_ATTR_INIT && type <= IPVS_CONN_SEQ_ATTR_PREV_DELTA)
			seq[type - IPVS_CONN_SEQ_ATTR_INIT] = mnl_attr_get_u32(attr);
	}
	return 0;
}

static void parse_counters(const struct nlattr *nest, uint64_t counters[2])
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (type == IPVS_CONN_COUNTERS_ATTR_PACKETS ||
		    type == IPVS_CONN_COUNTERS_ATTR_BYTES)
			counters[type - IPVS_CONN_COUNTERS_ATTR_PACKETS] = mnl_attr_get_u64(attr);
	}
}

static void parse_bytes(const struct nlattr *attr, void *to, size_t max, size_t *len)
{
	size_t n = mnl_attr_get_payload_len(attr);

	if (n > max)
		n = max;
	memcpy(to, mnl_attr_get_payload(attr), n);
	if (len)
		*len = n;
}

static void parse_conn(const struct nlattr *nest, struct conn *conn);

static void parse_attr(const struct nlattr *attr, struct conn *conn)
{
	uint16_t type = mnl_attr_get_type(attr);

	if (type >= 64)
		return;
	conn->given |= CONN_BIT(type);
	switch (type) {
	case IPVS_CONN_ATTR_AF:
		conn->af = mnl_attr_get_u16(attr);
		break;
	case IPVS_CONN_ATTR_DAF:
		conn->daf = mnl_attr_get_u16(attr);
		break;
	case IPVS_CONN_ATTR_PROTOCOL:
		conn->protocol = mnl_attr_get_u16(attr);
		break;
	case IPVS_CONN_ATTR_CADDR:
		parse_bytes(attr, &conn->caddr, 16, NULL);
		break;
	case IPVS_CONN_ATTR_VADDR:
		parse_bytes(attr, &conn->vaddr, 16, NULL);
		break;
	case IPVS_CONN_ATTR_DADDR:
		parse_bytes(attr, &conn->daddr, 16, NULL);
		break;
	case IPVS_CONN_ATTR_CPORT:
		conn->cport = ntohs(mnl_attr_get_u16(attr));
		break;
	case IPVS_CONN_ATTR_VPORT:
		conn->vport = ntohs(mnl_attr_get_u16(attr));
		break;
	case IPVS_CONN_ATTR_DPORT:
		conn->dport = ntohs(mnl_attr_get_u16(attr));
		break;
	case IPVS_CONN_ATTR_FLAGS:
		conn->flags = mnl_attr_get_u32(attr);
		break;
	case IPVS_CONN_ATTR_STATE:
		conn->state = mnl_attr_get_u16(attr);
		break;
	case IPVS_CONN_ATTR_FWMARK:
		conn->fwmark = mnl_attr_get_u32(attr);
		break;
	case IPVS_CONN_ATTR_TIMEOUT:
		conn->timeout_ms = mnl_attr_get_u32(attr);
		break;
	case IPVS_CONN_ATTR_EXPIRES:
		conn->expires_ms = mnl_attr_get_u32(attr);
		break;
	case IPVS_CONN_ATTR_IN_PACKETS:
		conn->in_packets = mnl_attr_get_u32(attr);
		break;
	case IPVS_CONN_ATTR_N_CONTROL:
		conn->n_control = mnl_attr_get_u32(attr);
		break;
	case IPVS_CONN_ATTR_HAS_DEST:
		conn->has_dest = true;
		break;
	case IPVS_CONN_ATTR_IN_SEQ:
		parse_seq(attr, conn->in_seq);
		break;
	case IPVS_CONN_ATTR_OUT_SEQ:
		parse_seq(attr, conn->out_seq);
		break;
	case IPVS_CONN_ATTR_IN_COUNTERS:
		parse_counters(attr, conn->in_counters);
		break;
	case IPVS_CONN_ATTR_OUT_COUNTERS:
		parse_counters(attr, conn->out_counters);
		break;
	case IPVS_CONN_ATTR_PE_NAME:
		parse_bytes(attr, conn->pe_name, sizeof(conn->pe_name) - 1, NULL);
		break;
	case IPVS_CONN_ATTR_PE_DATA:
		parse_bytes(attr, conn->pe_data, sizeof(conn->pe_data), &conn->pe_data_len);
		break;
	case IPVS_CONN_ATTR_CONTROL:
		conn->control = calloc(1, sizeof(*conn->control));
		if (conn->control)
			parse_conn(attr, conn->control);
		break;
	default:
		break;
	}
}

static void parse_conn(const struct nlattr *nest, struct conn *conn)
{
	const struct nlattr *attr;

	memset(conn, 0, sizeof(*conn));
	mnl_attr_for_each_nested(attr, nest) parse_attr(attr, conn);
	if (!conn->daf)
		conn->daf = conn->af;
}

void conn_clear(struct conn *conn)
{
	free(conn->control);
	conn->control = NULL;
}

/* ---- a connection to attributes ----------------------------------------------------------------
 */

static void put_seq(struct nlmsghdr *nlh, uint16_t type, const uint32_t seq[3])
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	for (uint16_t i = 0; i < 3; i++)
		mnl_attr_put_u32(nlh, (uint16_t)(IPVS_CONN_SEQ_ATTR_INIT + i), seq[i]);
	mnl_attr_nest_end(nlh, nest);
}

static void put_counters(struct nlmsghdr *nlh, uint16_t type, const uint64_t counters[2])
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put_u64(nlh, IPVS_CONN_COUNTERS_ATTR_PACKETS, counters[0]);
	mnl_attr_put_u64(nlh, IPVS_CONN_COUNTERS_ATTR_BYTES, counters[1]);
	mnl_attr_nest_end(nlh, nest);
}

static size_t addr_len(uint16_t af)
{
	return af == AF_INET6 ? 16 : 4;
}

static bool gives(const struct conn *conn, uint16_t type)
{
	return conn->given & CONN_BIT(type);
}

static void put_u16(struct nlmsghdr *nlh, const struct conn *conn, uint16_t type, uint16_t value)
{
	if (gives(conn, type))
		mnl_attr_put_u16(nlh, type, value);
}

static void put_u32(struct nlmsghdr *nlh, const struct conn *conn, uint16_t type, uint32_t value)
{
	if (gives(conn, type))
		mnl_attr_put_u32(nlh, type, value);
}

static void put_bytes(struct nlmsghdr *nlh, const struct conn *conn, uint16_t type,
		      const void *bytes, size_t len)
{
	if (gives(conn, type))
		mnl_attr_put(nlh, type, len, bytes);
}

static void put_conn(struct nlmsghdr *nlh, uint16_t nest_type, const struct conn *conn)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, nest_type);

	put_u16(nlh, conn, IPVS_CONN_ATTR_AF, conn->af);
	put_u16(nlh, conn, IPVS_CONN_ATTR_PROTOCOL, conn->protocol);
	put_bytes(nlh, conn, IPVS_CONN_ATTR_CADDR, &conn->caddr, addr_len(conn->af));
	put_u16(nlh, conn, IPVS_CONN_ATTR_CPORT, htons(conn->cport));
	put_bytes(nlh, conn, IPVS_CONN_ATTR_VADDR, &conn->vaddr, addr_len(conn->af));
	put_u16(nlh, conn, IPVS_CONN_ATTR_VPORT, htons(conn->vport));
	put_u16(nlh, conn, IPVS_CONN_ATTR_DAF, conn->daf);
	put_bytes(nlh, conn, IPVS_CONN_ATTR_DADDR, &conn->daddr, addr_len(conn->daf));
	put_u16(nlh, conn, IPVS_CONN_ATTR_DPORT, htons(conn->dport));
	put_u32(nlh, conn, IPVS_CONN_ATTR_FLAGS, conn->flags);
	put_u32(nlh, conn, IPVS_CONN_ATTR_FLAGS_MASK, conn->flags_mask);
	put_u16(nlh, conn, IPVS_CONN_ATTR_STATE, conn->state);
	put_u32(nlh, conn, IPVS_CONN_ATTR_FWMARK, conn->fwmark);
	put_u32(nlh, conn, IPVS_CONN_ATTR_TIMEOUT, conn->timeout_ms);
	put_u32(nlh, conn, IPVS_CONN_ATTR_EXPIRES, conn->expires_ms);
	put_u32(nlh, conn, IPVS_CONN_ATTR_IN_PACKETS, conn->in_packets);
	if (gives(conn, IPVS_CONN_ATTR_IN_SEQ))
		put_seq(nlh, IPVS_CONN_ATTR_IN_SEQ, conn->in_seq);
	if (gives(conn, IPVS_CONN_ATTR_OUT_SEQ))
		put_seq(nlh, IPVS_CONN_ATTR_OUT_SEQ, conn->out_seq);
	if (gives(conn, IPVS_CONN_ATTR_IN_COUNTERS))
		put_counters(nlh, IPVS_CONN_ATTR_IN_COUNTERS, conn->in_counters);
	if (gives(conn, IPVS_CONN_ATTR_PE_NAME))
		mnl_attr_put_strz(nlh, IPVS_CONN_ATTR_PE_NAME, conn->pe_name);
	put_bytes(nlh, conn, IPVS_CONN_ATTR_PE_DATA, conn->pe_data, conn->pe_data_len);
	if (gives(conn, IPVS_CONN_ATTR_CONTROL))
		put_conn(nlh, IPVS_CONN_ATTR_CONTROL, conn->control);
	mnl_attr_nest_end(nlh, nest);
}

/* ---- messages ----------------------------------------------------------------------------------
 */

static void receive_error(const struct nlattr *nest, struct reception *r)
{
	struct conn_error error = {0};
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == IPVS_CONN_ERROR_ATTR_INDEX)
			error.index = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == IPVS_CONN_ERROR_ATTR_CODE)
			error.code = (int)mnl_attr_get_u32(attr);
	}
	if (r->n_errors < r->errors_max)
		r->errors[r->n_errors] = error;
	r->n_errors++;
}

static int receive_message(const struct nlmsghdr *nlh, void *data)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	struct reception *r = data;
	const struct nlattr *attr;
	struct conn conn;

	if (nlh->nlmsg_type != r->client->family)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*genl))
	{
		if (mnl_attr_get_type(attr) == IPVS_CONN_CMD_ATTR_ERROR)
			receive_error(attr, r);
		if (mnl_attr_get_type(attr) != IPVS_CONN_CMD_ATTR_CONN)
			continue;
		r->n_conns++;
		if (!r->fn)
			continue;
		parse_conn(attr, &conn);
		r->fn(r->arg, genl->cmd, nlh->nlmsg_pid, &conn);
		conn_clear(&conn);
	}
	return MNL_CB_OK;
}

static int note_error_attr(const struct nlattr *attr, void *data)
{
	struct client *client = data;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
		snprintf(client->error_text, sizeof(client->error_text), "%s",
			 mnl_attr_get_str(attr));
	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MISS_TYPE)
		client->error_missing = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

/* The extended acknowledgement: attributes after the error and the head of the request. */
static void note_errors(struct client *client, size_t len)
{
	const struct nlmsghdr *nlh = (const void *)client->receive_buf;
	int left = (int)len;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		if (nlh->nlmsg_type == NLMSG_ERROR && nlh->nlmsg_flags & NLM_F_ACK_TLVS)
			(void)mnl_attr_parse(nlh, sizeof(struct nlmsgerr), note_error_attr, client);
}

/* Receives until the request with the client's last number is answered. 0 or -errno. */
static int receive_answer(struct client *client, struct reception *r)
{
	ssize_t len;
	int more;

	r->client = client;
	client->error_text[0] = '\0';
	client->error_missing = 0;
	do {
		len = mnl_socket_recvfrom(client->socket, client->receive_buf,
					  sizeof(client->receive_buf));
		if (len < 0)
			return -errno;
		note_errors(client, (size_t)len);
		more = mnl_cb_run(client->receive_buf, (size_t)len, client->seq,
				  mnl_socket_get_portid(client->socket), receive_message, r);
	} while (more > MNL_CB_STOP);
	return more < 0 ? -errno : 0;
}

static void begin(struct client *client, uint16_t type, uint8_t cmd, uint16_t flags)
{
	struct genlmsghdr *genl;

	client->request = mnl_nlmsg_put_header(client->request_buf);
	client->request->nlmsg_type = type;
	client->request->nlmsg_flags = NLM_F_REQUEST | flags;
	client->request->nlmsg_seq = ++client->seq;
	genl = mnl_nlmsg_put_extra_header(client->request, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = 1;
}

void client_begin(struct client *client, uint8_t cmd)
{
	begin(client, client->family, cmd, 0);
}

void client_exclusive(struct client *client)
{
	mnl_attr_put(client->request, IPVS_CONN_CMD_ATTR_EXCLUSIVE, 0, NULL);
}

void client_add(struct client *client, const struct conn *conn)
{
	put_conn(client->request, IPVS_CONN_CMD_ATTR_CONN, conn);
}

int client_send_silent(struct client *client)
{
	return mnl_socket_sendto(client->socket, client->request, client->request->nlmsg_len) < 0
		       ? -errno
		       : 0;
}

static int transact(struct client *client, struct reception *r)
{
	int err = client_send_silent(client);

	return err ? err : receive_answer(client, r);
}

int client_send(struct client *client, struct conn_error *errors, size_t max, size_t *n)
{
	struct reception r = {.errors = errors, .errors_max = max};
	int err;

	client->request->nlmsg_flags |= NLM_F_ACK;
	err = transact(client, &r);
	if (n)
		*n = r.n_errors;
	return err;
}

int client_request(struct client *client, uint8_t cmd, const struct conn *conn)
{
	client_begin(client, cmd);
	client_add(client, conn);
	return client_send(client, NULL, 0, NULL);
}

int client_delete(struct client *client, const struct conn *conn)
{
	struct conn name = *conn;

	name.given &= CONN_NAME;
	return client_request(client, IPVS_CMD_DEL_CONN, &name);
}

static void copy_conn(void *arg, uint8_t cmd, uint32_t portid, const struct conn *conn)
{
	struct conn *out = arg;

	(void)cmd;
	(void)portid;
	*out = *conn;
	if (conn->control) {
		out->control = malloc(sizeof(*out->control));
		if (out->control)
			*out->control = *conn->control;
	}
}

int client_get(struct client *client, const struct conn *key, struct conn *out)
{
	struct reception r = {.fn = copy_conn, .arg = out};
	struct conn name = *key;
	int err;

	begin(client, client->family, IPVS_CMD_GET_CONN, NLM_F_ACK);
	name.given &= CONN_NAME;
	client_add(client, &name);
	err = transact(client, &r);
	if (!err && r.n_conns != 1)
		err = -EPROTO;
	return err;
}

int client_dump(struct client *client, const struct conn *filter, conn_fn *fn, void *arg)
{
	struct reception r = {.fn = fn, .arg = arg};
	int err;

	begin(client, client->family, IPVS_CMD_GET_CONN, NLM_F_DUMP);
	if (filter)
		client_add(client, filter);
	err = transact(client, &r);
	return err ? err : r.n_conns;
}

int client_dump_begin(struct client *client)
{
	begin(client, client->family, IPVS_CMD_GET_CONN, NLM_F_DUMP);
	return client_send_silent(client);
}

int client_events(struct client *client, int quiet_ms, conn_fn *fn, void *arg)
{
	struct pollfd pfd = {.fd = client_fd(client), .events = POLLIN};
	struct reception r = {.client = client, .fn = fn, .arg = arg};
	ssize_t len;

	while (poll(&pfd, 1, quiet_ms) > 0) {
		len = mnl_socket_recvfrom(client->socket, client->receive_buf,
					  sizeof(client->receive_buf));
		if (len < 0)
			return -errno;
		if (mnl_cb_run(client->receive_buf, (size_t)len, 0, 0, receive_message, &r) < 0)
			return -errno;
	}
	return r.n_conns;
}

int client_set_counting(const char *value)
{
	FILE *file = fopen("/proc/sys/net/ipv4/vs/conn_acct", "w");

	if (!file)
		return -errno;
	fputs(value, file);
	return fclose(file) ? -errno : 0;
}

/* ---- the socket --------------------------------------------------------------------------------
 */

static void parse_group(const struct nlattr *nest, struct client *client)
{
	const struct nlattr *attr;
	const char *name = NULL;
	uint32_t id = 0;

	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME)
			name = mnl_attr_get_str(attr);
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID)
			id = mnl_attr_get_u32(attr);
	}
	if (!name || client->n_groups == GROUPS_MAX)
		return;
	strncpy(client->groups[client->n_groups].name, name, GENL_NAMSIZ - 1);
	client->groups[client->n_groups++].id = id;
}

static int receive_family(const struct nlmsghdr *nlh, void *data)
{
	struct client *client = data;
	const struct nlattr *attr, *group;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			client->family = mnl_attr_get_u16(attr);
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS) {
			mnl_attr_for_each_nested(group, attr) parse_group(group, client);
		}
	}
	return MNL_CB_OK;
}

static int find_family(struct client *client)
{
	ssize_t len;
	int more = MNL_CB_OK;

	begin(client, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	mnl_attr_put_strz(client->request, CTRL_ATTR_FAMILY_NAME, IPVS_GENL_NAME);
	if (client_send_silent(client))
		return -errno;
	while (more > MNL_CB_STOP) {
		len = mnl_socket_recvfrom(client->socket, client->receive_buf,
					  sizeof(client->receive_buf));
		if (len < 0)
			return -errno;
		more = mnl_cb_run(client->receive_buf, (size_t)len, client->seq, 0, receive_family,
				  client);
	}
	return more < 0 ? -errno : 0;
}

struct client *client_open(void)
{
	struct client *client = calloc(1, sizeof(*client));
	int size = SOCKET_BUFFER;

	if (!client)
		return NULL;
	client->socket = mnl_socket_open(NETLINK_GENERIC);
	if (!client->socket)
		goto fail;
	(void)setsockopt(client_fd(client), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	(void)setsockopt(client_fd(client), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	size = 1;
	if (mnl_socket_setsockopt(client->socket, NETLINK_EXT_ACK, &size, sizeof(size)) ||
	    mnl_socket_setsockopt(client->socket, NETLINK_CAP_ACK, &size, sizeof(size)))
		goto fail;
	if (mnl_socket_bind(client->socket, 0, MNL_SOCKET_AUTOPID) < 0 || find_family(client))
		goto fail;
	return client;
fail:
	client_close(client);
	return NULL;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	if (client->socket)
		mnl_socket_close(client->socket);
	free(client);
}

const char *client_error_text(const struct client *client)
{
	return client->error_text;
}

uint32_t client_error_missing(const struct client *client)
{
	return client->error_missing;
}

uint32_t client_portid(const struct client *client)
{
	return mnl_socket_get_portid(client->socket);
}

int client_fd(const struct client *client)
{
	return mnl_socket_get_fd(client->socket);
}

uint16_t client_family(const struct client *client)
{
	return client->family;
}

int client_join(struct client *client, const char *group)
{
	for (size_t i = 0; i < client->n_groups; i++) {
		if (strcmp(client->groups[i].name, group))
			continue;
		return setsockopt(client_fd(client), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
				  &client->groups[i].id, sizeof(client->groups[i].id))
			       ? -errno
			       : 0;
	}
	return -ENOENT;
}

static struct conn conn_of(uint16_t af, const char *const addr[3], const uint16_t port[3])
{
	struct conn conn = {.af = af, .daf = af, .protocol = IPPROTO_TCP};

	conn.given = CONN_KEY | CONN_DEST | CONN_BIT(IPVS_CONN_ATTR_FLAGS) |
		     CONN_BIT(IPVS_CONN_ATTR_STATE);
	conn.state = 1; /* established */
	(void)inet_pton(af, addr[0], &conn.caddr);
	(void)inet_pton(af, addr[1], &conn.vaddr);
	(void)inet_pton(af, addr[2], &conn.daddr);
	conn.cport = port[0];
	conn.vport = port[1];
	conn.dport = port[2];
	return conn;
}

struct conn conn_tcp4(const char *caddr, uint16_t cport, const char *vaddr, uint16_t vport,
		      const char *daddr, uint16_t dport)
{
	return conn_of(AF_INET, (const char *[]){caddr, vaddr, daddr},
		       (uint16_t[]){cport, vport, dport});
}

struct conn conn_tcp6(const char *caddr, uint16_t cport, const char *vaddr, uint16_t vport,
		      const char *daddr, uint16_t dport)
{
	return conn_of(AF_INET6, (const char *[]){caddr, vaddr, daddr},
		       (uint16_t[]){cport, vport, dport});
}
