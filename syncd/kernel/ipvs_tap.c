// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_tap.h. The thread's messages do not loop back to this box's sockets: what the interface
 * sends is read by a packet socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "syncd/kernel/ipvs_daemon.h"
#include "syncd/kernel/ipvs_tap.h"

enum {
	/*
	 * A message holds one IPv4 record: what is complete is sent within 20 ms of the next, while
	 * an unfilled one waits for 2 to 3 s (IPVS_SYNC_FLUSH_TIME).
	 */
	MESSAGE_BYTES = 44,
	PACKET_MAX = 65536,
	VALUE_MAX = 32,
	NOTE_MAX = 256,
};

/* The thread is to tell of a connection as soon as it is established, and again while it lives. */
static const struct {
	const char *name, *value;
} settings[] = {
	{"sync_version", "1"},	       {"sync_threshold", "0\t0"},
	{"sync_refresh_period", "10"}, /* IPVS_TAP_REFRESH_S */
	{"sync_retries", "0"},	       {"sync_persist_mode", "0"},
};
enum { SETTINGS = sizeof(settings) / sizeof(settings[0]) };

struct ipvs_tap {
	struct ipvs_daemon daemon;
	int socket;
	char before[SETTINGS][VALUE_MAX]; /* "": not changed */
	uint8_t packet[PACKET_MAX];
};

/* ---- settings -------------------------------------------------------------------------------- */

static int open_setting(const char *name, int flags)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/vs/%s", name);
	return open(path, flags | O_CLOEXEC);
}

static int read_setting(const char *name, char value[VALUE_MAX])
{
	int fd = open_setting(name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, value, VALUE_MAX - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	value[n] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return 0;
}

static int write_setting(const char *name, const char *value)
{
	int fd = open_setting(name, O_WRONLY);
	ssize_t n;
	int err;

	if (fd < 0)
		return -errno;
	n = write(fd, value, strlen(value));
	err = n < 0 ? -errno : 0;
	close(fd);
	return err;
}

/* "sync_version=1;sync_threshold=3\t50;": as they were before the first of us. */
static void read_note(struct ipvs_tap *t, const char *note)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		const char *at = strstr(note, settings[i].name);
		size_t len;

		if (!at || at[strlen(settings[i].name)] != '=')
			continue;
		at += strlen(settings[i].name) + 1;
		len = strcspn(at, ";");
		if (len == 0 || len >= VALUE_MAX)
			continue;
		memcpy(t->before[i], at, len);
		t->before[i][len] = '\0';
	}
}

static int note_settings(struct ipvs_tap *t)
{
	char note[NOTE_MAX];
	size_t len = 0;
	int err;

	err = ipvs_daemon_note(&t->daemon, note, sizeof(note));
	if (err)
		return err;
	read_note(t, note);
	for (size_t i = 0; i < SETTINGS && err == 0; i++) {
		if (!t->before[i][0])
			err = read_setting(settings[i].name, t->before[i]);
		len += (size_t)snprintf(note + len, sizeof(note) - len, "%s=%s;", settings[i].name,
					t->before[i]);
	}
	return err ? err : ipvs_daemon_set_note(&t->daemon, note);
}

static int change_settings(struct ipvs_tap *t)
{
	int err = note_settings(t);

	for (size_t i = 0; i < SETTINGS && err == 0; i++)
		err = write_setting(settings[i].name, settings[i].value);
	return err;
}

static void restore_settings(const struct ipvs_tap *t)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (t->before[i][0])
			(void)write_setting(settings[i].name, t->before[i]);
}

/* ---- hearing --------------------------------------------------------------------------------- */

/* What the interface sends is shown to sockets of all protocols only. */
static int open_socket(struct ipvs_tap *t, size_t rcvbuf_bytes)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = t->daemon.ifindex,
	};
	int bytes = rcvbuf_bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)rcvbuf_bytes;

	/* Of no protocol until it is bound, or it would hear all interfaces meanwhile. */
	t->socket = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->socket < 0)
		return -errno;
	if (setsockopt(t->socket, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(t->socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return bind(t->socket, (const struct sockaddr *)&at, sizeof(at)) < 0 ? -errno : 0;
}

/* The sync message in an IPv4 packet; NULL where it holds none. */
static const uint8_t *find_message(const uint8_t *packet, size_t len, size_t *message_len)
{
	size_t head = len ? 4u * (packet[0] & 15) : 0;
	uint16_t port;

	if (len < 20 || packet[0] >> 4 != 4 || head < 20 || packet[9] != IPPROTO_UDP ||
	    len < head + 8)
		return NULL;
	memcpy(&port, packet + head + 2, sizeof(port));
	if (ntohs(port) != IPVS_SYNC_PORT)
		return NULL;
	*message_len = len - head - 8;
	return packet + head + 8;
}

static bool has_lost(const struct ipvs_tap *t)
{
	struct tpacket_stats stats = {0};
	socklen_t len = sizeof(stats);

	/* Counts since it was last asked. */
	return getsockopt(t->socket, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0 &&
	       stats.tp_drops > 0;
}

int ipvs_tap_poll(struct ipvs_tap *t, unsigned budget, ipvs_sync_fn *fn, void *ctx, bool *overrun)
{
	unsigned done = 0;

	while (done < budget) {
		ssize_t n = recv(t->socket, t->packet, sizeof(t->packet), 0);
		const uint8_t *message;
		size_t len;
		int records;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		message = find_message(t->packet, (size_t)n, &len);
		records = message ? ipvs_sync_read(message, len, IPVS_DAEMON_ID, fn, ctx) : 0;
		done += records > 0 ? (unsigned)records : 1;
	}
	*overrun = done && has_lost(t);
	return (int)done;
}

/* ---- opening --------------------------------------------------------------------------------- */

int ipvs_tap_fd(const struct ipvs_tap *t)
{
	return t->socket;
}

void ipvs_tap_close(struct ipvs_tap *t)
{
	if (!t)
		return;
	if (t->socket >= 0)
		close(t->socket);
	restore_settings(t);
	ipvs_daemon_stop(&t->daemon);
	free(t);
}

int ipvs_tap_open(size_t rcvbuf_bytes, struct ipvs_tap **out)
{
	struct ipvs_tap *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->socket = -1;
	err = ipvs_daemon_start(&t->daemon, IPVS_DAEMON_MASTER, MESSAGE_BYTES);
	if (err == 0)
		err = open_socket(t, rcvbuf_bytes);
	if (err == 0)
		err = change_settings(t);
	if (err) {
		ipvs_tap_close(t);
		return err;
	}
	*out = t;
	return 0;
}
