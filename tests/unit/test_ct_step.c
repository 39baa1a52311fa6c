// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The steps of the sink's operations against scripted answers; when the source polls; what the sink
 * remembers; a dump's end as no healthy kernel sends it.
 */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "syncd/kernel/ct_dump.h"
#include "syncd/kernel/ct_pace.h"
#include "syncd/kernel/ct_recent.h"
#include "syncd/kernel/ct_step.h"
#include "tests/lib/ct_lab.h"
#include "tests/lib/suite.h"

static struct flow flow;
static struct ct_task task;
static struct ct_timeouts timeouts;

static void set_up(void)
{
	flow = ct_lab_flow(IPPROTO_TCP, 4, CT_LAB_DNAT, 1);
	timeouts.tcp_s[3] = 1000;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* Answers to the steps in turn; 1 stands for a record of the same connection before success. */
static const struct {
	enum sink_op op;
	bool known;
	int answers[6];
	int result;
	enum ct_step ended;
	unsigned messages;
} scripts[] = {
	{SINK_PUT, false, {0}, 0, CT_STEP_INSERT, 1},
	{SINK_PUT, false, {-ENOENT}, -ENOENT, CT_STEP_INSERT, 1},	   /* no master */
	{SINK_PUT, false, {-ENOMEM}, -ENOMEM, CT_STEP_INSERT, 1},	   /* full */
	{SINK_PUT, false, {-EEXIST, 1, 0}, 0, CT_STEP_UPDATE, 3},	   /* it was there */
	{SINK_PUT, false, {-EEXIST, -ENOENT, 0}, 0, CT_STEP_REPLACE, 5},   /* reply side taken */
	{SINK_PUT, false, {-EBUSY, -ENOENT, 0}, 0, CT_STEP_REPLACE, 5},	   /* likewise */
	{SINK_PUT, false, {-EEXIST, 1, -EBUSY, 0}, 0, CT_STEP_REPLACE, 6}, /* status taken back */
	{SINK_PUT, false, {-EEXIST, 1, -ENOENT, 0}, 0, CT_STEP_INSERT, 4}, /* gone meanwhile */
	{SINK_PUT, false, {-EEXIST, 1, -ENOSPC, 0}, 0, CT_STEP_UPDATE, 4}, /* no labels here */
	{SINK_PUT, false, {-EEXIST, 1, -ENOSPC, -ENOSPC}, -ENOSPC, CT_STEP_UPDATE, 4},
	{SINK_PUT, false, {-EEXIST, -EPERM}, -EPERM, CT_STEP_LOOK, 2},
	{SINK_PUT, true, {0}, 0, CT_STEP_UPDATE, 1},
	{SINK_PUT, true, {-ENOENT, 0}, 0, CT_STEP_INSERT, 2},
	{SINK_PUT, true, {-EOPNOTSUPP, 0}, 0, CT_STEP_REPLACE, 4},
	{SINK_PUT, true, {-EPERM}, -EPERM, CT_STEP_UPDATE, 1},
	{SINK_RENEW, false, {0}, 0, CT_STEP_RENEW, 1},
	{SINK_RENEW, false, {-ENOENT}, -ENOENT, CT_STEP_RENEW, 1},
	{SINK_DEL, false, {0}, 0, CT_STEP_DELETE, 1},
	{SINK_DEL, false, {-ENOENT}, 0, CT_STEP_DELETE, 1},
	{SINK_DEL, false, {-EBUSY}, -EBUSY, CT_STEP_DELETE, 1},
	{SINK_LIBERAL, false, {-ENOENT}, -ENOENT, CT_STEP_LIBERAL, 1},
	{SINK_LIBERAL, false, {-ENOSPC}, 0, CT_STEP_LIBERAL, 1}, /* no room for the mark */
	{SINK_EXPIRY, false, {-ENOENT}, -ENOENT, CT_STEP_MEASURE, 1},
};

static unsigned write_step(void)
{
	static uint8_t buf[CT_STEP_MESSAGES * CT_MESSAGE_MAX];
	const struct ct_write how = {.timeout_s = 600};
	struct ct_batch b = {.buf = buf};
	unsigned n = ct_task_write(&task, &how, &b);

	ck_assert_uint_eq(b.seq, n);
	ck_assert_uint_le(n, CT_STEP_MESSAGES);
	return n;
}

START_TEST(steps_follow_the_answers)
{
	struct ct_record same = {.flow = flow};
	unsigned messages = 0, at = 0;

	ct_task_begin(&task, scripts[_i].op, &flow, scripts[_i].known);
	while (task.step != CT_STEP_DONE) {
		int answer;

		ck_assert_uint_lt(at, 6);
		answer = scripts[_i].answers[at++];
		messages += write_step();
		if (answer == 1)
			ct_task_record(&task, &timeouts, &same);
		ct_task_answer(&task, answer == 1 ? 0 : answer);
	}
	ck_assert_int_eq(task.err, scripts[_i].result);
	ck_assert_int_eq(task.ended, scripts[_i].ended);
	ck_assert_uint_eq(messages, scripts[_i].messages);
}
END_TEST

START_TEST(a_fight_ends)
{
	unsigned steps = 0;

	/* Somebody makes the occupant again each time. */
	ct_task_begin(&task, SINK_PUT, &flow, false);
	for (; task.step != CT_STEP_DONE; steps++) {
		ck_assert_uint_lt(steps, 20);
		ct_task_answer(&task, task.step == CT_STEP_LOOK ? 0 : -EEXIST);
	}
	ck_assert_int_lt(task.err, 0);
}
END_TEST

/* What an update cannot change makes another connection of it. */
START_TEST(occupants_are_judged)
{
	struct ct_record is = {.flow = flow};

	switch (_i) {
	case 0:
		break;
	case 1:
		is.flow.ct.reply_src.b[3]++;
		break;
	case 2:
		is.flow.ct.reply_dport++;
		break;
	case 3:
		is.flow.ct.status &= ~(uint32_t)IPS_DST_NAT;
		break;
	case 4:
		flow.ct.status &= ~(uint32_t)IPS_ASSURED;
		break;
	case 5:
		strcpy(is.flow.ct.helper, "ftp");
		break;
	case 6:
		is.flow.ct.has_master = true;
		is.flow.ct.master = flow.key;
		break;
	case 7: /* ours is the other direction of the occupant */
		is.flow.key.src = flow.key.dst;
		is.flow.key.dst = flow.key.src;
		break;
	case 8: /* what an update can change */
		is.flow.ct.status &= ~(uint32_t)IPS_ASSURED;
		is.flow.ct.mark = 9;
		is.flow.ct.state = 5;
		break;
	}
	ct_task_begin(&task, SINK_PUT, &flow, false);
	ct_task_answer(&task, -EEXIST);
	ck_assert_int_eq(task.step, CT_STEP_LOOK);
	ct_task_record(&task, &timeouts, &is);
	ct_task_answer(&task, 0);
	ck_assert_int_eq(task.step, _i == 0 || _i == 8 ? CT_STEP_UPDATE : CT_STEP_REPLACE);
}
END_TEST

/*
 * A sampled put is read back: 0 as wanted, 1 with a state of its own by now, 2 gone, 3 with another
 * port once, 4 each time, 5 not to be read.
 */
START_TEST(a_sample_is_read_back)
{
	struct ct_record is = {.flow = flow};
	int err = _i == 2 ? -ENOENT : _i == 5 ? -EPERM : 0;

	ct_task_begin(&task, SINK_PUT, &flow, false);
	task.sample = true;
	ct_task_answer(&task, 0);
	ck_assert_int_eq(task.step, CT_STEP_READ);
	ck_assert_uint_eq(write_step(), 1);
	is.flow.ct.status |= _i == 1 ? IPS_ASSURED | IPS_SEEN_REPLY : 0;
	is.flow.ct.state = (uint8_t)(flow.ct.state + (_i == 1));
	is.flow.ct.reply_sport = (uint16_t)(flow.ct.reply_sport + (_i >= 3));
	if (err == 0)
		ct_task_record(&task, &timeouts, &is);
	ct_task_answer(&task, err);
	if (_i == 3 || _i == 4) {
		ck_assert_int_eq(task.step, CT_STEP_REPLACE);
		ck_assert_uint_eq(write_step(), 3);
		ct_task_answer(&task, 0);
		ck_assert_int_eq(task.step, CT_STEP_READ);
		is.flow.ct.reply_sport = (uint16_t)(flow.ct.reply_sport + (_i == 4));
		ct_task_record(&task, &timeouts, &is);
		ct_task_answer(&task, 0);
	}
	ck_assert_int_eq(task.step, CT_STEP_DONE);
	ck_assert_int_eq(task.err, _i == 4 ? -EADDRINUSE : _i == 5 ? -EPERM : 0);
	ck_assert(task.differed == (_i == 3 || _i == 4));
}
END_TEST

/* Longer or shorter: what is left of a lease says nothing of the flow. */
START_TEST(expiry_takes_the_place_of_a_lease)
{
	struct ct_record is = {.flow = flow, .timeout_s = 999u + (unsigned)_i};

	ct_task_begin(&task, SINK_EXPIRY, &flow, false);
	ct_task_record(&task, &timeouts, &is);
	ct_task_answer(&task, 0);
	ck_assert_int_eq(task.step, _i != 1 ? CT_STEP_EXPIRE : CT_STEP_DONE);
	ck_assert_int_eq(task.err, 0);
	if (_i != 1)
		ck_assert_uint_eq(task.expiry_s, 1000);
}
END_TEST

/* ---- pace ------------------------------------------------------------------------------------ */

START_TEST(pace_turns_busy_and_calm)
{
	struct ct_pace p = {0};
	uint64_t now = 1000000;

	/* Few events, one now and then. */
	for (int i = 0; i < 1000; i++, now += 1000)
		ck_assert(!ct_pace_turn(&p, now, 1) && !p.busy);
	/* Many. */
	for (int i = 0; !p.busy; i++, now += 50) {
		ck_assert_int_lt(i, 500);
		(void)ct_pace_turn(&p, now, 1);
	}
	for (int i = 0; i < 1000; i++, now += 250)
		ck_assert(!ct_pace_turn(&p, now, 5) && p.busy);
	/* None: calm within two windows. */
	for (uint64_t end = now + 2 * CT_PACE_WINDOW_US + 250; p.busy; now += 250) {
		ck_assert_uint_le(now, end);
		(void)ct_pace_turn(&p, now, 0);
	}
}
END_TEST

/* ---- memory of puts -------------------------------------------------------------------------- */

START_TEST(puts_are_remembered)
{
	struct flow other = flow;
	uint64_t hash = ct_recent_hash(&flow.key);
	struct ct_recent r;

	ck_assert_int_eq(ct_recent_init(&r), 0);
	ck_assert(!ct_recent_put(&r, hash, &flow));
	ck_assert(ct_recent_put(&r, hash, &flow));
	/* Another state is the same connection; another real server is not. */
	other.ct.state = 7;
	ck_assert(ct_recent_put(&r, hash, &other));
	other.ct.reply_src.b[3]++;
	ck_assert(!ct_recent_put(&r, hash, &other));
	ck_assert(ct_recent_put(&r, hash, &other));
	ct_recent_del(&r, hash);
	ck_assert(!ct_recent_put(&r, hash, &other));
	ct_recent_fini(&r);
}
END_TEST

START_TEST(many_puts_are_remembered)
{
	enum { FLOWS = 200000 };
	struct ct_recent r;
	unsigned known = 0;

	ck_assert_int_eq(ct_recent_init(&r), 0);
	for (int round = 0; round < 2; round++)
		for (unsigned n = 0; n < FLOWS; n++) {
			struct flow f = flow;

			f.key.sport = (uint16_t)n;
			f.key.src.b[0] = (uint8_t)(n >> 16);
			known += ct_recent_put(&r, ct_recent_hash(&f.key), &f);
		}
	ck_assert_uint_le(known, FLOWS);
	ck_assert_uint_ge(known, FLOWS - FLOWS / 50);
	ct_recent_fini(&r);
}
END_TEST

/* ---- dumps ----------------------------------------------------------------------------------- */

static void count_message(void *ctx, const struct nlmsghdr *nlh)
{
	unsigned *n = ctx;

	(void)nlh;
	(*n)++;
}

static void say(int fd, unsigned type, unsigned flags, uint32_t seq, int32_t value)
{
	struct {
		struct nlmsghdr nlh;
		int32_t value;
	} m = {{sizeof(m), (uint16_t)type, (uint16_t)flags, seq, 0}, value};

	ck_assert_int_eq(send(fd, &m, sizeof(m), 0), sizeof(m));
}

/* A dump whose answers come from us. */
START_TEST(dumps_end_as_they_should)
{
	enum { RECORD = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW };
	static const struct {
		unsigned flags;
		unsigned last;
		int32_t value;
		int result;
	} ends[] = {
		{NLM_F_MULTI, NLMSG_DONE, 0, 0},
		{NLM_F_MULTI | NLM_F_DUMP_INTR, NLMSG_DONE, 0, -EINTR},
		{NLM_F_MULTI, NLMSG_DONE, -ENOMEM, -ENOMEM},
		{NLM_F_MULTI, NLMSG_ERROR, -EPERM, -EPERM},
	};
	static struct ct_dump d;
	unsigned records = 0;
	int fds[2], err = 1;

	ct_dump_init(&d);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	d.socket.fd = fds[1];
	d.running = true;
	d.seq = 5;
	ck_assert_int_eq(ct_dump_begin(&d, NETLINK_GENERIC, NULL), -EBUSY);
	say(fds[0], RECORD, NLM_F_MULTI, 5, 0);
	say(fds[0], RECORD, ends[_i].flags, 5, 0);
	say(fds[0], RECORD, NLM_F_MULTI, 4, 0); /* of a former one */
	ck_assert_uint_eq(ct_dump_read(&d, 100, count_message, &records, &err), 2);
	ck_assert(d.running);
	say(fds[0], ends[_i].last, NLM_F_MULTI, 5, ends[_i].value);
	ck_assert_uint_eq(ct_dump_read(&d, 100, count_message, &records, &err), 0);
	ck_assert(!d.running);
	ck_assert_int_eq(err, ends[_i].result);
	ck_assert_uint_eq(records, 2);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* Any dump of the kernel's is read by it: here of generic netlink's families, as IPVS's are. */
START_TEST(dumps_of_any_bus_are_read)
{
	static struct ct_dump d;
	struct {
		struct nlmsghdr nlh;
		struct genlmsghdr gen;
	} ask = {
		.nlh = {.nlmsg_len = sizeof(ask), .nlmsg_type = GENL_ID_CTRL},
		.gen = {.cmd = CTRL_CMD_GETFAMILY, .version = 1},
	};
	unsigned records = 0;
	int err = 1;

	ct_dump_init(&d);
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(ct_dump_begin(&d, NETLINK_GENERIC, &ask.nlh), 0);
		while (d.running) {
			struct pollfd p = {.fd = d.socket.fd, .events = POLLIN};

			ck_assert_int_eq(poll(&p, 1, 10000), 1);
			(void)ct_dump_read(&d, 100, count_message, &records, &err);
		}
		ck_assert_int_eq(err, 0);
		ck_assert_uint_ge(records, round + 1);
	}
	ct_dump_fini(&d);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ct_step");
	TCase *tc = tcase_create("steps");

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_loop_test(tc, steps_follow_the_answers, 0, sizeof(scripts) / sizeof(scripts[0]));
	tcase_add_test(tc, a_fight_ends);
	tcase_add_loop_test(tc, occupants_are_judged, 0, 9);
	tcase_add_loop_test(tc, a_sample_is_read_back, 0, 6);
	tcase_add_loop_test(tc, expiry_takes_the_place_of_a_lease, 0, 3);
	tcase_add_test(tc, pace_turns_busy_and_calm);
	tcase_add_test(tc, puts_are_remembered);
	tcase_add_test(tc, many_puts_are_remembered);
	tcase_add_loop_test(tc, dumps_end_as_they_should, 0, 4);
	tcase_add_test(tc, dumps_of_any_bus_are_read);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
