/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An encoded flow from a peer, a journal or a capture. */
#include <assert.h>

#include "proto/flow_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A text that can be read back must name the same key. */
static void check_text(const struct flow *f)
{
	char text[FLOW_TEXT_MAX];
	struct flow_key key;

	(void)flow_format(f, text);
	(void)flow_key_format(&f->key, text);
	if (!flow_key_parse(text, &key))
		assert(flow_key_equal(&key, &f->key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[FLOW_MAX];
	struct flow f, back;
	struct flow_key k;
	const uint8_t *key;
	size_t key_len;
	int len;

	if (!flow_key_decode(data, size, &k)) {
		len = flow_key_encode(&k, buf);
		assert(len > 0 && !flow_key_decode(buf, (size_t)len, &back.key));
		assert(flow_key_equal(&k, &back.key));
	}
	if (flow_decode(data, size, &f))
		return 0;
	assert(!flow_key_slice(data, size, &key, &key_len));
	len = flow_encode(&f, buf);
	assert(len > 0);
	assert(!flow_decode(buf, (size_t)len, &back));
	assert(flow_equal(&f, &back));
	check_text(&f);
	return 0;
}
