/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All the flows of a drill: see fleet.h. */
#include "tests/drill/traffic/fleet.h"

#include "tests/drill/traffic/netns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define SECOND_NS  1000000000u
#define HANG_NS	   (10ull * SECOND_NS)
#define MAX_EVENTS 256
#define WAKE_RATE  20000u /* idle flows a second, so that many do not disturb those measured */
#define TURN_MAX   512	  /* timers a turn, so that answers are not left waiting */

int fleet_init(struct fleet *fleet, uint64_t seed)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	struct flow_env *env = &fleet->env;

	memset(fleet, 0, sizeof(*fleet));
	env->seed = seed;
	env->hang_ns = HANG_NS;
	env->timers = heap_new();
	env->scratch = malloc(FLOW_SCRATCH_BYTES);
	env->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!env->timers || !env->scratch || env->epoll < 0)
		return -ENOMEM;
	return epoll_ctl(env->epoll, EPOLL_CTL_ADD, 0, &ev) < 0 ? -errno : 0;
}

int fleet_add(struct fleet *fleet, const struct flow_group *spec, uint32_t rate)
{
	size_t n = fleet->n_flows + spec->count;
	struct flow **flows = realloc(fleet->flows, n * sizeof(struct flow *));
	struct flow_group *group = &fleet->groups[fleet->n_groups];
	uint64_t now_ns = netns_now_ns(), step_ns = SECOND_NS / (rate ? rate : 1);

	if (!flows)
		return -ENOMEM;
	fleet->flows = flows;
	if (fleet->n_groups == FLEET_MAX_GROUPS)
		return -E2BIG;
	*group = *spec;
	fleet->n_groups++;
	if (fleet->open_until_ns < now_ns)
		fleet->open_until_ns = now_ns;
	for (uint32_t i = 0; i < spec->count; i++) {
		struct flow *flow = calloc(1, sizeof(*flow));

		if (!flow)
			return -ENOMEM;
		flow->group = group;
		flow->fd = -1;
		flow->id = (uint32_t)fleet->n_flows;
		fleet->flows[fleet->n_flows++] = flow;
		fleet->open_until_ns += step_ns;
		if (heap_set(fleet->env.timers, &flow->timer, fleet->open_until_ns) < 0)
			return -ENOMEM;
	}
	return 0;
}

uint64_t fleet_fault(struct fleet *fleet, uint64_t at_ns)
{
	struct fleet_outage *outage = &fleet->outages[fleet->n_outages];

	if (fleet->n_outages == FLEET_MAX_OUTAGES)
		return 0;
	fleet->n_outages++;
	outage->begin_ns = at_ns ? at_ns : netns_now_ns();
	outage->end_ns = 0;
	fleet->env.healed_ns = UINT64_MAX;
	if (!fleet->env.fault_ns)
		fleet->env.fault_ns = outage->begin_ns;
	return outage->begin_ns;
}

void fleet_healed(struct fleet *fleet, uint64_t at_ns)
{
	if (!fleet->n_outages)
		return;
	fleet->env.healed_ns = at_ns ? at_ns : netns_now_ns();
	fleet->outages[fleet->n_outages - 1].end_ns = fleet->env.healed_ns;
}

void fleet_doom(struct fleet *fleet, unsigned server)
{
	fleet->doomed |= 1ull << (server & 63);
}

bool fleet_is_doomed(const struct fleet *fleet, const struct flow *flow)
{
	return flow->greeted && flow->server < 64 && fleet->doomed >> flow->server & 1;
}

void fleet_settle(struct fleet *fleet, uint64_t limit_ns)
{
	size_t idle = 0;

	fleet->env.now_ns = netns_now_ns();
	fleet->env.settle_from_ns = fleet->env.now_ns;
	fleet->settle_limit_ns = fleet->env.now_ns + limit_ns;
	for (size_t i = 0; i < fleet->n_flows; i++)
		idle += fleet->flows[i]->group->kind == FLOW_IDLE ||
			fleet->flows[i]->group->kind == FLOW_MUTE;
	for (size_t i = 0; i < fleet->n_flows; i++)
		flow_wake(fleet->flows[i], &fleet->env, SECOND_NS + idle * (SECOND_NS / WAKE_RATE));
}

size_t fleet_unsettled(const struct fleet *fleet)
{
	size_t n = 0;

	for (size_t i = 0; i < fleet->n_flows; i++) {
		const struct flow *flow = fleet->flows[i];

		if (fleet_is_doomed(fleet, flow))
			continue;
		if (flow->state == FLOW_DEAD || flow->state == FLOW_PARKED ||
		    flow->group->kind == FLOW_CHURN)
			continue;
		if (flow->group->kind == FLOW_MUTE && !fleet->env.fault_ns) {
			n += flow->state != FLOW_RESTING;
			continue;
		}
		n += flow->done_begun_ns < fleet->env.settle_from_ns;
	}
	return n;
}

size_t fleet_staying(const struct fleet *fleet)
{
	size_t n = 0;

	for (size_t i = 0; i < fleet->n_flows; i++) {
		const struct flow *flow = fleet->flows[i];

		n += flow->state != FLOW_DEAD && !flow->group->control &&
		     flow->group->kind != FLOW_CHURN && flow->group->kind != FLOW_PARK &&
		     !fleet_is_doomed(fleet, flow);
	}
	return n;
}

static void enter(struct fleet *fleet, const char *netns)
{
	if (strcmp(fleet->entered, netns) == 0)
		return;
	if (netns_enter(netns) == 0)
		memcpy(fleet->entered, netns, sizeof(fleet->entered));
}

static void run_due(struct fleet *fleet)
{
	for (int i = 0; i < TURN_MAX; i++) {
		struct timer *timer = heap_first(fleet->env.timers);
		struct flow *flow = (struct flow *)timer;

		if (!timer || timer->due_ns > fleet->env.now_ns)
			return;
		if (flow->state == FLOW_WAITING)
			enter(fleet, flow->group->netns);
		flow_on_timer(flow, &fleet->env);
	}
}

bool fleet_turn(struct fleet *fleet, int max_ms)
{
	struct epoll_event events[MAX_EVENTS];
	const struct timer *first = heap_first(fleet->env.timers);
	bool asked = false;
	int wait_ms = max_ms;
	int n;

	if (first) {
		uint64_t now_ns = netns_now_ns();
		uint64_t left_ms = first->due_ns > now_ns ? (first->due_ns - now_ns) / 1000000 : 0;

		if (first->due_ns <= now_ns)
			wait_ms = 0;
		else if (left_ms + 1 < (uint64_t)max_ms)
			wait_ms = (int)left_ms + 1;
	}
	n = epoll_wait(fleet->env.epoll, events, MAX_EVENTS, wait_ms);
	fleet->env.now_ns = netns_now_ns();
	for (int i = 0; i < n; i++) {
		if (!events[i].data.ptr)
			asked = true;
		else
			flow_on_event(events[i].data.ptr, &fleet->env, events[i].events);
	}
	run_due(fleet);
	return asked;
}
