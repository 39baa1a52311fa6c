/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/repair_loop.h"

#include <assert.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "tests/lib/random_flow.h"

enum { KEEP_MAX = 512, CHECK_EVERY = 25 /* turns */ };

void repair_loop_init(struct repair_loop *l, struct rng *rng, size_t standbys)
{
	static const uint8_t secret[32] = "the cluster's secret of tests";

	memset(l, 0, sizeof(*l));
	digest_key_derive(&l->key, secret);
	l->rng = rng;
	l->now_us = 1;
	l->standbys = standbys;
	l->datagrams_per_turn = 64;
	l->active = table_new(&l->key, 2000000);
	l->server = repair_server_new();
	for (size_t i = 0; i < standbys; i++) {
		l->standby[i].table = table_new(&l->key, 2000000);
		l->standby[i].client = repair_client_new(rng_next(rng));
	}
}

void repair_loop_fini(struct repair_loop *l)
{
	table_free(l->active);
	repair_server_free(l->server);
	for (size_t i = 0; i < l->standbys; i++) {
		table_free(l->standby[i].table);
		repair_client_free(l->standby[i].client);
	}
}

static int numbered_bytes(uint32_t i, uint32_t mark, uint8_t *buf)
{
	struct flow f;
	int n;

	numbered_flow(i, &f);
	f.ct.mark = mark;
	n = flow_encode(&f, buf);
	assert(n > 0);
	return n;
}

void repair_loop_load(struct table *t, uint32_t i, uint32_t mark)
{
	uint8_t buf[FLOW_MAX];
	int n = numbered_bytes(i, mark, buf);

	n = table_put(t, buf, (size_t)n, TABLE_NONE);
	assert(n >= 0);
}

void repair_loop_unload(struct table *t, uint32_t i)
{
	uint8_t buf[FLOW_MAX];
	const uint8_t *key;
	size_t len;
	int n = numbered_bytes(i, 0, buf);

	n = flow_key_slice(buf, (size_t)n, &key, &len);
	assert(n == 0);
	(void)table_del(t, key, len, TABLE_NONE);
}

/* ---- the standby's side: what path_in does, as far as tables go
 * ---------------------------------- */

static void apply_range(struct repair_loop *l, size_t i, const struct data_info *info,
			const uint8_t *payload, size_t len)
{
	struct table_slice keep[KEEP_MAX];
	struct data_iter it;
	size_t n = 0;

	if (!info->has_range || l->incomplete)
		return;
	data_iter_init(&it, payload, len);
	for (enum data_piece p; (p = data_iter_next(&it)) != DATA_END;) {
		if (p != DATA_PUT)
			continue;
		assert(n < KEEP_MAX);
		if (flow_key_slice(it.bytes, it.len, &keep[n].bytes, &keep[n].len) == 0)
			n++;
	}
	(void)table_range_keep(l->standby[i].table, info->range, keep, n);
}

static void apply(struct repair_loop *l, size_t i, const uint8_t *payload, size_t len)
{
	struct table *t = l->standby[i].table;
	struct repair_client *c = l->standby[i].client;
	struct data_info info;
	struct data_iter it;
	int n = data_read(payload, len, &info);

	assert(n == 0);
	apply_range(l, i, &info, payload, len);
	data_iter_init(&it, payload, len);
	for (enum data_piece p; (p = data_iter_next(&it)) != DATA_END;) {
		if (p == DATA_PUT)
			(void)table_put(t, it.bytes, it.len, TABLE_NONE);
		else if (p == DATA_DEL)
			(void)table_del(t, it.bytes, it.len, TABLE_NONE);
	}
	if (info.has_range)
		repair_client_on_range(c, info.range, info.puts, len, l->now_us);
	data_iter_init(&it, payload, len);
	for (enum data_piece p; (p = data_iter_next(&it)) != DATA_END;)
		if (p == DATA_DIGESTS)
			repair_client_on_digests(c, t, &it.digests, l->now_us);
	if (info.has_check)
		l->standby[i].equal =
			repair_client_on_check(c, t, &info.check, REPAIR_CHECK, l->now_us);
}

static void deliver(struct repair_loop *l, const struct data_writer *w)
{
	if (w->len > l->longest)
		l->longest = w->len;
	for (size_t i = 0; i < l->standbys; i++)
		if (rng_below(l->rng, 1000) >= l->lose_per_mille)
			apply(l, i, w->buf, w->len);
}

/* ---- the active's side: what path_out does
 * ------------------------------------------------------- */

static void begin(struct repair_loop *l, struct data_writer *w, uint8_t *buf)
{
	data_begin(w, buf, DATAGRAM_START - FRAME_OVERHEAD, 1795000000000000 + l->now_us, 1, 3);
}

static void send_live(struct repair_loop *l)
{
	uint8_t buf[DATAGRAM_START];
	struct data_writer w;
	struct table_item item;

	begin(l, &w, buf);
	while (table_wire_next(l->active, &item)) {
		bool fits = item.del ? data_add_del(&w, item.bytes, item.len)
				     : data_add_put(&w, item.bytes, item.len);

		if (fits) {
			table_wire_done(l->active);
			continue;
		}
		l->live_bytes += w.len + WIRE_OVERHEAD;
		deliver(l, &w);
		begin(l, &w, buf);
	}
	l->live_bytes += w.len + WIRE_OVERHEAD;
	deliver(l, &w);
}

static void send_repair(struct repair_loop *l)
{
	for (unsigned i = 0; i < l->datagrams_per_turn; i++) {
		uint8_t buf[DATAGRAM_START];
		struct data_writer w;

		begin(l, &w, buf);
		if (!repair_server_pack(l->server, l->active, &w, l->now_us))
			return;
		l->bytes += w.len + WIRE_OVERHEAD;
		l->data_datagrams++;
		deliver(l, &w);
	}
}

static void send_check(struct repair_loop *l)
{
	uint8_t buf[DATAGRAM_START];
	struct data_writer w;
	struct data_check k = {.complete = !l->incomplete};

	begin(l, &w, buf);
	table_range_digest(l->active, (struct hash_range){0, 0}, &k.digest, &k.count);
	assert(data_add_check(&w, &k));
	deliver(l, &w);
}

static void take_requests(struct repair_loop *l)
{
	for (size_t i = 0; i < l->standbys; i++) {
		struct control ask = {.kind = CONTROL_REPAIR};
		uint64_t next_us;

		while (repair_client_request(l->standby[i].client, l->now_us, &ask.repair,
					     &next_us)) {
			uint8_t buf[DATAGRAM_START];
			int n;

			ask.repair.node = 2;
			ask.repair.session = rng_next(l->rng);
			ask.repair.group = 1;
			n = control_write(&ask, buf, sizeof(buf) - FRAME_OVERHEAD);
			assert(n > 0);
			l->bytes += (uint64_t)n + WIRE_OVERHEAD;
			l->request_datagrams++;
			if (rng_below(l->rng, 1000) >= l->lose_ask_per_mille)
				repair_server_on_request(l->server, &ask.repair, l->now_us);
		}
	}
}

bool repair_loop_run(struct repair_loop *l, uint64_t turns_max)
{
	for (uint64_t turn = 0; turn < turns_max; turn++) {
		bool all = true;

		l->turns++;
		l->now_us += MS_US;
		if (l->churn)
			l->churn(l);
		send_live(l);
		send_repair(l);
		if (turn % CHECK_EVERY == 0)
			send_check(l);
		take_requests(l);
		for (size_t i = 0; i < l->standbys; i++)
			all = all && l->standby[i].equal;
		if (all && turn % CHECK_EVERY == 0)
			return true;
	}
	return false;
}

struct search {
	const struct table *in;
};

static int is_in(void *ctx, uint64_t hash, const uint8_t *flow, size_t len)
{
	const struct search *s = ctx;
	const uint8_t *key, *other;
	size_t key_len, other_len;

	(void)hash;
	return !(flow_key_slice(flow, len, &key, &key_len) == 0 &&
		 table_get(s->in, key, key_len, &other, &other_len) && other_len == len &&
		 memcmp(other, flow, len) == 0);
}

bool tables_equal(const struct table *a, const struct table *b)
{
	struct search s = {.in = b};

	return table_count(a) == table_count(b) &&
	       table_walk(a, (struct hash_range){0, 0}, is_in, &s) == 0;
}
