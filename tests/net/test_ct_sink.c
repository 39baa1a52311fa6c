// SPDX-License-Identifier: GPL-2.0-or-later
/* The conntrack sink against a real kernel: each test runs in a namespace of its own. */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include "syncd/kernel/ct_label.h"
#include "tests/lib/ct_lab.h"
#include "tests/lib/netns.h"
#include "tests/lib/suite.h"

static struct ct_lab lab;
static struct ct_config config;

static void set_up(void)
{
	ck_assert_int_eq(netns_enter(), 0);
	ct_config_init(&config);
	ct_config_add_protocol(&config, IPPROTO_ICMP);
	ct_config_add_protocol(&config, IPPROTO_ICMPV6);
	memset(config.label_mask, 0xff, sizeof(config.label_mask));
	ck_assert_int_eq(ct_lab_open(&lab, &config), 0);
}

static void tear_down(void)
{
	ct_lab_close(&lab);
}

static void show_difference(const struct flow *want, const struct flow *got)
{
	char text[FLOW_TEXT_MAX];

	flow_format(want, text);
	printf("want %s\n", text);
	flow_format(got, text);
	printf("got  %s\n", text);
}

/* Dumps and holds what the kernel has of f against f. */
static void assert_installed(const struct flow *f)
{
	const struct flow *got;

	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	got = ct_lab_dumped(&lab, &f->key);
	ck_assert_ptr_nonnull(got);
	if (!flow_equal(f, got))
		show_difference(f, got);
	ck_assert(flow_equal(f, got));
}

static void assert_round_trip(const struct flow *f)
{
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, f), 0);
	assert_installed(f);
}

static const struct {
	uint8_t l4proto, addr_len;
} kinds[] = {
	{IPPROTO_TCP, 4},  {IPPROTO_UDP, 4},  {IPPROTO_SCTP, 4},  {IPPROTO_ICMP, 4},
	{IPPROTO_TCP, 16}, {IPPROTO_UDP, 16}, {IPPROTO_SCTP, 16}, {IPPROTO_ICMPV6, 16},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), NATS = CT_LAB_BOTH + 1 };

START_TEST(put_round_trip)
{
	struct flow f =
		ct_lab_flow(kinds[_i / NATS].l4proto, kinds[_i / NATS].addr_len, _i % NATS, 3);

	assert_round_trip(&f);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->inserted, 1);
}
END_TEST

START_TEST(put_round_trip_dccp)
{
	struct flow f = ct_lab_flow(IPPROTO_DCCP, 4, CT_LAB_PLAIN, 3);

	if (netns_sysctl_get("net/netfilter/nf_conntrack_dccp_timeout_open") < 0) {
		printf("SKIP: this kernel has no DCCP tracking\n");
		return;
	}
	f.ct.status |= IPS_ASSURED;
	f.ct.state = 4;
	f.ct.dccp_role = 2;
	f.ct.dccp_handshake_seq = 0x0000a1b2c3d4e5f6;
	assert_round_trip(&f);
}
END_TEST

START_TEST(put_keeps_mark_and_scale)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);

	f.ct.mark = 0xdeadbeef;
	f.ct.tcp_scale[0] = 14;
	f.ct.tcp_flags[1] |= IP_CT_TCP_FLAG_CLOSE_INIT;
	f.ct.state = TCP_CONNTRACK_FIN_WAIT;
	assert_round_trip(&f);
}
END_TEST

START_TEST(put_keeps_seqadj_and_synproxy)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_BOTH, 1);

	f.ct.status |= IPS_SEQ_ADJUST;
	f.ct.seqadj[FLOW_ORIG] = (struct flow_seqadj){0x80000001, -5, 12};
	f.ct.seqadj[FLOW_REPLY] = (struct flow_seqadj){77, 0, -1};
	f.ct.synproxy_isn = 0xf0000000;
	f.ct.synproxy_its = 1;
	f.ct.synproxy_tsoff = 0xffffffff;
	assert_round_trip(&f);
}
END_TEST

START_TEST(put_keeps_labels_where_rules_use_them)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_PLAIN, 1);

	ck_assert_int_eq(netns_sh("nft 'add table ip t; add chain ip t c; "
				  "add rule ip t c ct label set 1'"),
			 0);
	f.ct.labels[0] = 0x82;
	f.ct.labels[15] = 0x40;
	assert_round_trip(&f);
	f.ct.labels[3] = 1;
	f.ct.labels[0] = 0x80;
	assert_round_trip(&f);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->updated, 1);
	/* All of them taken away, as conntrack --label-del does. */
	memset(f.ct.labels, 0, sizeof(f.ct.labels));
	assert_round_trip(&f);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->updated, 2);
}
END_TEST

START_TEST(labels_that_no_rule_uses_are_no_obstacle)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_PLAIN, 1);

	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	f.ct.labels[0] = 1;
	f.ct.mark = 5;
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->unlabeled, 1);
	f.ct.labels[0] = 0;
	assert_installed(&f);
}
END_TEST

static void reopen(void)
{
	ct_lab_close(&lab);
	ck_assert_int_eq(ct_lab_open(&lab, &config), 0);
}

/* What the sink makes is known for ours, also by the next sink; what it finds is not. */
START_TEST(insertions_are_marked)
{
	struct flow f[] = {ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_BOTH, 1),
			   ct_lab_flow(IPPROTO_UDP, 16, CT_LAB_PLAIN, 2),
			   ct_lab_flow(IPPROTO_SCTP, 4, CT_LAB_DNAT, 3)};
	struct ct_label *label;
	char why[CT_LABEL_WHY_MAX];

	ck_assert_int_eq(ct_label_open("t", 127, &label, why), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f[0]), 0); /* the box's own */
	config.own_label[15] = 0x80;
	reopen();
	f[0].ct.mark = f[1].ct.mark = 5;
	f[1].ct.labels[3] = 8;
	for (size_t i = 0; i < 3; i++)
		assert_round_trip(&f[i]);
	ck_assert_uint_eq(lab.dumped_ours, 2);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->updated, 1);
	/* A change leaves the mark, and what others say of the bit is nothing to us. */
	f[1].ct.labels[3] = 16;
	f[1].ct.labels[15] = 0x80;
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f[1]), 0);
	f[0].ct.labels[15] = 0x80;
	f[0].ct.mark = 6;
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f[0]), 0);
	f[0].ct.labels[15] = f[1].ct.labels[15] = 0;
	reopen();
	for (size_t i = 0; i < 3; i++)
		assert_installed(&f[i]);
	ck_assert_uint_eq(lab.dumped_ours, 2);
	/* What was served here is marked on leaving the role. */
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(ct_lab_do(&lab, SINK_LIBERAL, &f[i]), 0);
	for (size_t i = 0; i < 3; i++)
		assert_installed(&f[i]);
	ck_assert_uint_eq(lab.dumped_ours, 3);
	/* Nor does a mark go with the table. */
	ct_label_close(label);
	ck_assert_int_ne(netns_sh("nft list tables | grep -q syncd_label"), 0);
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_ours, 3);
}
END_TEST

/* Where no rule uses labels all is installed, and nothing marked. */
START_TEST(marks_that_nothing_enables_are_no_obstacle)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_BOTH, 1);

	memset(config.label_mask, 0, sizeof(config.label_mask)); /* as by default */
	config.own_label[15] = 0x80;
	reopen();
	assert_round_trip(&f);
	f.ct.mark = 7;
	assert_round_trip(&f);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_LIBERAL, &f), 0);
	assert_installed(&f);
	ck_assert_uint_eq(lab.dumped_ours, 0);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->refused, 0);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->unlabeled, 0);
}
END_TEST

/* The table of a daemon that was killed is taken over, with whatever bit it had. */
START_TEST(the_label_table_is_taken_over)
{
	struct ct_label *killed, *label;
	char why[CT_LABEL_WHY_MAX];

	ck_assert_int_eq(ct_label_open("t", 5, &killed, why), 0);
	ck_assert_int_eq(ct_label_open("t", 127, &label, why), 0);
	ck_assert_int_eq(netns_sh("test $(nft list table inet syncd_label_t | "
				  "grep -c 'ct label set') = 1"),
			 0);
	ck_assert_int_eq(netns_sh("nft list table inet syncd_label_t | grep -q 'set 127'"), 0);
	ck_assert_int_ne(netns_sh("nft list table inet syncd_label_t | grep -q hook"), 0);
	ck_assert_int_eq(ct_label_keep(label), 0);
	ck_assert_int_eq(netns_sh("nft flush ruleset"), 0);
	ck_assert_int_eq(ct_label_keep(label), 1);
	ck_assert_int_eq(ct_label_keep(label), 0);
	ct_label_close(label);
	ct_label_close(killed);
	ck_assert_int_eq(ct_label_open("t", 128, &label, why), -EOPNOTSUPP);
	ck_assert_msg(strstr(why, "128") || strstr(why, "Error"), "%s", why);
}
END_TEST

START_TEST(put_keeps_zone)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);
	struct flow g;

	f.key.zone = 7;
	f.key.zone_dir = (uint8_t)_i;
	assert_round_trip(&f);
	/* The same addresses in another zone are another flow. */
	g = f;
	g.key.zone = 8;
	if (_i == FLOW_ZONE_ORIG) { /* the reply directions share a zone: keep them apart */
		g.ct.reply_dport = 999;
		g.ct.status |= IPS_SRC_NAT;
	} else if (_i == FLOW_ZONE_REPLY) { /* the original ones do */
		g.key.sport = 4;
		g.ct.reply_dport = 4;
	}
	assert_round_trip(&g);
	assert_installed(&f);
	/* Renewed, changed and deleted by its zone. */
	f.ct.mark = 9;
	assert_round_trip(&f);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_RENEW, &f), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_DEL, &f), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_RENEW, &f), -ENOENT);
	assert_installed(&g);
}
END_TEST

START_TEST(put_keeps_helper_and_master)
{
	struct flow control = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);
	struct flow data = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 2);

	control.key.dport = 21;
	control.ct.reply_sport = 21;
	strcpy(control.ct.helper, "ftp");
	data.ct.has_master = true;
	data.ct.master = control.key;
	data.ct.status |= IPS_EXPECTED;
	/* The master first. */
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &data), -ENOENT);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->no_master, 1);
	assert_round_trip(&control);
	assert_round_trip(&data);
	/* Again, as an update. */
	data.ct.mark = 3;
	control.ct.mark = 4;
	assert_round_trip(&data);
	assert_round_trip(&control);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->updated, 2);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->replaced, 0);
}
END_TEST

START_TEST(unknown_helper_is_refused)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_PLAIN, 1);

	strcpy(f.ct.helper, "no-such");
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), -EOPNOTSUPP);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->refused, 1);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->odd, 1);
	ck_assert_int_eq(ct_sink_stats(lab.sink)->odd_err, -EOPNOTSUPP);
	ck_assert(flow_key_equal(&ct_sink_stats(lab.sink)->odd_key, &f.key));
	/* What is gone is renewed no more: nothing that the log would have to name. */
	f.key.sport++;
	ck_assert_int_eq(ct_lab_do(&lab, SINK_RENEW, &f), -ENOENT);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->no_master, 0);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->odd, 1);
}
END_TEST

/* Another instance, which remembers nothing: what a restarted daemon meets. */
static void forget(void)
{
	ct_lab_close(&lab);
	ck_assert_int_eq(ct_lab_open(&lab, &config), 0);
}

START_TEST(put_updates_what_is_there)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);

	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	if (_i)
		forget();
	f.ct.state = TCP_CONNTRACK_TIME_WAIT;
	f.ct.mark = 1;
	assert_round_trip(&f);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->updated, 1);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->clashes, _i);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->replaced, 0);
	ck_assert_uint_eq(lab.dumped_count, 1);
}
END_TEST

START_TEST(put_replaces_another_incarnation)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);

	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	if (_i)
		forget();
	/* The same client port, now with another real server. */
	f.ct.reply_src.b[3]++;
	assert_round_trip(&f);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->replaced, 1);
	/* And not ASSURED any more, which no update can take away. */
	f.ct.status &= ~(uint32_t)IPS_ASSURED;
	assert_round_trip(&f);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->replaced, 2);
	ck_assert_uint_eq(lab.dumped_count, 1);
}
END_TEST

START_TEST(put_replaces_reply_side_occupant)
{
	struct flow occupant = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_PLAIN, 1);
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);

	/* What a server's retransmission makes on a node without the entry: our reply tuple. */
	occupant.key.src = f.ct.reply_src;
	occupant.key.dst = f.ct.reply_dst;
	occupant.key.sport = f.ct.reply_sport;
	occupant.key.dport = f.ct.reply_dport;
	flow_mirror_reply(&occupant);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &occupant), 0);
	assert_round_trip(&f);
	ck_assert_uint_eq(lab.dumped_count, 1);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->replaced, 1);
}
END_TEST

START_TEST(put_replaces_source_port_occupant)
{
	struct flow occupant = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_SNAT, 1);
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_SNAT, 2);

	f.ct.reply_dport = occupant.ct.reply_dport;
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &occupant), 0);
	assert_round_trip(&f);
	ck_assert_uint_eq(lab.dumped_count, 1);
}
END_TEST

START_TEST(reply_that_differs_without_nat_bits_is_kept)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);

	f.ct.status &= ~(uint32_t)IPS_NAT_MASK; /* as IPVS leaves it */
	assert_round_trip(&f);
}
END_TEST

/* Seconds left of f, as the conntrack program sees them. */
static long time_left(const struct flow *f)
{
	char command[256];
	long left = -1;
	FILE *out;

	snprintf(command, sizeof(command),
		 "conntrack -L -p %s --sport %u 2>/dev/null | awk '{print $3}'",
		 flow_proto_name(f->key.l4proto), f->key.sport);
	out = popen(command, "r");
	ck_assert_ptr_nonnull(out);
	if (fscanf(out, "%ld", &left) != 1)
		left = -1;
	pclose(out);
	return left;
}

static void set_time_left(const struct flow *f, unsigned seconds)
{
	struct ct_config c = config;
	struct ct_lab other;

	c.lease_s = seconds;
	ck_assert_int_eq(ct_lab_open(&other, &c), 0);
	ck_assert_int_eq(ct_lab_do(&other, SINK_RENEW, f), 0);
	ct_lab_close(&other);
}

START_TEST(lease_is_set_renewed_and_ended)
{
	struct flow f = ct_lab_flow(IPPROTO_UDP, 4, CT_LAB_DNAT, 1);

	ck_assert_int_eq(ct_lab_do(&lab, SINK_RENEW, &f), -ENOENT);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	ck_assert_int_ge(time_left(&f), config.lease_s - 5);
	ck_assert_int_le(time_left(&f), config.lease_s);

	set_time_left(&f, 50);
	ck_assert_int_le(time_left(&f), 50);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_RENEW, &f), 0);
	ck_assert_int_ge(time_left(&f), config.lease_s - 5);

	/* The true one: not ASSURED, so that of a lone exchange. */
	ck_assert_int_eq(netns_sysctl_set("net/netfilter/nf_conntrack_udp_timeout", 41), 0);
	ck_assert_int_eq(lab.sink->ops->flush(lab.sink, netns_now_us() + 10000000), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_EXPIRY, &f), 0);
	ck_assert_int_le(time_left(&f), 41);
	ck_assert_int_ge(time_left(&f), 30);

	/* A lease that would end before the flow does, however quiet it is. */
	set_time_left(&f, 20);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_EXPIRY, &f), 0);
	ck_assert_int_ge(time_left(&f), 30);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_DEL, &f), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_EXPIRY, &f), -ENOENT);
}
END_TEST

START_TEST(delete_of_what_is_gone_succeeds)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 16, CT_LAB_BOTH, 1);

	ck_assert_int_eq(ct_lab_do(&lab, SINK_DEL, &f), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_DEL, &f), 0);
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, 0);
}
END_TEST

START_TEST(liberal_changes_nothing_else)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);

	ck_assert_int_eq(ct_lab_do(&lab, SINK_LIBERAL, &f), -ENOENT);
	f.ct.mark = 77;
	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	ck_assert_int_eq(ct_lab_do(&lab, SINK_LIBERAL, &f), 0);
	assert_installed(&f);
}
END_TEST

START_TEST(operations_on_one_flow_keep_their_order)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);
	const struct sink_ops *ops = lab.sink->ops;

	ck_assert_int_eq(ct_lab_do(&lab, SINK_PUT, &f), 0);
	forget();
	/* The put clashes and takes several batches; the delete must still come last. */
	f.ct.reply_src.b[3]++;
	ck_assert_int_eq(ops->submit(lab.sink, SINK_PUT, &f), 0);
	ck_assert_int_eq(lab.sink->ops->submit(lab.sink, SINK_DEL, &f), 0);
	ck_assert_int_eq(lab.sink->ops->flush(lab.sink, 0), 0);
	ck_assert_int_eq(lab.sink->ops->poll(lab.sink, 0), 2);
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, 0);
}
END_TEST

START_TEST(backlog_is_bounded_and_errors_are_per_item)
{
	const struct sink_ops *ops = lab.sink->ops;
	struct flow f;
	unsigned taken = 0;
	int err = 0;

	/* Every third one has no master and is refused. */
	for (unsigned n = 0; n < 5000 && err == 0; n++) {
		f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, n);
		if (n % 3 == 0) {
			f.ct.has_master = true;
			f.ct.status |= IPS_EXPECTED;
			f.ct.master = f.key;
			f.ct.master.sport = 9;
		}
		err = ops->submit(lab.sink, SINK_PUT, &f);
		taken += err == 0;
	}
	ck_assert_int_eq(err, -EAGAIN);
	ck_assert_uint_eq(ops->pending(lab.sink), taken);
	ck_assert_int_eq(ops->flush(lab.sink, 0), 0);
	while (ops->pending(lab.sink))
		ck_assert_int_gt(ops->poll(lab.sink, 0), 0);
	ck_assert_uint_eq(lab.results, taken);
	ck_assert_uint_eq(lab.errors, (taken + 2) / 3);
	ck_assert_int_eq(ct_lab_dump(&lab), 0);
	ck_assert_uint_eq(lab.dumped_count, taken - lab.errors);
	ck_assert_uint_eq(ct_sink_stats(lab.sink)->differed, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ct_sink");
	TCase *tc = tcase_create("kernel");

	if (!netns_usable("ct_sink"))
		return 0;
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, put_round_trip, 0, KINDS * NATS);
	tcase_add_test(tc, put_round_trip_dccp);
	tcase_add_test(tc, put_keeps_mark_and_scale);
	tcase_add_test(tc, put_keeps_seqadj_and_synproxy);
	tcase_add_test(tc, put_keeps_labels_where_rules_use_them);
	tcase_add_test(tc, labels_that_no_rule_uses_are_no_obstacle);
	tcase_add_test(tc, insertions_are_marked);
	tcase_add_test(tc, marks_that_nothing_enables_are_no_obstacle);
	tcase_add_test(tc, the_label_table_is_taken_over);
	tcase_add_loop_test(tc, put_keeps_zone, FLOW_ZONE_BOTH, FLOW_ZONE_REPLY + 1);
	tcase_add_test(tc, put_keeps_helper_and_master);
	tcase_add_test(tc, unknown_helper_is_refused);
	tcase_add_loop_test(tc, put_updates_what_is_there, 0, 2);
	tcase_add_loop_test(tc, put_replaces_another_incarnation, 0, 2);
	tcase_add_test(tc, put_replaces_reply_side_occupant);
	tcase_add_test(tc, put_replaces_source_port_occupant);
	tcase_add_test(tc, reply_that_differs_without_nat_bits_is_kept);
	tcase_add_test(tc, lease_is_set_renewed_and_ended);
	tcase_add_test(tc, delete_of_what_is_gone_succeeds);
	tcase_add_test(tc, liberal_changes_nothing_else);
	tcase_add_test(tc, operations_on_one_flow_keep_their_order);
	tcase_add_test(tc, backlog_is_bounded_and_errors_are_per_item);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
