// SPDX-License-Identifier: GPL-2.0-or-later
/* Rivals on this box. Called by daemon_box.c at the start. */
#include "syncd/box/rivals.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_name(const char *pid, char *name, size_t len)
{
	char path[64];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, name, len - 1);
	(void)close(fd);
	if (n <= 0)
		return false;
	name[n] = '\0';
	name[strcspn(name, "\n")] = '\0';
	return true;
}

/* True where the process shares this network namespace, or where that cannot be told. */
static bool is_here(const char *pid)
{
	char path[64];
	struct stat own, other;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/ns/net", pid);
	if (stat("/proc/self/ns/net", &own) < 0 || stat(path, &other) < 0)
		return true;
	return own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

pid_t rivals_find_conntrackd(void)
{
	DIR *proc = opendir("/proc");
	const struct dirent *e;
	char name[32];
	pid_t found = 0;

	if (proc == NULL)
		return -errno;
	while (found == 0 && (e = readdir(proc)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]) &&
		    read_name(e->d_name, name, sizeof(name)) && strcmp(name, "conntrackd") == 0 &&
		    is_here(e->d_name))
			found = (pid_t)strtol(e->d_name, NULL, 10);
	(void)closedir(proc);
	return found;
}
