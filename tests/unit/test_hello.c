// SPDX-License-Identifier: GPL-2.0-or-later
/* The longest hellos that an engine may have to send, in the shortest datagrams that may be had. */
#include <assert.h>
#include <check.h>
#include <string.h>

#include "tests/lib/lone_engine.h"
#include "tests/lib/suite.h"

enum { GROUPS = 40, PAGE = 10, FIRST_GROUP = 65000, NODE = 65535 };
#define LARGE (UINT64_MAX - 1000)

static const struct engine_now start = {.mono_us = 10 * S_US, .wall_us = LARGE};
static struct engine_group_config group[GROUPS];
static struct engine *engine;
static struct control heard;
static bool paged[64];
static uint64_t position[GROUPS]; /* as told */
static unsigned hellos;

static void on_send(void *ctx, const uint8_t *dgram, size_t len)
{
	uint8_t payload[DATAGRAM_MAX];
	struct frame_header h;
	struct seal_key k;
	int n;

	(void)ctx;
	ck_assert_uint_le(len, DATAGRAM_START);
	ck_assert_int_eq(frame_header_read(dgram, len, &h), 0);
	seal_key_derive(&k, &lone_engine_key, h.node, h.session);
	n = seal_open(&k, &h, dgram, len, payload);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(control_read(payload, (size_t)n, &heard), 0);
	if (heard.kind != CONTROL_HELLO)
		return;
	ck_assert_uint_lt(heard.hello.page, 64);
	ck_assert(!paged[heard.hello.page]);
	paged[heard.hello.page] = true;
	for (unsigned i = 0; i < heard.hello.groups; i++)
		position[heard.hello.group[i].id - FIRST_GROUP] = heard.hello.group[i].position;
	hellos++;
}

static void up(void)
{
	struct engine_config cfg = {
		.node = NODE,
		.session = LARGE,
		.group = group,
		.groups = GROUPS,
		.max_flows = 1000,
		.datagram_max = DATAGRAM_START,
	};

	memset(cfg.name, 'n', NODE_NAME_MAX - 1);
	for (unsigned i = 0; i < GROUPS; i++)
		group[i] =
			(struct engine_group_config){.id = FIRST_GROUP + i, .fingerprint = LARGE};
	engine = lone_engine_new(&cfg, on_send);
}

static void down(void)
{
	engine_free(engine);
}

static void hear(const struct control *c, uint16_t node, uint64_t counter)
{
	lone_engine_hear_control(
		engine, (struct frame_header){.node = node, .session = LARGE, .counter = counter},
		c, start);
}

/* A node that hears us is active in all groups, and far in its stream. */
static void hear_active(uint16_t node)
{
	for (unsigned page = 0; page < GROUPS / PAGE; page++) {
		struct control c = {.kind = CONTROL_HELLO,
				    .hello = {.page = page,
					      .pages = GROUPS / PAGE,
					      .last_data = LARGE,
					      .oldest_data = LARGE,
					      .echoes = 1,
					      .echo = {{NODE, LARGE, 1, 0, DATAGRAM_START}},
					      .groups = PAGE}};

		for (unsigned i = 0; i < PAGE; i++)
			c.hello.group[i] = (struct hello_group){.id = FIRST_GROUP + page * PAGE + i,
								.role = ROLE_ACTIVE,
								.state = STATE_ACTIVE,
								.term = {LARGE, node}};
		hear(&c, node, LARGE + page);
	}
}

/* Every number as long as it may be: all groups are told of, and no hello is too long to be sent.
 */
START_TEST(test_longest)
{
	const struct engine_now later = {.mono_us = start.mono_us + FRESH_US - 1, .wall_us = LARGE};
	struct control former = {.kind = CONTROL_HELLO, .hello = {.pages = 1}};

	for (unsigned i = 0; i < GROUPS; i++)
		engine_restore(engine, FIRST_GROUP + i, (struct term){0}, ROLE_STANDBY, false,
			       start);
	(void)engine_tick(engine, start); /* so that there is something to echo */
	hear_active(NODE - 1);
	for (uint16_t i = 2; i <= NODES_MAX; i++)
		hear(&former, (uint16_t)(NODE - i), LARGE); /* of sessions that have ended */
	hellos = 0;
	memset(paged, 0, sizeof(paged));
	(void)engine_tick(engine, later);
	ck_assert_uint_gt(hellos, 0);
	ck_assert_uint_eq(hellos, heard.hello.pages);
	for (unsigned i = 0; i < hellos; i++)
		ck_assert(paged[i]);
	for (unsigned i = 0; i < GROUPS; i++)
		ck_assert_msg(position[i] == LARGE, "group %u of %u", i, GROUPS);
	ck_assert_uint_eq(heard.hello.echoes, NODES_MAX);
}
END_TEST

/* The same with what this engine has not got: a split, a handover, many keys. */
START_TEST(test_bound)
{
	static struct control c = {.kind = CONTROL_HELLO};
	struct hello *h = &c.hello;
	uint8_t payload[DATAGRAM_START - FRAME_OVERHEAD];

	*h = (struct hello){.sent_us = LARGE,
			    .encoder = UINT32_MAX,
			    .page = 63,
			    .pages = 64,
			    .last_data = LARGE,
			    .oldest_data = LARGE,
			    .digest_key_id = UINT32_MAX,
			    .groups = HELLO_GROUPS_SENT,
			    .keys = KEYS_MAX,
			    .echoes = NODES_MAX};
	memset(h->name, 'n', NODE_NAME_MAX - 1);
	memset(h->key_id, 0xff, sizeof(h->key_id));
	for (unsigned i = 0; i < NODES_MAX; i++)
		h->echo[i] = (struct hello_echo){NODE, LARGE, LARGE, FRESH_US, DATAGRAM_MAX};
	for (unsigned i = 0; i < HELLO_GROUPS_SENT; i++)
		h->group[i] = (struct hello_group){.id = NODE,
						   .role = ROLE_ACTIVE,
						   .state = STATE_ACTIVE,
						   .ready = true,
						   .complete = true,
						   .term = {LARGE, NODE},
						   .position = LARGE,
						   .fingerprint = LARGE,
						   .flows = UINT32_MAX,
						   .final_counter = LARGE,
						   .split = true,
						   .digest = LARGE};
	ck_assert_int_gt(control_write(&c, payload, sizeof(payload)), 0);
	static_assert(GROUPS_MAX <= 64 * HELLO_GROUPS_SENT, "as many pages as receivers take");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hello");
	TCase *tc = tcase_create("hello");

	tcase_add_checked_fixture(tc, up, down);
	tcase_add_test(tc, test_longest);
	tcase_add_test(tc, test_bound);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
