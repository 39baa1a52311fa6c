// SPDX-License-Identifier: GPL-2.0-or-later
/* Roles: what was kept over a restart, and what the world is told of a change. */
#include <errno.h>
#include <string.h>

#include "syncd/daemon.h"

static const char *group_name(const struct daemon *d, uint32_t id)
{
	for (size_t i = 0; i < d->cfg->groups; i++)
		if (d->cfg->group[i].id == id)
			return d->cfg->group[i].name;
	return "?";
}

void daemon_on_state(void *ctx, uint32_t group, enum node_state from, enum node_state to,
		     const char *reason)
{
	struct daemon *d = ctx;

	log_notice("group %s: %s -> %s: %s", group_name(d, group), role_state_name(from),
		   role_state_name(to), reason);
}

void daemon_on_alarm(void *ctx, uint32_t group, const char *what)
{
	struct daemon *d = ctx;

	log_error("group %s: %s", group_name(d, group), what);
}

/* Roles are told by keepalived or by syncctl; until then a group stands by. */
int daemon_open_roles(struct daemon *d)
{
	const struct config_top *top = &d->cfg->top;
	int err = term_store_open(top->state_dir, top->runtime_dir, &d->terms);

	if (err) {
		log_error("terms: %s or %s: %s", top->state_dir, top->runtime_dir, strerror(-err));
		return err == -EACCES || err == -EPERM ? EXIT_RIGHTS : EXIT_RUNTIME;
	}
	for (size_t i = 0; i < d->cfg->groups; i++) {
		uint32_t id = d->cfg->group[i].id;
		struct term t = {0};
		enum node_role role = ROLE_STANDBY;
		bool known = false;

		if (term_store_get(d->terms, id, &t, &role, &known) || !known)
			role = ROLE_STANDBY;
		engine_restore(d->engine, id, t, role, daemon_now());
	}
	return 0;
}

void daemon_close_roles(struct daemon *d)
{
	term_store_free(d->terms);
}

void daemon_update_ready(struct daemon *d)
{
	(void)d;
}
