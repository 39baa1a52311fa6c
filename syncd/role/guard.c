// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guard's table by libnftables: in this process, so that it needs no program, no child and no
 * right but CAP_NET_ADMIN when it matters. One batch each time: the kernel takes all of it or
 * nothing.
 */
#include "syncd/role/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_NAME_MAX = NODE_NAME_MAX + 16, ERROR_TEXT_MAX = 256 };

struct guard {
	struct nft_ctx *nft;
	char table[TABLE_NAME_MAX];
	const char *flags; /* of the table, as nftables takes them */
	size_t raised;
	uint32_t group[GROUPS_MAX];
	enum guard_level level[GROUPS_MAX];
	char error[ERROR_TEXT_MAX];
};

static void keep_error(struct guard *g)
{
	const char *text = nft_ctx_get_error_buffer(g->nft);
	size_t n = text != NULL ? strcspn(text, "\n") : 0;

	if (n >= sizeof(g->error))
		n = sizeof(g->error) - 1;
	if (n > 0)
		memcpy(g->error, text, n);
	g->error[n] = '\0';
}

static int run(struct guard *g, const char *commands)
{
	errno = 0;
	if (nft_run_cmd_from_buffer(g->nft, commands) == 0)
		return 0;
	keep_error(g);
	if (strstr(g->error, "Operation not permitted") != NULL)
		return -EPERM;
	return strstr(g->error, "not supported") != NULL ? -EOPNOTSUPP : -EIO;
}

/* "add" first, so that deleting what is not there is no error on any kernel. */
static int remove_table(struct guard *g)
{
	char text[2 * TABLE_NAME_MAX + 64];

	(void)snprintf(text, sizeof(text), "add table inet %s { %s }\ndelete table inet %s\n",
		       g->table, g->flags, g->table);
	return run(g, text);
}

int guard_new(const char *node, struct guard **out)
{
	struct guard *g = calloc(1, sizeof(*g));
	int rc;

	if (g == NULL)
		return -ENOMEM;
	(void)snprintf(g->table, sizeof(g->table), "syncd_guard_%s", node);
	g->nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (g->nft == NULL) {
		free(g);
		return -ENOMEM;
	}
	(void)nft_ctx_buffer_error(g->nft);
	(void)nft_ctx_buffer_output(g->nft);
	g->flags = "";
	rc = remove_table(g);
	if (rc < 0) {
		nft_ctx_free(g->nft);
		free(g);
		return rc;
	}
	g->flags = "flags owner;";
	if (remove_table(g) < 0) { /* an old kernel */
		g->flags = "";
		g->error[0] = '\0';
	}
	*out = g;
	return 0;
}

void guard_free(struct guard *g)
{
	if (g == NULL)
		return;
	if (g->raised > 0)
		(void)remove_table(g);
	nft_ctx_free(g->nft);
	free(g);
}

const char *guard_error(const struct guard *g)
{
	return g->error;
}

/* "ip daddr { a, b/24 }"; nothing is printed and false returned without an address of the family.
 */
static bool print_addresses(const struct config_prefixes *p, uint8_t addr_len, const char *dir,
			    FILE *to)
{
	bool any = false;

	for (size_t i = 0; i < p->n; i++) {
		char host[INET6_ADDRSTRLEN];

		if (p->item[i].addr_len != addr_len)
			continue;
		(void)inet_ntop(addr_len == 4 ? AF_INET : AF_INET6, p->item[i].addr.b, host,
				sizeof(host));
		if (!any)
			(void)fprintf(to, "%s %s { ", addr_len == 4 ? "ip" : "ip6", dir);
		(void)fprintf(to, "%s%s/%u", any ? ", " : "", host, p->item[i].bits);
		any = true;
	}
	if (any)
		(void)fputs(" } ", to);
	return any;
}

static void print_ports(const struct config_ranges *r, FILE *to)
{
	if (r->n == 0)
		return;
	(void)fputs("th dport { ", to);
	for (size_t i = 0; i < r->n; i++)
		(void)fprintf(to, "%s%u-%u", i > 0 ? ", " : "", r->item[i].first, r->item[i].last);
	(void)fputs(" } ", to);
}

/*
 * A stray is either invalid (tcp_loose = 0; SCTP beyond its INIT) or, where conntrack picks up
 * connections in the middle, a "new" one that does not begin with a SYN. The last one is of
 * GUARD_ALL alone.
 */
static void print_strays(const struct config_prefixes *p, const struct config_ranges *ports,
			 const char *dir, enum guard_level level, FILE *to)
{
	static const char *const stray[] = {
		"meta l4proto tcp ct state new tcp flags & (syn | ack) != syn",
		"meta l4proto { tcp, sctp } ct state invalid",
		"meta l4proto udp ct state new",
	};
	const size_t kinds = level == GUARD_ALL ? 3 : 2;

	for (size_t f = 0; f < 2; f++)
		for (size_t s = 0; s < kinds; s++) {
			char *text = NULL;
			size_t len;
			FILE *line = open_memstream(&text, &len);

			if (line == NULL)
				return;
			if (print_addresses(p, f == 0 ? 4 : 16, dir, line)) {
				(void)fprintf(line, "%s ", stray[s]);
				print_ports(ports, line);
				(void)fflush(line);
				(void)fprintf(to, "    %scounter drop\n", text);
			}
			(void)fclose(line);
			free(text);
		}
}

/* The rules for a group, as nftables takes them. */
static void print_group(const struct guard *g, const struct config_group *group,
			enum guard_level level, FILE *to)
{
	static const struct config_ranges any_port;
	const char *table = g->table;

	(void)fprintf(to,
		      "add table inet %s { %s }\n"
		      "add chain inet %s group%u\n"
		      "delete chain inet %s group%u\n"
		      "table inet %s {\n  %s\n  chain group%u {\n"
		      "    type filter hook prerouting priority mangle; policy accept;\n",
		      table, g->flags, table, group->id, table, group->id, table, g->flags,
		      group->id);
	print_strays(&group->match, &group->ports, "daddr", level, to);
	print_strays(&group->match, &group->ports, "saddr", level, to);
	print_strays(&group->servers, &any_port, "saddr", level, to);
	(void)fputs("  }\n}\n", to);
}

static size_t find(const struct guard *g, uint32_t group)
{
	size_t i = 0;

	while (i < g->raised && g->group[i] != group)
		i++;
	return i;
}

static int raise_group(struct guard *g, const struct config_group *group, enum guard_level level)
{
	const size_t i = find(g, group->id);
	char *text = NULL;
	size_t len;
	FILE *f;
	int rc;

	if (group->match.n + group->servers.n == 0)
		return -ENODATA;
	if (i < g->raised && g->level[i] == level)
		return 0;
	f = open_memstream(&text, &len);
	if (f == NULL)
		return -ENOMEM;
	print_group(g, group, level, f);
	rc = fclose(f) == 0 ? run(g, text) : -ENOMEM;
	free(text);
	if (rc != 0)
		return rc;
	g->group[i] = group->id;
	g->level[i] = level;
	g->raised += i == g->raised;
	return 0;
}

static int lower_group(struct guard *g, const struct config_group *group)
{
	char text[TABLE_NAME_MAX + 64];
	const size_t i = find(g, group->id);
	int rc;

	if (i == g->raised)
		return 0;
	if (g->raised == 1) {
		rc = remove_table(g);
	} else {
		(void)snprintf(text, sizeof(text), "delete chain inet %s group%u\n", g->table,
			       group->id);
		rc = run(g, text);
	}
	if (rc != 0)
		return rc;
	g->raised--;
	g->group[i] = g->group[g->raised];
	g->level[i] = g->level[g->raised];
	return 0;
}

int guard_set(struct guard *g, const struct config_group *group, enum guard_level level)
{
	return level == GUARD_DOWN ? lower_group(g, group) : raise_group(g, group, level);
}
