// SPDX-License-Identifier: GPL-2.0-or-later
/* Segment header, records and their payloads; blocks are journal_block.c's. See journal.h. */
#include "proto/journal.h"

#include <errno.h>
#include <string.h>

#include "proto/journal_bytes.h"

static const uint8_t magic[8] = {'S', 'Y', 'N', 'C', 'D', 'J', 'N', 'L'};

const char *journal_type_name(unsigned type)
{
	static const char *const name[JOURNAL_TYPES] = {
		[JOURNAL_SENT] = "sent",	   [JOURNAL_APPLIED] = "applied",
		[JOURNAL_KEPT] = "kept",	   [JOURNAL_TAIL] = "tail",
		[JOURNAL_DROPPED] = "dropped",	   [JOURNAL_CONTROL] = "control",
		[JOURNAL_STATE] = "state",	   [JOURNAL_TERM] = "term",
		[JOURNAL_KEYFRAME] = "keyframe",   [JOURNAL_RESYNC] = "resync",
		[JOURNAL_LOST] = "lost",	   [JOURNAL_SAMPLE] = "sample",
		[JOURNAL_START] = "start",	   [JOURNAL_END] = "end",
		[JOURNAL_RECONCILE] = "reconcile", [JOURNAL_KEY] = "key",
		[JOURNAL_CONFIG] = "config",	   [JOURNAL_ALARM] = "alarm",
		[JOURNAL_INSTALLED] = "installed",
	};

	return type < JOURNAL_TYPES ? name[type] : NULL;
}

void journal_header_write(const struct journal_header *h, uint8_t *buf)
{
	memset(buf, 0, JOURNAL_HEADER_LEN);
	put32(buf, SKIPPABLE_HEADER);
	put32(buf + 4, JOURNAL_HEADER_LEN - 8);
	memcpy(buf + 8, magic, sizeof(magic));
	put16(buf + 16, JOURNAL_VERSION);
	put16(buf + 18, h->node);
	put32(buf + 20, h->segment);
	put64(buf + 24, h->session);
	put64(buf + 32, h->wall_us);
	put64(buf + 40, h->mono_us);
	put32(buf + 48, h->digest_key_id);
	memcpy(buf + 56, h->previous, JOURNAL_HASH_LEN);
	memcpy(buf + 88, h->name, strnlen(h->name, sizeof(h->name) - 1));
	put_hash(buf, JOURNAL_HEADER_LEN - 8);
}

int journal_header_read(const uint8_t *buf, size_t len, struct journal_header *out)
{
	if (len < JOURNAL_HEADER_LEN || get32(buf) != SKIPPABLE_HEADER ||
	    get32(buf + 4) != JOURNAL_HEADER_LEN - 8 || memcmp(buf + 8, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	if (get16(buf + 16) != JOURNAL_VERSION)
		return -EPROTONOSUPPORT;
	if (!hash_matches(buf, JOURNAL_HEADER_LEN - 8))
		return -EBADMSG;
	memset(out, 0, sizeof(*out));
	out->node = get16(buf + 18);
	out->segment = get32(buf + 20);
	out->session = get64(buf + 24);
	out->wall_us = get64(buf + 32);
	out->mono_us = get64(buf + 40);
	out->digest_key_id = get32(buf + 48);
	memcpy(out->previous, buf + 56, JOURNAL_HASH_LEN);
	(void)get_text(buf + 88, strnlen((const char *)buf + 88, NODE_NAME_MAX - 1), out->name,
		       sizeof(out->name));
	return out->segment && out->node ? 0 : -EBADMSG;
}

size_t journal_record_write(const struct journal_record *r, uint8_t *buf)
{
	size_t len = JOURNAL_RECORD_LEN + r->len;

	put32(buf, (uint32_t)len);
	buf[4] = r->type;
	buf[5] = r->flags;
	put16(buf + 6, r->node);
	put64(buf + 8, r->number);
	put64(buf + 16, r->session);
	put64(buf + 24, r->counter);
	put64(buf + 32, r->wall_us);
	put64(buf + 40, r->mono_us);
	if (r->len)
		memcpy(buf + 48, r->payload, r->len);
	put_hash(buf, len - 8);
	return len;
}

int journal_record_read(const uint8_t *buf, size_t len, struct journal_record *out)
{
	size_t n;

	if (len < JOURNAL_RECORD_LEN)
		return -EBADMSG;
	n = get32(buf);
	if (n < JOURNAL_RECORD_LEN || n > JOURNAL_RECORD_MAX || n > len ||
	    !hash_matches(buf, n - 8))
		return -EBADMSG;
	*out = (struct journal_record){
		.type = buf[4],
		.flags = buf[5],
		.node = get16(buf + 6),
		.number = get64(buf + 8),
		.session = get64(buf + 16),
		.counter = get64(buf + 24),
		.wall_us = get64(buf + 32),
		.mono_us = get64(buf + 40),
		.payload = buf + 48,
		.len = n - JOURNAL_RECORD_LEN,
	};
	return (int)n;
}

size_t journal_change_write(const struct journal_change *c, uint8_t *buf)
{
	put32(buf, c->group);
	buf[4] = c->from;
	buf[5] = c->to;
	put16(buf + 6, c->term.node);
	put64(buf + 8, c->term.number);
	return 16 + put_text(buf + 16, c->text, JOURNAL_TEXT_MAX);
}

int journal_change_read(const uint8_t *buf, size_t len, struct journal_change *out)
{
	if (len < 16 || buf[4] >= STATES || buf[5] >= STATES)
		return -EBADMSG;
	out->group = get32(buf);
	out->from = buf[4];
	out->to = buf[5];
	out->term = (struct term){.number = get64(buf + 8), .node = get16(buf + 6)};
	return get_text(buf + 16, len - 16, out->text, sizeof(out->text));
}

size_t journal_note_write(const struct journal_note *n, uint8_t *buf)
{
	put32(buf, n->group);
	return 4 + put_text(buf + 4, n->text, JOURNAL_TEXT_MAX);
}

int journal_note_read(const uint8_t *buf, size_t len, struct journal_note *out)
{
	if (len < 4)
		return -EBADMSG;
	out->group = get32(buf);
	return get_text(buf + 4, len - 4, out->text, sizeof(out->text));
}

size_t journal_lost_write(const struct journal_lost *l, uint8_t *buf)
{
	put64(buf, l->records);
	put64(buf + 8, l->bytes);
	return 16;
}

int journal_lost_read(const uint8_t *buf, size_t len, struct journal_lost *out)
{
	if (len != 16)
		return -EBADMSG;
	*out = (struct journal_lost){.records = get64(buf), .bytes = get64(buf + 8)};
	return 0;
}

enum { SAMPLE_EQUAL = 1, SAMPLE_READY = 2, SAMPLE_COMPLETE = 4, SAMPLE_NUMBERS = 9 };

size_t journal_sample_write(const struct journal_sample *s, uint8_t *buf)
{
	const uint64_t number[SAMPLE_NUMBERS] = {
		s->flows,      s->kernel_queued, s->wire_queued, s->refused,	   s->lag_us,
		s->would_lose, s->digest,	 s->naks_sent,	 s->retransmitted,
	};

	put32(buf, s->group);
	buf[4] = s->state;
	buf[5] = (uint8_t)((s->equal ? SAMPLE_EQUAL : 0) | (s->ready ? SAMPLE_READY : 0) |
			   (s->complete ? SAMPLE_COMPLETE : 0));
	put16(buf + 6, 0);
	for (size_t i = 0; i < SAMPLE_NUMBERS; i++)
		put64(buf + 8 + 8 * i, number[i]);
	return 8 + 8 * SAMPLE_NUMBERS;
}

int journal_sample_read(const uint8_t *buf, size_t len, struct journal_sample *out)
{
	if (len < 8 + 8 * SAMPLE_NUMBERS || buf[4] >= STATES)
		return -EBADMSG;
	*out = (struct journal_sample){
		.group = get32(buf),
		.state = buf[4],
		.equal = buf[5] & SAMPLE_EQUAL,
		.ready = buf[5] & SAMPLE_READY,
		.complete = buf[5] & SAMPLE_COMPLETE,
		.flows = get64(buf + 8),
		.kernel_queued = get64(buf + 16),
		.wire_queued = get64(buf + 24),
		.refused = get64(buf + 32),
		.lag_us = get64(buf + 40),
		.would_lose = get64(buf + 48),
		.digest = get64(buf + 56),
		.naks_sent = get64(buf + 64),
		.retransmitted = get64(buf + 72),
	};
	return 0;
}

void journal_keyframe_write(uint64_t queued, uint8_t *buf)
{
	put64(buf, queued);
}

int journal_keyframe_read(const uint8_t *buf, size_t len, uint64_t *queued, const uint8_t **data,
			  size_t *data_len)
{
	if (len < JOURNAL_KEYFRAME_LEN)
		return -EBADMSG;
	*queued = get64(buf);
	*data = buf + JOURNAL_KEYFRAME_LEN;
	*data_len = len - JOURNAL_KEYFRAME_LEN;
	return 0;
}
