/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/stream_loop.h"

#include <assert.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { NODE = 1, SESSION = 77, TO_SENDER = -1 };

/* What flies: sealed data to a receiver, or a receiver's control to the sender and the others. */
struct stream_datagram {
	uint64_t arrives_us;
	int to; /* receiver, or TO_SENDER */
	enum { FLY_DATA, FLY_STATUS, FLY_NAK, FLY_TAIL } kind;
	int from;
	size_t len;
	union {
		struct status status;
		struct nak nak;
		struct {
			uint64_t last, oldest;
		} tail;
	};
	uint8_t *bytes;
};

static struct stream_datagram *fly(struct stream_loop *l, int to)
{
	struct stream_datagram *d;

	if (l->cut || rng_below(l->rng, 1000) < l->loss_per_mille)
		return NULL;
	if (l->flights == l->flights_cap) {
		l->flights_cap = l->flights_cap ? 2 * l->flights_cap : 1024;
		l->flying = realloc(l->flying, l->flights_cap * sizeof(*l->flying));
		assert(l->flying);
	}
	d = &l->flying[l->flights++];
	memset(d, 0, sizeof(*d));
	d->arrives_us = l->now_us + l->delay_us + rng_below(l->rng, l->jitter_us + 1);
	d->to = to;
	return d;
}

static void on_send(void *ctx, const uint8_t *dgram, size_t len)
{
	struct stream_loop *l = ctx;

	for (size_t i = 0; i < l->receivers; i++) {
		unsigned copies = 1 + (rng_below(l->rng, 1000) < l->duplicate_per_mille);

		for (unsigned c = 0; c < copies; c++) {
			struct stream_datagram *d = fly(l, (int)i);

			if (!d)
				continue;
			d->kind = FLY_DATA;
			d->len = len;
			d->bytes = malloc(len);
			assert(d->bytes);
			memcpy(d->bytes, dgram, len);
		}
	}
}

void stream_loop_init(struct stream_loop *l, struct rng *rng, size_t receivers,
		      const struct sender_config *cfg)
{
	struct sender_config c = {0};
	const struct sender_io io = {on_send, l};

	memset(l, 0, sizeof(*l));
	l->rng = rng;
	l->now_us = 1000000;
	l->receivers = receivers;
	l->payload_len = 200;
	l->rate = 4;
	l->delay_us = 200;
	if (cfg)
		c = *cfg;
	c.node = NODE;
	c.session = SESSION;
	c.key.id = 1;
	rng_fill(rng, c.key.secret, sizeof(c.key.secret));
	if (!c.retain_bytes)
		c.retain_bytes = 16u << 20;
	if (!c.stall_us)
		c.stall_us = 50 * MS_US;
	seal_key_derive(&l->open_key, &c.key, NODE, SESSION);
	l->sender = sender_new(&c, &io);
	for (size_t i = 0; i < receivers; i++)
		l->at[i].r = receiver_new(NODE, SESSION, 0, rng_next(rng));
}

void stream_loop_fini(struct stream_loop *l)
{
	for (size_t i = 0; i < l->flights; i++)
		free(l->flying[i].bytes);
	free(l->flying);
	sender_free(l->sender);
	for (size_t i = 0; i < l->receivers; i++)
		receiver_free(l->at[i].r);
}

static void take_payloads(struct stream_loop *l, size_t i)
{
	unsigned taken = 0;
	const uint8_t *payload;
	uint64_t counter, says;
	size_t len;
	bool gap;

	while ((l->at[i].take_max == 0 || taken++ < l->at[i].take_max) &&
	       receiver_next(l->at[i].r, &payload, &len, &counter, &gap)) {
		memcpy(&says, payload, sizeof(says));
		ck_assert_uint_eq(says, counter);
		ck_assert_uint_ge(len, sizeof(says));
		for (size_t k = sizeof(says); k < len; k += 97)
			ck_assert_uint_eq(payload[k], (uint8_t)(counter + k));
		if (gap) {
			l->at[i].gaps++;
			l->at[i].lost += counter - l->at[i].last_handed - 1;
		} else {
			ck_assert_uint_eq(counter, l->at[i].last_handed + 1);
		}
		l->at[i].last_handed = counter;
	}
}

static void arrive(struct stream_loop *l, struct stream_datagram *d)
{
	uint8_t payload[DATAGRAM_MAX];
	struct frame_header h;
	int n;

	if (d->to == TO_SENDER) {
		if (d->kind == FLY_STATUS)
			sender_on_status(l->sender, (uint16_t)(10 + d->from), 1, &d->status,
					 l->now_us);
		else
			sender_on_nak(l->sender, &d->nak, l->now_us);
		return;
	}
	if (l->at[d->to].paused)
		return;
	if (d->kind == FLY_TAIL) {
		receiver_on_tail(l->at[d->to].r, d->tail.last, d->tail.oldest, l->now_us);
	} else if (d->kind == FLY_NAK) {
		receiver_on_foreign_nak(l->at[d->to].r, &d->nak, l->now_us);
	} else {
		ck_assert_int_eq(frame_header_read(d->bytes, d->len, &h), 0);
		n = seal_open(&l->open_key, &h, d->bytes, d->len, payload);
		ck_assert_int_ge(n, 0);
		(void)receiver_on_data(l->at[d->to].r, h.counter, payload, (size_t)n, l->now_us);
	}
}

static void deliver(struct stream_loop *l)
{
	for (size_t i = 0; i < l->flights;) {
		struct stream_datagram d = l->flying[i];

		if (d.arrives_us > l->now_us) {
			i++;
			continue;
		}
		/* The order of the rest is kept, or everything would be reordered. */
		memmove(&l->flying[i], &l->flying[i + 1],
			(--l->flights - i) * sizeof(l->flying[0]));
		arrive(l, &d);
		free(d.bytes);
	}
}

static void receiver_turn(struct stream_loop *l, size_t i)
{
	struct stream_datagram *d;
	struct nak nak;

	if (l->at[i].paused)
		return;
	take_payloads(l, i);
	while (l->now_us >= l->at[i].next_nak_us &&
	       receiver_nak(l->at[i].r, l->now_us, &nak, &l->at[i].next_nak_us)) {
		l->naks++;
		for (int to = TO_SENDER; to < (int)l->receivers; to++) {
			d = to == (int)i ? NULL : fly(l, to);
			if (!d)
				continue;
			d->kind = FLY_NAK;
			d->nak = nak;
		}
	}
	l->at[i].next_nak_us = 0; /* asked at every step, as after every batch of input */
	if (l->now_us < l->at[i].status_us)
		return;
	l->at[i].status_us = l->now_us + STATUS_INTERVAL_US;
	d = fly(l, TO_SENDER);
	if (!d)
		return;
	d->kind = FLY_STATUS;
	d->from = (int)i;
	d->status = (struct status){.node = NODE,
				    .session = SESSION,
				    .applied = receiver_applied(l->at[i].r),
				    .installed = receiver_applied(l->at[i].r),
				    .window = receiver_window(l->at[i].r)};
}

static void sender_turn(struct stream_loop *l)
{
	size_t window;

	sender_tick(l->sender, l->now_us);
	window = sender_window(l->sender, l->now_us);
	l->wanted += l->rate;
	if (l->wanted > l->total)
		l->wanted = l->total;
	for (; sender_last(l->sender) < l->wanted && window > 0; window--) {
		uint64_t counter = sender_last(l->sender) + 1;
		uint8_t *p = sender_payload(l->sender);

		memcpy(p, &counter, sizeof(counter));
		for (size_t k = sizeof(counter); k < l->payload_len; k++)
			p[k] = (uint8_t)(counter + k);
		ck_assert_uint_eq(sender_data(l->sender, l->payload_len, l->now_us), counter);
	}
	if (l->now_us < l->hello_us)
		return;
	l->hello_us = l->now_us + HELLO_INTERVAL_US;
	for (size_t i = 0; i < l->receivers; i++) {
		struct stream_datagram *d = fly(l, (int)i);

		if (!d)
			continue;
		d->kind = FLY_TAIL;
		d->tail.last = sender_last(l->sender);
		d->tail.oldest = sender_oldest(l->sender);
	}
}

void stream_loop_step(struct stream_loop *l)
{
	l->now_us += STREAM_STEP_US;
	deliver(l);
	sender_turn(l);
	for (size_t i = 0; i < l->receivers; i++)
		receiver_turn(l, i);
}

bool stream_loop_run(struct stream_loop *l, uint64_t total, uint64_t max_us)
{
	uint64_t end_us = l->now_us + max_us;

	l->total = total;
	while (l->now_us < end_us) {
		bool all = sender_last(l->sender) == total;

		stream_loop_step(l);
		for (size_t i = 0; i < l->receivers; i++)
			all = all && (l->at[i].paused || receiver_applied(l->at[i].r) == total);
		if (all)
			return true;
	}
	return false;
}
