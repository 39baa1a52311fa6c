/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conntrack flows and a source and sink to try them on, for the tests and benches of both. */
#ifndef TESTS_LIB_CT_LAB_H
#define TESTS_LIB_CT_LAB_H

#include "syncd/kernel/ct_sink.h"
#include "syncd/kernel/ct_source.h"

enum ct_lab_nat { CT_LAB_PLAIN, CT_LAB_DNAT, CT_LAB_SNAT, CT_LAB_BOTH };

/*
 * The n-th flow of its kind, as its kernel would have it once established: from 192.0.2.0/24 (or
 * 2001:db8::) to 203.0.113.10 port 80, translated to 10.2.0.11 port 8080 and/or from
 * 203.0.113.9. n below 60000 for each kind.
 */
struct flow ct_lab_flow(uint8_t l4proto, uint8_t addr_len, enum ct_lab_nat nat, unsigned n);

enum { CT_LAB_EVENTS_MAX = 4096 };

struct ct_lab_event {
	enum flow_event what;
	struct flow flow;
	unsigned parts;
	bool live;
};

/* What both ends reported. Records beyond the room are counted only. */
struct ct_lab {
	struct source *source;
	struct sink *sink;
	struct ct_lab_event *events;
	size_t event_count;
	struct flow *dumped;
	size_t dumped_count, dumped_room;
	size_t dumped_ours; /* of them made by this node's sink */
	bool dump_ended;
	int dump_err;
	unsigned overruns;
	size_t results, errors;
	int last_err;
};

/* Opens both with that configuration (NULL: defaults). Returns 0 or -errno. */
int ct_lab_open(struct ct_lab *lab, const struct ct_config *c);
void ct_lab_close(struct ct_lab *lab);

/* Submits one operation and returns its result. */
int ct_lab_do(struct ct_lab *lab, enum sink_op op, const struct flow *f);

/* Dumps; returns how it ended. lab->dumped then holds the flows. */
int ct_lab_dump(struct ct_lab *lab);
const struct flow *ct_lab_dumped(const struct ct_lab *lab, const struct flow_key *k);

/* Polls the source until it has reported an event of the key (and kind), or 2 s have passed. */
const struct ct_lab_event *ct_lab_wait_event(struct ct_lab *lab, enum flow_event what,
					     const struct flow_key *k);

/* Polls the source until it has nothing more to say. */
void ct_lab_drain(struct ct_lab *lab);

#endif
