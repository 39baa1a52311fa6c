/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Peers: who is let in, what proves a session and what does not, and that neither recordings nor
 * forgeries nor floods change anything. Other nodes are played by hand.
 */
#include "tests/lib/peers_fixture.h"
#include "tests/lib/suite.h"

/* ---- opening ----------------------------------------------------------------------------- */

START_TEST(test_open)
{
	struct other o = {.node = 2, .session = 7};

	ck_assert_int_eq(hear_data(&o), 100);
	ck_assert_uint_eq(in.header.kind, FRAME_DATA);
	ck_assert_uint_eq(in.header.counter, 1);
	ck_assert_uint_eq(in.from->node, 2);
	ck_assert_uint_eq(in.from->session, 7);
	ck_assert(!in.from->proven);
	ck_assert_uint_eq(in.from->heard_us, now_us);
	ck_assert_uint_eq(count(true), 1);
	ck_assert_uint_eq(count(false), 0);
	ck_assert_ptr_null(peers_by_node(p, 2));
}
END_TEST

START_TEST(test_refusals_leave_no_state)
{
	struct other o = {.node = 2, .session = 7}, me = {.node = ME, .session = my_session};
	struct wire w, bad;

	control_of(&w, &o, hello(&o, 0, 0));
	for (size_t i = 0; i < w.len; i++) {
		bad = w;
		bad.bytes[i] ^= (uint8_t)(1u << (i % 8));
		ck_assert_int_lt(hear(&bad), 0);
	}
	for (size_t len = 0; len < w.len; len++) {
		bad = w;
		bad.len = len;
		ck_assert_int_lt(hear(&bad), 0);
	}
	bad = w;
	bad.bytes[2]++;
	ck_assert_int_eq(hear(&bad), -EPROTONOSUPPORT);
	bad = w;
	bad.bytes[5] = 77;
	ck_assert_int_eq(hear(&bad), -ENOKEY);
	bad = w;
	bad.bytes[w.len - 1] ^= 1;
	ck_assert_int_eq(hear(&bad), -EKEYREJECTED);
	control_of(&bad, &me, hello(&me, 0, 0));
	ck_assert_int_eq(hear(&bad), -ELOOP);
	ck_assert_uint_eq(count(true), 0);
	ck_assert_int_eq(hear(&w), 0);
	ck_assert_int_eq(hear(&w), -EEXIST);
	ck_assert_uint_eq(count(true), 1);
}
END_TEST

START_TEST(test_insecure)
{
	struct peers_config cfg = {.node = ME, .session = my_session, .insecure = true};
	struct peers *open = peers_new(&cfg);
	struct frame_header h = {
		.kind = FRAME_DATA, .key_id = 0, .node = 2, .session = 7, .counter = 1};
	struct seal_key key;
	struct wire w = {.len = 0};

	seal_key_insecure(&key);
	w.len = seal(&key, &h, w.bytes, 10);
	ck_assert_int_eq(peers_open(open, w.bytes, w.len, now_us, payload, &in), 10);
	/* One with keys takes nothing of it, nor the other way round. */
	ck_assert_int_lt(peers_open(p, w.bytes, w.len, now_us, payload, &in), 0);
	h.key_id = 1;
	w.len = seal(&key, &h, w.bytes, 10);
	ck_assert_int_eq(peers_open(p, w.bytes, w.len, now_us, payload, &in), -EKEYREJECTED);
	seal_into(&w, &(struct other){.node = 2, .session = 7}, FRAME_DATA, 2, 10);
	ck_assert_int_eq(peers_open(open, w.bytes, w.len, now_us, payload, &in), -EKEYREJECTED);
	peers_free(open);
}
END_TEST

START_TEST(test_keys_rotate)
{
	struct other o = {.node = 2, .session = 7}, third = {.node = 3, .session = 8};
	struct control *c;
	struct wire w;

	prove(&o);
	ck_assert(peers_accept_key(p, 1));
	ck_assert(!peers_accept_key(p, 2));
	c = hello(&o, 0, 0);
	c->hello.keys = 2;
	c->hello.key_id[1] = 2;
	control_of(&w, &o, c);
	(void)hear(&w);
	ck_assert(peers_accept_key(p, 2));
	prove(&third);
	ck_assert(!peers_accept_key(p, 2)); /* all of them have to */
	o.key_id = 2;
	ck_assert_int_eq(hear_data(&o), 100);
	o.key_id = 1;
	ck_assert_int_eq(hear_data(&o), 100);
	peers_set_keys(p, &keys[1], 1);
	ck_assert_int_eq(hear_data(&o), -ENOKEY); /* cached or not */
	o.key_id = 2;
	ck_assert_int_eq(hear_data(&o), 100);
}
END_TEST

/* ---- proof ------------------------------------------------------------------------------- */

START_TEST(test_echo_proves)
{
	struct other o = {.node = 2, .session = 7, .data = 55};

	i_say();
	ck_assert_int_eq(hear_hello(&o, 0), 0);
	ck_assert(!in.from->proven);
	ck_assert_uint_eq(in.from->last_data, 0); /* an unproven one's word */
	now_us += 50 * MS_US;
	ck_assert_int_eq(hear_hello(&o, 1), 1);
	ck_assert(in.from->proven);
	ck_assert_str_eq(in.from->name, "node-2");
	ck_assert_uint_eq(in.from->last_data, 55);
	ck_assert_uint_eq(in.from->max_datagram, 1300);
	ck_assert_uint_eq(in.from->hello_us, now_us);
	ck_assert_int_eq(hear_hello(&o, 1), 0); /* still */
	ck_assert_ptr_eq(peers_by_node(p, 2), in.from);
}
END_TEST

START_TEST(test_what_does_not_prove)
{
	struct other o = {.node = 2, .session = 7};
	struct control *c;
	struct wire w;

	for (unsigned i = 0; i < 5; i++)
		i_say();
	ck_assert_int_eq(hear_hello(&o, 6), 0); /* never sent */
	ck_assert_int_eq(hear_hello(&o, UINT64_MAX), 0);
	c = hello(&o, 3, 0);
	c->hello.echo[0].session++; /* a former session of this node */
	control_of(&w, &o, c);
	ck_assert_int_eq(hear(&w), 0);
	c = hello(&o, 3, 0);
	c->hello.echo[0].node++;
	control_of(&w, &o, c);
	ck_assert_int_eq(hear(&w), 0);
	now_us += FRESH_US + 1;
	ck_assert_int_eq(hear_hello(&o, 5), 0); /* too long ago */
	ck_assert_uint_eq(count(false), 0);
	i_say();
	ck_assert_int_eq(hear_hello(&o, 6), 1);
	/* So many since that the time of this one is forgotten. */
	for (unsigned i = 0; i < 8192; i++)
		i_say();
	o = (struct other){.node = 3, .session = 7};
	ck_assert_int_eq(hear_hello(&o, my_control - 8192), 0);
	ck_assert_int_eq(hear_hello(&o, my_control - 8191), 1);
}
END_TEST

/* A link that carries one way only: heard, but never proven for longer than FRESH_US. */
START_TEST(test_one_way)
{
	struct other o = {.node = 2, .session = 7};
	uint64_t end_us;

	prove(&o);
	for (end_us = now_us + FRESH_US; now_us <= end_us; now_us += HELLO_INTERVAL_US) {
		i_say();
		(void)hear_hello(&o, 1); /* it no longer hears us */
		peers_tick(p, now_us, on_gone, NULL);
		ck_assert_uint_eq(count(false), 1);
	}
	peers_tick(p, now_us, on_gone, NULL);
	ck_assert_uint_eq(count(false), 0);
	ck_assert_uint_eq(count(true), 1);
	ck_assert_uint_eq(gone_count, 0);
	/* It heals as the same session. */
	ck_assert_int_eq(hear_hello(&o, my_control), 1);
	ck_assert_uint_eq(count(false), 1);
	/* Silence ends it. */
	now_us += PEER_DEAD_US + 1;
	peers_tick(p, now_us, on_gone, NULL);
	ck_assert_uint_eq(gone_count, 1);
	ck_assert_uint_eq(gone_session, 7);
	ck_assert_uint_eq(count(true), 0);
}
END_TEST

START_TEST(test_restart_displaces)
{
	struct other old = {.node = 2, .session = 7}, new = {.node = 2, .session = 8};

	gone_count = 0;
	prove(&old);
	ck_assert_int_eq(hear_hello(&new, 0), 0);
	ck_assert_uint_eq(peers_by_node(p, 2)->session, 7); /* unproven displaces nobody */
	prove(&new);
	ck_assert_uint_eq(count(false), 1);
	ck_assert_uint_eq(peers_by_node(p, 2)->session, 8);
	/* What still comes of the old one is authentic, and nothing more. */
	(void)hear_hello(&old, my_control);
	ck_assert(!in.from->proven);
	peers_tick(p, now_us, on_gone, NULL);
	ck_assert_uint_eq(gone_count, 1);
	ck_assert_uint_eq(gone_session, 7);
	ck_assert_uint_eq(count(false), 1);
	ck_assert_uint_eq(peers_by_node(p, 2)->session, 8);
}
END_TEST

START_TEST(test_own_id)
{
	struct other twin = {.node = ME, .session = 5};
	struct hello out;
	struct wire w;

	control_of(&w, &twin, hello(&twin, 0, 0));
	ck_assert_int_eq(hear(&w), -EADDRINUSE);
	ck_assert(!peers_impostor(p, now_us)); /* may be a recording of this node itself */
	ck_assert_int_eq(hear_data(&twin), -EADDRINUSE);
	ck_assert(!peers_impostor(p, now_us));
	/* It is echoed, so that it knows of us in turn. */
	memset(&out, 0, sizeof(out));
	peers_fill_echoes(p, &out, now_us);
	ck_assert_uint_eq(out.echoes, 1);
	ck_assert_uint_eq(out.echo[0].node, ME);
	ck_assert_uint_eq(out.echo[0].session, 5);
	i_say();
	control_of(&w, &twin, hello(&twin, my_control, 0));
	ck_assert_int_eq(hear(&w), -EADDRINUSE);
	ck_assert(peers_impostor(p, now_us));
	ck_assert_uint_eq(count(false), 0);
	ck_assert(!peers_impostor(p, now_us + FRESH_US));
	now_us += FRESH_US;
	ck_assert_int_eq(hear(&w), -EEXIST); /* a recording keeps no alarm alive */
	ck_assert(!peers_impostor(p, now_us));
}
END_TEST

/* Recordings of everything a cluster ever said, played back at once, after and during a restart. */
START_TEST(test_recordings_change_nothing)
{
	enum { RECORDINGS = 400 };
	static struct wire tape[RECORDINGS];
	struct other o = {.node = 2, .session = 7};
	struct other live = {.node = 2, .session = 900};
	unsigned n = 0;

	for (; n < RECORDINGS; n++) {
		if (n % 10 == 0)
			o = (struct other){.node = (uint16_t)(2 + n / 10 % 14), .session = 7 + n};
		i_say();
		control_of(&tape[n], &o, hello(&o, my_control, 0));
	}
	/* Played to the same node in another life: none of its control counters are theirs. */
	teardown();
	setup();
	prove(&live);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < RECORDINGS; i++)
			ck_assert_int_le(hear(&tape[i]), 0);
		now_us += HELLO_INTERVAL_US;
		i_say();
		ck_assert_int_eq(hear_hello(&live, my_control), 0);
		peers_tick(p, now_us, on_gone, NULL);
		ck_assert_uint_eq(count(false), 1);
		ck_assert_uint_eq(peers_by_node(p, 2)->session, 900);
		ck_assert_uint_le(count(true), 33);
	}
}
END_TEST

/* What a session said before it was forgotten is not new when it comes back. */
START_TEST(test_recording_of_the_live_session)
{
	static struct wire tape[20];
	struct other o = {.node = 2, .session = 7};

	prove(&o);
	for (unsigned i = 0; i < 20; i++) {
		struct control c = {.kind = CONTROL_STATUS};

		c.status.node = ME;
		c.status.session = my_session;
		control_of(&tape[i], &o, &c);
		ck_assert_int_gt(hear(&tape[i]), 0);
		ck_assert_int_eq(hear(&tape[i]), -EEXIST);
	}
	now_us += PEER_DEAD_US + 1;
	peers_tick(p, now_us, on_gone, NULL);
	ck_assert_uint_eq(count(true), 0);
	ck_assert_int_gt(hear(&tape[0]), 0); /* authentic, of nobody proven */
	ck_assert(!in.from->proven);
	prove(&o);
	for (unsigned i = 0; i < 20; i++)
		ck_assert_int_eq(hear(&tape[i]), -EEXIST);
}
END_TEST

/* A node restarts, and the last hellos of its former session are played back while what they echo
 * is still fresh: they must not bring it back. */
START_TEST(test_recording_of_a_session_just_ended)
{
	static struct wire tape[10];
	struct other old = {.node = 2, .session = 7}, fresh = {.node = 2, .session = 8};

	for (unsigned i = 0; i < 10; i++) {
		i_say();
		control_of(&tape[i], &old, hello(&old, my_control, 0));
		(void)hear(&tape[i]);
	}
	ck_assert_uint_eq(peers_by_node(p, 2)->session, 7);
	prove(&fresh);
	peers_tick(p, now_us, on_gone, NULL); /* the former one is forgotten, its window too */
	for (unsigned i = 0; i < 10; i++) {
		ck_assert_int_eq(hear(&tape[i]), 0);
		ck_assert(!in.from->proven);
		ck_assert_uint_eq(peers_by_node(p, 2)->session, 8);
	}
	/* Nor does what it said to the last control that both have heard. */
	ck_assert_int_eq(hear_hello(&old, my_control), 0);
	ck_assert_uint_eq(peers_by_node(p, 2)->session, 8);
}
END_TEST

/* Unproven sessions without end: a proven one keeps its place, and a new one still gets in. */
START_TEST(test_flood)
{
	struct other live = {.node = 2, .session = 7}, joiner = {.node = 3, .session = 8};
	struct hello out;
	bool echoed = false;

	prove(&live);
	for (unsigned i = 0; i < 5000; i++) {
		struct other o = {.node = (uint16_t)(rng_below(&rng, 20)), .session = 10000 + i};

		(void)hear_hello(&o, rng_one_in(&rng, 2) ? 0 : 2 + rng_below(&rng, 99));
	}
	ck_assert_uint_le(count(true), 33);
	ck_assert_uint_ge(count(false), 1);
	ck_assert_uint_eq(peers_by_node(p, 2)->session, 7);
	prove(&joiner);
	memset(&out, 0, sizeof(out));
	peers_fill_echoes(p, &out, now_us);
	ck_assert_uint_eq(out.echoes, NODES_MAX);
	for (unsigned i = 0; i < 2; i++)
		echoed |= out.echo[i].node == 2 && out.echo[i].session == 7;
	ck_assert(echoed); /* the proven ones come first */
}
END_TEST

START_TEST(test_too_many_nodes)
{
	for (uint16_t node = 2; node < 2 + 40; node++) {
		struct other o = {.node = node, .session = node};

		i_say();
		(void)hear_hello(&o, my_control);
	}
	ck_assert_uint_eq(count(false), NODES_MAX - 1);
	/* Restarts of those that are in find room all the same. */
	for (unsigned round = 0; round < 10; round++) {
		for (uint16_t node = 2; node < 1 + NODES_MAX; node++) {
			struct other o = {.node = node, .session = 100 + 100 * round + node};

			prove(&o);
		}
		peers_tick(p, now_us, on_gone, NULL);
		ck_assert_uint_eq(count(false), NODES_MAX - 1);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("peers");
	TCase *tc = tcase_create("peers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_open);
	tcase_add_test(tc, test_refusals_leave_no_state);
	tcase_add_test(tc, test_insecure);
	tcase_add_test(tc, test_keys_rotate);
	tcase_add_test(tc, test_echo_proves);
	tcase_add_test(tc, test_what_does_not_prove);
	tcase_add_test(tc, test_one_way);
	tcase_add_test(tc, test_restart_displaces);
	tcase_add_test(tc, test_own_id);
	tcase_add_test(tc, test_recordings_change_nothing);
	tcase_add_test(tc, test_recording_of_the_live_session);
	tcase_add_test(tc, test_recording_of_a_session_just_ended);
	tcase_add_test(tc, test_flood);
	tcase_add_test(tc, test_too_many_nodes);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
