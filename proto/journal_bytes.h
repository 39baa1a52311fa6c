/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Little-endian integers, text and checksums of the journal. Private to journal*.c. */
#ifndef PROTO_JOURNAL_BYTES_H
#define PROTO_JOURNAL_BYTES_H

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xxhash.h>
#ifdef __x86_64__
#include <immintrin.h>
#include <xxh_x86dispatch.h>
#undef XXH3_64bits
#endif

/* Two of zstd's sixteen magic numbers of skippable frames (RFC 8878, 3.1.2). */
#define SKIPPABLE_HEADER 0x184d2a50u
#define SKIPPABLE_BLOCK	 0x184d2a51u

static inline void put16(uint8_t *p, uint16_t v)
{
	v = htole16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void put64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

static inline uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static inline uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

#ifdef __x86_64__
/* By the widest vectors; they are left as they were found, or all others would be slow from then
 * on. */
__attribute__((target("avx"))) static uint64_t xxh3_wide(const void *buf, size_t len)
{
	uint64_t h = XXH3_64bits_dispatch(buf, len);

	_mm256_zeroupper();
	return h;
}
#endif

static inline uint64_t xxh3(const void *buf, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx"))
		return xxh3_wide(buf, len);
#endif
	return XXH3_64bits(buf, len);
}

/* The XXH3 of buf's first len bytes stands right behind them. */
static inline void put_hash(uint8_t *buf, size_t len)
{
	put64(buf + len, xxh3(buf, len));
}

static inline bool hash_matches(const uint8_t *buf, size_t len)
{
	return get64(buf + len) == xxh3(buf, len);
}

static inline size_t put_text(uint8_t *p, const char *text, size_t max)
{
	size_t n = strnlen(text, max);

	memcpy(p, text, n);
	return n;
}

/* Text goes to terminals: whatever is not printable ASCII becomes '?'. 0 or -EBADMSG. */
static inline int get_text(const uint8_t *p, size_t len, char *out, size_t cap)
{
	if (len >= cap)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)(p[i] >= 0x20 && p[i] < 0x7f ? p[i] : '?');
	out[len] = '\0';
	return 0;
}

#endif
