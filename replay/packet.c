// SPDX-License-Identifier: GPL-2.0-or-later
/* From a captured packet to its UDP payload; see packet.h. */
#include "replay/packet.h"

enum { ETHERTYPE_V4 = 0x0800, ETHERTYPE_V6 = 0x86dd, PROTO_UDP = 17 };

/* pcap-linktype(7); libpcap gives raw IP its own number. */
enum {
	LINK_ETHERNET = 1,
	LINK_RAW_BSD = 12,
	LINK_RAW = 101,
	LINK_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_SLL2 = 276,
};

static unsigned be16_at(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* Bytes before the IP header; len where there is none. */
static size_t link_len(int linktype, const uint8_t *p, size_t len)
{
	size_t at;

	switch (linktype) {
	case LINK_RAW_BSD:
	case LINK_RAW:
	case LINK_IPV4:
	case LINK_IPV6:
		return 0;
	case LINK_SLL:
		return 16;
	case LINK_SLL2:
		return 20;
	case LINK_ETHERNET:
		for (at = 12; at + 2 <= len && be16_at(p + at) != ETHERTYPE_V4 &&
			      be16_at(p + at) != ETHERTYPE_V6;
		     at += 4)
			if (be16_at(p + at) != 0x8100 && be16_at(p + at) != 0x88a8)
				return len;
		return at + 2;
	}
	return len;
}

size_t packet_payload(int linktype, const uint8_t *packet, size_t len, const uint8_t **payload)
{
	size_t at = link_len(linktype, packet, len), udp;

	if (at + 20 > len)
		return 0;
	packet += at;
	len -= at;
	if (packet[0] >> 4 == 4) {
		udp = (size_t)(packet[0] & 15) * 4;
		if (udp < 20 || packet[9] != PROTO_UDP || be16_at(packet + 6) & 0x3fff)
			return 0;
	} else {
		udp = 40;
		if (packet[0] >> 4 != 6 || len < udp || packet[6] != PROTO_UDP)
			return 0;
	}
	if (udp + 8 > len)
		return 0;
	*payload = packet + udp + 8;
	len -= udp + 8;
	udp = be16_at(packet + udp + 4);
	return udp >= 8 && udp - 8 <= len ? udp - 8 : 0;
}
