/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the UDP payload of a captured packet, whatever it is. */
#ifndef REPLAY_PACKET_H
#define REPLAY_PACKET_H

#include <stddef.h>
#include <stdint.h>

/*
 * linktype as in pcap-linktype(7): Ethernet with or without VLANs, Linux cooked, raw IP. Returns
 * the payload's length with *payload pointing into the packet; 0 where there is none, or where it
 * is cut or a fragment.
 */
size_t packet_payload(int linktype, const uint8_t *packet, size_t len, const uint8_t **payload);

#endif
