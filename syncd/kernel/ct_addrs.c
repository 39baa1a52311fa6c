// SPDX-License-Identifier: GPL-2.0-or-later
/* See ct_addrs.h. At most half of the slots are used, so that a miss ends soon. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/kernel/ct_addrs.h"

struct slot {
	struct flow_addr addr;
	uint8_t addr_len; /* 0: free */
};

struct ct_addrs {
	size_t mask;
	size_t count;
	struct slot slots[];
};

struct ct_addrs *ct_addrs_new(size_t count)
{
	struct ct_addrs *set;
	size_t slots = 8;

	while (slots < 2 * count)
		slots *= 2;
	set = calloc(1, sizeof(*set) + slots * sizeof(set->slots[0]));
	if (set)
		set->mask = slots - 1;
	return set;
}

void ct_addrs_free(struct ct_addrs *set)
{
	free(set);
}

/* Not keyed: who chooses the box's own addresses is the operator. */
static size_t spread(const struct flow_addr *a)
{
	uint64_t lo, hi;

	memcpy(&lo, a->b, sizeof(lo));
	memcpy(&hi, a->b + sizeof(lo), sizeof(hi));
	lo = (lo ^ (hi * 0x9e3779b97f4a7c15ull)) * 0xbf58476d1ce4e5b9ull;
	return (size_t)(lo >> 32);
}

static size_t find(const struct ct_addrs *set, const struct flow_addr *a, uint8_t addr_len)
{
	size_t i = spread(a) & set->mask;

	while (set->slots[i].addr_len != 0 && (set->slots[i].addr_len != addr_len ||
					       memcmp(&set->slots[i].addr, a, sizeof(*a)) != 0))
		i = (i + 1) & set->mask;
	return i;
}

void ct_addrs_add(struct ct_addrs *set, const struct flow_addr *a, uint8_t addr_len)
{
	size_t i = find(set, a, addr_len);

	if (set->slots[i].addr_len != 0)
		return;
	assert(2 * set->count <= set->mask);
	set->slots[i] = (struct slot){*a, addr_len};
	set->count++;
}

bool ct_addrs_has(const struct ct_addrs *set, const struct flow_addr *a, uint8_t addr_len)
{
	return set->count != 0 && set->slots[find(set, a, addr_len)].addr_len != 0;
}
