// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as a netlink message of conntrack. What is read must be a flow that the filter, the
 * codec and the writer can take, and that the writer's own message repeats.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netlink.h>

#include "proto/flow_codec.h"
#include "syncd/kernel/ct_filter.h"
#include "syncd/kernel/ct_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(const struct flow *f, const uint8_t *mask)
{
	static uint8_t buf[3 * CT_MESSAGE_MAX] __attribute__((aligned(8)));
	const struct ct_write how = {.timeout_s = 1, .label_mask = mask};
	struct ct_batch b = {.buf = buf};
	struct ct_record again;

	ct_message_insert(&b, f, &how);
	assert(b.len <= CT_MESSAGE_MAX);
	assert(ct_message_parse((const void *)buf, mask, &again) == 0);
	assert(flow_key_equal(&again.flow.key, &f->key));
	b.len = 0;
	ct_message_update(&b, f, &how);
	ct_message_delete_reply(&b, f);
	assert(b.len <= 2 * CT_MESSAGE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mask[FLOW_LABELS_MAX], bytes[FLOW_MAX];
	struct ct_filter *filter;
	struct ct_config c;
	struct ct_record r;
	struct nlmsghdr *nlh;

	if (size < sizeof(*nlh))
		return 0;
	/* A copy of just that size, so that reading beyond it is seen. */
	nlh = malloc(size);
	assert(nlh != NULL);
	memcpy(nlh, data, size);
	nlh->nlmsg_len = (uint32_t)size;
	memset(mask, 0xff, sizeof(mask));
	ct_config_init(&c);
	filter = ct_filter_new(&c);
	assert(filter != NULL);
	if (ct_message_parse(nlh, mask, &r) == 0) {
		(void)ct_message_is_live(nlh, &r);
		(void)ct_message_is_new(nlh);
		(void)ct_filter_wants(filter, &r.flow);
		(void)ct_filter_ripe(filter, &r.flow, r.parts);
		(void)flow_encode(&r.flow, bytes);
		write_again(&r.flow, mask);
	}
	ct_filter_free(filter);
	free(nlh);
	return 0;
}
