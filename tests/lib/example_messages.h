/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fixed flows and messages with every field in use: for golden vectors, seeds and documentation. */
#ifndef TESTS_LIB_EXAMPLE_MESSAGES_H
#define TESTS_LIB_EXAMPLE_MESSAGES_H

#include "proto/control.h"
#include "proto/data.h"
#include "proto/flow.h"
#include "proto/seal.h"

struct example_flow {
	const char *name; /* of its golden file, after "flow_" */
	const char *what;
	void (*make)(struct flow *f);
};
extern const struct example_flow example_flows[];
extern const size_t example_flows_count;

/* A Data with every kind of piece in the schema's order. */
void example_data(struct data_writer *w, uint8_t *buf, size_t cap);

/* A control of each kind with every field in use. flow: encoded, borrowed by an offer. */
void example_control(struct control *c, enum control_kind kind, const uint8_t *flow, size_t len);
const char *example_control_name(enum control_kind kind);

/* The group key of the sealed vectors: secret 00 01 … 1f, cluster 20 21 … 3f, id 7. */
void example_group_key(struct group_key *k);

#endif
