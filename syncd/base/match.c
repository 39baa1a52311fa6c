// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Groups' matches. A site has a handful of groups with a few addresses each, so a scan that
 * compares whole words beats any tree; the cost is in the bench of the event path.
 */
#include "syncd/base/match.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct rule {
	uint32_t group;
	struct config_prefixes match;
	struct config_ranges ports, zones;
	struct config_marks marks;
	struct flow_addr mask[CONFIG_LIST_MAX]; /* of match.item */
};

struct match {
	uint32_t default_group; /* 0: none */
	size_t n;
	struct rule rule[];
};

static void fill_mask(const struct config_prefix *p, struct flow_addr *mask)
{
	for (unsigned bit = 0; bit < p->bits; bit++)
		mask->b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

struct match *config_match_new(const struct config *c)
{
	struct match *m = calloc(1, sizeof(*m) + c->groups * sizeof(m->rule[0]));

	if (m == NULL)
		return NULL;
	for (size_t i = 0; i < c->groups; i++) {
		const struct config_group *g = &c->group[i];
		struct rule *r = &m->rule[m->n];

		if (g->match.n + g->marks.n + g->ports.n + g->zones.n == 0) {
			m->default_group = g->id;
			continue;
		}
		r->group = g->id;
		r->match = g->match;
		r->ports = g->ports;
		r->zones = g->zones;
		r->marks = g->marks;
		for (size_t k = 0; k < g->match.n; k++)
			fill_mask(&g->match.item[k], &r->mask[k]);
		m->n++;
	}
	return m;
}

void config_match_free(struct match *m)
{
	free(m);
}

static bool address_in(const struct rule *r, size_t i, const struct flow_addr *a)
{
	const struct flow_addr *want = &r->match.item[i].addr, *mask = &r->mask[i];
	unsigned differ = 0;

	for (size_t b = 0; b < sizeof(a->b); b++)
		differ |= (a->b[b] ^ want->b[b]) & mask->b[b];
	return differ == 0;
}

static bool match_addresses(const struct rule *r, const struct flow_key *key)
{
	for (size_t i = 0; i < r->match.n; i++)
		if (r->match.item[i].addr_len == key->addr_len &&
		    (address_in(r, i, &key->dst) || address_in(r, i, &key->src)))
			return true;
	return false;
}

static bool match_marks(const struct config_marks *m, const struct flow_key *key)
{
	if (key->kind != FLOW_IPVS || key->fwmark == 0)
		return false;
	for (size_t i = 0; i < m->n; i++)
		if ((key->fwmark & m->item[i].mask) == m->item[i].value)
			return true;
	return false;
}

static bool in_ranges(const struct config_ranges *r, uint32_t value)
{
	for (size_t i = 0; i < r->n; i++)
		if (value >= r->item[i].first && value <= r->item[i].last)
			return true;
	return r->n == 0;
}

static bool has_ports(uint8_t l4proto)
{
	return l4proto == IPPROTO_TCP || l4proto == IPPROTO_UDP || l4proto == IPPROTO_SCTP ||
	       l4proto == IPPROTO_DCCP || l4proto == IPPROTO_UDPLITE;
}

static bool rule_matches(const struct rule *r, const struct flow_key *key)
{
	if (r->match.n + r->marks.n > 0 && !match_addresses(r, key) && !match_marks(&r->marks, key))
		return false;
	if (r->ports.n > 0 && !(has_ports(key->l4proto) && in_ranges(&r->ports, key->dport)))
		return false;
	return in_ranges(&r->zones, key->zone);
}

uint32_t config_match_classify(const struct match *m, const struct flow_key *key)
{
	for (size_t i = 0; i < m->n; i++)
		if (rule_matches(&m->rule[i], key))
			return m->rule[i].group;
	return m->default_group;
}

/* Adds the hash of each item: a sum does not depend on their order. */
static uint64_t hash_list(uint64_t seed, const void *item, size_t n, size_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += XXH3_64bits_withSeed((const char *)item + i * size, size, seed);
	return XXH3_64bits_withSeed(&sum, sizeof(sum), seed + n);
}

uint64_t config_filter_fingerprint(const struct config *c)
{
	const struct config_conntrack *ct = &c->conntrack;
	const uint32_t plain[] = {ct->enabled,	ct->protocols, ct->tcp_from,
				  ct->udp_from, ct->sctp_from, ct->local};
	uint64_t h = XXH3_64bits(plain, sizeof(plain));

	h = hash_list(h, ct->leave_out.item, ct->leave_out.n, sizeof(ct->leave_out.item[0]));
	return XXH3_64bits_withSeed(ct->label_mask.item, sizeof(ct->label_mask.item), h);
}

uint64_t config_zones_fingerprint(const struct config *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->groups; i++)
		if (c->group[i].zones.n > 0)
			sum += hash_list(c->group[i].id, c->group[i].zones.item,
					 c->group[i].zones.n, sizeof(c->group[i].zones.item[0]));
	return sum;
}

uint64_t config_group_fingerprint(const struct config *c, const struct config_group *g)
{
	uint64_t h = config_filter_fingerprint(c) + g->id;

	h = hash_list(h, g->match.item, g->match.n, sizeof(g->match.item[0]));
	h = hash_list(h, g->ports.item, g->ports.n, sizeof(g->ports.item[0]));
	h = hash_list(h, g->zones.item, g->zones.n, sizeof(g->zones.item[0]));
	return hash_list(h, g->marks.item, g->marks.n, sizeof(g->marks.item[0]));
}
