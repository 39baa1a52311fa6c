// SPDX-License-Identifier: GPL-2.0-or-later
/* Rivals on this box. Called by daemon_box.c at the start. */
#include "syncd/box/rivals.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

/* net/netfilter/ipvs/ip_vs_sync.c: ipvs-m:ID:INDEX, ipvs-b:ID:INDEX */
static bool is_sync_thread(const char *name, const char *prefix, int own_syncid)
{
	size_t len = strlen(prefix);

	return strncmp(name, prefix, len) == 0 && strtol(name + len, NULL, 10) != own_syncid;
}

int rivals_find(int own_syncid, struct rivals *out)
{
	DIR *proc = opendir("/proc");
	const struct dirent *e;
	char name[32];

	if (proc == NULL)
		return -errno;
	*out = (struct rivals){0};
	while ((e = readdir(proc)) != NULL) {
		if (!isdigit((unsigned char)e->d_name[0]) ||
		    !read_name(e->d_name, name, sizeof(name)))
			continue;
		if (strcmp(name, "conntrackd") == 0 && is_here(e->d_name))
			out->conntrackd = (pid_t)strtol(e->d_name, NULL, 10);
		out->ipvs_master |= is_sync_thread(name, "ipvs-m:", own_syncid);
		out->ipvs_backup |= is_sync_thread(name, "ipvs-b:", own_syncid);
	}
	(void)closedir(proc);
	return 0;
}
