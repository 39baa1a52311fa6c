// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_known.h. A hash table with chains; a flow is kept encoded. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "proto/flow_codec.h"
#include "syncd/kernel/ipvs_known.h"

enum { BUCKETS_FIRST = 1024, FILL = 2 };

struct node {
	struct node *next;
	uint64_t told_us, ends_us;
	uint32_t seen; /* the last pass that saw it */
	uint8_t misses;
	bool bound;
	uint16_t key_at, key_len, len;
	uint8_t bytes[];
};

struct ipvs_known {
	struct node **bucket;
	size_t buckets, count;
	uint32_t pass;
	size_t judged; /* buckets */
};

static size_t hash(const uint8_t *key, size_t len)
{
	return (size_t)XXH3_64bits(key, len);
}

static struct node **find(const struct ipvs_known *k, const uint8_t *key, size_t len)
{
	struct node **at = &k->bucket[hash(key, len) & (k->buckets - 1)];

	while (*at &&
	       ((*at)->key_len != len || memcmp((*at)->bytes + (*at)->key_at, key, len) != 0))
		at = &(*at)->next;
	return at;
}

static struct node **find_key(const struct ipvs_known *k, const struct flow_key *key)
{
	uint8_t bytes[FLOW_KEY_MAX];
	int n = flow_key_encode(key, bytes);
	struct node **at = n < 0 ? NULL : find(k, bytes, (size_t)n);

	return at && *at ? at : NULL;
}

/* Not while judging: the place reached would be another's. */
static void grow(struct ipvs_known *k)
{
	size_t buckets = 2 * k->buckets;
	struct node **bucket;

	if (k->count < FILL * k->buckets || (k->judged && k->judged < k->buckets))
		return;
	bucket = calloc(buckets, sizeof(struct node *));
	if (!bucket)
		return; /* longer chains */
	for (size_t i = 0; i < k->buckets; i++)
		for (struct node *n = k->bucket[i], *next; n; n = next) {
			size_t at = hash(n->bytes + n->key_at, n->key_len) & (buckets - 1);

			next = n->next;
			n->next = bucket[at];
			bucket[at] = n;
		}
	free(k->bucket);
	k->bucket = bucket;
	k->buckets = buckets;
}

struct ipvs_known *ipvs_known_new(void)
{
	struct ipvs_known *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->buckets = BUCKETS_FIRST;
	k->bucket = calloc(k->buckets, sizeof(struct node *));
	if (!k->bucket) {
		free(k);
		k = NULL;
	}
	return k;
}

void ipvs_known_free(struct ipvs_known *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->buckets; i++)
		for (struct node *n = k->bucket[i], *next; n; n = next) {
			next = n->next;
			free(n);
		}
	free(k->bucket);
	free(k);
}

static void unlink_node(struct ipvs_known *k, struct node **at)
{
	struct node *n = *at;

	*at = n->next;
	free(n);
	k->count--;
}

int ipvs_known_put(struct ipvs_known *k, const struct flow *f, bool bound, uint64_t told_us,
		   uint64_t ends_us)
{
	uint8_t bytes[FLOW_MAX];
	int len = flow_encode(f, bytes);
	const uint8_t *key;
	struct node **at, *n;
	size_t key_len;

	if (len < 0 || flow_key_slice(bytes, (size_t)len, &key, &key_len))
		return -EINVAL;
	at = find(k, key, key_len);
	if (*at && (*at)->len != len)
		unlink_node(k, at);
	n = *at;
	if (!n) {
		n = calloc(1, sizeof(*n) + (size_t)len);
		if (!n)
			return -ENOMEM;
		*at = n;
		k->count++;
	}
	memcpy(n->bytes, bytes, (size_t)len);
	n->len = (uint16_t)len;
	n->key_at = (uint16_t)(key - bytes);
	n->key_len = (uint16_t)key_len;
	n->told_us = told_us;
	n->ends_us = ends_us;
	n->seen = k->pass;
	n->misses = 0;
	n->bound = bound;
	grow(k);
	return 0;
}

static void read_node(const struct node *n, struct ipvs_known_entry *out)
{
	(void)flow_decode(n->bytes, n->len, &out->flow); /* which flow_encode wrote */
	out->told_us = n->told_us;
	out->bound = n->bound;
}

bool ipvs_known_get(const struct ipvs_known *k, const struct flow_key *key,
		    struct ipvs_known_entry *out)
{
	struct node **at = find_key(k, key);

	if (at && out)
		read_node(*at, out);
	return at != NULL;
}

void ipvs_known_del(struct ipvs_known *k, const struct flow_key *key)
{
	struct node **at = find_key(k, key);

	if (at)
		unlink_node(k, at);
}

void ipvs_known_seen(struct ipvs_known *k, const struct flow_key *key, uint64_t ends_us)
{
	struct node **at = find_key(k, key);

	if (!at)
		return;
	(*at)->seen = k->pass;
	(*at)->misses = 0;
	(*at)->ends_us = ends_us;
}

size_t ipvs_known_count(const struct ipvs_known *k)
{
	return k->count;
}

void ipvs_known_begin(struct ipvs_known *k)
{
	k->pass++;
	k->judged = 0;
}

bool ipvs_known_judge(struct ipvs_known *k, uint64_t now_us, unsigned budget, ipvs_known_fn *fn,
		      void *ctx)
{
	struct ipvs_known_entry e;

	for (; k->judged < k->buckets && budget; k->judged++, budget--) {
		struct node **at = &k->bucket[k->judged];

		while (*at) {
			struct node *n = *at;
			bool gone;

			if (n->seen == k->pass) {
				at = &n->next;
				continue;
			}
			n->seen = k->pass;
			gone = ++n->misses >= IPVS_KNOWN_MISSES || now_us >= n->ends_us;
			read_node(n, &e);
			fn(ctx, &e, gone);
			if (gone)
				unlink_node(k, at);
			else
				at = &n->next;
		}
	}
	return k->judged == k->buckets;
}
