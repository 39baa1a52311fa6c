// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_scan.h. The thread writes into a pipe, whose end is the end of the reading. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "syncd/kernel/ipvs_scan.h"

enum { CHUNK = 4096, BUFFER = 65536 }; /* CHUNK: what the kernel gives a read */

struct ipvs_scan {
	pthread_t thread;
	bool running;
	int in, out; /* of the pipe; out is the thread's while it runs */
	atomic_bool stop;
	atomic_int err;
	size_t at, len; /* in buf: what is not yet handed out */
	char buf[BUFFER];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void rest(uint64_t ns)
{
	const struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	(void)nanosleep(&t, NULL);
}

/* The reader has gone where it fails: EPIPE, for the thread has no signals. */
static bool write_all(int fd, const char *from, size_t len)
{
	while (len) {
		ssize_t n = write(fd, from, len);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			from += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static int read_table(struct ipvs_scan *s)
{
	int fd = open("/proc/thread-self/net/ip_vs_conn", O_RDONLY | O_CLOEXEC);
	char chunk[CHUNK];
	ssize_t n;
	int err;

	if (fd < 0)
		return -errno;
	do {
		uint64_t begin = now_ns(), took;

		n = read(fd, chunk, sizeof(chunk));
		took = now_ns() - begin;
		if (n > 0 && !write_all(s->out, chunk, (size_t)n))
			break;
		rest(took);
	} while (n > 0 && !atomic_load(&s->stop));
	err = n < 0 ? -errno : n > 0 ? -EINTR : 0;
	close(fd);
	return err;
}

static void *run(void *ctx)
{
	struct ipvs_scan *s = ctx;

	atomic_store(&s->err, read_table(s));
	close(s->out);
	return NULL;
}

int ipvs_scan_new(struct ipvs_scan **out)
{
	struct ipvs_scan *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->in = -1;
	*out = s;
	return 0;
}

static void end(struct ipvs_scan *s)
{
	(void)pthread_join(s->thread, NULL);
	close(s->in);
	s->in = -1;
	s->running = false;
}

void ipvs_scan_abort(struct ipvs_scan *s)
{
	if (!s->running)
		return;
	atomic_store(&s->stop, true);
	close(s->in); /* a thread that waits for room gets EPIPE */
	s->in = -1;
	(void)pthread_join(s->thread, NULL);
	s->running = false;
}

void ipvs_scan_free(struct ipvs_scan *s)
{
	if (s)
		ipvs_scan_abort(s);
	free(s);
}

static int start_thread(struct ipvs_scan *s)
{
	sigset_t all, before;
	int err;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&s->thread, NULL, run, s);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

int ipvs_scan_begin(struct ipvs_scan *s)
{
	int fd[2], err;

	if (s->running)
		return -EBUSY;
	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	(void)fcntl(fd[0], F_SETFL, O_NONBLOCK);
	s->in = fd[0];
	s->out = fd[1];
	s->at = s->len = 0;
	atomic_store(&s->stop, false);
	atomic_store(&s->err, 0);
	err = start_thread(s);
	if (err) {
		close(fd[0]);
		close(fd[1]);
		s->in = -1;
		return err;
	}
	s->running = true;
	return 0;
}

bool ipvs_scan_running(const struct ipvs_scan *s)
{
	return s->running;
}

int ipvs_scan_fd(const struct ipvs_scan *s)
{
	return s->in;
}

/* Returns false where nothing more is there now. */
static bool fill(struct ipvs_scan *s, bool *ended)
{
	ssize_t n;

	if (s->at) {
		memmove(s->buf, s->buf + s->at, s->len - s->at);
		s->len -= s->at;
		s->at = 0;
	}
	if (s->len == sizeof(s->buf))
		s->len = 0; /* no line is so long */
	n = read(s->in, s->buf + s->len, sizeof(s->buf) - s->len);
	*ended = n == 0;
	if (n > 0)
		s->len += (size_t)n;
	return n > 0;
}

unsigned ipvs_scan_poll(struct ipvs_scan *s, unsigned budget, ipvs_scan_fn *fn, void *ctx,
			bool *ended, int *err)
{
	unsigned done = 0;

	*ended = false;
	while (s->running && done < budget) {
		char *line = s->buf + s->at, *newline = memchr(line, '\n', s->len - s->at);

		if (newline) {
			*newline = '\0';
			s->at = (size_t)(newline + 1 - s->buf);
			fn(ctx, line);
			done++;
		} else if (!fill(s, ended)) {
			break;
		}
	}
	if (*ended) {
		end(s);
		*err = atomic_load(&s->err);
	}
	return done;
}
