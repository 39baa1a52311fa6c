/*
 * test_commands: every command, attribute and error of the connection API, without traffic. Run as
 * root in a network namespace of its own (or a guest), with a patched ip_vs loaded.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kpatch/tests/client.h"
#include "kpatch/tests/tap.h"

#define SERVICE	     "10.9.0.1"
#define SERVER	     "10.9.1.1"
#define OTHER_SERVER "10.9.1.2"
#define SERVER6	     "fd00::1"
#define QUIET_MS     200
#define LOOKS	     600 /* two minutes: a timer that meets its connection in use tries again in one */
#define BATCH	     500

struct fixture {
	struct tap tap;
	struct client *client;
	uint16_t port; /* a client port for each case, so that cases do not meet */
};

static struct conn next_conn(struct fixture *f)
{
	return conn_tcp4("10.1.2.3", ++f->port, SERVICE, 80, SERVER, 8080);
}

static struct conn next_template(struct fixture *f)
{
	struct conn conn = conn_tcp4("10.1.0.0", 0, SERVICE, 80, SERVER, 8080);

	conn.caddr.v4.s_addr = htonl(0x0a020000U + ++f->port);
	conn.flags = IP_VS_CONN_F_TEMPLATE;
	return conn;
}

static int new_conn(struct fixture *f, const struct conn *conn)
{
	return client_request(f->client, IPVS_CMD_NEW_CONN, conn);
}

static int del_conn(struct fixture *f, const struct conn *conn)
{
	return client_delete(f->client, conn);
}

static void expect_new(struct fixture *f, int expected, const struct conn *conn, const char *what)
{
	tap_err(&f->tap, expected, new_conn(f, conn), what);
}

static void test_attributes(struct fixture *f)
{
	struct conn conn = next_conn(f), got;

	conn.flags = IP_VS_CONN_F_TUNNEL;
	conn.state = 3;
	conn.fwmark = 77;
	conn.timeout_ms = 500000;
	conn.expires_ms = 400000;
	memcpy(conn.in_seq, (uint32_t[]){1000, 5, 3}, sizeof(conn.in_seq));
	memcpy(conn.out_seq, (uint32_t[]){2000, (uint32_t)-7, 0}, sizeof(conn.out_seq));
	conn.given |= CONN_BIT(IPVS_CONN_ATTR_FWMARK) | CONN_BIT(IPVS_CONN_ATTR_TIMEOUT) |
		      CONN_BIT(IPVS_CONN_ATTR_EXPIRES) | CONN_BIT(IPVS_CONN_ATTR_IN_SEQ) |
		      CONN_BIT(IPVS_CONN_ATTR_OUT_SEQ);
	expect_new(f, 0, &conn, "all attributes, IPv4");
	if (!tap_err(&f->tap, 0, client_get(f->client, &conn, &got), "get it"))
		return;
	tap_ok(&f->tap, !memcmp(&got.caddr, &conn.caddr, 4) && got.cport == conn.cport, "client");
	tap_ok(&f->tap, !memcmp(&got.vaddr, &conn.vaddr, 4) && got.vport == conn.vport, "service");
	tap_ok(&f->tap, !memcmp(&got.daddr, &conn.daddr, 4) && got.dport == conn.dport,
	       "destination");
	tap_u32(&f->tap, 3, got.state, "state");
	tap_u32(&f->tap, 77, got.fwmark, "fwmark");
	tap_u32(&f->tap, 500000, got.timeout_ms, "timeout");
	tap_ok(&f->tap, got.expires_ms <= 400100 && got.expires_ms > 380000, "expires: %u",
	       got.expires_ms);
	tap_ok(&f->tap, !memcmp(got.in_seq, conn.in_seq, sizeof(got.in_seq)), "inward sequence");
	tap_ok(&f->tap, !memcmp(got.out_seq, conn.out_seq, sizeof(got.out_seq)),
	       "outward sequence");
	tap_ok(&f->tap, got.flags & IP_VS_CONN_F_SYNC, "origin: inserted");
	tap_u32(&f->tap, IP_VS_CONN_F_TUNNEL, got.flags & IP_VS_CONN_F_FWD_MASK, "forwarding");
	tap_ok(&f->tap, !got.has_dest, "no destination is bound");
	conn_clear(&got);
	tap_err(&f->tap, 0, del_conn(f, &conn), "delete it");
	tap_err(&f->tap, -ENOENT, client_get(f->client, &conn, &got), "get it again");
}

static void test_families(struct fixture *f)
{
	struct conn v6 = conn_tcp6("2001:db8::1", 1234, "2001:db8::80", 80, "fd00::1", 8080), got;
	struct conn mixed = next_conn(f);

	expect_new(f, 0, &v6, "IPv6");
	if (tap_err(&f->tap, 0, client_get(f->client, &v6, &got), "get it")) {
		tap_ok(&f->tap,
		       !memcmp(&got.caddr, &v6.caddr, 16) && !memcmp(&got.vaddr, &v6.vaddr, 16) &&
			       !memcmp(&got.daddr, &v6.daddr, 16),
		       "its addresses");
		conn_clear(&got);
	}
	tap_err(&f->tap, 0, del_conn(f, &v6), "delete it");

	mixed.daf = AF_INET6;
	mixed.daddr = v6.daddr;
	mixed.given |= CONN_BIT(IPVS_CONN_ATTR_DAF);
	expect_new(f, -EINVAL, &mixed, "mixed families without a tunnel");
	mixed.flags = IP_VS_CONN_F_TUNNEL;
	expect_new(f, 0, &mixed, "mixed families by a tunnel");
	if (tap_err(&f->tap, 0, client_get(f->client, &mixed, &got), "get it")) {
		tap_ok(&f->tap, got.daf == AF_INET6 && !memcmp(&got.daddr, &v6.daddr, 16),
		       "its destination");
		conn_clear(&got);
	}
	tap_err(&f->tap, 0, del_conn(f, &mixed), "delete it");
}

static void test_templates(struct fixture *f)
{
	struct conn template = next_template(f), conn = next_conn(f), got, key = template;
	struct conn loop;

	key.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_FLAGS);
	conn.control = &key;
	conn.given |= CONN_BIT(IPVS_CONN_ATTR_CONTROL);
	expect_new(f, -ENOLINK, &conn, "controlled by a template that is not there");
	template.state = 1;
	expect_new(f, 0, &template, "template");
	expect_new(f, 0, &conn, "controlled by it");
	if (tap_err(&f->tap, 0, client_get(f->client, &template, &got), "get the template")) {
		tap_u32(&f->tap, 1, got.n_control, "it controls");
		tap_u32(&f->tap, 1, got.state, "it is assured");
		conn_clear(&got);
	}
	if (tap_err(&f->tap, 0, client_get(f->client, &conn, &got), "get the connection")) {
		tap_ok(&f->tap,
		       got.control && !memcmp(&got.control->caddr, &template.caddr, 4) &&
			       got.control->flags == IP_VS_CONN_F_TEMPLATE,
		       "it names its template");
		conn_clear(&got);
	}
	loop = template;
	loop.control = &conn;
	loop.given |= CONN_BIT(IPVS_CONN_ATTR_CONTROL);
	conn.given &= ~CONN_BIT(IPVS_CONN_ATTR_CONTROL);
	tap_err(&f->tap, -EINVAL, client_request(f->client, IPVS_CMD_SET_CONN, &loop),
		"a control that is more than a key");
	conn.given = CONN_KEY;
	tap_err(&f->tap, -ELOOP, client_request(f->client, IPVS_CMD_SET_CONN, &loop),
		"two that control each other");
	tap_err(&f->tap, -EBUSY, del_conn(f, &template), "delete a template in use");
	tap_ok(&f->tap, !strcmp(client_error_text(f->client), "the connection controls others"),
	       "it says why: %s", client_error_text(f->client));
	tap_err(&f->tap, 0, del_conn(f, &conn), "delete the connection");
	tap_err(&f->tap, 0, del_conn(f, &template), "delete the template");
}

static void test_persistence_engine(struct fixture *f)
{
	struct conn template = next_template(f), got;

	strcpy(template.pe_name, "sip");
	template.pe_data_len = (size_t)sprintf((char *)template.pe_data, "call-1@example");
	template.protocol = IPPROTO_UDP;
	template.given |= CONN_BIT(IPVS_CONN_ATTR_PE_NAME);
	expect_new(f, -EINVAL, &template, "engine without data");
	template.given |= CONN_BIT(IPVS_CONN_ATTR_PE_DATA);
	expect_new(f, 0, &template, "template of an engine");
	if (tap_err(&f->tap, 0, client_get(f->client, &template, &got), "get it")) {
		tap_ok(&f->tap,
		       !strcmp(got.pe_name, "sip") && got.pe_data_len == template.pe_data_len &&
			       !memcmp(got.pe_data, template.pe_data, got.pe_data_len),
		       "its engine and data");
		conn_clear(&got);
	}
	got = template;
	got.given = CONN_BIT(IPVS_CONN_ATTR_PE_NAME) | CONN_BIT(IPVS_CONN_ATTR_PE_DATA);
	tap_u32(&f->tap, 1, (unsigned int)client_dump(f->client, &got, NULL, NULL),
		"dump its call");
	strcpy((char *)got.pe_data, "call-9@example");
	tap_u32(&f->tap, 0, (unsigned int)client_dump(f->client, &got, NULL, NULL),
		"dump a call that is not there");
	strcpy((char *)template.pe_data, "call-2@example");
	tap_err(&f->tap, -ENOENT, client_get(f->client, &template, &got), "get another call's");
	strcpy((char *)template.pe_data, "call-1@example");
	tap_err(&f->tap, 0, del_conn(f, &template), "delete it");
	strcpy(template.pe_name, "none");
	expect_new(f, -EPROTONOSUPPORT, &template, "unknown engine");
}

/* An error of which the extended acknowledgement says more. */
static void expect_refusal(struct fixture *f, int expected, const struct conn *conn,
			   const char *text, const char *what)
{
	expect_new(f, expected, conn, what);
	tap_ok(&f->tap, !strcmp(client_error_text(f->client), text), "it says \"%s\"",
	       client_error_text(f->client));
}

static void test_errors(struct fixture *f)
{
	struct conn good = next_conn(f), bad;

	bad = good;
	bad.given &= ~CONN_BIT(IPVS_CONN_ATTR_VPORT);
	expect_new(f, -EINVAL, &bad, "key without a port");
	tap_u32(&f->tap, IPVS_CONN_ATTR_VPORT, client_error_missing(f->client),
		"it names the attribute");
	bad = good;
	bad.given &= ~CONN_DEST;
	expect_new(f, -EINVAL, &bad, "no destination");
	tap_u32(&f->tap, IPVS_CONN_ATTR_DADDR, client_error_missing(f->client),
		"it names the attribute");
	bad = good;
	bad.af = AF_UNIX;
	expect_refusal(f, -EAFNOSUPPORT, &bad, "no such address family", "unknown family");
	bad = good;
	bad.protocol = IPPROTO_ICMP;
	expect_refusal(f, -EPROTONOSUPPORT, &bad, "the protocol is not balanced",
		       "protocol that is not balanced");
	bad.protocol = 256;
	expect_new(f, -ERANGE, &bad, "protocol that is none");
	bad = good;
	bad.state = 99;
	expect_refusal(f, -ERANGE, &bad, "the protocol has no such state", "unknown state");
	bad = good;
	bad.cport = 0;
	expect_new(f, -EINVAL, &bad, "no client port");
	bad.flags = IP_VS_CONN_F_NO_CPORT;
	expect_new(f, 0, &bad, "client port not yet known");
	tap_err(&f->tap, 0, del_conn(f, &bad), "delete it");
	bad = good;
	bad.flags = IP_VS_CONN_F_ONE_PACKET;
	expect_new(f, -EINVAL, &bad, "one packet");
	bad.flags = 5;
	expect_refusal(f, -EINVAL, &bad, "no such forwarding method", "unknown forwarding method");
	bad.flags = 0x8;
	expect_refusal(f, -EINVAL, &bad, "reserved bit set", "unknown flag");
	bad = good;
	bad.timeout_ms = 0;
	bad.given |= CONN_BIT(IPVS_CONN_ATTR_TIMEOUT);
	expect_new(f, -ERANGE, &bad, "no timeout at all");
	bad = good;
	bad.given |= CONN_BIT(IPVS_CONN_ATTR_IN_PACKETS);
	expect_new(f, -EINVAL, &bad, "attribute that is read only");
	tap_err(&f->tap, -ENOENT, client_request(f->client, IPVS_CMD_SET_CONN, &good),
		"change what is not there");
	tap_err(&f->tap, -ENOENT, del_conn(f, &good), "delete what is not there");
	client_begin(f->client, IPVS_CMD_NEW_CONN);
	tap_err(&f->tap, -EINVAL, client_send(f->client, NULL, 0, NULL), "empty request");
	tap_u32(&f->tap, IPVS_CONN_CMD_ATTR_CONN, client_error_missing(f->client),
		"it names the attribute");
}

/* What a command does not use it refuses, so that nobody relies on what is not done. */
static void test_strictness(struct fixture *f)
{
	struct conn conn = next_conn(f), bad;

	expect_new(f, 0, &conn, "connection");
	bad = conn;
	bad.given |= CONN_BIT(IPVS_CONN_ATTR_FLAGS_MASK);
	expect_new(f, -EINVAL, &bad, "new with a mask of flags");
	bad = conn;
	bad.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_FWMARK);
	tap_err(&f->tap, -EINVAL, client_request(f->client, IPVS_CMD_SET_CONN, &bad),
		"change a mark");
	bad.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_STATE);
	tap_err(&f->tap, -EINVAL, client_request(f->client, IPVS_CMD_DEL_CONN, &bad),
		"delete with a state");
	client_begin(f->client, IPVS_CMD_SET_CONN);
	conn.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_TIMEOUT);
	conn.timeout_ms = 1000;
	client_add(f->client, &conn);
	client_exclusive(f->client);
	tap_err(&f->tap, -EINVAL, client_send(f->client, NULL, 0, NULL), "change exclusively");
	bad.given = CONN_BIT(IPVS_CONN_ATTR_TIMEOUT);
	tap_err(&f->tap, -EINVAL, client_dump(f->client, &bad, NULL, NULL),
		"dump by what is no filter");
	bad.given = CONN_BIT(IPVS_CONN_ATTR_CADDR);
	tap_u32(&f->tap, 1, (unsigned int)client_dump(f->client, &bad, NULL, NULL),
		"dump by address alone");
	tap_err(&f->tap, 0, del_conn(f, &conn), "delete it");
}

/* A connection that is put again has nothing left of before. */
static void test_replacement(struct fixture *f)
{
	struct conn conn = next_conn(f), got;

	conn.timeout_ms = 31U * 86400 * 1000;
	conn.expires_ms = 30U * 86400 * 1000;
	memcpy(conn.in_seq, (uint32_t[]){1000, 5, 3}, sizeof(conn.in_seq));
	conn.given |= CONN_BIT(IPVS_CONN_ATTR_TIMEOUT) | CONN_BIT(IPVS_CONN_ATTR_EXPIRES) |
		      CONN_BIT(IPVS_CONN_ATTR_IN_SEQ);
	expect_new(f, 0, &conn, "connection for a month");
	if (tap_err(&f->tap, 0, client_get(f->client, &conn, &got), "get it")) {
		tap_u32(&f->tap, conn.timeout_ms, got.timeout_ms, "timeout");
		tap_ok(&f->tap, got.expires_ms / 1000 - 30U * 86400 + 60 <= 61, "expires: %u",
		       got.expires_ms);
		conn_clear(&got);
	}
	conn.given &= ~(CONN_BIT(IPVS_CONN_ATTR_TIMEOUT) | CONN_BIT(IPVS_CONN_ATTR_EXPIRES) |
			CONN_BIT(IPVS_CONN_ATTR_IN_SEQ));
	expect_new(f, 0, &conn, "the same again, with less");
	if (tap_err(&f->tap, 0, client_get(f->client, &conn, &got), "get it")) {
		tap_u32(&f->tap, 900000, got.timeout_ms, "the state's timeout");
		tap_ok(&f->tap, !(got.given & CONN_BIT(IPVS_CONN_ATTR_IN_SEQ)), "no sequence");
		conn_clear(&got);
	}
	conn.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_FLAGS);
	conn.flags = IP_VS_CONN_F_IN_SEQ;
	tap_err(&f->tap, 0, client_request(f->client, IPVS_CMD_SET_CONN, &conn), "adjust again");
	if (tap_err(&f->tap, 0, client_get(f->client, &conn, &got), "get it")) {
		tap_ok(&f->tap, !got.in_seq[0] && !got.in_seq[1] && !got.in_seq[2],
		       "by nothing: %u, %u, %u", got.in_seq[0], got.in_seq[1], got.in_seq[2]);
		conn_clear(&got);
	}
	tap_err(&f->tap, 0, del_conn(f, &conn), "delete it");
}

static void test_set(struct fixture *f)
{
	struct conn conn = next_conn(f), set, got;

	expect_new(f, 0, &conn, "connection");
	client_begin(f->client, IPVS_CMD_NEW_CONN);
	client_add(f->client, &conn);
	client_exclusive(f->client);
	tap_err(&f->tap, -EEXIST, client_send(f->client, NULL, 0, NULL), "the same, exclusively");
	set = conn;
	set.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_TIMEOUT);
	set.timeout_ms = 7200000;
	tap_err(&f->tap, 0, client_request(f->client, IPVS_CMD_SET_CONN, &set), "set timeout");
	set.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_STATE) | CONN_BIT(IPVS_CONN_ATTR_FLAGS);
	set.state = 4;
	set.flags = IP_VS_CONN_F_INACTIVE;
	if (tap_err(&f->tap, 0, client_get(f->client, &conn, &got), "get it")) {
		tap_ok(&f->tap,
		       got.state == 1 && got.timeout_ms == 7200000 && got.expires_ms > 7100000,
		       "timeout %u, expires %u, state %u", got.timeout_ms, got.expires_ms,
		       got.state);
		conn_clear(&got);
	}
	tap_err(&f->tap, 0, client_request(f->client, IPVS_CMD_SET_CONN, &set), "set state");
	if (tap_err(&f->tap, 0, client_get(f->client, &conn, &got), "get it")) {
		tap_ok(&f->tap,
		       got.state == 4 && got.flags & IP_VS_CONN_F_INACTIVE &&
			       got.timeout_ms == 120000,
		       "state %u, flags %#x, timeout %u", got.state, got.flags, got.timeout_ms);
		conn_clear(&got);
	}
	set.given = CONN_KEY | CONN_DEST;
	inet_pton(AF_INET, OTHER_SERVER, &set.daddr);
	tap_err(&f->tap, -ESTALE, client_request(f->client, IPVS_CMD_SET_CONN, &set),
		"change one to another server");
	tap_err(&f->tap, -ESTALE, del_conn(f, &set), "delete one to another server");
	set = conn;
	inet_pton(AF_INET, OTHER_SERVER, &set.daddr);
	expect_new(f, 0, &set, "replace it by one to another server");
	tap_err(&f->tap, 0, del_conn(f, &set), "delete that");
	tap_err(&f->tap, -ENOENT, client_get(f->client, &conn, &got), "nothing is left of it");
}

static void test_bound(struct fixture *f)
{
	struct conn conn = next_conn(f), got;

	if (system("ipvsadm -A -t " SERVICE ":80 -s rr && "
		   "ipvsadm -a -t " SERVICE ":80 -r " SERVER ":8080 -m"))
		tap_ok(&f->tap, false, "ipvsadm");
	conn.flags = IP_VS_CONN_F_DROUTE;
	expect_new(f, 0, &conn, "connection to a configured server");
	if (tap_err(&f->tap, 0, client_get(f->client, &conn, &got), "get it")) {
		tap_ok(&f->tap, got.has_dest, "its destination is bound");
		tap_u32(&f->tap, IP_VS_CONN_F_MASQ, got.flags & IP_VS_CONN_F_FWD_MASK,
			"which decides the forwarding");
		conn_clear(&got);
	}
	tap_ok(&f->tap, !system("ipvsadm -Ln | grep -q '" SERVER ":8080 *Masq *1 *1 *0'"),
	       "it counts as active");
	tap_err(&f->tap, 0, del_conn(f, &conn), "delete it");
	tap_ok(&f->tap, !system("ipvsadm -Ln | grep -q '" SERVER ":8080 *Masq *1 *0 *0'"),
	       "it counts no more");
	if (system("ipvsadm -C"))
		tap_ok(&f->tap, false, "ipvsadm -C");
}

/* An IPv4 service's IPv6 server is found for a connection that was there before them. */
static void test_bound_late(struct fixture *f)
{
	struct conn conn = next_conn(f), set, got;

	conn.daf = AF_INET6;
	conn.daddr = conn_tcp6("::", 0, "::", 0, SERVER6, 0).daddr;
	conn.dport = 80; /* a tunnel leaves the port as it is */
	conn.flags = IP_VS_CONN_F_TUNNEL;
	conn.given |= CONN_BIT(IPVS_CONN_ATTR_DAF);
	expect_new(f, 0, &conn, "a connection to another family, of a service to come");
	if (system("ipvsadm -A -t " SERVICE ":80 -s rr && "
		   "ipvsadm -a -t " SERVICE ":80 -r [" SERVER6 "]:80 -i"))
		tap_ok(&f->tap, false, "ipvsadm");
	set = conn;
	set.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_TIMEOUT);
	set.timeout_ms = 60000;
	tap_err(&f->tap, 0, client_request(f->client, IPVS_CMD_SET_CONN, &set),
		"prolong it, the service being there");
	if (tap_err(&f->tap, 0, client_get(f->client, &conn, &got), "get it")) {
		tap_ok(&f->tap, got.has_dest && got.daf == AF_INET6, "it is bound");
		conn_clear(&got);
	}
	tap_err(&f->tap, 0, del_conn(f, &conn), "delete it");
	if (system("ipvsadm -C"))
		tap_ok(&f->tap, false, "ipvsadm -C");
}

struct tally {
	int n;
	uint32_t by_cmd[256];
	uint32_t portid;
	bool portid_alike;
};

static void count(void *arg, uint8_t cmd, uint32_t portid, const struct conn *conn)
{
	struct tally *tally = arg;

	(void)conn;
	tally->portid_alike = !tally->n || (tally->portid_alike && tally->portid == portid);
	tally->portid = portid;
	tally->by_cmd[cmd]++;
	tally->n++;
}

static void test_batch(struct fixture *f)
{
	struct conn_error errors[BATCH];
	struct tally tally = {0};
	size_t n = 0;
	int err;

	client_begin(f->client, IPVS_CMD_NEW_CONN);
	for (uint16_t i = 0; i < BATCH; i++) {
		struct conn conn =
			conn_tcp4("10.7.7.7", (uint16_t)(10000 + i), SERVICE, 443, SERVER, 443);

		if (i == 3 || i == 499)
			conn.state = 99;
		client_add(f->client, &conn);
	}
	err = client_send(f->client, errors, BATCH, &n);
	tap_err(&f->tap, -ERANGE, err, "many in a message, two of them bad");
	tap_ok(&f->tap,
	       n == 2 && errors[0].index == 3 && errors[0].code == ERANGE && errors[1].index == 499,
	       "the bad ones are told: %zu", n);
	tap_u32(&f->tap, BATCH - 2, (unsigned int)client_dump(f->client, NULL, count, &tally),
		"the others are there");

	client_begin(f->client, IPVS_CMD_DEL_CONN);
	for (uint16_t i = 0; i < BATCH; i++) {
		struct conn conn =
			conn_tcp4("10.7.7.7", (uint16_t)(10000 + i), SERVICE, 443, SERVER, 443);

		conn.given = CONN_KEY;
		client_add(f->client, &conn);
	}
	err = client_send(f->client, errors, BATCH, &n);
	tap_ok(&f->tap, err == -ENOENT && n == 2 && errors[1].index == 499, "delete them");
	tap_u32(&f->tap, 0, (unsigned int)client_dump(f->client, NULL, NULL, NULL), "none is left");
}

static void expect_dump(struct fixture *f, const struct conn *filter, unsigned int expected,
			const char *what)
{
	tap_u32(&f->tap, expected, (unsigned int)client_dump(f->client, filter, NULL, NULL), what);
}

static void test_filters(struct fixture *f)
{
	struct conn a = conn_tcp4("10.8.0.1", 1, SERVICE, 80, SERVER, 8080);
	struct conn b = conn_tcp4("10.8.0.2", 2, "10.9.0.2", 81, OTHER_SERVER, 8081);
	struct conn c = conn_tcp6("2001:db8::1", 3, "2001:db8::80", 80, "fd00::1", 8080);
	struct conn t = next_template(f), filter;

	b.state = 4;
	b.fwmark = 9;
	b.given |= CONN_BIT(IPVS_CONN_ATTR_FWMARK);
	tap_ok(&f->tap,
	       !new_conn(f, &a) && !new_conn(f, &b) && !new_conn(f, &c) && !new_conn(f, &t),
	       "four connections");
	expect_dump(f, NULL, 4, "dump of all");
	filter = a;
	filter.given = CONN_BIT(IPVS_CONN_ATTR_AF);
	expect_dump(f, &filter, 3, "by family");
	filter.given = CONN_BIT(IPVS_CONN_ATTR_AF) | CONN_BIT(IPVS_CONN_ATTR_VADDR) |
		       CONN_BIT(IPVS_CONN_ATTR_VPORT);
	expect_dump(f, &filter, 2, "by service");
	filter.given = CONN_BIT(IPVS_CONN_ATTR_CADDR);
	expect_dump(f, &filter, 1, "by client");
	filter.given = CONN_DEST;
	expect_dump(f, &filter, 2, "by destination");
	filter = b;
	filter.given = CONN_BIT(IPVS_CONN_ATTR_STATE);
	expect_dump(f, &filter, 1, "by state");
	filter.given = CONN_BIT(IPVS_CONN_ATTR_FWMARK);
	expect_dump(f, &filter, 1, "by mark");
	filter.given = CONN_BIT(IPVS_CONN_ATTR_PROTOCOL);
	filter.protocol = IPPROTO_UDP;
	expect_dump(f, &filter, 0, "by protocol");
	filter.given = CONN_BIT(IPVS_CONN_ATTR_FLAGS) | CONN_BIT(IPVS_CONN_ATTR_FLAGS_MASK);
	filter.flags = filter.flags_mask = IP_VS_CONN_F_TEMPLATE;
	expect_dump(f, &filter, 1, "templates");
	filter.flags = 0;
	filter.flags_mask = IP_VS_CONN_F_SYNC;
	expect_dump(f, &filter, 0, "local ones");
	tap_ok(&f->tap,
	       !del_conn(f, &a) && !del_conn(f, &b) && !del_conn(f, &c) && !del_conn(f, &t),
	       "delete them");
}

static void test_events(struct fixture *f)
{
	struct client *listener = client_open();
	struct conn conn = next_conn(f);
	struct tally tally = {0};
	int n;

	if (!tap_ok(&f->tap,
		    listener && !client_join(listener, IPVS_CONN_GENL_MCGRP_NEW) &&
			    !client_join(listener, IPVS_CONN_GENL_MCGRP_SET) &&
			    !client_join(listener, IPVS_CONN_GENL_MCGRP_DEL),
		    "listen to all groups"))
		return;
	new_conn(f, &conn);
	new_conn(f, &conn);
	inet_pton(AF_INET, OTHER_SERVER, &conn.daddr);
	new_conn(f, &conn);
	conn.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_TIMEOUT);
	conn.timeout_ms = 600000;
	client_request(f->client, IPVS_CMD_SET_CONN, &conn);
	del_conn(f, &conn);
	n = client_events(listener, QUIET_MS, count, &tally);
	tap_ok(&f->tap,
	       n == 5 && tally.by_cmd[IPVS_CMD_NEW_CONN] == 2 &&
		       tally.by_cmd[IPVS_CMD_SET_CONN] == 1 && tally.by_cmd[IPVS_CMD_DEL_CONN] == 2,
	       "new, again, to another server, timeout, delete: %u new, %u set, %u del",
	       tally.by_cmd[IPVS_CMD_NEW_CONN], tally.by_cmd[IPVS_CMD_SET_CONN],
	       tally.by_cmd[IPVS_CMD_DEL_CONN]);
	tap_ok(&f->tap, tally.portid_alike && tally.portid == client_portid(f->client),
	       "they name the requester");
	conn = next_conn(f);
	conn.expires_ms = 100;
	conn.given |= CONN_BIT(IPVS_CONN_ATTR_EXPIRES);
	new_conn(f, &conn);
	memset(&tally, 0, sizeof(tally));
	for (int i = 0; i < LOOKS && !tally.by_cmd[IPVS_CMD_DEL_CONN]; i++)
		client_events(listener, QUIET_MS, count, &tally);
	tap_ok(&f->tap, tally.by_cmd[IPVS_CMD_DEL_CONN] == 1 && !tally.portid,
	       "one that expires is told, by nobody");
	client_close(listener);
}

/* Runs in a child: as one without rights, and as one who has them in namespaces of its own. */
static int in_child(int (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(fn());
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int without_rights(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};
	struct conn conn = conn_tcp4("10.1.1.1", 1, SERVICE, 80, SERVER, 80);
	struct client *client;

	if (syscall(SYS_capset, &header, none))
		return 10;
	client = client_open();
	if (!client)
		return 11;
	if (client_request(client, IPVS_CMD_NEW_CONN, &conn) != -EPERM)
		return 1;
	if (client_dump(client, NULL, NULL, NULL) != -EPERM)
		return 2;
	if (client_join(client, IPVS_CONN_GENL_MCGRP_NEW) != -EPERM)
		return 3;
	return 0;
}

static int with_own_namespaces(void)
{
	struct conn conn = conn_tcp4("10.1.1.1", 1, SERVICE, 80, SERVER, 80);
	struct client *client;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return 10;
	client = client_open();
	if (!client)
		return 11;
	if (client_dump(client, NULL, NULL, NULL) != 0)
		return 1;
	if (client_request(client, IPVS_CMD_NEW_CONN, &conn))
		return 2;
	return client_dump(client, NULL, NULL, NULL) == 1 ? 0 : 3;
}

/* In a namespace where IPVS was never configured: no service, no hooks, an empty table. */
static int never_used(void)
{
	struct conn conn = conn_tcp4("10.1.1.1", 1, SERVICE, 80, SERVER, 80), got;
	struct client *client, *listener;
	struct tally tally = {0};

	if (unshare(CLONE_NEWNET))
		return 10;
	client = client_open();
	listener = client_open();
	if (!client || !listener || client_join(listener, IPVS_CONN_GENL_MCGRP_NEW) ||
	    client_join(listener, IPVS_CONN_GENL_MCGRP_DEL))
		return 11;
	if (client_dump(client, NULL, NULL, NULL) || client_dump(client, &conn, NULL, NULL))
		return 1;
	if (client_get(client, &conn, &got) != -ENOENT ||
	    client_request(client, IPVS_CMD_SET_CONN, &conn) != -ENOENT ||
	    client_delete(client, &conn) != -ENOENT)
		return 2;
	if (client_request(client, IPVS_CMD_NEW_CONN, &conn) ||
	    client_dump(client, NULL, NULL, NULL) != 1 || client_delete(client, &conn))
		return 3;
	return client_events(listener, QUIET_MS, count, &tally) == 2 ? 0 : 4;
}

static void test_rights(struct fixture *f)
{
	struct conn conn = next_conn(f);

	tap_u32(&f->tap, 0, (unsigned int)in_child(without_rights),
		"refused without CAP_NET_ADMIN");
	new_conn(f, &conn);
	tap_u32(&f->tap, 0, (unsigned int)in_child(with_own_namespaces),
		"granted in namespaces of one's own, which see only themselves");
	tap_u32(&f->tap, 0, (unsigned int)in_child(never_used),
		"a namespace in which IPVS was never used");
	expect_dump(f, NULL, 1, "here there is one");
	del_conn(f, &conn);
}

int main(void)
{
	struct fixture f = {.client = client_open()};

	if (!tap_ok(&f.tap, f.client, "open the family"))
		return tap_end(&f.tap);
	test_attributes(&f);
	test_families(&f);
	test_templates(&f);
	test_persistence_engine(&f);
	test_errors(&f);
	test_strictness(&f);
	test_replacement(&f);
	test_set(&f);
	test_bound(&f);
	test_bound_late(&f);
	test_batch(&f);
	test_filters(&f);
	test_events(&f);
	test_rights(&f);
	client_close(f.client);
	return tap_end(&f.tap);
}
