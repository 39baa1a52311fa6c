// SPDX-License-Identifier: GPL-2.0-or-later
/* The control socket's commands. syncctl(8) describes them for people. */
#include <errno.h>
#include <string.h>
#include <grp.h>
#include <unistd.h>

#include "proto/flow_codec.h"
#include "syncd/daemon.h"

static int answer_error(json_t *response, int code, const char *why)
{
	(void)json_object_set_new(response, "error", json_string(why));
	return code;
}

/* The group that a request names; a request without one means the only group. */
static const struct config_group *request_group(const struct daemon *d, const json_t *request,
						json_t *response)
{
	const char *name = json_string_value(json_object_get(request, "group"));
	const struct config_group *g = name ? config_find_group(d->cfg, name)
					    : (d->cfg->groups == 1 ? &d->cfg->group[0] : NULL);

	if (!g)
		(void)answer_error(response, CTL_CODE_USAGE,
				   name ? "no such group" : "several groups: name one");
	return g;
}

static int parse_role(const char *name, enum node_role *out)
{
	for (int r = ROLE_IDLE; r <= ROLE_ACTIVE; r++)
		if (name && strcmp(name, role_name((enum node_role)r)) == 0) {
			*out = (enum node_role)r;
			return 0;
		}
	return -EINVAL;
}

static int on_role(void *ctx, const json_t *request, json_t *response)
{
	struct daemon *d = ctx;
	const struct config_group *g = request_group(d, request, response);
	enum node_role role;

	if (!g)
		return CTL_CODE_USAGE;
	if (!json_object_get(request, "role")) {
		struct engine_group_status st;

		(void)engine_group_status(d->engine, (size_t)(g - d->cfg->group), &st);
		(void)json_object_set_new(response, "role", json_string(role_name(st.role)));
		return CTL_CODE_YES;
	}
	if (parse_role(json_string_value(json_object_get(request, "role")), &role))
		return answer_error(response, CTL_CODE_USAGE, "role is active, standby or idle");
	(void)engine_set_role(d->engine, g->id, role, "told by syncctl", daemon_now());
	daemon_update_ready(d);
	return CTL_CODE_YES;
}

/* Only to somebody who will lose nothing; one node may be named. */
static int hand_over(struct daemon *d, uint32_t group, const char *node, json_t *response)
{
	struct engine_now now = daemon_now();
	const uint16_t heir = daemon_ready_standby(d, group, node);
	struct engine_group_status st;
	size_t i = 0;

	while (engine_group_status(d->engine, i, &st) == 0 && st.id != group)
		i++;
	if (st.role != ROLE_ACTIVE)
		return answer_error(response, CTL_CODE_NO, "not active here");
	if (!heir)
		return answer_error(response, CTL_CODE_NO,
				    node ? "that node is not a standby that is ready"
					 : "no standby is ready");
	daemon_name_heir(d, &d->group[i], node ? heir : 0, now.mono_us);
	(void)engine_handover(d->engine, group, now);
	return CTL_CODE_YES;
}

/* A group, or without one all that are active here. */
static int on_handover(void *ctx, const json_t *request, json_t *response)
{
	struct daemon *d = ctx;
	const char *node = json_string_value(json_object_get(request, "node"));
	const struct config_group *g;
	struct engine_group_status st;
	int code = CTL_CODE_YES;

	if (json_object_get(request, "group")) {
		g = request_group(d, request, response);
		code = g ? hand_over(d, g->id, node, response) : CTL_CODE_USAGE;
	} else {
		for (size_t i = 0; engine_group_status(d->engine, i, &st) == 0; i++)
			if (st.role == ROLE_ACTIVE && hand_over(d, st.id, node, response))
				code = CTL_CODE_NO;
	}
	daemon_update_ready(d);
	return code;
}

static int on_reconcile(void *ctx, const json_t *request, json_t *response)
{
	struct daemon *d = ctx;

	(void)request;
	(void)response;
	engine_reconcile(d->engine, daemon_now());
	return CTL_CODE_YES;
}

static int on_ready(void *ctx, const json_t *request, json_t *response)
{
	struct daemon *d = ctx;
	const struct config_group *g = request_group(d, request, response);
	struct engine_group_status st;
	json_t *reasons = json_array();

	if (!g) {
		json_decref(reasons);
		return CTL_CODE_USAGE;
	}
	(void)engine_group_status(d->engine, (size_t)(g - d->cfg->group), &st);
	for (size_t i = 0; i < st.reasons; i++)
		(void)json_array_append_new(reasons, json_string(st.reason[i]));
	if (daemon_yields(d, &st)) {
		st.ready = false;
		(void)json_array_append_new(reasons,
					    json_string("the active hands over to another node"));
	}
	(void)json_object_set_new(response, "ready", json_boolean(st.ready));
	(void)json_object_set_new(response, "reasons", reasons);
	return st.ready ? CTL_CODE_YES : CTL_CODE_NO;
}

/* So many are told in some tenths of a second, in which the loop does nothing else. */
enum { FLOWS_TOLD_MAX = 100000 };

struct flows_walk {
	json_t *list;
	size_t limit;
};

static int add_flow(void *ctx, uint64_t hash, const uint8_t *bytes, size_t len)
{
	struct flows_walk *w = ctx;
	char text[FLOW_TEXT_MAX];
	struct flow f;

	(void)hash;
	if (w->limit-- == 0)
		return 1;
	if (flow_decode(bytes, len, &f) == 0) {
		(void)flow_format(&f, text);
		(void)json_array_append_new(w->list, json_string(text));
	}
	return 0;
}

static int on_flows(void *ctx, const json_t *request, json_t *response)
{
	struct daemon *d = ctx;
	const struct config_group *g = request_group(d, request, response);
	json_int_t limit = json_integer_value(json_object_get(request, "limit"));
	struct flows_walk w = {.limit = FLOWS_TOLD_MAX};
	const struct table *t;

	if (!g)
		return CTL_CODE_USAGE;
	if (limit > 0 && limit < FLOWS_TOLD_MAX)
		w.limit = (size_t)limit;
	t = engine_table(d->engine, g->id);
	w.list = json_array();
	(void)table_walk(t, (struct hash_range){0, 0}, add_flow, &w);
	(void)json_object_set_new(response, "count", json_integer((json_int_t)table_count(t)));
	(void)json_object_set_new(response, "flows", w.list);
	return CTL_CODE_YES;
}

static const struct ctl_command commands[] = {
	{"status", daemon_on_status}, {"peers", daemon_on_peers},
	{"stats", daemon_on_stats},   {"metrics", daemon_on_metrics},
	{"verify", daemon_on_verify}, {"role", on_role},
	{"ready", on_ready},	      {"flows", on_flows},
	{"handover", on_handover},    {"reconcile", on_reconcile},
	{"reload", daemon_on_reload}, {NULL, NULL},
};

static void on_ctl(struct ev_loop *loop, ev_io *w, int revents)
{
	struct daemon *d = w->data;

	(void)loop;
	(void)revents;
	(void)ctl_server_on_readable(d->ctl);
}

static gid_t control_gid(const struct daemon *d)
{
	const struct group *g;

	if (!d->cfg->top.control_group[0])
		return (gid_t)-1;
	g = getgrnam(d->cfg->top.control_group);
	if (!g)
		log_warning("control_group %s: no such group: only root may use the socket",
			    d->cfg->top.control_group);
	return g ? g->gr_gid : (gid_t)-1;
}

int daemon_open_ctl(struct daemon *d)
{
	char path[CONFIG_PATH_MAX + 8];
	struct ctl_server_config c = {
		.path = path,
		.group = control_gid(d),
		.command = commands,
		.ctx = d,
	};
	int err;

	(void)snprintf(path, sizeof(path), "%s/ctl", d->cfg->top.runtime_dir);
	err = ctl_server_new(&c, &d->ctl);
	if (err) {
		log_error("control socket %s: %s%s", path, strerror(-err),
			  err == -EADDRINUSE ? ": another syncd runs with this runtime_dir" : "");
		return EXIT_RUNTIME;
	}
	ev_io_init(&d->ctl_io, on_ctl, ctl_server_fd(d->ctl), EV_READ);
	d->ctl_io.data = d;
	ev_io_start(d->loop, &d->ctl_io);
	return 0;
}
