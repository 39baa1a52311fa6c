/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See replay_run.h. */
#include "tests/lib/replay_run.h"

#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int replay_run(const char **out, const char *fmt, ...)
{
	static char text[1 << 18];
	char self[PATH_MAX] = "", args[2048], cmd[PATH_MAX + 2200];
	va_list ap;
	size_t n;
	FILE *f;
	int rc;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		abort();
	va_start(ap, fmt);
	(void)vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	(void)snprintf(cmd, sizeof(cmd), "{ %s/../sync-replay %s; } 2>&1", dirname(self), args);
	f = popen(cmd, "r");
	if (!f)
		abort();
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	while (fread(self, 1, sizeof(self), f) > 0)
		continue;
	rc = pclose(f);
	*out = text;
	return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}
