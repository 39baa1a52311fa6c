/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A key file's text. */
#include <assert.h>
#include <string.h>

#include "proto/key_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[KEY_FILE_MAX];
	struct group_key k, back;
	size_t len;

	if (key_file_parse((const char *)data, size, &k))
		return 0;
	len = key_file_format(&k, text);
	assert(!key_file_parse(text, len, &back));
	assert(k.id == back.id && !memcmp(k.secret, back.secret, 32));
	assert(!memcmp(k.cluster_secret, back.cluster_secret, 32));
	return 0;
}
