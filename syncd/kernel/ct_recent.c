// SPDX-License-Identifier: GPL-2.0-or-later
/* See ct_recent.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_common.h>

#include "syncd/kernel/ct_recent.h"

/* 2 MiB in sets that are half a cache line each: room for half a million flows. */
enum { WAYS = 8, SETS = 1 << 16 };

/* A tag: 16 bits of the key's hash, 15 of what an update cannot change, 1 that is set. */
enum { KEY_SHIFT = 16 };
#define KEY_MASK 0xffff0000u

int ct_recent_init(struct ct_recent *r)
{
	r->tag = calloc(SETS * WAYS, sizeof(*r->tag));
	return r->tag ? 0 : -ENOMEM;
}

void ct_recent_fini(struct ct_recent *r)
{
	free(r->tag);
	r->tag = NULL;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

static uint64_t mix_addr(uint64_t h, const struct flow_addr *a)
{
	uint64_t v[2];

	memcpy(v, a->b, sizeof(v));
	return mix(mix(h, v[0]), v[1]);
}

uint64_t ct_recent_hash(const struct flow_key *k)
{
	uint64_t h =
		mix(0, (uint64_t)k->sport << 48 | (uint64_t)k->dport << 32 |
			       (uint32_t)k->zone << 16 | (uint32_t)k->zone_dir << 8 | k->l4proto);

	return mix_addr(mix_addr(h, &k->src), &k->dst);
}

static uint32_t tag_of(uint64_t hash, const struct flow *f)
{
	const struct flow_conntrack *ct = &f->ct;
	uint64_t h = mix(hash, (uint64_t)ct->reply_sport << 48 | (uint64_t)ct->reply_dport << 32 |
				       (ct->status & (IPS_NAT_MASK | IPS_EXPECTED)));

	h = mix_addr(mix_addr(h, &ct->reply_src), &ct->reply_dst);
	if (ct->has_master)
		h = mix(h, ct_recent_hash(&ct->master));
	for (const char *c = ct->helper; *c; c++)
		h = mix(h, (uint8_t)*c);
	h ^= h >> 32;
	return (uint32_t)hash << KEY_SHIFT | ((uint32_t)h & ~KEY_MASK) | 1u;
}

static uint32_t *set_of(struct ct_recent *r, uint64_t hash)
{
	return &r->tag[(hash >> 20) % SETS * WAYS];
}

/*
 * The key's part of the tag finds the place, so that another incarnation of a connection takes the
 * place of the former one.
 */
static int find(const uint32_t *set, uint64_t hash)
{
	uint32_t key = (uint32_t)hash << KEY_SHIFT;

	for (int i = 0; i < WAYS; i++)
		if (set[i] && (set[i] & KEY_MASK) == key)
			return i;
	return -1;
}

bool ct_recent_put(struct ct_recent *r, uint64_t hash, const struct flow *f)
{
	uint32_t *set = set_of(r, hash);
	uint32_t want = tag_of(hash, f);
	int at = find(set, hash);
	bool known = at >= 0 && set[at] == want;

	for (int i = 0; i < WAYS && at < 0; i++)
		if (set[i] == 0)
			at = i;
	set[at >= 0 ? at : (int)(hash >> 40) % WAYS] = want;
	return known;
}

void ct_recent_del(struct ct_recent *r, uint64_t hash)
{
	uint32_t *set = set_of(r, hash);
	int at = find(set, hash);

	if (at >= 0)
		set[at] = 0;
}

void ct_recent_clear(struct ct_recent *r)
{
	memset(r->tag, 0, SETS * WAYS * sizeof(*r->tag));
}
