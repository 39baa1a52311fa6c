/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Data payload from a peer: what data_read accepts, both iterators walk to its end, alike. */
#include <assert.h>
#include <string.h>

#include "proto/data.h"
#include "proto/flow_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum data_piece next_change(struct data_iter *it)
{
	enum data_piece piece;

	do
		piece = data_iter_next(it);
	while (piece == DATA_DIGESTS);
	return piece;
}

/* Piece by piece, what the batches have. */
static void compare_batches(const uint8_t *data, size_t size)
{
	static struct data_batch b; /* large */
	struct data_iter one, many;
	bool more = true;

	data_iter_init(&one, data, size);
	data_iter_init(&many, data, size);
	while (more) {
		b.n = b.puts = 0;
		more = data_iter_batch(&many, &b);
		for (size_t i = 0, put = 0; i < b.n; i++) {
			struct digest_input key;
			enum data_piece piece = next_change(&one);

			assert(piece == (b.put[i] ? DATA_PUT : DATA_DEL));
			key = (struct digest_input){one.bytes, one.len};
			if (b.put[i]) {
				assert(b.flow[put].bytes == one.bytes &&
				       b.flow[put].len == one.len);
				assert(flow_key_slice(one.bytes, one.len, &key.bytes, &key.len) ==
				       0);
				put++;
			}
			assert(b.key[i].bytes == key.bytes && b.key[i].len == key.len);
		}
	}
	while (one.p < one.end)
		assert(data_iter_next(&one) != DATA_PUT);
}

/* Reading with a batch says the same, and batch and rest are what the iterator has. */
static void compare_reading(const uint8_t *data, size_t size, const struct data_info *info)
{
	static struct data_batch b; /* large */
	struct data_iter one, rest;
	struct data_info again;

	b.n = b.puts = size % DATA_BATCH; /* of an earlier payload */
	memset(&again, 0, sizeof(again));
	assert(data_read_batch(data, size, &again, &b, &rest) == 0);
	assert(again.puts == info->puts && again.dels == info->dels &&
	       again.digests == info->digests && again.group == info->group &&
	       again.has_range == info->has_range && again.has_check == info->has_check);
	data_iter_init(&one, data, size);
	for (size_t i = size % DATA_BATCH; i < b.n; i++)
		assert(next_change(&one) == (b.put[i] ? DATA_PUT : DATA_DEL) &&
		       b.key[i].bytes >= one.bytes && b.key[i].bytes < one.bytes + one.len);
	for (enum data_piece piece; (piece = next_change(&rest)) != DATA_END;)
		assert(next_change(&one) == piece && one.bytes == rest.bytes);
	assert(next_change(&one) == DATA_END);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t puts = 0, dels = 0, digests = 0;
	enum data_piece piece;
	struct data_info info;
	struct data_iter it;
	struct flow_key key;
	struct flow flow;

	if (data_read(data, size, &info))
		return 0;
	data_iter_init(&it, data, size);
	while ((piece = data_iter_next(&it)) != DATA_END) {
		switch (piece) {
		case DATA_PUT:
			puts++;
			(void)flow_decode(it.bytes, it.len, &flow);
			break;
		case DATA_DEL:
			dels++;
			(void)flow_key_decode(it.bytes, it.len, &key);
			break;
		case DATA_DIGESTS:
			digests++;
			assert(it.digests.n >= 1 && it.digests.n <= REPAIR_FANOUT);
			break;
		case DATA_END:
			break;
		}
	}
	assert(puts == info.puts && dels == info.dels && digests == info.digests);
	compare_batches(data, size);
	compare_reading(data, size, &info);
	return 0;
}
