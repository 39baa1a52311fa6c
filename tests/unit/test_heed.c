// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an engine does with messages that today's own engine would not send, or not so: ranges of an
 * active whose table is not complete, and control of a session that has proven nothing.
 */
#include <check.h>
#include <string.h>

#include <netinet/in.h>

#include "proto/data.h"
#include "proto/flow_codec.h"
#include "tests/lib/lone_engine.h"
#include "tests/lib/suite.h"

enum { NODE = 1, OTHER = 2 };
enum { SESSION = 100, THEIRS = 200 };

static struct engine *engine;
static struct engine_now now;
static uint64_t control_counter, data_counter;
static struct hello_group said; /* of group 1, by the other node's hellos */

static void up(void)
{
	static const struct engine_group_config group = {.id = 1};
	struct engine_config cfg = {
		.node = NODE,
		.session = SESSION,
		.group = &group,
		.groups = 1,
		.max_flows = 1000,
		.retain_bytes = 16u << 20,
		.datagram_max = DATAGRAM_START,
		.lease_s = 600,
	};

	now = (struct engine_now){.mono_us = 10 * S_US, .wall_us = 10 * S_US};
	control_counter = data_counter = 0;
	said = (struct hello_group){.id = 1, .term = {1, OTHER}};
	engine = lone_engine_new(&cfg, NULL);
}

static void down(void)
{
	engine_free(engine);
}

static void pass(void)
{
	now.mono_us += HELLO_INTERVAL_US;
	now.wall_us += HELLO_INTERVAL_US;
	(void)engine_tick(engine, now);
}

static void say(const struct control *c)
{
	lone_engine_hear_control(engine,
				 (struct frame_header){.node = OTHER,
						       .session = THEIRS,
						       .counter = ++control_counter},
				 c, now);
}

/* The other node's hello; proves: it echoes what this engine has just sent. */
static void hello(enum node_role role, bool complete, bool proves)
{
	struct control c = {.kind = CONTROL_HELLO,
			    .hello = {.pages = 1,
				      .last_data = data_counter,
				      .oldest_data = 1,
				      .groups = 1,
				      .group = {said},
				      .echoes = proves}};

	c.hello.group[0].role = (uint8_t)role;
	c.hello.group[0].state = role == ROLE_ACTIVE ? STATE_ACTIVE : STATE_STANDBY;
	c.hello.group[0].complete = complete;
	pass();
	c.hello.echo[0] = (struct hello_echo){
		.node = NODE,
		.session = SESSION,
		.control_counter = engine_sender_stats(engine)->control,
		.max_datagram = DATAGRAM_START,
	};
	say(&c);
}

static struct flow numbered_flow(uint16_t n)
{
	struct flow f = {.key = {.l4proto = IPPROTO_TCP,
				 .addr_len = 4,
				 .src = {.b = {192, 0, 2, 1}},
				 .dst = {.b = {203, 0, 113, 1}},
				 .sport = n,
				 .dport = 80}};

	flow_mirror_reply(&f);
	return f;
}

static size_t a_flow(uint8_t *bytes)
{
	struct flow f = numbered_flow(1);
	int n = flow_encode(&f, bytes);

	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

static uint64_t flows(void)
{
	struct engine_group_status st;

	ck_assert_int_eq(engine_group_status(engine, 0, &st), 0);
	return st.flows;
}

/* With a flow, or as a range of everything that says there is none; check: and what it is not. */
static void data(bool flow, bool check, bool complete)
{
	uint8_t payload[1000], bytes[FLOW_MAX];
	struct data_check c = {.digest = 1, .count = 1, .complete = complete};
	struct data_writer w;

	data_begin(&w, payload, sizeof(payload), now.wall_us, 1, 1);
	if (flow)
		ck_assert(data_add_put(&w, bytes, a_flow(bytes)));
	else
		ck_assert(data_add_range(&w, (struct hash_range){0, 0}));
	if (check)
		ck_assert(data_add_check(&w, &c));
	lone_engine_hear(engine,
			 (struct frame_header){.kind = FRAME_DATA,
					       .node = OTHER,
					       .session = THEIRS,
					       .counter = ++data_counter},
			 payload, w.len, now);
}

/* _i: what says that the table is complete: the check with the range, or one before it. A hello,
 * which may have outrun the range, does not. */
START_TEST(test_incomplete_removes_nothing)
{
	ck_assert_int_eq(engine_set_role(engine, 1, ROLE_STANDBY, "told to", now), 0);
	hello(ROLE_ACTIVE, false, true);
	data(true, false, false);
	ck_assert_uint_eq(flows(), 1);
	data(false, false, false);
	ck_assert_uint_eq(flows(), 1);
	data(false, true, false);
	ck_assert_uint_eq(flows(), 1);
	hello(ROLE_ACTIVE, true, true);
	data(false, false, true);
	ck_assert_uint_eq(flows(), 1);
	if (_i)
		data(true, true, true);
	data(false, !_i, true);
	ck_assert_uint_eq(flows(), 0);
}
END_TEST

START_TEST(test_unproven_is_not_heeded)
{
	struct control offer = {.kind = CONTROL_OFFER,
				.offer = {.node = NODE, .session = SESSION, .group = 1, .n = 1}};
	uint8_t bytes[FLOW_MAX];

	offer.offer.put[0].len = (uint32_t)a_flow(bytes);
	offer.offer.put[0].flow = bytes;
	ck_assert_int_eq(engine_set_role(engine, 1, ROLE_ACTIVE, "told to", now), 0);
	hello(ROLE_STANDBY, false, false);
	say(&offer);
	ck_assert_uint_eq(flows(), 0);
	ck_assert_uint_eq(engine_counters(engine)->unproven, 1);
	hello(ROLE_STANDBY, false, true);
	say(&offer);
	ck_assert_uint_eq(flows(), 1);
	/* Nor is it once the proof has aged. */
	now.mono_us += FRESH_US + 1;
	(void)engine_tick(engine, now);
	say(&offer);
	ck_assert_uint_eq(engine_counters(engine)->unproven, 2);
}
END_TEST

/* Nor its data: nobody follows a session that has proven nothing. */
START_TEST(test_unproven_data)
{
	ck_assert_int_eq(engine_set_role(engine, 1, ROLE_STANDBY, "told to", now), 0);
	hello(ROLE_ACTIVE, true, false);
	data(true, false, true);
	ck_assert_uint_eq(flows(), 0);
	ck_assert_uint_ge(engine_counters(engine)->unproven, 1);
}
END_TEST

static void change_flows(uint32_t mark)
{
	struct source_events ev = engine_source_events(engine, FLOW_CONNTRACK);

	for (uint16_t n = 1; n <= 1000; n++) {
		struct flow f = numbered_flow(n);

		f.ct.mark = mark;
		ev.on_event(ev.ctx, FLOW_NEW, &f, FLOW_PART_ALL, false);
	}
	hello(ROLE_STANDBY, false, true);
}

static void nak(uint64_t first)
{
	say(&(struct control){
		.kind = CONTROL_NAK,
		.nak = {.node = NODE, .session = SESSION, .n = 1, .missing = {{first, 1}}}});
}

/* No status of it has arrived, but its hello: what it lacks is kept, however much follows. Not for
 * one whose position is in another term, and so perhaps in another stream. */
START_TEST(test_position_of_a_hello)
{
	struct engine_group_status st;
	uint64_t last;

	ck_assert_int_eq(engine_set_role(engine, 1, ROLE_ACTIVE, "told to", now), 0);
	hello(ROLE_STANDBY, false, true);
	ck_assert_int_eq(engine_group_status(engine, 0, &st), 0);
	change_flows(1);
	pass();
	last = engine_sender_stats(engine)->data;
	ck_assert_uint_gt(last, 0);
	if (_i)
		said.term = st.term;
	said.position = last;
	for (uint32_t mark = 2; engine_sender_stats(engine)->data_bytes < 2u << 20; mark++)
		change_flows(mark);
	nak(last + 1);
	ck_assert_uint_eq(engine_sender_stats(engine)->nak_gone, !_i);
	ck_assert_uint_eq(engine_sender_stats(engine)->retransmits, _i);
	nak(1);
	ck_assert_uint_eq(engine_sender_stats(engine)->retransmits, _i);
}
END_TEST

/* Both wait for a wire that takes twenty datagrams: repair gets one in five of them. */
START_TEST(test_repair_starves_nobody)
{
	enum { WINDOW = 20 };
	struct control room = {.kind = CONTROL_STATUS,
			       .status = {.node = NODE, .session = SESSION, .window = WINDOW}};
	struct control all = {.kind = CONTROL_REPAIR,
			      .repair = {.node = NODE, .session = SESSION, .group = 1, .n = 1}};
	uint64_t sent, puts;

	all.repair.range[0].flows = true;
	ck_assert_int_eq(engine_set_role(engine, 1, ROLE_ACTIVE, "told to", now), 0);
	hello(ROLE_STANDBY, false, true);
	change_flows(1);
	pass();
	sent = engine_sender_stats(engine)->data;
	puts = engine_counters(engine)->puts_sent;
	ck_assert_uint_eq(puts, 1000);
	ck_assert_uint_gt(sent, WINDOW);
	room.status.applied = room.status.installed = sent;
	say(&room);
	say(&all);
	change_flows(2);
	ck_assert_uint_eq(engine_sender_stats(engine)->data, sent + WINDOW);
	/* In datagrams, each as full as the thousand's were. */
	ck_assert_uint_ge((engine_counters(engine)->puts_sent - puts) * sent,
			  puts * (WINDOW - WINDOW / 5 - 1));
	ck_assert_uint_le((engine_counters(engine)->puts_sent - puts) * sent,
			  puts * (WINDOW - WINDOW / 5 + 1));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("heed");
	TCase *tc = tcase_create("heed");

	tcase_add_checked_fixture(tc, up, down);
	tcase_add_loop_test(tc, test_incomplete_removes_nothing, 0, 2);
	tcase_add_test(tc, test_unproven_is_not_heeded);
	tcase_add_test(tc, test_unproven_data);
	tcase_add_loop_test(tc, test_position_of_a_hello, 0, 2);
	tcase_add_test(tc, test_repair_starves_nobody);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
