// SPDX-License-Identifier: GPL-2.0-or-later
/* One segment, through a window of the file that is large enough for any block; see segment.h. */
#include "replay/segment.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Larger ones would only drive everything else out of the processor's cache. */
enum { WINDOW = 512 << 10 };

struct segment {
	int fd;
	segment_damage_fn *damage;
	void *ctx;
	struct journal_header header;
	struct journal_packer *packer;
	struct sha256_ctx sha;
	uint64_t skip_us;

	uint8_t *window;
	size_t at, have; /* window[at .. have) is read and not yet used */
	uint64_t offset; /* of window[at] in the file */

	struct journal_block block;
	uint8_t *raw;
	size_t raw_at;
	bool ended, scanning;
};

/* Sees to it that so many bytes are in the window. 1, 0 where the file has not so many, -errno. */
static int want(struct segment *s, size_t n)
{
	while (s->have - s->at < n) {
		ssize_t got;

		if (s->at > 0 && WINDOW - s->at < n) {
			memmove(s->window, s->window + s->at, s->have - s->at);
			s->have -= s->at;
			s->at = 0;
		}
		got = read(s->fd, s->window + s->have, WINDOW - s->have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return 0;
		s->have += (size_t)got;
	}
	return 1;
}

static void use(struct segment *s, size_t n)
{
	sha256_update(&s->sha, n, s->window + s->at);
	s->at += n;
	s->offset += n;
}

int segment_open(int fd, segment_damage_fn *damage, void *ctx, struct segment **out)
{
	struct segment *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (!s) {
		(void)close(fd);
		return -ENOMEM;
	}
	s->fd = fd;
	s->damage = damage;
	s->ctx = ctx;
	sha256_init(&s->sha);
	s->window = malloc(WINDOW);
	s->raw = malloc(JOURNAL_BLOCK_MAX);
	s->packer = journal_packer_new();
	if (!s->window || !s->raw || !s->packer)
		goto out;
	err = want(s, JOURNAL_HEADER_LEN);
	err = err < 0 ? err
	      : err   ? journal_header_read(s->window, JOURNAL_HEADER_LEN, &s->header)
		      : -EBADMSG;
	if (err)
		goto out;
	use(s, JOURNAL_HEADER_LEN);
	*out = s;
	return 0;
out:
	segment_close(s);
	return err;
}

void segment_close(struct segment *s)
{
	if (!s)
		return;
	(void)close(s->fd);
	journal_packer_free(s->packer);
	free(s->window);
	free(s->raw);
	free(s);
}

const struct journal_header *segment_header(const struct segment *s)
{
	return &s->header;
}

uint64_t segment_offset(const struct segment *s)
{
	return s->offset;
}

bool segment_ended(const struct segment *s)
{
	return s->ended;
}

void segment_skip_before(struct segment *s, uint64_t wall_us)
{
	s->skip_us = wall_us;
}

void segment_hash(const struct segment *s, uint8_t out[JOURNAL_HASH_LEN])
{
	struct sha256_ctx sha = s->sha;

	/* What stands behind the last block is part of the file. */
	sha256_update(&sha, s->have - s->at, s->window + s->at);
	sha256_digest(&sha, JOURNAL_HASH_LEN, out);
}

/* Damage is told once for a stretch of it, not for each byte. */
static void tell(struct segment *s, const char *what)
{
	if (!s->scanning)
		s->damage(s->ctx, s->offset, what);
	s->scanning = true;
}

/* Finds the next block's header. 1 with it in the window, 0, -errno. */
static int find_block(struct segment *s, struct journal_block *b)
{
	int got;

	while ((got = want(s, JOURNAL_BLOCK_LEN)) > 0) {
		if (journal_block_read(s->window + s->at, JOURNAL_BLOCK_LEN, b) == 0)
			return 1;
		tell(s, "no block's header");
		use(s, 1);
	}
	return got;
}

static int next_block(struct segment *s)
{
	struct journal_block b;
	int got;

	while ((got = find_block(s, &b)) > 0) {
		got = want(s, JOURNAL_BLOCK_LEN + b.stored);
		if (got <= 0)
			return got; /* torn, or being written */
		if (s->skip_us && b.last_us < s->skip_us) {
			use(s, JOURNAL_BLOCK_LEN + b.stored);
			continue;
		}
		got = journal_unpack(s->packer, &b, s->window + s->at + JOURNAL_BLOCK_LEN, s->raw);
		if (got == 0)
			s->scanning = false;
		else
			tell(s, "a block's content is not what its header says");
		use(s, JOURNAL_BLOCK_LEN + b.stored);
		if (got)
			continue;
		s->block = b;
		s->raw_at = 0;
		return 1;
	}
	return got;
}

int segment_next(struct segment *s, struct journal_record *out)
{
	int got;

	for (;;) {
		if (s->raw_at >= s->block.raw) {
			got = next_block(s);
			if (got <= 0)
				return got;
		}
		got = journal_record_read(s->raw + s->raw_at, s->block.raw - s->raw_at, out);
		if (got > 0)
			break;
		s->damage(s->ctx, s->offset, "a record's checksum is wrong");
		s->raw_at = s->block.raw;
	}
	s->raw_at += (size_t)got;
	s->ended = out->type == JOURNAL_END;
	return 1;
}
