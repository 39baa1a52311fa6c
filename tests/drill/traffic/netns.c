/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets in other network namespaces: see netns.h. */
#include "tests/drill/traffic/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int netns_enter(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

uint64_t netns_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void netns_raise_file_limit(void)
{
	struct rlimit wide = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
	struct rlimit now;

	if (setrlimit(RLIMIT_NOFILE, &wide) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &now) == 0) {
		now.rlim_cur = now.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &now);
	}
}
