/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Control payload from a peer: what was read can be written, and then reads the same. */
#include <assert.h>
#include <string.h>

#include "proto/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t once[1 << 16], twice[1 << 16];
	static struct control c;
	int len;

	if (size > DATAGRAM_MAX || control_read(data, size, &c))
		return 0;
	len = control_write(&c, once, sizeof(once));
	assert(len > 0);
	assert(!control_read(once, (size_t)len, &c));
	assert(control_write(&c, twice, sizeof(twice)) == len);
	assert(!memcmp(once, twice, (size_t)len));
	return 0;
}
