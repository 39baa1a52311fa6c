// SPDX-License-Identifier: GPL-2.0-or-later
/* See guest.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/guest.h"

enum { NOT_IN_CACHE = 126, SECONDS = 200 };

/* Returns the program's status; NOT_IN_CACHE where the guest is not to be had. */
static int run_in(const struct guest *g, const char *self, const char *modules, const char *setting)
{
	const char *only = getenv("CK_RUN_CASE");
	char replacements[128], command[1024];
	int status;

	(void)snprintf(replacements, sizeof(replacements), "build/kpatch/%s/modules", g->kind);
	(void)snprintf(command, sizeof(command),
		       "tests/rig/guest -k %s -t %u %s %s %s %s -- env SYNCD_TEST_HERE=1 %s %s%s "
		       "sh -c 'for m in %s; do modprobe -q $m; done; exec \"$0\"' %s",
		       g->kind, g->seconds ? g->seconds : SECONDS, g->patched ? "-x" : "",
		       g->patched ? replacements : "",
		       /* A busy host keeps QEMU's timer from ticking in time. */
		       strncmp(g->kind, "qemu", 4) == 0 ? "-a no_timer_check" : "",
		       g->counted ? "-i" : "", setting ? setting : "", only ? "CK_RUN_CASE=" : "",
		       only ? only : "", modules, self);
	if (g->patched && access(replacements, R_OK) != 0) {
		printf("SKIP: no patched ip_vs for the %s guest: make -C kpatch RIG=1\n", g->kind);
		return NOT_IN_CACHE;
	}
	printf("in the %s guest:\n", g->kind);
	(void)fflush(stdout);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

int guest_run(const char *program, const struct guest *guests, size_t n, const char *modules,
	      const char *setting, int (*run_here)(bool here))
{
	int ran = 0, failed = 0;
	char *self;

#ifdef __SANITIZE_THREAD__
	printf("SKIP: in a guest there is no room for the thread sanitizer's shadow\n");
	return run_here(false);
#endif
	if (getenv("SYNCD_TEST_HERE") || access("/proc/net/ip_vs", R_OK) == 0)
		return run_here(true);
	self = geteuid() == 0 ? realpath(program, NULL) : NULL;
	for (size_t i = 0; self && i < n; i++) {
		int rc = run_in(&guests[i], self, modules, setting);

		ran += rc != NOT_IN_CACHE;
		failed += rc != NOT_IN_CACHE && rc != 0;
	}
	free(self);
	if (ran == 0)
		return run_here(false);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
