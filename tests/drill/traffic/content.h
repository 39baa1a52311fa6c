/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the drill's flows carry: a request header, bytes that both ends can compute, a reply header,
 * and bytes again. Both ends compare each byte with what it must be, so a checksum adds nothing.
 * Used by drive.c and serve.c. */
#ifndef TESTS_DRILL_TRAFFIC_CONTENT_H
#define TESTS_DRILL_TRAFFIC_CONTENT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTENT_REQUEST_MAGIC 0x64726c71u
#define CONTENT_REPLY_MAGIC   0x64726c72u
#define CONTENT_PARK	      UINT32_MAX /* as pace: see FLOW_PARK */
#define CONTENT_UDP_MAX	      1200u

/* Both ends are on one machine: host byte order. */
struct content_request {
	uint32_t magic;
	uint32_t flow;
	uint64_t seed;
	uint32_t seq;
	uint32_t send_bytes;  /* that follow this header */
	uint32_t reply_bytes; /* wanted after the reply's header */
	uint32_t pace_kib_s;  /* 0: as fast as TCP goes */
};
static_assert(sizeof(struct content_request) == 32, "request header");

struct content_reply {
	uint32_t magic;
	uint32_t flow;
	uint32_t seq;
	uint32_t server; /* who answered: a flow must stay with its server */
	uint32_t reply_bytes;
	uint32_t bad; /* not 0: the request was not what it had to be */
};
static_assert(sizeof(struct content_reply) == 24, "reply header");

enum content_way { CONTENT_TO_SERVER, CONTENT_TO_CLIENT };

/* The key of one message's bytes. */
uint64_t content_key(uint64_t seed, uint32_t flow, uint32_t seq, enum content_way way);

/* Writes the message's bytes [offset, offset + len) to buf. */
void content_fill(uint64_t key, uint64_t offset, uint8_t *buf, size_t len);

/* Whether buf holds the message's bytes [offset, offset + len). */
bool content_check(uint64_t key, uint64_t offset, const uint8_t *buf, size_t len);

/* Closes a TCP socket without a word to the far side (TCP_REPAIR of tcp(7), LX net/ipv4/tcp.c:
 * tcp_close of a socket under repair). */
void content_leave(int fd);

/* A well mixed 64-bit value of x (splitmix64's finaliser, Steele et al. 2014). */
uint64_t content_mix(uint64_t x);

#endif
