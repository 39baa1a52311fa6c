// SPDX-License-Identifier: GPL-2.0-or-later
/* Captures; see capture.h. libpcap reads the files (pcap, pcapng, either byte order, any clock). */
#include "replay/capture.h"
#include "replay/packet.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

enum { KEYS_CACHED = 16, OFFSET_EVERY = 256 /* packets */ };

struct cached_key {
	uint16_t node;
	uint64_t session;
	struct seal_key key;
	uint64_t last[2]; /* counters, by kind: what comes again does not count */
};

struct capture {
	const struct group_key *key;
	struct cached_key cache[KEYS_CACHED];
	size_t cached, next;
	uint8_t payload[DATAGRAM_MAX];
	struct capture_stats *stats;
};

bool capture_is(const char *path)
{
	static const uint8_t magic[][4] = {{0xd4, 0xc3, 0xb2, 0xa1},
					   {0xa1, 0xb2, 0xc3, 0xd4},
					   {0x4d, 0x3c, 0xb2, 0xa1},
					   {0xa1, 0xb2, 0x3c, 0x4d},
					   {0x0a, 0x0d, 0x0d, 0x0a}};
	uint8_t head[4] = {0};
	FILE *f = fopen(path, "re");
	bool is = false;

	if (!f)
		return false;
	if (fread(head, 1, sizeof(head), f) == sizeof(head))
		for (size_t i = 0; i < sizeof(magic) / sizeof(magic[0]); i++)
			is |= memcmp(head, magic[i], sizeof(head)) == 0;
	(void)fclose(f);
	return is;
}

static uint64_t wall_of(const struct pcap_pkthdr *head)
{
	return (uint64_t)head->ts.tv_sec * S_US + (uint64_t)head->ts.tv_usec;
}

uint64_t capture_begin_us(const char *path)
{
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, err);
	struct pcap_pkthdr *head;
	const uint8_t *packet;
	uint64_t us = 0;

	if (p && pcap_next_ex(p, &head, &packet) == 1)
		us = wall_of(head);
	if (p)
		pcap_close(p);
	return us;
}

static struct cached_key *key_of(struct capture *c, const struct frame_header *h)
{
	struct cached_key *k;

	for (size_t i = 0; i < c->cached; i++)
		if (c->cache[i].node == h->node && c->cache[i].session == h->session)
			return &c->cache[i];
	k = &c->cache[c->next];
	c->next = (c->next + 1) % KEYS_CACHED;
	if (c->cached < KEYS_CACHED)
		c->cached++;
	*k = (struct cached_key){.node = h->node, .session = h->session};
	if (c->key)
		seal_key_derive(&k->key, c->key, h->node, h->session);
	else
		seal_key_insecure(&k->key);
	return k;
}

static bool read_packet(struct capture *c, int linktype, const uint8_t *packet, size_t len,
			struct journal_record *out)
{
	struct frame_header h;
	struct cached_key *from;
	const uint8_t *dgram;
	uint64_t *last;
	int n;

	len = packet_payload(linktype, packet, len, &dgram);
	if (len < FRAME_OVERHEAD || len > DATAGRAM_MAX || frame_header_read(dgram, len, &h))
		return false;
	from = key_of(c, &h);
	n = seal_open(&from->key, &h, dgram, len, c->payload);
	if (n < 0) {
		c->stats->sealed++;
		return false;
	}
	/* Sent again for who had lost it, or over another link. */
	last = &from->last[h.kind == FRAME_DATA];
	if (h.counter <= *last)
		return false;
	*last = h.counter;
	*out = (struct journal_record){
		.type = h.kind == FRAME_DATA ? JOURNAL_SENT : JOURNAL_CONTROL,
		.node = h.node,
		.number = ++c->stats->records,
		.session = h.session,
		.counter = h.counter,
		.payload = c->payload,
		.len = (size_t)n,
	};
	return true;
}

int capture_read(const char *path, const struct group_key *key,
		 int (*fn)(void *ctx, const struct journal_record *r), void *ctx,
		 struct capture_stats *stats)
{
	static struct capture c; /* large */
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, err);
	struct pcap_pkthdr *head;
	const uint8_t *packet;
	struct journal_record r;
	int rc = 0, got;

	if (!p)
		return -EBADMSG;
	*stats = (struct capture_stats){0};
	c = (struct capture){.key = key, .stats = stats};
	while (!rc && (got = pcap_next_ex(p, &head, &packet)) == 1) {
		if (stats->packets++ % OFFSET_EVERY == 0)
			stats->offset = (uint64_t)ftello(pcap_file(p));
		if (!read_packet(&c, pcap_datalink(p), packet, head->caplen, &r))
			continue;
		r.wall_us = wall_of(head);
		r.mono_us = r.wall_us;
		rc = fn(ctx, &r);
	}
	if (!rc && got == PCAP_ERROR)
		rc = -EBADMSG;
	pcap_close(p);
	return rc;
}
