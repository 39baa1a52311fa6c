/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A segment of a journal, as a damaged disk or somebody's hand may leave it: the reader goes
 * through it, tables are rebuilt from what it finds, with flows and as digests alone, and both have
 * the same to say of each check. Checksums are put right first, half of the time, so that what is
 * behind them is reached.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "replay/segment.h"
#include "replay/tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_damage(void *ctx, uint64_t offset, const char *what)
{
	(void)offset;
	(void)what;
	++*(unsigned *)ctx;
}

static void put_hash(uint8_t *at, const uint8_t *bytes, size_t len)
{
	uint64_t h = XXH3_64bits(bytes, len);

	memcpy(at, &h, sizeof(h));
}

/* The first block is taken as stored, and what looks like a record gets its checksum. */
static void mend(uint8_t *seg, size_t len)
{
	static const uint8_t header[] = {0x50, 0x2a, 0x4d, 0x18, 120, 0,   0,	0, 'S',
					 'Y',  'N',  'C',  'D',	 'J', 'N', 'L', 1, 0};
	static const uint8_t block[] = {0x51, 0x2a, 0x4d, 0x18, 56, 0, 0, 0};
	uint8_t *b = seg + JOURNAL_HEADER_LEN, *raw = b + JOURNAL_BLOCK_LEN;
	uint32_t stored = (uint32_t)(len - JOURNAL_HEADER_LEN - JOURNAL_BLOCK_LEN), n, one = 1;

	memcpy(seg, header, sizeof(header));
	put_hash(seg + JOURNAL_HEADER_LEN - 8, seg, JOURNAL_HEADER_LEN - 8);
	for (uint32_t at = 0; at + JOURNAL_RECORD_LEN <= stored; at += n) {
		memcpy(&n, raw + at, 4);
		n = JOURNAL_RECORD_LEN + n % 512;
		if (at + n > stored)
			n = stored - at;
		memcpy(raw + at, &n, 4);
		put_hash(raw + at + n - 8, raw + at, n - 8);
	}
	memcpy(b, block, sizeof(block));
	memcpy(b + 8, &stored, 4);
	memcpy(b + 12, &stored, 4);
	memcpy(b + 16, &one, 4);
	b[20] = JOURNAL_STORED;
	put_hash(b + 48, raw, stored);
	put_hash(b + JOURNAL_BLOCK_LEN - 8, b, JOURNAL_BLOCK_LEN - 8);
}

struct seen {
	uint64_t digest, count, checks;
};

static void on_check(void *ctx, const struct tables_check *c)
{
	struct seen *s = ctx;

	*s = (struct seen){c->digest, c->count, s->checks + 1};
}

static void read_all(struct segment *s)
{
	static const struct digest_key key = {.id = 1};
	struct seen seen = {0}, digests_seen = {0};
	const struct tables_events ev = {.check = on_check, .ctx = &seen},
				   digests_ev = {.check = on_check, .ctx = &digests_seen};
	struct tables *t = tables_new(&key, &ev), *digests = tables_new_digests(&key, &digests_ev);
	struct journal_record r;
	struct journal_change c;
	struct journal_sample sample;
	struct journal_note note;
	uint64_t records = 0;

	assert(t && digests);
	while (segment_next(s, &r) > 0) {
		tables_apply(t, &r);
		tables_apply(digests, &r);
		assert(memcmp(&seen, &digests_seen, sizeof(seen)) == 0);
		(void)journal_change_read(r.payload, r.len, &c);
		(void)journal_sample_read(r.payload, r.len, &sample);
		(void)journal_note_read(r.payload, r.len, &note);
		records++;
	}
	assert(records <= segment_offset(s) * 1024);
	tables_free(t);
	tables_free(digests);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("segment", MFD_CLOEXEC);
	uint8_t *copy = malloc(size + 1);
	struct segment *s;
	unsigned damaged = 0;

	assert(fd >= 0 && copy);
	memcpy(copy, data, size);
	if (size > JOURNAL_HEADER_LEN + JOURNAL_BLOCK_LEN + JOURNAL_RECORD_LEN &&
	    size < JOURNAL_BLOCK_AIM && (data[size - 1] & 1))
		mend(copy, size);
	assert(write(fd, copy, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	if (segment_open(fd, on_damage, &damaged, &s) == 0) {
		read_all(s);
		segment_close(s);
	}
	free(copy);
	return 0;
}
