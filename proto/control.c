/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes control messages. Reading is in control_read.c; both name fields by control_tags.h. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "proto/control.h"
#include "proto/control_tags.h"
#include "proto/data_range.h"
#include "proto/wire.h"

static void write_string(struct wire_writer *w, uint32_t tag, const char *s, size_t cap)
{
	wire_write_bytes(w, tag, s, strnlen(s, cap));
}

static void write_hello_group(struct wire_writer *w, const struct hello_group *g)
{
	size_t mark = wire_write_begin(w, HELLO_GROUP);

	wire_write_varint(w, GROUP_ID, g->id);
	wire_write_varint(w, GROUP_ROLE, g->role);
	wire_write_varint(w, GROUP_STATE, g->state);
	wire_write_varint(w, GROUP_TERM, g->term.number);
	wire_write_varint(w, GROUP_TERM_NODE, g->term.node);
	wire_write_varint(w, GROUP_POSITION, g->position);
	wire_write_varint(w, GROUP_READY, g->ready);
	wire_write_varint(w, GROUP_COMPLETE, g->complete);
	wire_write_i64(w, GROUP_FINGERPRINT, g->fingerprint);
	wire_write_varint(w, GROUP_FLOWS, g->flows);
	wire_write_varint(w, GROUP_FINAL, g->final_counter);
	wire_write_varint(w, GROUP_SPLIT, g->split);
	wire_write_i64(w, GROUP_DIGEST, g->digest);
	wire_write_end(w, mark);
}

static void write_echo(struct wire_writer *w, const struct hello_echo *e)
{
	size_t mark = wire_write_begin(w, HELLO_ECHO);

	wire_write_varint(w, ECHO_NODE, e->node);
	wire_write_i64(w, ECHO_SESSION, e->session);
	wire_write_varint(w, ECHO_COUNTER, e->control_counter);
	wire_write_varint(w, ECHO_HELD, e->held_us);
	wire_write_varint(w, ECHO_MAX_DATAGRAM, e->max_datagram);
	wire_write_end(w, mark);
}

static void write_item(struct wire_writer *w, const struct hello_item *i)
{
	size_t mark = wire_write_begin(w, HELLO_ITEM);

	write_string(w, ITEM_NAME, i->name, sizeof(i->name));
	wire_write_i64(w, ITEM_HASH, i->hash);
	wire_write_end(w, mark);
}

/* Packed, as proto3 packs repeated numbers. */
static void write_key_ids(struct wire_writer *w, const struct hello *h)
{
	uint8_t packed[KEYS_MAX * 3];
	uint8_t *p = packed;

	for (unsigned i = 0; i < h->keys; i++)
		p = wire_put_varint(p, h->key_id[i]);
	wire_write_bytes(w, HELLO_KEYS_PACKED, packed, (size_t)(p - packed));
}

static void write_pad(struct wire_writer *w, uint32_t len)
{
	static const uint8_t zeroes[DATAGRAM_MAX];

	if (len > sizeof(zeroes))
		w->full = true;
	else
		wire_write_bytes(w, HELLO_PAD, zeroes, len);
}

static void write_hello(struct wire_writer *w, const struct hello *h)
{
	assert(h->groups <= HELLO_GROUPS_MAX && h->keys <= KEYS_MAX && h->echoes <= NODES_MAX &&
	       h->items <= HELLO_ITEMS_MAX && h->addresses <= HELLO_ADDRESSES_MAX);
	wire_write_i64(w, HELLO_SENT, h->sent_us);
	write_string(w, HELLO_NAME, h->name, sizeof(h->name));
	wire_write_varint(w, HELLO_ENCODER, h->encoder);
	wire_write_varint(w, HELLO_PAGE, h->page);
	wire_write_varint(w, HELLO_PAGES, h->pages);
	for (unsigned i = 0; i < h->groups; i++)
		write_hello_group(w, &h->group[i]);
	wire_write_varint(w, HELLO_LAST_DATA, h->last_data);
	wire_write_varint(w, HELLO_OLDEST_DATA, h->oldest_data);
	write_key_ids(w, h);
	wire_write_i32(w, HELLO_DIGEST_KEY, h->digest_key_id);
	for (unsigned i = 0; i < h->echoes; i++)
		write_echo(w, &h->echo[i]);
	for (unsigned i = 0; i < h->items; i++)
		write_item(w, &h->item[i]);
	for (unsigned i = 0; i < h->addresses; i++)
		wire_write_bytes_always(w, HELLO_ADDRESS, h->address[i].addr.b, h->address[i].len);
	write_pad(w, h->pad);
}

static void write_status(struct wire_writer *w, const struct status *s)
{
	wire_write_varint(w, TO_NODE, s->node);
	wire_write_i64(w, TO_SESSION, s->session);
	wire_write_varint(w, STATUS_APPLIED, s->applied);
	wire_write_varint(w, STATUS_INSTALLED, s->installed);
	wire_write_varint(w, STATUS_WINDOW, s->window);
}

static void write_nak(struct wire_writer *w, const struct nak *n)
{
	assert(n->n <= NAK_RANGES_MAX);
	wire_write_varint(w, TO_NODE, n->node);
	wire_write_i64(w, TO_SESSION, n->session);
	for (uint32_t i = 0; i < n->n; i++) {
		size_t mark = wire_write_begin(w, NAK_MISSING);

		wire_write_varint(w, COUNTERS_FIRST, n->missing[i].first);
		wire_write_varint(w, COUNTERS_COUNT, n->missing[i].count);
		wire_write_end(w, mark);
	}
}

static void write_repair(struct wire_writer *w, const struct repair_request *r)
{
	assert(r->n <= REPAIR_RANGES_MAX);
	wire_write_varint(w, TO_NODE, r->node);
	wire_write_i64(w, TO_SESSION, r->session);
	wire_write_varint(w, TO_GROUP, r->group);
	wire_write_varint(w, REPAIR_WHY, r->why);
	for (uint32_t i = 0; i < r->n; i++) {
		size_t mark = wire_write_begin(w, REPAIR_RANGE);

		data_write_range(w, ASKED_RANGE, r->range[i].range);
		wire_write_varint(w, ASKED_FLOWS, r->range[i].flows);
		wire_write_end(w, mark);
	}
}

static void write_offer(struct wire_writer *w, const struct offer *o)
{
	assert(o->n <= OFFER_PUTS_MAX);
	wire_write_varint(w, TO_NODE, o->node);
	wire_write_i64(w, TO_SESSION, o->session);
	wire_write_varint(w, TO_GROUP, o->group);
	for (uint32_t i = 0; i < o->n; i++)
		wire_write_bytes_always(w, OFFER_PUT, o->put[i].flow, o->put[i].len);
}

int control_write(const struct control *c, uint8_t *buf, size_t cap)
{
	struct wire_writer w = {.buf = buf, .cap = cap};
	size_t mark = wire_write_begin(&w, WIRE_TAG(c->kind, WIRE_LEN));

	switch ((enum control_kind)c->kind) {
	case CONTROL_HELLO:
		write_hello(&w, &c->hello);
		break;
	case CONTROL_STATUS:
		write_status(&w, &c->status);
		break;
	case CONTROL_NAK:
		write_nak(&w, &c->nak);
		break;
	case CONTROL_REPAIR:
		write_repair(&w, &c->repair);
		break;
	case CONTROL_OFFER:
		write_offer(&w, &c->offer);
		break;
	}
	wire_write_end(&w, mark);
	return w.full ? -EMSGSIZE : (int)w.len;
}
