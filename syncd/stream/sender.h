/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This node's own stream: numbers, seals and keeps datagrams, answers naks from what it keeps, and
 * knows how much its receivers can take. Pure: output goes through a callback.
 */
#ifndef SYNCD_STREAM_SENDER_H
#define SYNCD_STREAM_SENDER_H

#include "proto/control.h"
#include "proto/seal.h"

struct sender;

struct sender_config {
	uint16_t node;
	uint64_t session;
	struct group_key key; /* the one that seals; ignored where insecure */
	bool insecure;
	size_t retain;	     /* datagrams kept at most; 0: RETAIN_MAX */
	size_t retain_bytes; /* and their bytes */
	uint64_t stall_us; /* how long one receiver may hold the others up before it is left behind
			    */
};

struct sender_io {
	void (*send)(void *ctx, const uint8_t *dgram, size_t len);
	void *ctx;
};

struct sender_stats {
	uint64_t data, data_bytes, control, control_bytes;
	uint64_t retransmits, retransmit_bytes, nak_gone; /* asked for, no longer kept */
	uint64_t left_behind;				  /* receivers that lost their vote */
};

struct sender *sender_new(const struct sender_config *cfg, const struct sender_io *io);
void sender_free(struct sender *s);

/* Changes the key for datagrams from now on. */
void sender_set_key(struct sender *s, const struct group_key *key);

/*
 * Gives up what is kept under former keys that not all accept any more: whoever lacks the key would
 * ask for it for ever. oldest tells them that it is gone.
 */
void sender_drop_keys(struct sender *s, bool (*accepted)(void *ctx, uint16_t key_id), void *ctx);

/* Longest payload of one datagram, by what peers have proven. */
void sender_set_datagram_max(struct sender *s, uint32_t len_bytes);
size_t sender_payload_max(const struct sender *s);

/*
 * Where the next payload is to be written (sender_payload_max bytes), valid until the next call of
 * a send. sender_data seals it as the next data datagram, keeps it and sends it; returns its
 * counter. sender_control does so for control, which is not kept.
 */
uint8_t *sender_payload(struct sender *s);
uint64_t sender_data(struct sender *s, size_t len, uint64_t now_us);
uint64_t sender_control(struct sender *s, size_t len, uint64_t now_us);

/* Data counters: last sent (0: none), oldest kept. */
uint64_t sender_last(const struct sender *s);
uint64_t sender_oldest(const struct sender *s);

/* A receiver's status of this stream; one heard for the first time gets a vote once it has room. */
void sender_on_status(struct sender *s, uint16_t node, uint64_t session, const struct status *st,
		      uint64_t now_us);

/*
 * Up to where a receiver has applied this stream, by its hello. A status is not repeated and may be
 * lost: what it would have freed is freed, and what a receiver lacks that has told none yet is kept
 * for it. The window and the vote wait for a status.
 */
void sender_on_position(struct sender *s, uint16_t node, uint64_t session, uint64_t applied,
			uint64_t now_us);

/* Sends again what is still kept, at most once in NAK_LINGER_US each and bounded per call. */
void sender_on_nak(struct sender *s, const struct nak *n, uint64_t now_us);

/* The receiver's session is over. */
void sender_forget(struct sender *s, uint16_t node, uint64_t session);

/*
 * Datagrams that may be sent now without outrunning the receivers that have a vote, or what is kept
 * to repair their losses. Where nobody has one, a turn's fair share.
 */
size_t sender_window(const struct sender *s, uint64_t now_us);

/* Smallest counter installed in the kernels of all receivers with a vote; sender_last without any.
 */
uint64_t sender_installed_everywhere(const struct sender *s);

/*
 * Ages receivers: one that lags and is silent for PEER_DEAD_US is forgotten, one that has told that
 * it has everything may be silent for ever (until sender_forget). One that has everything by its
 * position only loses its vote then, until its next status: what it installed is not known. Takes
 * the vote of one that has stalled the rest for stall_us.
 */
void sender_tick(struct sender *s, uint64_t now_us);

const struct sender_stats *sender_stats(const struct sender *s);

#endif
