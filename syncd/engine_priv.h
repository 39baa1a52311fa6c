/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the engine's own files share; nobody else includes it. */
#ifndef SYNCD_ENGINE_PRIV_H
#define SYNCD_ENGINE_PRIV_H

#include "syncd/engine.h"

enum {
	STREAMS_MAX = NODES_MAX,
	HELD_DESTROYS_MAX = 65536, /* live destroys held back; more are believed at once */
	RETRY_MAX =
		4096, /* flows the kernel refused, tried again; the rest waits for a reconcile */
	PACK_PER_TICK = 256,	  /* datagrams a turn of the loop may pack */
	SUBMIT_PER_TICK = 4096,	  /* kernel operations a turn may submit */
	REPAIR_SHARE = 5,	  /* one datagram in so many is repair's while live changes wait */
	APPLIED_PER_STATUS = 256, /* datagrams applied before a status is due at once */
	SLICE_FLOWS = 64,	  /* flows that one slice of hash space aims at */
	ENCODER_VERSION = 1,
	FAULTS_MAX = 4,
	MEMBERS_MAX = 128,
	CLOSED_BUCKETS = 1 << 13, /* of the memory of ended flows, 512 KiB a group */
	CLOSED_A_BUCKET = 8,
	OFFER_OVERHEAD = 64, /* of an offer without its flows, at most */
	PAD_SHORT = 4,	     /* a padded hello may be so much shorter than it could */
	MEETING_SLICES = 16, /* a turn, of what two actives offer each other */
};

#define HELD_DESTROY_US (2 * S_US)
#define RETRY_US	(1 * S_US)
#define RECONCILE_GAP_US \
	(1 * S_US) /* between the end of one and the next that lost events ask for */
#define PAD_US	     (1 * S_US)
#define PAD_AGAIN_US (2 * S_US)	   /* of a proven length, which is forgotten after five */
#define FOLLOWED_US  (500 * MS_US) /* a new session waits so long for somebody to follow it */
#define MEETING_US   (30 * MS_US)  /* a hello has arrived by then */
#define ANSWER_US    (10 * MS_US) /* at least between a hello and one that answers an unproven one */

#define KERNEL_FULL "the kernel's connection table is full: raise net.netfilter.nf_conntrack_max"

/* A key with a time: destroys held back, refused flows waiting for another try. */
struct timed_key {
	uint64_t due_us;
	uint16_t len;
	uint8_t kind;
	uint8_t key[];
};

/* FIFO of timed keys; every entry of one list has the same delay, so the head is due first. */
struct timed_list {
	struct timed_key **ring;
	size_t cap, head, n;
};

/* Hash space cut into equal slices of some SLICE_FLOWS flows. */
struct slices {
	uint8_t depth;
	uint64_t next; /* of 2^depth */
};

/* Own flows on their way to another active node, by a pass over the table in slices. */
struct meeting {
	uint16_t node; /* 0: none */
	bool over;     /* for as long as this split is seen */
	uint64_t from_us;
	struct slices at;
};

/* One pass over a table in slices, submitting one operation for each flow. */
struct sweep {
	bool running;
	enum sink_op op;
	struct slices at;
};

struct group {
	struct engine_group_config cfg;
	struct table *table;
	enum node_role role;
	enum node_state state;
	struct term term; /* highest seen */
	uint64_t state_since_us, time_in_state_us[STATES], transitions;

	/* as active */
	bool complete, handover, check_due;
	bool unproven; /* took over with flows that were not all proven to be in the kernel */
	bool fresh;    /* this term began with an empty table: the dump fills it without sending */
	bool settled;  /* took over equal: what it installed and its table lacks has ended */
	bool committing; /* the table is on its way into the kernel (install = takeover) */
	uint64_t last_check_us;
	uint64_t final_counter;
	struct repair_server *server;
	unsigned live_run; /* live datagrams since the last of repair */

	/* as standby */
	uint16_t active; /* node whose term is the highest and who says it is active; 0: nobody */
	struct repair_client *client;
	bool equal, data_since_check;
	/*
	 * A standby that began without a table, or with half of one: its own kernel is read first
	 * (reconcile.c), what was installed here and, where this node has just served the group,
	 * all of it.
	 */
	uint8_t refill; /* kinds not read yet, bits by enum flow_kind */
	bool served;
	uint64_t equal_session, equal_term;	  /* of the stream that it was compared with */
	uint64_t complete_session, complete_term; /* of the one whose active is complete */
	uint64_t equal_us, lag_us;
	uint64_t check_count; /* flows that the active said it has */
	struct sweep lease;
	uint64_t lease_next_us, lease_slice_us, lease_slice_next_us;

	/* takeover's tail: what the predecessor still has to say */
	uint16_t tail_node;
	uint64_t tail_until_us;
	bool tail_held;

	/* either */
	struct sweep once; /* SINK_LIBERAL on leaving active, SINK_EXPIRY on becoming it */
	struct timed_list held, retry;
	uint64_t refused_since_sync; /* by the table: the next equal check knows */
	uint64_t refused_by_kernel;  /* beyond what retry holds: for a reconcile to find */
	bool kernel_full;	     /* and not yet taken all again */
	uint64_t split_us;	     /* two actives seen at; 0: none */
	uint64_t
		own_until_us; /* what is its own is offered; UINT64_MAX: as active, 0: nothing is */
	uint64_t (*closed)[CLOSED_A_BUCKET]; /* split.c: what ended */
	uint64_t kept_flows;
	struct warm_group kept; /* whose table this is, until a role is restored; id 0: none */
	bool kernel_right;	/* active: also the first dump of this term deletes what it lacks */
	bool timed;		/* active: no lease is in its kernel */
	uint64_t term_epoch;	/* of the table when this node last took over; 0: its start did */
	uint64_t alone_epoch;	/* of the table since when another node may not know of it */
	struct meeting meeting; /* with another active one */
};

/* One peer's data stream, followed from its first proven hello on. */
struct stream {
	uint16_t node;
	uint64_t session;
	struct receiver *receiver;
	uint64_t status_due_us, installed;
	uint32_t since_status;
};

struct edge {
	struct engine *e;
	enum flow_kind kind;
	bool wanted, dumping, again; /* a reconcile; again: one more after the one that runs */
	bool dumped;		     /* a dump has been merged since the roles last changed */
	uint64_t due_us, ended_us;   /* of the last dump */
};

struct engine {
	struct engine_config cfg;
	struct engine_io io;
	struct engine_now now;
	struct digest_key digest_key;
	struct group_key key[KEYS_MAX];
	struct group_key send_key;
	struct peers *peers;
	struct sender *sender;
	struct group *group;
	struct stream stream[STREAMS_MAX];
	size_t streams;
	struct edge edge[2]; /* by enum flow_kind */
	struct hello_item item[HELLO_ITEMS_MAX];
	uint8_t items, addresses;
	struct {
		uint8_t len;
		struct flow_addr addr;
	} member[MEMBERS_MAX]; /* addresses of the peers' own */
	size_t members;
	struct hello addresses_of; /* only its addresses are used */
	uint64_t hello_next_us, pad_next_us;
	bool hello_now;
	uint64_t first_us; /* of its ticks */
	bool followed;	   /* this session has been proven to whoever was heard */
	bool impostor;	   /* another node speaks under this one's id */
	const char *fault[FAULTS_MAX];
	size_t faults;
	struct audit *audit; /* NULL: none yet */
	struct engine_counters counters;
	struct control control; /* scratch of what is read or written, too large for the stack */
	uint8_t payload[DATAGRAM_MAX];
};

/* engine.c */
struct group *group_by_id(struct engine *e, uint32_t id);
struct stream *stream_of(struct engine *e, uint16_t node, uint64_t session);
void group_event(struct engine *e, struct group *g, enum role_event ev);
void group_take_term(struct engine *e, struct group *g, struct term t);

/* engine_role.c */
void group_become_active(struct engine *e, struct group *g, const char *reason);
void group_follow(struct engine *e, struct group *g);
void group_new_stream(struct engine *e, struct group *g);
void groups_on_hello(struct engine *e, const struct peer *from);
void groups_tick(struct engine *e);

/* path_out.c */
void path_out_event(struct engine *e, struct group *g, enum flow_event what, const struct flow *f,
		    unsigned parts, bool live);
bool path_out_tick(struct engine *e, uint64_t *next_us);
void path_out_drain(struct engine *e, struct group *g, bool final);
void path_out_release_held(struct engine *e, struct group *g, uint64_t *next_us);
bool path_out_is_member(const struct engine *e, const struct flow_key *key);
void path_out_learn_members(struct engine *e);

/* path_in.c */
void path_in_apply(struct engine *e, struct stream *s);

/* path_repair.c */
void path_repair_on_check(struct engine *e, struct group *g, const struct stream *s,
			  uint64_t counter, const struct data_check *c);
void path_repair_tick(struct engine *e, uint64_t *next_us);

/* path_kernel.c */
struct source *engine_source(struct engine *e, enum flow_kind kind);
struct group *group_of_key(struct engine *e, const struct flow_key *key);
bool group_installs(const struct group *g); /* its table belongs into this kernel now */
bool group_writes(const struct group *g);   /* what ends in its table ends in this kernel */
bool path_kernel_tick(struct engine *e, uint64_t *next_us);
void path_kernel_listen(struct engine *e);
bool path_kernel_has_room(struct engine *e);
/* Related flows whose master has ended: what a kernel can be given of them. */
void path_kernel_orphan(struct engine *e, struct flow *f);
int path_kernel_submit(struct engine *e, enum sink_op op, const struct flow *f);

/* reconcile.c */
void reconcile_want(struct engine *e, enum flow_kind kind, uint64_t at_us);
void reconcile_tick(struct engine *e, struct edge *ed, uint64_t *next_us);
void reconcile_on_dump(void *ctx, const struct flow *dumped, bool ours);
void reconcile_refill(struct engine *e, struct group *g, bool served);
void reconcile_on_dump_end(void *ctx, int err);
bool kernel_is_drained(struct engine *e);

/* split.c */
void split_alone(struct engine *e);
void split_seen(struct engine *e, struct group *g);
void split_meet(struct engine *e, struct group *g, uint16_t node);
bool split_tick(struct engine *e);
void split_gave_way(struct engine *e, struct group *g);
void split_follows(struct engine *e, struct group *g);
bool split_keep_own(struct engine *e, struct group *g, struct hash_range r,
		    struct table_slice *keep, size_t *n, size_t cap);
void split_note_closed(struct engine *e, struct group *g, const uint8_t *key, size_t len);
bool split_was_closed(struct engine *e, struct group *g, const uint8_t *key, size_t len);
void split_on_offer(struct engine *e, struct group *g, const struct offer *o);

/* engine_warm.c */
bool warm_restore(struct engine *e, struct group *g, struct term *highest, enum node_role role);
bool warm_resume(struct group *g);

/* sweep.c */
void slices_init(struct slices *s, const struct table *t);
bool slices_next(struct slices *s, struct hash_range *out); /* false: past the last */
void sweep_start(struct group *g, struct sweep *s, enum sink_op op);
void sweep_step(struct engine *e, struct group *g, struct sweep *s, size_t *budget);
void lease_tick(struct engine *e, struct group *g, size_t *budget, uint64_t *next_us);

/* audit.c: what the paths tell it */
void audit_free(struct engine *e);
void audit_tick(struct engine *e, uint64_t *next_us);
void audit_on_check(struct engine *e, const struct group *g, uint64_t counter, bool equal);
void audit_on_check_sent(struct engine *e, const struct group *g);
/* A range-complete, before it is applied. */
void audit_on_range(struct engine *e, struct group *g, struct hash_range r, const uint8_t *payload,
		    size_t len);
void audit_on_dump(struct engine *e, enum flow_kind kind, bool begins, int err);
/* Table and kernel (NULL: has no such flow) are not alike. */
void audit_on_kernel(struct engine *e, const struct group *g, const struct flow *kernel,
		     const uint8_t *key, size_t key_len);
void audit_on_event(struct engine *e, const struct group *g, const struct flow_key *key);

/* path_control.c */
void path_control_on(struct engine *e, struct peer *from, uint64_t counter, size_t len);
void path_control_tick(struct engine *e, uint64_t *next_us);
void control_send(struct engine *e, const struct control *c);

/* timed_list.c: what waits in one list waits equally long, so its head is due first */
bool timed_list_add(struct timed_list *l, size_t max, const uint8_t *key, size_t len, uint8_t kind,
		    uint64_t due_us);
bool timed_list_due(const struct timed_list *l, uint64_t now_us);
uint64_t timed_list_next(const struct timed_list *l); /* UINT64_MAX: empty */
const struct timed_key *timed_list_at(const struct timed_list *l, size_t i);
struct timed_key *timed_list_take(struct timed_list *l); /* the caller frees it */
void timed_list_clear(struct timed_list *l);
void timed_list_fini(struct timed_list *l);

static inline void sooner(uint64_t *next_us, uint64_t at_us)
{
	if (at_us < *next_us)
		*next_us = at_us;
}

#endif
