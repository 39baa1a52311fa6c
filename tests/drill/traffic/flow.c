/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One flow of the drill as its client sees it: see flow.h. */
#include "tests/drill/traffic/flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MS		1000000u
#define UDP_RETRY_NS	(200u * MS)
#define BULK_BYTES	(256u * 1024)
#define BULK_SNDBUF	(128 * 1024) /* small, so that progress shows in small steps */
#define CHURN_EXCHANGES 2
#define PARK_PORT0	10000u /* above the ports that the outside hosts listen on */
#define PARK_AT_ONCE	2000

static void arm(struct flow *flow, const struct flow_env *env, uint64_t due_ns)
{
	(void)heap_set(env->timers, &flow->timer, due_ns);
}

static void die(struct flow *flow, const struct flow_env *env, enum flow_end end)
{
	flow->group->open_now--;
	flow->state = FLOW_DEAD;
	flow->end = end;
	flow->ended_ns = env->now_ns;
	heap_clear(env->timers, &flow->timer);
	if (flow->fd >= 0)
		close(flow->fd);
	flow->fd = -1;
}

/* A churning flow that fails is one lost life; the next one shows whether service is back. */
static void fail(struct flow *flow, const struct flow_env *env, enum flow_end end)
{
	struct flow_group *group = flow->group;

	if (group->kind != FLOW_CHURN || end == FLOW_CORRUPT) {
		die(flow, env, end);
		return;
	}
	group->lives_lost++;
	if (env->fault_ns && flow->established_ns && flow->established_ns <= env->fault_ns) {
		uint64_t age_us = (env->fault_ns - flow->established_ns) / 1000;

		group->newborn_lost++;
		if (age_us > group->newborn_worst_us)
			group->newborn_worst_us = (uint32_t)age_us;
	}
	close(flow->fd);
	flow->fd = -1;
	flow->state = FLOW_WAITING;
	arm(flow, env, env->now_ns + (uint64_t)group->pace_ms * MS);
}

/* Bytes moved: notes how long none did, once something is being broken. */
static void progress(struct flow *flow, const struct flow_env *env)
{
	uint64_t gap = env->now_ns - flow->progress_ns;

	if (env->fault_ns && env->now_ns > env->fault_ns && flow->progress_ns < env->healed_ns &&
	    gap > flow->worst_end_ns - flow->worst_begin_ns) {
		flow->worst_begin_ns = flow->progress_ns;
		flow->worst_end_ns = env->now_ns;
	}
	flow->progress_ns = env->now_ns;
}

static int poll_for(struct flow *flow, const struct flow_env *env, int op, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = flow};

	return epoll_ctl(env->epoll, op, flow->fd, &ev);
}

static struct sockaddr_storage source_address(const struct flow *flow)
{
	struct sockaddr_storage addr = flow->group->from;
	uint32_t sources = flow->group->sources ? flow->group->sources : 1;
	uint32_t step = flow->id % sources;
	uint16_t port = 0;

	/* The system would give the port of a parked flow to the next one: the tables' entry is in
	 * use, though no socket is. */
	if (flow->group->kind == FLOW_PARK)
		port = (uint16_t)(PARK_PORT0 + flow->id / sources % (65536 - PARK_PORT0));

	if (addr.ss_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)&addr;

		in->sin_addr.s_addr = htonl(ntohl(in->sin_addr.s_addr) + step);
		in->sin_port = htons(port);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addr;

		in6->sin6_addr.s6_addr[15] += (uint8_t)step;
		in6->sin6_port = htons(port);
	}
	return addr;
}

static int socket_prepare(const struct flow *flow)
{
	const struct flow_group *group = flow->group;
	int on = 1, sndbuf = BULK_SNDBUF;
	unsigned pace = group->pace_kib_s * 1024u;

	if (group->tcp)
		(void)setsockopt(flow->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (group->kind == FLOW_UP)
		(void)setsockopt(flow->fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	if (group->kind == FLOW_UP && pace)
		(void)setsockopt(flow->fd, SOL_SOCKET, SO_MAX_PACING_RATE, &pace, sizeof(pace));
	if (group->from.ss_family) {
		struct sockaddr_storage from = source_address(flow);

		/* Leave the port to connect(): 28,000 a source would be too few otherwise. */
		(void)setsockopt(flow->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		if (bind(flow->fd, (const struct sockaddr *)&from, group->addr_len) < 0)
			return -errno;
	}
	return 0;
}

static void rest(struct flow *flow, const struct flow_env *env, uint64_t due_ns)
{
	flow->state = FLOW_RESTING;
	if (due_ns == UINT64_MAX)
		heap_clear(env->timers, &flow->timer);
	else
		arm(flow, env, due_ns < env->now_ns ? env->now_ns : due_ns);
}

/* The flow is open: its first exchange is near. */
static void greet(struct flow *flow, const struct flow_env *env)
{
	uint64_t pace_ns = (uint64_t)flow->group->pace_ms * MS;
	uint64_t wait_ns = 0;

	flow->established_ns = env->now_ns;
	/* Spread the first beats of a group over its pace. */
	if (flow->group->kind == FLOW_PACED && pace_ns)
		wait_ns = content_mix(env->seed + flow->id) % pace_ns;
	rest(flow, env, env->now_ns + wait_ns);
}

static void flow_open(struct flow *flow, const struct flow_env *env)
{
	const struct flow_group *group = flow->group;
	int type = group->tcp ? SOCK_STREAM : SOCK_DGRAM;

	if (group->kind == FLOW_PARK && group->open_now >= PARK_AT_ONCE) {
		arm(flow, env, env->now_ns + 10 * MS);
		return;
	}
	flow->fd = socket(group->to.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	flow->life_exchanges = 0;
	flow->established_ns = 0;
	flow->begun_ns = flow->progress_ns = env->now_ns;
	flow->req.seq = 0;
	flow->greeted = false;
	flow->group->lives_opened++;
	flow->group->open_now++;
	if (flow->fd < 0 || socket_prepare(flow) < 0 ||
	    poll_for(flow, env, EPOLL_CTL_ADD, group->tcp ? EPOLLIN | EPOLLOUT : EPOLLIN) < 0) {
		die(flow, env, FLOW_RESET);
		return;
	}
	if (connect(flow->fd, (const struct sockaddr *)&group->to, group->addr_len) < 0 &&
	    errno != EINPROGRESS) {
		fail(flow, env, FLOW_RESET);
		return;
	}
	flow->state = FLOW_CONNECTING;
	if (group->tcp) {
		arm(flow, env, env->now_ns + env->hang_ns);
	} else {
		greet(flow, env);
	}
}

static void exchange_size(struct flow *flow, const struct flow_env *env)
{
	struct content_request *req = &flow->req;
	uint64_t dice = content_mix(env->seed ^ content_mix(((uint64_t)flow->id << 32) | req->seq));
	uint32_t small = flow->group->tcp ? 2048 : CONTENT_UDP_MAX - 64;

	req->send_bytes = 64 + (uint32_t)(dice & 0xffff) % (small - 64);
	req->reply_bytes = 64 + (uint32_t)(dice >> 16 & 0xffff) % (small - 64);
	if (flow->group->kind == FLOW_UP)
		req->send_bytes = BULK_BYTES;
	if (flow->group->kind == FLOW_DOWN)
		req->reply_bytes = BULK_BYTES;
}

/* Copies the request's bytes [from, from + room) to the scratch; returns how many there were. */
static size_t request_bytes(const struct flow *flow, const struct flow_env *env, uint32_t from)
{
	uint64_t key = content_key(env->seed, flow->id, flow->req.seq, CONTENT_TO_SERVER);
	size_t head = 0, body;

	if (from < sizeof(flow->req)) {
		head = sizeof(flow->req) - from;
		memcpy(env->scratch, (const uint8_t *)&flow->req + from, head);
	}
	body = sizeof(flow->req) + flow->req.send_bytes - from - head;
	if (body > FLOW_SCRATCH_BYTES - head)
		body = FLOW_SCRATCH_BYTES - head;
	content_fill(key, from + head - sizeof(flow->req), env->scratch + head, body);
	return head + body;
}

static void flow_send(struct flow *flow, const struct flow_env *env)
{
	uint32_t total = (uint32_t)sizeof(flow->req) + flow->req.send_bytes;

	while (flow->tx < total) {
		size_t len = request_bytes(flow, env, flow->tx);
		ssize_t n = send(flow->fd, env->scratch, len, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (!flow->blocked)
				(void)poll_for(flow, env, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			flow->blocked = true;
			return;
		}
		if (n < 0) {
			fail(flow, env, FLOW_RESET);
			return;
		}
		flow->tx += (uint32_t)n;
		progress(flow, env);
	}
	if (flow->blocked)
		(void)poll_for(flow, env, EPOLL_CTL_MOD, EPOLLIN);
	flow->blocked = false;
}

static void udp_send(struct flow *flow, const struct flow_env *env)
{
	size_t len = request_bytes(flow, env, 0);

	/* What could not be sent is sent again by the timer, as any datagram that was lost. */
	(void)send(flow->fd, env->scratch, len, MSG_NOSIGNAL);
	flow->tx = (uint32_t)len;
	arm(flow, env, env->now_ns + UDP_RETRY_NS);
}

static void exchange_begin(struct flow *flow, const struct flow_env *env)
{
	flow->req.magic = CONTENT_REQUEST_MAGIC;
	flow->req.flow = flow->id;
	flow->req.seed = env->seed;
	flow->req.pace_kib_s = flow->group->kind == FLOW_DOWN ? flow->group->pace_kib_s : 0;
	if (flow->group->kind == FLOW_PARK)
		flow->req.pace_kib_s = CONTENT_PARK;
	exchange_size(flow, env);
	flow->tx = flow->rx = 0;
	flow->begun_ns = flow->progress_ns = env->now_ns;
	flow->state = FLOW_BUSY;
	if (flow->group->tcp) {
		arm(flow, env, env->now_ns + env->hang_ns);
		flow_send(flow, env);
	} else {
		udp_send(flow, env);
	}
}

static uint64_t next_beat(const struct flow *flow, const struct flow_env *env)
{
	uint64_t pace = (uint64_t)flow->group->pace_ms * MS;

	switch (flow->group->kind) {
	case FLOW_PACED:
	case FLOW_CHURN:
		/* Each at its own pace: within a tenth of the group's. */
		return flow->begun_ns + pace * (900 + content_mix(flow->id) % 200) / 1000;
	case FLOW_IDLE:
	case FLOW_MUTE:
		/* What was under way when somebody began to wait does not tell of now. */
		return flow->begun_ns < env->settle_from_ns ? env->now_ns : UINT64_MAX;
	case FLOW_UP:
	case FLOW_DOWN:
	case FLOW_PARK:
	case FLOW_KINDS:
		break;
	}
	return env->now_ns;
}

static void life_end(struct flow *flow, const struct flow_env *env)
{
	flow->group->lives_completed++;
	close(flow->fd);
	flow->fd = -1;
	flow->state = FLOW_WAITING;
	arm(flow, env, env->now_ns);
}

/* The connection is left to the connection tables alone. */
static void park(struct flow *flow, const struct flow_env *env)
{
	content_leave(flow->fd);
	flow->group->open_now--;
	flow->fd = -1;
	flow->state = FLOW_PARKED;
	heap_clear(env->timers, &flow->timer);
}

static void exchange_end(struct flow *flow, const struct flow_env *env)
{
	if (flow->reply.bad) {
		fail(flow, env, FLOW_CORRUPT);
		return;
	}
	if (flow->greeted && flow->reply.server != flow->server) {
		fail(flow, env, FLOW_MOVED);
		return;
	}
	flow->server = flow->reply.server;
	flow->greeted = true;
	flow->done_begun_ns = flow->begun_ns;
	flow->exchanges++;
	flow->life_exchanges++;
	flow->req.seq++;
	if (flow->group->kind == FLOW_CHURN && flow->life_exchanges == CHURN_EXCHANGES)
		life_end(flow, env);
	else if (flow->group->kind == FLOW_PARK)
		park(flow, env);
	else
		rest(flow, env, next_beat(flow, env));
}

/* Checks what came; false when it is not what had to come. */
static bool reply_take(struct flow *flow, const struct flow_env *env, const uint8_t *buf,
		       size_t len)
{
	size_t head = 0;

	if (flow->rx < sizeof(flow->reply)) {
		head = sizeof(flow->reply) - flow->rx;
		if (head > len)
			head = len;
		memcpy((uint8_t *)&flow->reply + flow->rx, buf, head);
		flow->rx += (uint32_t)head;
	}
	if (flow->rx < sizeof(flow->reply))
		return true;
	if (flow->reply.magic != CONTENT_REPLY_MAGIC || flow->reply.flow != flow->id ||
	    flow->reply.seq != flow->req.seq || flow->reply.reply_bytes != flow->req.reply_bytes)
		return false;
	if (len > head) {
		uint64_t key = content_key(env->seed, flow->id, flow->req.seq, CONTENT_TO_CLIENT);

		if (!content_check(key, flow->rx - sizeof(flow->reply), buf + head, len - head))
			return false;
		flow->rx += (uint32_t)(len - head);
	}
	return true;
}

static void tcp_receive(struct flow *flow, const struct flow_env *env)
{
	while (flow->fd >= 0) {
		uint32_t total = (uint32_t)sizeof(flow->reply) + flow->req.reply_bytes;
		size_t want = flow->state == FLOW_BUSY ? total - flow->rx : 1;
		ssize_t n = recv(flow->fd, env->scratch,
				 want < FLOW_SCRATCH_BYTES ? want : FLOW_SCRATCH_BYTES, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			fail(flow, env, FLOW_RESET);
			return;
		}
		if (flow->state != FLOW_BUSY || !reply_take(flow, env, env->scratch, (size_t)n)) {
			fail(flow, env, FLOW_CORRUPT);
			return;
		}
		progress(flow, env);
		if (flow->rx == total)
			exchange_end(flow, env);
	}
}

static void udp_receive(struct flow *flow, const struct flow_env *env)
{
	struct content_reply head;
	ssize_t n = recv(flow->fd, env->scratch, FLOW_SCRATCH_BYTES, 0);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			fail(flow, env, FLOW_RESET);
		return;
	}
	if ((size_t)n < sizeof(head)) {
		fail(flow, env, FLOW_CORRUPT);
		return;
	}
	memcpy(&head, env->scratch, sizeof(head));
	/* A second answer to a question asked twice is no fault. */
	if (flow->state != FLOW_BUSY || head.seq != flow->req.seq)
		return;
	flow->rx = 0;
	if (!reply_take(flow, env, env->scratch, (size_t)n) ||
	    flow->rx != sizeof(head) + flow->req.reply_bytes) {
		fail(flow, env, FLOW_CORRUPT);
		return;
	}
	progress(flow, env);
	exchange_end(flow, env);
}

static void connected(struct flow *flow, const struct flow_env *env)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(flow->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err) {
		fail(flow, env, FLOW_RESET);
		return;
	}
	(void)poll_for(flow, env, EPOLL_CTL_MOD, EPOLLIN);
	if (flow->group->kind == FLOW_MUTE)
		rest(flow, env, UINT64_MAX);
	else
		greet(flow, env);
}

void flow_on_event(struct flow *flow, const struct flow_env *env, uint32_t events)
{
	if (flow->fd < 0)
		return;
	if (flow->state == FLOW_CONNECTING) {
		connected(flow, env);
		return;
	}
	if (!flow->group->tcp) {
		udp_receive(flow, env);
		return;
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		tcp_receive(flow, env);
	if (flow->state == FLOW_BUSY && flow->blocked && (events & EPOLLOUT))
		flow_send(flow, env);
}

void flow_on_timer(struct flow *flow, const struct flow_env *env)
{
	uint64_t hung_ns = flow->progress_ns + env->hang_ns;

	switch (flow->state) {
	case FLOW_WAITING:
		flow_open(flow, env);
		return;
	case FLOW_RESTING:
		exchange_begin(flow, env);
		return;
	case FLOW_CONNECTING:
	case FLOW_BUSY:
		if (env->now_ns >= hung_ns)
			fail(flow, env, FLOW_HUNG);
		else if (!flow->group->tcp)
			udp_send(flow, env);
		else
			arm(flow, env, hung_ns);
		return;
	case FLOW_DEAD:
	case FLOW_PARKED:
		heap_clear(env->timers, &flow->timer);
		return;
	}
}

void flow_wake(struct flow *flow, const struct flow_env *env, uint64_t within_ns)
{
	if (flow->state != FLOW_RESTING)
		return;
	if (flow->group->kind == FLOW_IDLE || (flow->group->kind == FLOW_MUTE && env->fault_ns))
		arm(flow, env, env->now_ns + content_mix(env->now_ns ^ flow->id) % within_ns);
}
