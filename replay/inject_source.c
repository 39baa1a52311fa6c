// SPDX-License-Identifier: GPL-2.0-or-later
/* A journal in a kernel's place; see inject_source.h. Used by inject_node.c. */
#include "replay/inject_source.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/flow_codec.h"

/* A dump goes by slices of hash space, so that a turn of it is short whatever the table holds. */
enum { KINDS = 2, SLICE_BITS = 10 };

struct edge_source {
	struct source base;
	enum flow_kind kind;
	struct inject_source *all;
	struct source_events ev;
	bool listens, dumping;
	uint64_t slice;
};

struct inject_source {
	struct table *flows;
	struct edge_source edge[KINDS];
};

static int do_listen(struct source *base, enum source_listen what)
{
	((struct edge_source *)base)->listens = what == SOURCE_ALL;
	return 0;
}

static int do_fd(const struct source *base)
{
	(void)base;
	return -1;
}

static int do_dump(struct source *base)
{
	struct edge_source *s = (struct edge_source *)base;

	if (s->dumping)
		return -EBUSY;
	s->dumping = true;
	s->slice = 0;
	return 0;
}

static int dump_flow(void *ctx, uint64_t hash, const uint8_t *bytes, size_t len)
{
	struct edge_source *s = ctx;
	struct flow f;

	(void)hash;
	if (flow_decode(bytes, len, &f) == 0 && f.key.kind == s->kind)
		s->ev.on_dump(s->ev.ctx, &f, false);
	return 0;
}

static int do_poll(struct source *base, unsigned budget, uint64_t now_us)
{
	struct edge_source *s = (struct edge_source *)base;
	uint64_t lo = s->slice << (64 - SLICE_BITS);

	(void)budget;
	(void)now_us;
	if (!s->dumping)
		return 0;
	(void)table_walk(s->all->flows, (struct hash_range){lo, SLICE_BITS}, dump_flow, s);
	if (++s->slice == 1u << SLICE_BITS) {
		s->dumping = false;
		s->ev.on_dump_end(s->ev.ctx, 0);
	}
	return 1;
}

/* Its owner frees it. */
static void do_free(struct source *base)
{
	(void)base;
}

struct inject_source *inject_source_new(const struct digest_key *key, size_t max_flows)
{
	static const struct source_ops ops = {
		.name = "journal",
		.listen = do_listen,
		.fd = do_fd,
		.poll = do_poll,
		.dump = do_dump,
		.free = do_free,
	};
	struct inject_source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->flows = table_new(key, max_flows);
	if (!s->flows) {
		free(s);
		return NULL;
	}
	for (int k = 0; k < KINDS; k++)
		s->edge[k] =
			(struct edge_source){.base.ops = &ops, .kind = (enum flow_kind)k, .all = s};
	return s;
}

void inject_source_free(struct inject_source *s)
{
	if (!s)
		return;
	table_free(s->flows);
	free(s);
}

void inject_source_attach(struct inject_source *s, struct engine *e)
{
	for (int k = 0; k < KINDS; k++)
		s->edge[k].ev = engine_source_events(e, (enum flow_kind)k);
}

struct source *inject_source_of(struct inject_source *s, enum flow_kind kind)
{
	return &s->edge[kind].base;
}

static void tell(struct inject_source *s, enum flow_event what, const struct flow *f)
{
	const struct edge_source *edge = &s->edge[f->key.kind];

	if (edge->listens)
		edge->ev.on_event(edge->ev.ctx, what, f, FLOW_PART_ALL, false);
}

int inject_source_put(struct inject_source *s, const struct flow *f)
{
	uint8_t bytes[FLOW_MAX];
	int n = flow_encode(f, bytes);

	if (n > 0)
		n = table_put(s->flows, bytes, (size_t)n, TABLE_NONE);
	if (n > 0)
		tell(s, FLOW_NEW, f);
	return n < 0 ? n : 0;
}

int inject_source_del(struct inject_source *s, const struct flow *f)
{
	uint8_t key[FLOW_KEY_MAX];
	int n = flow_key_encode(&f->key, key);

	if (n > 0)
		n = table_del(s->flows, key, (size_t)n, TABLE_NONE);
	if (n > 0)
		tell(s, FLOW_DESTROY, f);
	return n < 0 ? n : 0;
}

bool inject_source_poll(struct inject_source *s)
{
	bool more = false;

	for (int k = 0; k < KINDS; k++) {
		(void)do_poll(&s->edge[k].base, 0, 0);
		more |= s->edge[k].dumping;
	}
	return more;
}
