/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Header and seal of a datagram. A nonce is never used twice under one key: the key is the
 * session's (a session number is random at each start), the nonce names kind and counter, and a
 * retransmission sends the sealed bytes again.
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "proto/seal.h"

static_assert(crypto_aead_chacha20poly1305_ietf_KEYBYTES == 32, "seal_key");
static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == FRAME_TAG_LEN, "tag");
static_assert(crypto_aead_chacha20poly1305_ietf_NPUBBYTES == 4 + 8, "kind and counter");

/* Where each part of the header begins. */
enum {
	AT_MAGIC = 0,
	AT_VERSION = 2,
	AT_KIND = 3,
	AT_KEY_ID = 4,
	AT_NODE = 6,
	AT_SESSION = 8,
	AT_COUNTER = 16,
	AT_END = 24,
};
static_assert((int)AT_END == (int)FRAME_HEADER_LEN, "header");

static void put_be16(uint8_t *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, sizeof(v));
}

static void put_be64(uint8_t *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

static uint16_t get_be16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

static uint64_t get_be64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

void frame_header_write(const struct frame_header *h, uint8_t *buf)
{
	put_be16(buf + AT_MAGIC, FRAME_MAGIC);
	buf[AT_VERSION] = FRAME_VERSION;
	buf[AT_KIND] = h->kind;
	put_be16(buf + AT_KEY_ID, h->key_id);
	put_be16(buf + AT_NODE, h->node);
	put_be64(buf + AT_SESSION, h->session);
	put_be64(buf + AT_COUNTER, h->counter);
}

int frame_header_read(const uint8_t *buf, size_t len, struct frame_header *out)
{
	struct frame_header h;

	if (len < FRAME_OVERHEAD || get_be16(buf + AT_MAGIC) != FRAME_MAGIC)
		return -EBADMSG;
	if (buf[AT_VERSION] != FRAME_VERSION)
		return -EPROTONOSUPPORT;
	h.kind = buf[AT_KIND];
	h.key_id = get_be16(buf + AT_KEY_ID);
	h.node = get_be16(buf + AT_NODE);
	h.session = get_be64(buf + AT_SESSION);
	h.counter = get_be64(buf + AT_COUNTER);
	if ((h.kind != FRAME_DATA && h.kind != FRAME_CONTROL) || !h.counter)
		return -EBADMSG;
	*out = h;
	return 0;
}

void seal_key_derive(struct seal_key *out, const struct group_key *k, uint16_t node,
		     uint64_t session)
{
	static const char label[] = "syncd session v1";
	enum { LABEL_LEN = sizeof(label) - 1 };
	uint8_t in[LABEL_LEN + 2 + 8];

	memcpy(in, label, LABEL_LEN);
	put_be16(in + LABEL_LEN, node);
	put_be64(in + LABEL_LEN + 2, session);
	(void)crypto_generichash(out->b, sizeof(out->b), in, sizeof(in), k->secret,
				 sizeof(k->secret));
	out->insecure = false;
}

void seal_key_insecure(struct seal_key *out)
{
	memset(out, 0, sizeof(*out));
	out->insecure = true;
}

static void make_nonce(const struct frame_header *h, uint8_t nonce[12])
{
	memset(nonce, 0, 3);
	nonce[3] = h->kind;
	put_be64(nonce + 4, h->counter);
}

size_t seal(const struct seal_key *k, const struct frame_header *h, uint8_t *dgram, size_t len)
{
	uint8_t *payload = dgram + FRAME_HEADER_LEN;
	uint8_t *tag = payload + len;
	uint8_t nonce[12];

	frame_header_write(h, dgram);
	if (k->insecure) {
		memset(tag, 0, FRAME_TAG_LEN);
		return FRAME_OVERHEAD + len;
	}
	make_nonce(h, nonce);
	(void)crypto_aead_chacha20poly1305_ietf_encrypt_detached(
		payload, tag, NULL, payload, len, dgram, FRAME_HEADER_LEN, NULL, nonce, k->b);
	return FRAME_OVERHEAD + len;
}

int seal_open(const struct seal_key *k, const struct frame_header *h, const uint8_t *dgram,
	      size_t len, uint8_t *payload)
{
	const uint8_t *sealed = dgram + FRAME_HEADER_LEN;
	const uint8_t *tag;
	uint8_t nonce[12];
	size_t n;

	if (len < FRAME_OVERHEAD)
		return -EBADMSG;
	n = len - FRAME_OVERHEAD;
	tag = sealed + n;
	if (k->insecure) {
		if (!sodium_is_zero(tag, FRAME_TAG_LEN))
			return -EKEYREJECTED;
		memmove(payload, sealed, n);
		return (int)n;
	}
	make_nonce(h, nonce);
	if (crypto_aead_chacha20poly1305_ietf_decrypt_detached(payload, NULL, sealed, n, tag, dgram,
							       FRAME_HEADER_LEN, nonce, k->b))
		return -EKEYREJECTED;
	return (int)n;
}
