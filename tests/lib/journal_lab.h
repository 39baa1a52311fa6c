/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A journal of an active node that never was: its flows come from a number, its table is real. */
#ifndef TESTS_LIB_JOURNAL_LAB_H
#define TESTS_LIB_JOURNAL_LAB_H

#include <stdbool.h>

#include "proto/digest.h"
#include "syncd/journal/journal.h"
#include "syncd/table/table.h"

struct journal_lab {
	struct journal *j;
	struct table *table;
	struct digest_key key;
	uint16_t node;
	uint64_t session, counter, generation;
	uint64_t wall_us, appended;
	bool scattered; /* clients of anywhere: the numbers of flows are not next to each other */
	bool careful; /* waits for the writer now and then, so that segments are as they would be */
	uint8_t payload[JOURNAL_PAYLOAD_MAX];
	uint8_t sent[JOURNAL_PAYLOAD_MAX]; /* the last datagram's payload */
	size_t sent_len;
};

/* Writes to dir; cluster without keys. Aborts where it cannot. */
void journal_lab_open(struct journal_lab *l, const char *dir, uint64_t rotate_bytes, bool compress);
void journal_lab_close(struct journal_lab *l);

/* One datagram: puts or deletes flows first .. first + n - 1, and a check where wanted. */
void journal_lab_send(struct journal_lab *l, unsigned first, unsigned n, bool del, bool check);

/* A whole journal: so many flows made, `each` a datagram, half of them deleted, with a check now
 * and then and one at the end. */
void journal_lab_write(const char *dir, unsigned flows, unsigned each, uint64_t rotate_bytes,
		       bool compress);

/* The encoded flow of that number; returns its length. */
size_t journal_lab_flow(unsigned number, uint8_t *buf);

#endif
