/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The conntrack sink: makes and changes flows in the present namespace's kernel. See kernel.h. */
#ifndef SYNCD_KERNEL_CT_SINK_H
#define SYNCD_KERNEL_CT_SINK_H

#include "syncd/kernel/ct_filter.h"
#include "syncd/kernel/kernel.h"

struct ct_sink_stats {
	uint64_t inserted, updated, renewed, deleted, liberal, expiry;
	uint64_t refused;   /* operations that ended with an error */
	uint64_t clashes;   /* puts that met an occupant */
	uint64_t replaced;  /* of them ended by deleting it */
	uint64_t unlabeled; /* written without labels, which no rule here uses */
	uint64_t differed;  /* puts that were read back and had other addresses or ports */
	uint64_t full;	    /* refused because the table is full */
	uint64_t no_master; /* refused because the flow's master is not there */
	uint64_t no_memory; /* refused for want of memory or room other than the table's */
	uint64_t odd;	    /* refused for any other reason, */
	int odd_err;	    /* of which the last one */
	struct flow_key odd_key;
	uint64_t lost_acks; /* batches whose answers were lost and that were sent again */
	uint64_t batches;
	uint64_t nat4, nat6; /* puts of flows with translated addresses, by family */
};

/* Opens it. events is copied. Returns 0 or -errno (as ct_source_open). */
int ct_sink_open(const struct ct_config *c, const struct sink_events *events, struct sink **out);

/* Its netlink port id: what the source must not report. */
uint32_t ct_sink_portid(const struct sink *s);

/*
 * The kernel has lost that flow (NULL: any number of them), so what is there next is another's: a
 * put will look before it changes anything. Told by the source, which see: ct_source_inform.
 */
void ct_sink_forget(struct sink *s, const struct flow_key *key);

const struct ct_sink_stats *ct_sink_stats(const struct sink *s);

#endif
