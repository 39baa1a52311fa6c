/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole node without I/O: groups, tables, roles, stream and repair, wired into the three paths
 *   path_out.c     kernel events -> table -> datagrams
 *   path_in.c      datagrams -> order -> table -> kernel
 *   path_repair.c  checks, digests, ranges, reconcile
 * main.c gives it sockets, clocks and kernels; tests/sim gives it fakes. It has no globals, reads
 * no clock and never blocks; each call takes the time.
 */
#ifndef SYNCD_ENGINE_H
#define SYNCD_ENGINE_H

#include "proto/control.h"
#include "proto/digest.h"
#include "proto/seal.h"
#include "syncd/kernel/kernel.h"
#include "syncd/role/fsm.h"
#include "syncd/stream/peers.h"
#include "syncd/stream/receiver.h"
#include "syncd/stream/repair.h"
#include "syncd/stream/sender.h"
#include "syncd/table/table.h"
#include "syncd/warm/warm.h"

struct engine;

/* Who has left the active role offers its own flows for so long to the one that it follows, unless
 * both are equal before. */
#define ENGINE_HEAL_US (10 * S_US)

/* The time of a turn of the loop, read once. */
struct engine_now {
	uint64_t mono_us, wall_us;
};

enum engine_install { INSTALL_HOT, INSTALL_TAKEOVER, INSTALL_NEVER };

struct engine_group_config {
	uint32_t id; /* from 1 */
	char name[GROUP_NAME_MAX];
	enum engine_install install;
	uint64_t fingerprint; /* of match and filter: must be alike on all nodes */
};

struct engine_config {
	uint16_t node;
	char name[NODE_NAME_MAX];
	uint64_t session;
	uint64_t random_seed;
	const struct group_key *key; /* copied; the first seals */
	size_t keys;
	bool insecure;
	const struct engine_group_config *group; /* copied, ordered by id */
	size_t groups;
	size_t max_flows;	     /* per group */
	size_t retain, retain_bytes; /* datagrams kept at most; 0: RETAIN_MAX */
	uint32_t lease_s;	     /* timeout of installed copies; renewed at half */
	uint32_t reconcile_s;	     /* periodic comparison with the kernel */
	uint32_t ready_age_ms;	     /* an equal check older than this does not make ready */
	uint64_t stall_us;	     /* how long one standby may hold the others up */
	uint32_t datagram_max;	     /* what the links claim to carry, UDP payload */
	uint32_t kernel_backlog_max; /* changes waiting for the kernel: above it, not ready */
};

enum engine_record {
	RECORD_SENT,
	RECORD_APPLIED,
	RECORD_KEPT, /* applied, but its range removed nothing: the active is not complete */
	RECORD_TAIL, /* a predecessor's late data, applied to flows not changed since */
	RECORD_DROPPED,
	RECORD_CONTROL,	  /* a nak, repair request or offer sent; node and session: to whom */
	RECORD_INSTALLED, /* the kernel has all of a stream up to this counter; no payload */
};

/* What the engine asks of its owner; every function may be called from any engine call. */
struct engine_io {
	void (*send)(void *ctx, const uint8_t *dgram, size_t len);
	/* Which group a flow belongs to; 0: none (filtered). */
	uint32_t (*classify)(void *ctx, const struct flow_key *key);
	/* The kernel's edges for a kind; NULL where this node has none. */
	struct source *(*source)(void *ctx, enum flow_kind kind);
	struct sink *(*sink)(void *ctx, enum flow_kind kind);
	/* The highest term seen must survive a restart. */
	void (*store_term)(void *ctx, uint32_t group, struct term highest, enum node_role role);
	/* A transition, with the reason in words. */
	void (*on_state)(void *ctx, uint32_t group, enum node_state from, enum node_state to,
			 const char *reason);
	/* For the journal: a payload sent or applied, before it changes the table, or why one was
	 * dropped. */
	void (*on_record)(void *ctx, enum engine_record what, uint16_t node, uint64_t session,
			  uint64_t counter, const uint8_t *bytes, size_t len);
	/* Something an operator should see at once (two actives, one id twice): logged and hooked.
	 */
	void (*on_alarm)(void *ctx, uint32_t group, const char *what);
	void *ctx;
};

struct engine *engine_new(const struct engine_config *cfg, const struct engine_io *io);
void engine_free(struct engine *e);

/*
 * Restores what store_term kept. Before the first tick. served: in this boot the node was active in
 * the term `highest` and has followed nobody since, so what its kernel has of the group is the
 * group's.
 */
void engine_restore(struct engine *e, uint32_t group, struct term highest, enum node_role role,
		    bool served, struct engine_now now);

/*
 * A warm restart. engine_keep writes the tables for the next start: what waits for the wire is sent
 * first, queues of the kernel are emptied into it, and the engine is good for engine_free alone.
 * Returns 0 or the first error of write; -ENOMEM.
 */
int engine_keep(struct engine *e, const struct warm_place *here, warm_write_fn *write, void *ctx,
		struct engine_now now);

/* True once nothing is on its way into the kernel: engine_keep then has nothing to note but what
 * was refused. */
bool engine_is_settled(struct engine *e);

/* Of each group kept, and of the whole as group 0 where it is refused: why is NULL where it was
 * taken. */
struct engine_taken {
	struct warm_head head;
	struct warm_group group;
	const char *why;
};
typedef void engine_taken_fn(void *ctx, const struct engine_taken *t);

/*
 * Takes what engine_keep wrote as the tables to start with, where it is undamaged, of this boot and
 * configuration, and not older than the leases. Before engine_restore, and it proves nothing: a
 * standby is equal only by a check, an active complete only by a dump. Returns groups taken.
 */
size_t engine_take(struct engine *e, struct warm_image kept, const struct warm_place *here,
		   engine_taken_fn *told, void *ctx, struct engine_now now);

/* What is alike on all nodes or named as drift; addresses of this box. Copied. */
void engine_set_items(struct engine *e, const struct hello_item *item, size_t n);
void engine_set_addresses(struct engine *e, const struct hello *with_addresses);
void engine_set_keys(struct engine *e, const struct group_key *key, size_t n);

/* What is wrong with this box (a link down, no NAT hooks): not ready while there is any. Strings
 * are kept. */
void engine_set_faults(struct engine *e, const char *const *why, size_t n);

/* Callbacks for a source of this kind: pass to its constructor. They find the time of the last
 * call. */
struct source_events engine_source_events(struct engine *e, enum flow_kind kind);
struct sink_events engine_sink_events(struct engine *e, enum flow_kind kind);

/* What engine_on_datagram is given next came over this link (below LINKS_MAX; at first 0). */
void engine_set_link(struct engine *e, unsigned link);

void engine_on_datagram(struct engine *e, const uint8_t *dgram, size_t len, struct engine_now now);

/*
 * Does what is due: hellos, naks, checks, packing, installing, leases. Returns the time of the next
 * call that is needed if nothing else happens (mono, microseconds). Call it after each batch of
 * input.
 */
uint64_t engine_tick(struct engine *e, struct engine_now now);

/* Before source->poll is called: the callbacks use this time. */
void engine_set_now(struct engine *e, struct engine_now now);

/* -ENOENT: no such group. Takes effect at once; the reason goes into logs and the journal. */
int engine_set_role(struct engine *e, uint32_t group, enum node_role role, const char *reason,
		    struct engine_now now);

/* Drains, sends `final`, gives the role up. -EPERM: not active here. Completion shows in the
 * status. */
int engine_handover(struct engine *e, uint32_t group, struct engine_now now);

/* Begins a reconcile of table and kernel now (reload, verify, an operator's doubt). */
void engine_reconcile(struct engine *e, struct engine_now now);

/* ---- the deep comparison (audit.c) ---- */

enum audit_where { AUDIT_TABLE, AUDIT_KERNEL, AUDIT_WHERES };

enum audit_what {
	AUDIT_MISSING,
	AUDIT_EXTRA,
	AUDIT_DIFFERENT,
	AUDIT_DAMAGED, /* bytes that are not those which were stored */
	AUDIT_WHATS,
};

enum {
	AUDIT_FINDINGS_MAX = 256,    /* told flow by flow */
	AUDIT_REMEMBERED_MAX = 4096, /* counted beyond those, and withdrawn by their event */
};

/* One flow that is not as it should be: `here` in this table or kernel, `there` in the active's
 * table or, of a kernel, in this node's. Encoded; a length of 0: it is not there. */
struct audit_finding {
	uint32_t group;
	enum audit_where where;
	enum audit_what what;
	uint16_t here_len, there_len;
	uint8_t here[FLOW_MAX], there[FLOW_MAX];
};

struct audit_group {
	uint32_t id;
	uint64_t flows;	      /* whose hashes were worked out anew */
	uint64_t counter;     /* of the active's stream, at which tables were compared; 0: never */
	bool compared, equal; /* in the end; an active: with all standbys */
	bool differed;	      /* at first: a repair has run since */
	uint64_t found[AUDIT_WHERES][AUDIT_WHATS];
	uint64_t unsettled; /* of those, not remembered: an event may have explained them since */
};

struct audit_result {
	bool running;
	bool kernel; /* was compared, to the end */
	size_t groups, findings;
	struct audit_group *group;
	struct audit_finding finding[AUDIT_FINDINGS_MAX];
};

/* Begins one, unless one runs. Returns 0 or -ENOMEM. */
int engine_audit_start(struct engine *e, struct engine_now now);

/* The last one, finished or not, valid until the next is started; NULL: there was none. */
const struct audit_result *engine_audit(const struct engine *e);

struct engine_group_status {
	uint32_t id;
	const char *name;
	enum node_role role;
	enum node_state state;
	struct term term;
	uint16_t active; /* node; 0: nobody known */
	bool deferred;	 /* what is queued for the kernel waits for a takeover */
	uint64_t flows, kernel_queued, wire_queued, refused;
	uint64_t kept; /* flows that a restart in order had kept for this start */
	bool equal;
	uint64_t equal_age_ms; /* since the last equal check */
	uint64_t lag_us; /* of the last data applied: active's send to here, by its clock offset */
	uint64_t would_lose; /* flows a takeover now would lose, as far as is known */
	uint64_t digest;
	bool ready, complete, handover;
	bool refilling; /* its table takes in what its own kernel has */
	bool whole;	/* active: it was proven ready when it took over, or has caught up since */
	const char *reason[8]; /* why not ready */
	size_t reasons;
	uint64_t time_in_state_ms[STATES];
	uint64_t transitions;
	struct repair_progress repair;
	uint64_t memory_bytes;
};

/* As of the engine's last call. Returns 0 or -ENOENT past the last. */
int engine_group_status(const struct engine *e, size_t index, struct engine_group_status *out);
struct peers *engine_peers(struct engine *e);
const struct table *engine_table(const struct engine *e, uint32_t group);
const struct sender_stats *engine_sender_stats(const struct engine *e);

/* True where all that was sent is in the kernels of the receivers that have a vote. */
bool engine_all_installed(const struct engine *e);

uint32_t engine_encoder(void); /* version of what writes flows and messages here */

struct engine_counters {
	uint64_t datagrams, bytes, malformed, bad_version, unknown_key, bad_tag, replayed, unproven;
	uint64_t events, overruns, dumps, dump_failures, reinstalled;
	uint64_t puts_sent, dels_sent, puts_applied, dels_applied, stale_term;
	uint64_t installed, removed, renewed, refused, checks_sent, checks_equal, checks_differed;
	uint64_t loops, oversized, duplicates;
	uint64_t offered, taken; /* flows, after a split */
	uint64_t leftovers;
};
const struct engine_counters *engine_counters(const struct engine *e);

#endif
