/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What other nodes can make the stream's parts do. The input is a script: datagrams as they are,
 * or payloads that get a right seal of one of a few sessions, between steps of the clock. They go
 * the engine's way: peers first, then, of proven sessions only, sender, receiver and repair.
 * Bounds and orders that the headers promise are checked after each step.
 */
#include <assert.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "syncd/stream/peers.h"
#include "syncd/stream/receiver.h"
#include "syncd/stream/repair.h"
#include "syncd/stream/sender.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ME = 1, MY_SESSION = 1, FLOWS = 200, STEPS_MAX = 400, ANY_MAX = 32 + 2 * NODES_MAX };

enum step {
	STEP_TIME,
	STEP_TICK,
	STEP_SPEAK,
	STEP_RAW,
	STEP_SEALED,
	STEP_SEND,
	STEP_REPAIR,
	STEPS
};

struct script {
	const uint8_t *p, *end;
};

struct node {
	struct peers *peers;
	struct sender *sender;
	struct receiver *receiver; /* of node 2, session 1 */
	struct repair_client *client;
	struct repair_server *server;
	struct table *table;
	uint64_t now_us, control;
	struct group_key key;
};

static struct digest_key digest_key;
static struct table *shared_table;

static uint64_t take(struct script *s, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | (s->p < s->end ? *s->p++ : 0);
	return v;
}

static size_t take_bytes(struct script *s, uint8_t *out, size_t max)
{
	size_t len = take(s, 2) % (max + 1);

	if (len > (size_t)(s->end - s->p))
		len = (size_t)(s->end - s->p);
	memcpy(out, s->p, len);
	s->p += len;
	return len;
}

static void on_send(void *ctx, const uint8_t *dgram, size_t len)
{
	(void)ctx;
	(void)dgram;
	assert(len >= FRAME_OVERHEAD && len <= DATAGRAM_MAX);
}

/* A table of plain flows, the same each time. */
static struct table *make_table(void)
{
	static const uint8_t secret[32] = "fuzz";
	struct table *t;

	digest_key_derive(&digest_key, secret);
	t = table_new(&digest_key, 1000);
	for (uint16_t i = 0; t && i < FLOWS; i++) {
		struct flow f = {.key = {.addr_len = 4, .l4proto = 17, .sport = i, .dport = 53}};
		uint8_t buf[FLOW_MAX];
		int n;

		f.key.src.b[0] = 10;
		f.key.dst.b[0] = 11;
		flow_mirror_reply(&f);
		n = flow_encode(&f, buf);
		assert(n > 0);
		(void)table_put(t, buf, (size_t)n, TABLE_NONE);
	}
	return t;
}

static void node_init(struct node *n)
{
	struct sender_config sc = {.node = ME,
				   .session = MY_SESSION,
				   .retain = 64,
				   .retain_bytes = 1 << 16,
				   .stall_us = 50000};
	const struct sender_io io = {.send = on_send};
	struct peers_config pc = {.node = ME, .session = MY_SESSION, .keys = 1};

	memset(n, 0, sizeof(*n));
	n->key.id = 1;
	pc.key = &n->key;
	n->peers = peers_new(&pc);
	n->sender = sender_new(&sc, &io);
	n->receiver = receiver_new(2, 1, 0, 1);
	n->client = repair_client_new(1);
	n->server = repair_server_new();
	/* Nothing here changes it. */
	if (!shared_table)
		shared_table = make_table();
	n->table = shared_table;
	assert(n->peers && n->sender && n->receiver && n->client && n->server && n->table);
	n->now_us = 1000000;
}

static void node_fini(struct node *n)
{
	peers_free(n->peers);
	sender_free(n->sender);
	receiver_free(n->receiver);
	repair_client_free(n->client);
	repair_server_free(n->server);
}

static void on_payload(struct node *n)
{
	const uint8_t *payload;
	uint64_t counter, before = receiver_applied(n->receiver);
	size_t len;
	bool gap;

	while (receiver_next(n->receiver, &payload, &len, &counter, &gap)) {
		struct data_info info;
		struct data_iter it;

		assert(counter > before && (gap || counter == before + 1));
		before = counter;
		if (data_read(payload, len, &info))
			continue;
		if (info.has_range)
			repair_client_on_range(n->client, info.range, info.puts, len, n->now_us);
		data_iter_init(&it, payload, len);
		for (enum data_piece p; (p = data_iter_next(&it)) != DATA_END;)
			if (p == DATA_DIGESTS)
				repair_client_on_digests(n->client, n->table, &it.digests,
							 n->now_us);
		if (info.has_check)
			(void)repair_client_on_check(n->client, n->table, &info.check, REPAIR_CHECK,
						     n->now_us);
	}
}

static void on_control(struct node *n, struct peer *from, const struct control *c, uint64_t counter)
{
	if (c->kind == CONTROL_HELLO) {
		(void)peers_on_hello(n->peers, from, &c->hello, counter, n->now_us, n->now_us);
		if (from->proven)
			receiver_on_tail(n->receiver, from->last_data, from->oldest_data,
					 n->now_us);
	}
	if (!from->proven)
		return;
	switch ((enum control_kind)c->kind) {
	case CONTROL_HELLO:
	case CONTROL_OFFER:
		break;
	case CONTROL_STATUS:
		sender_on_status(n->sender, from->node, from->session, &c->status, n->now_us);
		break;
	case CONTROL_NAK:
		sender_on_nak(n->sender, &c->nak, n->now_us);
		receiver_on_foreign_nak(n->receiver, &c->nak, n->now_us);
		break;
	case CONTROL_REPAIR:
		repair_server_on_request(n->server, &c->repair, n->now_us);
		break;
	}
}

static void hear(struct node *n, const uint8_t *dgram, size_t len)
{
	static uint8_t payload[DATAGRAM_MAX];
	static struct control c;
	struct peers_opened in;
	int got = peers_open(n->peers, dgram, len, n->now_us, payload, &in);

	if (got < 0)
		return;
	assert((size_t)got + FRAME_OVERHEAD == len && in.from->node == in.header.node &&
	       in.header.node != ME);
	if (in.header.kind == FRAME_CONTROL) {
		if (!control_read(payload, (size_t)got, &c))
			on_control(n, in.from, &c, in.header.counter);
	} else if (in.from->proven && in.from->node == 2 && in.from->session == 1) {
		(void)receiver_on_data(n->receiver, in.header.counter, payload, (size_t)got,
				       n->now_us);
		on_payload(n);
	}
}

/* Seals what the script holds as one of four nodes (the first has our id) and four sessions. */
static void hear_sealed(struct node *n, struct script *s)
{
	static uint8_t dgram[DATAGRAM_MAX];
	uint8_t who = (uint8_t)take(s, 1);
	const struct frame_header h = {
		.kind = who & 16 ? FRAME_DATA : FRAME_CONTROL,
		.key_id = 1,
		.node = (uint16_t)(ME + (who & 3)),
		.session = 1 + (who >> 2 & 3),
		.counter = take(s, who & 32 ? 8 : 1),
	};
	size_t len = take_bytes(s, dgram + FRAME_HEADER_LEN, sizeof(dgram) - FRAME_OVERHEAD);
	struct seal_key key;

	seal_key_derive(&key, &n->key, h.node, h.session);
	hear(n, dgram, seal(&key, &h, dgram, len));
}

static void send_something(struct node *n, size_t len)
{
	static struct nak nak;
	uint64_t next_us;

	memset(sender_payload(n->sender), 1, len);
	if (sender_window(n->sender, n->now_us) > 0)
		(void)sender_data(n->sender, len, n->now_us);
	if (receiver_nak(n->receiver, n->now_us, &nak, &next_us)) {
		assert(nak.n > 0 && nak.n <= NAK_RANGES_MAX);
		for (uint32_t i = 0; i < nak.n; i++)
			assert(nak.missing[i].count > 0 &&
			       nak.missing[i].first > receiver_applied(n->receiver));
	}
}

static void serve(struct node *n)
{
	static struct repair_request req;
	uint8_t buf[DATAGRAM_START];
	struct data_writer w;
	uint64_t next_us;

	data_begin(&w, buf, sizeof(buf), n->now_us, 1, 1);
	if (repair_server_pack(n->server, n->table, &w, n->now_us)) {
		struct data_info info;
		int bad = data_read(buf, w.len, &info);

		assert(!bad);
	}
	if (repair_client_request(n->client, n->now_us, &req, &next_us))
		assert(req.n > 0 && req.n <= REPAIR_RANGES_MAX);
}

static void check_bounds(struct node *n)
{
	static struct hello hello;
	unsigned any = 0, proven = 0;

	for (struct peer *p = peers_next(n->peers, NULL, true); p;
	     p = peers_next(n->peers, p, true)) {
		any++;
		proven += p->proven;
		assert(p->node != ME || !p->proven);
		assert(p->groups <= GROUPS_MAX);
		for (size_t i = 1; i < p->groups; i++)
			assert(p->group[i - 1].id < p->group[i].id);
	}
	assert(any <= ANY_MAX && proven < NODES_MAX);
	peers_fill_echoes(n->peers, &hello, n->now_us);
	assert(hello.echoes <= NODES_MAX);
	assert(peers_datagram_max(n->peers) >= DATAGRAM_START &&
	       peers_datagram_max(n->peers) <= DATAGRAM_MAX);
	assert(receiver_window(n->receiver) <= REORDER_MAX);
	assert(sender_last(n->sender) + 1 - sender_oldest(n->sender) <= 64);
}

static void step(struct node *n, struct script *s)
{
	static uint8_t raw[DATAGRAM_MAX];

	switch ((enum step)(take(s, 1) % STEPS)) {
	case STEP_TIME:
		n->now_us += take(s, 2) * 100;
		break;
	case STEP_TICK:
		peers_tick(n->peers, n->now_us, NULL, NULL);
		sender_tick(n->sender, n->now_us);
		break;
	case STEP_SPEAK:
		peers_control_sent(n->peers, ++n->control, n->now_us);
		break;
	case STEP_RAW:
		hear(n, raw, take_bytes(s, raw, sizeof(raw)));
		break;
	case STEP_SEALED:
		hear_sealed(n, s);
		break;
	case STEP_SEND:
		send_something(n, take(s, 2) % (sender_payload_max(n->sender) + 1));
		break;
	case STEP_REPAIR:
		serve(n);
		break;
	case STEPS:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {data, data + size};
	struct node n;

	node_init(&n);
	for (unsigned i = 0; i < STEPS_MAX && s.p < s.end; i++) {
		step(&n, &s);
		check_bounds(&n);
	}
	node_fini(&n);
	return 0;
}
