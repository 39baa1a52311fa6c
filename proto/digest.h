/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keyed 64-bit hashes (SipHash-2-4 of libsodium's crypto_shorthash): where a flow stands in hash
 * space and what it adds to a digest. Keyed because clients choose ports; the key is the cluster's
 * and is not rotated with the sealing keys.
 */
#ifndef PROTO_DIGEST_H
#define PROTO_DIGEST_H

#include <stddef.h>
#include <stdint.h>

struct digest_key {
	uint8_t position[16]; /* key of the hash of flow keys */
	uint8_t content[16];  /* key of the hash of whole flows */
	uint32_t id;	      /* travels in the hello: tables compare only under one key */
};

/* Derives the three from the cluster secret of the key file (32 bytes). */
void digest_key_derive(struct digest_key *k, const uint8_t secret[32]);

/* Where the flow stands: hash of its encoded key. */
uint64_t digest_position(const struct digest_key *k, const uint8_t *key, size_t len);

/* What the flow adds to a digest: hash of its encoded bytes. Digests are XORs of these. */
uint64_t digest_content(const struct digest_key *k, const uint8_t *flow, size_t len);

/* The same of n keys or flows at once, into out[]; several times faster for eight and more. */
struct digest_input {
	const uint8_t *bytes;
	size_t len;
};
void digest_positions(const struct digest_key *k, const struct digest_input *key, size_t n,
		      uint64_t *out);
void digest_contents(const struct digest_key *k, const struct digest_input *flow, size_t n,
		     uint64_t *out);

#endif
