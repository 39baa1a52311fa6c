/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Anti-replay window over the counters of one session's control datagrams, as RFC 6479 has it: a
 * ring of words of bits, of which whole words are cleared as the window moves on, so nothing is
 * ever shifted. To be asked only about datagrams whose tag has been found right.
 */
#ifndef SYNCD_STREAM_REPLAY_WINDOW_H
#define SYNCD_STREAM_REPLAY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum {
	REPLAY_WORD_BITS = 64,
	REPLAY_WORDS = 16, /* a power of two */
	/* One word is always being filled anew. */
	REPLAY_WINDOW = (REPLAY_WORDS - 1) * REPLAY_WORD_BITS,
};

/* All zero is a window that has seen nothing. */
struct replay_window {
	uint64_t top; /* highest counter seen */
	uint64_t word[REPLAY_WORDS];
};

/* Returns true, and remembers the counter, where it is new; false: seen, too old to tell, or 0. */
static inline bool replay_window_take(struct replay_window *w, uint64_t counter)
{
	uint64_t at = counter / REPLAY_WORD_BITS, top_at = w->top / REPLAY_WORD_BITS;
	uint64_t bit = 1ull << (counter % REPLAY_WORD_BITS);
	uint64_t *word = &w->word[at % REPLAY_WORDS];

	if (counter == 0 || (counter < w->top && w->top - counter >= REPLAY_WINDOW))
		return false;
	if (counter > w->top) {
		uint64_t fresh = at - top_at < REPLAY_WORDS ? at - top_at : REPLAY_WORDS;

		for (uint64_t i = 1; i <= fresh; i++)
			w->word[(top_at + i) % REPLAY_WORDS] = 0;
		w->top = counter;
	} else if (*word & bit) {
		return false;
	}
	*word |= bit;
	return true;
}

/* From now on nothing up to the highest counter seen is new: what came before a session was proven
 * may be a recording. */
static inline void replay_window_close(struct replay_window *w)
{
	for (unsigned i = 0; i < REPLAY_WORDS; i++)
		w->word[i] = UINT64_MAX;
	w->word[w->top / REPLAY_WORD_BITS % REPLAY_WORDS] =
		UINT64_MAX >> (REPLAY_WORD_BITS - 1 - w->top % REPLAY_WORD_BITS);
}

#endif
