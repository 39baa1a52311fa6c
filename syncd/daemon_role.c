// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Roles: who tells them (what was kept over a restart, keepalived's fifo, syncctl), and what the
 * world is told of them (log, track files, hooks, the guard).
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/daemon.h"
#include "syncd/daemon_journal.h"
#include "syncd/role/track_file.h"

/* The longest that UDP without an entry is kept away for a commit. */
enum { COMMIT_MAX_US = 5 * S_US };

extern char **environ;

static const char *group_name(const struct daemon *d, uint32_t id)
{
	for (size_t i = 0; i < d->cfg->groups; i++)
		if (d->cfg->group[i].id == id)
			return d->cfg->group[i].name;
	return "-"; /* an alarm of the node */
}

/* Runs an operator's program and does not wait for it: libev reaps it. */
static void run_hook(const char *path, const char *group, const char *what, const char *reason)
{
	char *const argv[] = {strdup(path), strdup(group), strdup(what), strdup(reason), NULL};
	pid_t pid;
	int err;

	if (!path[0])
		goto out;
	err = argv[0] && argv[1] && argv[2] && argv[3]
		      ? posix_spawn(&pid, path, NULL, NULL, argv, environ)
		      : ENOMEM;
	if (err)
		log_error("hook %s: %s", path, strerror(err));
out:
	for (size_t i = 0; i < sizeof(argv) / sizeof(argv[0]); i++)
		free(argv[i]);
}

void daemon_on_state(void *ctx, uint32_t group, enum node_state from, enum node_state to,
		     const char *reason)
{
	struct daemon *d = ctx;
	const char *name = group_name(d, group);

	log_notice("group %s: %s -> %s: %s", name, role_state_name(from), role_state_name(to),
		   reason);
	daemon_journal_state(d, group, from, to, reason);
	run_hook(d->cfg->hooks.state, name, role_state_name(to), reason);
}

void daemon_on_alarm(void *ctx, uint32_t group, const char *what)
{
	struct daemon *d = ctx;
	const char *name = group_name(d, group);

	log_error("group %s: %s", name, what);
	daemon_journal_note(d, JOURNAL_ALARM, group, "%s", what);
	run_hook(d->cfg->hooks.alarm, name, "alarm", what);
}

/* The address has come, the word of it has not; it may be that it never does. */
static bool is_taking_over(const struct daemon_group *g, const struct engine_group_status *st,
			   uint64_t now_us)
{
	return g->cfg->install == CONFIG_TAKEOVER && st->role == ROLE_STANDBY && g->held &&
	       g->came_us > 0 && now_us < g->came_us + COMMIT_MAX_US;
}

/*
 * While active and not yet whole strays are dropped, so that no client is reset for our delay. UDP
 * that has no entry waits only until the kernel has all: what it takes for a new flow may get
 * another server. A kernel that takes longer than a commit may must not keep new flows away.
 */
static enum guard_level wanted_guard(const struct daemon *d, const struct daemon_group *g,
				     const struct engine_group_status *st, uint64_t now_us)
{
	if (!d->guard || !g->cfg->guard)
		return GUARD_DOWN;
	if (is_taking_over(g, st, now_us))
		return GUARD_ALL;
	if (st->role != ROLE_ACTIVE || st->whole)
		return GUARD_DOWN;
	if (st->complete)
		return GUARD_STRAYS;
	return g->guarded == GUARD_DOWN || now_us < g->guarded_since_us + COMMIT_MAX_US
		       ? GUARD_ALL
		       : GUARD_STRAYS;
}

static void update_guard(struct daemon *d, struct daemon_group *g,
			 const struct engine_group_status *st, uint64_t now_us)
{
	const enum guard_level want = wanted_guard(d, g, st, now_us);
	int err;

	if (want == g->guarded)
		return;
	err = guard_set(d->guard, g->cfg, want);
	if (err && err != -ENODATA)
		log_error("group %s: guard: %s %s", g->cfg->name, strerror(-err),
			  guard_error(d->guard));
	else if (!err && (want == GUARD_DOWN || g->guarded == GUARD_DOWN))
		log_notice("group %s: the guard is %s", g->cfg->name,
			   want ? "up: not all flows are in the kernel" : "down");
	if (g->guarded == GUARD_DOWN)
		g->guarded_since_us = now_us;
	g->guarded = want;
}

static void update_track(struct daemon *d, struct daemon_group *g,
			 const struct engine_group_status *st, uint64_t now_us)
{
	struct ready_config rc = {.rise_us = g->cfg->rise_ms * MS_US,
				  .fall_us = g->cfg->fall_ms * MS_US};
	const bool yields = daemon_yields(d, st);
	int value, err;

	(void)ready_gate_step(&g->gate, &rc, st->ready, st->role == ROLE_ACTIVE, now_us);
	value = track_value(g->gate.shown, g->cfg->ready == CONFIG_FAIL_CLOSED);
	if (value == TRACK_READY && yields)
		value = TRACK_NOT_READY;
	/* A handover goes through keepalived: FAULT gives the address up at once. */
	if (st->handover && now_us >= g->give_up_us)
		value = TRACK_NOT_READY_CLOSED;
	if (value == g->track)
		return;
	err = track_file_write(d->cfg->top.runtime_dir, g->cfg->name, value);
	if (err) {
		if (log_allow(&d->limit_track, now_us, 10 * S_US, NULL))
			log_error("group %s: track file in %s: %s", g->cfg->name,
				  d->cfg->top.runtime_dir, strerror(-err));
		return;
	}
	log_info("group %s: track file says %d: %s", g->cfg->name, value,
		 yields	       ? "the active hands over to another node"
		 : st->reasons ? st->reason[0]
			       : "ready");
	g->track = value;
}

void daemon_update_ready(struct daemon *d)
{
	uint64_t now_us = daemon_now().mono_us;
	struct engine_group_status st;

	for (size_t i = 0; i < d->cfg->groups; i++) {
		(void)engine_group_status(d->engine, i, &st);
		if (d->group[i].heir && !st.handover)
			daemon_name_heir(d, &d->group[i], 0, now_us); /* done, or called off */
		update_guard(d, &d->group[i], &st, now_us);
		update_track(d, &d->group[i], &st, now_us);
	}
}

static void look_for_addresses(struct daemon *d, uint64_t now_us)
{
	for (size_t i = 0; i < d->cfg->groups; i++) {
		struct daemon_group *g = &d->group[i];
		const bool held = d->addresses && addresses_has(d->addresses, &g->cfg->match);

		if (held && !g->held)
			g->came_us = now_us;
		g->held = held;
		if (held && term_store_hold(d->terms, g->cfg->id))
			log_warning("group %s: that its address is here could not be kept in %s",
				    g->cfg->name, d->cfg->top.runtime_dir);
	}
}

int daemon_store_term(struct daemon *d, uint32_t group, struct term highest, enum node_role role)
{
	const int err = term_store_put(d->terms, group, highest, role);

	look_for_addresses(d, daemon_now().mono_us);
	return err;
}

static void on_addresses(struct ev_loop *loop, ev_io *w, int revents)
{
	struct daemon *d = w->data;
	const int err = addresses_refresh(d->addresses);

	(void)loop;
	(void)revents;
	if (err && log_allow(&d->limit_addresses, daemon_now().mono_us, 10 * S_US, NULL))
		log_warning("addresses: %s: read again with their next change", strerror(-err));
	if (err)
		return;
	look_for_addresses(d, daemon_now().mono_us);
	daemon_update_ready(d);
}

static void open_addresses(struct daemon *d)
{
	const int err = addresses_open(NULL, NULL, &d->addresses);

	if (err) {
		log_warning("addresses: %s: an active role kept over a restart is taken up "
			    "unchecked",
			    strerror(-err));
		return;
	}
	look_for_addresses(d, 0);
	ev_io_init(&d->addresses_io, on_addresses, addresses_fd(d->addresses), EV_READ);
	d->addresses_io.data = d;
	ev_io_start(d->loop, &d->addresses_io);
}

static void on_vrrp(void *ctx, const struct vrrp_event *ev)
{
	static const enum node_role role[] = {
		[VRRP_MASTER] = ROLE_ACTIVE, [VRRP_BACKUP] = ROLE_STANDBY,
		[VRRP_FAULT] = ROLE_STANDBY, [VRRP_STOP] = ROLE_STANDBY,
		[VRRP_DELETED] = ROLE_IDLE, /* it takes nothing over any more */
	};
	struct daemon *d = ctx;
	const struct config_group *g = config_find_instance(d->cfg, ev->name);

	if (!g) {
		log_info("keepalived: %s is no group's instance", ev->name);
		return;
	}
	(void)engine_set_role(d->engine, g->id, role[ev->state], "told by keepalived",
			      daemon_now());
	daemon_update_ready(d);
}

static void on_fifo(struct ev_loop *loop, ev_io *w, int revents)
{
	struct daemon *d = w->data;
	int n = keepalived_fifo_on_readable(d->fifo, on_vrrp, d);

	(void)loop;
	(void)revents;
	if (n > 0)
		log_warning("keepalived: %d lines of its fifo were not understood", n);
	else if (n < 0)
		log_error("keepalived: %s: %s", d->cfg->keepalived.fifo, strerror(-n));
}

static void watch_fifo(struct daemon *d)
{
	ev_io_init(&d->fifo_io, on_fifo, keepalived_fifo_fd(d->fifo), EV_READ);
	d->fifo_io.data = d;
	ev_io_start(d->loop, &d->fifo_io);
}

void daemon_check_fifo(struct daemon *d)
{
	if (!d->fifo || keepalived_fifo_check(d->fifo) <= 0)
		return;
	ev_io_stop(d->loop, &d->fifo_io);
	watch_fifo(d);
}

static int open_fifo(struct daemon *d)
{
	const char *path = d->cfg->keepalived.fifo;
	int err;

	if (!path[0])
		return 0;
	err = keepalived_fifo_open(path, &d->fifo);
	if (err) {
		log_error("keepalived { fifo = \"%s\" }: %s", path,
			  err == -EINVAL ? "is there and is no fifo" : strerror(-err));
		return EXIT_RUNTIME;
	}
	watch_fifo(d);
	return 0;
}

/*
 * Roles are told by keepalived or by syncctl; until then a group stands by. Who was active goes on,
 * but where the address it held has gone meanwhile: another has it, and may not be superseded by a
 * term of this one.
 */
static void restore_roles(struct daemon *d)
{
	for (size_t i = 0; i < d->cfg->groups; i++) {
		const struct daemon_group *g = &d->group[i];
		struct term_kept k = {0};

		if (term_store_get(d->terms, g->cfg->id, &k) || !k.role_known)
			k.role = ROLE_STANDBY;
		if (k.role == ROLE_ACTIVE && k.held && d->addresses && !g->held) {
			log_notice("group %s: it was active, but its address has left this box",
				   g->cfg->name);
			k.role = ROLE_STANDBY;
		}
		engine_restore(d->engine, g->cfg->id, k.highest, k.role,
			       k.role_known && k.highest.node == d->cfg->node.id, daemon_now());
	}
}

static int open_guard(struct daemon *d)
{
	bool wanted = false;
	int err;

	for (size_t i = 0; i < d->cfg->groups; i++)
		wanted |= d->cfg->group[i].guard;
	/* Also where none is wanted any more: what a daemon that died has left is taken away. */
	err = guard_new(d->cfg->node.name, &d->guard);
	if (!err || !wanted)
		return 0;
	log_warning("guard: %s: a takeover before this node is ready may reset connections; set "
		    "guard = false in every group to accept that silently",
		    strerror(-err));
	return 0;
}

int daemon_open_roles(struct daemon *d)
{
	const struct config_top *top = &d->cfg->top;
	int err = term_store_open(top->state_dir, top->runtime_dir, &d->terms);

	if (err) {
		log_error("terms: %s or %s: %s", top->state_dir, top->runtime_dir,
			  err == -EBADMSG ? "damaged: a term must not be guessed; see "
					    "syncd(8), FILES"
					  : strerror(-err));
		return err == -EACCES || err == -EPERM ? EXIT_RIGHTS : EXIT_RUNTIME;
	}
	d->group = calloc(d->cfg->groups, sizeof(*d->group));
	if (!d->group)
		return EXIT_RUNTIME;
	for (size_t i = 0; i < d->cfg->groups; i++)
		d->group[i] = (struct daemon_group){.cfg = &d->cfg->group[i], .track = -1};
	err = open_guard(d);
	err = err ? err : open_fifo(d);
	if (err)
		return err;
	open_addresses(d);
	restore_roles(d);
	daemon_update_ready(d);
	return 0;
}

void daemon_close_roles(struct daemon *d)
{
	for (size_t i = 0; d->group && i < d->cfg->groups; i++)
		(void)track_file_write(
			d->cfg->top.runtime_dir, d->cfg->group[i].name,
			track_value(false, d->cfg->group[i].ready == CONFIG_FAIL_CLOSED));
	keepalived_fifo_free(d->fifo);
	guard_free(d->guard);
	addresses_close(d->addresses);
	term_store_free(d->terms);
	free(d->group);
}
