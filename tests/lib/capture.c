/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See capture.h. A packet socket with room for all that a test sends between two looks. */
#include "tests/lib/capture.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/limits.h"

enum {
	ROOM_BYTES = 256 << 20,
	FRAME_MAX = 65536,
	ETH_LEN = 14,
	IP_LEN = 20,
	UDP_LEN = 8,
	PCAP_ETHERNET = 1,
};

struct capture {
	int fd;
	uint8_t frame[FRAME_MAX];
};

struct capture_file {
	FILE *f;
	uint32_t frames;
};

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

struct capture *capture_open(const char *interface)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct capture *c = malloc(sizeof(*c));
	int room = ROOM_BYTES;

	must(c != NULL, "capture");
	at.sll_ifindex = (int)if_nametoindex(interface);
	c->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	must(at.sll_ifindex > 0 && c->fd >= 0 &&
		     !setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) &&
		     !bind(c->fd, (const struct sockaddr *)&at, sizeof(at)),
	     "packet socket");
	return c;
}

void capture_close(struct capture *c)
{
	close(c->fd);
	free(c);
}

size_t capture_take(struct capture *c, void (*each)(void *ctx, const uint8_t *frame, size_t len),
		    void *ctx)
{
	struct tpacket_stats st;
	socklen_t st_len = sizeof(st);
	size_t n = 0;
	ssize_t len;

	while ((len = recv(c->fd, c->frame, sizeof(c->frame), MSG_DONTWAIT)) > 0) {
		n++;
		if (each)
			each(ctx, c->frame, (size_t)len);
	}
	must(!getsockopt(c->fd, SOL_PACKET, PACKET_STATISTICS, &st, &st_len) && st.tp_drops == 0,
	     "frames were dropped");
	return n;
}

const uint8_t *capture_udp(const uint8_t *frame, size_t len, uint16_t port, size_t *payload_len)
{
	const uint8_t *udp = frame + ETH_LEN + IP_LEN;
	size_t udp_len;

	if (len < ETH_LEN + IP_LEN + UDP_LEN || frame[12] != 0x08 || frame[13] != 0 ||
	    frame[ETH_LEN] != 0x45 || frame[ETH_LEN + 9] != IPPROTO_UDP)
		return NULL;
	udp_len = (size_t)(udp[4] << 8 | udp[5]);
	if ((udp[2] << 8 | udp[3]) != port || udp_len < UDP_LEN || udp_len > len - ETH_LEN - IP_LEN)
		return NULL;
	*payload_len = udp_len - UDP_LEN;
	return udp + UDP_LEN;
}

struct capture_file *capture_file_open(const char *path)
{
	static const uint32_t head[6] = {0xa1b2c3d4, 4u << 16 | 2, 0, 0, FRAME_MAX, PCAP_ETHERNET};
	struct capture_file *f = calloc(1, sizeof(*f));

	must(f && (f->f = fopen(path, "w")) && fwrite(head, sizeof(head), 1, f->f) == 1, path);
	return f;
}

/* A millisecond apart. */
static void add_frame(void *ctx, const uint8_t *frame, size_t len)
{
	struct capture_file *f = ctx;
	const uint32_t head[4] = {f->frames / 1000, f->frames % 1000 * 1000, (uint32_t)len,
				  (uint32_t)len};

	f->frames++;
	must(fwrite(head, sizeof(head), 1, f->f) == 1 && fwrite(frame, len, 1, f->f) == 1,
	     "capture file");
}

void capture_file_add(struct capture_file *f, const uint8_t *payload, size_t len)
{
	uint8_t frame[ETH_LEN + IP_LEN + UDP_LEN + DATAGRAM_MAX] = {[12] = 0x08,
								    [ETH_LEN] = 0x45,
								    [ETH_LEN + 8] = 255,
								    IPPROTO_UDP,
								    [ETH_LEN + 12] = 10,
								    9,
								    9,
								    1,
								    224,
								    0,
								    0,
								    181,
								    SYNC_PORT >> 8,
								    SYNC_PORT & 0xff,
								    SYNC_PORT >> 8,
								    SYNC_PORT & 0xff};
	size_t ip_len = IP_LEN + UDP_LEN + len;

	must(len <= DATAGRAM_MAX, "datagram");
	frame[ETH_LEN + 2] = (uint8_t)(ip_len >> 8);
	frame[ETH_LEN + 3] = (uint8_t)ip_len;
	frame[ETH_LEN + IP_LEN + 4] = (uint8_t)((UDP_LEN + len) >> 8);
	frame[ETH_LEN + IP_LEN + 5] = (uint8_t)(UDP_LEN + len);
	memcpy(frame + ETH_LEN + IP_LEN + UDP_LEN, payload, len);
	add_frame(f, frame, ETH_LEN + ip_len);
}

void capture_file_close(struct capture_file *f)
{
	must(fclose(f->f) == 0, "capture file");
	free(f);
}

size_t capture_write(struct capture *c, const char *path)
{
	struct capture_file *f = capture_file_open(path);
	size_t n = capture_take(c, add_frame, f);

	capture_file_close(f);
	return n;
}
