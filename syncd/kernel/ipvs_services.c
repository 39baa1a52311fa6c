// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_services.h. The text is that of ip_vs_info_seq_show in net/netfilter/ipvs/ip_vs_ctl.c.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "syncd/kernel/ipvs_services.h"

enum { LINE_MAX_BYTES = 256, WORD = 64, ENDPOINT = INET6_ADDRSTRLEN + 8 };

static void lower(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

/* "CB00710A:0050" or "[2001:0db8:...]:0050" to what people write. Returns 0 or -EINVAL. */
static int endpoint_text(const char *from, char *to, size_t len)
{
	char addr[INET6_ADDRSTRLEN], inner[WORD];
	unsigned word, port;
	struct in6_addr six;
	struct in_addr four;

	if (sscanf(from, "[%63[0-9a-fA-F:]]:%x", inner, &port) == 2 &&
	    inet_pton(AF_INET6, inner, &six) == 1) {
		(void)inet_ntop(AF_INET6, &six, addr, sizeof(addr));
		(void)snprintf(to, len, "[%s]:%u", addr, port);
		return 0;
	}
	if (sscanf(from, "%8x:%x", &word, &port) != 2)
		return -EINVAL;
	four.s_addr = htonl(word);
	(void)inet_ntop(AF_INET, &four, addr, sizeof(addr));
	(void)snprintf(to, len, "%s:%u", addr, port);
	return 0;
}

/* "TCP  CB00710A:0050 rr persistent 60 FFFFFFFF", "FWM  00000007 rr " */
static int take_service(const char *line, struct ipvs_service *out)
{
	char proto[8], where[WORD], rest[WORD] = "", endpoint[ENDPOINT];

	if (sscanf(line, "%7s %63s %63[^\n]", proto, where, rest) < 2)
		return -EINVAL;
	if (strcmp(proto, "FWM") == 0) {
		(void)snprintf(out->name, sizeof(out->name), "fwmark %lu",
			       strtoul(where, NULL, 16));
	} else {
		if (endpoint_text(where, endpoint, sizeof(endpoint)) < 0)
			return -EINVAL;
		lower(proto);
		(void)snprintf(out->name, sizeof(out->name), "%s %s", proto, endpoint);
	}
	out->hash = XXH3_64bits(rest, strlen(rest));
	return 0;
}

/* "  -> 0A00000B:0050      Masq    1      0          0"; a sum, since their order is nothing */
static void take_server(const char *line, struct ipvs_service *service)
{
	char text[2 * WORD], where[WORD], method[16];
	int n;

	if (sscanf(line, " -> %63s %15s", where, method) != 2)
		return;
	n = snprintf(text, sizeof(text), "%s %s", where, method);
	service->hash += XXH3_64bits_withSeed(text, (size_t)n, 1);
}

static void end_service(const struct ipvs_service *one, struct ipvs_service *out, size_t *n,
			size_t max, uint64_t *all)
{
	if (!one->name[0])
		return;
	*all += XXH3_64bits_withSeed(one->name, strlen(one->name), one->hash);
	if (*n < max)
		out[(*n)++] = *one;
}

size_t ipvs_services_parse(const char *text, struct ipvs_service *out, size_t max, uint64_t *all)
{
	struct ipvs_service one = {0};
	char line[LINE_MAX_BYTES];
	size_t n = 0;

	*all = 0;
	while (*text) {
		size_t len = strcspn(text, "\n");
		size_t keep = len < sizeof(line) - 1 ? len : sizeof(line) - 1;

		memcpy(line, text, keep);
		line[keep] = '\0';
		text += len + (text[len] == '\n');
		if (strncmp(line, "  -> ", 5) == 0) {
			take_server(line, &one);
		} else if (strncmp(line, "TCP ", 4) == 0 || strncmp(line, "UDP ", 4) == 0 ||
			   strncmp(line, "SCTP ", 5) == 0 || strncmp(line, "FWM ", 4) == 0) {
			end_service(&one, out, &n, max, all);
			if (take_service(line, &one) < 0)
				one.name[0] = '\0';
		}
	}
	end_service(&one, out, &n, max, all);
	return n;
}

int ipvs_services_read(struct ipvs_service *out, size_t max, uint64_t *all)
{
	FILE *f = fopen("/proc/thread-self/net/ip_vs", "re");
	char *text = NULL;
	size_t size = 0;
	int n;

	*all = 0;
	if (!f)
		return -errno;
	n = getdelim(&text, &size, '\0', f) < 0 ? 0 : (int)ipvs_services_parse(text, out, max, all);
	free(text);
	(void)fclose(f);
	return n;
}

uint64_t ipvs_services_settings(void)
{
	static const char *const names[] = {
		"conntrack",  "conn_reuse_mode", "expire_nodest_conn", "expire_quiescent_template",
		"sloppy_tcp", "sloppy_sctp",	 "snat_reroute",       "pmtu_disc",
	};
	uint64_t hash = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];
		long value = -1;
		FILE *f;

		(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/vs/%s", names[i]);
		f = fopen(path, "re");
		if (f && fscanf(f, "%ld", &value) != 1)
			value = -1;
		if (f)
			(void)fclose(f);
		hash = XXH3_64bits_withSeed(&value, sizeof(value), hash + i);
	}
	return hash;
}
