/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers: what a hello changes, and what an own one says of them. Other nodes are played by hand. */
#include "tests/lib/peers_fixture.h"
#include "tests/lib/suite.h"

START_TEST(test_rtt_and_offset)
{
	struct other o = {.node = 2, .session = 7};
	struct wire w;

	for (unsigned i = 0; i < 200; i++) {
		uint64_t there_us = 100 + rng_below(&rng, 20), held_us = rng_below(&rng, 90000);
		uint64_t back_us = 100 + rng_below(&rng, 20);

		i_say();
		now_us += there_us + held_us;
		control_of(&w, &o, hello(&o, my_control, held_us));
		now_us += back_us;
		(void)hear(&w);
	}
	ck_assert_uint_ge(in.from->rtt_us, 200);
	ck_assert_uint_le(in.from->rtt_us, 245);
	ck_assert_int_ge((long)in.from->clock_offset_us, WALL_OFFSET - 25);
	ck_assert_int_le((long)in.from->clock_offset_us, WALL_OFFSET + 25);
	/* Its clock is set: seen at once. */
	i_say();
	{
		struct control *c = hello(&o, my_control, 0);

		c->hello.sent_us += 3600 * S_US;
		control_of(&w, &o, c);
	}
	(void)hear(&w);
	ck_assert_int_ge((long)in.from->clock_offset_us, 3599 * (long)S_US);
	/* An echo held for longer than it was away teaches nothing. */
	i_say();
	control_of(&w, &o, hello(&o, my_control, 1000000));
	(void)hear(&w);
	ck_assert_uint_le(in.from->rtt_us, 245);
}
END_TEST

static void page(struct other *o, uint32_t nr, uint32_t pages, uint32_t first, uint32_t n)
{
	struct control *c = hello(o, my_control, 0);
	struct wire w;

	c->hello.page = nr;
	c->hello.pages = pages;
	c->hello.groups = (uint8_t)n;
	for (uint32_t i = 0; i < n; i++)
		c->hello.group[i] = (struct hello_group){.id = first + i, .flows = nr + 1};
	control_of(&w, o, c);
	(void)hear(&w);
}

START_TEST(test_pages_merge)
{
	struct other o = {.node = 2, .session = 7};

	prove(&o);
	page(&o, 1, 2, 17, 10);
	page(&o, 0, 2, 1, 16);
	ck_assert_uint_eq(in.from->groups, 26);
	for (size_t i = 0; i < 26; i++)
		ck_assert_uint_eq(in.from->group[i].id, i + 1);
	ck_assert_uint_eq(peer_group(in.from, 20)->flows, 2);
	ck_assert_ptr_null(peer_group(in.from, 27));
	ck_assert_ptr_null(peer_group(in.from, 0));
	/* Group 26 is gone; not before all pages have said so. */
	page(&o, 0, 2, 1, 16);
	ck_assert_ptr_nonnull(peer_group(in.from, 26));
	page(&o, 1, 2, 17, 9);
	ck_assert_ptr_null(peer_group(in.from, 26));
	ck_assert_uint_eq(in.from->groups, 25);
	/* A lost page: nothing is dropped for not having been heard. */
	page(&o, 0, 2, 1, 16);
	page(&o, 0, 2, 1, 16);
	ck_assert_uint_eq(in.from->groups, 25);
	page(&o, 1, 2, 17, 9);
	ck_assert_uint_eq(in.from->groups, 25);
	/* Fewer groups, one page. */
	page(&o, 0, 1, 3, 2);
	ck_assert_uint_eq(in.from->groups, 2);
	ck_assert_uint_eq(in.from->group[0].id, 3);
	page(&o, 5, 3, 100, 1); /* no such page */
	page(&o, 5, 1000000, 100, 1);
	ck_assert_uint_eq(in.from->groups, 2);
}
END_TEST

START_TEST(test_groups_are_bounded)
{
	struct other o = {.node = 2, .session = 7};

	prove(&o);
	for (uint32_t nr = 0; nr < 40; nr++)
		page(&o, nr, 40, 1 + nr * 16, 16);
	ck_assert_uint_le(in.from->groups, GROUPS_MAX);
	page(&o, 0, 1, 1, 1);
	ck_assert_uint_eq(in.from->groups, 1);
}
END_TEST

/* Hellos overtaken on their way do not take the peer back. */
START_TEST(test_old_hello)
{
	struct other o = {.node = 2, .session = 7, .data = 10};
	struct wire early, late;

	prove(&o);
	control_of(&early, &o, hello(&o, my_control, 0));
	o.data = 20;
	control_of(&late, &o, hello(&o, my_control, 0));
	(void)hear(&late);
	ck_assert_uint_eq(in.from->last_data, 20);
	ck_assert_int_eq(hear(&early), 0);
	ck_assert_uint_eq(in.from->last_data, 20);
}
END_TEST

START_TEST(test_echoes)
{
	struct other o = {.node = 2, .session = 7, .pad = 900};
	struct hello out = {0};

	(void)hear_data(&o);
	peers_fill_echoes(p, &out, now_us);
	ck_assert_uint_eq(out.echoes, 0); /* no control yet: nothing to echo */
	(void)hear_hello(&o, 0);
	(void)hear_hello(&o, 0);
	now_us += 1234;
	(void)hear_data(&o);
	peers_fill_echoes(p, &out, now_us);
	ck_assert_uint_eq(out.echoes, 1);
	ck_assert_uint_eq(out.echo[0].node, 2);
	ck_assert_uint_eq(out.echo[0].session, 7);
	ck_assert_uint_eq(out.echo[0].control_counter, 2);
	ck_assert_uint_eq(out.echo[0].held_us, 1234);
	ck_assert_uint_ge(out.echo[0].max_datagram, 900);
	ck_assert_uint_le(out.echo[0].max_datagram, 1300);
}
END_TEST

static uint32_t told(void)
{
	struct hello out = {0};

	peers_fill_echoes(p, &out, now_us);
	return out.echoes ? out.echo[0].max_datagram : 0;
}

static void hear_for(struct other *o, uint64_t us)
{
	for (uint64_t until_us = now_us + us; now_us < until_us; now_us += 100 * MS_US)
		(void)hear_hello(o, 0);
}

/* The least that a link brings which brings anything, copies too; and only what came lately. */
START_TEST(test_length_by_link)
{
	struct other o = {.node = 2, .session = 7, .pad = 900};
	struct wire wide;

	control_of(&wide, &o, hello(&o, 0, 0));
	(void)hear(&wide);
	ck_assert_uint_ge(told(), wide.len);
	peers_set_link(p, 1);
	(void)hear_data(&o);
	ck_assert_uint_eq(told(), 100 + FRAME_OVERHEAD);
	ck_assert_int_eq(hear(&wide), -EEXIST);
	ck_assert_uint_ge(told(), wide.len);
	peers_set_link(p, 2);
	(void)hear_data(&o);
	ck_assert_uint_eq(told(), 100 + FRAME_OVERHEAD);
	peers_set_link(p, 0);
	hear_for(&o, 2100 * MS_US); /* the others fall silent */
	ck_assert_uint_ge(told(), wide.len);
	o.pad = 0;
	hear_for(&o, 5 * S_US);
	ck_assert_uint_ge(told(), wide.len);
	hear_for(&o, 5 * S_US);
	ck_assert_uint_lt(told(), 400);
	ck_assert_int_eq(hear(&wide), -EEXIST); /* a recording by now */
	ck_assert_uint_lt(told(), 400);
}
END_TEST

START_TEST(test_datagram_max)
{
	struct other a = {.node = 2, .session = 7}, b = {.node = 3, .session = 8};
	struct control *c;
	struct wire w;

	ck_assert_uint_eq(peers_datagram_max(p), DATAGRAM_START);
	prove(&a);
	ck_assert_uint_eq(peers_datagram_max(p), 1300);
	c = hello(&a, my_control, 0);
	c->hello.echo[0].max_datagram = 9000;
	control_of(&w, &a, c);
	(void)hear(&w);
	ck_assert_uint_eq(peers_datagram_max(p), DATAGRAM_MAX);
	prove(&b);
	ck_assert_uint_eq(peers_datagram_max(p), 1300);
	i_say();
	c = hello(&b, my_control, 0);
	b = (struct other){.node = 4, .session = 9};
	c->hello.echo[0].max_datagram = 100;
	control_of(&w, &b, c);
	ck_assert_int_eq(hear(&w), 1);
	ck_assert_uint_eq(peers_datagram_max(p), DATAGRAM_START);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("peers_hello");
	TCase *tc = tcase_create("peers_hello");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_rtt_and_offset);
	tcase_add_test(tc, test_pages_merge);
	tcase_add_test(tc, test_groups_are_bounded);
	tcase_add_test(tc, test_old_hello);
	tcase_add_test(tc, test_echoes);
	tcase_add_test(tc, test_length_by_link);
	tcase_add_test(tc, test_datagram_max);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
