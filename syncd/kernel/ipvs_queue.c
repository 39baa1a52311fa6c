// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_queue.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "syncd/kernel/ipvs_queue.h"

int ipvs_queue_init(struct ipvs_queue *q)
{
	memset(q, 0, sizeof(*q));
	q->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->event_fd < 0)
		return -errno;
	q->task = calloc(IPVS_QUEUE_MAX, sizeof(*q->task));
	return q->task ? 0 : -ENOMEM;
}

void ipvs_queue_fini(struct ipvs_queue *q)
{
	if (q->event_fd >= 0)
		close(q->event_fd);
	q->event_fd = -1;
	free(q->task);
	q->task = NULL;
}

struct ipvs_task *ipvs_queue_at(const struct ipvs_queue *q, size_t i)
{
	return &q->task[(q->head + i) % IPVS_QUEUE_MAX];
}

static void keep(struct flow_key *k, uint8_t *storage)
{
	if (!k->pe_data_len)
		return;
	memcpy(storage, k->pe_data, k->pe_data_len);
	k->pe_data = storage;
}

int ipvs_queue_add(struct ipvs_queue *q, enum sink_op op, const struct flow *f)
{
	struct ipvs_task *t;

	if (q->count == IPVS_QUEUE_MAX)
		return -EAGAIN;
	t = ipvs_queue_at(q, q->count++);
	t->op = op;
	t->done = false;
	t->err = 0;
	t->tries = 0;
	t->at_us = 0;
	t->flow = *f;
	keep(&t->flow.key, t->pe_data[0]);
	if (t->flow.ipvs.has_control)
		keep(&t->flow.ipvs.control, t->pe_data[1]);
	return 0;
}

void ipvs_task_done(struct ipvs_task *t, int err)
{
	t->done = true;
	t->err = err;
}

void ipvs_queue_announce(struct ipvs_queue *q)
{
	const uint64_t one = 1;

	if (q->announced || q->count == 0 || !q->task[q->head].done)
		return;
	(void)!write(q->event_fd, &one, sizeof(one));
	q->announced = true;
}

int ipvs_queue_report(struct ipvs_queue *q, const struct sink_events *to)
{
	uint64_t cleared;
	int reported = 0;

	if (q->announced) {
		(void)!read(q->event_fd, &cleared, sizeof(cleared));
		q->announced = false;
	}
	/* A callback may submit more: those are left for the next call. */
	for (size_t left = q->count; left && q->task[q->head].done; left--) {
		const struct ipvs_task *t = &q->task[q->head];

		to->on_result(to->ctx, t->op, &t->flow, t->err);
		q->head = (q->head + 1) % IPVS_QUEUE_MAX;
		q->count--;
		reported++;
	}
	ipvs_queue_announce(q);
	return reported;
}
