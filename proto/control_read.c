/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads control messages, which come from members that hold the key but may be broken, or newer:
 * unknown fields are passed over, every bound of control.h is held. One function a message takes
 * its fields one at a time; each_field drives it.
 */
#include <errno.h>
#include <string.h>

#include "proto/control.h"
#include "proto/control_tags.h"
#include "proto/data_range.h"
#include "proto/flow_codec.h"
#include "proto/wire.h"

/* Takes one field into the message. False where it breaks a bound. */
typedef bool take_field_fn(const struct wire_field *f, void *message);

static bool each_field(const uint8_t *buf, size_t len, take_field_fn *take, void *message)
{
	struct wire_reader r = wire_reader_over(buf, len);
	struct wire_field f;
	int more;

	while ((more = wire_read_field(&r, &f)) > 0) {
		if (!take(&f, message))
			return false;
	}
	return more == 0;
}

static bool take_u8(const struct wire_field *f, unsigned limit, uint8_t *out)
{
	*out = (uint8_t)f->value;
	return f->value < limit;
}

static bool take_u16(const struct wire_field *f, uint16_t *out)
{
	*out = (uint16_t)f->value;
	return f->value <= UINT16_MAX;
}

static bool take_u32(const struct wire_field *f, uint32_t *out)
{
	*out = (uint32_t)f->value;
	return f->value <= UINT32_MAX;
}

static bool take_u64(const struct wire_field *f, uint64_t *out)
{
	*out = f->value;
	return true;
}

static bool take_bool(const struct wire_field *f, bool *out)
{
	*out = f->value != 0;
	return true;
}

static bool take_string(const struct wire_field *f, char *out, size_t cap)
{
	if (f->len >= cap)
		return false;
	for (size_t i = 0; i < f->len; i++) {
		if (f->bytes[i] < ' ' || f->bytes[i] > '~')
			return false;
	}
	memcpy(out, f->bytes, f->len);
	out[f->len] = '\0';
	return true;
}

static bool take_group_field(const struct wire_field *f, void *message)
{
	struct hello_group *g = message;

	switch (f->tag) {
	case GROUP_ID:
		return take_u32(f, &g->id);
	case GROUP_ROLE:
		return take_u8(f, ROLE_ACTIVE + 1, &g->role);
	case GROUP_STATE:
		return take_u8(f, STATES, &g->state);
	case GROUP_TERM:
		return take_u64(f, &g->term.number);
	case GROUP_TERM_NODE:
		return take_u16(f, &g->term.node);
	case GROUP_POSITION:
		return take_u64(f, &g->position);
	case GROUP_READY:
		return take_bool(f, &g->ready);
	case GROUP_COMPLETE:
		return take_bool(f, &g->complete);
	case GROUP_FINGERPRINT:
		return take_u64(f, &g->fingerprint);
	case GROUP_FLOWS:
		return take_u64(f, &g->flows);
	case GROUP_FINAL:
		return take_u64(f, &g->final_counter);
	case GROUP_SPLIT:
		return take_bool(f, &g->split);
	case GROUP_DIGEST:
		return take_u64(f, &g->digest);
	}
	return true;
}

static bool take_echo_field(const struct wire_field *f, void *message)
{
	struct hello_echo *e = message;

	switch (f->tag) {
	case ECHO_NODE:
		return take_u16(f, &e->node);
	case ECHO_SESSION:
		return take_u64(f, &e->session);
	case ECHO_COUNTER:
		return take_u64(f, &e->control_counter);
	case ECHO_HELD:
		return take_u32(f, &e->held_us);
	case ECHO_MAX_DATAGRAM:
		return take_u32(f, &e->max_datagram);
	}
	return true;
}

static bool take_item_field(const struct wire_field *f, void *message)
{
	struct hello_item *i = message;

	switch (f->tag) {
	case ITEM_NAME:
		return take_string(f, i->name, sizeof(i->name));
	case ITEM_HASH:
		return take_u64(f, &i->hash);
	}
	return true;
}

static bool add_group(const struct wire_field *f, struct hello *h)
{
	return h->groups < HELLO_GROUPS_MAX &&
	       each_field(f->bytes, f->len, take_group_field, &h->group[h->groups++]);
}

static bool add_echo(const struct wire_field *f, struct hello *h)
{
	return h->echoes < NODES_MAX &&
	       each_field(f->bytes, f->len, take_echo_field, &h->echo[h->echoes++]);
}

static bool add_item(const struct wire_field *f, struct hello *h)
{
	return h->items < HELLO_ITEMS_MAX &&
	       each_field(f->bytes, f->len, take_item_field, &h->item[h->items++]);
}

static bool add_address(const struct wire_field *f, struct hello *h)
{
	if (h->addresses == HELLO_ADDRESSES_MAX || (f->len != 4 && f->len != 16))
		return false;
	h->address[h->addresses].len = (uint8_t)f->len;
	memcpy(h->address[h->addresses++].addr.b, f->bytes, f->len);
	return true;
}

static bool add_key_id(uint64_t id, struct hello *h)
{
	if (h->keys == KEYS_MAX || id > UINT16_MAX)
		return false;
	h->key_id[h->keys++] = (uint16_t)id;
	return true;
}

static bool add_key_ids(const struct wire_field *f, struct hello *h)
{
	struct wire_reader r = wire_reader_over(f->bytes, f->len);
	uint64_t id;

	while (r.p < r.end) {
		if (!wire_read_varint(&r, &id) || !add_key_id(id, h))
			return false;
	}
	return true;
}

/* Fields that there may be several of, and padding. */
static bool take_hello_list(const struct wire_field *f, struct hello *h)
{
	switch (f->tag) {
	case HELLO_GROUP:
		return add_group(f, h);
	case HELLO_KEY:
		return add_key_id(f->value, h);
	case HELLO_KEYS_PACKED:
		return add_key_ids(f, h);
	case HELLO_ECHO:
		return add_echo(f, h);
	case HELLO_ITEM:
		return add_item(f, h);
	case HELLO_ADDRESS:
		return add_address(f, h);
	case HELLO_PAD:
		h->pad = (uint32_t)f->len;
		return f->len <= DATAGRAM_MAX;
	}
	return true;
}

static bool take_hello_field(const struct wire_field *f, void *message)
{
	struct hello *h = message;

	switch (f->tag) {
	case HELLO_SENT:
		return take_u64(f, &h->sent_us);
	case HELLO_NAME:
		return take_string(f, h->name, sizeof(h->name));
	case HELLO_ENCODER:
		return take_u32(f, &h->encoder);
	case HELLO_PAGE:
		return take_u32(f, &h->page);
	case HELLO_PAGES:
		return take_u32(f, &h->pages);
	case HELLO_LAST_DATA:
		return take_u64(f, &h->last_data);
	case HELLO_OLDEST_DATA:
		return take_u64(f, &h->oldest_data);
	case HELLO_DIGEST_KEY:
		return take_u32(f, &h->digest_key_id);
	}
	return take_hello_list(f, h);
}

static bool take_status_field(const struct wire_field *f, void *message)
{
	struct status *s = message;

	switch (f->tag) {
	case TO_NODE:
		return take_u16(f, &s->node);
	case TO_SESSION:
		return take_u64(f, &s->session);
	case STATUS_APPLIED:
		return take_u64(f, &s->applied);
	case STATUS_INSTALLED:
		return take_u64(f, &s->installed);
	case STATUS_WINDOW:
		return take_u32(f, &s->window);
	}
	return true;
}

struct counters {
	uint64_t first;
	uint32_t count;
};

static bool take_counters_field(const struct wire_field *f, void *message)
{
	struct counters *c = message;

	switch (f->tag) {
	case COUNTERS_FIRST:
		return take_u64(f, &c->first);
	case COUNTERS_COUNT:
		return take_u32(f, &c->count);
	}
	return true;
}

/* A range holds at least one counter, and none beyond the last there can be. */
static bool add_missing(const struct wire_field *f, struct nak *n)
{
	struct counters c = {0, 0};

	if (n->n == NAK_RANGES_MAX || !each_field(f->bytes, f->len, take_counters_field, &c) ||
	    !c.first || !c.count || c.first > UINT64_MAX - c.count)
		return false;
	n->missing[n->n].first = c.first;
	n->missing[n->n++].count = c.count;
	return true;
}

static bool take_nak_field(const struct wire_field *f, void *message)
{
	struct nak *n = message;

	switch (f->tag) {
	case TO_NODE:
		return take_u16(f, &n->node);
	case TO_SESSION:
		return take_u64(f, &n->session);
	case NAK_MISSING:
		return add_missing(f, n);
	}
	return true;
}

struct asked {
	struct hash_range range;
	bool has_range, flows;
};

static bool take_asked_field(const struct wire_field *f, void *message)
{
	struct asked *a = message;

	switch (f->tag) {
	case ASKED_RANGE:
		a->has_range = true;
		return data_read_range(f->bytes, f->len, &a->range);
	case ASKED_FLOWS:
		return take_bool(f, &a->flows);
	}
	return true;
}

static bool add_range(const struct wire_field *f, struct repair_request *r)
{
	struct asked a = {.has_range = false};

	if (r->n == REPAIR_RANGES_MAX || !each_field(f->bytes, f->len, take_asked_field, &a) ||
	    !a.has_range)
		return false;
	r->range[r->n].range = a.range;
	r->range[r->n++].flows = a.flows;
	return true;
}

static bool take_repair_field(const struct wire_field *f, void *message)
{
	struct repair_request *r = message;

	switch (f->tag) {
	case TO_NODE:
		return take_u16(f, &r->node);
	case TO_SESSION:
		return take_u64(f, &r->session);
	case TO_GROUP:
		return take_u32(f, &r->group);
	case REPAIR_WHY:
		return take_u8(f, REPAIR_WHYS, &r->why);
	case REPAIR_RANGE:
		return add_range(f, r);
	}
	return true;
}

static bool add_put(const struct wire_field *f, struct offer *o)
{
	const uint8_t *key;
	size_t key_len;

	if (o->n == OFFER_PUTS_MAX || f->len > FLOW_MAX ||
	    flow_key_slice(f->bytes, f->len, &key, &key_len))
		return false;
	o->put[o->n].flow = f->bytes;
	o->put[o->n++].len = (uint32_t)f->len;
	return true;
}

static bool take_offer_field(const struct wire_field *f, void *message)
{
	struct offer *o = message;

	switch (f->tag) {
	case TO_NODE:
		return take_u16(f, &o->node);
	case TO_SESSION:
		return take_u64(f, &o->session);
	case TO_GROUP:
		return take_u32(f, &o->group);
	case OFFER_PUT:
		return add_put(f, o);
	}
	return true;
}

static bool read_message(const struct wire_field *f, enum control_kind kind, struct control *c)
{
	switch (kind) {
	case CONTROL_HELLO:
		return each_field(f->bytes, f->len, take_hello_field, &c->hello);
	case CONTROL_STATUS:
		return each_field(f->bytes, f->len, take_status_field, &c->status);
	case CONTROL_NAK:
		return each_field(f->bytes, f->len, take_nak_field, &c->nak);
	case CONTROL_REPAIR:
		return each_field(f->bytes, f->len, take_repair_field, &c->repair);
	case CONTROL_OFFER:
		return each_field(f->bytes, f->len, take_offer_field, &c->offer);
	}
	return false;
}

/* Finds the one message; what else there may be is of a newer version. */
static bool find_message(const uint8_t *buf, size_t len, struct wire_field *out)
{
	struct wire_reader r = wire_reader_over(buf, len);
	struct wire_field f;
	unsigned found = 0;
	int more;

	while ((more = wire_read_field(&r, &f)) > 0) {
		if ((f.tag & 7) != WIRE_LEN || f.tag >> 3 > CONTROL_OFFER)
			continue;
		*out = f;
		found++;
	}
	return more == 0 && found == 1;
}

int control_read(const uint8_t *buf, size_t len, struct control *out)
{
	struct wire_field f = {0};
	uint8_t kind;

	if (!find_message(buf, len, &f))
		return -EBADMSG;
	kind = (uint8_t)(f.tag >> 3);
	memset(out, 0, sizeof(*out));
	out->kind = kind;
	return read_message(&f, (enum control_kind)kind, out) ? 0 : -EBADMSG;
}
