// SPDX-License-Identifier: GPL-2.0-or-later
/* Settings that should be alike. Called by daemon_box.c. */
#include "syncd/box/drift.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *path;
} settings[] = {
	{"tcp_loose", "/proc/sys/net/netfilter/nf_conntrack_tcp_loose"},
	{"tcp_be_liberal", "/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal"},
	{"ignore_invalid_rst", "/proc/sys/net/netfilter/nf_conntrack_tcp_ignore_invalid_rst"},
	{"tcp_established", "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established"},
	{"udp_timeout", "/proc/sys/net/netfilter/nf_conntrack_udp_timeout"},
	{"udp_stream", "/proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream"},
	{"conntrack_max", "/proc/sys/net/netfilter/nf_conntrack_max"},
	{"ip_forward", "/proc/sys/net/ipv4/ip_forward"},
};

size_t drift_add(struct hello_item *item, size_t n, const char *name, uint64_t hash)
{
	if (n == HELLO_ITEMS_MAX)
		return n;
	(void)snprintf(item[n].name, sizeof(item[n].name), "%s", name);
	item[n].hash = hash;
	return n + 1;
}

size_t drift_add_settings(struct hello_item *item, size_t n)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		FILE *f = fopen(settings[i].path, "re");
		uint64_t value;

		if (f == NULL)
			continue;
		if (fscanf(f, "%" SCNu64, &value) == 1)
			n = drift_add(item, n, settings[i].name, value);
		(void)fclose(f);
	}
	return n;
}

size_t drift_name(char *text, size_t len, size_t n, const char *name)
{
	const size_t at = strnlen(text, len);

	(void)snprintf(text + at, len - at, "%s%s", n > 0 ? ", " : "", name);
	return n + 1;
}

const struct hello_item *drift_find(const struct hello_item *item, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(item[i].name, name, ITEM_NAME_MAX) == 0)
			return &item[i];
	return NULL;
}

size_t drift_compare(const struct hello_item *mine, size_t n, const struct hello_item *theirs,
		     size_t m, char *text, size_t len)
{
	size_t differ = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		const struct hello_item *other = drift_find(theirs, m, mine[i].name);

		if (other != NULL && other->hash != mine[i].hash)
			differ = drift_name(text, len, differ, mine[i].name);
	}
	return differ;
}
