// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `syncctl reload`: the configuration and the key files are read again. What can change under a
 * running daemon does (keys, log level, hooks, and what a group's gate and guard go by); what
 * cannot is named, and goes on as it was until a restart. A file with an error changes nothing.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "syncd/daemon.h"
#include "syncd/daemon_journal.h"

/* A part of the configuration that only a restart takes up. */
struct fixed {
	const char *section;
	const void *now, *wanted;
	size_t size;
};

static bool same_group(const struct config_group *a, const struct config_group *b)
{
	return strcmp(a->name, b->name) == 0 && a->id == b->id && a->install == b->install &&
	       memcmp(&a->match, &b->match, sizeof(a->match)) == 0 &&
	       memcmp(&a->ports, &b->ports, sizeof(a->ports)) == 0 &&
	       memcmp(&a->zones, &b->zones, sizeof(a->zones)) == 0 &&
	       memcmp(&a->marks, &b->marks, sizeof(a->marks)) == 0;
}

static bool same_groups(const struct config *a, const struct config *b)
{
	bool same = a->groups == b->groups;

	for (size_t i = 0; same && i < a->groups; i++)
		same = same_group(&a->group[i], &b->group[i]);
	return same;
}

static void name_fixed(const struct daemon *d, const struct config *wanted, json_t *list)
{
	const struct config *now = d->cfg;
	const struct fixed all[] = {
		{"node", &now->node, &wanted->node, sizeof(now->node)},
		{"runtime_dir", now->top.runtime_dir, wanted->top.runtime_dir,
		 sizeof(now->top.runtime_dir)},
		{"state_dir", now->top.state_dir, wanted->top.state_dir,
		 sizeof(now->top.state_dir)},
		{"tables_file", now->top.tables_file, wanted->top.tables_file,
		 sizeof(now->top.tables_file)},
		{"control_group", now->top.control_group, wanted->top.control_group,
		 sizeof(now->top.control_group)},
		{"insecure", &now->top.insecure, &wanted->top.insecure, sizeof(now->top.insecure)},
		{"rehearsal", &now->top.rehearsal, &wanted->top.rehearsal,
		 sizeof(now->top.rehearsal)},
		{"sync mode", &now->sync.mode, &wanted->sync.mode, sizeof(now->sync.mode)},
		{"sync links", &now->sync.links, &wanted->sync.links, sizeof(now->sync.links)},
		{"conntrack", &now->conntrack, &wanted->conntrack, sizeof(now->conntrack)},
		{"ipvs", &now->ipvs, &wanted->ipvs, sizeof(now->ipvs)},
		{"journal", &now->journal, &wanted->journal, sizeof(now->journal)},
		{"keepalived", &now->keepalived, &wanted->keepalived, sizeof(now->keepalived)},
		{"metrics", &now->metrics, &wanted->metrics, sizeof(now->metrics)},
		{"reach", &now->reach, &wanted->reach, sizeof(now->reach)},
		{"limits", &now->limits, &wanted->limits, sizeof(now->limits)},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (memcmp(all[i].now, all[i].wanted, all[i].size) != 0)
			(void)json_array_append_new(list, json_string(all[i].section));
	if (now->links != wanted->links ||
	    memcmp(now->link, wanted->link, now->links * sizeof(*now->link)) != 0)
		(void)json_array_append_new(list, json_string("link"));
	if (!d->runs_programs && memcmp(&now->hooks, &wanted->hooks, sizeof(now->hooks)) != 0)
		(void)json_array_append_new(list, json_string("hooks"));
	if (!same_groups(now, wanted))
		(void)json_array_append_new(list, json_string("group"));
}

/* Gate and guard go by the new values from their next step on; a guard that is up is put up anew.
 */
static void take_group(struct daemon *d, size_t i, const struct config_group *wanted)
{
	struct config_group *now = &d->cfg->group[i];

	if (d->group[i].guarded != GUARD_DOWN) {
		(void)guard_set(d->guard, now, GUARD_DOWN);
		d->group[i].guarded = GUARD_DOWN;
	}
	now->guard = wanted->guard;
	now->servers = wanted->servers;
	now->ready = wanted->ready;
	now->rise_ms = wanted->rise_ms;
	now->fall_ms = wanted->fall_ms;
	now->instances = wanted->instances;
}

static void take_over(struct daemon *d, struct config *wanted)
{
	struct config_key *former = d->cfg->key;

	log_set_level((enum log_level)wanted->top.log);
	d->cfg->top.log = wanted->top.log;
	if (d->runs_programs)
		d->cfg->hooks = wanted->hooks;
	d->cfg->sync.key = wanted->sync.key;
	d->cfg->key = wanted->key;
	d->cfg->keys = wanted->keys;
	wanted->key = former; /* freed with it */
	if (same_groups(d->cfg, wanted))
		for (size_t i = 0; i < d->cfg->groups; i++)
			take_group(d, i, &wanted->group[i]);
}

int daemon_on_reload(void *ctx, const json_t *request, json_t *response)
{
	struct daemon *d = ctx;
	struct group_key key[KEYS_MAX] = {0};
	char err[CONFIG_ERROR_MAX];
	struct config *wanted;
	json_t *restart;
	size_t keys = 0;

	(void)request;
	if (config_load(d->cfg->path, &wanted, err) < 0) {
		log_error("reload: %s: nothing has changed", err);
		(void)json_object_set_new(response, "error", json_string(err));
		return CTL_CODE_NO;
	}
	if (wanted->top.insecure == d->cfg->top.insecure &&
	    daemon_load_keys(wanted, key, &keys) != 0) {
		(void)json_object_set_new(response, "error",
					  json_string("a key cannot be read: see the log; nothing "
						      "has changed"));
		config_free(wanted);
		return CTL_CODE_NO;
	}
	restart = json_array();
	name_fixed(d, wanted, restart);
	if (wanted->top.insecure == d->cfg->top.insecure) {
		memcpy(d->key, key, sizeof(d->key));
		d->keys = keys;
		engine_set_keys(d->engine, d->key, d->keys);
		take_over(d, wanted);
	}
	sodium_memzero(key, sizeof(key));
	config_free(wanted);
	daemon_update_ready(d);
	daemon_journal_configuration(d);
	log_notice("reloaded %s; %zu parts of it wait for a restart", d->cfg->path,
		   json_array_size(restart));
	(void)json_object_set_new(response, "restart", restart);
	return CTL_CODE_YES;
}
