/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Peers: who is let in, what proves a session and what does not, what a hello changes, and that
 * neither recordings nor forgeries nor floods change anything. Other nodes are played by hand.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/stream/peers.h"
#include "tests/lib/rng.h"

enum { ME = 1, WALL_OFFSET = 500, WIRE_MAX = 4096 };

#define START_US (100 * S_US)
#define WALL_US	 1795000000000000ull

static struct peers *p;
static struct group_key keys[2];
static struct rng rng;
static uint64_t now_us, my_control, my_session;
static uint8_t payload[DATAGRAM_MAX];
static struct peers_opened in;

/* Another node as this one hears it. */
struct other {
	uint16_t node;
	uint64_t session;
	uint64_t control, data;
	uint16_t key_id;
	size_t pad; /* added to each hello */
};

struct wire {
	uint8_t bytes[WIRE_MAX];
	size_t len;
};

static const struct group_key *key_of(uint16_t id)
{
	return id == keys[0].id ? &keys[0] : &keys[1];
}

static void setup(void)
{
	struct peers_config cfg = {.node = ME, .key = keys, .keys = 2};

	rng_init_env(&rng, "peers");
	my_session = cfg.session = rng_next(&rng); /* as at each start */
	for (unsigned i = 0; i < 2; i++) {
		keys[i].id = (uint16_t)(i + 1);
		memset(keys[i].secret, (int)i + 1, sizeof(keys[i].secret));
	}
	p = peers_new(&cfg);
	ck_assert_ptr_nonnull(p);
	now_us = START_US;
	my_control = 0;
}

static void teardown(void)
{
	peers_free(p);
}

/* What this node sends every 100 ms. */
static void i_say(void)
{
	peers_control_sent(p, ++my_control, now_us);
}

static void seal_into(struct wire *w, struct other *o, enum frame_kind kind, uint64_t counter,
		      size_t len)
{
	struct frame_header h = {.kind = (uint8_t)kind,
				 .key_id = o->key_id ? o->key_id : 1,
				 .node = o->node,
				 .session = o->session,
				 .counter = counter};
	struct seal_key key;

	seal_key_derive(&key, key_of(h.key_id), o->node, o->session);
	w->len = seal(&key, &h, w->bytes, len);
}

static void control_of(struct wire *w, struct other *o, const struct control *c)
{
	int n = control_write(c, w->bytes + FRAME_HEADER_LEN, WIRE_MAX - FRAME_OVERHEAD);

	ck_assert_int_gt(n, 0);
	seal_into(w, o, FRAME_CONTROL, ++o->control, (size_t)n);
}

static struct control *hello(struct other *o, uint64_t echoes, uint64_t held_us)
{
	static struct control c;

	memset(&c, 0, sizeof(c));
	c.kind = CONTROL_HELLO;
	c.hello.sent_us = WALL_US + now_us + WALL_OFFSET;
	c.hello.pages = 1;
	c.hello.last_data = o->data;
	c.hello.oldest_data = o->data ? 1 : 0;
	c.hello.keys = 1;
	c.hello.key_id[0] = 1;
	c.hello.pad = (uint32_t)o->pad;
	(void)snprintf(c.hello.name, sizeof(c.hello.name), "node-%u", o->node);
	if (echoes) {
		c.hello.echoes = 1;
		c.hello.echo[0] = (struct hello_echo){.node = ME,
						      .session = my_session,
						      .control_counter = echoes,
						      .held_us = (uint32_t)held_us,
						      .max_datagram = 1300};
	}
	return &c;
}

/* Hands a datagram to the node as the engine would. Returns what peers_open did, or for a hello
 * what peers_on_hello did. */
static int hear(const struct wire *w)
{
	static struct control c;
	int n = peers_open(p, w->bytes, w->len, now_us, payload, &in);

	if (n < 0)
		return n;
	if (in.header.kind != FRAME_CONTROL || control_read(payload, (size_t)n, &c) < 0 ||
	    c.kind != CONTROL_HELLO)
		return n;
	return peers_on_hello(p, in.from, &c.hello, in.header.counter, now_us, WALL_US + now_us);
}

static int hear_hello(struct other *o, uint64_t echoes)
{
	struct wire w;

	control_of(&w, o, hello(o, echoes, 0));
	return hear(&w);
}

static int hear_data(struct other *o)
{
	struct wire w;

	memset(w.bytes, 0, sizeof(w.bytes));
	seal_into(&w, o, FRAME_DATA, ++o->data, 100);
	return hear(&w);
}

static unsigned gone_count;
static uint64_t gone_session;

static void on_gone(void *ctx, const struct peer *who)
{
	(void)ctx;
	gone_count++;
	gone_session = who->session;
}

static unsigned count(bool any)
{
	unsigned n = 0;

	for (struct peer *q = peers_next(p, NULL, any); q; q = peers_next(p, q, any))
		n++;
	return n;
}

static void prove(struct other *o)
{
	i_say();
	ck_assert_int_eq(hear_hello(o, my_control), 1);
}

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

/* ---- what hellos say --------------------------------------------------------------------- */

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
	Suite *s = suite_create("peers");
	TCase *tc = tcase_create("peers");
	SRunner *sr;
	int failed;

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
	tcase_add_test(tc, test_rtt_and_offset);
	tcase_add_test(tc, test_pages_merge);
	tcase_add_test(tc, test_groups_are_bounded);
	tcase_add_test(tc, test_old_hello);
	tcase_add_test(tc, test_echoes);
	tcase_add_test(tc, test_datagram_max);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
