/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Range-based set reconciliation inside the ordered stream (docs/protocol.md, "Repair"). The client
 * is a standby's side of one group: it compares checks and digests with its table and says what to
 * ask for. The server is the active's: it keeps what was asked and packs answers. Pure.
 */
#ifndef SYNCD_STREAM_REPAIR_H
#define SYNCD_STREAM_REPAIR_H

#include "proto/control.h"
#include "syncd/table/table.h"

struct repair_client;
struct repair_server;

struct repair_progress {
	bool running;
	uint64_t outstanding;	    /* ranges asked for and not answered */
	uint64_t flows, flow_bytes; /* received by repair in this run */
	uint64_t digests;
	uint64_t started_us;
};

struct repair_client *repair_client_new(uint64_t random_seed);
void repair_client_free(struct repair_client *c);

/* Compares at this very point of the stream. Returns true where equal; otherwise a run starts. */
bool repair_client_on_check(struct repair_client *c, const struct table *t,
			    const struct data_check *k, enum repair_why why, uint64_t now_us);
void repair_client_on_digests(struct repair_client *c, const struct table *t,
			      const struct data_digests *d, uint64_t now_us);
/* A range-complete datagram was applied, asked for by us or by another. */
void repair_client_on_range(struct repair_client *c, struct hash_range r, uint64_t flows,
			    uint64_t bytes, uint64_t now_us);

/* Fills what is due to be asked (ranges only; the caller fills node, session, group). False:
 * nothing. */
bool repair_client_request(struct repair_client *c, uint64_t now_us, struct repair_request *out,
			   uint64_t *next_us);
void repair_client_stop(struct repair_client *c); /* the active changed, or all is equal */
const struct repair_progress *repair_client_progress(const struct repair_client *c);

struct repair_server *repair_server_new(void);
void repair_server_free(struct repair_server *s);

/* Remembers what was asked, once however many ask; bounded: beyond it the asker has to ask again.
 */
void repair_server_on_request(struct repair_server *s, const struct repair_request *req,
			      uint64_t now_us);

/*
 * Packs the next answer into a data payload begun by the caller (digests, or a range-complete of
 * flows that fits, the range being halved until it does) and marks those flows as sent. Returns
 * false where nothing is wanted or nothing more fits.
 */
bool repair_server_pack(struct repair_server *s, struct table *t, struct data_writer *w,
			uint64_t now_us);
bool repair_server_pending(const struct repair_server *s);
void repair_server_clear(struct repair_server *s);

#endif
