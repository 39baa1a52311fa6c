// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The queue and the writer's thread; see journal.h. The queue is two buffers: the caller fills one
 * under a lock that is held for a copy, the thread takes it whole and writes it without the lock.
 */
#include "syncd/journal/journal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "syncd/journal/segment.h"

enum { POLL_MS = 50, CLOSE_S = 2 };
#define RETRY_US (1 * S_US)

struct buffer {
	uint8_t *bytes;
	size_t len;
};

struct journal {
	struct journal_config cfg;
	char *dir, *name;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;

	/* under the lock */
	struct buffer front;
	struct journal_lost missed; /* not yet told */
	bool stop, done;	    /* the thread is to end; has ended */
	struct journal_stats stats;

	_Atomic uint64_t generation;

	/* the thread's */
	struct buffer back;
	struct segment seg;
	struct journal_packer *packer;
	uint8_t *raw, *packed;
	struct journal_block block;
	uint64_t number;	  /* of the last record */
	struct journal_lost lost; /* by a disk that does not take them; to be told */
	uint64_t begun_us, synced_us, retry_us;
	bool dirty;
};

static uint64_t clock_us(clockid_t id)
{
	struct timespec t;

	(void)clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * S_US + (uint64_t)t.tv_nsec / 1000;
}

static void set_error(struct journal *j, int err)
{
	(void)pthread_mutex_lock(&j->lock);
	j->stats.error = err;
	j->stats.segment = j->seg.number;
	(void)pthread_mutex_unlock(&j->lock);
}

/* ---- the thread ---- */

static void lose(struct journal *j, uint64_t records, uint64_t bytes)
{
	j->lost.records += records;
	j->lost.bytes += bytes;
	(void)pthread_mutex_lock(&j->lock);
	j->stats.lost += records;
	(void)pthread_mutex_unlock(&j->lock);
}

static void block_flush(struct journal *j)
{
	uint8_t head[JOURNAL_BLOCK_LEN];
	struct journal_block *b = &j->block;
	int err;

	if (b->raw == 0)
		return;
	b->method = j->cfg.compress ? JOURNAL_ZSTD : JOURNAL_STORED;
	err = journal_pack(j->packer, j->raw, b, j->packed);
	journal_block_write(b, head);
	err = err ? err : segment_write(&j->seg, head, sizeof(head));
	err = err ? err : segment_write(&j->seg, j->packed, b->stored);
	if (err) {
		segment_end(&j->seg);
		lose(j, b->records, b->raw);
		j->retry_us = clock_us(CLOCK_MONOTONIC) + RETRY_US;
		set_error(j, err);
	} else {
		(void)pthread_mutex_lock(&j->lock);
		j->stats.records += b->records;
		j->stats.bytes += b->stored + sizeof(head);
		(void)pthread_mutex_unlock(&j->lock);
		j->dirty = true;
	}
	*b = (struct journal_block){0};
}

static void block_add(struct journal *j, struct journal_record *r)
{
	struct journal_block *b = &j->block;

	r->number = ++j->number;
	if (b->records++ == 0) {
		b->first_number = r->number;
		b->first_us = r->wall_us;
	}
	b->last_us = r->wall_us;
	b->raw += (uint32_t)journal_record_write(r, j->raw + b->raw);
	if (b->raw >= JOURNAL_BLOCK_AIM)
		block_flush(j);
}

/* A record of the writer's own. */
static void block_add_own(struct journal *j, enum journal_type type, const uint8_t *payload,
			  size_t len)
{
	block_add(j, &(struct journal_record){.type = (uint8_t)type,
					      .node = j->cfg.node,
					      .session = j->cfg.session,
					      .wall_us = clock_us(CLOCK_REALTIME),
					      .mono_us = clock_us(CLOCK_MONOTONIC),
					      .payload = payload,
					      .len = len});
}

static void tell_lost(struct journal *j)
{
	uint8_t buf[JOURNAL_PART_MAX];

	if (j->lost.records == 0)
		return;
	block_add_own(j, JOURNAL_LOST, buf, journal_lost_write(&j->lost, buf));
	j->lost = (struct journal_lost){0};
	atomic_fetch_add(&j->generation, 1);
}

static void begin(struct journal *j)
{
	struct journal_header h = {
		.node = j->cfg.node,
		.session = j->cfg.session,
		.wall_us = clock_us(CLOCK_REALTIME),
		.mono_us = clock_us(CLOCK_MONOTONIC),
		.digest_key_id = j->cfg.digest_key_id,
	};
	int err;

	if (h.mono_us < j->retry_us)
		return;
	memcpy(h.name, j->name, strnlen(j->name, sizeof(h.name) - 1));
	err = segment_begin(&j->seg, j->dir, &h);
	set_error(j, err);
	if (err) {
		j->retry_us = h.mono_us + RETRY_US;
		return;
	}
	j->begun_us = h.mono_us;
	segment_prune(j->dir, j->cfg.node, j->cfg.keep);
	atomic_fetch_add(&j->generation, 1);
	tell_lost(j);
}

static void end(struct journal *j, const char *why)
{
	struct journal_note n = {0};
	uint8_t buf[JOURNAL_PART_MAX];

	if (j->seg.fd < 0)
		return;
	(void)snprintf(n.text, sizeof(n.text), "%s", why);
	block_add_own(j, JOURNAL_END, buf, journal_note_write(&n, buf));
	block_flush(j);
	if (j->seg.fd >= 0 && j->cfg.fsync_us)
		(void)segment_sync(&j->seg);
	segment_end(&j->seg);
}

static void rotate_if_due(struct journal *j)
{
	uint64_t now_us = clock_us(CLOCK_MONOTONIC);

	if (j->seg.fd < 0)
		return;
	if (segment_is_gone(&j->seg)) {
		/* Nobody can read what went there; how much it was is not known any more. */
		segment_end(&j->seg);
		lose(j, j->block.records + 1, j->block.raw);
		j->block = (struct journal_block){0};
		set_error(j, -ENOENT);
		return;
	}
	if (j->seg.bytes >= j->cfg.rotate_bytes || now_us >= j->begun_us + j->cfg.rotate_us)
		end(j, "rotated");
}

static void sync_if_due(struct journal *j)
{
	uint64_t now_us = clock_us(CLOCK_MONOTONIC);
	int err;

	if (!j->dirty || j->seg.fd < 0 || !j->cfg.fsync_us ||
	    now_us < j->synced_us + j->cfg.fsync_us)
		return;
	err = segment_sync(&j->seg);
	if (err)
		set_error(j, err);
	j->synced_us = now_us;
	j->dirty = false;
}

/* The queue holds records as they will be written, but for number and checksum. */
static void write_back(struct journal *j)
{
	struct journal_record r;
	size_t at = 0;

	while (at < j->back.len) {
		size_t len;

		memcpy(&r, j->back.bytes + at, sizeof(r));
		at += sizeof(r);
		r.payload = j->back.bytes + at;
		len = (r.len + 7) & ~(size_t)7;
		at += len;
		if (j->seg.fd < 0)
			begin(j);
		if (j->seg.fd < 0)
			lose(j, 1, r.len);
		else
			block_add(j, &r);
		if (j->block.raw == 0)
			rotate_if_due(j);
	}
	j->back.len = 0;
}

static bool wait_for_work(struct journal *j)
{
	struct timespec until;
	struct buffer b;
	bool stop;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += POLL_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	(void)pthread_mutex_lock(&j->lock);
	if (!j->stop && j->front.len < j->cfg.queue_bytes / 8)
		(void)pthread_cond_timedwait(&j->wake, &j->lock, &until);
	b = j->back;
	j->back = j->front;
	j->front = b;
	j->lost.records += j->missed.records;
	j->lost.bytes += j->missed.bytes;
	j->missed = (struct journal_lost){0};
	stop = j->stop;
	(void)pthread_mutex_unlock(&j->lock);
	return stop;
}

static void *writer(void *ctx)
{
	struct journal *j = ctx;
	bool stop = false;

	while (!stop) {
		stop = wait_for_work(j);
		if (j->seg.fd < 0)
			begin(j);
		write_back(j);
		/* What was missed came after what was queued. */
		if (j->seg.fd >= 0)
			tell_lost(j);
		block_flush(j);
		rotate_if_due(j);
		sync_if_due(j);
	}
	/* After a rotation the last word is still to be said, or the next segment would be missed.
	 */
	if (j->seg.fd < 0)
		begin(j);
	end(j, "stopped");
	(void)pthread_mutex_lock(&j->lock);
	j->done = true;
	(void)pthread_cond_broadcast(&j->wake);
	(void)pthread_mutex_unlock(&j->lock);
	return NULL;
}

/* ---- the caller ---- */

static void journal_free(struct journal *j)
{
	if (!j)
		return;
	free(j->dir);
	free(j->name);
	free(j->front.bytes);
	free(j->back.bytes);
	free(j->raw);
	free(j->packed);
	journal_packer_free(j->packer);
	(void)pthread_mutex_destroy(&j->lock);
	(void)pthread_cond_destroy(&j->wake);
	free(j);
}

int journal_start(struct journal *j)
{
	sigset_t all, before;
	int err;

	/* Signals are the loop's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&j->thread, NULL, writer, j);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	j->started = err == 0;
	return -err;
}

int journal_open(const struct journal_config *cfg, struct journal **out)
{
	struct journal *j = calloc(1, sizeof(*j));
	pthread_condattr_t attr;
	int err = -ENOMEM;

	if (!j)
		return -ENOMEM;
	j->cfg = *cfg;
	j->seg.fd = -1;
	(void)pthread_mutex_init(&j->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&j->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	j->cfg.queue_bytes = cfg->queue_bytes / 2;
	j->dir = strdup(cfg->dir);
	j->name = strdup(cfg->name);
	j->front.bytes = malloc(j->cfg.queue_bytes);
	j->back.bytes = malloc(j->cfg.queue_bytes);
	j->raw = malloc(JOURNAL_BLOCK_MAX);
	j->packed = malloc(journal_pack_bound(JOURNAL_BLOCK_MAX));
	j->packer = journal_packer_new();
	if (j->dir && j->name && j->front.bytes && j->back.bytes && j->raw && j->packed &&
	    j->packer)
		err = 0;
	if (err) {
		journal_free(j);
		return err;
	}
	*out = j;
	return 0;
}

void journal_close(struct journal *j)
{
	struct timespec until;
	bool done;

	if (!j)
		return;
	if (!j->started) {
		journal_free(j);
		return;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CLOSE_S;
	(void)pthread_mutex_lock(&j->lock);
	j->stop = true;
	(void)pthread_cond_broadcast(&j->wake);
	while (!j->done && pthread_cond_timedwait(&j->wake, &j->lock, &until) == 0)
		continue;
	done = j->done;
	(void)pthread_mutex_unlock(&j->lock);
	/* A thread that hangs in the kernel still uses what is below j. */
	if (!done)
		return;
	(void)pthread_join(j->thread, NULL);
	journal_free(j);
}

bool journal_append(struct journal *j, const struct journal_record *r)
{
	size_t len = sizeof(*r) + ((r->len + 7) & ~(size_t)7);
	struct buffer *b = &j->front;
	bool fits;

	(void)pthread_mutex_lock(&j->lock);
	/* After a loss nothing goes in before it is told, so that it stands where it happened. */
	fits = j->missed.records == 0 && r->len <= JOURNAL_PAYLOAD_MAX &&
	       b->len + len <= j->cfg.queue_bytes;
	if (fits) {
		memcpy(b->bytes + b->len, r, sizeof(*r));
		if (r->len)
			memcpy(b->bytes + b->len + sizeof(*r), r->payload, r->len);
		if (b->len < j->cfg.queue_bytes / 8 && b->len + len >= j->cfg.queue_bytes / 8)
			(void)pthread_cond_signal(&j->wake);
		b->len += len;
	} else {
		j->missed.records++;
		j->missed.bytes += r->len;
		j->stats.lost++;
	}
	(void)pthread_mutex_unlock(&j->lock);
	return fits;
}

uint64_t journal_generation(const struct journal *j)
{
	return atomic_load(&j->generation);
}

bool journal_has_room(struct journal *j)
{
	bool room;

	(void)pthread_mutex_lock(&j->lock);
	room = j->front.len < j->cfg.queue_bytes / 4 && j->missed.records == 0;
	(void)pthread_mutex_unlock(&j->lock);
	return room;
}

void journal_read_stats(struct journal *j, struct journal_stats *out)
{
	(void)pthread_mutex_lock(&j->lock);
	*out = j->stats;
	(void)pthread_mutex_unlock(&j->lock);
}
