/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another node's data stream as it arrives: put in order, asked again for what is missing, and
 * handed on payload by payload. The reorder buffer is the replay window. Pure.
 */
#ifndef SYNCD_STREAM_RECEIVER_H
#define SYNCD_STREAM_RECEIVER_H

#include "proto/control.h"

struct receiver;

struct receiver_stats {
	uint64_t received, duplicates, reordered, overflowed; /* beyond the buffer: not seen */
	uint64_t naks, nak_suppressed;
	uint64_t gaps, lost; /* ranges skipped because the sender no longer keeps them; datagrams in
				them */
};

/* A stream is followed from the counter after `last`. random_seed feeds the backoff. */
struct receiver *receiver_new(uint16_t node, uint64_t session, uint64_t last, uint64_t random_seed);
void receiver_free(struct receiver *r);

/*
 * Takes an opened payload (copied). Returns 1 kept, 0 a duplicate, -ENOBUFS where beyond the buffer
 * (not seen: a repetition is welcome), -EMSGSIZE where longer than any datagram.
 */
int receiver_on_data(struct receiver *r, uint64_t counter, const uint8_t *payload, size_t len,
		     uint64_t now_us);

/*
 * Takes the next payload in order off. Returns true with *payload valid until the next call. *gap
 * is true where datagrams before it were lost for good: the reader is no prefix until repaired.
 */
bool receiver_next(struct receiver *r, const uint8_t **payload, size_t *len, uint64_t *counter,
		   bool *gap);

/* What the sender's hello says: the last counter sent (tail loss shows) and the oldest kept. */
void receiver_on_tail(struct receiver *r, uint64_t last, uint64_t oldest, uint64_t now_us);

/* The round trip to the sender: naks are not repeated before it is over. Without it, a guess. */
void receiver_set_rtt(struct receiver *r, uint32_t rtt_us);

/* Another receiver's nak of the same stream: suppresses ours for the same counters. */
void receiver_on_foreign_nak(struct receiver *r, const struct nak *n, uint64_t now_us);

/*
 * Fills a nak that is due. Returns true where there is one; *next_us: when to ask again, which is
 * now_us where one nak did not hold all that is due. UINT64_MAX: nothing is missing.
 */
bool receiver_nak(struct receiver *r, uint64_t now_us, struct nak *out, uint64_t *next_us);

/* Gives up on all gaps: what is kept beyond them comes from receiver_next with gap set. */
void receiver_give_up_gaps(struct receiver *r);

uint64_t receiver_applied(const struct receiver *r); /* counter last handed out */
uint64_t receiver_last(const struct receiver *r);    /* highest known to exist */

/* Datagrams beyond receiver_applied that can be taken; what a Status says. */
uint32_t receiver_window(const struct receiver *r);
const struct receiver_stats *receiver_stats(const struct receiver *r);

#endif
