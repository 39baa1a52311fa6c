// SPDX-License-Identifier: GPL-2.0-or-later
/* sync-replay on journals of a writer without a daemon: whole ones, and every way to tamper. */
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/journal_lab.h"
#include "tests/lib/replay_run.h"
#include "tests/lib/rng.h"
#include "tests/lib/suite.h"
#include "tests/lib/tmpdir.h"

enum { FLOWS = 20000, EACH = 20, FILE_MAX = 4 << 20 };

static char dir[64];
static const char *out;
static uint8_t file[FILE_MAX];

/* Some segments: all flows are made, half of them deleted, with a check now and then. */
static void write_journal(bool compress)
{
	journal_lab_write(dir, FLOWS, EACH, compress ? 30000 : 700000, compress);
}

static void up(void)
{
	tmpdir_make(dir);
}

static void down(void)
{
	tmpdir_remove(dir);
}

static void path_of(unsigned segment, char *path)
{
	(void)snprintf(path, 128, "%s/" JOURNAL_NAME_FORMAT, dir, 1, segment);
}

static unsigned segments(void)
{
	char path[128];
	unsigned n = 0;

	do
		path_of(++n, path);
	while (access(path, F_OK) == 0);
	return n - 1;
}

static size_t load(unsigned segment)
{
	char path[128];
	ssize_t n;
	int fd;

	path_of(segment, path);
	fd = open(path, O_RDONLY);
	n = read(fd, file, sizeof(file));
	ck_assert_int_gt(n, 0);
	(void)close(fd);
	return (size_t)n;
}

static void store(unsigned segment, size_t len)
{
	char path[128];
	int fd;

	path_of(segment, path);
	fd = open(path, O_WRONLY | O_TRUNC);
	ck_assert_int_eq(write(fd, file, len), (ssize_t)len);
	(void)close(fd);
}

START_TEST(test_whole)
{
	write_journal(_i);
	ck_assert_uint_ge(segments(), 3);
	ck_assert_msg(replay_run(&out, "verify %s", dir) == 0, "%s", out);
	ck_assert_msg(strstr(out, " 0 differed, 0 could not be compared, 0 findings"), "%s", out);
	ck_assert_msg(replay_run(&out, "at '#99999' -q %s", dir) == 0, "%s", out);
	ck_assert_msg(strstr(out, " 10000 flows, 10000 shown"), "%s", out);
	ck_assert_msg(replay_run(&out, "info %s", dir) == 0, "%s", out);
	ck_assert_ptr_nonnull(strstr(out, "rotated"));
	ck_assert_ptr_nonnull(strstr(out, "stopped"));
}
END_TEST

START_TEST(test_stdin)
{
	write_journal(true);
	ck_assert_msg(replay_run(&out, "verify - <%s/journal-1-0000000001.zst", dir) == 1, "%s",
		      out); /* the next one is missing */
	ck_assert_ptr_nonnull(strstr(out, "segment 2, which follows, is missing"));
	ck_assert_msg(replay_run(&out, "dump - <%s/journal-1-0000000002.zst", dir) == 0, "%s", out);
	ck_assert_ptr_nonnull(strstr(out, "keyframe"));
}
END_TEST

/* The moment is found from a keyframe, whatever came before it. */
START_TEST(test_nearest_keyframe)
{
	unsigned last;
	char path[128];

	write_journal(true);
	last = segments();
	for (unsigned i = 1; i + 2 < last; i++) {
		path_of(i, path);
		ck_assert_int_eq(unlink(path), 0);
	}
	ck_assert_msg(replay_run(&out, "at '@1999999999' -q %s", dir) == 0, "%s", out);
	ck_assert_msg(strstr(out, " 10000 flows, 10000 shown"), "%s", out);
	ck_assert_msg(replay_run(&out, "verify %s", dir) == 0, "%s", out);
}
END_TEST

START_TEST(test_one_bit)
{
	struct rng rng;
	unsigned segment;
	size_t len, at;
	uint8_t bit;

	write_journal(_i % 2);
	rng_init(&rng, (uint64_t)_i);
	segment = 1 + (unsigned)rng_below(&rng, segments());
	len = load(segment);
	at = rng_below(&rng, len);
	bit = (uint8_t)(1 << rng_below(&rng, 8));
	file[at] ^= bit;
	store(segment, len);
	ck_assert_msg(replay_run(&out, "verify %s", dir) == 1, "segment %u byte %zu bit %u: %s",
		      segment, at, bit, out);
}
END_TEST

/* Changes the first block of the segment in `file` that can be. Returns its new length. */
typedef size_t change_fn(uint8_t *raw, size_t len, struct journal_block *b);

static size_t rewrite_block(size_t len, change_fn *change)
{
	static uint8_t raw[JOURNAL_BLOCK_MAX], packed[2 * JOURNAL_BLOCK_MAX], rest[FILE_MAX];
	struct journal_packer *p = journal_packer_new();
	struct journal_block b;
	size_t at = JOURNAL_HEADER_LEN, rest_len, changed;

	for (;; at += JOURNAL_BLOCK_LEN + b.stored) {
		ck_assert_int_eq(journal_block_read(file + at, len - at, &b), 0);
		ck_assert_int_eq(journal_unpack(p, &b, file + at + JOURNAL_BLOCK_LEN, raw), 0);
		changed = change(raw, b.raw, &b);
		if (changed)
			break;
	}
	rest_len = len - at - JOURNAL_BLOCK_LEN - b.stored;
	memcpy(rest, file + at + JOURNAL_BLOCK_LEN + b.stored, rest_len);
	b.raw = (uint32_t)changed;
	ck_assert_int_eq(journal_pack(p, raw, &b, packed), 0);
	journal_block_write(&b, file + at);
	memcpy(file + at + JOURNAL_BLOCK_LEN, packed, b.stored);
	memcpy(file + at + JOURNAL_BLOCK_LEN + b.stored, rest, rest_len);
	journal_packer_free(p);
	return at + JOURNAL_BLOCK_LEN + b.stored + rest_len;
}

static size_t record_at(const uint8_t *raw, size_t len, unsigned n, size_t *record_len)
{
	struct journal_record r;
	size_t at = 0;
	int got;

	while ((got = journal_record_read(raw + at, len - at, &r)) > 0 && n-- > 0)
		at += (size_t)got;
	ck_assert_int_gt(got, 0);
	*record_len = (size_t)got;
	return at;
}

static size_t remove_second(uint8_t *raw, size_t len, struct journal_block *b)
{
	size_t n, at;

	if (b->records < 3)
		return 0;
	at = record_at(raw, len, 1, &n);
	memmove(raw + at, raw + at + n, len - at - n);
	b->records--;
	return len - n;
}

static size_t swap_two(uint8_t *raw, size_t len, struct journal_block *b)
{
	static uint8_t first[JOURNAL_RECORD_MAX];
	size_t n, m, at;

	if (b->records < 3)
		return 0;
	at = record_at(raw, len, 0, &n);
	(void)record_at(raw, len, 1, &m);
	memcpy(first, raw + at, n);
	memmove(raw + at, raw + at + n, m);
	memcpy(raw + at + m, first, n);
	return len;
}

/* A flow is given another real server, all checksums put right. */
static size_t forge_flow(uint8_t *raw, size_t len, struct journal_block *b)
{
	static const uint8_t server[] = {10, 2, 0, 11};
	static uint8_t again[JOURNAL_RECORD_MAX];
	struct journal_record r;
	size_t at = 0;
	int n;

	(void)b;
	for (; (n = journal_record_read(raw + at, len - at, &r)) > 0; at += (size_t)n) {
		uint8_t *hit =
			r.type == JOURNAL_SENT ? memmem(raw + at, (size_t)n, server, 4) : NULL;

		if (!hit)
			continue;
		hit[3] = 12;
		memcpy(again, raw + at, (size_t)n);
		r.payload = again + 48;
		(void)journal_record_write(&r, raw + at);
		return len;
	}
	return 0;
}

START_TEST(test_record_tampered)
{
	static change_fn *const change[] = {remove_second, swap_two, forge_flow};
	static const char *const said[] = {"are missing", "comes after record",
					   "the journal's table"};

	write_journal(true);
	store(2, rewrite_block(load(2), change[_i]));
	ck_assert_msg(replay_run(&out, "verify %s", dir) == 1, "%s", out);
	ck_assert_msg(strstr(out, said[_i]), "%s", out);
	/* Of another time or node, nothing is said; whole segments are of no time. */
	ck_assert_msg(replay_run(&out, "verify --until '#1' %s", dir) == 1, "%s", out);
	ck_assert_ptr_null(strstr(out, said[_i]));
	ck_assert_int_eq(replay_run(&out, "verify --node 9 %s", dir), 0);
	ck_assert_str_eq(out, "");
	ck_assert_int_eq(replay_run(&out, "verify %s", dir), 1);
	/* And whatever was done, the next segment tells. */
	ck_assert_msg(strstr(out, "is not the one that segment 3 was chained to"), "%s", out);
}
END_TEST

START_TEST(test_segment_removed)
{
	char path[128];

	write_journal(true);
	path_of(_i ? segments() : 2, path);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_msg(replay_run(&out, "verify %s", dir) == 1, "%s", out);
	ck_assert_ptr_nonnull(strstr(out, "missing"));
}
END_TEST

START_TEST(test_segments_swapped)
{
	char a[128], b[128], tmp[128];

	write_journal(true);
	path_of(1, a);
	path_of(2, b);
	(void)snprintf(tmp, sizeof(tmp), "%s/x", dir);
	ck_assert(rename(a, tmp) == 0 && rename(b, a) == 0 && rename(tmp, b) == 0);
	ck_assert_msg(replay_run(&out, "verify %s", dir) == 1, "%s", out);
	ck_assert_msg(strstr(out, "holds segment 1"), "%s", out);
}
END_TEST

/* A node that crashed: what is behind the last whole block is not there, and that is no finding. */
START_TEST(test_torn)
{
	size_t len;

	write_journal(true);
	len = load(segments());
	store(segments(), len - 10);
	ck_assert_msg(replay_run(&out, "verify %s", dir) == 0, "%s", out);
	ck_assert_msg(strstr(out, "has no end"), "%s", out);
}
END_TEST

/* Cut at a block's end, where a crash could have, a segment before others gives itself away. */
START_TEST(test_tail_cut)
{
	size_t len, at = JOURNAL_HEADER_LEN, before = at;
	struct journal_block b;

	write_journal(_i);
	len = load(2);
	while (at < len) {
		before = at;
		ck_assert_int_eq(journal_block_read(file + at, len - at, &b), 0);
		at += JOURNAL_BLOCK_LEN + b.stored;
	}
	ck_assert_uint_gt(before, JOURNAL_HEADER_LEN);
	store(2, before);
	ck_assert_msg(replay_run(&out, "verify %s", dir) == 1, "%s", out);
	ck_assert_msg(strstr(out, "segment 2 is not the one that segment 3 was chained to"), "%s",
		      out);
	ck_assert_msg(strstr(out, " are missing"), "%s", out);
}
END_TEST

/* What is whole of a damaged segment is read. */
START_TEST(test_damaged_block_skipped)
{
	size_t len;

	write_journal(true);
	len = load(2);
	file[JOURNAL_HEADER_LEN + JOURNAL_BLOCK_LEN + 5] ^= 1;
	store(2, len);
	ck_assert_int_eq(replay_run(&out, "dump %s | tail -n 1", dir), 0);
	ck_assert_ptr_nonnull(strstr(out, "stopped"));
	ck_assert_int_eq(replay_run(&out, "dump %s >/dev/null", dir), 1);
	ck_assert_ptr_nonnull(strstr(out, "skipped"));
}
END_TEST

START_TEST(test_usage)
{
	write_journal(true);
	ck_assert_int_eq(replay_run(&out, "verify"), 2);
	ck_assert_int_eq(replay_run(&out, "nothing %s", dir), 2);
	ck_assert_int_eq(replay_run(&out, "at yesterday %s", dir), 2);
	ck_assert_int_eq(replay_run(&out, "dump --port 70000 %s", dir), 2);
	ck_assert_int_eq(replay_run(&out, "verify /nonexistent"), 3);
	ck_assert_int_eq(replay_run(&out, "verify -k /nonexistent %s", dir), 3);
	ck_assert_int_eq(replay_run(&out, "verify /dev/null"), 3);
}
END_TEST

START_TEST(test_filters)
{
	write_journal(true);
	ck_assert_int_eq(replay_run(&out, "dump -v --op del --port 7 %s", dir), 0);
	ck_assert_msg(strstr(out, "del tcp 192.0.2.0:7>203.0.113.10:80"), "%s", out);
	ck_assert_ptr_null(strstr(out, "put tcp"));
	ck_assert_int_eq(replay_run(&out, "dump --json --op state %s", dir), 0);
	ck_assert_str_eq(out, "");
	ck_assert_int_eq(replay_run(&out, "at '#99999' --addr 198.51.100.0/24 %s", dir), 0);
	ck_assert_msg(strstr(out, " 10000 flows, 0 shown"), "%s", out);
	ck_assert_int_eq(replay_run(&out, "history 'tcp 192.0.2.0:7>203.0.113.10:80' %s", dir), 0);
	ck_assert_msg(strstr(out, "there") && strstr(out, "deleted"), "%s", out);
	ck_assert_int_eq(replay_run(&out, "diff %s %s '#900'", dir, dir), 0);
	ck_assert_msg(strstr(out, "0 only lab, 0 only lab, 0 differ"), "%s", out);
}
END_TEST

/* What goes out as a capture comes in again: numbers, tables and digests alike. */
START_TEST(test_capture)
{
	write_journal(true);
	ck_assert_msg(replay_run(&out, "export -o %s/x.pcapng %s", dir, dir) == 0, "%s", out);
	ck_assert_msg(replay_run(&out, "verify %s/x.pcapng", dir) == 0, "%s", out);
	ck_assert_msg(strstr(out, "capture: 1501 records, ") &&
			      strstr(out, " 0 differed, 0 could not be compared, 0 findings"),
		      "%s", out);
	ck_assert_int_eq(replay_run(&out, "export -o %s/y.pcapng --until '#700' %s", dir, dir), 0);
	ck_assert_int_eq(replay_run(&out, "stats %s/y.pcapng", dir), 0);
	ck_assert_msg(strstr(out, "puts 14000 "), "%s", out);
}
END_TEST

/* With the journal of who sent it, and with another capture: as far as both go, or at a time. */
START_TEST(test_diff_of_captures)
{
	write_journal(true);
	ck_assert_int_eq(replay_run(&out, "export -o %s/x.pcapng %s", dir, dir), 0);
	ck_assert_int_eq(replay_run(&out, "export -o %s/y.pcapng --until '#700' %s", dir, dir), 0);
	ck_assert_msg(replay_run(&out, "diff %s %s/y.pcapng", dir, dir) == 0, "%s", out);
	ck_assert_msg(strstr(out, "1:700; capture") &&
			      strstr(out, "0 only lab, 0 only capture, 0 differ"),
		      "%s", out);
	ck_assert_msg(replay_run(&out, "diff %s/x.pcapng %s/y.pcapng", dir, dir) == 0, "%s", out);
	ck_assert_msg(replay_run(&out, "diff %s %s/x.pcapng '#900'", dir, dir) == 0, "%s", out);
}
END_TEST

/* The directory goes, and comes back: nobody waits, and the loss is a record. */
START_TEST(test_directory_vanishes)
{
	static struct journal_lab l; /* large */
	struct journal_stats st;

	journal_lab_open(&l, dir, 1 << 30, true);
	journal_lab_send(&l, 0, EACH, false, true);
	do
		journal_read_stats(l.j, &st);
	while (st.records == 0);
	tmpdir_remove(dir);
	do
		journal_read_stats(l.j, &st);
	while (st.error == 0);
	do
		journal_lab_send(&l, 0, 1, false, true);
	while (access(dir, F_OK) != 0);
	/* Once more when the loss is known, for a keyframe. */
	journal_lab_send(&l, 0, 1, false, true);
	journal_lab_close(&l);
	ck_assert_int_le(replay_run(&out, "dump --op lost %s", dir), 1);
	ck_assert_msg(strstr(out, "lost"), "%s", out);
}
END_TEST

/* A disk that does not answer yet: nobody waits for it, and what had no room is told, in number. */
START_TEST(test_stalled)
{
	static const uint8_t payload[1000];
	struct journal_config c = {.dir = dir,
				   .name = "stalled",
				   .node = 1,
				   .session = 1,
				   .rotate_bytes = 1 << 30,
				   .rotate_us = 3600 * S_US,
				   .keep = 10,
				   .queue_bytes = 128 << 10};
	struct journal_record r = {.type = JOURNAL_DROPPED, .payload = payload, .len = 1};
	struct journal_stats st;
	struct journal *j;
	unsigned lost = 0;

	ck_assert_int_eq(journal_open(&c, &j), 0);
	for (unsigned i = 0; i < 1000; i++) {
		r.len = i % sizeof(payload);
		lost += !journal_append(j, &r);
	}
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_lt(lost, 1000);
	journal_read_stats(j, &st);
	ck_assert_uint_eq(st.lost, lost);
	ck_assert(!journal_has_room(j));
	ck_assert_int_eq(journal_start(j), 0);
	while (!journal_has_room(j))
		continue;
	r.len = 0;
	ck_assert(journal_append(j, &r));
	journal_close(j);
	ck_assert_msg(replay_run(&out, "dump --json --op lost %s", dir) == 0, "%s", out);
	ck_assert_ptr_nonnull(strstr(out, "records of"));
	ck_assert_uint_eq(strtoul(strstr(out, "\"text\":\"") + 8, NULL, 10), lost);
	ck_assert_msg(replay_run(&out, "verify %s", dir) == 0, "%s", out);
}
END_TEST

static unsigned segments_there(unsigned *oldest)
{
	char path[128];
	unsigned n = 0;

	*oldest = 0;
	for (unsigned i = 1; i < 1000; i++) {
		path_of(i, path);
		if (access(path, F_OK) != 0)
			continue;
		*oldest = *oldest ? *oldest : i;
		n++;
	}
	return n;
}

/* Segments end by age as by size, and only so many are kept; what is kept is consistent. */
START_TEST(test_age_and_keep)
{
	struct journal_config c = {.dir = dir,
				   .name = "kept",
				   .node = 1,
				   .session = 1,
				   .rotate_bytes = 1 << 30,
				   .rotate_us = 20 * MS_US,
				   .keep = 3,
				   .queue_bytes = 1 << 20};
	struct journal_record r = {
		.type = JOURNAL_DROPPED, .payload = (const uint8_t *)"x", .len = 1};
	struct journal *j;
	unsigned oldest = 0;

	ck_assert(journal_open(&c, &j) == 0 && journal_start(j) == 0);
	do {
		ck_assert(journal_append(j, &r));
		(void)usleep(1000);
		ck_assert_uint_le(segments_there(&oldest), c.keep + 1); /* the next, for a moment */
	} while (oldest < 4);
	journal_close(j);
	ck_assert_uint_le(segments_there(&oldest), c.keep);
	ck_assert_msg(replay_run(&out, "verify %s", dir) == 0, "%s", out);
	ck_assert_msg(strstr(out, "note: kept begins with segment "), "%s", out);
}
END_TEST

static void append_part(struct journal *j, enum journal_type type, const uint8_t *buf, size_t len)
{
	struct journal_record r = {
		.type = (uint8_t)type, .node = 2, .session = 2, .payload = buf, .len = len};

	ck_assert(journal_append(j, &r));
}

/* The journals of an active and of a standby that says it stands by: which has one flow otherwise
 * (altered), or from a place on nothing for some datagrams (passed over). */
static void write_pair(bool altered, bool passed_over)
{
	static const uint8_t server[] = {10, 2, 0, 11};
	static struct journal_lab l; /* large */
	struct journal_config c = {.dir = dir,
				   .name = "standby",
				   .node = 2,
				   .session = 2,
				   .rotate_bytes = 1 << 30,
				   .rotate_us = 3600 * S_US,
				   .keep = 10,
				   .queue_bytes = 8 << 20};
	struct journal_change change = {.group = 1, .from = STATE_JOINING, .to = STATE_STANDBY};
	struct journal_note note = {.text = "standby"};
	uint8_t buf[JOURNAL_PART_MAX];
	struct journal *j;

	journal_lab_open(&l, dir, 1 << 30, true);
	c.digest_key_id = l.key.id;
	ck_assert(journal_open(&c, &j) == 0 && journal_start(j) == 0);
	append_part(j, JOURNAL_START, buf, journal_note_write(&note, buf));
	append_part(j, JOURNAL_STATE, buf, journal_change_write(&change, buf));
	for (unsigned i = 0; i < 400; i += EACH) {
		struct journal_record r = {
			.type = JOURNAL_APPLIED, .node = l.node, .session = l.session};
		uint8_t *hit;

		journal_lab_send(&l, i, EACH, false, i % 100 == 0);
		hit = altered && i == 200 ? memmem(l.sent, l.sent_len, server, sizeof(server))
					  : NULL;
		if (hit)
			hit[3] = 12;
		r.counter = l.counter;
		r.payload = l.sent;
		r.len = l.sent_len;
		if (!passed_over || i < 200 || i >= 260)
			ck_assert(journal_append(j, &r));
	}
	journal_lab_close(&l);
	journal_close(j);
}

START_TEST(test_divergence_named)
{
	write_pair(true, false);
	ck_assert_int_eq(replay_run(&out, "verify %s", dir), 1);
	ck_assert_msg(strstr(out, "finding: standby segment 1 record 13 "), "%s", out);
	ck_assert_msg(strstr(out, "first flow that differs: lab: tcp 192.0.2.0:200>203.0.113.10:80 "
				  "=> 10.2.0.11:8080 ESTABLISHED"),
		      "%s", out);
	ck_assert_msg(strstr(out, "; standby: tcp 192.0.2.0:200>203.0.113.10:80 => 10.2.0.12:8080"),
		      "%s", out);
	ck_assert_msg(replay_run(&out, "diff %s/journal-1* %s/journal-2*", dir, dir) == 1, "%s",
		      out);
	ck_assert_msg(strstr(out, "0 only lab, 0 only standby, 1 differ\n"), "%s", out);
}
END_TEST

/* Who lost the stream and follows it anew has checks that differ until it is repaired. */
START_TEST(test_passed_over)
{
	char text[128];

	write_pair(false, true);
	(void)snprintf(text, sizeof(text),
		       " 1 differed, 0 could not be compared, %d datagrams passed over, 0 findings",
		       60 / EACH);
	ck_assert_msg(replay_run(&out, "verify %s", dir) == 0, "%s", out);
	ck_assert_msg(strstr(out, text), "%s", out);
}
END_TEST

/* Beside a journal that is being written, over its rotations: not a record is missed. */
START_TEST(test_follow)
{
	static struct journal_lab l; /* large */
	char path[96];
	FILE *f;
	int pid = 0;

	journal_lab_open(&l, dir, 30000, true);
	journal_lab_send(&l, 0, EACH, false, true);
	while (segments() == 0)
		(void)usleep(1000);
	ck_assert_int_eq(
		replay_run(&out, "dump -f %s >%s/f 2>/dev/null & echo $! >%s/pid", dir, dir, dir),
		0);
	for (unsigned i = EACH; i < FLOWS; i += EACH)
		journal_lab_send(&l, i, EACH, false, i % 100 == 0);
	journal_lab_close(&l);
	ck_assert_uint_ge(segments(), 3);
	for (unsigned i = 0; replay_run(&out, "-V >/dev/null; grep stopped %s/f", dir) != 0; i++) {
		ck_assert_uint_lt(i, 500);
		(void)usleep(20000);
	}
	(void)snprintf(path, sizeof(path), "%s/pid", dir);
	f = fopen(path, "r");
	ck_assert(f && fscanf(f, "%d", &pid) == 1 && pid > 1);
	(void)fclose(f);
	ck_assert_int_eq(kill(pid, SIGTERM), 0);
	ck_assert_msg(replay_run(&out, "dump %s | cmp - %s/f", dir, dir) == 0, "%s", out);
}
END_TEST

static Suite *replay_suite(void)
{
	Suite *s = suite_create("replay");
	TCase *tc = tcase_create("replay");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, up, down);
	tcase_add_loop_test(tc, test_whole, 0, 2);
	tcase_add_test(tc, test_stdin);
	tcase_add_test(tc, test_nearest_keyframe);
	tcase_add_loop_test(tc, test_one_bit, 0, 24);
	tcase_add_loop_test(tc, test_record_tampered, 0, 3);
	tcase_add_loop_test(tc, test_segment_removed, 0, 2);
	tcase_add_test(tc, test_segments_swapped);
	tcase_add_test(tc, test_torn);
	tcase_add_loop_test(tc, test_tail_cut, 0, 2);
	tcase_add_test(tc, test_damaged_block_skipped);
	tcase_add_test(tc, test_usage);
	tcase_add_test(tc, test_filters);
	tcase_add_test(tc, test_capture);
	tcase_add_test(tc, test_diff_of_captures);
	tcase_add_test(tc, test_stalled);
	tcase_add_test(tc, test_age_and_keep);
	tcase_add_test(tc, test_divergence_named);
	tcase_add_test(tc, test_passed_over);
	tcase_add_test(tc, test_follow);
	tcase_add_test(tc, test_directory_vanishes);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	return suite_run(replay_suite());
}
