// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A warm restart: at an orderly stop the tables go to the service manager's file-descriptor store,
 * or to a file where there is none; at the start they are taken from there. Whatever is wrong with
 * them is logged, and the start is a cold one.
 */
#include <errno.h>
#include <string.h>

#include "syncd/daemon.h"
#include "syncd/warm/warm_store.h"

#define SETTLE_US (1 * S_US) /* how long a stop waits for what is on its way into the kernel */

static const char *tables_file(const struct daemon *d)
{
	return d->cfg->top.tables_file;
}

static bool keeps_tables(const struct daemon *d)
{
	return strcmp(tables_file(d), "none") != 0;
}

/* ---- the start ---- */

struct taking {
	struct daemon *d;
	uint64_t flows;
};

static const char *name_of(const struct daemon *d, uint32_t group)
{
	for (size_t i = 0; i < d->cfg->groups; i++)
		if (d->cfg->group[i].id == group)
			return d->cfg->group[i].name;
	return "-";
}

static void on_taken(void *ctx, const struct engine_taken *t)
{
	struct taking *k = ctx;
	const struct warm_group *g = &t->group;

	if (t->why && !g->id) {
		log_warning("the tables kept over the restart are not used: %s; the start is cold",
			    t->why);
	} else if (t->why) {
		log_warning("group %s (id %u): the table kept over the restart is not used: %s; "
			    "the start is cold",
			    name_of(k->d, g->id), g->id, t->why);
	} else {
		k->flows += g->flows;
		log_notice("group %s: %llu flows kept over the restart, as of data %llu of node "
			   "%u, by encoder %u",
			   name_of(k->d, g->id), (unsigned long long)g->flows,
			   (unsigned long long)g->as_of_counter, g->as_of_node, t->head.encoder);
	}
}

void daemon_take_tables(struct daemon *d)
{
	struct taking k = {.d = d};
	struct warm_place here;
	struct warm_kept kept;
	int err;

	if (!keeps_tables(d))
		return;
	err = warm_store_open(tables_file(d), &kept);
	if (err == -ENOENT)
		return;
	if (!err)
		err = warm_place_here(&here);
	if (err) {
		log_warning("the tables kept over the restart cannot be read: %s; the start is "
			    "cold",
			    err == -EPERM ? "they are not ours alone" : strerror(-err));
		return;
	}
	if (engine_take(d->engine, kept.image, &here, on_taken, &k, daemon_now()) > 0)
		log_info("%llu flows, %zu bytes, from %s", (unsigned long long)k.flows,
			 kept.image.len,
			 kept.from_manager ? "the service manager" : tables_file(d));
	warm_store_close(&kept);
}

/* ---- the stop ---- */

/* Nothing more is read: what is on its way gets there, and the results are heard. */
static void settle(struct daemon *d)
{
	const uint64_t until_us = daemon_now().mono_us + SETTLE_US;
	struct engine_now now = daemon_now();

	while (!engine_is_settled(d->engine) && now.mono_us < until_us) {
		(void)engine_tick(d->engine, now);
		for (int k = 0; k < 2; k++) {
			struct sink *s = d->edge[k].sink;

			if (s)
				(void)s->ops->poll(s, now.mono_us);
		}
		now = daemon_now();
	}
}

static int keep(struct daemon *d, const char *path)
{
	struct warm_place here;
	struct warm_store *s;
	int err = warm_place_here(&here), end;

	err = err ? err : warm_store_begin(path, &s);
	if (err)
		return err;
	err = engine_keep(d->engine, &here, warm_store_write, s, daemon_now());
	end = warm_store_end(s, err == 0);
	return err ? err : end;
}

void daemon_keep_tables(struct daemon *d)
{
	const char *path = warm_store_has_manager() ? NULL : tables_file(d);
	const char *where = path ? path : "the service manager's store";
	int err;

	if (!keeps_tables(d))
		return;
	settle(d);
	err = keep(d, path);
	if (err)
		log_warning("tables: %s: %s; the next start is cold", where, strerror(-err));
	else
		log_info("tables: kept in %s", where);
}
