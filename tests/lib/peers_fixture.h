/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One node's peers and other nodes played by hand: the fixture of the peers' tests. To be included
 * once in a test program; what a test leaves unused costs nothing.
 */
#ifndef TESTS_LIB_PEERS_FIXTURE_H
#define TESTS_LIB_PEERS_FIXTURE_H

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

static inline const struct group_key *key_of(uint16_t id)
{
	return id == keys[0].id ? &keys[0] : &keys[1];
}

static inline void setup(void)
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

static inline void teardown(void)
{
	peers_free(p);
}

/* What this node sends every 100 ms. */
static inline void i_say(void)
{
	peers_control_sent(p, ++my_control, now_us);
}

static inline void seal_into(struct wire *w, struct other *o, enum frame_kind kind,
			     uint64_t counter, size_t len)
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

static inline void control_of(struct wire *w, struct other *o, const struct control *c)
{
	int n = control_write(c, w->bytes + FRAME_HEADER_LEN, WIRE_MAX - FRAME_OVERHEAD);

	ck_assert_int_gt(n, 0);
	seal_into(w, o, FRAME_CONTROL, ++o->control, (size_t)n);
}

static inline struct control *hello(struct other *o, uint64_t echoes, uint64_t held_us)
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
static inline int hear(const struct wire *w)
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

static inline int hear_hello(struct other *o, uint64_t echoes)
{
	struct wire w;

	control_of(&w, o, hello(o, echoes, 0));
	return hear(&w);
}

static inline int hear_data(struct other *o)
{
	struct wire w;

	memset(w.bytes, 0, sizeof(w.bytes));
	seal_into(&w, o, FRAME_DATA, ++o->data, 100);
	return hear(&w);
}

static unsigned gone_count;
static uint64_t gone_session;

static inline void on_gone(void *ctx, const struct peer *who)
{
	(void)ctx;
	gone_count++;
	gone_session = who->session;
}

static inline unsigned count(bool any)
{
	unsigned n = 0;

	for (struct peer *q = peers_next(p, NULL, any); q; q = peers_next(p, q, any))
		n++;
	return n;
}

static inline void prove(struct other *o)
{
	i_say();
	ck_assert_int_eq(hear_hello(o, my_control), 1);
}

#endif
