/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SipHash-2-4 over encoded flows; the keys come from the cluster's secret. No state. */
#include <assert.h>
#include <endian.h>
#include <string.h>

#include <sodium.h>

#include "proto/digest.h"

static_assert(crypto_shorthash_siphash24_KEYBYTES == 16, "digest_key");
static_assert(crypto_shorthash_siphash24_BYTES == 8, "digests are 64 bits");

void digest_key_derive(struct digest_key *k, const uint8_t secret[32])
{
	static const char label[] = "syncd digest v1";
	uint8_t out[16 + 16 + 4];
	uint32_t id;

	(void)crypto_generichash(out, sizeof(out), (const uint8_t *)label, sizeof(label) - 1,
				 secret, 32);
	memcpy(k->position, out, 16);
	memcpy(k->content, out + 16, 16);
	memcpy(&id, out + 32, 4);
	k->id = be32toh(id);
	sodium_memzero(out, sizeof(out));
}

static uint64_t digest_hash(const uint8_t key[16], const uint8_t *bytes, size_t len)
{
	uint64_t h;

	(void)crypto_shorthash_siphash24((uint8_t *)&h, bytes, len, key);
	return le64toh(h);
}

uint64_t digest_position(const struct digest_key *k, const uint8_t *key, size_t len)
{
	return digest_hash(k->position, key, len);
}

uint64_t digest_content(const struct digest_key *k, const uint8_t *flow, size_t len)
{
	return digest_hash(k->content, flow, len);
}
