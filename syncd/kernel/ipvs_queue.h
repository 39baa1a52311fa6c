/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations that an IPVS sink has taken and not yet reported: a ring, reported in order. Each
 * keeps its own copy of the flow, engine data included. Embedded in the sinks.
 */
#ifndef SYNCD_KERNEL_IPVS_QUEUE_H
#define SYNCD_KERNEL_IPVS_QUEUE_H

#include "syncd/kernel/kernel.h"

enum { IPVS_QUEUE_MAX = 1024 };

struct ipvs_task {
	enum sink_op op;
	bool done;
	int err;	/* once done */
	uint8_t tries;	/* the sink's */
	uint64_t at_us; /* likewise */
	struct flow flow;
	uint8_t pe_data[2][FLOW_PE_DATA_MAX]; /* of the key and of what controls it */
};

struct ipvs_queue {
	struct ipvs_task *task; /* IPVS_QUEUE_MAX */
	size_t head, count;
	int event_fd; /* readable while the oldest is done */
	bool announced;
};

int ipvs_queue_init(struct ipvs_queue *q); /* 0 or -errno */
void ipvs_queue_fini(struct ipvs_queue *q);

/* Adds one; -EAGAIN where it is full. */
int ipvs_queue_add(struct ipvs_queue *q, enum sink_op op, const struct flow *f);

/* The i-th oldest, i < count. */
struct ipvs_task *ipvs_queue_at(const struct ipvs_queue *q, size_t i);

void ipvs_task_done(struct ipvs_task *t, int err);

/* Makes event_fd readable where the oldest is done. */
void ipvs_queue_announce(struct ipvs_queue *q);

/* Reports those that are done, oldest first, up to one that is not. Returns how many. */
int ipvs_queue_report(struct ipvs_queue *q, const struct sink_events *to);

#endif
