/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables kept over a restart, as a damaged memory or somebody's hand may leave them: what is
 * accepted is iterated over, and written again it is the same. The checksum is put right first, so
 * that what is behind it is reached.
 */
#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "syncd/warm/warm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { END_LEN = 3 + 16 };

struct out {
	uint8_t *bytes;
	size_t len, cap;
};

static int collect(void *ctx, const uint8_t *bytes, size_t len)
{
	struct out *o = ctx;

	assert(len <= o->cap - o->len);
	memcpy(o->bytes + o->len, bytes, len);
	o->len += len;
	return 0;
}

static void write_again(const struct warm_head *h, const uint8_t *bytes, size_t len)
{
	struct out o = {.bytes = malloc(len), .cap = len};
	struct warm_writer *w = warm_write_begin(h, collect, &o);
	enum warm_piece piece;
	struct warm_iter it;

	assert(o.bytes && w);
	warm_iter_init(&it, bytes);
	while ((piece = warm_iter_next(&it)) != WARM_END) {
		if (piece == WARM_GROUP)
			warm_write_group(w, &it.group);
		else if (piece == WARM_FLOW)
			warm_write_flow(w, it.bytes, it.len);
		else
			warm_write_again(w, it.bytes, it.len);
	}
	assert(warm_write_end(w) == 0);
	assert(o.len == len && memcmp(o.bytes, bytes, len) == 0);
	free(o.bytes);
}

/* The end, with what the rest makes true. */
static void mend(uint8_t *bytes, size_t len)
{
	uint8_t *end = bytes + len - END_LEN;
	uint64_t total = htobe64((uint64_t)(len - END_LEN)), hash;

	memcpy(end, "\0\0\x10", 3);
	memcpy(end + 3, &total, sizeof(total));
	hash = htobe64(XXH3_64bits(bytes, len - sizeof(hash)));
	memcpy(end + 11, &hash, sizeof(hash));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	struct warm_head h;

	assert(copy);
	memcpy(copy, data, size);
	if (size > END_LEN && (data[size - 1] & 1))
		mend(copy, size);
	if (warm_check(copy, size, &h) == 0)
		write_again(&h, copy, size);
	free(copy);
	return 0;
}
