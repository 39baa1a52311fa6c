// SPDX-License-Identifier: GPL-2.0-or-later
/* The conntrack source against a real kernel, with real connections through a box (ct_site.h). */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include "tests/lib/ct_lab.h"
#include "tests/lib/ct_site.h"
#include "tests/lib/netns.h"
#include "tests/lib/suite.h"

static const char vip4[] = "203.0.113.10", vip6[] = "2001:db8:1::10";

static struct site site;
static struct ct_lab lab;
static struct ct_config config;

static void set_up(void)
{
	ct_site_open(&site);
	ct_config_init(&config);
	ck_assert_int_eq(ct_lab_open(&lab, &config), 0);
}

static void tear_down(void)
{
	ct_lab_close(&lab);
}

/* Opens source and sink anew with what a test has changed in config. */
static void reopen(void)
{
	ct_lab_close(&lab);
	ck_assert_int_eq(ct_lab_open(&lab, &config), 0);
}

static struct flow_key key_of(uint8_t l4proto, int family, uint16_t sport)
{
	struct flow f = ct_lab_flow(l4proto, family == AF_INET ? 4 : 16, CT_LAB_PLAIN, 0);

	f.key.sport = sport;
	return f.key;
}

static void hear(enum source_listen what)
{
	ck_assert_int_eq(lab.source->ops->listen(lab.source, what), 0);
}

/* Lets so much time pass for the source that nothing is older than its subscription. */
static void grow_old(void)
{
	ck_assert_int_ge(lab.source->ops->poll(lab.source, 1, 1), 0);
	ck_assert_int_ge(lab.source->ops->poll(lab.source, 1, 1 + 130 * S_US), 0);
}

static const struct ct_lab_event *expect(enum flow_event what, const struct flow_key *k)
{
	const struct ct_lab_event *e = ct_lab_wait_event(&lab, what, k);

	ck_assert_ptr_nonnull(e);
	return e;
}

/* A TCP connection through the box, as three descriptors: listener, server's, client's. */
struct tcp {
	int listener, server, client;
};

static struct tcp connect_tcp(int family, uint16_t from)
{
	struct tcp c;

	c.listener = ct_site_listen(&site, family, SOCK_STREAM, 8080);
	c.client =
		ct_site_dial(&site, family, SOCK_STREAM, family == AF_INET ? vip4 : vip6, 80, from);
	ct_site_wait_readable(c.listener);
	c.server = accept(c.listener, NULL, NULL);
	ck_assert_int_ge(c.server, 0);
	return c;
}

static void close_tcp(struct tcp *c)
{
	close(c->client);
	close(c->server);
	close(c->listener);
}

/* ---- what is told, and when ------------------------------------------------------------------ */

/* One TCP connection from the first event to the last. _i: IPv4 or IPv6. */
START_TEST(tcp_connection_is_told_from_established_on)
{
	int family = _i ? AF_INET6 : AF_INET;
	struct flow_key k = key_of(IPPROTO_TCP, family, 4242);
	const struct ct_lab_event *e;
	const struct flow_conntrack *ct;
	struct tcp c;

	hear(SOURCE_ALL);
	c = connect_tcp(family, 4242);
	e = expect(FLOW_UPDATE, &k);
	/* Not before: SYN_SENT and SYN_RECV do not even leave the kernel. */
	ck_assert_uint_eq(lab.event_count, 1);
	ck_assert_uint_eq(ct_source_stats(lab.source)->kernel_filter, 1);
	ck_assert_uint_eq(ct_source_stats(lab.source)->events, 1);
	ct = &e->flow.ct;
	ck_assert_uint_eq(ct->state, TCP_CONNTRACK_ESTABLISHED);
	ck_assert_uint_eq(ct->status, IPS_SEEN_REPLY | IPS_ASSURED | IPS_DST_NAT);
	ck_assert_uint_eq(ct->reply_sport, 8080);
	ck_assert_uint_eq(ct->mark, 42);
	ck_assert_uint_eq(e->parts & FLOW_PART_STATE, FLOW_PART_STATE);
	ck_assert(ct->tcp_scale[0] > 0 && ct->tcp_scale[1] > 0);
	/* The dump has the same. */
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, 1);
	ck_assert(flow_equal(&lab.dumped[0], &e->flow));
	/* Its end, which is no accident. */
	close_tcp(&c);
	ck_assert_int_eq(netns_sh("conntrack -F >/dev/null 2>&1"), 0);
	ck_assert(!expect(FLOW_DESTROY, &k)->live);
}
END_TEST

START_TEST(udp_is_told_from_the_first_reply_on)
{
	int family = _i ? AF_INET6 : AF_INET;
	int sfd = ct_site_listen(&site, family, SOCK_DGRAM, 8080);
	struct flow_key k = key_of(IPPROTO_UDP, family, 4243);
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	int cfd;
	char c;

	hear(SOURCE_ALL);
	cfd = ct_site_dial(&site, family, SOCK_DGRAM, _i ? vip6 : vip4, 80, 4243);
	ck_assert_int_eq(send(cfd, "x", 1, 0), 1);
	ct_site_wait_readable(sfd);
	ck_assert_int_eq(recvfrom(sfd, &c, 1, 0, (struct sockaddr *)&from, &len), 1);
	ct_lab_drain(&lab);
	ck_assert_uint_eq(lab.event_count, 0);
	ck_assert_int_eq(sendto(sfd, "y", 1, 0, (struct sockaddr *)&from, len), 1);
	(void)expect(FLOW_UPDATE, &k);
	ck_assert_uint_eq(lab.event_count, 1);
	close(cfd);
	close(sfd);
}
END_TEST

START_TEST(thresholds_are_configurable)
{
	struct flow_key k = key_of(IPPROTO_TCP, AF_INET, 4242);
	struct tcp c;

	config.tcp_from = _i ? CT_FROM_REPLY : CT_FROM_NEW;
	reopen();
	hear(SOURCE_ALL);
	grow_old();
	c = connect_tcp(AF_INET, 4242);
	if (_i)
		ck_assert_uint_eq(expect(FLOW_UPDATE, &k)->flow.ct.state, TCP_CONNTRACK_SYN_RECV);
	else
		ck_assert_uint_eq(expect(FLOW_NEW, &k)->flow.ct.state, TCP_CONNTRACK_SYN_SENT);
	close_tcp(&c);
}
END_TEST

START_TEST(ping_is_told_where_configured)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	static const uint8_t echo[] = {8, 0, 0, 0, 0, 0, 0, 1};
	const struct ct_lab_event *e;
	struct flow f;
	int fd;

	ct_config_add_protocol(&config, IPPROTO_ICMP);
	reopen();
	hear(SOURCE_ALL);
	site_in(site.client);
	ck_assert_int_eq(netns_sh("echo 0 0 >/proc/sys/net/ipv4/ping_group_range"), 0);
	fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	ck_assert_int_ge(fd, 0);
	inet_pton(AF_INET, "10.2.0.12", &to.sin_addr);
	ck_assert_int_eq(sendto(fd, echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to)),
			 sizeof(echo));
	ct_site_wait_readable(fd);
	close(fd);
	site_in(site.box);
	ct_lab_drain(&lab);
	ck_assert_uint_eq(lab.event_count, 1);
	e = &lab.events[0];
	ck_assert_uint_eq(e->flow.key.dport, 8 << 8); /* echo request */
	ck_assert_uint_ne(e->flow.key.sport, 0);
	/* Masqueraded: the source's address, and the id where it was taken. */
	ck_assert_uint_eq(e->flow.ct.status & IPS_SRC_NAT, IPS_SRC_NAT);
	ck_assert_uint_eq(e->flow.ct.reply_sport, 0);
	/* And installed again just so. */
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, 1);
	f = lab.dumped[0];
	ck_assert_int_eq(ct_lab_do(&lab, SINK_DEL, &f), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, 1);
	ck_assert(flow_equal(&lab.dumped[0], &f));
}
END_TEST

START_TEST(own_connections_of_the_box_are_left_out)
{
	struct site at_box = {site.box, site.client, site.box};
	int lfd, cfd;

	config.include_local = _i;
	reopen();
	hear(SOURCE_ALL);
	lfd = ct_site_listen(&at_box, AF_INET, SOCK_STREAM, 2222);
	cfd = ct_site_dial(&site, AF_INET, SOCK_STREAM, "192.0.2.1", 2222, 4300);
	ct_site_wait_readable(lfd);
	ct_lab_drain(&lab);
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, _i);
	ck_assert_uint_eq(lab.event_count, _i);
	ck_assert_uint_eq(ct_source_stats(lab.source)->left_out > 0, !_i);
	close(lfd);
	close(cfd);
}
END_TEST

START_TEST(addresses_are_left_out)
{
	struct ct_prefix client = {.addr_len = 4, .prefix_len = 26, .addr.b = {192, 0, 2, 0}};
	struct tcp c = connect_tcp(AF_INET, 4242);

	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, 1);
	config.ignore = &client;
	config.ignore_count = 1;
	reopen();
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, 0);
	close_tcp(&c);
}
END_TEST

/* ---- parts ----------------------------------------------------------------------------------- */

START_TEST(labels_of_the_first_packet_are_not_lost)
{
	struct flow_key k = key_of(IPPROTO_TCP, AF_INET, 4242);
	const struct ct_lab_event *e;
	struct tcp c;

	memset(config.label_mask, 0xff, sizeof(config.label_mask));
	config.label_mask[1] = 0;
	reopen();
	ck_assert_int_eq(netns_sh("nft add rule inet t mid ct state new ct label set 3 && "
				  "nft add rule inet t mid ct state new ct label set 9"),
			 0);
	hear(SOURCE_ALL);
	c = connect_tcp(AF_INET, 4242);
	e = expect(FLOW_UPDATE, &k);
	ck_assert_uint_eq(lab.event_count, 1);
	ck_assert_uint_eq(e->parts, FLOW_PART_ALL);
	ck_assert_uint_eq(ct_source_stats(lab.source)->asked, 1);
	ck_assert_uint_eq(e->flow.ct.labels[0], 1 << 3);
	ck_assert_uint_eq(e->flow.ct.labels[1], 0); /* masked */
	close_tcp(&c);
}
END_TEST

/* The bit that marks entries for this node's is none of the flow's labels, whatever is carried. */
START_TEST(own_marks_are_not_told)
{
	struct flow_key k = key_of(IPPROTO_TCP, AF_INET, 4242);
	const struct ct_lab_event *e;
	struct tcp c;

	memset(config.label_mask, 0xff, sizeof(config.label_mask));
	config.own_label[1] = 2;
	reopen();
	ck_assert_int_eq(netns_sh("nft add rule inet t mid ct state new ct label set 3 && "
				  "nft add rule inet t mid ct state new ct label set %d",
				  _i ? 9 : 8),
			 0);
	hear(SOURCE_ALL);
	c = connect_tcp(AF_INET, 4242);
	e = expect(FLOW_UPDATE, &k);
	ck_assert_uint_eq(e->flow.ct.labels[0], 1 << 3);
	ck_assert_uint_eq(e->flow.ct.labels[1], !_i);
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, 1);
	ck_assert_uint_eq(lab.dumped[0].ct.labels[1], !_i);
	ck_assert_uint_eq(lab.dumped_ours, _i);
	close_tcp(&c);
}
END_TEST

START_TEST(a_change_without_a_state_is_completed)
{
	struct flow_key k = key_of(IPPROTO_TCP, AF_INET, 4242);
	struct tcp c = connect_tcp(AF_INET, 4242);
	const struct ct_lab_event *e;

	/* The connection is older than the subscription: nothing is known of it. */
	hear(SOURCE_ALL);
	ck_assert_int_eq(netns_sh("nft add rule inet t mid ct state established ct mark set 99"),
			 0);
	ct_site_say(c.client, c.server, "x");
	e = expect(FLOW_UPDATE, &k);
	ck_assert_uint_eq(e->parts, FLOW_PART_ALL);
	ck_assert_uint_eq(e->flow.ct.mark, 99);
	ck_assert_uint_eq(e->flow.ct.state, TCP_CONNTRACK_ESTABLISHED);
	close_tcp(&c);
}
END_TEST

/* _i: whether the connection began before anybody listened. */
START_TEST(parts_that_did_not_change_are_left_out)
{
	struct flow_key k = key_of(IPPROTO_TCP, AF_INET, 4242);
	const struct ct_lab_event *e;
	struct tcp c;

	if (_i)
		c = connect_tcp(AF_INET, 4242);
	hear(SOURCE_ALL);
	if (!_i) {
		grow_old();
		c = connect_tcp(AF_INET, 4242);
		e = expect(FLOW_UPDATE, &k);
		ck_assert_uint_eq(e->parts, FLOW_PART_STATUS | FLOW_PART_STATE | FLOW_PART_MARK |
						    FLOW_PART_REPLY);
		ck_assert_uint_eq(ct_source_stats(lab.source)->asked, 0);
		lab.event_count = 0;
	}
	shutdown(c.client, SHUT_WR);
	e = expect(FLOW_UPDATE, &k);
	ck_assert_uint_eq(e->flow.ct.state, TCP_CONNTRACK_FIN_WAIT);
	ck_assert_uint_eq(e->parts == FLOW_PART_ALL, _i);
	close_tcp(&c);
}
END_TEST

START_TEST(zones_are_told_with_their_direction)
{
	struct flow_key k = key_of(IPPROTO_TCP, AF_INET, 4242);
	static const char *const how[] = {"zone", "original zone"};
	struct tcp c;

	/* Both directions of a connection must be told to be in the zone, or only the first. */
	ck_assert_int_eq(netns_sh("nft 'add chain inet t raw { type filter hook prerouting "
				  "priority raw; }' && nft 'add rule inet t raw iifname front ct "
				  "%s set 6'",
				  how[_i]),
			 0);
	if (_i == 0)
		ck_assert_int_eq(netns_sh("nft 'add rule inet t raw iifname back ct zone set 6'"),
				 0);
	hear(SOURCE_ALL);
	c = connect_tcp(AF_INET, 4242);
	k.zone = 6;
	k.zone_dir = _i ? FLOW_ZONE_ORIG : FLOW_ZONE_BOTH;
	(void)expect(FLOW_UPDATE, &k);
	close_tcp(&c);
}
END_TEST

/* ---- groups and port ids --------------------------------------------------------------------- */

START_TEST(own_changes_are_not_told)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);
	struct flow g = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 2);
	struct ct_lab other;

	hear(SOURCE_ALL);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_DEL, &f), 0);
	/* Another program's are. */
	ck_assert_int_eq(ct_lab_open(&other, &config), 0);
	ck_assert_int_eq(ct_lab_do(&other, SINK_PUT, &g), 0);
	ck_assert(flow_equal(&expect(FLOW_NEW, &g.key)->flow, &g));
	ck_assert_uint_eq(lab.event_count, 1);
	ct_lab_close(&other);
}
END_TEST

START_TEST(a_standby_hears_destroys_only)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);
	struct flow g = ct_lab_flow(IPPROTO_UDP, 16, CT_LAB_DNAT, 2);
	struct ct_lab other;

	hear(SOURCE_DESTROY);
	ck_assert_int_eq(ct_lab_open(&other, &config), 0);
	ck_assert_int_eq(ct_lab_do(&other, SINK_PUT, &f), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &g), 0);
	ct_lab_drain(&lab);
	ck_assert_uint_eq(lab.event_count, 0);
	ck_assert_int_eq(netns_sh("conntrack -F >/dev/null 2>&1"), 0);
	/* What somebody deleted on purpose is not live. */
	ck_assert(!expect(FLOW_DESTROY, &f.key)->live);
	(void)expect(FLOW_DESTROY, &g.key);
	hear(SOURCE_NOTHING);
	ck_assert_int_eq(ct_lab_do(&other, SINK_PUT, &f), 0);
	ck_assert_int_eq(ct_lab_do(&other, SINK_DEL, &f), 0);
	ct_lab_drain(&lab);
	ck_assert_uint_eq(lab.event_count, 2);
	ct_lab_close(&other);
}
END_TEST

/* _i: whether the sink is told of the loss. */
START_TEST(a_put_after_a_loss_looks_first)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);
	struct flow g = f;
	struct ct_lab other;

	hear(SOURCE_DESTROY);
	if (_i)
		ct_source_inform(lab.source, lab.sink);
	ck_assert_int_eq(ct_lab_open(&other, &config), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	/* Another has it deleted and put in its place one that leads elsewhere. */
	g.ct.reply_src.b[3]++;
	ck_assert_int_eq(ct_lab_do(&other, SINK_DEL, &f), 0);
	ck_assert_int_eq(ct_lab_do(&other, SINK_PUT, &g), 0);
	(void)expect(FLOW_DESTROY, &f.key);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, 1);
	ck_assert_int_eq(flow_equal(&lab.dumped[0], &f), _i);
	ct_lab_close(&other);
}
END_TEST

START_TEST(masquerade_loses_live_flows_with_its_address)
{
	int lfd = ct_site_listen(&site, AF_INET, SOCK_STREAM, 9000);
	struct flow_key k = key_of(IPPROTO_TCP, AF_INET, 4242);
	int cfd;

	inet_pton(AF_INET, "10.2.0.12", k.dst.b);
	k.dport = 9000;
	hear(SOURCE_ALL);
	cfd = ct_site_dial(&site, AF_INET, SOCK_STREAM, "10.2.0.12", 9000, 4242);
	ct_site_wait_readable(lfd);
	ck_assert_uint_eq(expect(FLOW_UPDATE, &k)->flow.ct.status & IPS_NAT_MASK, IPS_SRC_NAT);
	ck_assert_int_eq(netns_sh("ip addr del 10.2.0.1/24 dev back"), 0);
	ck_assert(expect(FLOW_DESTROY, &k)->live);
	close(cfd);
	close(lfd);
}
END_TEST

/* ---- load ------------------------------------------------------------------------------------ */

static void install(struct ct_lab *by, unsigned from, unsigned count)
{
	const struct sink_ops *ops = by->sink->ops;

	for (unsigned n = from; n < from + count; n++) {
		struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, n);

		while (ops->submit(by->sink, SINK_PUT, &f) == -EAGAIN) {
			ck_assert_int_eq(ops->flush(by->sink, 0), 0);
			ops->poll(by->sink, 0);
		}
	}
	ck_assert_int_eq(ops->flush(by->sink, 0), 0);
	ops->poll(by->sink, 0);
}

START_TEST(lost_events_are_noticed_and_the_buffer_grows)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 9000);
	struct ct_lab other;
	uint64_t before;

	config.rcvbuf_bytes = 16384;
	config.rcvbuf_max_bytes = 65536;
	reopen();
	hear(SOURCE_ALL);
	before = ct_source_stats(lab.source)->rcvbuf_bytes;
	ck_assert_int_eq(ct_lab_open(&other, &config), 0);
	install(&other, 0, 2000);
	ct_lab_drain(&lab);
	ck_assert_uint_eq(lab.overruns, 1);
	ck_assert_uint_lt(lab.event_count, 2000);
	ck_assert_uint_eq(ct_source_stats(lab.source)->rcvbuf_bytes, 2 * before);
	/* It goes on hearing, and the dump has what was lost. */
	ck_assert_int_eq(ct_lab_do(&other, SINK_PUT, &f), 0);
	(void)expect(FLOW_NEW, &f.key);
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, 2001);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(netns_sh("conntrack -F >/dev/null 2>&1"), 0);
		install(&other, 0, 2000);
		ct_lab_drain(&lab);
	}
	ck_assert_uint_le(ct_source_stats(lab.source)->rcvbuf_bytes, 65536);
	ct_lab_close(&other);
}
END_TEST

START_TEST(a_dump_and_events_share_the_polls)
{
	enum { FLOWS = 20000, BUDGET = 64 };
	const struct source_ops *ops = lab.source->ops;
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, FLOWS + 500);
	struct ct_lab other;
	unsigned polls = 0;
	bool heard_early = false;

	hear(SOURCE_ALL);
	install(&lab, 0, FLOWS);
	ck_assert_int_eq(ct_lab_open(&other, &config), 0);
	ck_assert_int_eq(ops->dump(lab.source), 0);
	ck_assert_int_eq(ops->dump(lab.source), -EBUSY);
	while (!lab.dump_ended) {
		struct pollfd p = {.fd = ops->fd(lab.source), .events = POLLIN};
		size_t before = lab.event_count + lab.dumped_count;

		if (polls == 10)
			ck_assert_int_eq(ct_lab_do(&other, SINK_PUT, &f), 0);
		ck_assert_int_eq(poll(&p, 1, 2000), 1);
		ck_assert_int_ge(ops->poll(lab.source, BUDGET, netns_now_us()), 0);
		/* Bounded: the budget, and what is left of a part of the dump. */
		ck_assert_uint_le(lab.event_count + lab.dumped_count - before, BUDGET + 300);
		polls++;
		if (polls == 12)
			heard_early = lab.event_count == 1;
	}
	ck_assert_int_eq(lab.dump_err, 0);
	ck_assert(heard_early);
	ck_assert_uint_ge(lab.dumped_count, FLOWS);
	ck_assert_uint_le(lab.dumped_count, FLOWS + 1);
	/* And another one right away. */
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, FLOWS + 1);
	ck_assert_uint_eq(ct_source_stats(lab.source)->dumps, 2);
	ct_lab_close(&other);
}
END_TEST

START_TEST(while_busy_it_polls_by_time_and_then_waits_again)
{
	const struct source_ops *ops = lab.source->ops;
	struct flow f = ct_lab_flow(IPPROTO_UDP, 4, CT_LAB_DNAT, 1);
	struct pollfd p = {.fd = ops->fd(lab.source), .events = POLLIN};
	struct ct_lab other;
	uint64_t turns;

	hear(SOURCE_ALL);
	ck_assert_int_eq(ct_lab_open(&other, &config), 0);
	for (unsigned n = 0; ct_source_stats(lab.source)->busy_turns < 10; n += 100) {
		ck_assert_uint_lt(n, 50000);
		install(&other, n, 100);
		ck_assert_int_ge(ops->poll(lab.source, 256, netns_now_us()), 0);
	}
	/* Now only the timer wakes us, until it is calm. */
	do {
		turns = ct_source_stats(lab.source)->busy_turns;
		ck_assert_int_ge(poll(&p, 1, 100), 0);
		ck_assert_int_ge(ops->poll(lab.source, 256, netns_now_us()), 0);
	} while (ct_source_stats(lab.source)->busy_turns > turns);
	ck_assert_int_eq(poll(&p, 1, 20), 0);
	lab.event_count = 0; /* those of the storm leave no room in the list */
	ck_assert_int_eq(ct_lab_do(&other, SINK_PUT, &f), 0);
	ck_assert_int_eq(poll(&p, 1, 2000), 1);
	(void)expect(FLOW_NEW, &f.key);
	ck_assert_uint_eq(lab.overruns, 0);
	ct_lab_close(&other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ct_source");
	TCase *tc = tcase_create("kernel");

	if (!netns_usable("ct_source"))
		return 0;
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, tcp_connection_is_told_from_established_on, 0, 2);
	tcase_add_loop_test(tc, udp_is_told_from_the_first_reply_on, 0, 2);
	tcase_add_loop_test(tc, thresholds_are_configurable, 0, 2);
	tcase_add_test(tc, ping_is_told_where_configured);
	tcase_add_loop_test(tc, own_connections_of_the_box_are_left_out, 0, 2);
	tcase_add_test(tc, addresses_are_left_out);
	tcase_add_test(tc, labels_of_the_first_packet_are_not_lost);
	tcase_add_loop_test(tc, own_marks_are_not_told, 0, 2);
	tcase_add_test(tc, a_change_without_a_state_is_completed);
	tcase_add_loop_test(tc, parts_that_did_not_change_are_left_out, 0, 2);
	tcase_add_loop_test(tc, zones_are_told_with_their_direction, 0, 2);
	tcase_add_test(tc, own_changes_are_not_told);
	tcase_add_test(tc, a_standby_hears_destroys_only);
	tcase_add_loop_test(tc, a_put_after_a_loss_looks_first, 0, 2);
	tcase_add_test(tc, masquerade_loses_live_flows_with_its_address);
	tcase_add_test(tc, lost_events_are_noticed_and_the_buffer_grows);
	tcase_add_test(tc, a_dump_and_events_share_the_polls);
	tcase_add_test(tc, while_busy_it_polls_by_time_and_then_waits_again);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
