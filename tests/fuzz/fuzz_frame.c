/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A datagram from anybody on the link, opened with a key and without one. */
#include <assert.h>
#include <string.h>

#include "proto/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t payload[DATAGRAM_MAX], header[FRAME_HEADER_LEN];
	struct group_key group = {.id = 7};
	struct frame_header h;
	struct seal_key k;

	if (size > DATAGRAM_MAX || frame_header_read(data, size, &h))
		return 0;
	frame_header_write(&h, header);
	assert(!memcmp(header, data, sizeof(header)));
	for (uint8_t i = 0; i < 32; i++) /* of the golden vectors, so that seeds open */
		group.secret[i] = i;
	seal_key_derive(&k, &group, h.node, h.session);
	(void)seal_open(&k, &h, data, size, payload);
	seal_key_insecure(&k);
	(void)seal_open(&k, &h, data, size, payload);
	return 0;
}
