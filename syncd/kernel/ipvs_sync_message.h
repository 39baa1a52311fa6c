/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Version 1 messages of the kernel's own sync protocol (net/netfilter/ipvs/ip_vs_sync.c): what its
 * master thread sends and its backup thread takes. A message is a header of 8 bytes and records of
 * 36 (IPv4) or 72 bytes (IPv6) with options, each aligned to 4. Pure.
 *
 * A record has no link to a template and one family for client and server; ipvs_sync_fits tells
 * what cannot be said.
 */
#ifndef SYNCD_KERNEL_IPVS_SYNC_MESSAGE_H
#define SYNCD_KERNEL_IPVS_SYNC_MESSAGE_H

#include <stddef.h>

#include "proto/flow.h"

enum {
	IPVS_SYNC_PORT = 8848,
	IPVS_SYNC_HEADER = 8,
	/* IPv6, sequences, persistence engine's data and name, padding */
	IPVS_SYNC_RECORD_MAX = 72 + 26 + 2 + FLOW_PE_DATA_MAX + 2 + FLOW_PE_NAME_MAX + 3,
};

struct ipvs_sync_writer {
	uint8_t *buf;
	size_t cap, len;
	unsigned count;
};

/* Begins a message for the backup thread with this id. cap: at least a header and a record. */
void ipvs_sync_begin(struct ipvs_sync_writer *w, uint8_t *buf, size_t cap, uint8_t syncid);

/* False where the protocol cannot say it: a server of another family, no known destination. */
bool ipvs_sync_fits(const struct flow *f);

/* Adds a connection that is to live timeout_s (0: its state's default). False: no room. */
bool ipvs_sync_add(struct ipvs_sync_writer *w, const struct flow *f, uint32_t timeout_s);

/*
 * Adds what makes the kernel forget whatever connection has this key: another destination under it,
 * whose entry ends after a second. A record to the same destination would have to name it.
 */
bool ipvs_sync_add_end(struct ipvs_sync_writer *w, const struct flow_key *key);

/* Completes the header; the message is w->len bytes. */
void ipvs_sync_end(struct ipvs_sync_writer *w);

struct ipvs_sync_record {
	struct flow flow; /* pe_data borrows from the message */
	uint32_t flags;	  /* all of the kernel's */
	uint32_t timeout_s;
	bool wanted; /* as ipvs_flow_take says */
};

typedef void ipvs_sync_fn(void *ctx, const struct ipvs_sync_record *r);

/*
 * Hands each record of a message with this id to fn. Returns how many, or -EBADMSG where it is
 * malformed (what came before is handed out), -ENOMSG where it is another's.
 */
int ipvs_sync_read(const uint8_t *buf, size_t len, uint8_t syncid, ipvs_sync_fn *fn, void *ctx);

#endif
