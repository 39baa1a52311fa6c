// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ctnetlink messages as a kernel (6.18) wrote them, read into flows; the writer's own, read back;
 * and the socket's program over all of them. The recordings are the fuzzer's seeds.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "syncd/kernel/ct_bpf.h"
#include "syncd/kernel/ct_message.h"
#include "tests/lib/ct_lab.h"
#include "tests/lib/suite.h"

static const char seeds[] = "tests/fuzz/seeds/ct_message";

static uint8_t all_labels[FLOW_LABELS_MAX];

static void set_up(void)
{
	memset(all_labels, 0xff, sizeof(all_labels));
}

static struct nlmsghdr *recorded(const char *name)
{
	static uint8_t buf[4096] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = (void *)buf;
	char path[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", seeds, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	n = read(fd, buf, sizeof(buf));
	close(fd);
	ck_assert_int_ge(n, NLMSG_HDRLEN);
	ck_assert_uint_eq(nlh->nlmsg_len, n);
	return nlh;
}

/* ---- reading --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum flow_event what;
	unsigned parts; /* enum flow_part */
	bool live;
	const char *text;
} recordings[] = {
	{"tcp_dnat_new_1", FLOW_NEW, 0x10f, true,
	 "tcp 192.0.2.7:4242>203.0.113.10:80 => 127.0.0.1:8080 SYN_SENT [DNAT] mark 42 "
	 "labels 08"},
	{"tcp_dnat_update_1", FLOW_UPDATE, 0x107, true,
	 "tcp 192.0.2.7:4242>203.0.113.10:80 => 127.0.0.1:8080 SYN_RECV "
	 "[SEEN_REPLY,DNAT] mark 42"},
	{"tcp_dnat_update_2", FLOW_UPDATE, 0x107, true,
	 "tcp 192.0.2.7:4242>203.0.113.10:80 => 127.0.0.1:8080 ESTABLISHED "
	 "[SEEN_REPLY,ASSURED,DNAT] mark 42"},
	{"tcp_dnat_update_5", FLOW_UPDATE, 0x107, false,
	 "tcp 192.0.2.7:4242>203.0.113.10:80 => 127.0.0.1:8080 TIME_WAIT "
	 "[SEEN_REPLY,ASSURED,DNAT] mark 42"},
	{"tcp6_dnat_new_1", FLOW_NEW, 0x10f, true,
	 "tcp [2001:db8::7]:4242>[2001:db8:1::10]:80 => [::1]:8080 SYN_SENT [DNAT] mark "
	 "42 labels 08"},
	{"tcp6_dnat_update_2", FLOW_UPDATE, 0x107, true,
	 "tcp [2001:db8::7]:4242>[2001:db8:1::10]:80 => [::1]:8080 ESTABLISHED "
	 "[SEEN_REPLY,ASSURED,DNAT] mark 42"},
	{"udp_both_new_1", FLOW_NEW, 0x101, true,
	 "udp 192.0.2.7:4242>203.0.113.10:80 => 127.0.0.1:8080 <= 127.0.0.9:5555 "
	 "[SNAT,DNAT]"},
	{"udp_both_update_1", FLOW_UPDATE, 0x101, true,
	 "udp 192.0.2.7:4242>203.0.113.10:80 => 127.0.0.1:8080 <= 127.0.0.9:5555 "
	 "[SEEN_REPLY,SNAT,DNAT]"},
	{"udp_zone_new_1", FLOW_NEW, 0x101, true, "udp 192.0.2.7:4242>127.0.0.1:7001 zone 5"},
	{"udp_zone_new_2", FLOW_NEW, 0x101, true, "udp 192.0.2.7:4242>127.0.0.1:7002 zone 6 orig"},
	{"ftp_new_1", FLOW_NEW, 0x143, true, "tcp 127.0.0.1:4300>127.0.0.1:21 SYN_SENT helper ftp"},
	{"ftp_new_2", FLOW_NEW, 0x183, true,
	 "tcp 127.0.0.1:4301>127.0.0.1:8000 SYN_SENT [EXPECTED] master tcp "
	 "127.0.0.1:4300>127.0.0.1:21"},
	{"ftp_update_3", FLOW_UPDATE, 0x103, true,
	 "tcp 127.0.0.1:4301>127.0.0.1:8000 SYN_RECV [EXPECTED,SEEN_REPLY]"},
	{"icmp_new_1", FLOW_NEW, 0x101, true, "icmp 127.0.0.1>127.0.0.1 type 8 code 0 id 63342"},
	{"icmp_update_2", FLOW_UPDATE, 0x101, true,
	 "icmpv6 ::1>::1 type 128 code 0 id 63343 [SEEN_REPLY]"},
	{"sctp_new_1", FLOW_NEW, 0x127, false,
	 "sctp 192.0.2.7:4242>203.0.113.10:80 ESTABLISHED vtag 04030201:fcfdfeff"},
	{"sctp_update_1", FLOW_UPDATE, 0x127, false,
	 "sctp 192.0.2.7:4242>203.0.113.10:80 ESTABLISHED mark 7 vtag 04030201:fcfdfeff"},
	{"dump_1", FLOW_UPDATE, 0x187, false,
	 "tcp 127.0.0.1:4301>127.0.0.1:8000 ESTABLISHED [EXPECTED,SEEN_REPLY,ASSURED] "
	 "master tcp 127.0.0.1:4300>127.0.0.1:21"},
	{"dump_2", FLOW_UPDATE, 0x10f, false,
	 "tcp [2001:db8::7]:4242>[2001:db8:1::10]:80 => [::1]:8080 TIME_WAIT "
	 "[SEEN_REPLY,ASSURED,DNAT] mark 42 labels 08"},
	{"dump_3", FLOW_UPDATE, 0x127, false,
	 "sctp 192.0.2.7:4242>203.0.113.10:80 ESTABLISHED mark 7 vtag 04030201:fcfdfeff"},
	{"dump_8", FLOW_UPDATE, 0x105, false,
	 "icmpv6 ::1>::1 type 128 code 0 id 63343 [SEEN_REPLY]"},
	{"dump_9", FLOW_UPDATE, 0x10f, false,
	 "tcp 192.0.2.7:4242>203.0.113.10:80 => 127.0.0.1:8080 TIME_WAIT "
	 "[SEEN_REPLY,ASSURED,DNAT] mark 42 labels 08"},
	{"dump_10", FLOW_UPDATE, 0x105, false, "udp 192.0.2.7:4242>127.0.0.1:7001 zone 5"},
	{"flush_destroy_1", FLOW_DESTROY, 0x101, false,
	 "icmpv6 ::1>::1 type 128 code 0 id 63343 [SEEN_REPLY]"},
	{"flush_destroy_6", FLOW_DESTROY, 0x107, false,
	 "tcp [2001:db8::7]:4242>[2001:db8:1::10]:80 => [::1]:8080 TIME_WAIT "
	 "[SEEN_REPLY,ASSURED,DNAT] mark 42"},
	{"flush_destroy_7", FLOW_DESTROY, 0x107, false,
	 "tcp 192.0.2.7:4242>203.0.113.10:80 => 127.0.0.1:8080 TIME_WAIT "
	 "[SEEN_REPLY,ASSURED,DNAT] mark 42"},
};

START_TEST(recordings_are_read)
{
	const struct nlmsghdr *nlh = recorded(recordings[_i].name);
	char text[FLOW_TEXT_MAX];
	struct ct_record r;
	enum flow_event what;

	ck_assert_int_eq(ct_message_parse(nlh, all_labels, &r), 0);
	what = ct_message_is_destroy(nlh) ? FLOW_DESTROY
	       : ct_message_is_new(nlh)	  ? FLOW_NEW
					  : FLOW_UPDATE;
	flow_format(&r.flow, text);
	ck_assert_int_eq(what, recordings[_i].what);
	ck_assert_uint_eq(r.parts, recordings[_i].parts);
	ck_assert_int_eq(ct_message_is_live(nlh, &r), recordings[_i].live);
	ck_assert_str_eq(text, recordings[_i].text);
}
END_TEST

START_TEST(labels_are_masked)
{
	const struct nlmsghdr *nlh = recorded("tcp_dnat_new_1");
	uint8_t mask[FLOW_LABELS_MAX] = {0};
	struct ct_record r;

	ck_assert_int_eq(ct_message_parse(nlh, all_labels, &r), 0);
	ck_assert_uint_eq(r.flow.ct.labels[0], 1 << 3);
	ck_assert_int_eq(ct_message_parse(nlh, mask, &r), 0);
	ck_assert_uint_eq(r.flow.ct.labels[0], 0);
}
END_TEST

/* Every shorter message and every flipped byte is read to its end or refused. */
START_TEST(damage_is_harmless)
{
	struct nlmsghdr *nlh = recorded(recordings[_i].name);
	uint32_t len = nlh->nlmsg_len;
	struct ct_record r;

	for (uint32_t cut = 0; cut < len; cut++) {
		struct nlmsghdr *copy = malloc(len);
		int err;

		ck_assert_ptr_nonnull(copy);
		memcpy(copy, nlh, len);
		copy->nlmsg_len = cut;
		err = ct_message_parse(copy, all_labels, &r);
		ck_assert(err == 0 || err == -EBADMSG);
		if (cut < 60)
			ck_assert_int_eq(err, -EBADMSG); /* not even both tuples */
		memcpy(copy, nlh, len);
		if (cut >= NLMSG_HDRLEN)
			((uint8_t *)copy)[cut] ^= 0xff;
		err = ct_message_parse(copy, all_labels, &r);
		ck_assert(err == 0 || err == -EBADMSG);
		free(copy);
	}
}
END_TEST

/* ---- writing --------------------------------------------------------------------------------- */

static struct flow decorated(void)
{
	struct flow f = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_PLAIN, 7);

	f.key.zone = 9;
	f.ct.mark = 5;
	f.ct.labels[2] = 0x81;
	f.ct.status |= IPS_SEQ_ADJUST;
	f.ct.seqadj[FLOW_REPLY] = (struct flow_seqadj){1, -2, 3};
	f.ct.synproxy_its = 77;
	strcpy(f.ct.helper, "ftp");
	f.ct.has_master = true;
	f.ct.master = f.key;
	f.ct.master.sport = 1;
	return f;
}

START_TEST(an_insertion_says_all_that_is_read)
{
	uint8_t buf[CT_MESSAGE_MAX] __attribute__((aligned(8)));
	const struct ct_write how = {.timeout_s = 60, .label_mask = all_labels};
	struct ct_batch b = {.buf = buf, .seq = 4};
	const struct nlmsghdr *nlh = (const void *)buf;
	struct flow f = decorated();
	struct ct_record r;

	ct_message_insert(&b, &f, &how);
	ck_assert_uint_eq(b.len, nlh->nlmsg_len);
	ck_assert_uint_eq(b.seq, 5);
	ck_assert_uint_eq(nlh->nlmsg_seq, 4);
	ck_assert_int_eq(ct_message_parse(nlh, all_labels, &r), 0);
	ck_assert_uint_eq(r.timeout_s, 60);
	ck_assert_uint_eq(r.parts, FLOW_PART_ALL);
	ck_assert(flow_equal(&r.flow, &f));
}
END_TEST

START_TEST(a_message_never_outgrows_its_room)
{
	static const uint8_t protocols[] = {IPPROTO_TCP,  IPPROTO_SCTP,	  IPPROTO_DCCP,
					    IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_ESP};
	uint8_t buf[2 * CT_MESSAGE_MAX];
	const struct ct_write how = {.timeout_s = 60, .label_mask = all_labels};
	struct ct_batch b = {.buf = buf};
	struct flow f = ct_lab_flow(protocols[_i], 16, CT_LAB_BOTH, 7);
	struct flow full = decorated();

	full.key = f.key;
	full.key.zone = 65535;
	full.ct.master = full.key;
	full.ct.reply_src = f.ct.reply_src;
	full.ct.status = FLOW_STATUS_MASK;
	memset(full.ct.labels, 0xff, sizeof(full.ct.labels));
	memset(full.ct.helper, 'x', sizeof(full.ct.helper) - 1);
	full.ct.vtag[0] = full.ct.vtag[1] = UINT32_MAX;
	ct_message_insert(&b, &full, &how);
	ck_assert_uint_le(b.len, CT_MESSAGE_MAX);
	b.len = 0;
	ct_message_update(&b, &full, &how);
	ck_assert_uint_le(b.len, CT_MESSAGE_MAX);
}
END_TEST

/* ---- the socket's program -------------------------------------------------------------------- */

/* A pair of sockets whose receiving end runs the program: the kernel's own interpreter judges. */
struct judge {
	int in, out;
};

static struct judge judge_open(const struct ct_config *c, uint32_t own_portid)
{
	struct sock_filter program[CT_BPF_MAX];
	struct sock_fprog prog = {.filter = program};
	int fds[2];

	prog.len = (unsigned short)ct_bpf_build(c, own_portid, program);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	ck_assert_int_eq(setsockopt(fds[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), 0);
	return (struct judge){fds[0], fds[1]};
}

static bool passes(const struct judge *j, const struct nlmsghdr *nlh)
{
	uint8_t buf[4096];

	(void)send(j->in, nlh, nlh->nlmsg_len, 0);
	return recv(j->out, buf, sizeof(buf), 0) > 0;
}

static void judge_close(struct judge *j)
{
	close(j->in);
	close(j->out);
}

static void config_of(int i, struct ct_config *c)
{
	ct_config_init(c);
	if (i == 1)
		c->tcp_from = c->udp_from = CT_FROM_NEW;
	if (i == 2)
		c->udp_from = CT_FROM_ESTABLISHED;
	if (i == 3) {
		memset(c->protocols, 0, sizeof(c->protocols));
		ct_config_add_protocol(c, IPPROTO_UDP);
	}
	if (i == 4)
		c->tcp_from = CT_FROM_REPLY;
}

/* It drops nothing that the source would report, nor anything that it must remember. */
START_TEST(the_program_drops_only_what_nobody_wants)
{
	struct ct_config c;
	struct ct_filter *filter;
	struct judge j;
	unsigned dropped = 0;
	DIR *dir = opendir(seeds);
	struct dirent *e;

	ck_assert_ptr_nonnull(dir);
	config_of(_i, &c);
	filter = ct_filter_new(&c);
	j = judge_open(&c, 4711);
	while ((e = readdir(dir))) {
		const struct nlmsghdr *nlh;
		struct ct_record r;
		bool wanted;

		/* odd_: what the fuzzer found, no kernel's. */
		if (e->d_name[0] == '.' || strncmp(e->d_name, "odd_", 4) == 0)
			continue;
		nlh = recorded(e->d_name);
		if (ct_message_parse(nlh, all_labels, &r) < 0)
			continue;
		wanted = ct_filter_wants(filter, &r.flow) &&
			 (r.parts & CT_BPF_KEEPSAKES ||
			  ct_filter_ripe(filter, &r.flow, r.parts | FLOW_PART_MARK));
		dropped += !passes(&j, nlh);
		if (wanted)
			ck_assert_msg(passes(&j, nlh), "%s is dropped", e->d_name);
	}
	closedir(dir);
	ck_assert_uint_gt(dropped, 0);
	judge_close(&j);
	ct_filter_free(filter);
}
END_TEST

START_TEST(the_program_drops_what_it_should)
{
	struct ct_config c;
	struct nlmsghdr *nlh;
	struct judge j;

	ct_config_init(&c);
	j = judge_open(&c, 4711);
	/* Ripe, and caused by somebody else; then by our own sink. */
	nlh = recorded("tcp6_dnat_update_2");
	ck_assert(passes(&j, nlh));
	nlh->nlmsg_pid = 4711;
	ck_assert(!passes(&j, nlh));
	/* SYN_RECV; the NEW before it carries a label. */
	ck_assert(!passes(&j, recorded("tcp6_dnat_update_1")));
	ck_assert(passes(&j, recorded("tcp6_dnat_new_1")));
	/* No reply yet; loopback; not among the protocols. */
	ck_assert(!passes(&j, recorded("udp_both_new_1")));
	ck_assert(passes(&j, recorded("udp_both_update_1")));
	ck_assert(!passes(&j, recorded("ftp_update_3")));
	ck_assert(!passes(&j, recorded("icmp_update_1")));
	ck_assert(!passes(&j, recorded("icmp_update_2")));
	judge_close(&j);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ct_message");
	TCase *tc = tcase_create("messages");
	int count = sizeof(recordings) / sizeof(recordings[0]);

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_loop_test(tc, recordings_are_read, 0, count);
	tcase_add_test(tc, labels_are_masked);
	tcase_add_loop_test(tc, damage_is_harmless, 0, count);
	tcase_add_test(tc, an_insertion_says_all_that_is_read);
	tcase_add_loop_test(tc, a_message_never_outgrows_its_room, 0, 6);
	tcase_add_loop_test(tc, the_program_drops_only_what_nobody_wants, 0, 5);
	tcase_add_test(tc, the_program_drops_what_it_should);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
