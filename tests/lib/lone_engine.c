/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See lone_engine.h. */
#include "tests/lib/lone_engine.h"

#include <assert.h>
#include <string.h>

const struct group_key lone_engine_key = {.id = 65535, .secret = {1}, .cluster_secret = {2}};

static void send_nowhere(void *ctx, const uint8_t *dgram, size_t len)
{
	(void)ctx, (void)dgram, (void)len;
}

static uint32_t classify(void *ctx, const struct flow_key *k)
{
	(void)ctx, (void)k;
	return 1;
}

static struct source *no_source(void *ctx, enum flow_kind kind)
{
	(void)ctx, (void)kind;
	return NULL;
}

static struct sink *no_sink(void *ctx, enum flow_kind kind)
{
	(void)ctx, (void)kind;
	return NULL;
}

static void on_term(void *ctx, uint32_t id, struct term highest, enum node_role role)
{
	(void)ctx, (void)id, (void)highest, (void)role;
}

static void on_state(void *ctx, uint32_t id, enum node_state from, enum node_state to,
		     const char *reason)
{
	(void)ctx, (void)id, (void)from, (void)to, (void)reason;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are struct engine_io's */
static void on_record(void *ctx, enum engine_record what, uint16_t node, uint64_t session,
		      uint64_t counter, const uint8_t *bytes, size_t len)
{
	(void)ctx, (void)what, (void)node, (void)session, (void)counter, (void)bytes, (void)len;
}

static void on_alarm(void *ctx, uint32_t id, const char *what)
{
	(void)ctx, (void)id, (void)what;
}

struct engine *lone_engine_new(struct engine_config *cfg,
			       void (*send)(void *ctx, const uint8_t *dgram, size_t len))
{
	const struct engine_io io = {
		.send = send ? send : send_nowhere,
		.classify = classify,
		.source = no_source,
		.sink = no_sink,
		.store_term = on_term,
		.on_state = on_state,
		.on_record = on_record,
		.on_alarm = on_alarm,
	};
	struct engine *e;

	cfg->key = &lone_engine_key;
	cfg->keys = 1;
	e = engine_new(cfg, &io);
	assert(e);
	return e;
}

void lone_engine_hear(struct engine *e, struct frame_header h, const uint8_t *payload, size_t len,
		      struct engine_now now)
{
	uint8_t dgram[DATAGRAM_MAX];
	struct seal_key k;

	assert(len <= sizeof(dgram) - FRAME_OVERHEAD);
	h.key_id = lone_engine_key.id;
	memcpy(dgram + FRAME_HEADER_LEN, payload, len);
	seal_key_derive(&k, &lone_engine_key, h.node, h.session);
	engine_on_datagram(e, dgram, seal(&k, &h, dgram, len), now);
}

void lone_engine_hear_control(struct engine *e, struct frame_header h, const struct control *c,
			      struct engine_now now)
{
	uint8_t payload[DATAGRAM_START - FRAME_OVERHEAD];
	int n = control_write(c, payload, sizeof(payload));

	assert(n > 0);
	h.kind = FRAME_CONTROL;
	lone_engine_hear(e, h, payload, (size_t)n, now);
}
