/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A flow's key as somebody types it. */
#include <assert.h>
#include <string.h>

#include "proto/flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char in[1024], out[FLOW_TEXT_MAX];
	struct flow_key key, back;

	if (size >= sizeof(in))
		return 0;
	memcpy(in, data, size);
	in[size] = '\0';
	if (flow_key_parse(in, &key))
		return 0;
	(void)flow_key_format(&key, out);
	if (strstr(out, " pe-hex "))
		return 0;
	assert(!flow_key_parse(out, &back));
	assert(flow_key_equal(&key, &back));
	return 0;
}
