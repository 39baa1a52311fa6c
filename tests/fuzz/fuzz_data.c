/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Data payload from a peer: what data_read accepts, the iterator walks to its end. */
#include <assert.h>

#include "proto/data.h"
#include "proto/flow_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	return 0;
}
