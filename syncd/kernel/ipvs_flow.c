// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_flow.h. */
#include <netinet/in.h>
#include <string.h>

#include "syncd/kernel/ipvs_flow.h"

/* enum ip_vs_tcp_states and ip_vs_sctp_states of the kernel's include/net/ip_vs.h */
enum {
	TCP_S_NONE,
	TCP_S_ESTABLISHED,
	TCP_S_SYN_SENT,
	TCP_S_SYN_RECV,
	TCP_S_FIN_WAIT,
	TCP_S_TIME_WAIT,
	TCP_S_CLOSE,
	TCP_S_CLOSE_WAIT,
	TCP_S_LAST_ACK,
	TCP_S_LISTEN,
	TCP_S_SYNACK,
};
enum { SCTP_S_ESTABLISHED = 8, SCTP_S_REJECTED = 12, SCTP_S_CLOSED = 13 };

void ipvs_flow_key_from_kernel(struct flow_key *k)
{
	uint32_t mark;

	k->kind = FLOW_IPVS;
	if (k->l4proto != IPPROTO_IP)
		return;
	memcpy(&mark, k->dst.b, sizeof(mark));
	k->fwmark = ntohl(mark);
	memset(&k->dst, 0, sizeof(k->dst));
}

void ipvs_flow_key_to_kernel(const struct flow_key *k, struct flow_key *out)
{
	uint32_t mark = htonl(k->fwmark);

	*out = *k;
	if (k->l4proto != IPPROTO_IP)
		return;
	memset(&out->dst, 0, sizeof(out->dst));
	memcpy(out->dst.b, &mark, sizeof(mark));
}

bool ipvs_flow_take(struct flow *f, uint32_t flags, uint32_t timeout_ms)
{
	struct flow_ipvs *v = &f->ipvs;
	bool template = flags & IPVS_F_TEMPLATE;

	if (flags & (IPVS_F_ONE_PACKET | IPVS_F_NO_CPORT) ||
	    (flags & IPVS_F_FWD_MASK) >= IPVS_F_BYPASS)
		return false;
	if (template != (f->key.sport == 0))
		return false;
	ipvs_flow_key_from_kernel(&f->key);
	v->flags = flags & FLOW_IPVS_FLAGS_MASK;
	v->timeout_s = template ? (timeout_ms + 500) / 1000 : 0;
	if (!(flags & IPVS_F_IN_SEQ))
		memset(&v->in_seq, 0, sizeof(v->in_seq));
	if (!(flags & IPVS_F_OUT_SEQ))
		memset(&v->out_seq, 0, sizeof(v->out_seq));
	if (v->has_control)
		ipvs_flow_key_from_kernel(&v->control);
	return true;
}

bool ipvs_flow_ripe(const struct flow *f)
{
	if (f->ipvs.flags & IPVS_F_TEMPLATE)
		return true;
	if (f->key.l4proto == IPPROTO_TCP)
		return f->ipvs.state == TCP_S_ESTABLISHED ||
		       (f->ipvs.state >= TCP_S_FIN_WAIT && f->ipvs.state <= TCP_S_LAST_ACK);
	if (f->key.l4proto == IPPROTO_SCTP)
		return f->ipvs.state >= SCTP_S_ESTABLISHED;
	return true;
}

bool ipvs_flow_is_end(const struct flow *f)
{
	static const struct flow_addr none;

	return f->ipvs.dport == 0 && memcmp(&f->ipvs.dest, &none, sizeof(none)) == 0;
}

void ipvs_flow_set_state(struct flow *f, uint16_t state)
{
	bool active = (f->key.l4proto == IPPROTO_TCP && state == TCP_S_ESTABLISHED) ||
		      (f->key.l4proto == IPPROTO_SCTP && state == SCTP_S_ESTABLISHED);

	f->ipvs.state = state;
	if (f->ipvs.flags & IPVS_F_TEMPLATE || !active)
		f->ipvs.flags |= IPVS_F_INACTIVE;
	else
		f->ipvs.flags &= ~(uint32_t)IPVS_F_INACTIVE;
}

bool ipvs_flow_closing(const struct flow *f)
{
	if (f->ipvs.flags & IPVS_F_TEMPLATE)
		return false;
	if (f->key.l4proto == IPPROTO_TCP)
		return f->ipvs.state == TCP_S_TIME_WAIT || f->ipvs.state == TCP_S_CLOSE;
	return f->key.l4proto == IPPROTO_SCTP &&
	       (f->ipvs.state == SCTP_S_REJECTED || f->ipvs.state == SCTP_S_CLOSED);
}
