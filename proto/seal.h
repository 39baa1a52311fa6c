/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The datagram's clear header and its seal: IETF ChaCha20-Poly1305 under a key of the session.
 * See docs/protocol.md. Knows bytes only: no sockets, peers or time. A main calls sodium_init()
 * once before anything here; nothing here allocates.
 */
#ifndef PROTO_SEAL_H
#define PROTO_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

enum { FRAME_MAGIC = 0x5364, FRAME_VERSION = 1 };

enum frame_kind { FRAME_DATA = 1, FRAME_CONTROL = 2 };

struct frame_header {
	uint8_t kind; /* enum frame_kind */
	uint16_t key_id;
	uint16_t node;
	uint64_t session;
	uint64_t counter; /* from 1, one per kind and session */
};

/* Writes FRAME_HEADER_LEN bytes, big-endian. */
void frame_header_write(const struct frame_header *h, uint8_t *buf);

/*
 * Reads the header of a whole datagram. Returns 0, -EBADMSG (not ours, of no known kind, counter 0,
 * or too short for header and tag), -EPROTONOSUPPORT (another version).
 */
int frame_header_read(const uint8_t *buf, size_t len, struct frame_header *out);

/* One group key: as a key file holds it. */
struct group_key {
	uint16_t id;
	uint8_t secret[32];	    /* sealing */
	uint8_t cluster_secret[32]; /* digests; alike in all key files of a cluster */
};

/* A session's key: BLAKE2b keyed by the group key over label, node and session. */
struct seal_key {
	uint8_t b[32];
	bool insecure; /* tag of zeroes, nothing encrypted; only where configured */
};

void seal_key_derive(struct seal_key *out, const struct group_key *k, uint16_t node,
		     uint64_t session);
void seal_key_insecure(struct seal_key *out);

/*
 * dgram holds header, then payload of len bytes, then room for the tag. Writes the header, encrypts
 * in place and appends the tag. Returns the datagram's length. A counter must never be sealed
 * twice.
 */
size_t seal(const struct seal_key *k, const struct frame_header *h, uint8_t *dgram, size_t len);

/*
 * Opens dgram (len bytes; h is what frame_header_read read from it) into payload (at least len -
 * FRAME_OVERHEAD; dgram + FRAME_HEADER_LEN opens in place). Returns the payload's length, -EBADMSG
 * where it is too short, -EKEYREJECTED where the tag is wrong: then payload's content is undefined.
 * An insecure key takes the tag of zeroes only, so sealed and clear nodes never mix.
 */
int seal_open(const struct seal_key *k, const struct frame_header *h, const uint8_t *dgram,
	      size_t len, uint8_t *payload);

#endif
