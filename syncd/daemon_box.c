// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is true of this box beside its flows: other programs that sync the same ones, offloaded
 * flows, and what differs from the other nodes without being configured here. Said once each time
 * that it changes, on both nodes.
 */
#include <stdio.h>
#include <string.h>

#include "syncd/base/match.h"
#include "syncd/box/drift.h"
#include "syncd/box/rivals.h"
#include "syncd/daemon.h"
#include "syncd/kernel/ipvs_daemon.h"
#include "syncd/kernel/ipvs_services.h"

enum { DRIFT_EVERY = 8 }; /* calls of daemon_watch_box */
#define FILTER_ITEM "filter"

static void say_sync_thread(enum ipvs_daemon_kind kind, const char *name)
{
	char ifname[16];
	bool ours;

	if (ipvs_daemon_look(kind, ifname, &ours) == 0 && ifname[0] && !ours)
		log_warning(
			"the kernel's IPVS sync daemon runs (%s, on %s): take lvs_sync_daemon out "
			"of keepalived's configuration, or ipvsadm --stop-daemon %s",
			name, ifname, name);
}

static void say_rivals(const struct daemon *d)
{
	pid_t conntrackd = rivals_find_conntrackd();

	if (conntrackd > 0 && d->cfg->conntrack.enabled)
		log_warning(
			"conntrackd (pid %d) syncs connections here too: they undo each other's "
			"work; stop one of them, or set install = never in every group to watch",
			(int)conntrackd);
	if (d->cfg->ipvs.backend == CONFIG_IPVS_NONE)
		return;
	say_sync_thread(IPVS_DAEMON_MASTER, "master");
	say_sync_thread(IPVS_DAEMON_BACKUP, "backup");
}

static void say_flowtables(const struct rules_found *now, const struct rules_found *before)
{
	if (now->flowtables > 0 && strcmp(now->flowtable_names, before->flowtable_names) != 0)
		log_notice(
			"flowtables (%s): offloaded connections make few events; changes of theirs "
			"are noticed by the reconcile, every reconcile_s",
			now->flowtable_names);
}

void daemon_open_box(struct daemon *d)
{
	say_rivals(d);
	if (rules_watch_new(&d->rules_watch) < 0)
		d->rules_watch = NULL; /* no nftables: nothing to compare */
	if (d->cfg->reach.interfaces.n + d->cfg->reach.gateways.n > 0) {
		int err = reach_new(&d->cfg->reach, &d->reach);

		if (err)
			log_error("reach: %s: nothing is watched", strerror(-err));
	}
}

void daemon_close_box(struct daemon *d)
{
	rules_watch_free(d->rules_watch);
	d->rules_watch = NULL;
	reach_free(d->reach);
	d->reach = NULL;
}

/*
 * As many services by name as there is room for; all of them in one item. Connections that came
 * before their service are bound to it when they are put again, which a reconcile does.
 */
static size_t add_ipvs(struct daemon *d, struct hello_item *item, size_t n)
{
	struct ipvs_service service[HELLO_ITEMS_MAX];
	uint64_t all;
	int services = ipvs_services_read(service, HELLO_ITEMS_MAX, &all);

	if (services < 0)
		return n;
	if (all != d->ipvs_services)
		engine_reconcile(d->engine, daemon_now());
	d->ipvs_services = all;
	n = drift_add(item, n, "net.ipv4.vs", ipvs_services_settings());
	n = drift_add(item, n, "ipvs services", all);
	for (int i = 0; i < services; i++)
		n = drift_add(item, n, service[i].name, service[i].hash);
	return n;
}

void daemon_tell_items(struct daemon *d)
{
	size_t n = drift_add(d->item, 0, FILTER_ITEM, config_filter_fingerprint(d->cfg));

	n = daemon_add_heirs(d, d->item, n);
	n = drift_add(d->item, n, "zones", config_zones_fingerprint(d->cfg));
	/* First, so that it is never what there is no room for. */
	if (d->cfg->top.rehearsal)
		n = drift_add(d->item, n, REHEARSAL_ITEM, 1);
	if (d->rules_known)
		n = drift_add(d->item, n, "nat rules", d->rules.nat);
	n = drift_add_settings(d->item, n);
	d->items = d->edge[FLOW_IPVS].source ? add_ipvs(d, d->item, n) : n;
	engine_set_items(d->engine, d->item, d->items);
}

/* Which group is not the same there. Each one's fingerprint has the filter in it, too. */
static size_t compare_groups(const struct daemon *d, const struct peer *p, char *text, size_t len,
			     size_t n)
{
	char name[GROUP_NAME_MAX + 32];

	for (size_t i = 0; i < d->cfg->groups; i++) {
		const struct config_group *g = &d->cfg->group[i];
		const struct hello_group *there = peer_group(p, g->id);

		if (there && there->fingerprint == config_group_fingerprint(d->cfg, g))
			continue;
		(void)snprintf(name, sizeof(name), "group %s%s", g->name,
			       there ? "" : " (not there)");
		n = drift_name(text, len, n, name);
	}
	for (size_t i = 0; i < p->groups; i++) {
		size_t k = 0;

		while (k < d->cfg->groups && d->cfg->group[k].id != p->group[i].id)
			k++;
		if (k < d->cfg->groups)
			continue;
		(void)snprintf(name, sizeof(name), "group %u (not here)", p->group[i].id);
		n = drift_name(text, len, n, name);
	}
	return n;
}

size_t daemon_drift(struct daemon *d, const struct peer *p, char *text, size_t len)
{
	const size_t n = drift_compare(d->item, d->items, p->item, p->items, text, len);
	const struct hello_item *filter = drift_find(p->item, p->items, FILTER_ITEM);

	/* Pages of a hello come one by one: what is not there may be on the next. */
	if (!filter || filter->hash != config_filter_fingerprint(d->cfg) ||
	    d->cfg->groups > HELLO_GROUPS_MAX)
		return n;
	return compare_groups(d, p, text, len, n);
}

/* The slot of a peer's last word on drift; NULL: there are more peers than nodes may be. */
static struct daemon_drift *slot_of(struct daemon *d, uint16_t node)
{
	for (size_t i = 0; i < NODES_MAX; i++)
		if (d->drift[i].node == node || d->drift[i].node == 0)
			return &d->drift[i];
	return NULL;
}

static void say_drift(struct daemon *d, const struct peer *p)
{
	struct daemon_drift *known = slot_of(d, p->node);
	char text[DRIFT_TEXT_MAX];
	const size_t n = daemon_drift(d, p, text, sizeof(text));

	if (!known || (known->node == p->node && strcmp(known->text, text) == 0) || p->items == 0)
		return;
	if (n > 0)
		log_warning("node %s differs from this one in: %s", p->name, text);
	else if (known->node == p->node)
		log_notice("node %s differs in nothing any more", p->name);
	known->node = p->node;
	memcpy(known->text, text, sizeof(text));
}

void daemon_watch_box(struct daemon *d)
{
	struct peers *peers = engine_peers(d->engine);
	struct rules_found found;

	if (d->rules_watch && rules_watch_get(d->rules_watch, &found)) {
		say_flowtables(&found, &d->rules);
		d->rules = found;
		d->rules_known = true;
		d->box_turn = 0;
		daemon_keep_label(d);
	}
	if (d->box_turn++ % DRIFT_EVERY != 0)
		return;
	daemon_tell_items(d);
	for (const struct peer *p = peers_next(peers, NULL, false); p;
	     p = peers_next(peers, p, false))
		say_drift(d, p);
}
