/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See notify.h. */
#include "tests/lib/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { NAME_MAX_LEN = 64 };

struct notify {
	struct sockaddr_un at;
	int fd, stop;
	pthread_t thread;
	pthread_mutex_t lock;
	int stored;
	char name[NAME_MAX_LEN];
	unsigned added, removed;
};

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

/* The value of a line of a message, into out; false where there is none. */
static bool field(const char *text, const char *name, char *out, size_t len)
{
	const char *at = strstr(text, name);
	size_t n;

	if (!at || (at != text && at[-1] != '\n'))
		return false;
	at += strlen(name);
	n = strcspn(at, "\n");
	must(n < len, "value");
	memcpy(out, at, n);
	out[n] = '\0';
	return true;
}

static void store_locked(struct notify *n, int fd)
{
	if (n->stored >= 0)
		(void)close(n->stored);
	n->stored = fd;
}

/* fd came with it, -1: none. A barrier is answered by closing what came. */
static void on_message(struct notify *n, const char *text, int fd)
{
	char value[NAME_MAX_LEN], name[NAME_MAX_LEN] = "stored";

	must(pthread_mutex_lock(&n->lock) == 0, "lock");
	(void)field(text, "FDNAME=", name, sizeof(name));
	if (field(text, "FDSTORE=", value, sizeof(value)) && fd >= 0) {
		store_locked(n, fd);
		memcpy(n->name, name, sizeof(name));
		n->added++;
		fd = -1;
	} else if (field(text, "FDSTOREREMOVE=", value, sizeof(value)) &&
		   strcmp(name, n->name) == 0) {
		store_locked(n, -1);
		n->removed++;
	}
	must(pthread_mutex_unlock(&n->lock) == 0, "unlock");
	if (fd >= 0)
		(void)close(fd);
}

static void read_one(struct notify *n)
{
	char text[4096], control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {text, sizeof(text) - 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t len = recvmsg(n->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	const struct cmsghdr *c;
	int fd = -1;

	if (len < 0)
		return;
	text[len] = '\0';
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	on_message(n, text, fd);
}

static void *run(void *ctx)
{
	struct notify *n = ctx;
	struct pollfd p[2] = {{.fd = n->fd, .events = POLLIN}, {.fd = n->stop, .events = POLLIN}};

	while (poll(p, 2, -1) > 0 && !p[1].revents)
		read_one(n);
	return NULL;
}

struct notify *notify_open(const char *path)
{
	struct notify *n = calloc(1, sizeof(*n));

	must(n != NULL, "memory");
	n->stored = -1;
	n->at.sun_family = AF_UNIX;
	must(strlen(path) < sizeof(n->at.sun_path), "path");
	memcpy(n->at.sun_path, path, strlen(path) + 1);
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	n->stop = eventfd(0, EFD_CLOEXEC);
	must(n->fd >= 0 && n->stop >= 0, "socket");
	must(bind(n->fd, (const struct sockaddr *)&n->at, sizeof(n->at)) == 0, "bind");
	must(pthread_mutex_init(&n->lock, NULL) == 0, "mutex");
	must(pthread_create(&n->thread, NULL, run, n) == 0, "thread");
	return n;
}

void notify_close(struct notify *n)
{
	const uint64_t one = 1;

	if (!n)
		return;
	must(write(n->stop, &one, sizeof(one)) == sizeof(one), "stop");
	must(pthread_join(n->thread, NULL) == 0, "join");
	store_locked(n, -1);
	(void)close(n->fd);
	(void)close(n->stop);
	(void)unlink(n->at.sun_path);
	free(n);
}

void notify_child(struct notify *n)
{
	char pid[24];

	must(setenv("NOTIFY_SOCKET", n->at.sun_path, 1) == 0 && setenv("FDSTORE", "1", 1) == 0,
	     "environment");
	if (n->stored < 0)
		return;
	if (n->stored != 3)
		must(dup2(n->stored, 3) == 3, "dup2");
	else
		must(fcntl(3, F_SETFD, 0) == 0, "fcntl");
	(void)snprintf(pid, sizeof(pid), "%d", getpid());
	must(setenv("LISTEN_FDS", "1", 1) == 0 && setenv("LISTEN_PID", pid, 1) == 0 &&
		     setenv("LISTEN_FDNAMES", n->name, 1) == 0,
	     "environment");
}

int notify_stored(struct notify *n)
{
	int fd;

	must(pthread_mutex_lock(&n->lock) == 0, "lock");
	fd = n->stored;
	must(pthread_mutex_unlock(&n->lock) == 0, "unlock");
	return fd;
}

void notify_store(struct notify *n, int fd)
{
	must(pthread_mutex_lock(&n->lock) == 0, "lock");
	store_locked(n, fd);
	must(pthread_mutex_unlock(&n->lock) == 0, "unlock");
}

unsigned notify_count(struct notify *n, bool removed)
{
	unsigned count;

	must(pthread_mutex_lock(&n->lock) == 0, "lock");
	count = removed ? n->removed : n->added;
	must(pthread_mutex_unlock(&n->lock) == 0, "unlock");
	return count;
}
