// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pieces of datagrams, hashed and made in batches; see digest_queue.h. What is hashed is made one
 * batch later. Used by tables.c.
 */
#include "replay/digest_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/journal.h"

enum {
	ENOUGH = DATA_BATCH / 2, /* pieces worth hashing; as many more have room */
	BYTES = 2 * JOURNAL_PAYLOAD_MAX,
};

struct digest_queue {
	const struct digest_key *key;
	struct digest_map *map; /* of those taken */
	struct data_batch batch;
	size_t taken, puts_taken; /* of the batch; what follows was read last */
	struct data_iter rest;	  /* what did not fit in the batch */
	uint8_t bytes[BYTES];	  /* that the batch points to */
	size_t used;
	struct digest_change change[2][DATA_BATCH]; /* hashed; [made] are waited for */
	size_t changes;
	unsigned made;
};

struct digest_queue *digest_queue_new(const struct digest_key *key)
{
	struct digest_queue *q = calloc(1, sizeof(*q));

	if (q)
		q->key = key;
	return q;
}

void digest_queue_free(struct digest_queue *q)
{
	free(q);
}

static void forget_first(struct data_batch *b, size_t n, size_t puts)
{
	b->n -= n;
	b->puts -= puts;
	memmove(b->key, b->key + n, b->n * sizeof(b->key[0]));
	memmove(b->put, b->put + n, b->n * sizeof(b->put[0]));
	memmove(b->flow, b->flow + puts, b->puts * sizeof(b->flow[0]));
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Hashes what was taken, and makes what was hashed before. A few at a time: memory takes no more
 * requests at once, and while it answers there are the next few to hash.
 */
static void hash_taken(struct digest_queue *q)
{
	enum { FEW = 16 };
	struct digest_change *next = q->change[!q->made];
	const struct digest_change *old = q->change[q->made];
	uint64_t position[FEW], content[DATA_BATCH];
	const uint64_t *c = content;

	digest_contents(q->key, q->batch.flow, q->puts_taken, content);
	for (size_t at = 0; at < q->taken; at += FEW) {
		size_t n = least(FEW, q->taken - at), n_old = least(FEW, q->changes);

		digest_positions(q->key, q->batch.key + at, n, position);
		for (size_t i = 0; i < n; i++) {
			bool put = q->batch.put[at + i];

			next[at + i] = (struct digest_change){position[i], put ? *c : 0, put};
			c += put;
		}
		digest_map_change(q->map, old, n_old, next + at, n);
		old += n_old;
		q->changes -= n_old;
	}
	if (q->changes)
		digest_map_change(q->map, old, q->changes, NULL, 0);
	q->made = !q->made;
	q->changes = q->taken;
	forget_first(&q->batch, q->taken, q->puts_taken);
	q->taken = q->puts_taken = 0;
}

void digest_queue_settle(struct digest_queue *q)
{
	hash_taken(q);
	hash_taken(q); /* nothing more: those that were hashed are made */
}

int digest_queue_read(struct digest_queue *q, const uint8_t *data, size_t len,
		      struct data_info *out)
{
	uint8_t *copy;

	if (len > JOURNAL_PAYLOAD_MAX)
		return -EBADMSG;
	q->batch.n = q->taken;
	q->batch.puts = q->puts_taken;
	if (q->taken >= ENOUGH || q->used + len > BYTES)
		hash_taken(q);
	if (!q->taken)
		q->used = 0;
	copy = q->bytes + q->used;
	q->used += len;
	memcpy(copy, data, len);
	return data_read_batch(copy, len, out, &q->batch, &q->rest);
}

void digest_queue_take(struct digest_queue *q, struct digest_map *m)
{
	bool more = q->rest.p < q->rest.end;

	if (m != q->map) {
		digest_queue_settle(q);
		q->map = m;
	}
	q->taken = q->batch.n;
	q->puts_taken = q->batch.puts;
	while (more) {
		hash_taken(q);
		more = data_iter_batch(&q->rest, &q->batch);
		q->taken = q->batch.n;
		q->puts_taken = q->batch.puts;
	}
	q->rest = (struct data_iter){0};
}
