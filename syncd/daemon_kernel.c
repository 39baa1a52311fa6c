// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon's kernel edges: opened by configuration, watched by the loop, and judged each second.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "proto/flow.h"
#include "syncd/daemon.h"
#include "syncd/kernel/ct_probe.h"
#include "syncd/kernel/ct_sink.h"
#include "syncd/kernel/ct_source.h"
#include "syncd/kernel/ipvs.h"

enum { EVENTS_PER_TURN = 4096 };

#define SAY_REFUSED_US (60 * S_US)
#define LOST_US	       (2 * S_US)

static void on_source(struct ev_loop *loop, ev_io *w, int revents)
{
	struct daemon_edge *ed = w->data;
	struct engine_now now = daemon_now();
	int n;

	(void)loop;
	(void)revents;
	engine_set_now(ed->d->engine, now);
	n = ed->source->ops->poll(ed->source, EVENTS_PER_TURN, now.mono_us);
	if (n < 0)
		ed->failed_us = now.mono_us;
	if (n < 0 && log_allow(&ed->d->limit_source, now.mono_us, 10 * S_US, NULL))
		log_error("%s: reading events: %s", ed->source->ops->name, strerror(-n));
}

static void on_sink(struct ev_loop *loop, ev_io *w, int revents)
{
	struct daemon_edge *ed = w->data;
	struct engine_now now = daemon_now();
	int n;

	(void)loop;
	(void)revents;
	engine_set_now(ed->d->engine, now);
	n = ed->sink->ops->poll(ed->sink, now.mono_us);
	if (n < 0)
		ed->failed_us = now.mono_us;
	if (n < 0 && log_allow(&ed->d->limit_sink, now.mono_us, 10 * S_US, NULL))
		log_error("%s: reading answers: %s", ed->sink->ops->name, strerror(-n));
}

static void watch(struct daemon *d, ev_io *io, void (*fn)(struct ev_loop *, ev_io *, int), int fd,
		  struct daemon_edge *ed)
{
	if (fd < 0)
		return;
	ev_io_init(io, fn, fd, EV_READ);
	io->data = ed;
	ev_io_start(d->loop, io);
}

static enum ct_from from_tcp(enum config_tcp_from f)
{
	return f == CONFIG_TCP_SYN_SENT	  ? CT_FROM_NEW
	       : f == CONFIG_TCP_SYN_RECV ? CT_FROM_REPLY
					  : CT_FROM_ESTABLISHED;
}

static enum ct_from from_udp(enum config_udp_from f)
{
	return f == CONFIG_UDP_NEW     ? CT_FROM_NEW
	       : f == CONFIG_UDP_REPLY ? CT_FROM_REPLY
				       : CT_FROM_ESTABLISHED;
}

static void ct_fill(const struct config_conntrack *c, struct ct_config *out,
		    struct ct_prefix *ignore)
{
	static const uint8_t number[CONFIG_PROTOS] = {
		[CONFIG_TCP] = IPPROTO_TCP,   [CONFIG_UDP] = IPPROTO_UDP,
		[CONFIG_SCTP] = IPPROTO_SCTP, [CONFIG_DCCP] = IPPROTO_DCCP,
		[CONFIG_ICMP] = IPPROTO_ICMP, [CONFIG_ICMPV6] = IPPROTO_ICMPV6,
	};

	ct_config_init(out);
	memset(out->protocols, 0, sizeof(out->protocols));
	for (unsigned p = 0; p < CONFIG_PROTOS; p++)
		if (c->protocols & (1u << p))
			ct_config_add_protocol(out, number[p]);
	for (size_t i = 0; i < c->leave_out.n; i++)
		ignore[i] = (struct ct_prefix){
			.addr = c->leave_out.item[i].addr,
			.addr_len = c->leave_out.item[i].addr_len,
			.prefix_len = c->leave_out.item[i].bits,
		};
	out->ignore = ignore;
	out->ignore_count = c->leave_out.n;
	out->include_local = c->local;
	out->tcp_from = from_tcp(c->tcp_from);
	out->udp_from = from_udp(c->udp_from);
	out->sctp_from = out->dccp_from =
		c->sctp_from == CONFIG_SCTP_COOKIE ? CT_FROM_REPLY : CT_FROM_ESTABLISHED;
	memcpy(out->label_mask, c->label_mask.item, c->label_mask.n);
	out->lease_s = c->lease_s;
	out->rcvbuf_bytes = (size_t)c->event_buffer_kb << 10;
	if (out->rcvbuf_max_bytes < out->rcvbuf_bytes)
		out->rcvbuf_max_bytes = out->rcvbuf_bytes;
}

/* Says what the kernel lacks. Returns 0, or the exit code where nothing would work. */
static int probe_conntrack(const struct ct_config *c)
{
	struct ct_probe p;
	int err = ct_probe_run(&p);

	if (err) {
		log_error("conntrack: %s; or set conntrack { enabled = false }", p.why);
		return EXIT_RIGHTS;
	}
	if (p.events_err)
		log_error("conntrack: nf_conntrack_events is %ld and cannot be made 1: %s; flows "
			  "may change unheard",
			  p.events_before, strerror(-p.events_err));
	else if (p.events_before != 1)
		log_warning("conntrack: net.netfilter.nf_conntrack_events was %ld and is 1 now; "
			    "flows older than this report nothing: set it at boot (sysctl.d)",
			    p.events_before);
	if (ct_config_has_protocol(c, IPPROTO_SCTP) && !p.sctp)
		log_notice("conntrack: this kernel does not track SCTP");
	if (ct_config_has_protocol(c, IPPROTO_DCCP) && !p.dccp)
		log_notice("conntrack: this kernel does not track DCCP");
	return 0;
}

/* Translated flows are installed here, but nothing translates their packets. */
static const char *nat_fault(const struct daemon *d)
{
	const struct sink *s = d->edge[FLOW_CONNTRACK].sink;
	const struct ct_sink_stats *n = s ? ct_sink_stats(s) : NULL;
	bool ipv4, ipv6;

	if (!n || (n->nat4 == 0 && n->nat6 == 0) || ct_probe_nat(&ipv4, &ipv6))
		return NULL;
	if (n->nat4 && !ipv4)
		return "no NAT chain for IPv4 here, but flows that need one: load the ruleset";
	if (n->nat6 && !ipv6)
		return "no NAT chain for IPv6 here, but flows that need one: load the ruleset";
	return NULL;
}

/* Without it all works, but for what a crash leaves in a standby's kernel. */
static void open_label(struct daemon *d, struct ct_config *c)
{
	const int bit = d->cfg->conntrack.label_bit;
	char why[CT_LABEL_WHY_MAX];
	bool wanted = false;
	int err;

	for (size_t i = 0; i < d->cfg->groups; i++)
		wanted |= d->cfg->group[i].install != CONFIG_NEVER;
	if (bit < 0 || !wanted)
		return;
	err = ct_label_open(d->cfg->node.name, (unsigned)bit, &d->label, why);
	if (!err) {
		c->own_label[bit / 8] = (uint8_t)(1u << bit % 8);
		return;
	}
	log_notice("conntrack: no rule can enable labels: %s: after a crash as standby, flows that "
		   "ended meanwhile stay in this kernel until their leases end; label = none "
		   "accepts that silently",
		   why[0] ? why : strerror(-err));
}

/* A ruleset that begins with "flush ruleset" takes the table with it. */
void daemon_keep_label(struct daemon *d)
{
	if (d->label && ct_label_keep(d->label) > 0)
		log_notice("conntrack: the table that enables labels was gone, and is there again");
}

static int open_conntrack(struct daemon *d)
{
	struct daemon_edge *ed = &d->edge[FLOW_CONNTRACK];
	struct sink_events to_sink = engine_sink_events(d->engine, FLOW_CONNTRACK);
	struct source_events to_source = engine_source_events(d->engine, FLOW_CONNTRACK);
	struct ct_prefix ignore[CONFIG_LIST_MAX];
	struct ct_config c;
	int err;

	ct_fill(&d->cfg->conntrack, &c, ignore);
	err = probe_conntrack(&c);
	if (err)
		return err;
	open_label(d, &c);
	err = ct_sink_open(&c, &to_sink, &ed->sink);
	if (!err)
		err = ct_source_open(&c, ct_sink_portid(ed->sink), &to_source, &ed->source);
	if (err) {
		log_error("conntrack: %s", strerror(-err));
		return EXIT_RIGHTS;
	}
	ct_source_inform(ed->source, ed->sink);
	ed->d = d;
	watch(d, &ed->source_io, on_source, ed->source->ops->fd(ed->source), ed);
	watch(d, &ed->sink_io, on_sink, ed->sink->ops->fd(ed->sink), ed);
	return 0;
}

static enum ipvs_backend backend_of(enum config_ipvs b)
{
	return b == CONFIG_IPVS_BPF	      ? IPVS_BPF
	       : b == CONFIG_IPVS_KERNEL_SYNC ? IPVS_KERNEL_SYNC
	       : b == CONFIG_IPVS_NETLINK     ? IPVS_NETLINK
					      : IPVS_AUTO;
}

static int open_ipvs(struct daemon *d)
{
	struct daemon_edge *ed = &d->edge[FLOW_IPVS];
	struct source_events to_source = engine_source_events(d->engine, FLOW_IPVS);
	struct sink_events to_sink = engine_sink_events(d->engine, FLOW_IPVS);
	const struct ipvs_config c = {
		.backend = backend_of(d->cfg->ipvs.backend),
		.lease_s = d->cfg->conntrack.lease_s,
		.rcvbuf_bytes = (size_t)d->cfg->conntrack.event_buffer_kb << 10,
	};
	struct ipvs_edge edge;
	int err = ipvs_open(&c, &to_source, &to_sink, &edge);

	if (err && c.backend == IPVS_AUTO) {
		log_info("ipvs: left out: %s", edge.why);
		return 0;
	}
	if (err) {
		log_error("ipvs: %s: %s", edge.why, strerror(-err));
		return EXIT_RIGHTS;
	}
	log_notice("ipvs: source %s, sink %s%s%s", edge.source->ops->name, edge.sink->ops->name,
		   edge.limits[0] ? "; " : "", edge.limits);
	if (edge.why[0])
		log_info("ipvs: %s", edge.why);
	ed->d = d;
	ed->source = edge.source;
	ed->sink = edge.sink;
	watch(d, &ed->source_io, on_source, ed->source->ops->fd(ed->source), ed);
	watch(d, &ed->sink_io, on_sink, ed->sink->ops->fd(ed->sink), ed);
	return 0;
}

int daemon_open_kernel(struct daemon *d)
{
	int rc = d->cfg->conntrack.enabled ? open_conntrack(d) : 0;

	return rc || d->cfg->ipvs.backend == CONFIG_IPVS_NONE ? rc : open_ipvs(d);
}

void daemon_close_kernel(struct daemon *d)
{
	for (int k = 0; k < 2; k++) {
		struct daemon_edge *ed = &d->edge[k];

		if (ed->source)
			ed->source->ops->free(ed->source);
		if (ed->sink)
			ed->sink->ops->free(ed->sink);
		ed->source = NULL;
		ed->sink = NULL;
	}
	ct_label_close(d->label);
}

/* Own addresses, for the hello: connections of any member itself are nobody's to sync. */
static void tell_addresses(struct daemon *d)
{
	struct hello h = {0};
	struct ifaddrs *list, *a;

	if (getifaddrs(&list))
		return;
	for (a = list; a && h.addresses < HELLO_ADDRESSES_MAX; a = a->ifa_next) {
		struct flow_addr *to = &h.address[h.addresses].addr;

		if (!a->ifa_addr)
			continue;
		if (a->ifa_addr->sa_family == AF_INET) {
			memcpy(to->b, &((struct sockaddr_in *)(void *)a->ifa_addr)->sin_addr, 4);
			h.address[h.addresses++].len = 4;
		} else if (a->ifa_addr->sa_family == AF_INET6) {
			memcpy(to->b, &((struct sockaddr_in6 *)(void *)a->ifa_addr)->sin6_addr, 16);
			h.address[h.addresses++].len = 16;
		}
	}
	freeifaddrs(list);
	engine_set_addresses(d->engine, &h);
}

/* Why a flow is refused only the kernel's answer tells; a full table has its alarm. */
static void say_refused(struct daemon *d, uint64_t now_us)
{
	const struct sink *s = d->edge[FLOW_CONNTRACK].sink;
	const struct ct_sink_stats *n = s ? ct_sink_stats(s) : NULL;
	char flow[FLOW_TEXT_MAX];

	if (!n || n->odd == d->odd_told || !log_allow(&d->limit_odd, now_us, SAY_REFUSED_US, NULL))
		return;
	(void)flow_key_format(&n->odd_key, flow);
	log_warning("conntrack: the kernel refused %llu changes, the last of %s: %s%s; they are "
		    "tried again each second",
		    (unsigned long long)(n->odd - d->odd_told), flow, strerror(-n->odd_err),
		    n->odd_err == -EOPNOTSUPP ? " (is its helper loaded here?)" : "");
	d->odd_told = n->odd;
}

static const char *link_fault(const struct daemon *d)
{
	for (size_t i = 0; i < d->links; i++)
		if (d->link[i].was_up)
			return NULL;
	return "every sync link is down";
}

/* A socket that fails is told of again in each turn, so that a fault which lasts is seen to. */
static bool kernel_is_lost(const struct daemon *d, uint64_t now_us)
{
	bool lost = false;

	for (size_t k = 0; k < sizeof(d->edge) / sizeof(d->edge[0]); k++)
		lost |= d->edge[k].failed_us && now_us < d->edge[k].failed_us + LOST_US;
	return lost;
}

void daemon_check_box(struct daemon *d)
{
	const char *fault[4];
	size_t n = 0;
	const char *why = link_fault(d);

	if (why)
		fault[n++] = why;
	why = nat_fault(d);
	if (why)
		fault[n++] = why;
	if (kernel_is_lost(d, daemon_now().mono_us))
		fault[n++] = "the kernel cannot be read: see the log";
	why = d->reach ? reach_check(d->reach) : NULL;
	if (why)
		fault[n++] = why;
	engine_set_faults(d->engine, fault, n);
	say_refused(d, daemon_now().mono_us);
	tell_addresses(d);
}
