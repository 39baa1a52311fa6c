// SPDX-License-Identifier: GPL-2.0-or-later
/* What the daemon says of itself: status, peers, stats, and metrics on both ways out. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "syncd/daemon.h"
#include "syncd/metrics.h"

static size_t peer_drift(void *ctx, const struct peer *p, char *text, size_t len)
{
	return daemon_drift(ctx, p, text, len);
}

static struct status_box box_of(struct daemon *d)
{
	const struct daemon_edge *edge = d->edge;
	struct status_box box = {
		.node = d->cfg->node.name,
		.node_id = (uint16_t)d->cfg->node.id,
		.session = d->session,
		.started_us = d->started_us,
		.conntrack = edge[FLOW_CONNTRACK].source != NULL
				     ? edge[FLOW_CONNTRACK].source->ops->name
				     : NULL,
		.ct_sink = edge[FLOW_CONNTRACK].sink != NULL
				   ? ct_sink_stats(edge[FLOW_CONNTRACK].sink)
				   : NULL,
		.peer_link = daemon_peer_link,
		.peer_drift = peer_drift,
		.ctx = d,
		.ipvs = edge[FLOW_IPVS].source != NULL ? edge[FLOW_IPVS].source->ops->name : NULL,
		.links = d->links,
	};

	for (size_t i = 0; i < d->links; i++)
		box.link[i] = (struct status_link){
			.name = link_name(d->link[i].link),
			.up = d->link[i].was_up,
			.data = d->cfg->sync.mode == CONFIG_DUPLICATE || i == d->data_link,
			.stats = link_stats(d->link[i].link),
		};
	return box;
}

int daemon_on_status(void *ctx, const json_t *request, json_t *response)
{
	struct daemon *d = ctx;
	const struct status_box box = box_of(d);
	json_t *all = status_json(d->engine, &box, daemon_now());

	(void)request;
	(void)json_object_update(response, all);
	json_decref(all);
	return CTL_CODE_YES;
}

int daemon_on_peers(void *ctx, const json_t *request, json_t *response)
{
	struct daemon *d = ctx;
	const struct status_box box = box_of(d);

	(void)request;
	(void)json_object_set_new(response, "peers",
				  status_peers_json(d->engine, &box, daemon_now()));
	return CTL_CODE_YES;
}

int daemon_on_stats(void *ctx, const json_t *request, json_t *response)
{
	struct daemon *d = ctx;
	const struct status_box box = box_of(d);

	(void)request;
	(void)json_object_set_new(response, "counters", status_counters_json(d->engine, &box));
	return CTL_CODE_YES;
}

static void print_metrics(void *ctx, FILE *to)
{
	struct daemon *d = ctx;
	const struct status_box box = box_of(d);

	metrics_print(d->engine, &box, daemon_now(), to);
}

int daemon_on_metrics(void *ctx, const json_t *request, json_t *response)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)request;
	if (f == NULL)
		return CTL_CODE_NO;
	print_metrics(ctx, f);
	if (fclose(f) == 0)
		(void)json_object_set_new(response, "text", json_string(text));
	free(text);
	return CTL_CODE_YES;
}

uint16_t daemon_ready_standby(const struct daemon *d, uint32_t group, const char *node)
{
	struct peers *peers = engine_peers(d->engine);

	for (const struct peer *p = peers_next(peers, NULL, false); p != NULL;
	     p = peers_next(peers, p, false)) {
		const struct hello_group *hg = peer_group(p, group);

		if (hg != NULL && hg->role == ROLE_STANDBY && hg->ready &&
		    (node == NULL || strcmp(p->name, node) == 0))
			return p->node;
	}
	return 0;
}

/* For `systemctl status`: a word a group. */
void daemon_notify_status(struct daemon *d)
{
	struct engine_group_status st;
	char text[512];
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; engine_group_status(d->engine, i, &st) == 0 && at < sizeof(text); i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s: %s, %llu flows%s",
				       i > 0 ? "; " : "", st.name, role_state_name(st.state),
				       (unsigned long long)st.flows, st.ready ? "" : ", not ready");
	(void)sd_notifyf(0, "STATUS=%s", text);
}

static void on_http(struct ev_loop *loop, ev_io *w, int revents)
{
	struct daemon *d = w->data;

	(void)loop;
	(void)revents;
	metrics_http_on_readable(d->metrics);
}

int daemon_open_metrics(struct daemon *d)
{
	const struct config_metrics *m = &d->cfg->metrics;
	struct metrics_http_config c = {.print = print_metrics, .ctx = d};
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&c.address;
	struct sockaddr_in *four = (struct sockaddr_in *)&c.address;
	int err;

	if (m->address.addr_len == 0)
		return 0;
	if (m->address.addr_len == 16) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)m->port);
		memcpy(&six->sin6_addr, m->address.addr.b, 16);
	} else {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)m->port);
		memcpy(&four->sin_addr, m->address.addr.b, 4);
	}
	err = metrics_http_new(&c, &d->metrics);
	if (err) {
		log_error("metrics: port %u: %s: choose another address or port in metrics { }",
			  m->port, strerror(-err));
		return EXIT_RUNTIME;
	}
	ev_io_init(&d->metrics_io, on_http, metrics_http_fd(d->metrics), EV_READ);
	d->metrics_io.data = d;
	ev_io_start(d->loop, &d->metrics_io);
	return 0;
}
