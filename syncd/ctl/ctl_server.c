// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket's server. Its clients are few, local and trusted once let in, but none of
 * them may make the daemon wait: reads and writes never block, a response that the client does
 * not take stays with the client's memory and nobody else's.
 */
#include "syncd/ctl/ctl_server.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { EVENTS_A_TURN = 16 };

struct client {
	int fd;
	size_t in_len;
	char *in;
	char *out; /* a response not yet taken; NULL: none */
	size_t out_len, out_at;
};

struct ctl_server {
	struct sockaddr_un addr;
	gid_t group;
	const struct ctl_command *command;
	void *ctx;
	int epoll, listener;
	size_t clients;
	struct client client[CTL_CLIENTS_MAX];
};

/* True where somebody answers on the socket. */
static bool is_alive(const struct sockaddr_un *addr)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive;

	if (fd < 0)
		return false;
	alive = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN;
	(void)close(fd);
	return alive;
}

static int listen_at(struct ctl_server *s)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	mode_t mode = S_IRUSR | S_IWUSR, former;
	int rc;

	if (is_alive(&s->addr))
		return -EADDRINUSE;
	(void)unlink(s->addr.sun_path);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listener < 0)
		return -errno;
	/* Between bind and chmod nobody else may connect. */
	former = umask(0177);
	rc = bind(s->listener, (const struct sockaddr *)&s->addr, sizeof(s->addr));
	(void)umask(former);
	if (rc < 0)
		return -errno;
	if (s->group != (gid_t)-1) {
		mode |= S_IRGRP | S_IWGRP;
		if (chown(s->addr.sun_path, (uid_t)-1, s->group) < 0 ||
		    chmod(s->addr.sun_path, mode) < 0)
			return -errno;
	}
	if (listen(s->listener, CTL_CLIENTS_MAX) < 0 ||
	    epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &ev) < 0)
		return -errno;
	return 0;
}

int ctl_server_new(const struct ctl_server_config *cfg, struct ctl_server **out)
{
	struct ctl_server *s;
	int rc;

	if (strlen(cfg->path) >= sizeof(s->addr.sun_path))
		return -ENAMETOOLONG;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->addr.sun_family = AF_UNIX;
	memcpy(s->addr.sun_path, cfg->path, strlen(cfg->path) + 1);
	s->group = cfg->group;
	s->command = cfg->command;
	s->ctx = cfg->ctx;
	s->listener = -1;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	rc = s->epoll < 0 ? -errno : listen_at(s);
	if (rc < 0) {
		if (s->listener >= 0)
			(void)close(s->listener);
		if (s->epoll >= 0)
			(void)close(s->epoll);
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

static void drop_client(struct ctl_server *s, struct client *c)
{
	(void)close(c->fd);
	free(c->in);
	free(c->out);
	*c = (struct client){.fd = -1};
	s->clients--;
}

void ctl_server_free(struct ctl_server *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++)
		if (s->client[i].in != NULL)
			drop_client(s, &s->client[i]);
	(void)close(s->listener);
	(void)close(s->epoll);
	(void)unlink(s->addr.sun_path);
	free(s);
}

int ctl_server_fd(const struct ctl_server *s)
{
	return s->epoll;
}

/* True where the user is in the group, by its own group or the group file. */
static bool in_group(const struct ucred *who, gid_t group)
{
	const struct passwd *pw;
	gid_t member[64];
	int n = (int)(sizeof(member) / sizeof(member[0]));

	if (who->gid == group)
		return true;
	pw = getpwuid(who->uid);
	if (pw == NULL || getgrouplist(pw->pw_name, pw->pw_gid, member, &n) < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (member[i] == group)
			return true;
	return false;
}

static bool is_allowed(const struct ctl_server *s, int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return false;
	return who.uid == 0 || who.uid == geteuid() ||
	       (s->group != (gid_t)-1 && in_group(&who, s->group));
}

static void accept_client(struct ctl_server *s)
{
	static const char refused[] =
		"{\"code\":2,\"error\":\"not allowed: be root or in control_group\"}\n";
	struct epoll_event ev = {.events = EPOLLIN};
	struct client *c = NULL;
	const int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (size_t i = 0; i < CTL_CLIENTS_MAX && c == NULL; i++)
		if (s->client[i].in == NULL)
			c = &s->client[i];
	if (!is_allowed(s, fd)) {
		(void)!write(fd, refused, sizeof(refused) - 1);
		c = NULL;
	}
	if (c != NULL)
		c->in = malloc(CTL_REQUEST_MAX);
	if (c == NULL || c->in == NULL) {
		(void)close(fd);
		return;
	}
	c->fd = fd;
	s->clients++;
	ev.data.ptr = c;
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		drop_client(s, c);
}

static int run_command(struct ctl_server *s, const json_t *request, json_t *response)
{
	const char *name = json_string_value(json_object_get(request, "command"));

	if (name == NULL) {
		(void)json_object_set_new(response, "error",
					  json_string("not an object with a \"command\""));
		return CTL_CODE_USAGE;
	}
	for (const struct ctl_command *cmd = s->command; cmd->name != NULL; cmd++)
		if (strcmp(cmd->name, name) == 0)
			return cmd->fn(s->ctx, request, response);
	(void)json_object_set_new(response, "error", json_sprintf("unknown command '%s'", name));
	return CTL_CODE_USAGE;
}

/* Answers the line (len bytes without its newline). Returns 0 or -ENOMEM. */
static int answer(struct ctl_server *s, struct client *c, const char *line, size_t len)
{
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	json_t *response = json_object();
	const int code = response != NULL ? run_command(s, request, response) : CTL_CODE_USAGE;

	(void)json_object_set_new(response, "code", json_integer(code));
	c->out = response != NULL ? json_dumps(response, JSON_COMPACT) : NULL;
	json_decref(request);
	json_decref(response);
	if (c->out == NULL)
		return -ENOMEM;
	c->out_len = strlen(c->out);
	c->out[c->out_len++] = '\n'; /* in place of the NUL: written by length from here on */
	c->out_at = 0;
	return 0;
}

/* Writes what is left. Returns false where the client is gone. */
static bool flush_client(struct ctl_server *s, struct client *c)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	while (c->out != NULL) {
		const ssize_t n =
			send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n < 0) {
			ev.events = EPOLLOUT; /* no further request before this is taken */
			break;
		}
		c->out_at += (size_t)n;
		if (c->out_at == c->out_len) {
			free(c->out);
			c->out = NULL;
		}
	}
	return epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &ev) == 0;
}

/* Answers the whole lines that are there, up to a response not taken at once. Returns how many, or
 * -1 where the client is gone. */
static int answer_lines(struct ctl_server *s, struct client *c)
{
	size_t at = 0;
	int answered = 0;

	while (c->out == NULL) {
		const char *line = c->in + at;
		const char *end = memchr(line, '\n', c->in_len - at);

		if (end == NULL)
			break;
		if (answer(s, c, line, (size_t)(end - line)) < 0 || !flush_client(s, c))
			return -1;
		at = (size_t)(end + 1 - c->in);
		answered++;
	}
	c->in_len -= at;
	memmove(c->in, c->in + at, c->in_len);
	return answered;
}

/* Returns false where the client is gone, or sends a line longer than any request. */
static bool fill(struct client *c)
{
	ssize_t n;

	if (c->in_len == CTL_REQUEST_MAX)
		return false;
	n = recv(c->fd, c->in + c->in_len, CTL_REQUEST_MAX - c->in_len, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->in_len += (size_t)n;
	return n > 0;
}

static int on_client(struct ctl_server *s, struct client *c)
{
	const bool writing = c->out != NULL;
	int answered = -1;

	if (writing ? flush_client(s, c) : fill(c))
		answered = answer_lines(s, c);
	if (answered < 0)
		drop_client(s, c);
	return answered > 0 ? answered : 0;
}

int ctl_server_on_readable(struct ctl_server *s)
{
	struct epoll_event ev[EVENTS_A_TURN];
	const int n = epoll_wait(s->epoll, ev, EVENTS_A_TURN, 0);
	int answered = 0;

	for (int i = 0; i < n; i++) {
		if (ev[i].data.ptr == NULL)
			accept_client(s);
		else
			answered += on_client(s, ev[i].data.ptr);
	}
	return answered;
}
