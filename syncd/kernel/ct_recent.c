/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See ct_recent.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_common.h>

#include "syncd/kernel/ct_recent.h"

enum { SLOTS = 1 << 18 }; /* 1 MiB, touched as it is used */

int ct_recent_init(struct ct_recent *r)
{
	r->tag = calloc(SLOTS, sizeof(*r->tag));
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
	return (uint32_t)h | 1u;
}

bool ct_recent_put(struct ct_recent *r, uint64_t hash, const struct flow *f)
{
	uint32_t *tag = &r->tag[(hash >> 20) % SLOTS];
	uint32_t want = tag_of(hash, f);
	bool known = *tag == want;

	*tag = want;
	return known;
}

void ct_recent_del(struct ct_recent *r, uint64_t hash)
{
	r->tag[(hash >> 20) % SLOTS] = 0;
}
