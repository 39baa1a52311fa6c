// SPDX-License-Identifier: GPL-2.0-or-later
/* See ct_lab.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include "tests/lib/ct_lab.h"
#include "tests/lib/netns.h"

static struct flow_addr addr(uint8_t addr_len, const char *v4, const char *v6)
{
	struct flow_addr a = {0};

	inet_pton(addr_len == 4 ? AF_INET : AF_INET6, addr_len == 4 ? v4 : v6, a.b);
	return a;
}

static void set_ports(struct flow *f, unsigned n)
{
	if (f->key.l4proto == IPPROTO_ICMP || f->key.l4proto == IPPROTO_ICMPV6) {
		f->key.sport = (uint16_t)(1 + n);
		f->key.dport = f->key.l4proto == IPPROTO_ICMP ? 8 << 8 : 128 << 8;
	} else {
		f->key.sport = (uint16_t)(1024 + n);
		f->key.dport = 80;
	}
}

static void set_state(struct flow *f)
{
	struct flow_conntrack *ct = &f->ct;

	ct->status |= IPS_SEEN_REPLY;
	switch (f->key.l4proto) {
	case IPPROTO_TCP:
		ct->status |= IPS_ASSURED;
		ct->state = TCP_CONNTRACK_ESTABLISHED;
		ct->tcp_flags[0] = ct->tcp_flags[1] =
			IP_CT_TCP_FLAG_WINDOW_SCALE | IP_CT_TCP_FLAG_SACK_PERM;
		ct->tcp_scale[0] = 7;
		ct->tcp_scale[1] = 9;
		break;
	case IPPROTO_SCTP:
		ct->status |= IPS_ASSURED;
		ct->state = SCTP_CONNTRACK_ESTABLISHED;
		ct->vtag[0] = 0x01020304;
		ct->vtag[1] = 0xfffefdfc;
		break;
	default:
		break;
	}
}

struct flow ct_lab_flow(uint8_t l4proto, uint8_t addr_len, enum ct_lab_nat nat, unsigned n)
{
	bool icmp = l4proto == IPPROTO_ICMP || l4proto == IPPROTO_ICMPV6;
	struct flow f = {.key = {.addr_len = addr_len, .l4proto = l4proto}};

	f.key.src = addr(addr_len, "192.0.2.7", "2001:db8::7");
	f.key.dst = addr(addr_len, "203.0.113.10", "2001:db8:1::10");
	set_ports(&f, n);
	set_state(&f);
	flow_mirror_reply(&f);
	if (nat == CT_LAB_DNAT || nat == CT_LAB_BOTH) {
		f.ct.status |= IPS_DST_NAT;
		f.ct.reply_src = addr(addr_len, "10.2.0.11", "fd00:2::11");
		if (!icmp)
			f.ct.reply_sport = 8080;
	}
	if (nat == CT_LAB_SNAT || nat == CT_LAB_BOTH) {
		f.ct.status |= IPS_SRC_NAT;
		f.ct.reply_dst = addr(addr_len, "203.0.113.9", "2001:db8:1::9");
		f.ct.reply_dport = (uint16_t)(5000 + n);
	}
	return f;
}

static void on_event(void *ctx, enum flow_event what, const struct flow *f, unsigned parts,
		     bool live)
{
	struct ct_lab *lab = ctx;

	if (lab->event_count < CT_LAB_EVENTS_MAX)
		lab->events[lab->event_count] = (struct ct_lab_event){what, *f, parts, live};
	lab->event_count++;
}

static void on_dump(void *ctx, const struct flow *f, bool ours)
{
	struct ct_lab *lab = ctx;

	lab->dumped_ours += ours;
	if (lab->dumped_count == lab->dumped_room) {
		size_t room = lab->dumped_room ? 2 * lab->dumped_room : 1024;
		struct flow *grown = realloc(lab->dumped, room * sizeof(*grown));

		if (!grown)
			abort();
		lab->dumped = grown;
		lab->dumped_room = room;
	}
	lab->dumped[lab->dumped_count++] = *f;
}

static void on_dump_end(void *ctx, int err)
{
	struct ct_lab *lab = ctx;

	lab->dump_ended = true;
	lab->dump_err = err;
}

static void on_overrun(void *ctx)
{
	struct ct_lab *lab = ctx;

	lab->overruns++;
}

static void on_result(void *ctx, enum sink_op op, const struct flow *f, int err)
{
	struct ct_lab *lab = ctx;

	(void)op;
	(void)f;
	lab->results++;
	lab->errors += err != 0;
	lab->last_err = err;
}

int ct_lab_open(struct ct_lab *lab, const struct ct_config *c)
{
	struct ct_config defaults;
	struct source_events to_source = {.on_event = on_event,
					  .on_dump = on_dump,
					  .on_dump_end = on_dump_end,
					  .on_overrun = on_overrun,
					  .ctx = lab};
	struct sink_events to_sink = {on_result, lab};
	int err;

	memset(lab, 0, sizeof(*lab));
	lab->events = calloc(CT_LAB_EVENTS_MAX, sizeof(*lab->events));
	if (!lab->events)
		return -ENOMEM;
	ct_config_init(&defaults);
	err = ct_sink_open(c ? c : &defaults, &to_sink, &lab->sink);
	if (err == 0)
		err = ct_source_open(c ? c : &defaults, ct_sink_portid(lab->sink), &to_source,
				     &lab->source);
	return err;
}

void ct_lab_close(struct ct_lab *lab)
{
	if (lab->source)
		lab->source->ops->free(lab->source);
	if (lab->sink)
		lab->sink->ops->free(lab->sink);
	free(lab->events);
	free(lab->dumped);
	memset(lab, 0, sizeof(*lab));
}

int ct_lab_do(struct ct_lab *lab, enum sink_op op, const struct flow *f)
{
	const struct sink_ops *ops = lab->sink->ops;
	size_t before = lab->results;
	int err = ops->submit(lab->sink, op, f);

	if (err == 0)
		err = ops->flush(lab->sink, netns_now_us());
	if (err)
		return err;
	(void)ops->poll(lab->sink, netns_now_us());
	return lab->results == before + 1 ? lab->last_err : -EIO;
}

int ct_lab_dump(struct ct_lab *lab)
{
	const struct source_ops *ops = lab->source->ops;
	uint64_t end = netns_now_us() + 30000000;
	int err;

	lab->dumped_count = lab->dumped_ours = 0;
	lab->dump_ended = false;
	err = ops->dump(lab->source);
	while (err == 0 && !lab->dump_ended && netns_now_us() < end) {
		struct pollfd p = {.fd = ops->fd(lab->source), .events = POLLIN};

		(void)poll(&p, 1, 100);
		err = ops->poll(lab->source, 256, netns_now_us());
		err = err < 0 ? err : 0;
	}
	return err ? err : lab->dump_ended ? lab->dump_err : -ETIMEDOUT;
}

const struct flow *ct_lab_dumped(const struct ct_lab *lab, const struct flow_key *k)
{
	for (size_t i = 0; i < lab->dumped_count; i++)
		if (flow_key_equal(&lab->dumped[i].key, k))
			return &lab->dumped[i];
	return NULL;
}

static const struct ct_lab_event *find_event(const struct ct_lab *lab, enum flow_event what,
					     const struct flow_key *k)
{
	size_t count = lab->event_count < CT_LAB_EVENTS_MAX ? lab->event_count : CT_LAB_EVENTS_MAX;

	for (size_t i = 0; i < count; i++)
		if (lab->events[i].what == what && flow_key_equal(&lab->events[i].flow.key, k))
			return &lab->events[i];
	return NULL;
}

const struct ct_lab_event *ct_lab_wait_event(struct ct_lab *lab, enum flow_event what,
					     const struct flow_key *k)
{
	const struct source_ops *ops = lab->source->ops;
	uint64_t end = netns_now_us() + 2000000;
	const struct ct_lab_event *e;

	while (!(e = find_event(lab, what, k)) && netns_now_us() < end) {
		struct pollfd p = {.fd = ops->fd(lab->source), .events = POLLIN};

		(void)poll(&p, 1, 100);
		if (ops->poll(lab->source, 256, netns_now_us()) < 0)
			break;
	}
	return e;
}

void ct_lab_drain(struct ct_lab *lab)
{
	while (lab->source->ops->poll(lab->source, 256, netns_now_us()) > 0)
		;
}
