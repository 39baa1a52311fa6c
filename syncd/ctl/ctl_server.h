/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: a unix stream socket on which a client sends one JSON object a line and gets
 * one back. Who connects is known by the kernel's word (SO_PEERCRED, unix(7)): root, the daemon's
 * own user, or a member of one configured group. Knows no command: they are the owner's table.
 *
 * Request:  {"command":"role","group":"web","role":"active"}
 * Response: {"code":0, ...} as the command fills it; {"code":2,"error":"..."} where it failed.
 * code is syncctl's exit code: 0 done or yes, 1 no, 2 the request was wrong.
 */
#ifndef SYNCD_CTL_CTL_SERVER_H
#define SYNCD_CTL_CTL_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { CTL_CODE_YES = 0, CTL_CODE_NO = 1, CTL_CODE_USAGE = 2 };
enum { CTL_CLIENTS_MAX = 32, CTL_REQUEST_MAX = 65536, CTL_RESPONSE_MAX = 256 << 20 };

/*
 * Answers a request: adds members to response (an empty object, borrowed). Returns the code.
 * `error` is added with json_object_set_new(response, "error", ...) where the code is not 0.
 */
typedef int ctl_fn(void *ctx, const json_t *request, json_t *response);

struct ctl_command {
	const char *name;
	ctl_fn *fn;
};

struct ctl_server;

struct ctl_server_config {
	const char *path; /* of the socket; a stale one is replaced */
	gid_t group;	  /* (gid_t)-1: nobody but root and the daemon's own user */
	const struct ctl_command *command; /* borrowed; ends with a name of NULL */
	void *ctx;			   /* of the commands */
};

/*
 * Binds and listens. Returns 0; -EADDRINUSE where another daemon answers there; -ENAMETOOLONG;
 * other -errno of socket, bind and listen.
 */
int ctl_server_new(const struct ctl_server_config *cfg, struct ctl_server **out);

/* Closes and unlinks. */
void ctl_server_free(struct ctl_server *s);

/* An epoll descriptor that is readable whenever ctl_server_on_readable has something to do. */
int ctl_server_fd(const struct ctl_server *s);

/* Does a bounded amount of work; never blocks. Returns the number of requests answered. */
int ctl_server_on_readable(struct ctl_server *s);

#endif
