/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of protocols, states and flags: enum tcp_conntrack, sctp_conntrack and ct_dccp_states of
 * the kernel's uapi/linux/netfilter, enum ip_vs_*_states of its net/ip_vs.h.
 */
#include <netinet/in.h>
#include <string.h>

#include "proto/flow_names.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{"ip", IPPROTO_IP},
	{"icmp", IPPROTO_ICMP},
	{"tcp", IPPROTO_TCP},
	{"udp", IPPROTO_UDP},
	{"dccp", 33},
	{"gre", IPPROTO_GRE},
	{"esp", IPPROTO_ESP},
	{"ah", IPPROTO_AH},
	{"icmpv6", IPPROTO_ICMPV6},
	{"sctp", IPPROTO_SCTP},
	{"udplite", IPPROTO_UDPLITE},
};

struct states {
	uint8_t kind, l4proto;
	uint8_t n;
	const char *const *name;
};

static const char *const ct_tcp[] = {"NONE",	 "SYN_SENT",   "SYN_RECV", "ESTABLISHED",
				     "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT",
				     "CLOSE",	 "SYN_SENT2"};
static const char *const ct_sctp[] = {
	"NONE",		 "CLOSED",	  "COOKIE_WAIT",       "COOKIE_ECHOED",	 "ESTABLISHED",
	"SHUTDOWN_SENT", "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT", "HEARTBEAT_ACKED"};
static const char *const ct_dccp[] = {"NONE",	  "REQUEST", "RESPOND",	 "PARTOPEN", "OPEN",
				      "CLOSEREQ", "CLOSING", "TIMEWAIT", "IGNORE",   "INVALID"};
static const char *const ipvs_tcp[] = {"NONE",	   "ESTABLISHED", "SYN_SENT", "SYN_RECV",
				       "FIN_WAIT", "TIME_WAIT",	  "CLOSE",    "CLOSE_WAIT",
				       "LAST_ACK", "LISTEN",	  "SYNACK"};
static const char *const ipvs_udp[] = {"NORMAL"};
static const char *const ipvs_sctp[] = {"NONE",
					"INIT1",
					"INIT",
					"COOKIE_SENT",
					"COOKIE_REPLIED",
					"COOKIE_WAIT",
					"COOKIE",
					"COOKIE_ECHOED",
					"ESTABLISHED",
					"SHUTDOWN_SENT",
					"SHUTDOWN_RECEIVED",
					"SHUTDOWN_ACK_SENT",
					"REJECTED",
					"CLOSED"};
static const char *const ipvs_template[] = {"NONE", "ASSURED"};

static const struct states all_states[] = {
	{FLOW_CONNTRACK, IPPROTO_TCP, COUNT(ct_tcp), ct_tcp},
	{FLOW_CONNTRACK, IPPROTO_SCTP, COUNT(ct_sctp), ct_sctp},
	{FLOW_CONNTRACK, 33, COUNT(ct_dccp), ct_dccp},
	{FLOW_IPVS, IPPROTO_TCP, COUNT(ipvs_tcp), ipvs_tcp},
	{FLOW_IPVS, IPPROTO_UDP, COUNT(ipvs_udp), ipvs_udp},
	{FLOW_IPVS, IPPROTO_SCTP, COUNT(ipvs_sctp), ipvs_sctp},
	{FLOW_IPVS, IPPROTO_IP, COUNT(ipvs_template), ipvs_template},
};

const char *flow_proto_name(uint8_t l4proto)
{
	for (size_t i = 0; i < COUNT(protocols); i++) {
		if (protocols[i].number == l4proto)
			return protocols[i].name;
	}
	return "proto";
}

bool flow_proto_number(const char *name, uint8_t *out)
{
	for (size_t i = 0; i < COUNT(protocols); i++) {
		if (!strcmp(protocols[i].name, name)) {
			*out = protocols[i].number;
			return true;
		}
	}
	return false;
}

const char *flow_state_name(uint8_t kind, uint8_t l4proto, unsigned state)
{
	for (size_t i = 0; i < COUNT(all_states); i++) {
		const struct states *s = &all_states[i];

		if (s->kind == kind && s->l4proto == l4proto)
			return state < s->n ? s->name[state] : NULL;
	}
	return NULL;
}

/* enum ip_conntrack_status */
static const char *const status_bits[] = {"EXPECTED", "SEEN_REPLY", "ASSURED",	 NULL,
					  "SNAT",     "DNAT",	    "SEQ_ADJUST"};
/* IP_VS_CONN_F_*: the lowest three bits are the forwarding method. */
static const char *const ipvs_bits[] = {NULL,	  NULL,	      NULL,	  NULL,	      NULL,
					NULL,	  NULL,	      "NOOUTPUT", "INACTIVE", "OUT_SEQ",
					"IN_SEQ", "NO_CPORT", "TEMPLATE"};
static const char *const ipvs_methods[] = {"MASQ", "LOCALNODE", "TUNNEL", "DROUTE", "BYPASS"};

const char *flow_status_bit_name(unsigned bit)
{
	return bit < COUNT(status_bits) ? status_bits[bit] : NULL;
}

const char *flow_ipvs_flag_name(unsigned bit)
{
	return bit < COUNT(ipvs_bits) ? ipvs_bits[bit] : NULL;
}

const char *flow_ipvs_method_name(uint32_t flags)
{
	return (flags & 7) < COUNT(ipvs_methods) ? ipvs_methods[flags & 7] : NULL;
}
