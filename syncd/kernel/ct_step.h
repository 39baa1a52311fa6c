/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One operation of the conntrack sink and the steps that it takes: which message to send next,
 * given what the kernel answered to the last. Pure: writes into a batch, is told answers.
 *
 *   PUT:     INSERT -> done | EEXIST, EBUSY: LOOK at the occupant
 *            LOOK   -> it is the same connection: UPDATE | another one: REPLACE
 *            UPDATE -> done | gone: INSERT | not changeable: REPLACE
 *            a sample of what was made: READ it back -> done | made otherwise: REPLACE
 *   EXPIRY:  MEASURE -> just the true timeout is left: done | EXPIRE
 *   others:  one step
 */
#ifndef SYNCD_KERNEL_CT_STEP_H
#define SYNCD_KERNEL_CT_STEP_H

#include "syncd/kernel/ct_message.h"
#include "syncd/kernel/ct_timeouts.h"
#include "syncd/kernel/kernel.h"

enum ct_step {
	CT_STEP_INSERT,
	CT_STEP_LOOK,
	CT_STEP_UPDATE,
	CT_STEP_REPLACE,
	CT_STEP_READ,
	CT_STEP_RENEW,
	CT_STEP_DELETE,
	CT_STEP_LIBERAL,
	CT_STEP_MEASURE,
	CT_STEP_EXPIRE,
	CT_STEP_DONE,
};

enum { CT_STEP_MESSAGES = 3 }; /* that one step writes at most */

struct ct_task {
	enum sink_op op;
	enum ct_step step;
	enum ct_step found; /* what a record read in LOOK, READ or MEASURE calls for */
	enum ct_step ended; /* the step that it ended with, once done */
	int err;	    /* once done */
	uint8_t steps;	    /* taken, to end a fight with another program */
	bool unlabeled;	    /* labels are refused here: write without */
	bool sample;	    /* a put is read back; set by the sink before the first answer */
	bool clashed, replaced, differed;
	uint8_t lost; /* times that its answer got lost; the sink's */
	uint32_t expiry_s;
	struct flow flow;
};

/* known: the same connection has been put before and not deleted since, so begin with UPDATE. */
void ct_task_begin(struct ct_task *t, enum sink_op op, const struct flow *f, bool known);

/*
 * Writes the step's messages (at most CT_STEP_MESSAGES). Returns how many; the answer to the last
 * one is the step's, those before it only clear the way.
 */
unsigned ct_task_write(const struct ct_task *t, const struct ct_write *how, struct ct_batch *b);

/* What the kernel has, in answer to a LOOK, READ or MEASURE; comes before ct_task_answer. */
void ct_task_record(struct ct_task *t, const struct ct_timeouts *timeouts,
		    const struct ct_record *r);

/*
 * The step ended with err (0 or -errno): goes on to the next, or to DONE with t->err, which is
 * -EADDRINUSE where the kernel makes the entry with other addresses or ports each time.
 */
void ct_task_answer(struct ct_task *t, int err);

#endif
