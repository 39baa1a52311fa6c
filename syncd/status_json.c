// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Engine to JSON. Called by daemon_status.c and daemon_verify.c. 64-bit numbers that are names
 * (sessions, digests) are hexadecimal strings, since JSON readers keep only 53 bits of a number.
 */
#include "syncd/status_json.h"

#include <inttypes.h>

#include "syncd/counters.h"

static void set_number(json_t *to, const char *name, uint64_t value)
{
	(void)json_object_set_new(to, name, json_integer((json_int_t)value));
}

static void set_flag(json_t *to, const char *name, bool value)
{
	(void)json_object_set_new(to, name, json_boolean(value));
}

static void set_text(json_t *to, const char *name, const char *value)
{
	(void)json_object_set_new(to, name, value != NULL ? json_string(value) : json_null());
}

static void set_hex(json_t *to, const char *name, uint64_t value)
{
	(void)json_object_set_new(to, name, json_sprintf("%016" PRIx64, value));
}

static void set_ms(json_t *to, const char *name, uint64_t value_us)
{
	(void)json_object_set_new(to, name, json_real((double)value_us / 1000));
}

static json_t *reasons_json(const struct engine_group_status *st)
{
	json_t *list = json_array();

	for (size_t i = 0; i < st->reasons; i++)
		(void)json_array_append_new(list, json_string(st->reason[i]));
	return list;
}

static json_t *times_json(const struct engine_group_status *st)
{
	json_t *times = json_object();

	for (unsigned s = 0; s < STATES; s++)
		set_number(times, role_state_name((enum node_state)s), st->time_in_state_ms[s]);
	return times;
}

static json_t *repair_json(const struct repair_progress *p)
{
	json_t *o = json_object();

	set_flag(o, "running", p->running);
	set_number(o, "outstanding", p->outstanding);
	set_number(o, "flows", p->flows);
	set_number(o, "flow_bytes", p->flow_bytes);
	set_number(o, "digests", p->digests);
	return o;
}

static uint64_t installed(const struct engine_group_status *st)
{
	const uint64_t missing = st->kernel_queued + st->refused;

	return st->flows > missing ? st->flows - missing : 0;
}

json_t *status_group_json(const struct engine_group_status *st)
{
	json_t *o = json_object();

	set_text(o, "name", st->name);
	set_number(o, "id", st->id);
	set_text(o, "role", role_name(st->role));
	set_text(o, "state", role_state_name(st->state));
	set_number(o, "term", st->term.number);
	set_number(o, "term_node", st->term.node);
	set_number(o, "active", st->active);
	set_number(o, "flows", st->flows);
	set_number(o, "installed", installed(st));
	set_flag(o, "equal", st->equal);
	set_number(o, "equal_age_ms", st->equal_age_ms);
	set_ms(o, "lag_ms", st->lag_us);
	set_number(o, "would_lose", st->would_lose);
	set_flag(o, "ready", st->ready);
	set_flag(o, "complete", st->complete);
	set_flag(o, "whole", st->whole);
	set_flag(o, "handover", st->handover);
	set_hex(o, "digest", st->digest);
	set_number(o, "wire_queued", st->wire_queued);
	set_number(o, "kernel_queued", st->kernel_queued);
	set_number(o, "refused", st->refused);
	set_number(o, "kept", st->kept);
	set_number(o, "transitions", st->transitions);
	set_number(o, "memory_bytes", st->memory_bytes);
	(void)json_object_set_new(o, "reasons", reasons_json(st));
	(void)json_object_set_new(o, "time_in_state_ms", times_json(st));
	(void)json_object_set_new(o, "repair", repair_json(&st->repair));
	return o;
}

static json_t *peer_json(const struct peer *p, const struct status_box *box, struct engine_now now)
{
	json_t *o = json_object();
	char drift[256];

	set_number(o, "node", p->node);
	set_text(o, "name", p->name);
	set_hex(o, "session", p->session);
	set_flag(o, "proven", p->proven);
	set_number(o, "encoder", p->encoder);
	set_number(o, "heard_ms", (now.mono_us - p->heard_us) / MS_US);
	set_number(o, "rtt_us", p->rtt_us);
	set_text(o, "link", box->peer_link != NULL ? box->peer_link(box->ctx, p->node) : NULL);
	if (box->peer_drift != NULL) {
		(void)box->peer_drift(box->ctx, p, drift, sizeof(drift));
		set_text(o, "differs", drift);
	}
	(void)json_object_set_new(o, "clock_offset_us", json_integer(p->clock_offset_us));
	set_number(o, "max_datagram", p->max_datagram);
	set_number(o, "last_data", p->last_data);
	return o;
}

static json_t *link_json(const struct status_link *l)
{
	json_t *o = json_object();

	set_text(o, "name", l->name);
	set_flag(o, "up", l->up);
	set_flag(o, "data", l->data);
	set_number(o, "sent", l->stats->sent);
	set_number(o, "sent_bytes", l->stats->sent_bytes);
	set_number(o, "send_errors", l->stats->send_errors);
	set_number(o, "received", l->stats->received);
	set_number(o, "received_bytes", l->stats->received_bytes);
	set_number(o, "ttl_refused", l->stats->ttl_refused);
	return o;
}

json_t *status_peers_json(struct engine *e, const struct status_box *box, struct engine_now now)
{
	struct peers *peers = engine_peers(e);
	json_t *list = json_array();

	for (const struct peer *p = peers_next(peers, NULL, true); p != NULL;
	     p = peers_next(peers, p, true))
		(void)json_array_append_new(list, peer_json(p, box, now));
	return list;
}

static void add_counter(void *ctx, const char *name, const char *help, uint64_t value)
{
	(void)help;
	set_number(ctx, name, value);
}

json_t *status_counters_json(const struct engine *e, const struct status_box *box)
{
	json_t *o = json_object();

	counters_each(e, box->ct_sink, add_counter, o);
	return o;
}

json_t *status_json(struct engine *e, const struct status_box *box, struct engine_now now)
{
	json_t *o = json_object(), *groups = json_array(), *kernel = json_object();
	json_t *links = json_array();
	struct engine_group_status st;

	set_text(o, "node", box->node);
	set_number(o, "node_id", box->node_id);
	set_hex(o, "session", box->session);
	set_text(o, "version", SYNCD_VERSION);
	set_number(o, "encoder", engine_encoder());
	set_number(o, "uptime_ms", (now.mono_us - box->started_us) / MS_US);
	for (size_t i = 0; engine_group_status(e, i, &st) == 0; i++) {
		json_t *g = status_group_json(&st);

		set_number(g, "coalesced", table_coalesced(engine_table(e, st.id)));
		(void)json_array_append_new(groups, g);
	}
	(void)json_object_set_new(o, "groups", groups);
	(void)json_object_set_new(o, "peers", status_peers_json(e, box, now));
	for (size_t i = 0; i < box->links; i++)
		(void)json_array_append_new(links, link_json(&box->link[i]));
	(void)json_object_set_new(o, "links", links);
	set_text(kernel, "conntrack", box->conntrack);
	set_text(kernel, "ipvs", box->ipvs);
	(void)json_object_set_new(o, "kernel", kernel);
	(void)json_object_set_new(o, "counters", status_counters_json(e, box));
	return o;
}
