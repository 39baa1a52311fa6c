// SPDX-License-Identifier: GPL-2.0-or-later
/* The deep comparison where a kernel's dump tells of thousands of flows before their events come.
 */
#include <check.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_tcp.h>
#include <netinet/in.h>

#include "tests/lib/suite.h"
#include "tests/sim/sim_node.h"

static struct sim_clock *world;
static struct sim_node *node;

static void on_send(void *ctx, struct sim_node *n, const uint8_t *dgram, size_t len)
{
	(void)ctx, (void)n, (void)dgram, (void)len;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are struct sim_node_io's */
static void on_record(void *ctx, struct sim_node *n, enum engine_record what, uint16_t from,
		      uint64_t session, uint64_t counter, const uint8_t *bytes, size_t len)
{
	(void)ctx, (void)n, (void)what, (void)from, (void)session;
	(void)counter, (void)bytes, (void)len;
}

static void on_state(void *ctx, struct sim_node *n, uint32_t group, enum node_state from,
		     enum node_state to, const char *reason)
{
	(void)ctx, (void)n, (void)group, (void)from, (void)to, (void)reason;
}

static void on_alarm(void *ctx, struct sim_node *n, uint32_t group, const char *what)
{
	(void)ctx, (void)n, (void)group, (void)what;
}

static void on_read(void *ctx, struct sim_node *n, const uint8_t *dgram, size_t len)
{
	(void)ctx, (void)n, (void)dgram, (void)len;
}

static void on_call(void *ctx, struct sim_node *n)
{
	(void)ctx, (void)n;
}

static void up(void)
{
	static const struct group_key key = {.id = 1};
	const struct sim_node_io io = {
		.send = on_send,
		.on_record = on_record,
		.on_state = on_state,
		.on_alarm = on_alarm,
		.on_spin = on_call,
		.on_start = on_call,
		.on_read = on_read,
		.after = on_call,
	};
	const struct sim_node_config cfg = {
		.id = 1,
		.seed = 1,
		.groups = 1,
		.key = &key,
		.max_flows = 1 << 20,
		.retain_bytes = 1 << 20,
		.datagram_max = 1400,
		.lease_s = 600,
		.true_s = 600,
	};
	const struct sim_kernel_faults none = {
		.event_max = SIZE_MAX, .flows_max = SIZE_MAX, .backlog_max = 1000};

	world = sim_clock_new();
	node = sim_node_new(world, &cfg, &io);
	for (unsigned k = 0; k < SIM_KINDS; k++)
		sim_kernel_set_faults(sim_node_kernel(node, (enum flow_kind)k), &none);
	sim_node_start(node, 0);
	sim_node_set_role(node, 1, ROLE_ACTIVE, "told to");
}

static void down(void)
{
	sim_node_free(node);
	sim_clock_free(world);
}

static void pass(uint64_t us)
{
	const uint64_t until_us = sim_clock_now(world) + us;

	while (sim_clock_step(world, until_us))
		continue;
}

static void flow_number(unsigned i, struct flow *f)
{
	*f = (struct flow){.key = {.kind = FLOW_CONNTRACK,
				   .l4proto = IPPROTO_TCP,
				   .addr_len = 4,
				   .src = {.b = {10, 0, (uint8_t)(i >> 16), 1}},
				   .dst = {.b = {203, 0, 113, 1}}}};
	f->key.sport = (uint16_t)i;
	f->key.dport = 80;
	f->ct.state = TCP_CONNTRACK_ESTABLISHED;
}

/* Flows that are born while the audit's dump runs: half of them are in it, all have an event. */
static const struct audit_group *deep(unsigned born)
{
	struct sim_kernel *kernel = sim_node_kernel(node, FLOW_CONNTRACK);
	const struct audit_result *r;
	uint64_t dumps;
	struct flow f;

	pass(S_US);
	dumps = sim_kernel_stats(kernel)->dumps;
	sim_node_audit(node);
	while (sim_kernel_stats(kernel)->dumps == dumps)
		ck_assert(sim_clock_step(world, UINT64_MAX));
	for (unsigned i = 0; i < born; i++) {
		flow_number(i, &f);
		sim_kernel_write(kernel, &f, FLOW_PART_ALL, sim_clock_now(world) + 600 * S_US);
	}
	pass(S_US);
	r = engine_audit(sim_node_engine(node));
	ck_assert(!r->running && r->kernel);
	return &r->group[0];
}

static uint64_t found(const struct audit_group *g)
{
	uint64_t sum = 0;

	for (unsigned where = 0; where < AUDIT_WHERES; where++)
		for (unsigned what = 0; what < AUDIT_WHATS; what++)
			sum += g->found[where][what];
	return sum;
}

START_TEST(test_withdrawn)
{
	const struct audit_group *g = deep(16 * AUDIT_FINDINGS_MAX);

	ck_assert_uint_eq(found(g), 0);
	ck_assert_uint_eq(g->unsettled, 0);
	ck_assert_uint_eq(engine_audit(sim_node_engine(node))->findings, 0);
}
END_TEST

START_TEST(test_too_many)
{
	const struct audit_group *g = deep(8 * AUDIT_REMEMBERED_MAX);

	ck_assert_uint_gt(g->unsettled, 0);
	ck_assert_uint_eq(found(g), g->unsettled);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("deep");
	TCase *tc = tcase_create("events that come late");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, up, down);
	tcase_add_test(tc, test_withdrawn);
	tcase_add_test(tc, test_too_many);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
