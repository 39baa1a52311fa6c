// SPDX-License-Identifier: GPL-2.0-or-later
/* A blocking client of the control socket, bounded by a time-out. */
#include "syncd/ctl/ctl_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "syncd/ctl/ctl_server.h"

enum { READ_AT_ONCE = 65536 };

struct ctl_client {
	int fd;
};

int ctl_client_open(const char *path, struct ctl_client **out)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct ctl_client *c;
	int rc = 0;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		rc = -errno;
	if (rc < 0)
		ctl_client_close(c);
	else
		*out = c;
	return rc;
}

void ctl_client_close(struct ctl_client *c)
{
	if (c == NULL)
		return;
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c);
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int send_line(struct ctl_client *c, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t len, at = 0;
	int rc = 0;

	if (text == NULL)
		return -ENOMEM;
	len = strlen(text);
	text[len] = '\n';
	while (at <= len && rc == 0) {
		const ssize_t n = send(c->fd, text + at, len + 1 - at, MSG_NOSIGNAL);

		if (n > 0)
			at += (size_t)n;
		else if (errno != EINTR)
			rc = errno == ECONNRESET ? -EPIPE : -errno;
	}
	free(text);
	return rc;
}

/* Waits for the next piece. Returns its length or -errno. */
static int read_some(struct ctl_client *c, char *buf, size_t len, int64_t until_ms)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};

	for (;;) {
		const int64_t left = until_ms - now_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return -ETIMEDOUT;
		n = recv(c->fd, buf, len, MSG_DONTWAIT);
		if (n > 0)
			return (int)n;
		if (n == 0 || errno == ECONNRESET)
			return -EPIPE;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

/* Returns 0 with *line (to be freed) of *len bytes, without its newline. */
static int read_line(struct ctl_client *c, int64_t until_ms, char **line, size_t *len)
{
	char *text = NULL;
	size_t n = 0, cap = 0;
	int got;

	do {
		if (cap - n < READ_AT_ONCE) {
			char *more = realloc(text, cap = cap * 2 + READ_AT_ONCE);

			if (more == NULL) {
				free(text);
				return -ENOMEM;
			}
			text = more;
		}
		got = read_some(c, text + n, READ_AT_ONCE, until_ms);
		if (got > 0)
			n += (size_t)got;
		if (n > CTL_RESPONSE_MAX)
			got = -EMSGSIZE;
	} while (got > 0 && text[n - 1] != '\n');
	if (got < 0) {
		free(text);
		return got;
	}
	*line = text;
	*len = n - 1;
	return 0;
}

int ctl_client_ask(struct ctl_client *c, const json_t *request, int timeout_ms, json_t **response)
{
	char *line = NULL;
	size_t len = 0;
	const json_t *code;
	json_t *answer;
	int rc = send_line(c, request);

	/* A daemon that refuses says why before it closes: read that first. */
	if (rc == 0 || rc == -EPIPE)
		rc = read_line(c, now_ms() + timeout_ms, &line, &len);
	if (rc < 0)
		return rc;
	answer = json_loadb(line, len, 0, NULL);
	free(line);
	code = json_object_get(answer, "code");
	if (!json_is_integer(code) || json_integer_value(code) < 0 ||
	    json_integer_value(code) > 2) {
		json_decref(answer);
		return -EBADMSG;
	}
	*response = answer;
	return (int)json_integer_value(code);
}
