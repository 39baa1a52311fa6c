// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * export: the datagrams of a journal as a capture (pcapng), for Wireshark and the like. With the
 * key they are sealed again, bit for bit as they were on the wire, since a counter is sealed with
 * one nonce; without, they are in the clear with a tag of zeroes, as insecure nodes send them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "replay/commands.h"
#include "replay/tables.h"

/* https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html, sections 4.1 to 4.3 */
enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	LINK_RAW = 101,
	IP_UDP_LEN = 28,
	PACKET_MAX = IP_UDP_LEN + FRAME_OVERHEAD + JOURNAL_PAYLOAD_MAX,
};

struct export
{
	const struct options *o;
	FILE *to;
	uint64_t start_us, packets;
	uint8_t packet[PACKET_MAX];
};

static void put32(FILE *to, uint32_t v)
{
	(void)fwrite(&v, sizeof(v), 1, to); /* a section is in its writer's byte order */
}

static void write_head(FILE *to)
{
	put32(to, BLOCK_SECTION);
	put32(to, 28);
	put32(to, 0x1a2b3c4d);
	put32(to, 1); /* version 1.0 */
	put32(to, UINT32_MAX);
	put32(to, UINT32_MAX); /* length of the section: not told */
	put32(to, 28);
	put32(to, BLOCK_INTERFACE);
	put32(to, 20);
	put32(to, LINK_RAW);
	put32(to, 0); /* no limit */
	put32(to, 20);
}

static void write_packet(struct export *e, uint64_t wall_us, size_t len)
{
	static const uint8_t zero[4];
	uint32_t padded = (uint32_t)(len + 3) & ~3u;

	put32(e->to, BLOCK_PACKET);
	put32(e->to, 32 + padded);
	put32(e->to, 0);
	put32(e->to, (uint32_t)(wall_us >> 32));
	put32(e->to, (uint32_t)wall_us);
	put32(e->to, (uint32_t)len);
	put32(e->to, (uint32_t)len);
	(void)fwrite(e->packet, 1, len, e->to);
	(void)fwrite(zero, 1, padded - len, e->to);
	put32(e->to, 32 + padded);
	e->packets++;
}

static void be16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Addresses are not in a journal: 10.0.0.NODE to the default group stand for them. */
static void write_ip(struct export *e, uint16_t node, size_t udp_len)
{
	static const uint8_t head[] = {0x45, 0, 0,  0, 0, 0, 0,	  0, SYNC_TTL, 17,
				       0,    0, 10, 0, 0, 0, 224, 0, 0,	       181};
	uint8_t *p = e->packet;
	uint32_t sum = 0;

	memcpy(p, head, sizeof(head));
	be16(p + 2, udp_len + 20);
	be16(p + 14, node);
	for (size_t i = 0; i < 20; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	be16(p + 10, (uint16_t)~sum);
	be16(p + 20, e->o->port);
	be16(p + 22, e->o->port);
	be16(p + 24, udp_len);
	be16(p + 26, 0); /* no checksum */
}

static int on_record(void *ctx, const struct journal_record *r)
{
	struct export *e = ctx;
	struct frame_header h = {.kind = FRAME_DATA,
				 .key_id = e->o->has_key ? e->o->key.id : 0,
				 .node = r->node,
				 .session = r->session,
				 .counter = r->counter};
	struct command_record cr;
	struct seal_key key;
	size_t len;

	if (when_is_after(&e->o->filter.until, r, e->start_us) &&
	    e->o->filter.until.kind != WHEN_COUNTER)
		return 1;
	if (r->type == JOURNAL_KEYFRAME ||
	    !command_takes_record(&e->o->filter, r, e->start_us, &cr) || cr.has <= 0)
		return 0;
	if (e->o->has_key)
		seal_key_derive(&key, &e->o->key, r->node, r->session);
	else
		seal_key_insecure(&key);
	memcpy(e->packet + IP_UDP_LEN + FRAME_HEADER_LEN, cr.data, cr.len);
	len = seal(&key, &h, e->packet + IP_UDP_LEN, cr.len);
	write_ip(e, r->node, len + 8);
	write_packet(e, r->wall_us, len + IP_UDP_LEN);
	return ferror(e->to);
}

int command_export(const struct options *o)
{
	static struct export e; /* large */
	const struct input_events ev = {0};
	struct input_range range = command_range(o, false);
	struct input in;
	int rc;

	if (!o->output) {
		(void)fputs("usage: sync-replay export -o FILE.pcapng [-k KEYFILE] JOURNAL...\n",
			    stderr);
		return EXIT_WRONG_USE;
	}
	rc = command_open(o, 0, o->args, &in);
	if (rc)
		return rc;
	e = (struct export){.o = o, .to = fopen(o->output, "we")};
	if (!e.to)
		rc = command_failed(o->output, -errno);
	else
		write_head(e.to);
	for (size_t i = 0; i < in.journals && rc >= 0 && e.to; i++) {
		e.start_us = in.journal[i].start_us;
		range.from_us = when_wall_us(&o->filter.from, e.start_us);
		rc = input_read(&in.journal[i], &range, &ev, on_record, &e);
	}
	if (rc < 0)
		rc = command_failed("reading", rc);
	else if (e.to)
		rc = EXIT_CONSISTENT;
	if (e.to && fclose(e.to))
		rc = command_failed(o->output, -errno);
	input_free(&in);
	return rc;
}
