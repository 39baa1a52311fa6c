// SPDX-License-Identifier: GPL-2.0-or-later
/* See warm_store.h. */
#include "syncd/warm/warm_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };
#define BARRIER_US (5u * 1000 * 1000)

struct warm_store {
	int fd;
	bool manager;
	char path[PATH_MAX], fresh[PATH_MAX + 8];
};

int warm_place_here(struct warm_place *out)
{
	sd_id128_t boot;
	struct stat st;
	int err = sd_id128_get_boot(&boot);

	if (err < 0)
		return err;
	if (stat("/proc/self/ns/net", &st) < 0)
		return -errno;
	static_assert(sizeof(boot.bytes) == WARM_BOOT_ID_LEN, "a boot id's length");
	memcpy(out->boot_id, boot.bytes, sizeof(out->boot_id));
	out->netns = st.st_ino;
	return 0;
}

bool warm_store_has_manager(void)
{
	const char *room = getenv("FDSTORE");

	return getenv("NOTIFY_SOCKET") && room && strtoul(room, NULL, 10) > 0;
}

/* ---- keeping ---- */

static int open_fresh(struct warm_store *s, const char *path)
{
	if (!path)
		return memfd_create(WARM_FDNAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (strlen(path) >= sizeof(s->path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(s->path, path, strlen(path) + 1);
	(void)snprintf(s->fresh, sizeof(s->fresh), "%s.new", path);
	(void)unlink(s->fresh);
	return open(s->fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int warm_store_begin(const char *path, struct warm_store **out)
{
	struct warm_store *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->manager = !path;
	s->fd = open_fresh(s, path);
	if (s->fd < 0) {
		err = -errno;
		free(s);
		return err;
	}
	*out = s;
	return 0;
}

int warm_store_write(void *ctx, const uint8_t *bytes, size_t len)
{
	const struct warm_store *s = ctx;

	while (len > 0) {
		ssize_t n = write(s->fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The manager drops what it has no room for without a word, so that it has seen it must do. */
static int hand_over(int fd)
{
	int err;

	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	err = sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=" WARM_FDNAME, &fd, 1);
	if (err == 0)
		return -ENOTCONN;
	return err < 0 ? err : sd_notify_barrier(0, BARRIER_US) < 0 ? -ETIMEDOUT : 0;
}

int warm_store_end(struct warm_store *s, bool keep)
{
	int err = 0;

	if (keep && s->manager)
		err = hand_over(s->fd);
	else if (keep && rename(s->fresh, s->path) < 0)
		err = -errno;
	if (!s->manager && (!keep || err))
		(void)unlink(s->fresh);
	(void)close(s->fd);
	free(s);
	return err;
}

/* ---- taking ---- */

/* Ours is the first of its name; the others have no business here. */
static int from_manager(void)
{
	char **name = NULL;
	int n = sd_listen_fds_with_names(1, &name), found = -1;

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (found < 0 && strcmp(name[i], WARM_FDNAME) == 0)
			found = fd;
		else
			(void)close(fd);
		free(name[i]);
	}
	free(name);
	if (found >= 0)
		(void)sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=" WARM_FDNAME);
	return found;
}

static int from_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), err = errno;

	if (fd < 0)
		return -err;
	if (unlink(path) < 0) {
		err = errno;
		(void)close(fd);
		return -err;
	}
	return fd;
}

static bool is_ours_alone(int fd, bool from_manager, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return false;
	if (from_manager)
		return (fcntl(fd, F_GET_SEALS) & SEALS) == SEALS;
	return st->st_uid == geteuid() && (st->st_mode & 077) == 0;
}

int warm_store_open(const char *path, struct warm_kept *out)
{
	int fd = from_manager(), err = 0;
	struct warm_kept k = {.from_manager = fd >= 0};
	struct stat st;
	void *at;

	if (k.from_manager)
		(void)unlink(path); /* of an earlier stop, if it is there at all */
	else
		fd = from_file(path);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0) {
		err = -errno;
		goto out;
	}
	if (!is_ours_alone(fd, k.from_manager, &st)) {
		err = -EPERM;
		goto out;
	}
	k.image.len = (size_t)st.st_size;
	if (k.image.len > 0) {
		at = mmap(NULL, k.image.len, PROT_READ, MAP_PRIVATE, fd, 0);
		if (at == MAP_FAILED) {
			err = -errno;
			goto out;
		}
		k.image.bytes = at;
	}
	*out = k;
out:
	(void)close(fd);
	return err;
}

void warm_store_close(struct warm_kept *k)
{
	if (k->image.bytes)
		(void)munmap((void *)(uintptr_t)k->image.bytes, k->image.len);
	*k = (struct warm_kept){0};
}
