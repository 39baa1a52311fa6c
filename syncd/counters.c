// SPDX-License-Identifier: GPL-2.0-or-later
/* Names and meanings of the counters; static assertions hold that none is left out. */
#include "syncd/counters.h"

#include <assert.h>
#include <stddef.h>

struct counter {
	const char *name;
	size_t offset;
	const char *help;
};

#define OF(member, text)                                                \
	{                                                               \
#member, offsetof(struct engine_counters, member), text \
	}

static const struct counter of_engine[] = {
	OF(datagrams, "Datagrams received"),
	OF(bytes, "Bytes received"),
	OF(malformed, "Datagrams that are not ours or are cut short"),
	OF(bad_version, "Datagrams of another version of the protocol"),
	OF(unknown_key, "Datagrams sealed with a key that this node has not"),
	OF(bad_tag, "Datagrams whose seal is wrong: another key under the same id, or forged"),
	OF(replayed, "Control datagrams seen before"),
	OF(unproven, "Datagrams of sessions that have not echoed this one"),
	OF(loops, "Datagrams under this node's own id: its own come back, or another node's"),
	OF(oversized, "Datagrams longer than any may be"),
	OF(duplicates, "Data datagrams received twice, over another link or as a needless repair"),
	OF(offered, "Flows offered to the winner of a split"),
	OF(taken, "Flows taken from the loser of a split"),
	OF(leftovers,
	   "Entries of ended flows, marked as installed here, found by a dump and deleted"),
	OF(events, "Events of the kernel"),
	OF(overruns, "Times the kernel lost events because they were not read in time"),
	OF(dumps, "Dumps of the kernel's table begun"),
	OF(dump_failures, "Dumps that were interrupted or failed"),
	OF(reinstalled, "Flows found missing in the kernel and put there again"),
	OF(puts_sent, "Flows sent"),
	OF(dels_sent, "Deletes sent"),
	OF(puts_applied, "Flows received and taken over"),
	OF(dels_applied, "Deletes received and taken over"),
	OF(stale_term, "Data of a lower term, ignored"),
	OF(installed, "Flows installed in the kernel"),
	OF(removed, "Flows removed from the kernel"),
	OF(renewed, "Leases renewed"),
	OF(refused, "Flows that the kernel refused"),
	OF(checks_sent, "Checks sent"),
	OF(checks_equal, "Checks received that were equal"),
	OF(checks_differed, "Checks received that differed"),
};

#undef OF
#define OF(member, text)                                                     \
	{                                                                    \
		"sent_" #member, offsetof(struct sender_stats, member), text \
	}

static const struct counter of_sender[] = {
	OF(data, "Data datagrams sent, without retransmissions"),
	OF(data_bytes, "Their bytes"),
	OF(control, "Control datagrams sent"),
	OF(control_bytes, "Their bytes"),
	OF(retransmits, "Data datagrams sent again"),
	OF(retransmit_bytes, "Their bytes"),
	OF(nak_gone, "Datagrams asked for that are no longer kept"),
	OF(left_behind, "Times a receiver stalled the others and lost its vote"),
};

#undef OF
#define OF(member, text)                                                        \
	{                                                                       \
		"kernel_" #member, offsetof(struct ct_sink_stats, member), text \
	}

/* What conntrack's sink met: why `refused` and `reinstalled` count. */
static const struct counter of_sink[] = {
	OF(clashes, "Flows whose place in the connection table was taken"),
	OF(replaced, "Of them, those that took the place of what was there"),
	OF(differed, "Flows that the kernel gave other addresses or ports, and that were replaced"),
	OF(full, "Refused because the connection table is full"),
	OF(no_memory, "Refused for want of memory or room, though the table is not full"),
	OF(no_master, "Related flows refused because their master is not there yet"),
	OF(odd, "Refused for another reason, which the log names"),
	OF(unlabeled, "Flows changed without their labels, for which the kernel has no room"),
	OF(lost_acks, "Batches whose answers were lost, and that were sent again"),
};

#undef OF

static void each(const struct counter *c, size_t n, const void *from, counter_fn *fn, void *ctx)
{
	for (size_t i = 0; i < n; i++)
		fn(ctx, c[i].name, c[i].help,
		   *(const uint64_t *)(const void *)((const char *)from + c[i].offset));
}

static_assert(sizeof(of_engine) / sizeof(of_engine[0]) * sizeof(uint64_t) ==
		      sizeof(struct engine_counters),
	      "each counter of the engine has a name");
static_assert(sizeof(of_sender) / sizeof(of_sender[0]) * sizeof(uint64_t) ==
		      sizeof(struct sender_stats),
	      "each counter of the sender has a name");

void counters_each(const struct engine *e, const struct ct_sink_stats *sink, counter_fn *fn,
		   void *ctx)
{
	static const struct ct_sink_stats none;

	each(of_engine, sizeof(of_engine) / sizeof(of_engine[0]), engine_counters(e), fn, ctx);
	each(of_sender, sizeof(of_sender) / sizeof(of_sender[0]), engine_sender_stats(e), fn, ctx);
	each(of_sink, sizeof(of_sink) / sizeof(of_sink[0]), sink ? sink : &none, fn, ctx);
}
