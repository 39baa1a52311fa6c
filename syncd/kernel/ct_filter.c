// SPDX-License-Identifier: GPL-2.0-or-later
/* See ct_filter.h. Runs for every event that the kernel's own filter let through. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include "syncd/kernel/ct_addrs.h"
#include "syncd/kernel/ct_filter.h"

/* CT_DCCP_* are not in the user-space headers (include/linux/netfilter/nf_conntrack_dccp.h). */
enum { DCCP_RESPOND = 2, DCCP_OPEN = 4, DCCP_TIMEWAIT = 7 };

struct ct_filter {
	struct ct_config config; /* ignore points to what is below */
	struct ct_prefix *ignore;
	struct ct_addrs *own;
	struct ct_addrs *broadcast;
};

void ct_config_add_protocol(struct ct_config *c, uint8_t l4proto)
{
	c->protocols[l4proto / 64] |= 1ull << (l4proto % 64);
}

bool ct_config_has_protocol(const struct ct_config *c, uint8_t l4proto)
{
	return c->protocols[l4proto / 64] >> (l4proto % 64) & 1;
}

void ct_config_init(struct ct_config *c)
{
	*c = (struct ct_config){
		.udp_from = CT_FROM_REPLY,
		.other_from = CT_FROM_REPLY,
		.lease_s = 600,
		.rcvbuf_bytes = 8u << 20,
		.rcvbuf_max_bytes = 256u << 20,
		.poll_us = 500,
	};
	ct_config_add_protocol(c, IPPROTO_TCP);
	ct_config_add_protocol(c, IPPROTO_UDP);
	ct_config_add_protocol(c, IPPROTO_SCTP);
	ct_config_add_protocol(c, IPPROTO_DCCP);
}

void ct_config_keep_own(struct ct_config *c)
{
	for (unsigned i = 0; i < FLOW_LABELS_MAX; i++)
		c->label_mask[i] &= (uint8_t)~c->own_label[i];
}

static void *copy_of(const void *from, size_t count, size_t size)
{
	void *to = calloc(count ? count : 1, size);

	if (to && count)
		memcpy(to, from, count * size);
	return to;
}

struct ct_filter *ct_filter_new(const struct ct_config *c)
{
	struct ct_filter *filter = calloc(1, sizeof(*filter));

	if (!filter)
		return NULL;
	filter->config = *c;
	filter->ignore = copy_of(c->ignore, c->ignore_count, sizeof(*c->ignore));
	filter->broadcast = ct_addrs_new(0);
	filter->own = ct_addrs_new(0);
	if (!filter->ignore || !filter->broadcast || !filter->own) {
		ct_filter_free(filter);
		return NULL;
	}
	filter->config.ignore = filter->ignore;
	return filter;
}

void ct_filter_free(struct ct_filter *filter)
{
	if (!filter)
		return;
	ct_addrs_free(filter->own);
	ct_addrs_free(filter->broadcast);
	free(filter->ignore);
	free(filter);
}

int ct_filter_set_addresses(struct ct_filter *filter, const struct address *addrs, size_t count)
{
	struct ct_addrs *own = ct_addrs_new(count);
	struct ct_addrs *broadcast = ct_addrs_new(count);

	if (!own || !broadcast) {
		ct_addrs_free(own);
		ct_addrs_free(broadcast);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		ct_addrs_add(addrs[i].broadcast ? broadcast : own, &addrs[i].addr,
			     addrs[i].addr_len);
	ct_addrs_free(filter->own);
	ct_addrs_free(filter->broadcast);
	filter->own = own;
	filter->broadcast = broadcast;
	return 0;
}

/* Loopback, link-local, multicast, unspecified and limited broadcast: nothing that moves. */
static bool is_special(const struct flow_addr *a, uint8_t addr_len)
{
	static const uint8_t zero[15];

	if (addr_len == 4)
		return a->b[0] == 0 || a->b[0] == 127 || a->b[0] >= 224 ||
		       (a->b[0] == 169 && a->b[1] == 254);
	if (a->b[0] == 0xff || (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80))
		return true;
	return memcmp(a->b, zero, sizeof(zero)) == 0 && a->b[15] <= 1;
}

static bool in_prefix(const struct ct_prefix *p, const struct flow_addr *a, uint8_t addr_len)
{
	unsigned bytes = p->prefix_len / 8, bits = p->prefix_len % 8;

	if (p->addr_len != addr_len || p->prefix_len > addr_len * 8)
		return false;
	if (memcmp(p->addr.b, a->b, bytes) != 0)
		return false;
	return bits == 0 || (p->addr.b[bytes] ^ a->b[bytes]) >> (8 - bits) == 0;
}

static bool is_ignored(const struct ct_filter *filter, const struct flow *f)
{
	uint8_t len = f->key.addr_len;

	for (size_t i = 0; i < filter->config.ignore_count; i++) {
		const struct ct_prefix *p = &filter->ignore[i];

		if (in_prefix(p, &f->key.src, len) || in_prefix(p, &f->key.dst, len) ||
		    in_prefix(p, &f->ct.reply_src, len))
			return true;
	}
	return false;
}

/*
 * A flow begins on the box where its source is the box's, and ends there where the box answers it.
 * A virtual address that is translated to a real server is only passed.
 */
static bool is_own(const struct ct_addrs *own, const struct flow *f)
{
	return ct_addrs_has(own, &f->key.src, f->key.addr_len) ||
	       ct_addrs_has(own, &f->ct.reply_src, f->key.addr_len);
}

bool ct_filter_wants(const struct ct_filter *filter, const struct flow *f)
{
	const struct flow_key *k = &f->key;

	if (!ct_config_has_protocol(&filter->config, k->l4proto))
		return false;
	if (is_special(&k->src, k->addr_len) || is_special(&k->dst, k->addr_len) ||
	    ct_addrs_has(filter->broadcast, &k->dst, k->addr_len))
		return false;
	return (filter->config.include_local || !is_own(filter->own, f)) && !is_ignored(filter, f);
}

static bool tcp_ripe(enum ct_from from, unsigned state)
{
	switch (from) {
	case CT_FROM_NEW:
		return true;
	case CT_FROM_REPLY:
		return state >= TCP_CONNTRACK_SYN_RECV && state <= TCP_CONNTRACK_SYN_SENT2;
	case CT_FROM_ESTABLISHED:
		return state >= TCP_CONNTRACK_ESTABLISHED && state <= TCP_CONNTRACK_CLOSE;
	}
	return false;
}

static bool status_ripe(enum ct_from from, uint32_t status)
{
	switch (from) {
	case CT_FROM_NEW:
		return true;
	case CT_FROM_REPLY:
		return status & IPS_SEEN_REPLY;
	case CT_FROM_ESTABLISHED:
		return status & IPS_ASSURED;
	}
	return false;
}

static bool sctp_ripe(enum ct_from from, const struct flow_conntrack *ct)
{
	return from == CT_FROM_ESTABLISHED ? ct->state >= SCTP_CONNTRACK_ESTABLISHED &&
						     ct->state <= SCTP_CONNTRACK_SHUTDOWN_ACK_SENT
					   : status_ripe(from, ct->status);
}

static bool dccp_ripe(enum ct_from from, unsigned state)
{
	switch (from) {
	case CT_FROM_NEW:
		return true;
	case CT_FROM_REPLY:
		return state >= DCCP_RESPOND && state <= DCCP_TIMEWAIT;
	case CT_FROM_ESTABLISHED:
		return state >= DCCP_OPEN && state <= DCCP_TIMEWAIT;
	}
	return false;
}

bool ct_filter_ripe(const struct ct_filter *filter, const struct flow *f, unsigned parts)
{
	const struct ct_config *c = &filter->config;
	bool has_state = parts & FLOW_PART_STATE;

	switch (f->key.l4proto) {
	case IPPROTO_TCP:
		return has_state ? tcp_ripe(c->tcp_from, f->ct.state)
				 : status_ripe(c->tcp_from, f->ct.status);
	case IPPROTO_SCTP:
		return has_state ? sctp_ripe(c->sctp_from, &f->ct)
				 : status_ripe(c->sctp_from, f->ct.status);
	case IPPROTO_DCCP:
		return has_state ? dccp_ripe(c->dccp_from, f->ct.state)
				 : status_ripe(c->dccp_from, f->ct.status);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return status_ripe(c->udp_from, f->ct.status);
	default:
		return status_ripe(c->other_from, f->ct.status);
	}
}
