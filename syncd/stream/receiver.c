/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts another node's data stream in order. A ring of REORDER_MAX slots, indexed by counter, knows
 * of each counter beyond the last one handed out whether it is missing or kept; payloads lie in
 * chained blocks of a pool, so that small datagrams do not pay for jumbo frames. Each missing
 * counter carries its own time of the next nak; those found missing together share one, and so go
 * out as one range.
 *
 * Called by the engine. Knows nothing of sockets, of keys or of what a payload means.
 */
#include "syncd/stream/receiver.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/stream/random.h"

enum {
	BLOCK_LEN = 1280, /* a payload of a datagram of DATAGRAM_START takes one */
	BLOCKS = 2 * REORDER_MAX,
	PAYLOAD_MAX = DATAGRAM_MAX - FRAME_OVERHEAD,
	PAYLOAD_BLOCKS = (PAYLOAD_MAX + BLOCK_LEN - 1) / BLOCK_LEN,
	NO_BLOCK = UINT16_MAX,
	SUPPRESS_MAX = 3, /* another's nak may not have reached the sender: then ask ourselves */
	QUIET_ROUNDS = 3, /* without a word from the sender before repetitions slow down */
	QUIET_SHIFT_MAX = 5,
	TRIES_MAX = 64,
};

static_assert(BLOCKS < NO_BLOCK, "a block's index fits 16 bits");
static_assert((REORDER_MAX & (REORDER_MAX - 1)) == 0, "the ring's index is a mask");

/* Before an answer has been timed; must exceed the sender's linger, or the repetition is idle. */
#define RETRY_START_US (2 * MS_US)
#define RETRY_MIN_US   (NAK_LINGER_US + NAK_LINGER_US / 2)

struct slot {
	uint64_t due_us;   /* missing: ask then */
	uint64_t asked_us; /* when it was first asked for; 0: never */
	uint16_t block, len;
	bool kept;
	uint8_t tries, suppressed;
};

struct receiver {
	uint16_t node;
	uint64_t session;
	uint64_t random;
	struct receiver_stats stats;

	uint64_t applied;    /* handed out, or skipped for good */
	uint64_t edge;	     /* slots are set up from applied + 1 to here */
	uint64_t last;	     /* highest known to exist */
	uint64_t highest;    /* highest kept or handed out */
	uint64_t lost_below; /* missing counters below are lost */
	bool gap;	     /* lost some since the last one handed out */

	size_t missing;
	uint64_t next_due_us; /* no missing counter is due before; meaningless without any */
	uint64_t scan_from;   /* the round of naks under way goes on here; 0: at the front */
	uint64_t round_due_us;
	uint64_t retry_us;  /* twice the smoothed time from a nak to its answer */
	uint64_t rtt_us;    /* to the sender, as hellos show it; 0: not known */
	uint64_t asked_us;  /* last own nak */
	unsigned quiet;	    /* rounds of naks since an answer came */
	size_t longest_len; /* payload */

	uint16_t free_block, handed_block;
	size_t free_blocks;
	uint16_t next_block[BLOCKS];
	uint8_t *pool;
	struct slot slot[REORDER_MAX];
	uint8_t joined[PAYLOAD_MAX];
};

struct receiver *receiver_new(uint16_t node, uint64_t session, uint64_t last, uint64_t random_seed)
{
	struct receiver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	/* Touched only as far as it is used: the free list is last in, first out. */
	r->pool = malloc((size_t)BLOCKS * BLOCK_LEN);
	if (!r->pool) {
		free(r);
		return NULL;
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		r->next_block[i] = i + 1 < BLOCKS ? (uint16_t)(i + 1) : NO_BLOCK;
	r->free_blocks = BLOCKS;
	r->handed_block = NO_BLOCK;
	r->node = node;
	r->session = session;
	r->random = random_seed;
	r->applied = r->edge = r->last = r->highest = last;
	r->retry_us = RETRY_START_US;
	return r;
}

void receiver_free(struct receiver *r)
{
	if (!r)
		return;
	free(r->pool);
	free(r);
}

static struct slot *slot_at(struct receiver *r, uint64_t counter)
{
	return &r->slot[counter & (REORDER_MAX - 1)];
}

/* ---- blocks ------------------------------------------------------------------------------ */

static void blocks_release(struct receiver *r, uint16_t block)
{
	while (block != NO_BLOCK) {
		uint16_t next = r->next_block[block];

		r->next_block[block] = r->free_block;
		r->free_block = block;
		r->free_blocks++;
		block = next;
	}
}

/* Copies a payload into the pool; the caller has seen to it that it fits. Returns the first block.
 */
static uint16_t blocks_fill(struct receiver *r, const uint8_t *payload, size_t len)
{
	uint16_t first = r->free_block, block = first;

	for (;;) {
		size_t n = len < BLOCK_LEN ? len : BLOCK_LEN;

		memcpy(r->pool + (size_t)block * BLOCK_LEN, payload, n);
		r->free_blocks--;
		payload += n;
		len -= n;
		if (len == 0)
			break;
		block = r->next_block[block];
	}
	r->free_block = r->next_block[block];
	r->next_block[block] = NO_BLOCK;
	return first;
}

static const uint8_t *blocks_join(struct receiver *r, uint16_t block, size_t len)
{
	if (len <= BLOCK_LEN)
		return r->pool + (size_t)block * BLOCK_LEN;
	for (size_t at = 0; at < len; at += BLOCK_LEN) {
		size_t n = len - at < BLOCK_LEN ? len - at : BLOCK_LEN;

		memcpy(r->joined + at, r->pool + (size_t)block * BLOCK_LEN, n);
		block = r->next_block[block];
	}
	return r->joined;
}

static size_t blocks_of(size_t len)
{
	return len == 0 ? 1 : (len + BLOCK_LEN - 1) / BLOCK_LEN;
}

/* ---- what is missing --------------------------------------------------------------------- */

/* Sets up the slots of what is known to exist, as far as the ring reaches. All that are new are
 * missing and share one backoff, but for `here`, which has just come. */
static void extend_edge(struct receiver *r, uint64_t here, uint64_t now_us)
{
	uint64_t reach = r->applied + REORDER_MAX, due_us;

	if (r->last < reach)
		reach = r->last;
	if (reach <= r->edge)
		return;
	due_us = now_us + random_below(&r->random, NAK_FIRST_US + 1);
	if (reach - r->edge > (reach == here ? 1u : 0u) &&
	    (r->missing == 0 || due_us < r->next_due_us))
		r->next_due_us = due_us;
	while (r->edge < reach) {
		*slot_at(r, ++r->edge) = (struct slot){.due_us = due_us, .block = NO_BLOCK};
		r->missing++;
	}
}

static void set_retry(struct receiver *r, uint64_t retry_us)
{
	if (retry_us < r->rtt_us + r->rtt_us / 4)
		retry_us = r->rtt_us + r->rtt_us / 4;
	if (retry_us < RETRY_MIN_US)
		retry_us = RETRY_MIN_US;
	r->retry_us = retry_us < NAK_MAX_US ? retry_us : NAK_MAX_US;
}

void receiver_set_rtt(struct receiver *r, uint32_t rtt_us)
{
	r->rtt_us = rtt_us;
	set_retry(r, r->retry_us);
}

/* An answer to our nak has come: learn how long that takes, unless it is not known which of several
 * naks it answers (RFC 6298, Karn's rule). */
static void time_answer(struct receiver *r, const struct slot *slot, uint64_t now_us)
{
	if (slot->tries == 1 && slot->suppressed == 0 && now_us >= slot->asked_us)
		set_retry(r, (r->retry_us * 7 + (now_us - slot->asked_us) * 2) / 8);
}

/* Until a nak for this counter is repeated: gentle per counter, since at high loss many a
 * repetition is lost too; doubling while nothing at all comes back, since then the sender may be
 * gone. */
static uint64_t retry_after(struct receiver *r, unsigned tries)
{
	uint64_t after_us = r->retry_us + r->retry_us * tries / 4;
	unsigned shift = r->quiet - QUIET_ROUNDS < QUIET_SHIFT_MAX ? r->quiet - QUIET_ROUNDS
								   : QUIET_SHIFT_MAX;

	if (r->quiet > QUIET_ROUNDS)
		after_us <<= shift;
	after_us += random_below(&r->random, after_us / 4 + 1);
	return after_us < NAK_MAX_US ? after_us : NAK_MAX_US;
}

/* What is kept beyond a gap must leave room for what fills the gap, or nothing ever moves again. */
static bool has_room(const struct receiver *r, uint64_t counter, size_t len)
{
	size_t spare = counter == r->applied + 1 ? 0 : PAYLOAD_BLOCKS;

	return blocks_of(len) + spare <= r->free_blocks;
}

int receiver_on_data(struct receiver *r, uint64_t counter, const uint8_t *payload, size_t len,
		     uint64_t now_us)
{
	struct slot *slot;

	if (counter <= r->applied) {
		r->stats.duplicates++;
		return 0;
	}
	if (len > PAYLOAD_MAX)
		return -EMSGSIZE;
	if (counter > r->last)
		r->last = counter;
	extend_edge(r, counter, now_us);
	if (counter > r->edge || !has_room(r, counter, len)) {
		r->stats.overflowed++;
		r->next_due_us = now_us; /* where its slot is set up, it is missing after all */
		return -ENOBUFS;
	}
	slot = slot_at(r, counter);
	if (slot->kept) {
		r->stats.duplicates++;
		return 0;
	}
	if (slot->tries > 0)
		time_answer(r, slot, now_us);
	else if (counter < r->highest)
		r->stats.reordered++;
	slot->block = blocks_fill(r, payload, len);
	slot->len = (uint16_t)len;
	slot->kept = true;
	r->missing--;
	r->quiet = 0;
	r->stats.received++;
	if (counter > r->highest)
		r->highest = counter;
	if (len > r->longest_len)
		r->longest_len = len;
	return 1;
}

void receiver_on_tail(struct receiver *r, uint64_t last, uint64_t oldest, uint64_t now_us)
{
	if (last > r->last)
		r->last = last;
	/* Nothing beyond the last can be lost, whatever a hello claims. */
	if (oldest > r->last + 1)
		oldest = r->last + 1;
	if (oldest > r->lost_below)
		r->lost_below = oldest;
	r->quiet = 0;
	extend_edge(r, 0, now_us);
}

void receiver_give_up_gaps(struct receiver *r)
{
	if (r->highest + 1 > r->lost_below)
		r->lost_below = r->highest + 1;
}

/* ---- handing out ------------------------------------------------------------------------- */

/* Skips what is missing below lost_below, up to the first kept one. */
static void skip_lost(struct receiver *r)
{
	uint64_t from = r->applied;

	while (r->applied < r->edge && r->applied + 1 < r->lost_below &&
	       !slot_at(r, r->applied + 1)->kept) {
		r->applied++;
		r->missing--;
	}
	if (r->applied == r->edge && r->applied + 1 < r->lost_below)
		r->applied = r->edge = r->lost_below - 1; /* the ring held nothing of it */
	if (r->applied == from)
		return;
	r->stats.gaps++;
	r->stats.lost += r->applied - from;
	r->gap = true;
	if (r->scan_from <= r->applied)
		r->scan_from = 0;
}

bool receiver_next(struct receiver *r, const uint8_t **payload, size_t *len, uint64_t *counter,
		   bool *gap)
{
	struct slot *slot;

	blocks_release(r, r->handed_block);
	r->handed_block = NO_BLOCK;
	skip_lost(r);
	if (r->applied == r->edge)
		return false;
	slot = slot_at(r, r->applied + 1);
	if (!slot->kept)
		return false;
	r->applied++;
	r->handed_block = slot->block;
	*payload = blocks_join(r, slot->block, slot->len);
	*len = slot->len;
	*counter = r->applied;
	*gap = r->gap;
	r->gap = false;
	return true;
}

/* ---- naks -------------------------------------------------------------------------------- */

void receiver_on_foreign_nak(struct receiver *r, const struct nak *n, uint64_t now_us)
{
	if (n->node != r->node || n->session != r->session)
		return;
	for (uint32_t i = 0; i < n->n && r->missing > 0; i++) {
		uint64_t first = n->missing[i].first, end = first + n->missing[i].count;
		uint64_t due_us = now_us + retry_after(r, 0);

		if (first <= r->applied)
			first = r->applied + 1;
		if (end > r->edge + 1)
			end = r->edge + 1;
		for (uint64_t c = first; c < end; c++) {
			struct slot *slot = slot_at(r, c);

			if (slot->kept || slot->suppressed >= SUPPRESS_MAX || slot->due_us > due_us)
				continue;
			slot->due_us = due_us;
			slot->suppressed++;
			r->stats.nak_suppressed++;
		}
	}
}

static void ask(struct slot *slot, uint64_t due_us, uint64_t now_us)
{
	slot->due_us = due_us;
	if (slot->tries == 0)
		slot->asked_us = now_us;
	if (slot->tries < TRIES_MAX)
		slot->tries++;
	slot->suppressed = 0;
}

static bool extends_range(const struct nak *n, uint64_t counter)
{
	return n->n > 0 && n->missing[n->n - 1].first + n->missing[n->n - 1].count == counter;
}

/* Collects due counters from `from` on. Returns where to go on, 0 where the ring's end was reached.
 */
static uint64_t collect_due(struct receiver *r, uint64_t from, uint64_t now_us, struct nak *out)
{
	uint64_t due_us = 0;

	for (uint64_t c = from; c <= r->edge; c++) {
		struct slot *slot = slot_at(r, c);
		unsigned tries = slot->tries;

		if (slot->kept || c < r->lost_below)
			continue;
		if (slot->due_us > now_us) {
			if (slot->due_us < r->round_due_us)
				r->round_due_us = slot->due_us;
			continue;
		}
		if (!extends_range(out, c)) {
			if (out->n == NAK_RANGES_MAX)
				return c;
			out->missing[out->n].first = c;
			out->missing[out->n++].count = 0;
			due_us = now_us + retry_after(r, tries);
		}
		out->missing[out->n - 1].count++;
		ask(slot, due_us, now_us);
		if (due_us < r->round_due_us)
			r->round_due_us = due_us;
	}
	return 0;
}

bool receiver_nak(struct receiver *r, uint64_t now_us, struct nak *out, uint64_t *next_us)
{
	uint64_t from = r->scan_from > r->applied ? r->scan_from : r->applied + 1;

	extend_edge(r, 0, now_us);
	if (r->missing == 0) {
		r->scan_from = 0;
		*next_us = UINT64_MAX;
		return false;
	}
	if (r->scan_from == 0 && now_us < r->next_due_us) {
		*next_us = r->next_due_us;
		return false;
	}
	if (r->scan_from == 0) {
		r->round_due_us = UINT64_MAX;
		if (r->quiet < UINT8_MAX && now_us - r->asked_us >= r->retry_us)
			r->quiet++;
	}
	out->node = r->node;
	out->session = r->session;
	out->n = 0;
	r->scan_from = collect_due(r, from, now_us, out);
	r->next_due_us = r->round_due_us;
	*next_us = r->scan_from != 0 ? now_us : r->next_due_us;
	if (out->n == 0)
		return false;
	r->asked_us = now_us;
	r->stats.naks++;
	return true;
}

/* ---- what others want to know ------------------------------------------------------------ */

uint64_t receiver_applied(const struct receiver *r)
{
	return r->applied;
}

uint64_t receiver_last(const struct receiver *r)
{
	return r->last;
}

uint32_t receiver_window(const struct receiver *r)
{
	size_t per = blocks_of(r->longest_len);
	uint64_t window = r->edge - r->applied - r->missing; /* kept: these have their blocks */

	if (r->free_blocks > PAYLOAD_BLOCKS)
		window += (r->free_blocks - PAYLOAD_BLOCKS) / per;
	return window < REORDER_MAX ? (uint32_t)window : REORDER_MAX;
}

const struct receiver_stats *receiver_stats(const struct receiver *r)
{
	return &r->stats;
}
