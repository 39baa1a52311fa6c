/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The simulation's own pieces: what cannot be trusted here proves nothing there. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/random_flow.h"
#include "tests/lib/suite.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_kernel.h"
#include "tests/sim/sim_map.h"
#include "tests/sim/sim_net.h"

/* ---- clock ---- */

struct calls {
	struct sim_clock *clock;
	uint64_t tag[8], at_us[8];
	size_t n;
};

static void note_call(void *ctx, uint64_t tag, void *arg)
{
	struct calls *c = ctx;

	(void)arg;
	c->tag[c->n] = tag;
	c->at_us[c->n++] = sim_clock_now(c->clock);
}

START_TEST(test_clock_order)
{
	struct calls c = {.clock = sim_clock_new()};

	sim_clock_at(c.clock, 30, note_call, &c, 3, malloc(8));
	sim_clock_at(c.clock, 10, note_call, &c, 1, NULL);
	sim_clock_at(c.clock, 30, note_call, &c, 4, NULL);
	sim_clock_at(c.clock, 20, note_call, &c, 2, NULL);
	sim_clock_at(c.clock, 99, note_call, &c, 9, malloc(8));
	while (sim_clock_step(c.clock, 50))
		continue;
	ck_assert_uint_eq(c.n, 4);
	for (size_t i = 0; i < c.n; i++)
		ck_assert_uint_eq(c.tag[i], i + 1);
	ck_assert_uint_eq(c.at_us[3], 30);
	ck_assert_uint_eq(sim_clock_now(c.clock), 50);
	sim_clock_free(c.clock);
}
END_TEST

/* ---- map ---- */

START_TEST(test_map_against_array)
{
	bool there[200] = {0};
	struct sim_map *m = sim_map_new(NULL);
	struct sim_rng r;
	size_t count = 0;

	sim_rng_init(&r, 7, 7);
	for (int i = 0; i < 20000; i++) {
		uint8_t k = (uint8_t)sim_rng_below(&r, 200);

		if (sim_rng_chance(&r, 500)) {
			sim_map_put(m, &k, 1, &there[k]);
			count += !there[k];
			there[k] = true;
		} else {
			ck_assert_int_eq(sim_map_del(m, &k, 1), there[k]);
			count -= there[k];
			there[k] = false;
		}
		ck_assert_uint_eq(sim_map_count(m), count);
		k = (uint8_t)sim_rng_below(&r, 200);
		ck_assert_ptr_eq(sim_map_get(m, &k, 1), there[k] ? &there[k] : NULL);
	}
	sim_map_free(m);
}
END_TEST

/* ---- wire ---- */

struct wire {
	struct sim_clock *clock;
	struct sim_net *net;
	uint64_t trace, arrived;
	bool damaged;
};

static void on_arrival(void *ctx, unsigned to, const uint8_t *dgram, size_t len)
{
	struct wire *w = ctx;

	w->arrived++;
	w->trace = w->trace * 31 + sim_clock_now(w->clock) * 7 + to + len;
	for (size_t i = 0; i < len; i++)
		w->damaged |= dgram[i] != 0x55;
	w->damaged |= len != 100;
}

static struct wire run_wire(uint64_t seed, const struct sim_net_faults *f)
{
	struct wire w = {.clock = sim_clock_new()};
	struct sim_net_io io = {.deliver = on_arrival, .ctx = &w};
	uint8_t dgram[100];

	memset(dgram, 0x55, sizeof dgram);
	w.net = sim_net_new(w.clock, seed, 3, &io);
	sim_net_set_faults(w.net, f);
	for (int i = 0; i < 1000; i++) {
		sim_net_send(w.net, (unsigned)i % 3, dgram, sizeof dgram);
		while (sim_clock_step(w.clock, (uint64_t)i * 100))
			continue;
	}
	while (sim_clock_step(w.clock, S_US))
		continue;
	sim_net_free(w.net);
	sim_clock_free(w.clock);
	return w;
}

static const struct sim_net_faults rough = {
	.loss = 200,
	.burst = 10,
	.burst_max = 5,
	.duplicate = 50,
	.reorder = 100,
	.reorder_us = 5000,
	.corrupt = 50,
	.truncate = 20,
	.loop = 100,
	.delay_us = {10, 500},
	.replay = 100,
};

START_TEST(test_wire_is_one_story)
{
	struct wire a = run_wire(1, &rough), b = run_wire(1, &rough), c = run_wire(2, &rough);

	ck_assert_uint_eq(a.trace, b.trace);
	ck_assert_uint_ne(a.trace, c.trace);
	ck_assert(a.damaged);
}
END_TEST

START_TEST(test_wire_fair)
{
	struct sim_net_faults fair = {.delay_us = {10, 50}};
	struct wire w = run_wire(1, &fair);

	ck_assert_uint_eq(w.arrived, 2000);
	ck_assert(!w.damaged);
	fair.loss = 400;
	w = run_wire(1, &fair);
	ck_assert_uint_gt(w.arrived, 1100);
	ck_assert_uint_lt(w.arrived, 1300);
}
END_TEST

START_TEST(test_wire_cut_has_a_direction)
{
	struct wire w = {.clock = sim_clock_new()};
	struct sim_net_io io = {.deliver = on_arrival, .ctx = &w};
	uint8_t dgram[1400] = {0};

	w.net = sim_net_new(w.clock, 1, 2, &io);
	sim_net_cut(w.net, 0, 1);
	sim_net_cut(w.net, 0, 1);
	sim_net_join(w.net, 0, 1);
	sim_net_send(w.net, 0, dgram, 10);
	sim_net_send(w.net, 1, dgram, 10);
	sim_net_send(w.net, 1, dgram, sizeof dgram); /* longer than the wire takes */
	while (sim_clock_step(w.clock, S_US))
		continue;
	ck_assert_uint_eq(w.arrived, 1);
	ck_assert(sim_net_is_cut(w.net, 0, 1) && !sim_net_is_cut(w.net, 1, 0));
	sim_net_free(w.net);
	sim_clock_free(w.clock);
}
END_TEST

/* ---- kernel ---- */

struct box {
	struct sim_clock *clock;
	struct sim_kernel *kernel;
	struct source *source;
	struct sink *sink;
	unsigned events, destroys, records, ends, overruns, results, refused;
	int end_err, last_err;
	unsigned parts;
	bool live;
};

static void on_readable(void *ctx, uint64_t delay_us)
{
	(void)ctx;
	(void)delay_us;
}

static void on_event(void *ctx, enum flow_event what, const struct flow *f, unsigned parts,
		     bool live)
{
	struct box *b = ctx;

	ck_assert_int_eq(f->key.kind, FLOW_CONNTRACK);
	b->events++;
	b->destroys += what == FLOW_DESTROY;
	b->parts = parts;
	b->live = live;
}

static void on_dump(void *ctx, const struct flow *f, bool ours)
{
	struct box *b = ctx;

	(void)f;
	(void)ours;
	b->records++;
}

static void on_dump_end(void *ctx, int err)
{
	struct box *b = ctx;

	b->ends++;
	b->end_err = err;
}

static void on_overrun(void *ctx)
{
	struct box *b = ctx;

	b->overruns++;
}

static void on_result(void *ctx, enum sink_op op, const struct flow *f, int err)
{
	struct box *b = ctx;

	(void)op;
	(void)f;
	b->results++;
	b->refused += err != 0;
	b->last_err = err;
}

static struct box *box_new(void)
{
	struct box *b = calloc(1, sizeof *b);
	struct sim_kernel_io io = {.readable = on_readable, .ctx = b};
	struct source_events se = {.on_event = on_event,
				   .on_dump = on_dump,
				   .on_dump_end = on_dump_end,
				   .on_overrun = on_overrun,
				   .ctx = b};
	struct sink_events ke = {on_result, b};
	struct sim_kernel_timeouts t = {.lease_us = 2 * S_US, .true_us = S_US};

	b->clock = sim_clock_new();
	b->kernel = sim_kernel_new(b->clock, FLOW_CONNTRACK, 1, &io);
	b->source = sim_kernel_source(b->kernel, &se);
	b->sink = sim_kernel_sink(b->kernel, &ke, &t);
	return b;
}

static void box_free(struct box *b)
{
	b->source->ops->free(b->source);
	b->sink->ops->free(b->sink);
	sim_kernel_free(b->kernel);
	sim_clock_free(b->clock);
	free(b);
}

static void poll_all(struct box *b)
{
	(void)sim_clock_step(b->clock, sim_clock_now(b->clock) + 1000);
	while (b->source->ops->poll(b->source, 3, 0) > 0)
		continue;
	(void)b->sink->ops->poll(b->sink, 0);
}

static void submit(struct box *b, enum sink_op op, uint32_t i)
{
	struct flow f;

	numbered_flow(i, &f);
	ck_assert_int_eq(b->sink->ops->submit(b->sink, op, &f), 0);
}

static void write_flow(struct box *b, uint32_t i, unsigned parts)
{
	struct flow f;

	numbered_flow(i, &f);
	sim_kernel_write(b->kernel, &f, parts, sim_clock_now(b->clock) + S_US);
}

START_TEST(test_kernel_tells_what_is_listened_to)
{
	struct box *b = box_new();
	struct flow f;

	numbered_flow(1, &f);
	write_flow(b, 1, FLOW_PART_ALL);
	poll_all(b);
	ck_assert_uint_eq(b->events, 0);
	b->source->ops->listen(b->source, SOURCE_ALL);
	write_flow(b, 1, FLOW_PART_MARK);
	poll_all(b);
	ck_assert_uint_eq(b->events, 1);
	ck_assert_uint_eq(b->parts, FLOW_PART_MARK);
	b->source->ops->listen(b->source, SOURCE_DESTROY);
	write_flow(b, 2, FLOW_PART_ALL);
	ck_assert(sim_kernel_destroy(b->kernel, &f.key, true));
	ck_assert(!sim_kernel_destroy(b->kernel, &f.key, true));
	poll_all(b);
	ck_assert_uint_eq(b->events, 2);
	ck_assert_uint_eq(b->destroys, 1);
	ck_assert(b->live);
	box_free(b);
}
END_TEST

START_TEST(test_kernel_overrun)
{
	struct box *b = box_new();
	struct sim_kernel_faults f = {.event_max = 5, .flows_max = SIZE_MAX, .backlog_max = 10};

	sim_kernel_set_faults(b->kernel, &f);
	b->source->ops->listen(b->source, SOURCE_ALL);
	for (uint32_t i = 0; i < 20; i++)
		write_flow(b, i, FLOW_PART_ALL);
	poll_all(b);
	ck_assert_uint_eq(b->events, 5);
	ck_assert_uint_eq(b->overruns, 1);
	ck_assert_uint_eq(sim_kernel_stats(b->kernel)->lost, 15);
	box_free(b);
}
END_TEST

START_TEST(test_kernel_dump)
{
	struct box *b = box_new();
	struct sim_kernel_faults f = {
		.event_max = 500, .flows_max = SIZE_MAX, .backlog_max = 10, .interrupt = 1000};

	for (uint32_t i = 0; i < 100; i++)
		write_flow(b, i, FLOW_PART_ALL);
	ck_assert_int_eq(b->source->ops->dump(b->source), 0);
	ck_assert_int_eq(b->source->ops->dump(b->source), -EBUSY);
	poll_all(b);
	ck_assert_uint_eq(b->records, 100);
	ck_assert_uint_eq(b->ends, 1);
	ck_assert_int_eq(b->end_err, 0);
	sim_kernel_set_faults(b->kernel, &f);
	ck_assert_int_eq(b->source->ops->dump(b->source), 0);
	poll_all(b);
	ck_assert_uint_eq(b->ends, 2);
	ck_assert_int_eq(b->end_err, -EINTR);
	ck_assert_uint_le(b->records, 200);
	box_free(b);
}
END_TEST

START_TEST(test_kernel_sink)
{
	struct box *b = box_new();
	struct sim_kernel_faults f = {.event_max = 500, .flows_max = 1, .backlog_max = 3};

	b->source->ops->listen(b->source, SOURCE_ALL);
	sim_kernel_set_faults(b->kernel, &f);
	submit(b, SINK_PUT, 1);
	submit(b, SINK_PUT, 2);
	submit(b, SINK_RENEW, 2);
	{
		struct flow more;

		numbered_flow(3, &more);
		ck_assert_int_eq(b->sink->ops->submit(b->sink, SINK_PUT, &more), -EAGAIN);
	}
	ck_assert_uint_eq(sim_kernel_count(b->kernel), 0);
	b->sink->ops->flush(b->sink, 0);
	ck_assert_uint_eq(sim_kernel_count(b->kernel), 1);
	ck_assert_uint_eq(b->sink->ops->pending(b->sink), 3);
	poll_all(b);
	ck_assert_uint_eq(b->results, 3);
	ck_assert_uint_eq(b->refused, 2);
	ck_assert_int_eq(b->last_err, -ENOENT);
	ck_assert_uint_eq(b->events, 0); /* its own changes are no news */
	box_free(b);
}
END_TEST

START_TEST(test_kernel_leases_end)
{
	struct box *b = box_new();

	b->source->ops->listen(b->source, SOURCE_DESTROY);
	submit(b, SINK_PUT, 1);
	submit(b, SINK_PUT, 2);
	b->sink->ops->flush(b->sink, 0);
	poll_all(b);
	(void)sim_clock_step(b->clock, S_US);
	submit(b, SINK_RENEW, 1);
	b->sink->ops->flush(b->sink, 0);
	(void)sim_clock_step(b->clock, 2 * S_US + 1000);
	sim_kernel_expire(b->kernel);
	poll_all(b);
	ck_assert_uint_eq(sim_kernel_count(b->kernel), 1);
	ck_assert_uint_eq(b->destroys, 1);
	ck_assert(!b->live);
	submit(b, SINK_EXPIRY, 1);
	b->sink->ops->flush(b->sink, 0);
	(void)sim_clock_step(b->clock, 4 * S_US);
	sim_kernel_expire(b->kernel);
	ck_assert_uint_eq(sim_kernel_count(b->kernel), 0);
	box_free(b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sim");
	TCase *t = tcase_create("sim");

	tcase_add_test(t, test_clock_order);
	tcase_add_test(t, test_map_against_array);
	tcase_add_test(t, test_wire_is_one_story);
	tcase_add_test(t, test_wire_fair);
	tcase_add_test(t, test_wire_cut_has_a_direction);
	tcase_add_test(t, test_kernel_tells_what_is_listened_to);
	tcase_add_test(t, test_kernel_overrun);
	tcase_add_test(t, test_kernel_dump);
	tcase_add_test(t, test_kernel_sink);
	tcase_add_test(t, test_kernel_leases_end);
	suite_add_tcase(s, t);
	return suite_run(s);
}
