// SPDX-License-Identifier: GPL-2.0-or-later
/* Track files. No fsync: they tell what holds now, and are gone after a reboot. */
#include "syncd/role/track_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int track_value(bool ready, bool fail_closed)
{
	if (ready)
		return TRACK_READY;
	return fail_closed ? TRACK_NOT_READY_CLOSED : TRACK_NOT_READY;
}

int track_file_write(const char *dir, const char *group, int value)
{
	char path[PATH_MAX], fresh[PATH_MAX + 8], text[16];
	const int len = snprintf(text, sizeof(text), "%d\n", value);
	const int n = snprintf(path, sizeof(path), "%s/%s.ready", dir, group);
	int rc = 0, fd;

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)len) != len)
		rc = errno != 0 ? -errno : -EIO;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(fresh, path) < 0)
		rc = -errno;
	if (rc < 0)
		(void)unlink(fresh);
	return rc;
}
