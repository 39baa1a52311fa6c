// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a later version of the encoder may do, laid over today's by the linker (--wrap, tests.mk)
 * for syncd-next, a daemon that only tests start: a higher version, and fields that today's reader
 * does not know on each flow, each data and each control message.
 */
#include <errno.h>
#include <string.h>

#include "proto/control.h"
#include "proto/data.h"
#include "proto/flow_codec.h"
#include "syncd/engine.h"

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
uint32_t __wrap_engine_encoder(void);
int __real_flow_encode(const struct flow *f, uint8_t *buf);
int __wrap_flow_encode(const struct flow *f, uint8_t *buf);
void __real_data_begin(struct data_writer *w, uint8_t *buf, size_t cap, uint64_t sent_us,
		       uint32_t group, uint64_t term);
void __wrap_data_begin(struct data_writer *w, uint8_t *buf, size_t cap, uint64_t sent_us,
		       uint32_t group, uint64_t term);
int __real_control_write(const struct control *c, uint8_t *buf, size_t cap);
int __wrap_control_write(const struct control *c, uint8_t *buf, size_t cap);

/* Field 1000, a varint, and field 1001, four bytes; at is where their values may differ. */
static const uint8_t unknown[] = {0xc0, 0x3e, 0x01, 0xca, 0x3e, 0x04, 'n', 'e', 'x', 't'};
enum { VALUE_AT = 2 };

static size_t add(uint8_t *at, uint8_t value)
{
	memcpy(at, unknown, sizeof(unknown));
	at[VALUE_AT] = value & 0x7f;
	return sizeof(unknown);
}

uint32_t __wrap_engine_encoder(void)
{
	return 2;
}

int __wrap_flow_encode(const struct flow *f, uint8_t *buf)
{
	int n = __real_flow_encode(f, buf);

	if (n < 0)
		return n;
	if ((size_t)n + sizeof(unknown) > FLOW_MAX)
		return -EMSGSIZE;
	return n + (int)add(buf + n, (uint8_t)(f->key.sport | 1));
}

/* NOLINTNEXTLINE(readability-function-size): as what it wraps */
void __wrap_data_begin(struct data_writer *w, uint8_t *buf, size_t cap, uint64_t sent_us,
		       uint32_t group, uint64_t term)
{
	__real_data_begin(w, buf, cap, sent_us, group, term);
	if (w->cap - w->len > sizeof(unknown))
		w->len += add(w->buf + w->len, 1);
}

int __wrap_control_write(const struct control *c, uint8_t *buf, size_t cap)
{
	int n = __real_control_write(c, buf, cap);

	if (n < 0 || (size_t)n + sizeof(unknown) > cap)
		return n;
	return n + (int)add(buf + n, 1);
}
/* NOLINTEND(bugprone-reserved-identifier) */
