/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sizes, limits and timeouts of the wire, in one place; what can be computed is.
 * docs/protocol.md lists them for whoever writes a second implementation.
 */
#ifndef PROTO_LIMITS_H
#define PROTO_LIMITS_H

#include <stdint.h>

#define MS_US 1000ull
#define S_US  1000000ull

enum {
	SYNC_PORT = 8849,
	SYNC_TTL = 255,

	FRAME_HEADER_LEN =
		24, /* magic 2, version 1, kind 1, key id 2, node 2, session 8, counter 8 */
	FRAME_TAG_LEN = 16,
	FRAME_OVERHEAD = FRAME_HEADER_LEN + FRAME_TAG_LEN,

	DATAGRAM_START =
		1232, /* IPv6's minimum MTU less IPv6 and UDP headers; until more is proven */
	DATAGRAM_MAX = 8952, /* jumbo frame of 9000 less IPv6 and UDP headers */

	FLOW_MAX = 900,		/* encoded flow; a larger one is refused and counted */
	FLOW_KEY_MAX = 330,	/* encoded key, of which a template's pe_data may be 255 */
	FLOW_HELPER_MAX = 16,	/* NF_CT_HELPER_NAME_LEN */
	FLOW_LABELS_MAX = 16,	/* NF_CT_LABELS_MAX_SIZE */
	FLOW_PE_NAME_MAX = 16,	/* IP_VS_PENAME_MAXLEN */
	FLOW_PE_DATA_MAX = 255, /* IP_VS_PEDATA_MAXLEN */

	NODES_MAX = 16,
	GROUPS_MAX = 256,
	GROUP_NAME_MAX = 32,
	NODE_NAME_MAX = 32,
	KEYS_MAX = 8,
	LINKS_MAX = 4,

	REORDER_MAX = 4096,  /* datagrams that a receiver keeps beyond a gap */
	RETAIN_MAX = 16384,  /* datagrams that a sender keeps to repair loss */
	NAK_RANGES_MAX = 64, /* ranges in one nak */
	REPAIR_RANGES_MAX = 64,
	REPAIR_FANOUT_BITS = 6,
	REPAIR_FANOUT = 1 << REPAIR_FANOUT_BITS, /* sub-ranges that one digests answer covers */
	REPAIR_LEAF_FLOWS = 4, /* a differing range expected to hold no more is asked for whole */
};

#define HELLO_INTERVAL_US  (100 * MS_US)
#define FRESH_US	   (2 * S_US) /* an older echo proves nothing */
#define PEER_DEAD_US	   (3 * S_US) /* nothing authenticated heard for so long: gone */
#define STATUS_INTERVAL_US (10 * MS_US)
#define NAK_FIRST_US	   (1 * MS_US)	/* upper bound of the first random backoff */
#define NAK_MAX_US	   (50 * MS_US) /* of the growing ones */
#define NAK_LINGER_US	   (1 * MS_US)	/* the same datagram is sent again once in this time */
#define CHECK_BUSY_US	   (250 * MS_US)
#define REPAIR_RETRY_US	   (200 * MS_US)
#define REPAIR_LINGER_US   (20 * MS_US) /* the same range is answered once in this time */
#define HANDOVER_TAIL_US   (1 * S_US)

#endif
