/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records: header and bytes in one chunk of the table's slab. */
#include <assert.h>
#include <string.h>

#include "proto/flow_codec.h"
#include "syncd/table/table_priv.h"

static_assert(offsetof(struct record, bytes) == 31, "bytes follow the header without padding");
static_assert(offsetof(struct record, bytes) + FLOW_MAX <= SLAB_MAX, "any flow fits a chunk");
static_assert(SLAB_CLASSES <= UINT8_MAX, "a size class fits its field");

static size_t record_size(size_t len)
{
	return offsetof(struct record, bytes) + len;
}

struct record *record_new(struct table *t, uint64_t hash, const uint8_t *bytes, size_t len)
{
	unsigned cls = slab_class_of(record_size(len));
	struct record *rec = slab_take(&t->slab, cls);

	if (!rec)
		return NULL;
	memset(rec, 0, offsetof(struct record, bytes));
	rec->hash = hash;
	rec->cls = (uint8_t)cls;
	rec->len = (uint16_t)len;
	memcpy(rec->bytes, bytes, len);
	t->records++;
	return rec;
}

void record_free(struct table *t, struct record *rec)
{
	t->records--;
	slab_give(&t->slab, rec->cls, rec);
}

bool record_set(struct table *t, uint64_t *slot, const uint8_t *bytes, size_t len)
{
	struct record *rec = slot_record(*slot), *moved;
	size_t chunk = slab_class_size(rec->cls), want = record_size(len);

	if (want <= chunk && want >= chunk / 2) {
		memmove(rec->bytes, bytes, len);
		rec->len = (uint16_t)len;
		return true;
	}
	moved = record_new(t, rec->hash, bytes, len);
	if (!moved)
		return false;
	memcpy(moved->place, rec->place, sizeof(moved->place));
	moved->digest = rec->digest;
	moved->seen = rec->seen;
	moved->epoch = rec->epoch;
	moved->flags = rec->flags;
	for (unsigned which = 0; which < RINGS; which++)
		if (rec->flags & (1 << which))
			ring_replace(&t->ring[which], rec, moved);
	*slot = slot_make(moved);
	record_free(t, rec);
	return true;
}

void record_key(const struct record *rec, const uint8_t **key, size_t *len)
{
	int err = 0;

	if (rec->flags & REC_TOMBSTONE) {
		*key = rec->bytes;
		*len = rec->len;
	} else {
		err = flow_key_slice(rec->bytes, rec->len, key, len);
	}
	assert(err == 0); /* table_put has refused what has no key */
}

void record_bury(struct record *rec)
{
	const uint8_t *key;
	size_t len;

	record_key(rec, &key, &len);
	memmove(rec->bytes, key, len);
	rec->len = (uint16_t)len;
	rec->flags |= REC_TOMBSTONE;
}
