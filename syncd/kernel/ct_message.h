/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctnetlink messages <-> struct flow (linux/netfilter/nfnetlink_conntrack.h; how the kernel reads
 * and writes them: net/netfilter/nf_conntrack_netlink.c). Pure: no socket, no clock, no log.
 */
#ifndef SYNCD_KERNEL_CT_MESSAGE_H
#define SYNCD_KERNEL_CT_MESSAGE_H

#include "proto/flow.h"

struct nlmsghdr;

/* What one message said of a flow. */
struct ct_record {
	struct flow flow;
	unsigned parts;			 /* enum flow_part: which of them were in the message */
	uint32_t timeout_s;		 /* time left; 0 also where the message has none */
	uint8_t labels[FLOW_LABELS_MAX]; /* all of them, also those outside the mask */
};

/*
 * Reads a message of the conntrack subsystem whose nlmsg_len the caller has checked against its
 * buffer. The flow's label bits outside label_mask read as zero. Returns 0, or -EBADMSG where it
 * names no flow; *out then holds anything.
 */
int ct_message_parse(const struct nlmsghdr *nlh, const uint8_t label_mask[FLOW_LABELS_MAX],
		     struct ct_record *out);

/* True where the entry has one of these label bits. */
bool ct_message_has_label(const struct ct_record *r, const uint8_t bits[FLOW_LABELS_MAX]);

/* What happened, by the message's type and flags. */
bool ct_message_is_destroy(const struct nlmsghdr *nlh);
bool ct_message_is_new(const struct nlmsghdr *nlh);

/* True for a destroy of a flow that did not end by itself (field notes of masquerade). */
bool ct_message_is_live(const struct nlmsghdr *nlh, const struct ct_record *r);

/* True for protocols whose tuples have ports (GRE: its keys); others have none, or ICMP's id. */
bool ct_message_has_ports(uint8_t l4proto);

/* Messages are appended to a batch; the caller keeps CT_MESSAGE_MAX bytes free before each. */
enum { CT_MESSAGE_MAX = 1024 };
struct ct_batch {
	uint8_t *buf;
	size_t len;
	uint32_t seq; /* of the next message */
};

/* What of a flow is written, beside its tuples, status, state, mark and timeout. */
struct ct_write {
	uint32_t timeout_s;
	const uint8_t *label_mask; /* NULL: leave labels out */
	const uint8_t *own_label;  /* bits that an insertion sets too; NULL: none */
};

/*
 * Creates the flow (NLM_F_CREATE | NLM_F_EXCL): everything that it carries. TCP is made liberal:
 * the kernel has no window data of it.
 */
void ct_message_insert(struct ct_batch *b, const struct flow *f, const struct ct_write *how);

/* Changes what can be changed of the flow of that key; never creates one. */
void ct_message_update(struct ct_batch *b, const struct flow *f, const struct ct_write *how);

/* Sets only the time left. */
void ct_message_timeout(struct ct_batch *b, const struct flow_key *k, uint32_t timeout_s);

/* Sets only the liberal flag, both ways (TCP), and the own label. */
void ct_message_liberal(struct ct_batch *b, const struct flow_key *k, const struct ct_write *how);

/* Asks for, or deletes, the flow one of whose directions has the tuple of the key / of f's reply
 * direction. */
void ct_message_get(struct ct_batch *b, const struct flow_key *k);
void ct_message_delete(struct ct_batch *b, const struct flow_key *k);
void ct_message_delete_reply(struct ct_batch *b, const struct flow *f);

/* Has the message last written acknowledged, also when it succeeds. */
void ct_message_want_ack(struct ct_batch *b, size_t offset);

#endif
