/*
 * test_ftp: connections that application helpers make and change: FTP's data connections, active
 * and passive, over both families, and sequence numbers that a helper moves; their events, and that
 * they go on after they were deleted and inserted from what was told, as on a takeover.
 *
 * Needs ip_vs_ftp, and ip_vs_resize (tests/module) for the sequence numbers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kpatch/tests/client.h"
#include "kpatch/tests/site.h"
#include "kpatch/tests/tap.h"
#include "kpatch/tests/watch.h"

#define FTP_PORT    21
#define RESIZE_PORT 2121
#define DATA_PORT   5121 /* where FTP's server waits: 20, 1 in its own notation */
#define CLIENT_PORT 5377 /* where its client waits: 21, 1 */

/* What can be sent of what was received. */
#define CONN_WRITABLE                                                                             \
	(CONN_KEY | CONN_DEST | CONN_BIT(IPVS_CONN_ATTR_FLAGS) | CONN_BIT(IPVS_CONN_ATTR_STATE) | \
	 CONN_BIT(IPVS_CONN_ATTR_TIMEOUT) | CONN_BIT(IPVS_CONN_ATTR_EXPIRES) |                    \
	 CONN_BIT(IPVS_CONN_ATTR_IN_SEQ) | CONN_BIT(IPVS_CONN_ATTR_OUT_SEQ))

/* Deletes a connection and inserts it from what its last event said. */
static void take_over(struct watch *w, const struct conn *told, const struct conn *control)
{
	struct conn conn = *told, key = {0};

	conn.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_FLAGS);
	tap_err(&w->tap, 0, client_delete(w->client, &conn), "delete it");
	conn.given = told->given & CONN_WRITABLE;
	if (control) {
		key = *control;
		key.given = CONN_KEY;
		conn.control = &key;
		conn.given |= CONN_BIT(IPVS_CONN_ATTR_CONTROL);
	}
	tap_err(&w->tap, 0, client_request(w->client, IPVS_CMD_NEW_CONN, &conn),
		"insert it as it was told");
}

static bool open_control(struct watch *w, int family, struct pair *control, struct conn *told)
{
	if (!watch_connect(w, family, 0, 0, FTP_PORT, control))
		return false;
	watch_expect(w, "new 3, set 1", "control connection");
	*told = w->last;
	return true;
}

static void close_control(struct watch *w, struct pair *control, const struct conn *told)
{
	watch_send(w, control->client, control->server, "NOOP\r\n", "NOOP\r\n");
	watch_send(w, control->server, control->client, "200 fine\r\n", "200 fine\r\n");
	watch_reset(control->client);
	watch_reset(control->server);
	watch_finish(w, told, "set 6", "del 6");
}

/* Nothing is under way at the end: a packet that meets no connection would be answered by a reset.
 */
static void talk(struct watch *w, const struct pair *pair)
{
	watch_send(w, pair->client, pair->server, "upload", "upload");
	watch_send(w, pair->server, pair->client, "download", "download");
	watch_settle(w, pair);
}

static void end_data(struct watch *w, struct pair *data)
{
	watch_reset(data->client);
	watch_reset(data->server);
	watch_expect(w, "data set 6", "the data connection is reset");
	watch_expire(w, &w->last_data, "data del 6");
}

/* The server waits for data, the client connects. */
static void test_passive(struct watch *w, int family, const char *ask, const char *answer,
			 const char *translated)
{
	struct pair control, data;
	struct conn told;

	if (!open_control(w, family, &control, &told))
		return;
	watch_send(w, control.client, control.server, ask, ask);
	watch_send(w, control.server, control.client, answer, translated);
	watch_expect(w, "portless data new 9", "a data connection whose client port is not known");
	tap_ok(&w->tap,
	       w->last_data.cport == 0 && w->last_data.vport == DATA_PORT &&
		       w->last_data.dport == DATA_PORT && w->last_data.timeout_ms == 120000,
	       "to port %u of the server, waiting %u ms", w->last_data.dport,
	       w->last_data.timeout_ms);
	take_over(w, &w->last_data, &told);
	watch_expect(w, "portless data del 9, portless data new 9", "taken over before the client");
	if (!watch_connect(w, family, 0, 0, DATA_PORT, &data))
		return;
	watch_expect(w, "portless data set 3, portless data del 3, data new 3, data set 1",
		     "the client comes: its port is filled in");
	tap_ok(&w->tap, w->last_data.cport != 0 && !(w->last_data.flags & IP_VS_CONN_F_NO_CPORT),
	       "it is %u", w->last_data.cport);
	talk(w, &data);
	take_over(w, &w->last_data, &told);
	watch_expect(w, "data del 1, data new 1", "taken over in the middle");
	talk(w, &data);
	end_data(w, &data);
	close_control(w, &control, &told);
}

/* The client waits for data, the server connects from the port before its own. */
static void test_active(struct watch *w, int family, const char *ask)
{
	int listener = site_socket(SITE_AT_CLIENT, family, SOCK_STREAM, 0, CLIENT_PORT);
	struct pair control, data;
	struct conn told;
	int err;

	if (!open_control(w, family, &control, &told))
		return;
	tap_ok(&w->tap, !listen(listener, 1), "the client waits");
	watch_send(w, control.client, control.server, ask, ask);
	watch_expect(w, "data new 9", "a data connection whose client port is told");
	tap_ok(&w->tap,
	       w->last_data.cport == CLIENT_PORT && w->last_data.vport == FTP_PORT - 1 &&
		       w->last_data.dport == FTP_PORT - 1,
	       "from port %u to %u", w->last_data.dport, w->last_data.cport);
	take_over(w, &w->last_data, &told);
	watch_expect(w, "data del 9, data new 9", "taken over before the server connects");
	data.server = site_socket(SITE_AT_SERVER, family, SOCK_STREAM, 0, FTP_PORT - 1);
	err = site_connect(data.server, family == AF_INET6 ? SITE_CLIENT6 : SITE_CLIENT,
			   CLIENT_PORT);
	data.client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	if (!tap_ok(&w->tap, !err && data.client >= 0, "the server connects: %s", strerror(-err)))
		return;
	watch_await(w, "data set 1");
	tap_ok(&w->tap, !strncmp(w->trace, "data set ", 9) && w->last_data.state == TCP_EST,
	       "it is established: %s", w->trace);
	w->trace[0] = '\0';
	talk(w, &data);
	take_over(w, &w->last_data, &told);
	watch_expect(w, "data del 1, data new 1", "taken over in the middle");
	talk(w, &data);
	end_data(w, &data);
	close_control(w, &control, &told);
}

/* The control connection goes while its data connection is there. */
static void test_control_goes_first(struct watch *w)
{
	struct pair control;
	struct conn told;

	if (!open_control(w, AF_INET, &control, &told))
		return;
	watch_send(w, control.client, control.server, "EPSV\r\n", "EPSV\r\n");
	watch_send(w, control.server, control.client, "229 Passive (|||5121|)\r\n",
		   "229 Passive (|||5121|)\r\n");
	watch_expect(w, "portless data new 9", "a data connection that is never used");
	told.given = CONN_KEY;
	tap_err(&w->tap, -EBUSY, client_delete(w->client, &told),
		"delete the control connection under it");
	watch_expire(w, &w->last_data, "portless data del 9");
	watch_reset(control.client);
	watch_reset(control.server);
	watch_await(w, "set 6");
	w->trace[0] = '\0';
	tap_err(&w->tap, 0, client_delete(w->client, &told), "delete it when that has gone");
	watch_expect(w, "del 6", "it is told");
}

static void expect_seq(struct watch *w, const struct conn *conn, uint16_t attr, int delta,
		       const char *what)
{
	const uint32_t *seq = attr == IPVS_CONN_ATTR_IN_SEQ ? conn->in_seq : conn->out_seq;

	if (!delta)
		tap_ok(&w->tap, !(conn->given & CONN_BIT(attr)), "%s: none", what);
	else
		tap_ok(&w->tap, conn->given & CONN_BIT(attr) && (int)seq[1] == delta && seq[0],
		       "%s: %d from %u on, before it %d", what, (int)seq[1], seq[0], (int)seq[2]);
}

/* ip_vs_resize makes "grow" five bytes longer, and "shrink" two shorter. */
static void test_sequence(struct watch *w)
{
	struct conn key, got;
	struct pair pair;

	if (!watch_connect(w, AF_INET, 0, 0, RESIZE_PORT, &pair))
		return;
	watch_expect(w, "new 3, set 1", "a connection whose helper changes lengths");
	expect_seq(w, &w->last, IPVS_CONN_ATTR_OUT_SEQ, 0, "outward delta");
	talk(w, &pair);
	watch_expect(w, "", "no length has changed");
	watch_send(w, pair.server, pair.client, "grow", "grow+++++");
	watch_expect(w, "set 1", "the outward delta is told at once");
	expect_seq(w, &w->last, IPVS_CONN_ATTR_OUT_SEQ, 5, "outward delta");
	talk(w, &pair);
	watch_expect(w, "", "that is all");
	watch_send(w, pair.client, pair.server, "shrink", "shri");
	watch_expect(w, "set 1", "the inward delta is told at once");
	expect_seq(w, &w->last, IPVS_CONN_ATTR_IN_SEQ, -2, "inward delta");
	watch_send(w, pair.server, pair.client, "grow", "grow+++++");
	watch_expect(w, "set 1", "a second change");
	expect_seq(w, &w->last, IPVS_CONN_ATTR_OUT_SEQ, 10, "outward delta");
	key = w->last;
	key.given = CONN_KEY;
	if (tap_err(&w->tap, 0, client_get(w->client, &key, &got), "get it")) {
		tap_ok(&w->tap,
		       !memcmp(got.out_seq, w->last.out_seq, sizeof(got.out_seq)) &&
			       !memcmp(got.in_seq, w->last.in_seq, sizeof(got.in_seq)),
		       "it has the deltas of the event");
		conn_clear(&got);
	}
	take_over(w, &w->last, NULL);
	watch_expect(w, "del 1, new 1", "taken over");
	expect_seq(w, &w->last, IPVS_CONN_ATTR_OUT_SEQ, 10, "outward delta");
	expect_seq(w, &w->last, IPVS_CONN_ATTR_IN_SEQ, -2, "inward delta");
	talk(w, &pair);
	watch_send(w, pair.server, pair.client, "grow", "grow+++++");
	watch_expect(w, "set 1", "it goes on from there");
	expect_seq(w, &w->last, IPVS_CONN_ATTR_OUT_SEQ, 15, "outward delta");
	talk(w, &pair);
	watch_reset(pair.client);
	watch_reset(pair.server);
	watch_finish(w, &w->last, "set 6", "del 6");
}

/* SET installs deltas too: two that a connection lacks, in place of a takeover. */
static void test_set_sequence(struct watch *w)
{
	struct conn set, told;
	struct pair pair;

	if (!watch_connect(w, AF_INET, 0, 0, RESIZE_PORT, &pair))
		return;
	watch_send(w, pair.server, pair.client, "grow", "grow+++++");
	watch_expect(w, "new 3, set 1, set 1", "a connection whose helper has changed a length");
	told = w->last;
	set = told;
	set.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_FLAGS);
	set.flags &= ~IP_VS_CONN_F_SEQ_MASK;
	tap_err(&w->tap, 0, client_request(w->client, IPVS_CMD_SET_CONN, &set), "take its deltas");
	watch_expect(w, "set 1", "told");
	expect_seq(w, &w->last, IPVS_CONN_ATTR_OUT_SEQ, 0, "outward delta");
	set = told;
	set.given = CONN_KEY | CONN_BIT(IPVS_CONN_ATTR_OUT_SEQ);
	tap_err(&w->tap, 0, client_request(w->client, IPVS_CMD_SET_CONN, &set), "set them");
	watch_expect(w, "set 1", "told");
	expect_seq(w, &w->last, IPVS_CONN_ATTR_OUT_SEQ, 5, "outward delta");
	talk(w, &pair);
	watch_reset(pair.client);
	watch_reset(pair.server);
	watch_finish(w, &w->last, "set 6", "del 6");
}

int main(void)
{
	struct watch w = {0};

	if (!watch_open(&w, "-A -t 10.1.0.100:21 -s rr\n-a -t 10.1.0.100:21 -r 10.2.0.2 -m\n"
			    "-A -t [fd01::100]:21 -s rr\n-a -t [fd01::100]:21 -r [fd02::2]:21 -m\n"
			    "-A -t 10.1.0.100:2121 -s rr\n-a -t 10.1.0.100:2121 -r 10.2.0.2 -m\n"))
		return tap_end(&w.tap);
	printf("# passive\n");
	test_passive(&w, AF_INET, "PASV\r\n", "227 Passive (10,2,0,2,20,1)\r\n",
		     "227 Passive (10,1,0,100,20,1)\r\n");
	test_passive(&w, AF_INET, "EPSV\r\n", "229 Passive (|||5121|)\r\n",
		     "229 Passive (|||5121|)\r\n");
	test_passive(&w, AF_INET6, "EPSV 2\r\n", "229 Passive (|||5121|)\r\n",
		     "229 Passive (|||5121|)\r\n");
	printf("# active\n");
	test_active(&w, AF_INET, "PORT 10,1,0,2,21,1\r\n");
	test_active(&w, AF_INET, "EPRT |1|10.1.0.2|5377|\r\n");
	test_active(&w, AF_INET6, "EPRT |2|fd01::2|5377|\r\n");
	test_control_goes_first(&w);
	printf("# sequence numbers\n");
	test_sequence(&w);
	test_set_sequence(&w);
	watch_close(&w);
	return tap_end(&w.tap);
}
