/*
 * client: a small client of the connection API (kpatch/uapi/linux/ip_vs_conn.h) for the tests. It
 * says what goes wrong by an errno and knows nothing of what a test expects.
 */
#ifndef KPATCH_TESTS_CLIENT_H
#define KPATCH_TESTS_CLIENT_H

#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kpatch/uapi/linux/ip_vs_conn.h"

/* A connection as messages carry it. Addresses are in network order, ports in the host's. */
struct conn {
	uint16_t af, daf, protocol;
	union {
		struct in_addr v4;
		struct in6_addr v6;
	} caddr, vaddr, daddr;
	uint16_t cport, vport, dport;
	uint32_t flags, flags_mask;
	uint16_t state;
	uint32_t fwmark, timeout_ms, expires_ms, in_packets, n_control;
	uint32_t in_seq[3], out_seq[3];
	uint64_t in_counters[2], out_counters[2]; /* packets, bytes */
	bool has_dest;
	char pe_name[IP_VS_PENAME_MAXLEN + 1];
	uint8_t pe_data[IP_VS_PEDATA_MAXLEN];
	size_t pe_data_len;
	struct conn *control; /* borrowed when sent; conn_clear() frees it when received */
	uint64_t given;	      /* BIT of each IPVS_CONN_ATTR_* that is sent, or was received */
};

#define CONN_BIT(attr) (UINT64_C(1) << (attr))
#define CONN_KEY                                                           \
	(CONN_BIT(IPVS_CONN_ATTR_AF) | CONN_BIT(IPVS_CONN_ATTR_PROTOCOL) | \
	 CONN_BIT(IPVS_CONN_ATTR_CADDR) | CONN_BIT(IPVS_CONN_ATTR_CPORT) | \
	 CONN_BIT(IPVS_CONN_ATTR_VADDR) | CONN_BIT(IPVS_CONN_ATTR_VPORT))
#define CONN_DEST     (CONN_BIT(IPVS_CONN_ATTR_DADDR) | CONN_BIT(IPVS_CONN_ATTR_DPORT))
#define CONN_COUNTERS (CONN_BIT(IPVS_CONN_ATTR_IN_COUNTERS) | CONN_BIT(IPVS_CONN_ATTR_OUT_COUNTERS))
/* What GET and DEL may be given of a connection. */
#define CONN_NAME                                                                               \
	(CONN_KEY | CONN_DEST | CONN_BIT(IPVS_CONN_ATTR_DAF) | CONN_BIT(IPVS_CONN_ATTR_FLAGS) | \
	 CONN_BIT(IPVS_CONN_ATTR_PE_NAME) | CONN_BIT(IPVS_CONN_ATTR_PE_DATA))

struct client;

/* An item of a request that failed. */
struct conn_error {
	uint32_t index;
	int code; /* positive */
};

/* Receives a connection of a dump or an event; `cmd` is IPVS_CMD_*_CONN, `portid` its cause. */
typedef void conn_fn(void *arg, uint8_t cmd, uint32_t portid, const struct conn *conn);

/* Opens a socket in the calling thread's network namespace. Returns NULL, errno set. */
struct client *client_open(void);
void client_close(struct client *client);
uint32_t client_portid(const struct client *client);
int client_fd(const struct client *client);
uint16_t client_family(const struct client *client);

/* Joins a multicast group by name. 0 or -errno. */
int client_join(struct client *client, const char *group);

/*
 * Begins a request, adds connections, and sends it with an acknowledgement asked for. Returns the
 * request's status, 0 or -errno; items that failed are in `errors`, at most `max`, `*n` of them.
 */
void client_begin(struct client *client, uint8_t cmd);
void client_exclusive(struct client *client);
void client_add(struct client *client, const struct conn *conn);
int client_send(struct client *client, struct conn_error *errors, size_t max, size_t *n);

/* The same for one connection. */
int client_request(struct client *client, uint8_t cmd, const struct conn *conn);

/* Deletes the connection that CONN_NAME says of `conn`. */
int client_delete(struct client *client, const struct conn *conn);

/* What the kernel said of the last request that failed; "" if nothing. */
const char *client_error_text(const struct client *client);

/* The attribute that it found missing, 0 if none. */
uint32_t client_error_missing(const struct client *client);

/* Sends what was begun without asking for an acknowledgement. 0 or -errno. */
int client_send_silent(struct client *client);

/* Gets the connection that CONN_NAME says of `key` into `*out`. 0 or -errno. */
int client_get(struct client *client, const struct conn *key, struct conn *out);

/* Dumps what matches `filter` (NULL: all). The number of connections, or -errno. */
int client_dump(struct client *client, const struct conn *filter, conn_fn *fn, void *arg);

/* Asks for a dump and leaves it unread. 0 or -errno. */
int client_dump_begin(struct client *client);

/* Writes net.ipv4.vs.conn_acct of the calling thread's network namespace. 0 or -errno. */
int client_set_counting(const char *value);

/* Receives events until none has come for `quiet_ms`. The number of events, or -errno. */
int client_events(struct client *client, int quiet_ms, conn_fn *fn, void *arg);

void conn_clear(struct conn *conn);

/* An IPv4 TCP connection with key, destination, flags and state given. */
struct conn conn_tcp4(const char *caddr, uint16_t cport, const char *vaddr, uint16_t vport,
		      const char *daddr, uint16_t dport);
struct conn conn_tcp6(const char *caddr, uint16_t cport, const char *vaddr, uint16_t vport,
		      const char *daddr, uint16_t dport);

#endif
