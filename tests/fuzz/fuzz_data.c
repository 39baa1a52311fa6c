/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Data payload from a peer: what data_read accepts, both iterators walk to its end, alike. */
#include <assert.h>

#include "proto/data.h"
#include "proto/flow_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
			enum data_piece piece;

			do
				piece = data_iter_next(&one);
			while (piece == DATA_DIGESTS);
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
	return 0;
}
