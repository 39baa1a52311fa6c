// SPDX-License-Identifier: GPL-2.0-or-later
/* See ct_step.h. */
#include <errno.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_common.h>

#include "syncd/kernel/ct_step.h"

enum { STEPS_MAX = 8 };

void ct_task_begin(struct ct_task *t, enum sink_op op, const struct flow *f, bool known)
{
	static const enum ct_step first[] = {
		[SINK_PUT] = CT_STEP_INSERT,	 [SINK_RENEW] = CT_STEP_RENEW,
		[SINK_DEL] = CT_STEP_DELETE,	 [SINK_LIBERAL] = CT_STEP_LIBERAL,
		[SINK_EXPIRY] = CT_STEP_MEASURE,
	};

	t->op = op;
	t->step = op == SINK_PUT && known ? CT_STEP_UPDATE : first[op];
	t->found = CT_STEP_DONE;
	t->err = 0;
	t->steps = t->lost = 0;
	t->unlabeled = t->sample = t->clashed = t->replaced = t->differed = false;
	t->expiry_s = 0;
	t->flow = *f;
}

unsigned ct_task_write(const struct ct_task *t, const struct ct_write *how, struct ct_batch *b)
{
	struct ct_write w = *how;

	if (t->unlabeled)
		w.label_mask = NULL;
	switch (t->step) {
	case CT_STEP_INSERT:
		ct_message_insert(b, &t->flow, &w);
		return 1;
	case CT_STEP_LOOK:
	case CT_STEP_READ:
	case CT_STEP_MEASURE:
		ct_message_get(b, &t->flow.key);
		return 1;
	case CT_STEP_UPDATE:
		ct_message_update(b, &t->flow, &w);
		return 1;
	case CT_STEP_REPLACE:
		ct_message_delete(b, &t->flow.key);
		ct_message_delete_reply(b, &t->flow);
		ct_message_insert(b, &t->flow, &w);
		return 3;
	case CT_STEP_RENEW:
		ct_message_timeout(b, &t->flow.key, how->timeout_s);
		return 1;
	case CT_STEP_DELETE:
		ct_message_delete(b, &t->flow.key);
		return 1;
	case CT_STEP_LIBERAL:
		ct_message_liberal(b, &t->flow.key, how);
		return 1;
	case CT_STEP_EXPIRE:
		ct_message_timeout(b, &t->flow.key, t->expiry_s);
		return 1;
	case CT_STEP_DONE:
		break;
	}
	return 0;
}

/* True where both translate the same packets alike. */
static bool same_way(const struct flow *is, const struct flow *want)
{
	const struct flow_conntrack *a = &is->ct, *b = &want->ct;

	return flow_key_equal(&is->key, &want->key) &&
	       memcmp(&a->reply_src, &b->reply_src, sizeof(a->reply_src)) == 0 &&
	       memcmp(&a->reply_dst, &b->reply_dst, sizeof(a->reply_dst)) == 0 &&
	       a->reply_sport == b->reply_sport && a->reply_dport == b->reply_dport &&
	       ((a->status ^ b->status) & IPS_NAT_MASK) == 0;
}

/* True where an update can make `is` into `want`: what cannot be changed is alike already. */
static bool can_become(const struct flow *is, const struct flow *want)
{
	const uint32_t fixed = IPS_EXPECTED, only_set = IPS_SEEN_REPLY | IPS_ASSURED;
	const struct flow_conntrack *a = &is->ct, *b = &want->ct;

	if (!same_way(is, want))
		return false;
	if ((a->status ^ b->status) & fixed || (a->status & ~b->status) & only_set)
		return false;
	if (a->has_master != b->has_master ||
	    (a->has_master && !flow_key_equal(&a->master, &b->master)))
		return false;
	return strncmp(a->helper, b->helper, FLOW_HELPER_MAX) == 0;
}

void ct_task_record(struct ct_task *t, const struct ct_timeouts *timeouts,
		    const struct ct_record *r)
{
	if (t->step == CT_STEP_LOOK) {
		t->found = can_become(&r->flow, &t->flow) ? CT_STEP_UPDATE : CT_STEP_REPLACE;
	} else if (t->step == CT_STEP_READ) {
		t->found = same_way(&r->flow, &t->flow) ? CT_STEP_DONE : CT_STEP_REPLACE;
	} else if (t->step == CT_STEP_MEASURE && flow_key_equal(&r->flow.key, &t->flow.key)) {
		t->expiry_s = ct_timeouts_of(timeouts, &r->flow);
		t->found = r->timeout_s != t->expiry_s ? CT_STEP_EXPIRE : CT_STEP_DONE;
	}
}

static void end(struct ct_task *t, int err)
{
	t->ended = t->step;
	t->step = CT_STEP_DONE;
	t->err = err;
}

static void after_insert(struct ct_task *t, int err)
{
	if (err == -EEXIST || err == -EBUSY) {
		t->clashed = true;
		t->found = CT_STEP_REPLACE; /* unless a record says otherwise: its reply side is
					       taken */
		t->step = CT_STEP_LOOK;
	} else if (err == 0 && t->sample) {
		t->found = CT_STEP_DONE;
		t->step = CT_STEP_READ;
	} else {
		end(t, err);
	}
}

static void after_read(struct ct_task *t, int err)
{
	bool differs = err == 0 && t->found == CT_STEP_REPLACE;

	if (differs && !t->differed)
		t->step = CT_STEP_REPLACE;
	else
		end(t, differs ? -EADDRINUSE : err == -ENOENT ? 0 : err); /* it may have ended */
	t->differed |= differs;
}

static void after_update(struct ct_task *t, int err)
{
	switch (err) {
	case -ENOENT:
		t->step = CT_STEP_INSERT;
		break;
	case -ENOSPC:
		if (t->unlabeled) {
			end(t, err);
			break;
		}
		t->unlabeled = true; /* no rule uses labels here */
		break;
	case -EBUSY:
	case -EOPNOTSUPP:
	case -EINVAL:
		t->step = CT_STEP_REPLACE;
		break;
	default:
		end(t, err);
	}
}

void ct_task_answer(struct ct_task *t, int err)
{
	if (++t->steps > STEPS_MAX) {
		end(t, err ? err : -EBUSY);
		return;
	}
	switch (t->step) {
	case CT_STEP_REPLACE:
		t->replaced = true;
		after_insert(t, err);
		break;
	case CT_STEP_INSERT:
		after_insert(t, err);
		break;
	case CT_STEP_LOOK:
		if (err == 0 || err == -ENOENT)
			t->step = t->found;
		else
			end(t, err);
		break;
	case CT_STEP_READ:
		after_read(t, err);
		break;
	case CT_STEP_UPDATE:
		after_update(t, err);
		break;
	case CT_STEP_MEASURE:
		if (err == 0 && t->found == CT_STEP_EXPIRE)
			t->step = CT_STEP_EXPIRE;
		else
			end(t, err);
		break;
	case CT_STEP_DELETE:
		end(t, err == -ENOENT ? 0 : err);
		break;
	case CT_STEP_LIBERAL:
		end(t, err == -ENOSPC ? 0 : err); /* it was made without room for the mark */
		break;
	case CT_STEP_RENEW:
	case CT_STEP_EXPIRE:
	case CT_STEP_DONE:
		end(t, err);
		break;
	}
}
