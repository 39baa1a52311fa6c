// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the daemon tells the journal: records of the engine, notes, and keyframes. A keyframe is a
 * group's whole table in slices of hash space, a few a turn between what happens: each slice is
 * true at its place, as a range-complete datagram is, so nothing waits for the table to be walked.
 */
#include "syncd/daemon_journal.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/daemon.h"
#include "syncd/journal/journal.h"

enum {
	SLICE_FLOWS_AIM = 64,
	SLICE_BYTES = DATAGRAM_MAX - 256, /* a Data's other fields and a check fit as well */
	SLICES_PER_TURN = 16,
};
#define SAMPLE_US (1 * S_US)

static_assert(SLICE_BYTES + 256 + JOURNAL_KEYFRAME_LEN <= JOURNAL_PAYLOAD_MAX, "a slice fits");

struct keyframe {
	bool due, running;
	uint64_t lo; /* of the next slice */
};

struct daemon_journal {
	struct journal *j;
	struct keyframe *group; /* by index in the configuration */
	uint64_t generation, sample_us, dumps, naks, lost;
	int error;
	uint8_t payload[JOURNAL_PAYLOAD_MAX];
};

static void append(struct daemon *d, enum journal_type type, struct journal_record r)
{
	struct engine_now now = daemon_now();

	r.type = (uint8_t)type;
	r.wall_us = now.wall_us;
	r.mono_us = now.mono_us;
	if (!r.node) {
		r.node = (uint16_t)d->cfg->node.id;
		r.session = d->session;
	}
	(void)journal_append(d->journal->j, &r);
}

static bool control_is_nak(const uint8_t *bytes, size_t len)
{
	struct control c;

	return control_read(bytes, len, &c) == 0 && c.kind == CONTROL_NAK;
}

void daemon_journal_note(struct daemon *d, enum journal_type type, uint32_t group, const char *fmt,
			 ...)
{
	struct journal_note n = {.group = group};
	uint8_t buf[JOURNAL_PART_MAX];
	va_list ap;

	if (!d->journal)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(n.text, sizeof(n.text), fmt, ap);
	va_end(ap);
	append(d, type,
	       (struct journal_record){.payload = buf, .len = journal_note_write(&n, buf)});
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are struct engine_io's */
void daemon_journal_record(struct daemon *d, enum engine_record what, uint16_t node,
			   uint64_t session, uint64_t counter, const uint8_t *bytes, size_t len)
{
	static const uint8_t type[] = {
		[RECORD_SENT] = JOURNAL_SENT,		[RECORD_APPLIED] = JOURNAL_APPLIED,
		[RECORD_KEPT] = JOURNAL_KEPT,		[RECORD_TAIL] = JOURNAL_TAIL,
		[RECORD_DROPPED] = JOURNAL_DROPPED,	[RECORD_CONTROL] = JOURNAL_CONTROL,
		[RECORD_INSTALLED] = JOURNAL_INSTALLED,
	};

	if (!d->journal)
		return;
	append(d, (enum journal_type)type[what],
	       (struct journal_record){.node = node,
				       .session = session,
				       .counter = counter,
				       .payload = bytes,
				       .len = len});
	if (what == RECORD_CONTROL && control_is_nak(bytes, len))
		d->journal->naks++;
	/* What it did to the table depends on what had changed here meanwhile. */
	if (what == RECORD_TAIL)
		for (size_t i = 0; i < d->cfg->groups; i++)
			daemon_journal_resync(d, d->cfg->group[i].id, "predecessor's late data");
}

void daemon_journal_resync(struct daemon *d, uint32_t group, const char *why)
{
	if (!d->journal)
		return;
	daemon_journal_note(d, JOURNAL_RESYNC, group, "%s", why);
	for (size_t i = 0; i < d->cfg->groups; i++)
		if (d->cfg->group[i].id == group)
			d->journal->group[i] = (struct keyframe){.due = true};
}

static void append_change(struct daemon *d, enum journal_type type, const struct journal_change *c)
{
	uint8_t buf[JOURNAL_PART_MAX];

	append(d, type,
	       (struct journal_record){.payload = buf, .len = journal_change_write(c, buf)});
}

void daemon_journal_state(struct daemon *d, uint32_t group, enum node_state from,
			  enum node_state to, const char *reason)
{
	struct journal_change c = {.group = group, .from = (uint8_t)from, .to = (uint8_t)to};
	struct engine_group_status st;

	if (!d->journal)
		return;
	(void)snprintf(c.text, sizeof(c.text), "%s", reason);
	for (size_t i = 0; i < d->cfg->groups && d->engine; i++)
		if (d->cfg->group[i].id == group && engine_group_status(d->engine, i, &st) == 0)
			c.term = st.term;
	append_change(d, JOURNAL_STATE, &c);
	/* A dump may fill the table of a new active without sending; leaving drops what waited. */
	if (to == STATE_ACTIVE || from == STATE_ACTIVE || to == STATE_IDLE || from == STATE_IDLE)
		daemon_journal_resync(d, group, "role");
}

void daemon_journal_term(struct daemon *d, uint32_t group, struct term highest, enum node_role role)
{
	if (d->journal)
		append_change(d, JOURNAL_TERM,
			      &(struct journal_change){.group = group,
						       .from = (uint8_t)role,
						       .to = (uint8_t)role,
						       .term = highest});
}

struct slice_pack {
	struct data_writer w;
	bool full;
};

static int pack_flow(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	struct slice_pack *s = ctx;

	(void)hash;
	s->full = !data_add_put(&s->w, flow, len);
	return s->full;
}

/* The largest aligned range that begins at lo, is no wider than wanted, and fits a record. */
static struct hash_range slice_at(const struct table *t, uint64_t lo)
{
	size_t slices = table_count(t) / SLICE_FLOWS_AIM;
	struct hash_range r = {.lo = lo};

	r.depth = slices ? (uint8_t)(64 - __builtin_clzll(slices)) : 0;
	if (lo && r.depth < 64 - __builtin_ctzll(lo))
		r.depth = (uint8_t)(64 - __builtin_ctzll(lo));
	while (r.depth < 64 && table_range_size(t, r) > SLICE_BYTES)
		r.depth++;
	return r;
}

static void append_slice(struct daemon *d, size_t i, const struct table *t,
			 const struct engine_group_status *st)
{
	struct daemon_journal *dj = d->journal;
	struct keyframe *k = &dj->group[i];
	struct hash_range r = slice_at(t, k->lo);
	struct slice_pack s;
	struct data_check c = {.complete = st->complete};
	struct journal_record rec = {.payload = dj->payload};

	data_begin(&s.w, dj->payload + JOURNAL_KEYFRAME_LEN, DATAGRAM_MAX, daemon_now().wall_us,
		   st->id, st->term.number);
	(void)data_add_range(&s.w, r);
	if (table_walk(t, r, pack_flow, &s)) {
		k->running = false; /* equal hashes of more flows than fit: nobody's keyframe */
		return;
	}
	rec.flags = k->lo == 0 ? JOURNAL_KEYFRAME_FIRST : 0;
	if (hash_range_last(r) == UINT64_MAX) {
		table_range_digest(t, (struct hash_range){0, 0}, &c.digest, &c.count);
		(void)data_add_check(&s.w, &c);
		rec.flags |= JOURNAL_KEYFRAME_LAST;
		k->running = false;
	} else {
		k->lo = hash_range_last(r) + 1;
	}
	journal_keyframe_write(table_queued(t, TABLE_WIRE), dj->payload);
	rec.len = JOURNAL_KEYFRAME_LEN + s.w.len;
	append(d, JOURNAL_KEYFRAME, rec);
}

/* True where there is more to do. */
static bool keyframe_step(struct daemon *d, size_t i, int *budget)
{
	struct keyframe *k = &d->journal->group[i];
	struct engine_group_status st;
	const struct table *t;

	if (!k->due && !k->running)
		return false;
	(void)engine_group_status(d->engine, i, &st);
	if (k->due) {
		/* A dump may still fill the table without a datagram. */
		if ((st.role == ROLE_ACTIVE && !st.complete) || st.refilling)
			return false;
		*k = (struct keyframe){.running = true};
	}
	t = engine_table(d->engine, st.id);
	while (k->running && *budget > 0 && journal_has_room(d->journal->j)) {
		append_slice(d, i, t, &st);
		--*budget;
	}
	return k->running;
}

bool daemon_journal_tick(struct daemon *d)
{
	struct daemon_journal *dj = d->journal;
	int budget = SLICES_PER_TURN;
	bool more = false;
	uint64_t now;

	if (!dj)
		return false;
	now = journal_generation(dj->j);
	if (now != dj->generation) {
		for (size_t i = 0; i < d->cfg->groups; i++)
			dj->group[i] = (struct keyframe){.due = true};
		dj->generation = now;
	}
	for (size_t i = 0; i < d->cfg->groups; i++)
		more |= keyframe_step(d, i, &budget);
	return more;
}

static void append_sample(struct daemon *d, size_t i)
{
	struct engine_group_status st;
	struct journal_sample s;
	uint8_t buf[JOURNAL_PART_MAX];

	(void)engine_group_status(d->engine, i, &st);
	s = (struct journal_sample){
		.group = st.id,
		.state = (uint8_t)st.state,
		.equal = st.equal,
		.ready = st.ready,
		.complete = st.complete,
		.flows = st.flows,
		.kernel_queued = st.kernel_queued,
		.wire_queued = st.wire_queued,
		.refused = st.refused,
		.lag_us = st.lag_us,
		.would_lose = st.would_lose,
		.digest = st.digest,
		.naks_sent = d->journal->naks,
		.retransmitted = engine_sender_stats(d->engine)->retransmits,
	};
	append(d, JOURNAL_SAMPLE,
	       (struct journal_record){.payload = buf, .len = journal_sample_write(&s, buf)});
}

/* Troubles of the disk are told once when they come, and once when they are over. */
static void tell_trouble(struct daemon *d)
{
	struct daemon_journal *dj = d->journal;
	struct journal_stats st;

	journal_read_stats(dj->j, &st);
	if (st.error != dj->error) {
		if (st.error)
			log_error("journal: %s: %s: nothing is recorded until it can be written; "
				  "sync goes on",
				  d->cfg->journal.dir, strerror(-st.error));
		else
			log_notice("journal: %s is written again, %llu records were lost",
				   d->cfg->journal.dir, (unsigned long long)st.lost);
	} else if (st.lost != dj->lost && !st.error) {
		log_warning("journal: the disk is too slow: %llu records lost so far; raise "
			    "queue_kb",
			    (unsigned long long)st.lost);
	}
	dj->error = st.error;
	dj->lost = st.lost;
}

void daemon_journal_second(struct daemon *d)
{
	struct daemon_journal *dj = d->journal;
	const struct engine_counters *c;
	uint64_t now_us;

	if (!dj)
		return;
	now_us = daemon_now().mono_us;
	if (now_us < dj->sample_us)
		return;
	dj->sample_us = now_us + SAMPLE_US;
	for (size_t i = 0; i < d->cfg->groups; i++)
		append_sample(d, i);
	c = engine_counters(d->engine);
	if (c->dumps != dj->dumps)
		daemon_journal_note(d, JOURNAL_RECONCILE, 0,
				    "%llu dumps begun, %llu failed, %llu flows reinstalled",
				    (unsigned long long)c->dumps,
				    (unsigned long long)c->dump_failures,
				    (unsigned long long)c->reinstalled);
	dj->dumps = c->dumps;
	tell_trouble(d);
}

void daemon_journal_configuration(struct daemon *d)
{
	for (size_t i = 0; i < d->keys; i++)
		daemon_journal_note(d, JOURNAL_KEY, 0, "key %u %s", d->key[i].id,
				    i == 0 ? "seals" : "is accepted");
	for (size_t i = 0; i < d->cfg->groups; i++)
		daemon_journal_note(
			d, JOURNAL_CONFIG, d->cfg->group[i].id, "group %s, fingerprint %016llx",
			d->cfg->group[i].name,
			(unsigned long long)config_group_fingerprint(d->cfg, &d->cfg->group[i]));
}

int daemon_open_journal(struct daemon *d)
{
	const struct config_journal *c = &d->cfg->journal;
	struct digest_key k;
	struct journal_config jc = {
		.dir = c->dir,
		.name = d->cfg->node.name,
		.node = (uint16_t)d->cfg->node.id,
		.session = d->session,
		.rotate_bytes = (uint64_t)c->rotate_mb << 20,
		.rotate_us = c->rotate_s * S_US,
		.keep = c->keep,
		.compress = c->compress,
		.fsync_us = c->fsync_ms * MS_US,
		.queue_bytes = (size_t)c->queue_kb << 10,
	};
	int err;

	if (!c->dir[0])
		return 0;
	digest_key_derive(&k, d->key[0].cluster_secret);
	jc.digest_key_id = k.id;
	d->journal = calloc(1, sizeof(*d->journal));
	if (!d->journal)
		return EXIT_RUNTIME;
	d->journal->group = calloc(d->cfg->groups, sizeof(*d->journal->group));
	err = d->journal->group ? journal_open(&jc, &d->journal->j) : -ENOMEM;
	if (err) {
		log_error("journal: %s", strerror(-err));
		return EXIT_RUNTIME;
	}
	daemon_journal_note(d, JOURNAL_START, 0, "syncd " SYNCD_VERSION);
	daemon_journal_configuration(d);
	return 0;
}

int daemon_start_journal(struct daemon *d)
{
	int err = d->journal ? journal_start(d->journal->j) : 0;

	if (err)
		log_error("journal: its thread: %s", strerror(-err));
	return err ? EXIT_RUNTIME : 0;
}

void daemon_close_journal(struct daemon *d)
{
	if (!d->journal)
		return;
	journal_close(d->journal->j);
	free(d->journal->group);
	free(d->journal);
	d->journal = NULL;
}
