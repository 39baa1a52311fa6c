/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon: an engine given sockets, a kernel, files and a clock. Made by main.c, in the order of
 * the structure's members, and taken down in reverse.
 */
#ifndef SYNCD_DAEMON_H
#define SYNCD_DAEMON_H

#include <ev.h>

#include "syncd/base/addresses.h"
#include "syncd/base/config.h"
#include "syncd/base/log.h"
#include "syncd/base/match.h"
#include "syncd/box/reach.h"
#include "syncd/box/rules.h"
#include "syncd/ctl/ctl_server.h"
#include "syncd/ctl/metrics_http.h"
#include "syncd/engine.h"
#include "syncd/kernel/ct_label.h"
#include "syncd/kernel/kernel.h"
#include "syncd/net/link.h"
#include "syncd/role/guard.h"
#include "syncd/role/keepalived_fifo.h"
#include "syncd/role/ready.h"
#include "syncd/role/term_store.h"

enum { EXIT_RUNTIME = 1, EXIT_USAGE = 2, EXIT_RIGHTS = 3 };

struct daemon_link {
	struct daemon *d;
	struct link *link;
	bool was_up;
	uint64_t errors_told, refused_told;
	struct log_limit limit_errors, limit_refused;
	ev_io io;
};

enum { DRIFT_TEXT_MAX = 256 };

/* What was last said to differ from a node. */
struct daemon_drift {
	uint16_t node; /* 0: free */
	char text[DRIFT_TEXT_MAX];
};

/* The link on which a node was last heard, authenticated, and when on each. */
struct daemon_heard {
	uint16_t node; /* 0: free */
	const struct link *link;
	uint64_t at_us[LINKS_MAX];
};

struct daemon_edge {
	struct daemon *d;
	struct source *source;
	struct sink *sink;
	ev_io source_io, sink_io;
	uint64_t failed_us; /* when events or answers could not be read; 0: never */
};

struct daemon_journal;

struct daemon_group {
	const struct config_group *cfg;
	struct ready_gate gate;
	int track; /* value that the track file has; -1: not yet written */
	enum guard_level guarded;
	uint64_t guarded_since_us;
	bool held;	     /* the box has an address of the group */
	uint64_t came_us;    /* when that one came; 0: it was here before this daemon */
	uint16_t heir;	     /* handover: the node that is to take it; 0: whoever is the best */
	uint64_t give_up_us; /* handover: not before */
};

struct daemon {
	struct config *cfg;
	struct ev_loop *loop;
	struct match *match;
	struct term_store *terms;
	struct group_key key[KEYS_MAX];
	size_t keys;
	uint64_t session, started_us;
	struct daemon_link link[LINKS_MAX];
	size_t links, data_link; /* failover: which of them carries data */
	struct daemon_heard heard[NODES_MAX];
	struct daemon_journal *journal; /* NULL: none */
	struct engine *engine;
	struct ct_label *label;	    /* NULL: what is installed is not marked */
	struct daemon_edge edge[2]; /* by enum flow_kind */
	struct daemon_group *group;
	struct guard *guard;
	struct addresses *addresses; /* NULL: who has an address cannot be told */
	ev_io addresses_io;
	struct rules_watch *rules_watch;
	struct reach *reach; /* NULL: nothing to be reached */
	struct rules_found rules;
	bool rules_known;
	unsigned box_turn;
	struct hello_item item[HELLO_ITEMS_MAX];
	size_t items;
	uint64_t ipvs_services; /* hash of what IPVS was last seen to be configured to do */
	struct daemon_drift drift[NODES_MAX];
	struct keepalived_fifo *fifo;
	ev_io fifo_io;
	struct ctl_server *ctl;
	ev_io ctl_io;
	struct metrics_http *metrics;
	ev_io metrics_io;
	ev_prepare turn;
	ev_timer wake, second;
	ev_signal sigterm, sigint, sighup;
	bool runs_programs;    /* hooks were configured at the start: the right to was kept */
	uint64_t bad_tag_told; /* datagrams refused for their key, of which the log has spoken */
	uint64_t unknown_key_told; /* of them, those of an id that is not here */
	uint64_t odd_told;	   /* refusals of conntrack, likewise */
	struct log_limit limit_other_key, limit_odd;
	struct log_limit limit_datagram, limit_source, limit_sink, limit_track, limit_addresses;
	int exit_code;
};

/* Makes everything and takes up the roles kept. Returns 0, or an exit code after logging why. */
int daemon_start(struct daemon *d, struct config *cfg);

/* Runs until told to stop. Returns the exit code. */
int daemon_run(struct daemon *d);

/* Undoes daemon_start, however far it came. */
void daemon_stop(struct daemon *d);

/* The clocks, read once a turn (ev_now is cached, but not monotonic in every build). */
struct engine_now daemon_now(void);

/* Reads the configured keys. Returns 0, or an exit code after logging why. */
int daemon_load_keys(const struct config *c, struct group_key *key, size_t *keys);

/* daemon_io.c: what the engine asks for */
struct engine_io daemon_engine_io(struct daemon *d);
int daemon_open_links(struct daemon *d);
void daemon_watch_links(struct daemon *d);
const char *daemon_peer_link(void *daemon, uint16_t node);

/* daemon_kernel.c: the kernel's edges and what is wrong with this box */
int daemon_open_kernel(struct daemon *d);
void daemon_close_kernel(struct daemon *d);
void daemon_keep_label(struct daemon *d); /* the ruleset has changed */
void daemon_check_box(struct daemon *d);

/* daemon_role.c: who says what role, and what the world is told of it */
int daemon_open_roles(struct daemon *d);
void daemon_close_roles(struct daemon *d);
void daemon_update_ready(struct daemon *d);
int daemon_store_term(struct daemon *d, uint32_t group, struct term highest, enum node_role role);
void daemon_check_fifo(struct daemon *d);
void daemon_on_state(void *ctx, uint32_t group, enum node_state from, enum node_state to,
		     const char *reason);
void daemon_on_alarm(void *ctx, uint32_t group, const char *what);

/* daemon_warm.c: tables over a restart */
void daemon_take_tables(struct daemon *d);
void daemon_keep_tables(struct daemon *d);

/* daemon_ctl.c: the control socket's commands */
int daemon_open_ctl(struct daemon *d);

/* daemon_verify.c */
ctl_fn daemon_on_verify;

/* daemon_status.c: commands that only tell, and the metrics listener */
ctl_fn daemon_on_status, daemon_on_peers, daemon_on_stats, daemon_on_metrics;
int daemon_open_metrics(struct daemon *d);
void daemon_notify_status(struct daemon *d);

/* A standby (the one of this name, unless NULL) that is heard, proven and ready; 0: none. */
uint16_t daemon_ready_standby(const struct daemon *d, uint32_t group, const char *node);

/* daemon_heir.c: a handover to a node that was named */
void daemon_name_heir(struct daemon *d, struct daemon_group *g, uint16_t node, uint64_t now_us);
size_t daemon_add_heirs(const struct daemon *d, struct hello_item *item, size_t n);
/* As standby: the active hands the group over to another. */
bool daemon_yields(const struct daemon *d, const struct engine_group_status *st);

/* daemon_box.c: what is true of this box beside its flows */
void daemon_open_box(struct daemon *d);
void daemon_close_box(struct daemon *d);
void daemon_watch_box(struct daemon *d);
void daemon_tell_items(struct daemon *d); /* by the hello, what should be alike, and heirs */
size_t daemon_drift(struct daemon *d, const struct peer *p, char *text, size_t len);

/* daemon_reload.c */
ctl_fn daemon_on_reload;

#endif
