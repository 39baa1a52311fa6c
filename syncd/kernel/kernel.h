/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two edges of a kernel, as the paths see them: a source that tells what happens to flows and a
 * sink that makes them. conntrack (ct_source.c, ct_sink.c) and each IPVS back end implement them
 * behind one table of operations; the simulation has its own. All callbacks run from the source's
 * or sink's own on_readable/poll, in the caller's thread.
 */
#ifndef SYNCD_KERNEL_KERNEL_H
#define SYNCD_KERNEL_KERNEL_H

#include "proto/flow.h"

enum flow_event { FLOW_NEW, FLOW_UPDATE, FLOW_DESTROY };

struct source_events {
	/*
	 * Events of these flows are about to come, in this order: the rest of a burst that has been
	 * read at once. May be NULL; only time depends on it.
	 */
	void (*on_ahead)(void *ctx, const struct flow_key *key);
	/*
	 * An event. FLOW_UPDATE may carry only some parts (enum flow_part): the others hold
	 * defaults. The first one of a flow may be such an UPDATE; it then lacks only parts that
	 * the flow does not have.
	 * live: a destroy of a flow whose state and time left say that it did not end by itself
	 * (docs/design.md, masquerade). Destroys of flows never reported come too.
	 */
	void (*on_event)(void *ctx, enum flow_event what, const struct flow *f, unsigned parts,
			 bool live);
	/*
	 * A record of a dump begun with source_dump. A TCP flow of state 0 is offloaded, and so
	 * established: its flags and window scales are as they were. ours: its entry was made by a
	 * sink of this node, perhaps before a crash; false also where the kernel cannot tell.
	 */
	void (*on_dump)(void *ctx, const struct flow *f, bool ours);
	/*
	 * The dump ended: 0, or -errno (-EINTR: interrupted, nothing may be concluded from it).
	 * What happened before its end has been told by now: else a flow that it lacks would be
	 * taken for ended, and by the events that it overtook be born again, before they end it.
	 */
	void (*on_dump_end)(void *ctx, int err);
	/* Events were lost (ENOBUFS): only a dump can tell what is true now. */
	void (*on_overrun)(void *ctx);
	void *ctx;
};

enum source_listen {
	SOURCE_NOTHING, /* idle */
	SOURCE_DESTROY, /* standby: losses in its own kernel show at once */
	SOURCE_ALL,	/* active */
};

struct source;
struct source_ops {
	const char *name;
	int (*listen)(struct source *s, enum source_listen what); /* 0 or -errno */
	int (*fd)(const struct source *s); /* to poll for reading; -1: none */
	/*
	 * Reads about `budget` events or records at most; returns how many, or -errno. Call it
	 * when fd is readable; one that polls by time while it is busy makes fd readable then.
	 * While a dump runs both kinds get their share.
	 */
	int (*poll)(struct source *s, unsigned budget, uint64_t now_us);
	int (*dump)(struct source
			    *s); /* begins one; records come through poll. -EBUSY while one runs */
	void (*free)(struct source *s);
};
struct source {
	const struct source_ops *ops;
};

enum sink_op {
	SINK_PUT,     /* make it so: insert, or update what is there */
	SINK_RENEW,   /* set the lease's timeout again; -ENOENT tells that it is not there */
	SINK_DEL,     /* -ENOENT is success */
	SINK_LIBERAL, /* conntrack on leaving active: marked as this node's, and of TCP no window
			 tracking either way (field notes b) */
	SINK_EXPIRY,  /* the state's true timeout in place of what is left of a lease (promotion) */
};

struct sink_events {
	/*
	 * How an operation ended: 0 or -errno. -ENOSPC/-ENOMEM/-ENFILE: table full; -ENOENT on a
	 * put: its master is missing; others: refused. What the sink could mend itself (a clash) it
	 * has mended.
	 */
	void (*on_result)(void *ctx, enum sink_op op, const struct flow *f, int err);
	void *ctx;
};

struct sink;
struct sink_ops {
	const char *name;
	size_t capacity; /* operations that may be pending; submit refuses what is beyond */
	/*
	 * Adds one operation to the current batch. f is copied or written out before it returns.
	 * Returns 0, or -EAGAIN where `capacity` operations are pending: poll, then try again.
	 */
	int (*submit)(struct sink *s, enum sink_op op, const struct flow *f);
	int (*flush)(struct sink *s, uint64_t now_us); /* sends the batch. 0 or -errno */
	int (*fd)(const struct sink *s);	       /* readable while results wait for poll */
	int (*poll)(struct sink *s,
		    uint64_t now_us);		 /* reads results; returns how many, or -errno */
	size_t (*pending)(const struct sink *s); /* submitted and not yet resulted */
	void (*free)(struct sink *s);
};
struct sink {
	const struct sink_ops *ops;
};

#endif
