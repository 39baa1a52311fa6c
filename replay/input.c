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

enum { FOLLOW_MS = 100 };

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

static int add_stdin(struct input *in)
{
	struct input_journal *j = &in->journal[0];

	j->file = calloc(1, sizeof(*j->file));
	j->files = 1;
	in->journals = 1;
	if (j->file)
		j->file[0].path = strdup("-");
	return j->file && j->file[0].path ? 0 : -ENOMEM;
}

static int by_segment(const void *a, const void *b)
{
	const struct input_file *x = a, *y = b;

	if (x->header.segment != y->header.segment)
		return x->header.segment < y->header.segment ? -1 : 1;
	return x->header.wall_us < y->header.wall_us ? -1 : x->header.wall_us > y->header.wall_us;
}

int input_find(char *const *arg, int args, struct input *out)
{
	struct stat st;
	int err = 0;

	memset(out, 0, sizeof(*out));
	for (int i = 0; i < args && !err; i++) {
		if (strcmp(arg[i], "-") == 0)
			err = args == 1 ? add_stdin(out) : -EINVAL;
		else if (stat(arg[i], &st) == 0 && S_ISDIR(st.st_mode))
			err = add_dir(out, arg[i]);
		else
			err = add_file(out, arg[i], true);
	}
	for (size_t i = 0; i < out->journals; i++)
		qsort(out->journal[i].file, out->journal[i].files, sizeof(struct input_file),
		      by_segment);
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
	enum { STEPS = 200, WIDTH = 40 };
	uint64_t step = rd->total ? now * STEPS / rd->total : 0;
	int full;

	if (!rd->range->progress || rd->total == 0 || (step == rd->told && now < rd->total))
		return;
	rd->told = step;
	full = (int)(step * WIDTH / STEPS);
	if (full > WIDTH)
		full = WIDTH;
	(void)fprintf(stderr, "\r[%.*s%*s] %3u %%%s", full,
		      "########################################", WIDTH - full, "",
		      (unsigned)(step * 100 / STEPS), now >= rd->total ? "\n" : "");
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
		if (!rd->range->follow || !last || segment_ended(s) || next)
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
	int fd = strcmp(rd->file->path, "-") == 0 ? dup(STDIN_FILENO)
						  : open(rd->file->path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : segment_open(fd, on_damage, rd, out);
}

static int read_captures(const struct input_journal *j, const struct input_range *range,
			 input_record_fn *fn, void *ctx)
{
	struct capture_stats st;
	int rc = 0;

	for (size_t i = 0; i < j->files && !rc; i++) {
		rc = capture_read(j->file[i].path, range->key, fn, ctx, &st);
		if (!rc && st.sealed)
			(void)fprintf(stderr,
				      "sync-replay: %s: %llu of %llu packets are sealed with "
				      "another key%s\n",
				      j->file[i].path, (unsigned long long)st.sealed,
				      (unsigned long long)st.packets,
				      range->key ? "" : ": give its file by -k");
	}
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

	if (j->files && j->file[0].capture)
		return read_captures(j, range, fn, ctx);
	for (size_t k = i; k < j->files; k++)
		rd.total += j->file[k].bytes;
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
		while (range->follow && !rc && !find_next(&rd, &next)) {
			(void)fflush(stdout);
			(void)poll(NULL, 0, FOLLOW_MS);
		}
		free(live.path);
		live = next;
		rd.file = next.path ? &live : NULL;
	}
	if (!rc && ev->end && before)
		ev->end(ev->ctx, before);
	segment_close(before);
	free(live.path);
	return rc;
}
