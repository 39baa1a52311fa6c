// SPDX-License-Identifier: GPL-2.0-or-later
/* Blocks of records: the unit that is packed, written and, when damaged, skipped. See journal.h. */
#include "proto/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "proto/journal_bytes.h"

/* Fast enough for a writer beside a busy daemon; flows of one site compress well at any level. */
enum { ZSTD_LEVEL = 1 };

struct journal_packer {
	ZSTD_CCtx *c;
	ZSTD_DCtx *d;
};

struct journal_packer *journal_packer_new(void)
{
	struct journal_packer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->c = ZSTD_createCCtx();
	p->d = ZSTD_createDCtx();
	if (p->c && p->d)
		return p;
	journal_packer_free(p);
	return NULL;
}

void journal_packer_free(struct journal_packer *p)
{
	if (!p)
		return;
	(void)ZSTD_freeCCtx(p->c);
	(void)ZSTD_freeDCtx(p->d);
	free(p);
}

void journal_block_write(const struct journal_block *b, uint8_t *buf)
{
	memset(buf, 0, JOURNAL_BLOCK_LEN);
	put32(buf, SKIPPABLE_BLOCK);
	put32(buf + 4, JOURNAL_BLOCK_LEN - 8);
	put32(buf + 8, b->stored);
	put32(buf + 12, b->raw);
	put32(buf + 16, b->records);
	buf[20] = b->method;
	put64(buf + 24, b->first_number);
	put64(buf + 32, b->first_us);
	put64(buf + 40, b->last_us);
	put64(buf + 48, b->hash);
	put_hash(buf, JOURNAL_BLOCK_LEN - 8);
}

int journal_block_read(const uint8_t *buf, size_t len, struct journal_block *out)
{
	struct journal_block b;

	if (len < JOURNAL_BLOCK_LEN || get32(buf) != SKIPPABLE_BLOCK ||
	    get32(buf + 4) != JOURNAL_BLOCK_LEN - 8 || !hash_matches(buf, JOURNAL_BLOCK_LEN - 8))
		return -EBADMSG;
	b = (struct journal_block){
		.stored = get32(buf + 8),
		.raw = get32(buf + 12),
		.records = get32(buf + 16),
		.method = buf[20],
		.first_number = get64(buf + 24),
		.first_us = get64(buf + 32),
		.last_us = get64(buf + 40),
		.hash = get64(buf + 48),
	};
	if (b.raw > JOURNAL_BLOCK_MAX || b.stored > journal_pack_bound(JOURNAL_BLOCK_MAX) ||
	    b.method > JOURNAL_ZSTD || b.records > b.raw / JOURNAL_RECORD_LEN ||
	    (b.method == JOURNAL_STORED && b.stored != b.raw))
		return -EBADMSG;
	*out = b;
	return 0;
}

size_t journal_pack_bound(size_t raw)
{
	return ZSTD_compressBound(raw);
}

int journal_pack(struct journal_packer *p, const uint8_t *raw, struct journal_block *b,
		 uint8_t *out)
{
	size_t n = b->raw;

	if (b->method == JOURNAL_ZSTD)
		n = ZSTD_compressCCtx(p->c, out, journal_pack_bound(b->raw), raw, b->raw,
				      ZSTD_LEVEL);
	else
		memcpy(out, raw, b->raw);
	if (ZSTD_isError(n))
		return -EIO;
	b->stored = (uint32_t)n;
	b->hash = xxh3(out, n);
	return 0;
}

int journal_unpack(struct journal_packer *p, const struct journal_block *b, const uint8_t *stored,
		   uint8_t *raw)
{
	size_t n = b->stored;

	if (xxh3(stored, b->stored) != b->hash)
		return -EBADMSG;
	if (b->method == JOURNAL_ZSTD)
		n = ZSTD_decompressDCtx(p->d, raw, JOURNAL_BLOCK_MAX, stored, b->stored);
	else
		memcpy(raw, stored, b->stored);
	return n == b->raw ? 0 : -EBADMSG;
}
