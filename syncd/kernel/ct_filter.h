/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of the kernel's connections is synchronised, and the settings of conntrack's source and
 * sink. Pure: addresses of this node are handed in.
 */
#ifndef SYNCD_KERNEL_CT_FILTER_H
#define SYNCD_KERNEL_CT_FILTER_H

#include "proto/flow.h"
#include "syncd/base/addresses.h"

/* From when on a flow is worth a place on the other nodes. */
enum ct_from {
	CT_FROM_ESTABLISHED, /* TCP, SCTP, DCCP: their state of that name; others: ASSURED */
	CT_FROM_REPLY,	     /* the first packet back */
	CT_FROM_NEW,
};

struct ct_prefix {
	struct flow_addr addr;
	uint8_t addr_len;   /* 4 or 16 */
	uint8_t prefix_len; /* bits */
};

struct ct_config {
	uint64_t protocols[4];		/* a bit for each IPPROTO_* */
	const struct ct_prefix *ignore; /* flows from, to or served by these are left out; borrowed
					   until ct_filter_new has returned */
	size_t ignore_count;
	bool include_local; /* also the box's own connections */
	enum ct_from tcp_from, sctp_from, dccp_from, udp_from, other_from;
	uint8_t label_mask[FLOW_LABELS_MAX]; /* label bits that are carried; none by default */
	uint8_t own_label[FLOW_LABELS_MAX];  /* the bit that marks what the sink inserted, and is
						never carried; none by default */
	unsigned lease_s;		     /* time that an installed flow lives unless renewed */
	size_t rcvbuf_bytes, rcvbuf_max_bytes; /* of the event socket: at first, and grown to */
	unsigned poll_us; /* once busy, events are read this often instead of at each */
};

/* tcp, udp, sctp, dccp; TCP from ESTABLISHED, UDP from the first reply; leases of 10 minutes. */
void ct_config_init(struct ct_config *c);
void ct_config_add_protocol(struct ct_config *c, uint8_t l4proto);
/* What marks entries as a node's own is not carried, whatever label_mask says. */
void ct_config_keep_own(struct ct_config *c);
bool ct_config_has_protocol(const struct ct_config *c, uint8_t l4proto);

struct ct_filter;

/* Returns NULL where memory is short. Free with ct_filter_free. */
struct ct_filter *ct_filter_new(const struct ct_config *c);
void ct_filter_free(struct ct_filter *filter);

/*
 * Addresses of this node: flows that begin or end on them (not merely pass, translated) are
 * nobody's to take over. Replaces what was given before. Returns 0 or -ENOMEM, with the former set
 * kept. Nothing to a subnet's broadcast address is synchronised. (Those of other nodes are the
 * engine's: they are told in hellos.)
 */
int ct_filter_set_addresses(struct ct_filter *filter, const struct address *addrs, size_t count);

/* True where protocol and addresses are of the kind that is synchronised. */
bool ct_filter_wants(const struct ct_filter *filter, const struct flow *f);

/*
 * True where it has come far enough. parts: where FLOW_PART_STATE is not among them (a partial
 * update) the status must tell.
 */
bool ct_filter_ripe(const struct ct_filter *filter, const struct flow *f, unsigned parts);

#endif
