// SPDX-License-Identifier: GPL-2.0-or-later
/* Journals on the command line, and reading one through; see input.h. */
#include "replay/input.h"
#include "replay/capture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLLOW_MS = 100, PROGRESS_STEPS = 200 };

static int read_header(const char *path, struct input_file *out)
{
	uint8_t buf[JOURNAL_HEADER_LEN];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, sizeof(buf));
	if (fstat(fd, &st) == 0)
		out->bytes = (uint64_t)st.st_size;
	(void)close(fd);
	return n < 0 ? -errno : journal_header_read(buf, (size_t)n, &out->header);
}

static struct input_journal *journal_of(struct input *in, const struct journal_header *h)
{
	for (size_t i = 0; i < in->journals; i++)
		if (in->journal[i].node == h->node)
			return &in->journal[i];
	if (in->journals == INPUT_JOURNALS_MAX)
		return NULL;
	in->journal[in->journals].node = h->node;
	memcpy(in->journal[in->journals].name, h->name, sizeof(h->name));
	return &in->journal[in->journals++];
}

static int add_file(struct input *in, const char *path, bool named)
{
	struct input_file f = {0}, *more;
	struct input_journal *j;
	int err = read_header(path, &f);

	if (err == -EBADMSG && capture_is(path)) {
		(void)strcpy(f.header.name, "capture");
		f.header.wall_us = capture_begin_us(path);
		f.capture = true;
		err = 0;
	}
	if (err) {
		if (named || err != -EBADMSG)
			(void)fprintf(stderr, "sync-replay: %s: %s\n", path,
				      err == -EBADMSG		? "no segment of a journal"
				      : err == -EPROTONOSUPPORT ? "of another version"
								: strerror(-err));
		else
			(void)fprintf(stderr, "sync-replay: %s: damaged header: skipped\n", path);
		in->unreadable++;
		return 0;
	}
	j = journal_of(in, &f.header);
	more = j ? realloc(j->file, (j->files + 1) * sizeof(*more)) : NULL;
	f.path = strdup(path);
	if (!more || !f.path) {
		free(f.path);
		if (more)
			j->file = more;
		return -ENOMEM;
	}
	j->file = more;
	j->file[j->files++] = f;
	return 0;
}

static int add_dir(struct input *in, const char *dir)
{
	DIR *d = opendir(dir);
	char path[PATH_MAX];
	struct dirent *e;
	int err = 0;

	if (!d)
		return -errno;
	while (!err && (e = readdir(d)) != NULL) {
		size_t n = strlen(e->d_name);

		if (strncmp(e->d_name, "journal-", 8) != 0 || n < 4 ||
		    strcmp(e->d_name + n - 4, ".zst") != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		err = add_file(in, path, false);
	}
	(void)closedir(d);
	return err;
}

static int add_stream(struct input *in)
{
	struct input_journal *j = &in->journal[0];

	j->file = calloc(1, sizeof(*j->file));
	j->files = 1;
	in->journals = 1;
	if (j->file)
		j->file[0].path = strdup("-");
	return j->file && j->file[0].path ? 0 : -ENOMEM;
}

static int copy(int from, int to)
{
	static uint8_t buf[1 << 16];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0, put; at < n; at += put) {
			put = write(to, buf + at, (size_t)(n - at));
			if (put < 0)
				return -errno;
		}
	return n < 0 ? -errno : 0;
}

static int add_stdin(struct input *in)
{
	const char *dir = getenv("TMPDIR");
	char path[PATH_MAX];
	struct stat st;
	int err;

	if (fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode))
		return add_file(in, "/dev/stdin", true);
	(void)snprintf(path, sizeof(path), "%.4000s/sync-replay.XXXXXX", dir ? dir : "/var/tmp");
	in->spool = mkostemp(path, O_CLOEXEC);
	err = in->spool < 0 ? -errno : copy(STDIN_FILENO, in->spool);
	if (in->spool >= 0)
		(void)unlink(path);
	if (err) {
		(void)fprintf(stderr, "sync-replay: %s, for what a pipe brings: %s\n", path,
			      strerror(-err));
		return -EIO;
	}
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", in->spool);
	return add_file(in, path, true);
}

static int by_segment(const void *a, const void *b)
{
	const struct input_file *x = a, *y = b;

	if (x->header.segment != y->header.segment)
		return x->header.segment < y->header.segment ? -1 : 1;
	return x->header.wall_us < y->header.wall_us ? -1 : x->header.wall_us > y->header.wall_us;
}

static void set_start(struct input *in)
{
	uint64_t us = UINT64_MAX;

	for (size_t i = 0; i < in->journals; i++)
		if (in->journal[i].file[0].header.wall_us < us)
			us = in->journal[i].file[0].header.wall_us;
	for (size_t i = 0; i < in->journals; i++)
		in->journal[i].start_us = us;
}

int input_find(char *const *arg, int args, bool follow, struct input *out)
{
	struct stat st;
	int err = 0;

	memset(out, 0, sizeof(*out));
	out->spool = -1;
	for (int i = 0; i < args && !err; i++) {
		if (strcmp(arg[i], "-") == 0)
			err = args != 1 ? -EINVAL : follow ? add_stream(out) : add_stdin(out);
		else if (stat(arg[i], &st) == 0 && S_ISDIR(st.st_mode))
			err = add_dir(out, arg[i]);
		else
			err = add_file(out, arg[i], true);
	}
	for (size_t i = 0; i < out->journals; i++)
		qsort(out->journal[i].file, out->journal[i].files, sizeof(struct input_file),
		      by_segment);
	set_start(out);
	if (!err && out->journals == 0)
		err = -ENOENT;
	if (err)
		input_free(out);
	return err;
}

void input_free(struct input *in)
{
	for (size_t i = 0; i < in->journals; i++) {
		for (size_t k = 0; k < in->journal[i].files; k++)
			free(in->journal[i].file[k].path);
		free(in->journal[i].file);
	}
	in->journals = 0;
	if (in->spool >= 0)
		(void)close(in->spool);
	in->spool = -1;
}

struct reading {
	const struct input_journal *j;
	const struct input_range *range;
	const struct input_events *ev;
	const struct input_file *file;
	struct input_file grown; /* found while following */
	uint64_t total, done, told;
};

static void on_damage(void *ctx, uint64_t offset, const char *what)
{
	struct reading *rd = ctx;

	if (rd->ev->damage)
		rd->ev->damage(rd->ev->ctx, rd->file, offset, what);
}

static void show_progress(struct reading *rd, uint64_t now)
{
	enum { WIDTH = 40 };
	uint64_t step = rd->total ? now * PROGRESS_STEPS / rd->total : 0;
	int full;

	if (step > PROGRESS_STEPS)
		step = PROGRESS_STEPS;
	if (!rd->range->progress || step == rd->told)
		return;
	rd->told = step;
	full = (int)(step * WIDTH / PROGRESS_STEPS);
	(void)fprintf(stderr, "\r[%.*s%*s] %3u %%%s", full,
		      "########################################", WIDTH - full, "",
		      (unsigned)(step * 100 / PROGRESS_STEPS), step == PROGRESS_STEPS ? "\n" : "");
}

/* Who stops before the end goes on in a line of its own. */
static void end_progress(const struct reading *rd)
{
	if (rd->told && rd->told < PROGRESS_STEPS)
		(void)fputc('\n', stderr);
}

/* The segment that a live journal goes on in, where there is one by now. */
static bool find_next(struct reading *rd, struct input_file *out)
{
	char path[PATH_MAX], dir[PATH_MAX], *slash;
	struct input_file f = {0};

	(void)snprintf(dir, sizeof(dir), "%s", rd->file->path);
	slash = strrchr(dir, '/');
	if (!slash)
		(void)strcpy(dir, ".");
	else
		*slash = '\0';
	if (snprintf(path, sizeof(path), "%.3000s/" JOURNAL_NAME_FORMAT, dir, rd->j->node,
		     rd->file->header.segment + 1) >= (int)sizeof(path) ||
	    read_header(path, &f))
		return false;
	f.path = strdup(path);
	*out = f;
	return f.path != NULL;
}

/* A pipe's end is the end. */
static bool is_stream(const struct input_file *f)
{
	return strcmp(f->path, "-") == 0;
}

static int read_records(struct reading *rd, struct segment *s, input_record_fn *fn, void *ctx,
			bool last)
{
	struct journal_record r;
	bool next = false;
	int rc = 0;

	for (;;) {
		int got = segment_next(s, &r);

		if (got < 0)
			return got;
		if (got > 0) {
			rc = fn(ctx, &r);
			if (rc)
				return rc;
			show_progress(rd, rd->done + segment_offset(s));
			continue;
		}
		/* Once there is another, what this one had to say is in it: read to its end. */
		if (!rd->range->follow || !last || segment_ended(s) || next || is_stream(rd->file))
			return 0;
		(void)fflush(stdout);
		(void)poll(NULL, 0, FOLLOW_MS);
		next = find_next(rd, &rd->grown);
		free(rd->grown.path);
		rd->grown.path = NULL;
	}
}

static int open_file(struct reading *rd, struct segment **out)
{
	int fd = is_stream(rd->file) ? dup(STDIN_FILENO)
				     : open(rd->file->path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : segment_open(fd, on_damage, rd, out);
}

struct capture_reading {
	struct reading *rd;
	struct capture_stats stats;
	input_record_fn *fn;
	void *ctx;
};

static int on_captured(void *ctx, const struct journal_record *r)
{
	struct capture_reading *cr = ctx;

	show_progress(cr->rd, cr->rd->done + cr->stats.offset);
	return cr->fn(cr->ctx, r);
}

static int read_captures(struct reading *rd, input_record_fn *fn, void *ctx)
{
	struct capture_reading cr = {.rd = rd, .fn = fn, .ctx = ctx};
	const struct input_range *range = rd->range;
	const struct input_journal *j = rd->j;
	const struct capture_stats *st = &cr.stats;
	int rc = 0;

	for (size_t i = 0; i < j->files && !rc; i++) {
		rc = capture_read(j->file[i].path, range->key, on_captured, &cr, &cr.stats);
		rd->done += j->file[i].bytes;
		if (!rc)
			show_progress(rd, rd->done);
		if (!rc && st->sealed)
			(void)fprintf(stderr,
				      "sync-replay: %s: %llu of %llu packets are sealed with "
				      "another key%s\n",
				      j->file[i].path, (unsigned long long)st->sealed,
				      (unsigned long long)st->packets,
				      range->key ? "" : ": give its file by -k");
	}
	end_progress(rd);
	return rc;
}

int input_read(const struct input_journal *j, const struct input_range *range,
	       const struct input_events *ev, input_record_fn *fn, void *ctx)
{
	struct reading rd = {.j = j, .range = range, .ev = ev};
	struct segment *before = NULL, *s = NULL;
	struct input_file live = {0};
	size_t i = range->first;
	int rc = 0;

	for (size_t k = i; k < j->files; k++)
		rd.total += j->file[k].bytes;
	if (j->files && j->file[0].capture)
		return read_captures(&rd, fn, ctx);
	rd.file = i < j->files ? &j->file[i] : NULL;
	while (!rc && rd.file) {
		struct input_file next = {0};

		rc = open_file(&rd, &s);
		if (rc)
			break;
		segment_skip_before(s, range->from_us);
		if (ev->segment) {
			struct input_file named = *rd.file;

			named.header = *segment_header(s);
			ev->segment(ev->ctx, &named, before);
		}
		segment_close(before);
		before = s;
		rc = read_records(&rd, s, fn, ctx, i + 1 >= j->files);
		rd.done += rd.file->bytes;
		if (++i < j->files) {
			rd.file = &j->file[i];
			continue;
		}
		while (range->follow && !rc && !is_stream(rd.file) && !find_next(&rd, &next)) {
			(void)fflush(stdout);
			(void)poll(NULL, 0, FOLLOW_MS);
		}
		free(live.path);
		live = next;
		rd.file = next.path ? &live : NULL;
	}
	end_progress(&rd);
	if (!rc && ev->end && before)
		ev->end(ev->ctx, before);
	segment_close(before);
	free(live.path);
	return rc;
}
