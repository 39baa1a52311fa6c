// SPDX-License-Identifier: GPL-2.0-or-later
/* See netns.h. Commands of iproute2 do what is rare; setns and /proc do the rest. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/netns.h"

bool netns_usable(const char *what)
{
	if (geteuid() == 0)
		return true;
	printf("SKIP: %s needs root to make network namespaces\n", what);
	return false;
}

int netns_current(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int netns_switch(int ns)
{
	return setns(ns, CLONE_NEWNET) < 0 ? -errno : 0;
}

int netns_enter(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	/* Addresses are usable at once: nobody else can have them here. */
	(void)netns_sysctl_set("net/ipv6/conf/all/accept_dad", 0);
	(void)netns_sysctl_set("net/ipv6/conf/default/accept_dad", 0);
	(void)netns_sysctl_set("net/ipv6/conf/default/dad_transmits", 0);
	return netns_sh("ip link set lo up") ? -EIO : 0;
}

int netns_new(void)
{
	int home = netns_current();
	int fd, err;

	if (home < 0)
		return home;
	err = netns_enter();
	fd = err ? err : netns_current();
	if (netns_switch(home) < 0)
		abort();
	close(home);
	return fd;
}

int netns_link(int ns_a, const char *if_a, int ns_b, const char *if_b)
{
	int home = netns_current();
	int err;

	if (home < 0)
		return home;
	err = netns_switch(ns_a);
	if (err == 0)
		err = netns_sh("ip link add %s type veth peer name %s netns /proc/%d/fd/%d && "
			       "ip link set %s up",
			       if_a, if_b, getpid(), ns_b, if_a)
			      ? -EIO
			      : 0;
	if (err == 0)
		err = netns_switch(ns_b);
	if (err == 0)
		err = netns_sh("ip link set %s up", if_b) ? -EIO : 0;
	if (netns_switch(home) < 0)
		abort();
	close(home);
	return err;
}

int netns_sh(const char *format, ...)
{
	char command[4096];
	va_list args;
	int n, status;

	va_start(args, format);
	n = vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(command))
		return -E2BIG;
	(void)fflush(NULL);
	status = system(command);
	if (status < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

static int sysctl_open(const char *name, int flags)
{
	char path[256];
	int n = snprintf(path, sizeof(path), "/proc/sys/%s", name);
	int fd;

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int netns_sysctl_set(const char *name, long value)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld", value); /* some take no newline */
	int fd = sysctl_open(name, O_WRONLY);
	int err = 0;

	if (fd < 0)
		return fd;
	if (write(fd, text, (size_t)len) != len)
		err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

long netns_sysctl_get(const char *name)
{
	char text[32] = {0};
	int fd = sysctl_open(name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n <= 0 ? -EIO : strtol(text, NULL, 10);
}

uint64_t netns_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

bool netns_wait_for(bool (*cond)(void *ctx), void *ctx, unsigned timeout_ms)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	uint64_t end = netns_now_us() + timeout_ms * 1000ull;

	for (;;) {
		if (cond(ctx))
			return true;
		if (netns_now_us() >= end)
			return false;
		nanosleep(&pause, NULL);
	}
}
