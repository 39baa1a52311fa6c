// SPDX-License-Identifier: GPL-2.0-or-later
/* The whole configuration against itself. Called by config.c when every option has been read. */
#include "syncd/base/config_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct check {
	struct config *c;
	const struct config_item *tree;
	int *line;
	char *err;
};

__attribute__((format(printf, 3, 4))) static int fail(const struct check *k, int line,
						      const char *fmt, ...)
{
	va_list ap;

	*k->line = line;
	va_start(ap, fmt);
	(void)vsnprintf(k->err, CONFIG_ERROR_MAX, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Where an option stands: of the n-th section of that name; the section's line where it is not
 * written, 1 without the section. option NULL: the section. */
static int line_of(const struct check *k, const char *section, size_t nth, const char *option)
{
	for (const struct config_item *it = k->tree; it != NULL; it = it->next) {
		if (strcmp(it->name, section) != 0 || nth-- > 0)
			continue;
		for (const struct config_item *o = it->child; o != NULL && option != NULL;
		     o = o->next)
			if (strcmp(o->name, option) == 0)
				return o->line;
		return it->line;
	}
	return 1;
}

static bool is_multicast(const struct config_prefix *p)
{
	return p->addr_len == 4 ? (p->addr.b[0] & 0xf0) == 0xe0 : p->addr.b[0] == 0xff;
}

static struct config_prefix default_multicast(enum config_family family)
{
	struct config_prefix p = {.addr_len = family == CONFIG_IPV6 ? 16 : 4};

	p.bits = (uint8_t)(p.addr_len * 8);
	(void)inet_pton(family == CONFIG_IPV6 ? AF_INET6 : AF_INET,
			family == CONFIG_IPV6 ? "ff02::b5:81" : "224.0.0.181", p.addr.b);
	return p;
}

static int check_link(const struct check *k, size_t i)
{
	struct config_link *l = &k->c->link[i];
	const uint8_t len = l->family == CONFIG_IPV6 ? 16 : 4;

	if (l->interface[0] == '\0' || strpbrk(l->interface, "/ \t") != NULL)
		return fail(
			k, line_of(k, "link", i, "interface"),
			"link '%s': interface '%s' is not allowed; allowed: an interface's name",
			l->name, l->interface);
	if (l->peers.n > 0 && l->group.addr_len != 0)
		return fail(k, line_of(k, "link", i, "group"),
			    "link '%s': allowed: either group (multicast) or peers (unicast)",
			    l->name);
	if (l->peers.n > NODES_MAX)
		return fail(k, line_of(k, "link", i, "peers"),
			    "link '%s': at most %d peers are allowed", l->name, NODES_MAX);
	for (size_t p = 0; p < l->peers.n; p++)
		if (l->peers.item[p].addr_len != len || l->peers.item[p].bits != len * 8 ||
		    is_multicast(&l->peers.item[p]))
			return fail(k, line_of(k, "link", i, "peers"),
				    "link '%s': peers are unicast addresses of the link's family "
				    "(%s), not prefixes",
				    l->name, len == 4 ? "ipv4" : "ipv6");
	if (l->peers.n == 0 && l->group.addr_len == 0)
		l->group = default_multicast(l->family);
	if (l->peers.n == 0 && (l->group.addr_len != len || !is_multicast(&l->group)))
		return fail(k, line_of(k, "link", i, "group"),
			    "link '%s': group is a multicast address of the link's family (%s)",
			    l->name, len == 4 ? "ipv4" : "ipv6");
	if (l->address.addr_len != 0 && l->address.addr_len != len)
		return fail(k, line_of(k, "link", i, "address"),
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

static int check_links(const struct check *k)
{
	struct config *c = k->c;
	int rc = 0;

	if (c->links == 0)
		return fail(k, 1, "there is no link; needed: link NAME { interface = ... }");
	for (size_t i = 0; i < c->links && rc == 0; i++)
		rc = check_link(k, i);
	for (size_t i = 0; i < c->sync.links.n && rc == 0; i++) {
		const int at = find_link(c, c->sync.links.item[i]);

		if (at < 0)
			return fail(k, line_of(k, "sync", 0, "links"),
				    "option 'links': there is no link '%s'; allowed: names of link "
				    "sections",
				    c->sync.links.item[i]);
		if ((size_t)at < i)
			return fail(k, line_of(k, "sync", 0, "links"),
				    "option 'links': link '%s' is given twice",
				    c->sync.links.item[i]);
		swap_link(c, i, (size_t)at);
	}
	return rc;
}

static int check_path(const struct check *k, const char *path, int line, const char *option)
{
	if (path[0] == '/' || path[0] == '\0')
		return 0;
	return fail(k, line, "option '%s': '%s' is not allowed; allowed: an absolute path", option,
		    path);
}

static int check_keys(const struct check *k)
{
	struct config *c = k->c;
	int rc = 0;

	if (c->top.insecure && c->keys > 0)
		return fail(k, line_of(k, "insecure", 0, NULL),
			    "insecure = true and keys together; allowed: one of them");
	if (!c->top.insecure && c->keys == 0)
		return fail(
			k, 1,
			"there is no key; needed: key ID { file = ... } (see syncctl genkey), or "
			"insecure = true");
	for (size_t i = 0; i < c->keys && rc == 0; i++)
		rc = check_path(k, c->key[i].file, line_of(k, "key", i, "file"), "file");
	for (size_t i = 0; i < c->keys && rc == 0 && c->sync.key != 0; i++)
		if (c->key[i].id == c->sync.key) {
			const struct config_key first = c->key[i];

			memmove(&c->key[1], &c->key[0], i * sizeof(first));
			c->key[0] = first;
			return 0;
		}
	if (rc == 0 && c->sync.key != 0)
		return fail(
			k, line_of(k, "sync", 0, "key"),
			"option 'key': there is no key %u; allowed: the number of a key section",
			c->sync.key);
	return rc;
}

static bool is_default(const struct config_group *g)
{
	return g->match.n == 0 && g->marks.n == 0 && g->ports.n == 0 && g->zones.n == 0;
}

/* Group i against those before it, in the order of the file. */
static int check_group(const struct check *k, size_t i)
{
	const struct config_group *g = &k->c->group[i];

	for (size_t n = 0; n < i; n++) {
		const struct config_group *other = &k->c->group[n];

		if (other->id == g->id)
			return fail(k, line_of(k, "group", i, "id"),
				    "group '%s': id %u is that of group '%s'; allowed: each once",
				    g->name, g->id, other->name);
		if (is_default(other) && is_default(g))
			return fail(k, line_of(k, "group", i, NULL),
				    "group '%s': groups '%s' and '%s' both match everything left; "
				    "allowed: one group without match, marks, ports and zones",
				    g->name, other->name, g->name);
		for (size_t a = 0; a < g->instances.n; a++)
			for (size_t b = 0; b < other->instances.n; b++)
				if (strcmp(g->instances.item[a], other->instances.item[b]) == 0)
					return fail(k, line_of(k, "group", i, "instances"),
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

static int check_groups(const struct check *k)
{
	struct config *c = k->c;
	int rc = 0;

	if (c->groups == 0)
		return fail(k, 1, "there is no group; needed: group NAME { id = 1 }");
	for (size_t i = 0; i < c->groups && rc == 0; i++)
		rc = check_group(k, i);
	if (rc == 0)
		qsort(c->group, c->groups, sizeof(*c->group), by_id);
	return rc;
}

static int check_paths(const struct check *k)
{
	const struct {
		const char *path, *section, *option;
	} all[] = {
		{k->c->top.runtime_dir, "runtime_dir", "runtime_dir"},
		{k->c->top.state_dir, "state_dir", "state_dir"},
		{k->c->journal.dir, "journal", "dir"},
		{k->c->keepalived.fifo, "keepalived", "fifo"},
		{k->c->hooks.state, "hooks", "state"},
		{k->c->hooks.alarm, "hooks", "alarm"},
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && rc == 0; i++)
		rc = check_path(k, all[i].path, line_of(k, all[i].section, 0, all[i].option),
				all[i].option);
	return rc;
}

static void set_directories(struct config *c)
{
	if (c->top.runtime_dir[0] == '\0')
		(void)snprintf(c->top.runtime_dir, sizeof(c->top.runtime_dir), "/run/syncd/%s",
			       c->node.name);
	if (c->top.state_dir[0] == '\0')
		(void)snprintf(c->top.state_dir, sizeof(c->top.state_dir), "/var/lib/syncd/%s",
			       c->node.name);
}

int config_check(struct config *c, const struct config_item *tree, int *line, char *err)
{
	const struct check k = {.c = c, .tree = tree, .line = line, .err = err};
	int rc;

	if (c->node.id == 0)
		return fail(&k, 1, "there is no node; needed: node NAME { id = 1 }");
	rc = check_links(&k);
	if (rc == 0)
		rc = check_keys(&k);
	if (rc == 0)
		rc = check_groups(&k);
	if (rc == 0)
		rc = check_paths(&k);
	if (rc == 0)
		set_directories(c);
	return rc;
}
