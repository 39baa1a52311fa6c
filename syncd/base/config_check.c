// SPDX-License-Identifier: GPL-2.0-or-later
/* The whole configuration against itself. Called by config.c when every option has been read. */
#include "syncd/base/config_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/base/config_tree.h"

/* Where an option stands: of the n-th section of that name, NULL the top level; 1 without the
 * section. */
static int line_of(const struct config *c, const char *section, size_t nth, const char *option)
{
	cfg_t *root = c->tree->root;
	cfg_t *in = section != NULL ? cfg_getnsec(root, section, (unsigned)nth) : root;

	return in != NULL ? config_tree_line(in, option) : 1;
}

/* What holds without being written, for config_print. */
static void set_implied(cfg_t *in, const char *option, const char *text)
{
	(void)cfg_setopt(in, cfg_getopt(in, option), text);
}

static bool is_multicast(const struct config_prefix *p)
{
	return p->addr_len == 4 ? (p->addr.b[0] & 0xf0) == 0xe0 : p->addr.b[0] == 0xff;
}

static void set_multicast(struct config *c, size_t i)
{
	struct config_link *l = &c->link[i];
	const bool v6 = l->family == CONFIG_IPV6;
	const char *text = v6 ? "ff02::b5:81" : "224.0.0.181";

	l->group = (struct config_prefix){.addr_len = v6 ? 16 : 4, .bits = v6 ? 128 : 32};
	(void)inet_pton(v6 ? AF_INET6 : AF_INET, text, l->group.addr.b);
	set_implied(cfg_getnsec(c->tree->root, "link", (unsigned)i), "group", text);
}

static int check_link(struct config *c, size_t i)
{
	struct config_link *l = &c->link[i];
	const uint8_t len = l->family == CONFIG_IPV6 ? 16 : 4;

	if (l->interface[0] == '\0' || strpbrk(l->interface, "/ \t") != NULL)
		return config_fail(
			c->tree, line_of(c, "link", i, "interface"),
			"link '%s': interface '%s' is not allowed; allowed: an interface's name",
			l->name, l->interface);
	if (l->peers.n > 0 && l->group.addr_len != 0)
		return config_fail(
			c->tree, line_of(c, "link", i, "group"),
			"link '%s': allowed: either group (multicast) or peers (unicast)", l->name);
	if (l->peers.n > NODES_MAX)
		return config_fail(c->tree, line_of(c, "link", i, "peers"),
				   "link '%s': at most %d peers are allowed", l->name, NODES_MAX);
	for (size_t p = 0; p < l->peers.n; p++)
		if (l->peers.item[p].addr_len != len || l->peers.item[p].bits != len * 8 ||
		    is_multicast(&l->peers.item[p]))
			return config_fail(
				c->tree, line_of(c, "link", i, "peers"),
				"link '%s': peers are unicast addresses of the link's family "
				"(%s), not prefixes",
				l->name, len == 4 ? "ipv4" : "ipv6");
	if (l->peers.n == 0 && l->group.addr_len == 0)
		set_multicast(c, i);
	if (l->peers.n == 0 && (l->group.addr_len != len || !is_multicast(&l->group)))
		return config_fail(
			c->tree, line_of(c, "link", i, "group"),
			"link '%s': group is a multicast address of the link's family (%s)",
			l->name, len == 4 ? "ipv4" : "ipv6");
	if (l->address.addr_len != 0 && l->address.addr_len != len)
		return config_fail(c->tree, line_of(c, "link", i, "address"),
				   "link '%s': address is one of the link's family (%s)", l->name,
				   len == 4 ? "ipv4" : "ipv6");
	return 0;
}

static int find_link(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->links; i++)
		if (strcmp(c->link[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

static void swap_link(struct config *c, size_t a, size_t b)
{
	const struct config_link kept = c->link[a];

	c->link[a] = c->link[b];
	c->link[b] = kept;
}

static int check_links(struct config *c)
{
	int rc = 0;

	if (c->links == 0)
		return config_fail(c->tree, 1,
				   "there is no link; needed: link NAME { interface = ... }");
	for (size_t i = 0; i < c->links && rc == 0; i++)
		rc = check_link(c, i);
	for (size_t i = 0; i < c->sync.links.n && rc == 0; i++) {
		const int at = find_link(c, c->sync.links.item[i]);

		if (at < 0)
			return config_fail(
				c->tree, line_of(c, "sync", 0, "links"),
				"option 'links': there is no link '%s'; allowed: names of link "
				"sections",
				c->sync.links.item[i]);
		if ((size_t)at < i)
			return config_fail(c->tree, line_of(c, "sync", 0, "links"),
					   "option 'links': link '%s' is given twice",
					   c->sync.links.item[i]);
		swap_link(c, i, (size_t)at);
	}
	return rc;
}

static int check_path(struct config *c, const char *path, int line, const char *option)
{
	if (path[0] == '/' || path[0] == '\0')
		return 0;
	return config_fail(c->tree, line,
			   "option '%s': '%s' is not allowed; allowed: an absolute path", option,
			   path);
}

static int check_keys(struct config *c)
{
	int rc = 0;

	if (c->top.insecure && c->keys > 0)
		return config_fail(c->tree, line_of(c, NULL, 0, "insecure"),
				   "insecure = true and keys together; allowed: one of them");
	if (!c->top.insecure && c->keys == 0)
		return config_fail(
			c->tree, 1,
			"there is no key; needed: key ID { file = ... } (see syncctl genkey), or "
			"insecure = true");
	for (size_t i = 0; i < c->keys && rc == 0; i++)
		rc = check_path(c, c->key[i].file, line_of(c, "key", i, "file"), "file");
	for (size_t i = 0; i < c->keys && rc == 0 && c->sync.key != 0; i++)
		if (c->key[i].id == c->sync.key) {
			const struct config_key first = c->key[i];

			memmove(&c->key[1], &c->key[0], i * sizeof(first));
			c->key[0] = first;
			return 0;
		}
	if (rc == 0 && c->sync.key != 0)
		return config_fail(
			c->tree, line_of(c, "sync", 0, "key"),
			"option 'key': there is no key %u; allowed: the number of a key section",
			c->sync.key);
	return rc;
}

static bool is_default(const struct config_group *g)
{
	return g->match.n == 0 && g->marks.n == 0 && g->ports.n == 0 && g->zones.n == 0;
}

/* Group i against those before it, in the order of the file. */
static int check_group(struct config *c, size_t i)
{
	const struct config_group *g = &c->group[i];

	for (size_t n = 0; n < i; n++) {
		const struct config_group *other = &c->group[n];

		if (other->id == g->id)
			return config_fail(
				c->tree, line_of(c, "group", i, "id"),
				"group '%s': id %u is that of group '%s'; allowed: each once",
				g->name, g->id, other->name);
		if (is_default(other) && is_default(g))
			return config_fail(
				c->tree, line_of(c, "group", i, NULL),
				"group '%s': groups '%s' and '%s' both match everything left; "
				"allowed: one group without match, marks, ports and zones",
				g->name, other->name, g->name);
		for (size_t a = 0; a < g->instances.n; a++)
			for (size_t b = 0; b < other->instances.n; b++)
				if (strcmp(g->instances.item[a], other->instances.item[b]) == 0)
					return config_fail(
						c->tree, line_of(c, "group", i, "instances"),
						"group '%s': instance '%s' decides group '%s' "
						"already; allowed: each once",
						g->name, g->instances.item[a], other->name);
	}
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct config_group *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int check_groups(struct config *c)
{
	int rc = 0;

	if (c->groups == 0)
		return config_fail(c->tree, 1, "there is no group; needed: group NAME { id = 1 }");
	for (size_t i = 0; i < c->groups && rc == 0; i++)
		rc = check_group(c, i);
	if (rc == 0)
		qsort(c->group, c->groups, sizeof(*c->group), by_id);
	return rc;
}

static int check_reach(const struct config *c)
{
	const struct config_reach *r = &c->reach;

	for (size_t i = 0; i < r->interfaces.n; i++)
		if (strlen(r->interfaces.item[i]) >= IFNAMSIZ ||
		    strpbrk(r->interfaces.item[i], "/ \t") != NULL)
			return config_fail(
				c->tree, line_of(c, "reach", 0, "interfaces"),
				"reach: interface '%s' is not allowed; allowed: an interface's "
				"name",
				r->interfaces.item[i]);
	for (size_t i = 0; i < r->gateways.n; i++)
		if (r->gateways.item[i].bits != r->gateways.item[i].addr_len * 8 ||
		    is_multicast(&r->gateways.item[i]))
			return config_fail(c->tree, line_of(c, "reach", 0, "gateways"),
					   "reach: gateways are unicast addresses, not prefixes");
	return 0;
}

static int check_paths(struct config *c)
{
	const char *tables = c->top.tables_file;
	const struct {
		const char *path, *section, *option;
	} all[] = {
		{c->top.runtime_dir, NULL, "runtime_dir"},
		{c->top.state_dir, NULL, "state_dir"},
		{strcmp(tables, "none") == 0 ? "" : tables, NULL, "tables_file"},
		{c->journal.dir, "journal", "dir"},
		{c->keepalived.fifo, "keepalived", "fifo"},
		{c->hooks.state, "hooks", "state"},
		{c->hooks.alarm, "hooks", "alarm"},
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && rc == 0; i++)
		rc = check_path(c, all[i].path, line_of(c, all[i].section, 0, all[i].option),
				all[i].option);
	return rc;
}

static int check_label(struct config *c)
{
	enum { BITS = FLOW_LABELS_MAX * 8 };
	struct config_conntrack *ct = &c->conntrack;
	const int line = line_of(c, "conntrack", 0, "label");
	char *end;
	unsigned long bit;

	ct->label_bit = -1;
	if (strcmp(ct->label, "none") == 0)
		return 0;
	bit = strtoul(ct->label, &end, 10);
	if (ct->label[0] < '0' || ct->label[0] > '9' || *end != '\0' || bit >= BITS)
		return config_fail(c->tree, line,
				   "option 'label': '%s' is not allowed; allowed: a number from 0 "
				   "to %d, or none",
				   ct->label, BITS - 1);
	if (bit / 8 < ct->label_mask.n && ct->label_mask.item[bit / 8] & (1u << bit % 8))
		return config_fail(c->tree, line,
				   "option 'label': bit %lu is carried by label_mask; allowed: a "
				   "bit that nothing else uses, or none",
				   bit);
	ct->label_bit = (int)bit;
	return 0;
}

static void set_directory(struct config *c, char *dir, const char *above, const char *option)
{
	if (dir[0] != '\0')
		return;
	(void)snprintf(dir, CONFIG_PATH_MAX, "%s/%s", above, c->node.name);
	set_implied(c->tree->root, option, dir);
}

static void set_tables_file(struct config *c)
{
	if (c->top.tables_file[0] != '\0')
		return;
	(void)snprintf(c->top.tables_file, sizeof(c->top.tables_file), "%s/tables",
		       c->top.runtime_dir);
	set_implied(c->tree->root, "tables_file", c->top.tables_file);
}

int config_check(struct config *c)
{
	int rc;

	if (c->node.id == 0)
		return config_fail(c->tree, 1, "there is no node; needed: node NAME { id = 1 }");
	rc = check_links(c);
	if (rc == 0)
		rc = check_keys(c);
	if (rc == 0)
		rc = check_groups(c);
	if (rc == 0)
		rc = check_reach(c);
	if (rc == 0)
		rc = check_label(c);
	if (rc == 0)
		rc = check_paths(c);
	if (rc < 0)
		return rc;
	set_directory(c, c->top.runtime_dir, "/run/syncd", "runtime_dir");
	set_directory(c, c->top.state_dir, "/var/lib/syncd", "state_dir");
	set_tables_file(c);
	return 0;
}
