/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A message of the kernel's sync protocol: what is read is written and read again alike. */
#include <assert.h>
#include <string.h>

#include "syncd/kernel/ipvs_sync_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(void *ctx, const struct ipvs_sync_record *r)
{
	assert(flow_equal(ctx, &r->flow));
}

static void again(void *ctx, const struct ipvs_sync_record *r)
{
	uint8_t buf[IPVS_SYNC_HEADER + IPVS_SYNC_RECORD_MAX];
	struct ipvs_sync_writer w;
	struct flow f = r->flow;

	/* Data without its engine, or the reverse, is not written. */
	if (!r->wanted || !f.key.pe_data_len != !f.ipvs.pe_name[0])
		return;
	ipvs_sync_begin(&w, buf, sizeof(buf), *(const uint8_t *)ctx);
	assert(ipvs_sync_add(&w, &f, f.ipvs.timeout_s));
	ipvs_sync_end(&w);
	assert(ipvs_sync_read(buf, w.len, *(const uint8_t *)ctx, same, &f) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t syncid = size > 1 ? data[1] : 0;

	(void)ipvs_sync_read(data, size, syncid, again, &syncid);
	return 0;
}
