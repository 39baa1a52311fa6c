/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an interface carries, both ways, kept in a capture file (pcap, Ethernet). */
#ifndef TESTS_LIB_CAPTURE_H
#define TESTS_LIB_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

struct capture;

/* Listens on an interface of the present namespace. Aborts where that fails. */
struct capture *capture_open(const char *interface);

/* Frames that have come since the last call, each handed to `each` (NULL: nobody) whole. Aborts
 * where the socket could not keep them all. Returns how many. */
size_t capture_take(struct capture *c, void (*each)(void *ctx, const uint8_t *frame, size_t len),
		    void *ctx);

/* Takes what has come and writes it to a capture file. Returns how many frames. */
size_t capture_write(struct capture *c, const char *path);

void capture_close(struct capture *c);

/* The UDP payload of an Ethernet frame of IPv4 to or from a port; NULL where it is none. */
const uint8_t *capture_udp(const uint8_t *frame, size_t len, uint16_t port, size_t *payload_len);

/* Writes UDP payloads, each from 10.9.9.1 to 224.0.0.181 at the sync port, as a capture file. */
struct capture_file;
struct capture_file *capture_file_open(const char *path);
void capture_file_add(struct capture_file *f, const uint8_t *payload, size_t len);
void capture_file_close(struct capture_file *f);

#endif
