// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reader of keepalived's fifo. It is opened for reading and writing, so that no end of file comes
 * when keepalived restarts (fifo(7)).
 */
#include "syncd/role/keepalived_fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_LEN_MAX = 256, READS_A_TURN = 16 };

struct keepalived_fifo {
	char path[PATH_MAX];
	int fd;
	dev_t dev;
	ino_t ino;
	size_t len;
	bool too_long; /* the rest of a line that did not fit */
	char line[LINE_LEN_MAX];
};

static bool state_from_name(const char *name, enum vrrp_state *out)
{
	static const char *const names[] = {"MASTER", "BACKUP", "FAULT", "STOP", "DELETED"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0) {
			*out = (enum vrrp_state)i;
			return true;
		}
	return false;
}

int vrrp_parse(const char *line, size_t len, struct vrrp_event *out)
{
	struct vrrp_event ev = {0};
	char text[LINE_LEN_MAX], kind[16], state[32];
	int end = 0;

	if (len >= sizeof(text) || memchr(line, '\0', len) != NULL)
		return -EBADMSG;
	memcpy(text, line, len);
	text[len] = '\0';
	(void)sscanf(text, "%15s \"%63[^\"]\" %31s %u %n", kind, ev.name, state, &ev.priority,
		     &end);
	if (end == 0) /* older ones give no priority */
		(void)sscanf(text, "%15s \"%63[^\"]\" %31s %n", kind, ev.name, state, &end);
	if (strncmp(text, "VIRTUAL_SERVER ", 15) == 0 || strncmp(text, "REAL_SERVER ", 12) == 0)
		return 0;
	if (end == 0 || text[end] != '\0')
		return -EBADMSG;
	ev.sync_group = strcmp(kind, "GROUP") == 0;
	if (!ev.sync_group && strcmp(kind, "INSTANCE") != 0)
		return -EBADMSG;
	if (!state_from_name(state, &ev.state))
		return 0;
	*out = ev;
	return 1;
}

static int open_fifo(struct keepalived_fifo *f)
{
	struct stat st;
	int fd;

	if (mkfifo(f->path, 0600) < 0 && errno != EEXIST)
		return -errno;
	fd = open(f->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode)) {
		(void)close(fd);
		return -EINVAL;
	}
	if (f->fd >= 0)
		(void)close(f->fd);
	f->fd = fd;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->len = 0;
	f->too_long = false;
	return 0;
}

int keepalived_fifo_open(const char *path, struct keepalived_fifo **out)
{
	struct keepalived_fifo *f;
	int rc;

	if (strlen(path) >= sizeof(f->path))
		return -ENAMETOOLONG;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return -ENOMEM;
	memcpy(f->path, path, strlen(path) + 1);
	f->fd = -1;
	rc = open_fifo(f);
	if (rc < 0)
		free(f);
	else
		*out = f;
	return rc;
}

void keepalived_fifo_free(struct keepalived_fifo *f)
{
	if (f == NULL)
		return;
	(void)close(f->fd);
	free(f);
}

int keepalived_fifo_fd(const struct keepalived_fifo *f)
{
	return f->fd;
}

/* Takes whole lines out of the buffer. Returns how many were bad. */
static int take_lines(struct keepalived_fifo *f,
		      void (*on_event)(void *ctx, const struct vrrp_event *ev), void *ctx)
{
	struct vrrp_event ev;
	size_t at = 0;
	int bad = 0;

	for (;;) {
		const char *end = memchr(f->line + at, '\n', f->len - at);
		int rc;

		if (end == NULL)
			break;
		rc = f->too_long ? -EBADMSG
				 : vrrp_parse(f->line + at, (size_t)(end - f->line) - at, &ev);
		f->too_long = false;
		if (rc > 0)
			on_event(ctx, &ev);
		bad += rc < 0;
		at = (size_t)(end - f->line) + 1;
	}
	f->len -= at;
	memmove(f->line, f->line + at, f->len);
	if (f->len == sizeof(f->line)) {
		f->too_long = true;
		f->len = 0;
	}
	return bad;
}

int keepalived_fifo_on_readable(struct keepalived_fifo *f,
				void (*on_event)(void *ctx, const struct vrrp_event *ev), void *ctx)
{
	int bad = 0;

	for (int i = 0; i < READS_A_TURN; i++) {
		const ssize_t n = read(f->fd, f->line + f->len, sizeof(f->line) - f->len);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n <= 0)
			break;
		f->len += (size_t)n;
		bad += take_lines(f, on_event, ctx);
	}
	return bad;
}

int keepalived_fifo_check(struct keepalived_fifo *f)
{
	struct stat st;
	int rc;

	if (stat(f->path, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino)
		return 0;
	rc = open_fifo(f);
	return rc < 0 ? rc : 1;
}
