/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that the text form needs beyond those of flow.h. Private to floor 0. */
#ifndef PROTO_FLOW_NAMES_H
#define PROTO_FLOW_NAMES_H

#include "proto/flow.h"

/* The protocol of a name that flow_proto_name gives. */
bool flow_proto_number(const char *name, uint8_t *out);

/* NULL where the bit has no name, or none that a flow carries. */
const char *flow_status_bit_name(unsigned bit);
const char *flow_ipvs_flag_name(unsigned bit);
const char *flow_ipvs_method_name(uint32_t flags);

#endif
