// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of one node's segments; see segment.h. */
#include "syncd/journal/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* True where the name is exactly a segment's of this node. */
static bool name_is_segment(const char *name, uint16_t node, uint32_t *number)
{
	char again[NAME_MAX + 1];
	unsigned n, s;

	if (sscanf(name, "journal-%u-%u.zst", &n, &s) != 2 || n != node || s == 0)
		return false;
	(void)snprintf(again, sizeof(again), JOURNAL_NAME_FORMAT, n, s);
	*number = s;
	return strcmp(name, again) == 0;
}

struct found {
	uint32_t oldest, newest, n;
};

static int find_segments(const char *dir, uint16_t node, struct found *out)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	uint32_t number;

	*out = (struct found){0};
	if (!d)
		return -errno;
	while ((e = readdir(d)) != NULL) {
		if (!name_is_segment(e->d_name, node, &number))
			continue;
		if (out->n++ == 0 || number < out->oldest)
			out->oldest = number;
		if (number > out->newest)
			out->newest = number;
	}
	(void)closedir(d);
	return 0;
}

static int segment_path(const char *dir, uint16_t node, uint32_t number, char *path)
{
	int n = snprintf(path, PATH_MAX, "%s/" JOURNAL_NAME_FORMAT, dir, node, number);

	return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* As it was found, torn or not: what is cut from it later shows. */
static int hash_file(const char *path, uint8_t *out)
{
	uint8_t buf[1 << 13];
	struct sha256_ctx sha;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	sha256_init(&sha);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		sha256_update(&sha, (size_t)n, buf);
	n = n < 0 ? -errno : 0;
	(void)close(fd);
	sha256_digest(&sha, JOURNAL_HASH_LEN, out);
	return (int)n;
}

/* Where the numbering and the chain go on: from our own last segment, or from what is there. */
static int find_previous(struct segment *s, const char *dir, uint16_t node)
{
	char path[PATH_MAX];
	struct found f;
	int err = find_segments(dir, node, &f);

	if (err)
		return err;
	if (s->number == f.newest && s->number)
		return 0;
	memset(s->last_hash, 0, sizeof(s->last_hash));
	if (f.newest < s->number) /* gone: the numbers say so */
		return 0;
	s->number = f.newest;
	if (f.newest == 0)
		return 0;
	err = segment_path(dir, node, f.newest, path);
	return err ? err : hash_file(path, s->last_hash);
}

int segment_begin(struct segment *s, const char *dir, struct journal_header *h)
{
	uint8_t head[JOURNAL_HEADER_LEN];
	char path[PATH_MAX];
	int err;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	err = find_previous(s, dir, h->node);
	err = err ? err : segment_path(dir, h->node, s->number + 1, path);
	if (err)
		return err;
	s->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return -errno;
	h->segment = ++s->number;
	memcpy(h->previous, s->last_hash, sizeof(h->previous));
	s->bytes = 0;
	sha256_init(&s->sha);
	journal_header_write(h, head);
	err = segment_write(s, head, sizeof(head));
	if (err) {
		/* No trace of it, or each attempt on a full disk would leave a file. */
		(void)unlink(path);
		s->number--;
		memcpy(s->last_hash, h->previous, sizeof(s->last_hash));
	}
	return err;
}

int segment_write(struct segment *s, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	int err = 0;

	while (len > 0 && !err) {
		ssize_t n = write(s->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n < 0 ? -errno : -ENOSPC;
			break;
		}
		sha256_update(&s->sha, (size_t)n, p);
		s->bytes += (uint64_t)n;
		p += n;
		len -= (size_t)n;
	}
	if (err)
		segment_end(s);
	return err;
}

bool segment_is_gone(const struct segment *s)
{
	struct stat st;

	return fstat(s->fd, &st) == 0 && st.st_nlink == 0;
}

int segment_sync(struct segment *s)
{
	return fdatasync(s->fd) < 0 ? -errno : 0;
}

void segment_end(struct segment *s)
{
	if (s->fd < 0)
		return;
	sha256_digest(&s->sha, JOURNAL_HASH_LEN, s->last_hash);
	(void)close(s->fd);
	s->fd = -1;
}

void segment_prune(const char *dir, uint16_t node, uint32_t keep)
{
	char path[PATH_MAX];
	struct found f;

	if (find_segments(dir, node, &f))
		return;
	for (uint32_t i = f.oldest; f.n > keep && i < f.newest; i++)
		if (segment_path(dir, node, i, path) == 0 && unlink(path) == 0)
			f.n--;
}
