/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A captured packet of any link type: the payload that is found lies within it. */
#include <assert.h>

#include "replay/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int link[] = {1, 12, 101, 113, 228, 229, 276, 7};
	const uint8_t *payload;
	size_t n;

	if (size == 0)
		return 0;
	n = packet_payload(link[data[0] % 8], data + 1, size - 1, &payload);
	assert(n == 0 || (payload >= data + 1 && payload + n <= data + size));
	return 0;
}
