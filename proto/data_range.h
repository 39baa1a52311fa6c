/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sync.Range, which Data and Control share. Private to floor 0. */
#ifndef PROTO_DATA_RANGE_H
#define PROTO_DATA_RANGE_H

#include "proto/data.h"
#include "proto/wire.h"

void data_write_range(struct wire_writer *w, uint32_t tag, struct hash_range r);

/* False where it is malformed or not aligned. */
bool data_read_range(const uint8_t *buf, size_t len, struct hash_range *out);

#endif
