/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The conntrack source: events and dumps of the present namespace's kernel. See kernel.h. */
#ifndef SYNCD_KERNEL_CT_SOURCE_H
#define SYNCD_KERNEL_CT_SOURCE_H

#include "syncd/kernel/ct_filter.h"
#include "syncd/kernel/kernel.h"

struct ct_source_stats {
	uint64_t events;	/* read from the event socket */
	uint64_t own;		/* of them caused by our sink */
	uint64_t left_out;	/* by protocol or address */
	uint64_t unripe;	/* not yet as far as configured (most never leave the kernel) */
	uint64_t malformed;	/* named no flow */
	uint64_t overruns;	/* times that the kernel lost events for want of buffer */
	uint64_t dumps;		/* dumps ended, however */
	uint64_t dump_records;	/* records read from dumps */
	uint64_t asked;		/* flows read in full because events had told too little */
	uint64_t rcvbuf_bytes;	/* of the event socket, now */
	uint64_t kernel_filter; /* 1: the kernel took ours */
	uint64_t busy_turns;	/* polls while polling instead of waiting */
};

/*
 * Opens it, hearing nothing yet. own_portid is that of the sink (ct_sink_portid; 0: none): changes
 * made by it are not reported. events is copied. Returns 0 or -errno (-EPERM: no CAP_NET_ADMIN;
 * -EPROTONOSUPPORT, -EINVAL: no ctnetlink in this kernel).
 */
int ct_source_open(const struct ct_config *c, uint32_t own_portid,
		   const struct source_events *events, struct source **out);

/*
 * Lets the sink (borrowed until freed or NULL is given) know which flows the kernel lost. Without,
 * a put after a loss could change what somebody else has made in its place.
 */
void ct_source_inform(struct source *s, struct sink *sink);

const struct ct_source_stats *ct_source_stats(const struct source *s);

#endif
