/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A flow packed by protobuf-c from the schema: an independent second opinion on the bytes that
 * proto/flow_codec.c writes.
 */
#ifndef TESTS_LIB_PB_FLOW_H
#define TESTS_LIB_PB_FLOW_H

#include "proto/flow.h"

enum { PB_FLOW_MAX = 4096 };

/* Returns the length; buf holds PB_FLOW_MAX. */
size_t pb_flow_pack(const struct flow *f, uint8_t *buf);

#endif
