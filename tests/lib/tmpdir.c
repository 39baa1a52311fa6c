// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lib/tmpdir.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void tmpdir_make(char *path)
{
	strcpy(path, "/tmp/syncd-test.XXXXXX");
	if (mkdtemp(path) == NULL)
		abort();
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void tmpdir_remove(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void tmpdir_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

const char *tmpdir_read(const char *path, char *buf, unsigned long len)
{
	FILE *f = fopen(path, "re");

	if (f == NULL)
		abort();
	buf[fread(buf, 1, len - 1, f)] = '\0';
	(void)fclose(f);
	return buf;
}
