/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts and deletes on their way into a map of digests: gathered over several datagrams, hashed many
 * at a time, and made once the memory that they touch has come. One for all maps of a journal.
 */
#ifndef REPLAY_DIGEST_QUEUE_H
#define REPLAY_DIGEST_QUEUE_H

#include "replay/digest_map.h"

struct digest_queue;

/* The key is borrowed. NULL without memory. */
struct digest_queue *digest_queue_new(const struct digest_key *key);
void digest_queue_free(struct digest_queue *q);

/*
 * Reads a payload (of at most JOURNAL_PAYLOAD_MAX, copied) as data_read does. Its pieces are kept
 * back until they are taken; the next payload's take their place. 0 or -EBADMSG.
 */
int digest_queue_read(struct digest_queue *q, const uint8_t *data, size_t len,
		      struct data_info *out);

/* Those of the payload read last are changes of this map, after all that were taken before. */
void digest_queue_take(struct digest_queue *q, struct digest_map *m);

/* Makes all that were taken. */
void digest_queue_settle(struct digest_queue *q);

#endif
