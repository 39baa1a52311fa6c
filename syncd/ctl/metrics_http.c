// SPDX-License-Identifier: GPL-2.0-or-later
/* The metrics listener. Called by the daemon's loop. */
#include "syncd/ctl/metrics_http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLIENTS_MAX = 16, IDLE_S = 10, CLIENT_MEMORY = 16384 };

struct metrics_http {
	struct MHD_Daemon *daemon;
	int listener;
	void (*print)(void *ctx, FILE *to);
	void *ctx;
};

static enum MHD_Result answer(struct MHD_Connection *c, unsigned code, char *text, size_t len,
			      const char *type)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result rc;

	if (r == NULL) {
		free(text);
		return MHD_NO;
	}
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	rc = MHD_queue_response(c, code, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result answer_plain(struct MHD_Connection *c, unsigned code, const char *text)
{
	char *copy = strdup(text);

	return copy != NULL ? answer(c, code, copy, strlen(copy), "text/plain") : MHD_NO;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_len, void **state)
{
	struct metrics_http *m = cls;
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	(void)version;
	(void)upload;
	(void)state;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		*upload_len = 0;
		return answer_plain(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
	}
	if (strcmp(url, "/metrics") != 0)
		return answer_plain(c, MHD_HTTP_NOT_FOUND, "see /metrics\n");
	f = open_memstream(&text, &len);
	if (f == NULL)
		return MHD_NO;
	m->print(m->ctx, f);
	if (fclose(f) != 0) {
		free(text);
		return MHD_NO;
	}
	return answer(c, MHD_HTTP_OK, text, len,
		      "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

/* The listening socket is made here and not by the library, which loses the reason of a failure. */
static int open_listener(const struct sockaddr_storage *a)
{
	const socklen_t len =
		a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	const int fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
	int rc = 0;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)a, len) < 0 || listen(fd, CLIENTS_MAX) < 0)
		rc = -errno;
	if (rc < 0)
		(void)close(fd);
	return rc < 0 ? rc : fd;
}

int metrics_http_new(const struct metrics_http_config *cfg, struct metrics_http **out)
{
	struct metrics_http *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return -ENOMEM;
	m->print = cfg->print;
	m->ctx = cfg->ctx;
	m->listener = open_listener(&cfg->address);
	if (m->listener < 0) {
		const int rc = m->listener;

		free(m);
		return rc;
	}
	m->daemon = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, on_request, m, MHD_OPTION_LISTEN_SOCKET, m->listener,
		MHD_OPTION_CONNECTION_LIMIT, CLIENTS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CLIENT_MEMORY, MHD_OPTION_END);
	if (m->daemon == NULL) {
		(void)close(m->listener);
		free(m);
		return -ENOMEM;
	}
	*out = m;
	return 0;
}

void metrics_http_free(struct metrics_http *m)
{
	if (m == NULL)
		return;
	MHD_stop_daemon(m->daemon); /* closes the listener */
	free(m);
}

int metrics_http_fd(const struct metrics_http *m)
{
	return MHD_get_daemon_info(m->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

void metrics_http_on_readable(struct metrics_http *m)
{
	(void)MHD_run(m->daemon);
}
