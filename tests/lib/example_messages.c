/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <string.h>

#include <check.h>

#include "proto/flow_codec.h"
#include "tests/lib/example_messages.h"

static const struct flow_addr client4 = {{192, 0, 2, 1}};
static const struct flow_addr vip4 = {{203, 0, 113, 10}};
static const struct flow_addr server4 = {{10, 2, 0, 11}};
static const struct flow_addr outside4 = {{198, 51, 100, 7}};
static const struct flow_addr client6 = {{0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 0x99}};
static const struct flow_addr vip6 = {{0x20, 0x01, 0x0d, 0xb8, [15] = 0x10}};
static const struct flow_addr server6 = {{0xfd, [15] = 0x11}};
static const struct flow_addr back6 = {{0xfd, [15] = 0x01}};

static void begin(struct flow *f, uint8_t len, uint8_t l4proto, const struct flow_addr *src,
		  const struct flow_addr *dst)
{
	memset(f, 0, sizeof(*f));
	f->key.addr_len = len;
	f->key.l4proto = l4proto;
	f->key.src = *src;
	f->key.dst = *dst;
}

static void tcp_dnat(struct flow *f)
{
	begin(f, 4, IPPROTO_TCP, &client4, &vip4);
	f->key.sport = 4242;
	f->key.dport = 80;
	flow_mirror_reply(f);
	f->ct.reply_src = server4;
	f->ct.reply_sport = 8080;
	f->ct.status = 0x26;
	f->ct.state = 3;
	f->ct.tcp_flags[FLOW_ORIG] = 7;
	f->ct.tcp_flags[FLOW_REPLY] = 3;
	f->ct.tcp_scale[FLOW_ORIG] = 7;
	f->ct.tcp_scale[FLOW_REPLY] = 9;
}

static void tcp6_full_nat(struct flow *f)
{
	begin(f, 16, IPPROTO_TCP, &client6, &vip6);
	f->key.sport = 40000;
	f->key.dport = 443;
	flow_mirror_reply(f);
	f->ct.reply_src = server6;
	f->ct.reply_sport = 8443;
	f->ct.reply_dst = back6;
	f->ct.reply_dport = 65535; /* travels as 65536 */
	f->ct.status = 0x36;
	f->ct.state = 4;
	f->ct.tcp_flags[FLOW_ORIG] = f->ct.tcp_flags[FLOW_REPLY] = 1;
	f->ct.tcp_scale[FLOW_ORIG] = f->ct.tcp_scale[FLOW_REPLY] = 14;
}

static void udp_masquerade(struct flow *f)
{
	begin(f, 4, IPPROTO_UDP, &server4, &outside4);
	f->key.sport = f->key.dport = 53;
	flow_mirror_reply(f);
	f->ct.reply_dst = vip4;
	f->ct.reply_dport = 0; /* travels as 1: not the mirrored port */
	f->ct.status = 0x12;
}

static void udp_unreplied(struct flow *f)
{
	begin(f, 4, IPPROTO_UDP, &client4, &vip4);
	f->key.sport = 5060;
	f->key.dport = 5060;
	flow_mirror_reply(f);
}

static void sctp(struct flow *f)
{
	begin(f, 4, IPPROTO_SCTP, &client4, &vip4);
	f->key.sport = 36412;
	f->key.dport = 36412;
	flow_mirror_reply(f);
	f->ct.status = 0x06;
	f->ct.state = 4;
	f->ct.vtag[FLOW_ORIG] = 0x01020304;
	f->ct.vtag[FLOW_REPLY] = 0xfffefdfc;
}

static void dccp6(struct flow *f)
{
	begin(f, 16, 33, &client6, &vip6);
	f->key.sport = 1;
	f->key.dport = 65535;
	flow_mirror_reply(f);
	f->ct.status = 0x06;
	f->ct.state = 4;
	f->ct.dccp_role = 2;
	f->ct.dccp_handshake_seq = 0x0000a1b2c3d4e5f6;
}

static void icmp_snat(struct flow *f)
{
	begin(f, 4, IPPROTO_ICMP, &server4, &outside4);
	f->key.sport = 77;
	f->key.dport = 8 << 8;
	flow_mirror_reply(f);
	f->ct.reply_dst = vip4;
	f->ct.reply_dport = 78;
	f->ct.status = 0x12;
}

static void icmpv6(struct flow *f)
{
	begin(f, 16, IPPROTO_ICMPV6, &client6, &vip6);
	f->key.sport = 0x1234;
	f->key.dport = 128 << 8;
	flow_mirror_reply(f);
	f->ct.status = 0x02;
}

static void related(struct flow *f)
{
	struct flow master;

	tcp_dnat(&master);
	master.key.dport = 21;
	begin(f, 4, IPPROTO_TCP, &server4, &client4);
	f->key.sport = 20;
	f->key.dport = 50000;
	flow_mirror_reply(f);
	f->ct.reply_dst = vip4;
	f->ct.status = 0x57;
	f->ct.state = 3;
	memcpy(f->ct.helper, "ftp", 4);
	f->ct.seqadj[FLOW_ORIG] = (struct flow_seqadj){0x11223344, -3, 5};
	f->ct.seqadj[FLOW_REPLY] = (struct flow_seqadj){0, 0, INT32_MIN};
	f->ct.has_master = true;
	f->ct.master = master.key;
}

static void decorated(struct flow *f)
{
	tcp_dnat(f);
	f->key.zone = 3;
	f->key.zone_dir = FLOW_ZONE_REPLY;
	f->ct.mark = 0xdeadbeef;
	f->ct.labels[0] = 0x01;
	f->ct.labels[6] = 0x80;
	f->ct.synproxy_isn = 1;
	f->ct.synproxy_its = 2;
	f->ct.synproxy_tsoff = 0x80000000;
}

static void ipvs_template_key(struct flow_key *k)
{
	*k = (struct flow_key){.kind = FLOW_IPVS,
			       .addr_len = 4,
			       .src = client4,
			       .dst = vip4,
			       .dport = 5060,
			       .fwmark = 9,
			       .pe_data = (const uint8_t *)"a84b4c76e66710@pc33.example.com",
			       .pe_data_len = 31};
}

static void ipvs_template(struct flow *f)
{
	memset(f, 0, sizeof(*f));
	ipvs_template_key(&f->key);
	f->ipvs.dest_len = 4;
	f->ipvs.dest = server4;
	f->ipvs.dport = 5060;
	f->ipvs.flags = 0x1000;
	f->ipvs.state = 1;
	memcpy(f->ipvs.pe_name, "sip", 4);
	f->ipvs.timeout_s = 300;
}

static void ipvs_controlled(struct flow *f)
{
	begin(f, 4, IPPROTO_TCP, &client4, &vip4);
	f->key.kind = FLOW_IPVS;
	f->key.sport = 4242;
	f->key.dport = 80;
	f->ipvs.dest_len = 16; /* a tunnel to a real server of the other family */
	f->ipvs.dest = server6;
	f->ipvs.dport = 8080;
	f->ipvs.flags = 0x0702;
	f->ipvs.state = 1;
	f->ipvs.fwmark = 9;
	f->ipvs.in_seq = (struct flow_ipvs_seq){0x01020304, 10, -10};
	f->ipvs.out_seq = (struct flow_ipvs_seq){0, INT32_MAX, 0};
	f->ipvs.has_control = true;
	ipvs_template_key(&f->ipvs.control);
}

const struct example_flow example_flows[] = {
	{"tcp_dnat", "conntrack, IPv4 TCP, DNAT to another port, established", tcp_dnat},
	{"tcp6_full_nat", "conntrack, IPv6 TCP, DNAT and SNAT, last port there is", tcp6_full_nat},
	{"udp_masquerade", "conntrack, IPv4 UDP, SNAT to port 0", udp_masquerade},
	{"udp_unreplied", "conntrack, IPv4 UDP, nothing but a key: no value", udp_unreplied},
	{"sctp", "conntrack, IPv4 SCTP with verification tags", sctp},
	{"dccp6", "conntrack, IPv6 DCCP, role server", dccp6},
	{"icmp_snat", "conntrack, ICMP echo, SNAT to another id", icmp_snat},
	{"icmpv6", "conntrack, ICMPv6 echo", icmpv6},
	{"related", "conntrack, related to an FTP control connection, sequence adjustments",
	 related},
	{"decorated", "conntrack, zone (reply), mark, labels, synproxy", decorated},
	{"ipvs_template", "IPVS, template of a persistence engine", ipvs_template},
	{"ipvs_controlled", "IPVS, IPv4 to an IPv6 real server, with sequences and template",
	 ipvs_controlled},
};
const size_t example_flows_count = sizeof(example_flows) / sizeof(example_flows[0]);

void example_data(struct data_writer *w, uint8_t *buf, size_t cap)
{
	const struct hash_range range = {.lo = 0x8000000000000000, .depth = 2};
	const struct data_check check = {
		.digest = 0x0123456789abcdef, .count = 3, .complete = true};
	const uint64_t digest[4] = {1, 0, UINT64_MAX, 4};
	uint8_t bytes[FLOW_MAX];
	struct flow f;

	data_begin(w, buf, cap, 1795313576261320, 1, 5);
	tcp_dnat(&f);
	ck_assert(data_add_put(w, bytes, (size_t)flow_encode(&f, bytes)));
	ipvs_template(&f);
	ck_assert(data_add_put(w, bytes, (size_t)flow_encode(&f, bytes)));
	icmpv6(&f);
	ck_assert(data_add_del(w, bytes, (size_t)flow_key_encode(&f.key, bytes)));
	ck_assert(data_add_range(w, range));
	ck_assert(data_add_check(w, &check));
	ck_assert(data_add_digests(w, range, 1000, digest, 4));
	ck_assert(data_add_final(w));
}

static void example_hello(struct hello *h)
{
	h->sent_us = 1795313576261320;
	memcpy(h->name, "lb-a", 5);
	h->encoder = 1;
	h->page = 1;
	h->pages = 2;
	h->groups = 2;
	h->group[0] = (struct hello_group){.id = 1,
					   .role = ROLE_ACTIVE,
					   .state = STATE_ACTIVE,
					   .complete = true,
					   .term = {5, 1},
					   .fingerprint = 0x1111,
					   .flows = 200000};
	h->group[1] = (struct hello_group){.id = 2,
					   .role = ROLE_STANDBY,
					   .state = STATE_DEGRADED,
					   .ready = true,
					   .term = {7, 2},
					   .position = 1234567,
					   .fingerprint = UINT64_MAX,
					   .flows = 1,
					   .final_counter = 99};
	h->last_data = 1000;
	h->oldest_data = 900;
	h->keys = 2;
	h->key_id[0] = 7;
	h->key_id[1] = 300;
	h->digest_key_id = 0xcafe;
	h->echoes = 1;
	h->echo[0] = (struct hello_echo){2, 0x1122334455667788, 4711, 1500, 8952};
	h->items = 1;
	memcpy(h->item[0].name, "sysctl net.netfilter.nf_conntrack_tcp_loose", 44);
	h->item[0].hash = 0x2222;
	h->addresses = 2;
	h->address[0].len = 4;
	h->address[0].addr = outside4;
	h->address[1].len = 16;
	h->address[1].addr = back6;
	h->pad = 3;
}

static void example_repair(struct repair_request *r)
{
	r->node = 1;
	r->session = 0x1122334455667788;
	r->group = 1;
	r->why = REPAIR_GAP;
	r->n = 2;
	r->range[0].range = (struct hash_range){0, 0};
	r->range[1].range = (struct hash_range){0xabcd000000000000, 16};
	r->range[1].flows = true;
}

static void example_nak(struct nak *n)
{
	n->node = 1;
	n->session = 0x1122334455667788;
	n->n = 2;
	n->missing[0].first = 1000;
	n->missing[0].count = 1;
	n->missing[1].first = 1UL << 40;
	n->missing[1].count = 300;
}

void example_control(struct control *c, enum control_kind kind, const uint8_t *flow, size_t len)
{
	memset(c, 0, sizeof(*c));
	c->kind = (uint8_t)kind;
	switch (kind) {
	case CONTROL_HELLO:
		example_hello(&c->hello);
		break;
	case CONTROL_STATUS:
		c->status = (struct status){1, 0x1122334455667788, 1000, 990, 4096};
		break;
	case CONTROL_NAK:
		example_nak(&c->nak);
		break;
	case CONTROL_REPAIR:
		example_repair(&c->repair);
		break;
	case CONTROL_OFFER:
		c->offer.node = 2;
		c->offer.session = UINT64_MAX;
		c->offer.group = 3;
		c->offer.n = 2;
		for (unsigned i = 0; i < 2; i++) {
			c->offer.put[i].flow = flow;
			c->offer.put[i].len = (uint32_t)len;
		}
		break;
	}
}

const char *example_control_name(enum control_kind kind)
{
	switch (kind) {
	case CONTROL_HELLO:
		return "hello";
	case CONTROL_STATUS:
		return "status";
	case CONTROL_NAK:
		return "nak";
	case CONTROL_REPAIR:
		return "repair";
	case CONTROL_OFFER:
		return "offer";
	}
	return "?";
}

void example_group_key(struct group_key *k)
{
	k->id = 7;
	for (uint8_t i = 0; i < 32; i++) {
		k->secret[i] = i;
		k->cluster_secret[i] = (uint8_t)(32 + i);
	}
}
