/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A flow, decoded: one conntrack or IPVS connection as both kernels' edges and the tools see it.
 * Only what is the same on every node is in it (docs/design.md, "A flow"): no timeouts, counters,
 * ids, nor flags that a kernel sets for itself.
 */
#ifndef PROTO_FLOW_H
#define PROTO_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

enum flow_kind { FLOW_CONNTRACK = 0, FLOW_IPVS = 1 };
enum flow_dir { FLOW_ORIG = 0, FLOW_REPLY = 1 };
enum flow_zone_dir { FLOW_ZONE_BOTH = 0, FLOW_ZONE_ORIG = 1, FLOW_ZONE_REPLY = 2 };

/* IPS_EXPECTED, SEEN_REPLY, ASSURED, SRC_NAT, DST_NAT, SEQ_ADJUST of nf_conntrack_common.h */
#define FLOW_STATUS_MASK 0x0077u
/* IP_VS_CONN_F_BACKUP_MASK of uapi/linux/ip_vs.h: forwarding method, NOOUTPUT, INACTIVE, OUT_SEQ,
 * IN_SEQ, NO_CPORT, TEMPLATE; the others are each kernel's own (HASHED, SYNC, NFCT...) */
#define FLOW_IPVS_FLAGS_MASK 0x1f87u
/* WINDOW_SCALE, SACK_PERM, CLOSE_INIT of nf_conntrack_tcp.h */
#define FLOW_TCP_FLAGS_MASK 0x07u
/* nf_conntrack keeps a window scale in four bits (ct_tcp_wscale; RFC 7323 ends at 14) */
#define FLOW_TCP_SCALE_MASK 0x0fu

/* Network byte order; an IPv4 address is in the first four bytes, the rest is zero. */
struct flow_addr {
	uint8_t b[16];
};

/* Ports in host byte order. ICMP: sport is the id, dport is type << 8 | code. */
struct flow_key {
	uint8_t kind;	  /* enum flow_kind */
	uint8_t addr_len; /* 4 or 16 */
	uint8_t l4proto;  /* IPPROTO_* */
	uint8_t zone_dir; /* enum flow_zone_dir */
	uint16_t zone;
	uint16_t sport, dport;
	uint32_t fwmark;
	struct flow_addr src, dst;
	uint8_t pe_data_len;
	const uint8_t *pe_data; /* borrowed from whatever the key was read from */
};

struct flow_seqadj {
	uint32_t correction_pos;
	int32_t offset_before, offset_after;
};

/* ICMP: reply_sport is the answering type << 8 | code, reply_dport is the id (the mirror's places).
 */
struct flow_conntrack {
	struct flow_addr reply_src,
		reply_dst; /* always filled in, also where they mirror the key */
	uint16_t reply_sport, reply_dport;
	uint32_t status;		    /* & FLOW_STATUS_MASK */
	uint8_t state;			    /* TCP_CONNTRACK_*, SCTP_CONNTRACK_*, DCCP states */
	uint8_t tcp_flags[2], tcp_scale[2]; /* by enum flow_dir */
	uint32_t mark;
	uint8_t labels[FLOW_LABELS_MAX];
	struct flow_seqadj seqadj[2];
	uint32_t synproxy_isn, synproxy_its, synproxy_tsoff;
	char helper[FLOW_HELPER_MAX]; /* NUL-terminated; "" is none */
	uint32_t vtag[2];
	uint8_t dccp_role; /* 1 + role, 0 unknown */
	uint64_t dccp_handshake_seq;
	bool has_master;
	struct flow_key master;
};

struct flow_ipvs_seq {
	uint32_t init_seq;
	int32_t delta, previous_delta;
};

struct flow_ipvs {
	uint8_t dest_len; /* 4 or 16 */
	struct flow_addr dest;
	uint16_t dport;
	uint16_t state;
	uint32_t flags; /* & FLOW_IPVS_FLAGS_MASK */
	uint32_t fwmark;
	struct flow_ipvs_seq in_seq, out_seq;
	char pe_name[FLOW_PE_NAME_MAX];
	uint32_t timeout_s; /* templates only */
	bool has_control;
	struct flow_key control;
};

struct flow {
	struct flow_key key;
	union {
		struct flow_conntrack ct;
		struct flow_ipvs ipvs;
	};
};

/* What an update event carried; the rest keeps its former value (field notes: partial events). */
enum flow_part {
	FLOW_PART_STATUS = 1 << 0,
	FLOW_PART_STATE = 1 << 1, /* state, tcp flags and scale, vtags, dccp */
	FLOW_PART_MARK = 1 << 2,
	FLOW_PART_LABELS = 1 << 3,
	FLOW_PART_SEQADJ = 1 << 4,
	FLOW_PART_SYNPROXY = 1 << 5,
	FLOW_PART_HELPER = 1 << 6,
	FLOW_PART_MASTER = 1 << 7,
	FLOW_PART_REPLY = 1 << 8, /* reply tuple */
	FLOW_PART_ALL = (1 << 9) - 1,
};

/* True where the two name the same connection. */
bool flow_key_equal(const struct flow_key *a, const struct flow_key *b);

/* True where every field that can be installed is alike; kinds must be alike. */
bool flow_equal(const struct flow *a, const struct flow *b);

/* Fills the reply tuple with the mirror of the key's (ICMP: the answering type). */
void flow_mirror_reply(struct flow *f);

/* Copies the parts (enum flow_part bits) of an update into the flow kept. Conntrack only. */
void flow_merge(struct flow *kept, const struct flow *update, unsigned parts);

/*
 * Names for people: "tcp" ("proto" for a protocol without a name), "ESTABLISHED". flow_state_name
 * returns NULL where the protocol has no such state; "state 17" forms are the caller's.
 */
const char *flow_proto_name(uint8_t l4proto);
const char *flow_state_name(uint8_t kind, uint8_t l4proto, unsigned state);

enum { FLOW_TEXT_MAX = 2048 };

/*
 * One line a flow, without a newline, the key's part in a form that flow_key_parse reads back:
 *   tcp 192.0.2.1:4242>203.0.113.10:80 => 10.2.0.11:8080 ESTABLISHED [ASSURED,DNAT] mark 7
 *   udp 10.2.0.11:53>8.8.8.8:53 <= 203.0.113.10:1024 [SEEN_REPLY,SNAT]
 *   icmp 192.0.2.1>203.0.113.10 type 8 code 0 id 77 zone 3 orig
 *   ipvs tcp [2001:db8::1]:4242>[2001:db8::10]:80 => [fd00::11]:8080 ESTABLISHED [MASQ]
 * "=>" tells where the packets go, "<=" as whom they come there, each where it is translated.
 * Returns the length; buf holds FLOW_TEXT_MAX. The flow is a legal one, such as flow_decode's.
 */
size_t flow_format(const struct flow *f, char *buf);
size_t flow_key_format(const struct flow_key *k, char *buf);

/*
 * Reads what flow_key_format wrote. Returns 0 or -EINVAL. pe_data borrows from text; a key whose
 * pe_data had to be written in hexadecimal ("pe-hex") cannot be read back: -EINVAL.
 */
int flow_key_parse(const char *text, struct flow_key *out);

#endif
