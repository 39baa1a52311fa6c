/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of the drill's flows: see content.h. */
#include "tests/drill/traffic/content.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GOLDEN 0x9e3779b97f4a7c15u

uint64_t content_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint64_t content_key(uint64_t seed, uint32_t flow, uint32_t seq, enum content_way way)
{
	uint64_t id = ((uint64_t)flow << 32) | seq;

	return content_mix(content_mix(seed + GOLDEN) ^ content_mix(id * 2 + (uint64_t)way));
}

static uint64_t word_at(uint64_t key, uint64_t index)
{
	return content_mix(key + (index + 1) * GOLDEN);
}

void content_fill(uint64_t key, uint64_t offset, uint8_t *buf, size_t len)
{
	while (len > 0) {
		uint64_t word = word_at(key, offset / 8);
		size_t skip = offset % 8;
		size_t n = 8 - skip < len ? 8 - skip : len;

		memcpy(buf, (const uint8_t *)&word + skip, n);
		buf += n;
		offset += n;
		len -= n;
	}
}

bool content_check(uint64_t key, uint64_t offset, const uint8_t *buf, size_t len)
{
	while (len > 0) {
		uint64_t word = word_at(key, offset / 8);
		size_t skip = offset % 8;
		size_t n = 8 - skip < len ? 8 - skip : len;

		if (memcmp(buf, (const uint8_t *)&word + skip, n) != 0)
			return false;
		buf += n;
		offset += n;
		len -= n;
	}
	return true;
}

void content_leave(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on));
	close(fd);
}
