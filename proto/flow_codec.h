/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flow <-> canonical bytes of sync.Flow (proto/sync.proto). Written by hand because it runs for
 * every event; tests hold it against protobuf-c's own packing.
 */
#ifndef PROTO_FLOW_CODEC_H
#define PROTO_FLOW_CODEC_H

#include "proto/flow.h"

/*
 * Writes sync.Flow without an outer tag. Returns its length (at most FLOW_MAX), -EMSGSIZE where it
 * would be longer, -EINVAL where the flow breaks a rule of the schema. buf holds FLOW_MAX bytes.
 */
int flow_encode(const struct flow *f, uint8_t *buf);

/* Writes sync.FlowKey without an outer tag: the slice that flow_key_slice finds in a flow. */
int flow_key_encode(const struct flow_key *k, uint8_t *buf);

/*
 * Reads a sync.Flow. Pointers in *out borrow from buf. Unknown fields are skipped. Accepts what any
 * protobuf encoder may write, canonical or not. Returns 0 or -EBADMSG; *out only on success.
 */
int flow_decode(const uint8_t *buf, size_t len, struct flow *out);
int flow_key_decode(const uint8_t *buf, size_t len, struct flow_key *out);

/*
 * Finds the encoded key in an encoded flow without decoding it: it is the first field. Returns 0
 * with *key pointing into buf, or -EBADMSG. Peers' flows must have the key first: it identifies.
 */
int flow_key_slice(const uint8_t *buf, size_t len, const uint8_t **key, size_t *key_len);

#endif
