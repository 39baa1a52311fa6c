// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `syncctl verify`: what is known of equality, at once; with "deep" a comparison of all there is,
 * which takes a while: the first request begins it, and further ones ("again") tell how it goes.
 */
#include <string.h>

#include "proto/flow_codec.h"
#include "syncd/daemon.h"
#include "syncd/status_json.h"

/* On the active: what each standby says of itself. False where one is not ready, or none is there.
 */
static bool verify_standbys(struct daemon *d, uint32_t group, json_t *list)
{
	struct peers *peers = engine_peers(d->engine);
	bool all = true;

	for (const struct peer *p = peers_next(peers, NULL, false); p != NULL;
	     p = peers_next(peers, p, false)) {
		const struct hello_group *hg = peer_group(p, group);

		if (hg == NULL || hg->role != ROLE_STANDBY)
			continue;
		all = all && hg->ready;
		(void)json_array_append_new(
			list, json_pack("{s:i,s:s,s:s,s:b,s:I}", "node", p->node, "name", p->name,
					"state", role_state_name((enum node_state)hg->state),
					"ready", hg->ready, "flows", (json_int_t)hg->flows));
	}
	return all && json_array_size(list) > 0;
}

/* Table and kernel of this node against the active's table, or where this is the active, the
 * standbys' against this. */
static bool verify_group(struct daemon *d, const struct engine_group_status *st, json_t *out)
{
	json_t *o = status_group_json(st), *standbys = json_array();
	const bool kernel = (st->kernel_queued == 0 || st->deferred) && st->refused == 0;
	bool good;

	if (st->role == ROLE_ACTIVE)
		good = verify_standbys(d, st->id, standbys) && st->complete && kernel;
	else
		good = st->role == ROLE_STANDBY && st->equal && kernel;
	(void)json_object_set_new(o, "standbys", standbys);
	(void)json_object_set_new(o, "verified", json_boolean(good));
	(void)json_array_append_new(out, o);
	return good;
}

/* ---- deep -------------------------------------------------------------------------------- */

static void set_flow(json_t *to, const char *name, const uint8_t *bytes, size_t len)
{
	char text[FLOW_TEXT_MAX];
	struct flow f;

	if (len == 0)
		return;
	if (flow_decode(bytes, len, &f) == 0)
		(void)flow_format(&f, text);
	else
		(void)snprintf(text, sizeof(text), "(%zu bytes that are no flow)", len);
	(void)json_object_set_new(to, name, json_string(text));
}

/* Where, what, and the flow as it is here and as it should be. */
static json_t *finding_json(const struct audit_finding *f)
{
	static const char *const where[] = {"table", "kernel"};
	static const char *const what[] = {"missing", "extra", "different", "damaged"};
	json_t *o = json_pack("{s:s,s:s}", "where", where[f->where], "what", what[f->what]);

	set_flow(o, "here", f->here, f->here_len);
	set_flow(o, "expected", f->there, f->there_len);
	return o;
}

static uint64_t found_in(const struct audit_group *g)
{
	uint64_t sum = 0;

	for (unsigned where = 0; where < AUDIT_WHERES; where++)
		for (unsigned what = 0; what < AUDIT_WHATS; what++)
			sum += g->found[where][what];
	return sum;
}

/* Adds what was found in a group. Returns whether nothing was. */
static bool deep_group(const struct audit_result *r, const struct audit_group *g, json_t *out)
{
	json_t *list = json_array();
	const bool good = r->kernel && g->compared && g->equal && !g->differed && found_in(g) == 0;

	for (size_t i = 0; i < r->findings; i++)
		if (r->finding[i].group == g->id)
			(void)json_array_append_new(list, finding_json(&r->finding[i]));
	(void)json_object_set_new(
		out, "deep",
		json_pack("{s:b,s:I,s:I,s:b,s:b,s:b,s:I,s:I,s:o}", "equal", good, "flows",
			  (json_int_t)g->flows, "counter", (json_int_t)g->counter, "compared",
			  g->compared, "repaired", g->differed && g->equal, "kernel_compared",
			  r->kernel, "found", (json_int_t)found_in(g), "unsettled",
			  (json_int_t)g->unsettled, "findings", list));
	return good;
}

static int deep_answer(struct daemon *d, const json_t *response)
{
	const struct audit_result *r = engine_audit(d->engine);
	json_t *o;
	size_t i;
	bool good = true;

	json_array_foreach(json_object_get(response, "groups"), i, o)
	{
		const json_int_t id = json_integer_value(json_object_get(o, "id"));

		for (size_t k = 0; k < r->groups; k++)
			if (r->group[k].id == id)
				good = deep_group(r, &r->group[k], o) && good;
		if (!json_is_true(json_object_get(json_object_get(o, "deep"), "equal")))
			(void)json_object_set_new(o, "verified", json_false());
	}
	return good ? CTL_CODE_YES : CTL_CODE_NO;
}

static int verify_all(struct daemon *d, const char *name, json_t *response)
{
	json_t *groups = json_array();
	struct engine_group_status st;
	bool good = true, found = name == NULL;

	for (size_t i = 0; engine_group_status(d->engine, i, &st) == 0; i++) {
		if (name != NULL && strcmp(name, st.name) != 0)
			continue;
		found = true;
		good = verify_group(d, &st, groups) && good;
	}
	(void)json_object_set_new(response, "node", json_string(d->cfg->node.name));
	(void)json_object_set_new(response, "groups", groups);
	if (!found) {
		(void)json_object_set_new(response, "error", json_string("no such group"));
		return CTL_CODE_USAGE;
	}
	return good ? CTL_CODE_YES : CTL_CODE_NO;
}

int daemon_on_verify(void *ctx, const json_t *request, json_t *response)
{
	struct daemon *d = ctx;
	const char *name = json_string_value(json_object_get(request, "group"));
	const bool deep = json_is_true(json_object_get(request, "deep"));
	const bool again = json_is_true(json_object_get(request, "again"));
	int code = verify_all(d, name, response), deep_code;

	if (!deep || code == CTL_CODE_USAGE)
		return code;
	if ((!again || engine_audit(d->engine) == NULL) &&
	    engine_audit_start(d->engine, daemon_now()) < 0) {
		(void)json_object_set_new(response, "error", json_string("no memory"));
		return CTL_CODE_NO;
	}
	if (engine_audit(d->engine)->running) {
		(void)json_object_set_new(response, "running", json_true());
		return CTL_CODE_NO;
	}
	deep_code = deep_answer(d, response);
	return code == CTL_CODE_YES ? deep_code : code;
}
