// SPDX-License-Identifier: GPL-2.0-or-later
/* Links of whole daemons: two of them, one that fails, unicast, jumbo frames, loss; and silence. */
#include <arpa/inet.h>
#include <check.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/control.h"
#include "proto/key_file.h"
#include "proto/seal.h"
#include "tests/lib/capture.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/suite.h"

enum { SOME = 3000, STEP = 250, PATIENCE_MS = 60000, NODES = 3 };

static struct pair p;

static const char group[] = "group web { id = 1 match = { \"203.0.113.0/24\" } }";

static void up(void)
{
	pair_open(&p, NODES);
}

static void down(void)
{
	pair_close(&p);
}

static void configure(const char *extra)
{
	for (size_t i = 0; i < NODES; i++)
		pair_configure(&p, i, group, extra);
}

static void start_all(void)
{
	for (size_t i = 0; i < NODES; i++)
		pair_start(&p, i, true);
	ck_assert_int_eq(pair_ask(&p, 0, "role", "web", "active", NULL), 0);
	for (size_t i = 1; i < NODES; i++)
		ck_assert(pair_wait_equal(&p, i, 0, PATIENCE_MS));
}

static void expect_equal(long long flows)
{
	for (size_t i = 1; i < NODES; i++)
		ck_assert_msg(pair_wait_equal(&p, i, flows, PATIENCE_MS), "node %zu", i);
}

/* No gap, and so nothing for repair to do: all came as it was sent. */
static void expect_whole_stream(void)
{
	for (size_t i = 1; i < NODES; i++) {
		json_t *r = NULL, *g;

		ck_assert_int_eq(pair_counter(&p, i, "checks_differed"), 0);
		ck_assert_int_eq(pair_ask(&p, i, "status", NULL, NULL, &r), 0);
		g = json_array_get(json_object_get(r, "groups"), 0);
		ck_assert_int_eq(json_integer_value(json_object_get(
					 json_object_get(g, "time_in_state_ms"), "degraded")),
				 0);
		json_decref(r);
	}
	ck_assert_int_eq(pair_counter(&p, 0, "sent_nak_gone"), 0);
}

/* Flows made while `what` happens halfway. */
static void under_way(unsigned *made, void (*what)(void))
{
	for (unsigned n = 0; n < SOME; n += STEP) {
		if (n == SOME / STEP / 2 * STEP && what)
			what();
		pair_flows(&p, 0, *made, STEP, false);
		*made += STEP;
	}
}

/* ---- 1 + 1 links ------------------------------------------------------------------------- */

static void cut_first(void)
{
	for (size_t i = 0; i < NODES; i++)
		pair_cable(&p, i, 0, false);
}

static void join_first(void)
{
	for (size_t i = 0; i < NODES; i++)
		pair_cable(&p, i, 0, true);
}

static void cut_second(void)
{
	for (size_t i = 0; i < NODES; i++)
		pair_cable(&p, i, 1, false);
}

/* The switch forwards nothing any more; no carrier tells of it. */
static void break_first(void)
{
	ck_assert_int_eq(netns_sh("ip link set br0 down"), 0);
}

static void mend_first(void)
{
	ck_assert_int_eq(netns_sh("ip link set br0 up"), 0);
}

static unsigned long long sent_on(size_t node, const char *interface)
{
	unsigned long long bytes = 0;
	char cmd[128];
	FILE *f;

	(void)snprintf(
		cmd, sizeof(cmd),
		"ip -s -j link show %s | sed -n 's/.*\"tx\":{\"bytes\":\\([0-9]*\\).*/\\1/p'",
		interface);
	pair_enter(&p, node);
	f = popen(cmd, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%llu", &bytes), 1);
	(void)pclose(f);
	pair_leave(&p);
	return bytes;
}

static const struct {
	const char *mode;
	void (*first)(void), (*back)(void);
} ways[] = {
	{"duplicate", cut_first, join_first},
	{"duplicate", break_first, mend_first},
	{"failover", cut_first, join_first},
	{"failover", break_first, mend_first},
};

/* Every datagram by both links, or data by one of them only. */
static void expect_shares(bool failover, unsigned *made)
{
	unsigned long long first = sent_on(0, "s0"), second = sent_on(0, "s1");

	under_way(made, NULL);
	expect_equal(*made);
	first = sent_on(0, "s0") - first;
	second = sent_on(0, "s1") - second;
	ck_assert_uint_gt(first, SOME * 35u);
	if (failover)
		ck_assert_uint_lt(second, first / 2);
	else
		ck_assert_uint_gt(second, first * 9 / 10);
}

START_TEST(test_two_links)
{
	char sync[64];
	unsigned made = 0;

	(void)snprintf(sync, sizeof(sync), "sync { mode = %s }", ways[_i].mode);
	pair_second_link(&p);
	configure(sync);
	start_all();
	expect_shares(strcmp(ways[_i].mode, "failover") == 0, &made);
	under_way(&made, ways[_i].first);
	expect_equal(made);
	under_way(&made, ways[_i].back);
	expect_equal(made);
	under_way(&made, cut_second);
	expect_equal(made);
	expect_whole_stream();
}
END_TEST

/* ---- IPv6 -------------------------------------------------------------------------------- */

static bool refused_one(void *unused)
{
	json_t *r = NULL, *link;
	bool so;

	(void)unused;
	if (pair_ask(&p, 0, "status", NULL, NULL, &r) < 0)
		return false;
	link = json_array_get(json_object_get(r, "links"), 0);
	so = json_integer_value(json_object_get(link, "ttl_refused")) == 1;
	json_decref(r);
	return so;
}

/* From node 1 to the group, with that hop limit. */
static void say_with_hops(int hops)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(SYNC_PORT)};
	int fd;

	pair_enter(&p, 1);
	to.sin6_scope_id = if_nametoindex("s0");
	ck_assert_int_eq(inet_pton(AF_INET6, "ff02::b5:81", &to.sin6_addr), 1);
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)), 0);
	ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	close(fd);
	pair_leave(&p);
}

/* By ff02::b5:81, and by nothing else; what has passed a router is refused there too. */
START_TEST(test_ipv6)
{
	unsigned made = 0;

	(void)snprintf(p.link, sizeof(p.link), "family = ipv6");
	configure("");
	for (size_t i = 0; i < NODES; i++) {
		pair_enter(&p, i);
		ck_assert_int_eq(netns_sh("ip -4 addr flush dev s0"), 0);
		pair_leave(&p);
	}
	start_all();
	under_way(&made, NULL);
	expect_equal(made);
	expect_whole_stream();
	say_with_hops(SYNC_TTL);
	say_with_hops(SYNC_TTL - 1);
	ck_assert(netns_wait_for(refused_one, NULL, PATIENCE_MS));
	ck_assert_int_eq(pair_counter(&p, 0, "malformed"), 1);
}
END_TEST

/* ---- unicast, jumbo ---------------------------------------------------------------------- */

START_TEST(test_unicast)
{
	unsigned made = 0;

	for (size_t i = 0; i < NODES; i++) {
		char *at = p.link;

		at += sprintf(at, "peers = {");
		for (size_t k = 0; k < NODES; k++)
			if (k != i)
				at += sprintf(at, " \"10.9.9.%zu\"%s", k + 1,
					      k + 1 + (i == NODES - 1) < NODES ? "," : " }");
		pair_configure(&p, i, group, "");
	}
	start_all();
	under_way(&made, NULL);
	expect_equal(made);
	expect_whole_stream();
}
END_TEST

struct sizes {
	size_t frames, fragments, longest;
};

static void note_size(void *ctx, const uint8_t *frame, size_t len)
{
	struct sizes *s = ctx;
	size_t payload;

	if (len < 34 || frame[12] != 8 || frame[13] != 0 || frame[23] != 17)
		return;
	s->fragments += (frame[20] & 0x3f) != 0 || frame[21] != 0; /* more fragments, offset */
	if (!capture_udp(frame, len, SYNC_PORT, &payload))
		return;
	s->frames++;
	if (frame[42 + 3] == FRAME_DATA && payload > s->longest)
		s->longest = payload;
}

static void set_mtu(unsigned link, bool switch_too)
{
	for (size_t i = 0; i < NODES; i++) {
		if (switch_too)
			ck_assert_int_eq(
				netns_sh("ip link set %c%zu mtu 9000", link ? 'q' : 'p', i), 0);
		pair_enter(&p, i);
		ck_assert_int_eq(netns_sh("ip link set s%u mtu 9000", link), 0);
		pair_leave(&p);
	}
}

/* A switch whose ports' names begin with this letter drops what is longer, and tells nobody. */
static void narrow(char port)
{
	ck_assert_int_eq(netns_sh("nft 'table bridge small { chain f { type filter hook forward "
				  "priority 0; iifname \"%c*\" meta length > 1500 drop; }; }'",
				  port),
			 0);
}

/* Datagrams grow as far as padded hellos arrive: with jumbo frames all the way, or only at the
 * nodes while the switch between them drops what is longer than 1,500 bytes. */
START_TEST(test_jumbo)
{
	bool all_the_way = _i == 0;
	struct sizes s = {0};
	struct capture *c;
	unsigned made = 0;

	set_mtu(0, all_the_way);
	if (!all_the_way)
		narrow('p');
	start_all();
	pair_enter(&p, 0);
	c = capture_open("s0");
	pair_leave(&p);
	/* The first padded hello is heard within a second, and the next one tells. */
	while (s.longest <= DATAGRAM_START && made < 20u * SOME) {
		under_way(&made, NULL);
		expect_equal(made);
		(void)capture_take(c, note_size, &s);
		if (!all_the_way)
			break;
	}
	capture_close(c);
	ck_assert_uint_eq(s.fragments, 0);
	ck_assert_uint_gt(s.frames, 0);
	if (all_the_way)
		ck_assert_uint_gt(s.longest, DATAGRAM_START);
	else
		ck_assert_uint_le(s.longest, DATAGRAM_START);
	ck_assert_uint_le(s.longest, DATAGRAM_MAX);
	expect_whole_stream();
}
END_TEST

static bool is_wide(void *ctx)
{
	json_t *r = NULL, *peer;
	size_t i, wide = 0;

	(void)ctx;
	if (pair_ask(&p, 0, "status", NULL, NULL, &r) >= 0)
		json_array_foreach(json_object_get(r, "peers"), i, peer) wide +=
			json_integer_value(json_object_get(peer, "max_datagram")) > 1500;
	json_decref(r);
	return wide == NODES - 1;
}

/*
 * What one link was proven to carry says nothing of the other, nor of the same one for ever: a
 * second link whose switch drops long frames, and a switch that comes to drop them.
 */
START_TEST(test_narrow)
{
	bool second = _i == 0;
	unsigned made = 0;

	set_mtu(0, true);
	if (second) {
		pair_second_link(&p);
		set_mtu(1, true);
		narrow('q');
		configure("sync { mode = failover }");
	}
	start_all();
	if (!second)
		ck_assert(netns_wait_for(is_wide, NULL, PATIENCE_MS));
	under_way(&made, NULL);
	expect_equal(made);
	if (second)
		break_first();
	else
		narrow('p');
	/* Born while the daemon hangs, so that there is much to say at once. */
	ck_assert_int_eq(kill(p.node[0].pid, SIGSTOP), 0);
	pair_flows(&p, 0, made, SOME, false);
	ck_assert_int_eq(kill(p.node[0].pid, SIGCONT), 0);
	expect_equal(made + SOME);
	if (second)
		expect_whole_stream();
}
END_TEST

/* ---- loss -------------------------------------------------------------------------------- */

START_TEST(test_loss)
{
	static const unsigned losses[] = {1, 5, 20, 40};
	unsigned made = 0;

	start_all();
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		pair_set_loss(&p, losses[i]);
		under_way(&made, NULL);
		expect_equal(made);
	}
	ck_assert_int_gt(pair_counter(&p, 0, "sent_retransmits"), 0);
	expect_whole_stream();
}
END_TEST

/* Nothing arrives for as long as it takes to make some flows, again and again. */
START_TEST(test_bursts)
{
	unsigned made = 0;

	start_all();
	for (unsigned round = 0; round < 3; round++) {
		pair_set_loss(&p, 100);
		pair_flows(&p, 0, made, STEP, false);
		made += STEP;
		ck_assert(pair_wait_group(&p, 0, "flows", made, PATIENCE_MS));
		pair_set_loss(&p, 0);
		pair_flows(&p, 0, made, STEP, false);
		made += STEP;
		expect_equal(made);
	}
	expect_whole_stream();
}
END_TEST

/* ---- silence ----------------------------------------------------------------------------- */

struct heard {
	struct group_key key;
	size_t data, kind[CONTROL_OFFER + 1], bytes;
};

static void note_kind(void *ctx, const uint8_t *frame, size_t len)
{
	static struct control c;
	uint8_t payload[DATAGRAM_MAX];
	struct heard *h = ctx;
	struct frame_header head;
	struct seal_key key;
	const uint8_t *dgram;
	size_t n;
	int payload_len;

	dgram = capture_udp(frame, len, SYNC_PORT, &n);
	if (!dgram)
		return;
	ck_assert_int_eq(frame_header_read(dgram, n, &head), 0);
	seal_key_derive(&key, &h->key, head.node, head.session);
	payload_len = seal_open(&key, &head, dgram, n, payload);
	ck_assert_int_ge(payload_len, 0);
	h->bytes += n;
	if (head.kind == FRAME_DATA) {
		h->data++;
		return;
	}
	ck_assert_int_eq(control_read(payload, (size_t)payload_len, &c), 0);
	h->kind[c.kind]++;
}

static bool heard_enough(void *ctx)
{
	struct heard *h = ((void **)ctx)[0];

	(void)capture_take(((void **)ctx)[1], note_kind, h);
	return h->kind[CONTROL_HELLO] >= 50u * NODES;
}

/* An idle, equal cluster says hello and nothing else, however many flows it holds. */
START_TEST(test_idle_is_silent)
{
	static struct heard h;
	char path[PAIR_PATH];
	void *ctx[2] = {&h};
	unsigned made = 0;

	(void)snprintf(path, sizeof(path), "%s/1.key", p.dir);
	ck_assert_int_eq(key_file_read(path, &h.key), 0);
	start_all();
	under_way(&made, NULL);
	expect_equal(made);
	ck_assert(pair_wait_counter(&p, 0, "checks_sent", 1, PATIENCE_MS));
	pair_enter(&p, 1);
	ctx[1] = capture_open("s0");
	pair_leave(&p);
	/* What the last flows have left to say: a check, and statuses of it. */
	do {
		memset(h.kind, 0, sizeof(h.kind));
		h.data = h.bytes = 0;
		ck_assert(netns_wait_for(heard_enough, ctx, PATIENCE_MS));
	} while (h.data > 0 && ++made < SOME + 3);
	capture_close(ctx[1]);
	ck_assert_uint_eq(h.data, 0);
	for (size_t kind = CONTROL_HELLO; kind <= CONTROL_OFFER; kind++)
		if (kind != CONTROL_HELLO)
			ck_assert_uint_eq(h.kind[kind], 0);
	/* One of ten is padded to what the link carries. */
	ck_assert_uint_lt(h.bytes / h.kind[CONTROL_HELLO], 500);
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *tc;

	if (!netns_usable("links"))
		return 0;
	s = suite_create("links");
	tc = tcase_create("links");
	tcase_set_timeout(tc, 180);
	tcase_add_checked_fixture(tc, up, down);
	tcase_add_loop_test(tc, test_two_links, 0, sizeof(ways) / sizeof(ways[0]));
	tcase_add_test(tc, test_ipv6);
	tcase_add_test(tc, test_unicast);
	tcase_add_loop_test(tc, test_jumbo, 0, 2);
	tcase_add_loop_test(tc, test_narrow, 0, 2);
	tcase_add_test(tc, test_loss);
	tcase_add_test(tc, test_bursts);
	tcase_add_test(tc, test_idle_is_silent);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
