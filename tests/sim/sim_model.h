/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table as plain as can be: encoded key -> what the flow adds to the digest. The invariants hold
 * the real one against it.
 */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H

#include "proto/data.h"
#include "proto/digest.h"
#include "syncd/table/table.h"

struct sim_model;

/* key is borrowed. */
struct sim_model *sim_model_new(const struct digest_key *key);
void sim_model_free(struct sim_model *m);

/* Becomes a copy of the table as it is. */
void sim_model_copy(struct sim_model *m, const struct table *t);

/*
 * Applies a data payload that data_read accepts: range, puts, deletes. What the range would remove
 * goes if removes is set; with t, only where the table, too, has let go of it.
 */
void sim_model_apply(struct sim_model *m, const uint8_t *payload, size_t len, bool removes,
		     const struct table *t);

/* What the flow adds to the digest; false where there is none. */
bool sim_model_get(const struct sim_model *m, const uint8_t *key, size_t len, uint64_t *content);

uint64_t sim_model_digest(const struct sim_model *m);
size_t sim_model_count(const struct sim_model *m);

/* Writes where the two differ, for a person, into text. */
void sim_model_explain(const struct sim_model *m, const struct table *t, char *text, size_t cap);

#endif
