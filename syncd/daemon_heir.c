// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A handover to a node that was named. keepalived gives the address to the best priority, whoever
 * that is, so the other standbys take themselves back for as long: the active's hello names the
 * heir as an item, and the address is given up only when that has been heard and shown to
 * keepalived.
 */
#include <stdio.h>
#include <string.h>

#include "syncd/box/drift.h"
#include "syncd/daemon.h"

#define HEIR_ITEM "heir of group"
/* Some hellos, and a turn of the other's that writes its track file. */
#define GIVE_UP_US (750 * MS_US)

static void heir_item(uint32_t group, char *name)
{
	(void)snprintf(name, ITEM_NAME_MAX, HEIR_ITEM " %u", group);
}

void daemon_name_heir(struct daemon *d, struct daemon_group *g, uint16_t node, uint64_t now_us)
{
	struct peers *peers = engine_peers(d->engine);

	g->heir = node;
	g->give_up_us = now_us;
	for (const struct peer *p = peers_next(peers, NULL, false); node && p;
	     p = peers_next(peers, p, false)) {
		const struct hello_group *hg = peer_group(p, g->cfg->id);

		if (p->node != node && hg && hg->role == ROLE_STANDBY)
			g->give_up_us = now_us + GIVE_UP_US;
	}
	daemon_tell_items(d);
}

size_t daemon_add_heirs(const struct daemon *d, struct hello_item *item, size_t n)
{
	char name[ITEM_NAME_MAX];

	for (size_t i = 0; i < d->cfg->groups; i++) {
		if (!d->group[i].heir)
			continue;
		heir_item(d->group[i].cfg->id, name);
		n = drift_add(item, n, name, d->group[i].heir);
	}
	return n;
}

bool daemon_yields(const struct daemon *d, const struct engine_group_status *st)
{
	const struct peer *p = peers_by_node(engine_peers(d->engine), st->active);
	const struct hello_item *heir;
	char name[ITEM_NAME_MAX];

	if (st->role != ROLE_STANDBY || !p)
		return false;
	heir_item(st->id, name);
	heir = drift_find(p->item, p->items, name);
	return heir && heir->hash != d->cfg->node.id;
}
