/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve NETNS:PORT[,PORT...]:ID ...: the real servers and outside hosts of a site in one process.
 * Listens on TCP and UDP, IPv4 and IPv6, at each port in each namespace given, checks each
 * request's bytes and answers with its own number and the bytes asked for. Writes "ready" to
 * standard output when it listens, and ends when its standard input does. */
#include "tests/drill/traffic/content.h"
#include "tests/drill/traffic/netns.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK_BYTES 65536u
#define MAX_EVENTS  256
#define UDP_A_TURN  256

enum kind { KIND_STDIN, KIND_LISTEN, KIND_UDP, KIND_CONN };

struct end {
	enum kind kind;
	int fd;
	uint32_t server;
	/* connections only */
	struct content_request req;
	uint32_t rx; /* of header and body */
	uint32_t next_seq;
	bool bad, paced, writing;
	struct content_reply reply;
	uint32_t tx;
};

struct serve {
	int epoll;
	uint8_t chunk[CHUNK_BYTES];
};

static int watch(const struct serve *s, struct end *end, int op, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = end};

	return epoll_ctl(s->epoll, op, end->fd, &ev) < 0 ? -errno : 0;
}

static struct end *end_new(const struct serve *s, enum kind kind, int fd, uint32_t server)
{
	struct end *end = calloc(1, sizeof(*end));

	if (!end)
		return NULL;
	end->kind = kind;
	end->fd = fd;
	end->server = server;
	if (watch(s, end, EPOLL_CTL_ADD, EPOLLIN) < 0) {
		free(end);
		return NULL;
	}
	return end;
}

static void end_free(struct end *end)
{
	if (end->fd >= 0)
		close(end->fd);
	free(end);
}

static int listen_at(const struct serve *s, int type, uint16_t port, uint32_t server)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, off = 0, buffer = 4 << 20;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Servers have several addresses: answer from the one asked. */
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	if (type == SOCK_DGRAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		goto fail;
	if (type == SOCK_STREAM && listen(fd, 65535) < 0)
		goto fail;
	if (!end_new(s, type == SOCK_STREAM ? KIND_LISTEN : KIND_UDP, fd, server))
		goto fail;
	return 0;
fail:
	close(fd);
	return -errno;
}

static void listener_accept(const struct serve *s, const struct end *listener)
{
	for (int i = 0; i < 64; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		int on = 1;

		if (fd < 0)
			return;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (!end_new(s, KIND_CONN, fd, listener->server))
			close(fd);
	}
}

/* The answer is to come from the address that was asked, by whatever way leads to who asked: a
 * server behind direct routing or a tunnel does not answer by where it was asked. */
static void leave_by_any(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	struct in6_pktinfo *info;

	if (!c || c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO)
		return;
	info = (struct in6_pktinfo *)CMSG_DATA(c);
	info->ipi6_ifindex = 0;
}

/* Answers one datagram; false when there is none. */
static bool udp_answer(const struct end *end)
{
	uint8_t in[2048], out[2048];
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control;
	struct sockaddr_in6 from;
	struct iovec iov = {in, sizeof(in)};
	struct msghdr msg = {.msg_name = &from,
			     .msg_namelen = sizeof(from),
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(end->fd, &msg, 0);
	struct content_request req;
	struct content_reply reply;
	size_t body;

	if (n < 0)
		return false;
	if (n < (ssize_t)sizeof(req))
		return true;
	memcpy(&req, in, sizeof(req));
	if (req.magic != CONTENT_REQUEST_MAGIC || req.reply_bytes > CONTENT_UDP_MAX)
		return true;
	body = (size_t)n - sizeof(req);
	reply = (struct content_reply){.magic = CONTENT_REPLY_MAGIC,
				       .flow = req.flow,
				       .seq = req.seq,
				       .server = end->server,
				       .reply_bytes = req.reply_bytes};
	reply.bad = body != req.send_bytes ||
		    !content_check(content_key(req.seed, req.flow, req.seq, CONTENT_TO_SERVER), 0,
				   in + sizeof(req), body);
	memcpy(out, &reply, sizeof(reply));
	content_fill(content_key(req.seed, req.flow, req.seq, CONTENT_TO_CLIENT), 0,
		     out + sizeof(reply), req.reply_bytes);
	iov = (struct iovec){out, sizeof(reply) + req.reply_bytes};
	leave_by_any(&msg);
	(void)sendmsg(end->fd, &msg, 0);
	return true;
}

/* Returns false when the connection is over. */
static bool conn_write(struct serve *s, struct end *end)
{
	uint32_t total = (uint32_t)sizeof(end->reply) + end->reply.reply_bytes;
	uint64_t key = content_key(end->req.seed, end->req.flow, end->req.seq, CONTENT_TO_CLIENT);

	while (end->tx < total) {
		size_t len = 0;
		ssize_t n;

		if (end->tx < sizeof(end->reply)) {
			len = sizeof(end->reply) - end->tx;
			memcpy(s->chunk, (const uint8_t *)&end->reply + end->tx, len);
		}
		size_t body_off = end->tx + len - sizeof(end->reply);
		size_t body = end->reply.reply_bytes - body_off;
		if (body > sizeof(s->chunk) - len)
			body = sizeof(s->chunk) - len;
		content_fill(key, body_off, s->chunk + len, body);
		n = send(end->fd, s->chunk, len + body, MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (!end->writing)
				(void)watch(s, end, EPOLL_CTL_MOD, EPOLLOUT);
			end->writing = true;
			return true;
		}
		if (n < 0)
			return false;
		end->tx += (uint32_t)n;
	}
	if (end->writing)
		(void)watch(s, end, EPOLL_CTL_MOD, EPOLLIN);
	end->writing = false;
	end->rx = 0;
	return true;
}

static bool conn_answer(struct serve *s, struct end *end)
{
	bool parks = end->req.pace_kib_s == CONTENT_PARK;
	unsigned pace = parks ? 0 : end->req.pace_kib_s * 1024u;

	if (pace && !end->paced)
		(void)setsockopt(end->fd, SOL_SOCKET, SO_MAX_PACING_RATE, &pace, sizeof(pace));
	end->paced = pace != 0;
	if (end->req.seq != end->next_seq)
		end->bad = true;
	end->next_seq = end->req.seq + 1;
	end->reply = (struct content_reply){.magic = CONTENT_REPLY_MAGIC,
					    .flow = end->req.flow,
					    .seq = end->req.seq,
					    .server = end->server,
					    .reply_bytes = end->req.reply_bytes,
					    .bad = end->bad};
	end->tx = 0;
	if (!conn_write(s, end))
		return false;
	if (!parks || end->writing)
		return true;
	content_leave(end->fd);
	end->fd = -1;
	return false;
}

static bool conn_take(struct end *end, const uint8_t *buf, size_t len)
{
	size_t head = 0;

	if (end->rx < sizeof(end->req)) {
		head = sizeof(end->req) - end->rx < len ? sizeof(end->req) - end->rx : len;
		memcpy((uint8_t *)&end->req + end->rx, buf, head);
		end->rx += (uint32_t)head;
	}
	if (end->rx < sizeof(end->req))
		return true;
	if (end->req.magic != CONTENT_REQUEST_MAGIC)
		return false;
	if (len > head) {
		uint64_t key =
			content_key(end->req.seed, end->req.flow, end->req.seq, CONTENT_TO_SERVER);

		if (!content_check(key, end->rx - sizeof(end->req), buf + head, len - head))
			end->bad = true;
		end->rx += (uint32_t)(len - head);
	}
	return true;
}

static size_t conn_wanted(const struct end *end)
{
	if (end->rx < sizeof(end->req))
		return sizeof(end->req) - end->rx;
	return sizeof(end->req) + end->req.send_bytes - end->rx;
}

static bool conn_read(struct serve *s, struct end *end)
{
	for (int turns = 0; turns < 16; turns++) {
		size_t want = conn_wanted(end);
		ssize_t n;

		n = recv(end->fd, s->chunk, want < CHUNK_BYTES ? want : CHUNK_BYTES, 0);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0 || !conn_take(end, s->chunk, (size_t)n))
			return false;
		if (end->rx < sizeof(end->req) || conn_wanted(end) > 0)
			continue;
		if (!conn_answer(s, end))
			return false;
		if (end->writing)
			return true;
	}
	return true;
}

static int serve_add(const struct serve *s, char *spec)
{
	char *save = NULL;
	const char *ns = strtok_r(spec, ":", &save);
	char *ports = strtok_r(NULL, ":", &save);
	const char *id = strtok_r(NULL, ":", &save);
	int rc;

	if (!ns || !ports || !id)
		return -EINVAL;
	rc = netns_enter(ns);
	for (char *p = strtok_r(ports, ",", &save); p && rc == 0; p = strtok_r(NULL, ",", &save)) {
		uint16_t port = (uint16_t)atoi(p);

		rc = listen_at(s, SOCK_STREAM, port, (uint32_t)atoi(id));
		if (rc == 0)
			rc = listen_at(s, SOCK_DGRAM, port, (uint32_t)atoi(id));
	}
	return rc;
}

static void serve_turn(struct serve *s, struct end *end)
{
	switch (end->kind) {
	case KIND_STDIN: {
		char c;

		if (read(0, &c, 1) <= 0)
			exit(0);
		return;
	}
	case KIND_LISTEN:
		listener_accept(s, end);
		return;
	case KIND_UDP:
		/* Many flows share this socket: one datagram a turn would starve them. */
		for (int i = 0; i < UDP_A_TURN && udp_answer(end); i++)
			;
		return;
	case KIND_CONN:
		if (!(end->writing ? conn_write(s, end) : conn_read(s, end)))
			end_free(end);
		return;
	}
}

int main(int argc, char **argv)
{
	static struct serve s;
	struct epoll_event events[MAX_EVENTS];

	netns_raise_file_limit();
	s.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s.epoll < 0 || argc < 2 || !end_new(&s, KIND_STDIN, 0, 0)) {
		fprintf(stderr, "usage: serve NETNS:PORT[,PORT...]:ID ... <pipe\n");
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		int rc = serve_add(&s, argv[i]);

		if (rc < 0) {
			fprintf(stderr, "serve: argument %d: %s\n", i, strerror(-rc));
			return 1;
		}
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(s.epoll, events, MAX_EVENTS, -1);

		for (int i = 0; i < n; i++)
			serve_turn(&s, events[i].data.ptr);
	}
}
