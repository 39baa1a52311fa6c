// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_arrival.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "syncd/kernel/ipvs_arrival.h"

enum { TEXT_MAX = 65536 }; /* some 400 sockets */

/* 224.0.0.81:8848, the address as the kernel prints its memory (%08X of a be32) */
static const char *group_text(void)
{
	const uint8_t bytes[4] = {224, 0, 0, 81};
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word == 0x510000e0 ? "510000E0:2290" : "E0000051:2290";
}

void ipvs_arrival_parse_udp(const char *text, struct ipvs_arrival *out)
{
	const char *line = strstr(text, group_text());
	unsigned long long waiting, dropped;

	out->there = false;
	/* local remote st tx_queue:rx_queue tr:tm retrnsmt uid timeout inode ref pointer drops */
	if (!line || sscanf(line, "%*s %*s %*s %*x:%llx %*s %*s %*s %*s %*s %*s %*s %llu", &waiting,
			    &dropped) != 2)
		return;
	out->there = true;
	out->waiting = waiting;
	out->dropped = dropped;
}

int ipvs_arrival_parse_snmp(const char *text, uint64_t *taken)
{
	const char *names = strstr(text, "\nUdp: "), *values;
	unsigned long long first;

	values = names ? strstr(names + 1, "\nUdp: ") : NULL;
	/* InDatagrams is the first since the file exists. */
	if (!values || strncmp(names + 6, "InDatagrams ", 12) != 0 ||
	    sscanf(values + 6, "%llu", &first) != 1)
		return -EBADMSG;
	*taken = first;
	return 0;
}

static int read_text(const char *path, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	while (len < TEXT_MAX - 1 && (n = read(fd, text + len, TEXT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

int ipvs_arrival_read(struct ipvs_arrival *out)
{
	static _Thread_local char text[TEXT_MAX];
	int err = read_text("/proc/thread-self/net/udp", text);

	memset(out, 0, sizeof(*out));
	if (err)
		return err;
	ipvs_arrival_parse_udp(text, out);
	err = read_text("/proc/thread-self/net/snmp", text);
	return err ? err : ipvs_arrival_parse_snmp(text, &out->taken);
}
