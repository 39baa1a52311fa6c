/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "tests/lib/golden.h"

static FILE *golden_open(const char *name, const char *mode)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "tests/golden/%s.hex", name);
	f = fopen(path, mode);
	ck_assert_msg(f != NULL, "cannot open %s (tests run from the project's directory)", path);
	return f;
}

static size_t read_line(const char *line, uint8_t *buf, size_t len, size_t cap)
{
	unsigned byte;
	int used;

	if (*line == '#')
		return len;
	for (; sscanf(line, " %2x%n", &byte, &used) == 1; line += used) {
		ck_assert_uint_lt(len, cap);
		buf[len++] = (uint8_t)byte;
	}
	ck_assert_msg(!line[strspn(line, " \r\n")], "not hexadecimal: %s", line);
	return len;
}

size_t golden_read(const char *name, uint8_t *buf, size_t cap)
{
	FILE *f = golden_open(name, "r");
	char line[512];
	size_t len = 0;

	while (fgets(line, sizeof(line), f))
		len = read_line(line, buf, len, cap);
	(void)fclose(f);
	return len;
}

static void golden_write(const char *name, const char *what, const uint8_t *bytes, size_t len)
{
	FILE *f = golden_open(name, "w");

	fprintf(f, "# %s\n# %zu bytes\n", what, len);
	for (size_t i = 0; i < len; i++)
		fprintf(f, "%02x%s", bytes[i], i % 32 == 31 || i + 1 == len ? "\n" : "");
	ck_assert_int_eq(fclose(f), 0);
}

void golden_expect(const char *name, const char *what, const uint8_t *bytes, size_t len)
{
	static uint8_t want[65536];
	const char *env = getenv("GOLDEN_WRITE");
	size_t n;

	if (env && !strcmp(env, "1"))
		golden_write(name, what, bytes, len);
	n = golden_read(name, want, sizeof(want));
	ck_assert_msg(n == len && !memcmp(want, bytes, len), "%s: bytes are not the golden ones",
		      name);
}
