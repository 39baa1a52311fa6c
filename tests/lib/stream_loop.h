/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sender and its receivers over a network that loses, duplicates, delays and reorders, on a clock
 * of its own with steps of 100 microseconds. Payloads carry their own number, so that a receiver
 * that hands out anything but the exact stream is seen at once.
 */
#ifndef TESTS_LIB_STREAM_LOOP_H
#define TESTS_LIB_STREAM_LOOP_H

#include "syncd/stream/receiver.h"
#include "syncd/stream/sender.h"
#include "tests/lib/rng.h"

enum { STREAM_RECEIVERS_MAX = 4, STREAM_STEP_US = 100 };

struct stream_datagram;

struct stream_loop {
	struct rng *rng;
	struct sender *sender;
	uint64_t now_us;
	struct group_key key;
	struct seal_key open_key;
	size_t receivers;
	struct {
		struct receiver *r;
		bool paused;	   /* SIGSTOPped: hears and does nothing */
		unsigned take_max; /* payloads taken off a step; 0: all */
		uint64_t status_us, lost, gaps;
		uint64_t last_handed;
		uint64_t next_nak_us;
	} at[STREAM_RECEIVERS_MAX];

	/* The network. */
	unsigned loss_per_mille, duplicate_per_mille;
	uint64_t delay_us, jitter_us;
	bool cut; /* nothing arrives anywhere */

	/* The load. */
	size_t payload_len;
	uint64_t rate; /* datagrams wanted a step */
	uint64_t total, wanted;

	uint64_t hello_us, naks;
	struct stream_datagram *flying;
	size_t flights, flights_cap;
};

void stream_loop_init(struct stream_loop *l, struct rng *rng, size_t receivers,
		      const struct sender_config *cfg);
void stream_loop_fini(struct stream_loop *l);

/* One step of the clock. */
void stream_loop_step(struct stream_loop *l);

/* Steps until `total` datagrams were sent and all that are not paused have them, or for max_us.
 * Returns true where they have. */
bool stream_loop_run(struct stream_loop *l, uint64_t total, uint64_t max_us);

#endif
