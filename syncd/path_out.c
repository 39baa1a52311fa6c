// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Out: what the active's kernel says -> table -> datagrams. Kernel events come through
 * path_kernel.c's callbacks into path_out_event; path_out_tick packs what the table has queued,
 * what repair was asked for, and checks.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "syncd/engine_priv.h"

/* Connections of a balancer itself are nobody's to sync, whichever balancer it is. */
bool path_out_is_member(const struct engine *e, const struct flow_key *key)
{
	for (size_t i = 0; i < e->members; i++)
		if (e->member[i].len == key->addr_len &&
		    memcmp(&e->member[i].addr, &key->src, key->addr_len) == 0)
			return true;
	return false;
}

/* Gathers them from what each peer's last hello said. */
void path_out_learn_members(struct engine *e)
{
	e->members = 0;
	for (struct peer *p = peers_next(e->peers, NULL, false); p;
	     p = peers_next(e->peers, p, false))
		for (uint8_t i = 0; i < p->addresses && e->members < MEMBERS_MAX; i++) {
			e->member[e->members].len = p->address[i].len;
			e->member[e->members++].addr = p->address[i].addr;
		}
}

static void out_closed(struct engine *e, struct group *g, const uint8_t *key, size_t len)
{
	split_note_closed(e, g, key, len);
	(void)table_del(g->table, key, len, TABLE_WIRE);
}

static void out_destroy(struct engine *e, struct group *g, const struct flow *f, bool live)
{
	uint8_t key[FLOW_KEY_MAX];
	int n = flow_key_encode(&f->key, key);

	if (n < 0)
		return;
	/*
	 * A live flow that is destroyed may be the kernel's answer to an address that is just
	 * moving away (masquerade): believed only if the role is still here in a while.
	 */
	if (live && table_bit_set(g->table, key, (size_t)n, TABLE_SUSPECT) &&
	    timed_list_add(&g->held, HELD_DESTROYS_MAX, key, (size_t)n, f->key.kind,
			   e->now.mono_us + HELD_DESTROY_US))
		return;
	out_closed(e, g, key, (size_t)n);
}

/* Destroys held back long enough, of flows that no later event has revived. */
void path_out_release_held(struct engine *e, struct group *g, uint64_t *next_us)
{
	while (timed_list_due(&g->held, e->now.mono_us)) {
		struct timed_key *k = timed_list_take(&g->held);

		if (table_bit_get(g->table, k->key, k->len, TABLE_SUSPECT))
			out_closed(e, g, k->key, k->len);
		free(k);
	}
	sooner(next_us, timed_list_next(&g->held));
}

/* Encodes an event's flow, the parts that it did not carry taken from what the table has. */
static int out_merge(const struct group *g, const struct flow *f, unsigned parts, uint8_t *bytes)
{
	uint8_t key[FLOW_KEY_MAX];
	const uint8_t *kept_bytes;
	struct flow kept;
	size_t len;
	int n;

	if (parts == FLOW_PART_ALL)
		return flow_encode(f, bytes);
	n = flow_key_encode(&f->key, key);
	if (n < 0 || !table_get(g->table, key, (size_t)n, &kept_bytes, &len) ||
	    flow_decode(kept_bytes, len, &kept))
		return flow_encode(f, bytes);
	flow_merge(&kept, f, parts);
	return flow_encode(&kept, bytes);
}

void path_out_event(struct engine *e, struct group *g, enum flow_event what, const struct flow *f,
		    unsigned parts, bool live)
{
	uint8_t bytes[FLOW_MAX];
	int n;

	if (what == FLOW_DESTROY) {
		out_destroy(e, g, f, live);
		return;
	}
	if (path_out_is_member(e, &f->key))
		return;
	n = out_merge(g, f, parts, bytes);
	if (n < 0 || table_put(g->table, bytes, (size_t)n, TABLE_WIRE) < 0)
		g->refused_since_sync++;
}

/* Begins a data payload of this group. */
static void pack_begin(struct engine *e, struct group *g, struct data_writer *w)
{
	data_begin(w, sender_payload(e->sender), sender_payload_max(e->sender), e->now.wall_us,
		   g->cfg.id, g->term.number);
}

static void pack_send(struct engine *e, struct data_writer *w)
{
	/* Before sealing, which happens in place. */
	e->io.on_record(e->io.ctx, RECORD_SENT, e->cfg.node, e->cfg.session,
			sender_last(e->sender) + 1, w->buf, w->len);
	(void)sender_data(e->sender, w->len, e->now.mono_us);
}

static void pack_check(struct engine *e, struct group *g, struct data_writer *w)
{
	struct data_check c = {.complete = g->complete};

	table_range_digest(g->table, (struct hash_range){0, 0}, &c.digest, &c.count);
	if (!data_add_check(w, &c))
		return;
	g->check_due = false;
	g->last_check_us = e->now.mono_us;
	audit_on_check_sent(e, g);
	e->counters.checks_sent++;
}

static bool check_is_due(const struct engine *e, const struct group *g)
{
	return g->complete && g->check_due && e->now.mono_us >= g->last_check_us + CHECK_BUSY_US;
}

/* Fills one datagram with live changes, the oldest first. Returns how many went in. */
static unsigned pack_live(struct engine *e, struct group *g, struct data_writer *w)
{
	struct table_item it;
	unsigned n = 0;

	while (table_wire_next(g->table, &it)) {
		if (it.del ? !data_add_del(w, it.bytes, it.len)
			   : !data_add_put(w, it.bytes, it.len))
			break;
		if (it.del)
			e->counters.dels_sent++;
		else
			e->counters.puts_sent++;
		table_wire_done(g->table);
		n++;
	}
	return n;
}

static bool repair_goes_first(const struct group *g)
{
	return repair_server_pending(g->server) &&
	       (table_queued(g->table, TABLE_WIRE) == 0 || g->live_run >= REPAIR_SHARE - 1);
}

/* One datagram of this group. Returns false where it has nothing to say. */
static bool pack_one(struct engine *e, struct group *g)
{
	struct data_writer w;
	bool any = false;

	pack_begin(e, g, &w);
	if (repair_goes_first(g)) {
		/* Marks what it packs as sent, so nothing else may follow but a check. */
		any = repair_server_pack(g->server, g->table, &w, e->now.mono_us);
		g->live_run = 0;
	} else if (table_queued(g->table, TABLE_WIRE) > 0) {
		any = pack_live(e, g, &w) > 0;
		g->live_run++;
	}
	if (any)
		g->check_due = true;
	if (check_is_due(e, g)) {
		pack_check(e, g, &w);
		any = true;
	}
	if (any)
		pack_send(e, &w);
	return any;
}

static bool has_more(const struct group *g)
{
	return table_queued(g->table, TABLE_WIRE) > 0 || repair_server_pending(g->server);
}

/*
 * A receiver follows a session from the first hello that proves it: what is said before, such as
 * what ended while a daemon was restarted, it would have to find by repair.
 */
static bool is_heeded(struct engine *e, uint64_t *next_us)
{
	e->first_us = e->first_us ? e->first_us : e->now.mono_us;
	if (e->followed || e->now.mono_us >= e->first_us + FOLLOWED_US)
		return true;
	sooner(next_us, e->first_us + FOLLOWED_US);
	return false;
}

/* Takes groups in turn, one datagram each, while receivers can take more. */
bool path_out_tick(struct engine *e, uint64_t *next_us)
{
	size_t room = sender_window(e->sender, e->now.mono_us);
	bool any = true, more = false, check_due = false;

	if (!is_heeded(e, next_us))
		return false;
	if (room > PACK_PER_TICK)
		room = PACK_PER_TICK;
	while (any && room > 0) {
		any = false;
		for (size_t i = 0; i < e->cfg.groups && room > 0; i++) {
			if (e->group[i].role != ROLE_ACTIVE || !pack_one(e, &e->group[i]))
				continue;
			any = true;
			room--;
		}
	}
	for (size_t i = 0; i < e->cfg.groups; i++) {
		struct group *g = &e->group[i];

		if (g->role != ROLE_ACTIVE)
			continue;
		more |= has_more(g);
		check_due |= check_is_due(e, g);
		if (g->complete && g->check_due && !check_is_due(e, g))
			sooner(next_us, g->last_check_us + CHECK_BUSY_US);
	}
	if (room > 0 || sender_window(e->sender, e->now.mono_us) > 0)
		return more || check_due;
	/* Without room a status will wake us: spinning would not help. */
	if (more || check_due)
		sooner(next_us, e->now.mono_us + STATUS_INTERVAL_US);
	return false;
}

/* Sends all that is queued, receivers' windows or not, and with final the last word of this term.
 */
void path_out_drain(struct engine *e, struct group *g, bool final)
{
	struct data_writer w;

	while (table_queued(g->table, TABLE_WIRE) > 0) {
		pack_begin(e, g, &w);
		if (pack_live(e, g, &w) == 0)
			break;
		pack_send(e, &w);
	}
	if (!final)
		return;
	pack_begin(e, g, &w);
	pack_check(e, g, &w);
	(void)data_add_final(&w);
	pack_send(e, &w);
	g->final_counter = sender_last(e->sender);
}
