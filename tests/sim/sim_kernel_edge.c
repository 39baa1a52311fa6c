/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fake kernel's source and sink. Events and dump records stand in two queues that are read in
 * any mixture, so that either can overtake the other; a record holds the flow as it was when the
 * dump came past.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_tcp.h>
#include <netinet/in.h>

#include "tests/sim/sim_kernel_priv.h"

enum {
	DUMP_PIECE = 24,
	OFFLOADED = 125,   /* permille of records */
	OFFLOADED_MAX = 2, /* dumps on end: a table that begins learns the rest from the next one */
};

struct dump_key {
	size_t len;
	uint8_t bytes[];
};

struct sim_source {
	struct source base;
	struct sim_kernel *kernel;
	struct source_events ev;
	enum source_listen listen;
	struct queue events, records;
	bool overrun, dumping;
	struct dump_key **key;
	size_t keys, cursor, interrupt_at;
};

struct sim_sink {
	struct sink base;
	struct sim_kernel *kernel;
	struct sink_events ev;
	struct sim_kernel_timeouts timeout;
	struct queue batch, results;
};

static void readable(struct sim_kernel *k, uint64_t most_us)
{
	k->io.readable(k->io.ctx, sim_rng_range(&k->rng, 10, most_us));
}

/* ---- source ---- */

static void dump_stop(struct sim_source *s)
{
	for (size_t i = 0; i < s->keys; i++)
		free(s->key[i]);
	free(s->key);
	s->key = NULL;
	s->keys = s->cursor = 0;
	s->dumping = false;
	queue_clear(&s->records);
}

static void dump_add_key(struct sim_source *s, const uint8_t *key, size_t len)
{
	struct dump_key *d = malloc(sizeof *d + len);

	assert(d);
	d->len = len;
	memcpy(d->bytes, key, len);
	s->key = realloc(s->key, (s->keys + 1) * sizeof *s->key);
	assert(s->key);
	s->key[s->keys++] = d;
}

void source_born(struct sim_source *s, const uint8_t *key, size_t len)
{
	if (s->dumping && sim_rng_chance(&s->kernel->rng, 500))
		dump_add_key(s, key, len);
}

void source_tell(struct sim_source *s, enum flow_event what, const struct flow *f, unsigned parts,
		 bool live)
{
	struct sim_kernel *k = s->kernel;
	struct note *note;

	if (s->listen == SOURCE_NOTHING || (s->listen == SOURCE_DESTROY && what != FLOW_DESTROY))
		return;
	k->stats.events++;
	readable(k, 400);
	if (s->events.n >= k->faults.event_max) {
		k->stats.lost++;
		k->stats.overruns += !s->overrun;
		s->overrun = true;
		return;
	}
	note = note_new(f);
	assert(note);
	note->what = what;
	note->parts = parts;
	note->live = live;
	note_push(&s->events, note);
}

size_t source_waiting(const struct sim_source *s)
{
	return s->events.n + s->records.n + s->overrun + s->dumping;
}

static int source_do_listen(struct source *base, enum source_listen what)
{
	struct sim_source *s = (struct sim_source *)base;

	/* What was queued for a wider subscription is still in the socket. */
	s->listen = what;
	return 0;
}

static int source_do_fd(const struct source *base)
{
	(void)base;
	return -1;
}

static int source_do_dump(struct source *base)
{
	struct sim_source *s = (struct sim_source *)base;
	struct sim_kernel *k = s->kernel;

	if (s->dumping)
		return -EBUSY;
	for (size_t i = 0; i < sim_map_count(k->flows); i++) {
		const struct sim_map_entry *e = sim_map_at(k->flows, i);

		dump_add_key(s, e->key, e->len);
	}
	s->dumping = true;
	s->interrupt_at = SIZE_MAX;
	if (sim_rng_chance(&k->rng, k->faults.interrupt))
		s->interrupt_at = sim_rng_below(&k->rng, s->keys + 1);
	k->stats.dumps++;
	readable(k, 300);
	return 0;
}

static struct note *record_new(const struct entry *e)
{
	struct note *note = note_new(&e->flow);

	note->ours = e->ours;
	return note;
}

/* The kernel writes the next piece into the socket. Flows gone since are passed over. */
static void dump_read_on(struct sim_source *s)
{
	struct sim_kernel *k = s->kernel;

	for (unsigned i = 0; i < DUMP_PIECE && s->cursor < s->keys; i++) {
		const struct dump_key *d = s->key[s->cursor++];
		const struct entry *e = sim_map_get(k->flows, d->bytes, d->len);

		if (e)
			note_push(&s->records, record_new(e));
	}
}

static void dump_end(struct sim_source *s, int err)
{
	dump_stop(s);
	s->kernel->stats.interrupted += err != 0;
	s->ev.on_dump_end(s->ev.ctx, err);
}

/* As the kernel tells of an established connection that a flowtable has. */
static void offload(const struct sim_kernel *k, struct flow *f)
{
	struct entry *e = entry_find(k, &f->key);

	if (f->key.kind != FLOW_CONNTRACK || f->key.l4proto != IPPROTO_TCP ||
	    f->ct.state != TCP_CONNTRACK_ESTABLISHED)
		return;
	if (e && e->offloaded == OFFLOADED_MAX) {
		e->offloaded = 0;
		return;
	}
	if (e)
		e->offloaded++;
	f->ct.state = TCP_CONNTRACK_NONE;
	memset(f->ct.tcp_flags, 0, sizeof f->ct.tcp_flags);
	memset(f->ct.tcp_scale, 0, sizeof f->ct.tcp_scale);
}

static void told_whole(const struct sim_kernel *k, const struct flow *f)
{
	struct entry *e = entry_find(k, &f->key);

	if (e)
		e->offloaded = 0;
}

static void hand_event(struct sim_source *s)
{
	struct note *note = note_pop(&s->events);
	struct flow f;

	if (!note) {
		s->overrun = false;
		s->ev.on_overrun(s->ev.ctx);
		return;
	}
	if (flow_decode(note->bytes, note->len, &f) == 0)
		s->ev.on_event(s->ev.ctx, (enum flow_event)note->what, &f, note->parts, note->live);
	free(note);
}

static void hand_record(struct sim_source *s)
{
	struct note *note;
	struct flow f;

	if (s->cursor >= s->interrupt_at) {
		dump_end(s, -EINTR);
		return;
	}
	if (s->records.n == 0)
		dump_read_on(s);
	note = note_pop(&s->records);
	if (!note && (s->events.n > 0 || s->overrun)) {
		hand_event(s);
		return;
	}
	if (!note) {
		dump_end(s, 0);
		return;
	}
	if (flow_decode(note->bytes, note->len, &f) == 0) {
		if (sim_rng_chance(&s->kernel->rng, OFFLOADED))
			offload(s->kernel, &f);
		else
			told_whole(s->kernel, &f);
		s->ev.on_dump(s->ev.ctx, &f, note->ours);
	}
	free(note);
}

static int source_do_poll(struct source *base, unsigned budget, uint64_t now_us)
{
	struct sim_source *s = (struct sim_source *)base;
	int done = 0;

	(void)now_us;
	for (; budget > 0 && source_waiting(s) > 0; budget--, done++) {
		bool event = s->events.n > 0 || s->overrun;

		if (event && s->dumping)
			event = sim_rng_chance(&s->kernel->rng, 500);
		if (event)
			hand_event(s);
		else
			hand_record(s);
	}
	if (source_waiting(s) > 0)
		readable(s->kernel, 200);
	return done;
}

static void source_do_free(struct source *base)
{
	struct sim_source *s = (struct sim_source *)base;

	s->kernel->source = NULL;
	dump_stop(s);
	queue_clear(&s->events);
	free(s);
}

static const struct source_ops source_ops = {
	.name = "sim",
	.listen = source_do_listen,
	.fd = source_do_fd,
	.poll = source_do_poll,
	.dump = source_do_dump,
	.free = source_do_free,
};

struct source *sim_kernel_source(struct sim_kernel *k, const struct source_events *ev)
{
	struct sim_source *s = calloc(1, sizeof *s);

	assert(s && !k->source);
	s->base.ops = &source_ops;
	s->kernel = k;
	s->ev = *ev;
	k->source = s;
	return &s->base;
}

/* ---- sink ---- */

size_t sink_waiting(const struct sim_sink *s)
{
	return s->results.n;
}

static int sink_do_submit(struct sink *base, enum sink_op op, const struct flow *f)
{
	struct sim_sink *s = (struct sim_sink *)base;
	struct note *note;

	if (s->batch.n + s->results.n >= s->kernel->faults.backlog_max)
		return -EAGAIN;
	note = op == SINK_DEL ? note_new_key(&f->key) : note_new(f);
	if (!note)
		return -EINVAL;
	note->what = op;
	note_push(&s->batch, note);
	return 0;
}

static int read_note(const struct note *note, struct flow *f)
{
	*f = (struct flow){0};
	return note->what == SINK_DEL ? flow_key_decode(note->bytes, note->len, &f->key)
				      : flow_decode(note->bytes, note->len, f);
}

static int do_put(struct sim_sink *s, const struct flow *f)
{
	struct sim_kernel *k = s->kernel;
	uint64_t expires = sim_clock_now(k->clock) + s->timeout.lease_us;
	const bool born = !entry_find(k, &f->key);
	int err;

	k->stats.puts++;
	if (born) {
		if (sim_rng_chance(&k->rng, k->faults.refuse))
			return -EBUSY;
		if (sim_map_count(k->flows) >= k->faults.flows_max)
			return -ENFILE;
		if (f->key.kind == FLOW_CONNTRACK && f->ct.has_master &&
		    !entry_find(k, &f->ct.master))
			return -ENOENT;
	}
	err = entry_write(k, f, expires);
	if (born && !err)
		entry_find(k, &f->key)->ours = true;
	return err;
}

static int do_timeout(struct sim_sink *s, const struct flow *f, bool lease)
{
	struct sim_kernel *k = s->kernel;
	struct entry *e = entry_find(k, &f->key);
	uint64_t now = sim_clock_now(k->clock);

	k->stats.renews += lease;
	if (!e)
		return -ENOENT;
	if (lease)
		e->expires_us = now + s->timeout.lease_us;
	else
		e->expires_us = now + s->timeout.true_us;
	return 0;
}

static int do_liberal(struct sim_sink *s, const struct flow *f)
{
	struct entry *e = entry_find(s->kernel, &f->key);

	if (!e)
		return -ENOENT;
	e->ours = true;
	return 0;
}

static int carry_out(struct sim_sink *s, enum sink_op op, const struct flow *f)
{
	switch (op) {
	case SINK_PUT:
		return do_put(s, f);
	case SINK_RENEW:
		return do_timeout(s, f, true);
	case SINK_EXPIRY:
		return do_timeout(s, f, false);
	case SINK_LIBERAL:
		return do_liberal(s, f);
	case SINK_DEL:
		s->kernel->stats.dels++;
		(void)entry_remove(s->kernel, &f->key);
		return 0;
	}
	return -EINVAL;
}

static int sink_do_flush(struct sink *base, uint64_t now_us)
{
	struct sim_sink *s = (struct sim_sink *)base;
	struct sim_kernel *k = s->kernel;
	uint64_t ready = sim_clock_now(k->clock) + sim_rng_range(&k->rng, 10, 500);
	struct note *note;
	struct flow f;

	(void)now_us;
	while ((note = note_pop(&s->batch))) {
		int err = read_note(note, &f);

		note->err = err ? err : carry_out(s, (enum sink_op)note->what, &f);
		note->at_us = ready;
		k->stats.refused += note->err != 0;
		note_push(&s->results, note);
	}
	if (s->results.n > 0)
		k->io.readable(k->io.ctx, ready - sim_clock_now(k->clock));
	return 0;
}

static int sink_do_fd(const struct sink *base)
{
	(void)base;
	return -1;
}

static int sink_do_poll(struct sink *base, uint64_t now_us)
{
	struct sim_sink *s = (struct sim_sink *)base;
	uint64_t now = sim_clock_now(s->kernel->clock);
	int done = 0;

	(void)now_us;
	while (s->results.n > 0 && s->results.note[s->results.head]->at_us <= now) {
		struct note *note = note_pop(&s->results);
		struct flow f;

		if (read_note(note, &f) == 0)
			s->ev.on_result(s->ev.ctx, (enum sink_op)note->what, &f, note->err);
		free(note);
		done++;
	}
	if (s->results.n > 0)
		readable(s->kernel, 200);
	return done;
}

static size_t sink_do_pending(const struct sink *base)
{
	const struct sim_sink *s = (const struct sim_sink *)base;

	return s->batch.n + s->results.n;
}

static void sink_do_free(struct sink *base)
{
	struct sim_sink *s = (struct sim_sink *)base;

	s->kernel->sink = NULL;
	queue_clear(&s->batch);
	queue_clear(&s->results);
	free(s);
}

static const struct sink_ops sink_ops = {
	.name = "sim",
	.capacity = SIZE_MAX,
	.submit = sink_do_submit,
	.flush = sink_do_flush,
	.fd = sink_do_fd,
	.poll = sink_do_poll,
	.pending = sink_do_pending,
	.free = sink_do_free,
};

struct sink *sim_kernel_sink(struct sim_kernel *k, const struct sink_events *ev,
			     const struct sim_kernel_timeouts *t)
{
	struct sim_sink *s = calloc(1, sizeof *s);

	assert(s && !k->sink);
	s->base.ops = &sink_ops;
	s->kernel = k;
	s->ev = *ev;
	s->timeout = *t;
	k->sink = s;
	return &s->base;
}
