/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What makes a flow a legal one, beyond what its types say. The encoder refuses what breaks them
 * and the decoder lets none through. Private to floor 0 and its tests.
 */
#ifndef PROTO_FLOW_RULES_H
#define PROTO_FLOW_RULES_H

#include "proto/flow.h"

/* The source port that the reply direction has where nothing is translated. */
uint16_t flow_key_mirrored_sport(const struct flow_key *k);

bool flow_key_valid(const struct flow_key *k);
bool flow_valid(const struct flow *f);

/* A name from a kernel: at most cap - 1 printable ASCII characters without spaces, then a NUL. */
bool flow_name_valid(const char *name, size_t cap);

#endif
