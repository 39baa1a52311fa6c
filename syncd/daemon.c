// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon's making, its loop and its end; see daemon.h. Called by main.c. */
#include "syncd/daemon.h"

#include <errno.h>
#include <sched.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "proto/key_file.h"
#include "syncd/base/privilege.h"
#include "syncd/daemon_journal.h"

enum { NICE = -20 };

int daemon_load_keys(const struct config *c, struct group_key *key, size_t *keys)
{
	for (size_t i = 0; i < c->keys && i < KEYS_MAX; i++) {
		const char *path = c->key[i].file;
		int err = key_file_read(path, &key[i]);

		if (err) {
			log_error("key %u: %s: %s%s", c->key[i].id, path,
				  err == -EBADMSG ? "not a key file" : strerror(-err),
				  err == -ENOENT || err == -EBADMSG
					  ? ": make one with `syncctl genkey`"
				  : err == -EACCES ? ": must be 0600 and ours"
						   : "");
			return err == -EACCES || err == -EPERM ? EXIT_RIGHTS : EXIT_USAGE;
		}
		if (key[i].id != c->key[i].id) {
			log_error("key %u: %s holds key %u: name its own id", c->key[i].id, path,
				  key[i].id);
			return EXIT_USAGE;
		}
	}
	*keys = c->keys;
	if (c->top.insecure) {
		log_warning("insecure = true: nothing is authenticated or encrypted");
		memset(&key[0], 0, sizeof(key[0]));
		*keys = 1;
	}
	return 0;
}

static int make_engine(struct daemon *d)
{
	const struct config *c = d->cfg;
	struct engine_group_config *group = calloc(c->groups, sizeof(*group));
	struct engine_io io = daemon_engine_io(d);
	struct engine_config ec = {
		.node = (uint16_t)c->node.id,
		.session = d->session,
		.key = d->key,
		.keys = d->keys,
		.insecure = c->top.insecure,
		.group = group,
		.groups = c->groups,
		.max_flows = c->limits.max_flows,
		.retain = c->limits.retain,
		.retain_bytes = (size_t)c->limits.retain_mb << 20,
		.lease_s = c->conntrack.lease_s,
		.reconcile_s = c->conntrack.reconcile_s,
		.ready_age_ms = c->limits.ready_age_ms,
		.stall_us = c->limits.stall_ms * MS_US,
		.kernel_backlog_max = c->limits.kernel_backlog,
		.datagram_max = DATAGRAM_MAX,
	};

	if (!group)
		return EXIT_RUNTIME;
	for (size_t i = 0; i < d->links; i++)
		if (link_datagram_max(d->link[i].link) < ec.datagram_max)
			ec.datagram_max = link_datagram_max(d->link[i].link);
	memcpy(ec.name, c->node.name, sizeof(ec.name));
	randombytes_buf(&ec.random_seed, sizeof(ec.random_seed));
	for (size_t i = 0; i < c->groups; i++) {
		group[i].id = c->group[i].id;
		memcpy(group[i].name, c->group[i].name, sizeof(group[i].name));
		group[i].install = (enum engine_install)c->group[i].install;
		group[i].fingerprint = config_group_fingerprint(c, &c->group[i]);
	}
	d->engine = engine_new(&ec, &io);
	free(group);
	if (!d->engine)
		log_error("out of memory");
	return d->engine ? 0 : EXIT_RUNTIME;
}

/* The end of each turn of the loop: the engine does what is due, and says when it wants to be
 * called. */
static void on_turn(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct daemon *d = w->data;
	struct engine_now now = daemon_now();
	uint64_t next_us = engine_tick(d->engine, now);
	uint64_t soon_us = now.mono_us + 1 * MS_US; /* a keyframe's next slices */

	(void)revents;
	if (daemon_journal_tick(d))
		next_us = next_us < soon_us ? next_us : soon_us;
	d->wake.repeat = next_us <= now.mono_us ? 1e-9 : (double)(next_us - now.mono_us) / 1e6;
	ev_now_update(loop);
	ev_timer_again(loop, &d->wake);
}

static void on_wake(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
}

static void on_second(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct daemon *d = w->data;

	(void)loop;
	(void)revents;
	daemon_watch_links(d);
	daemon_check_fifo(d);
	daemon_check_box(d);
	daemon_update_ready(d);
	daemon_watch_box(d);
	daemon_journal_second(d);
	if (d->metrics)
		metrics_http_on_readable(d->metrics); /* drops idle clients */
	daemon_notify_status(d);
	(void)sd_notify(0, "WATCHDOG=1");
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)revents;
	log_notice("stopping on signal %d", w->signum);
	ev_break(loop, EVBREAK_ALL);
}

static void on_hangup(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	log_notice("SIGHUP: use `syncctl reload`");
}

static void start_watchers(struct daemon *d)
{
	ev_prepare_init(&d->turn, on_turn);
	ev_timer_init(&d->wake, on_wake, 0., 0.1);
	ev_timer_init(&d->second, on_second, 0.1, 0.25);
	ev_signal_init(&d->sigterm, on_signal, SIGTERM);
	ev_signal_init(&d->sigint, on_signal, SIGINT);
	ev_signal_init(&d->sighup, on_hangup, SIGHUP);
	d->turn.data = d->second.data = d;
	ev_prepare_start(d->loop, &d->turn);
	ev_timer_start(d->loop, &d->second);
	ev_signal_start(d->loop, &d->sigterm);
	ev_signal_start(d->loop, &d->sigint);
	ev_signal_start(d->loop, &d->sighup);
}

/* What stays of the rights this process was started with. */
static struct privilege rights(const struct daemon *d)
{
	const struct source *ipvs = d->edge[FLOW_IPVS].source;

	return (struct privilege){
		.bpf = ipvs && strcmp(ipvs->ops->name, "bpf") == 0,
		.exec = d->cfg->hooks.state[0] || d->cfg->hooks.alarm[0],
	};
}

static int check_rights(void)
{
	const char *missing;

	if (privilege_check(&missing) == 0)
		return 0;
	log_error("%s is missing: run syncd as root, or by a unit that grants it", missing);
	return EXIT_RIGHTS;
}

/*
 * A busy box must not keep its standby waiting, so the daemon runs before what has no priority of
 * its own. Threads and programs that it starts do not inherit that; see sched(7).
 */
static void raise_priority(void)
{
	const struct sched_param none = {0};

	if (getpriority(PRIO_PROCESS, 0) != 0)
		return; /* chosen by whoever started it */
	if (setpriority(PRIO_PROCESS, 0, NICE) ||
	    sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &none))
		log_info("priority: %s: replication may lag while this box is busy",
			 strerror(errno));
}

static int drop_rights(struct daemon *d)
{
	const struct privilege p = rights(d);
	const char *failed;
	int err = privilege_drop(&p, &failed);

	d->runs_programs = p.exec;
	if (err)
		log_error("cannot give up rights: %s: %s", failed, strerror(-err));
	return err ? EXIT_RUNTIME : 0;
}

int daemon_start(struct daemon *d, struct config *cfg)
{
	int rc;

	*d = (struct daemon){.cfg = cfg};
	d->loop = ev_default_loop(EVFLAG_AUTO | EVFLAG_NOENV);
	d->match = config_match_new(cfg);
	if (!d->loop || !d->match || sodium_init() < 0) {
		log_error("cannot start: out of memory");
		return EXIT_RUNTIME;
	}
	randombytes_buf(&d->session, sizeof(d->session));
	d->started_us = daemon_now().mono_us;
	raise_priority();
	rc = check_rights();
	rc = rc ? rc : daemon_load_keys(cfg, d->key, &d->keys);
	rc = rc ? rc : daemon_open_links(d);
	rc = rc ? rc : daemon_open_journal(d);
	rc = rc ? rc : make_engine(d);
	rc = rc ? rc : daemon_open_kernel(d);
	if (!rc)
		daemon_take_tables(d);
	rc = rc ? rc : daemon_open_roles(d);
	rc = rc ? rc : daemon_open_ctl(d);
	rc = rc ? rc : daemon_open_metrics(d);
	if (!rc)
		daemon_open_box(d);
	rc = rc ? rc : drop_rights(d);
	rc = rc ? rc : daemon_start_journal(d);
	if (rc)
		return rc;
	start_watchers(d);
	log_notice("node %s (id %u), session %016llx, %zu groups, %zu links", cfg->node.name,
		   cfg->node.id, (unsigned long long)d->session, cfg->groups, d->links);
	(void)sd_notify(0, "READY=1");
	return 0;
}

int daemon_run(struct daemon *d)
{
	ev_run(d->loop, 0);
	(void)sd_notify(0, "STOPPING=1");
	daemon_keep_tables(d);
	return d->exit_code;
}

void daemon_stop(struct daemon *d)
{
	daemon_close_box(d);
	metrics_http_free(d->metrics);
	ctl_server_free(d->ctl);
	daemon_close_roles(d);
	daemon_close_kernel(d);
	engine_free(d->engine);
	daemon_close_journal(d);
	for (size_t i = 0; i < d->links; i++)
		link_close(d->link[i].link);
	sodium_memzero(d->key, sizeof(d->key));
	config_match_free(d->match);
	config_free(d->cfg);
	if (d->loop)
		ev_loop_destroy(d->loop);
}
