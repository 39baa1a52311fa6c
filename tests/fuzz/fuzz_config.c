// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any text as a configuration; what is accepted must print and parse again to the same text, what
 * is refused has a message of one line that says where.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(const struct config *c)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert(f != NULL);
	config_print(c, f);
	(void)fclose(f);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *printed, *again;
	char err[CONFIG_ERROR_MAX];
	struct config *c, *second;

	assert(text != NULL);
	if (config_parse(text, "fuzz", &c, err) == 0) {
		printed = print(c);
		assert(config_parse(printed, "printed", &second, err) == 0);
		again = print(second);
		assert(strcmp(printed, again) == 0);
		free(printed);
		free(again);
		config_free(c);
		config_free(second);
	} else {
		assert(strncmp(err, "fuzz:", 5) == 0 && err[5] >= '1' && err[5] <= '9');
		assert(strstr(err, ": ")[2] != '\0' && strchr(err, '\n') == NULL);
	}
	free(text);
	return 0;
}
