/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "proto/flow_rules.h"

bool flow_name_valid(const char *name, size_t cap)
{
	for (size_t i = 0; i < cap; i++) {
		if (!name[i])
			return true;
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	}
	return false;
}

bool flow_key_valid(const struct flow_key *k)
{
	if (k->addr_len != 4 && k->addr_len != 16)
		return false;
	if (k->kind == FLOW_CONNTRACK)
		return k->zone_dir <= FLOW_ZONE_REPLY && !k->fwmark && !k->pe_data_len;
	return k->kind == FLOW_IPVS && !k->zone && !k->zone_dir;
}

static bool conntrack_valid(const struct flow_conntrack *ct)
{
	if (ct->status & ~FLOW_STATUS_MASK || ct->dccp_role > 2)
		return false;
	if ((ct->tcp_flags[0] | ct->tcp_flags[1]) & ~FLOW_TCP_FLAGS_MASK ||
	    (ct->tcp_scale[0] | ct->tcp_scale[1]) > FLOW_TCP_SCALE_MASK)
		return false;
	if (ct->helper[0] && !flow_name_valid(ct->helper, sizeof(ct->helper)))
		return false;
	return !ct->has_master ||
	       (ct->master.kind == FLOW_CONNTRACK && flow_key_valid(&ct->master));
}

static bool ipvs_valid(const struct flow_ipvs *v)
{
	if ((v->dest_len != 4 && v->dest_len != 16) || v->flags & ~FLOW_IPVS_FLAGS_MASK)
		return false;
	if (v->pe_name[0] && !flow_name_valid(v->pe_name, sizeof(v->pe_name)))
		return false;
	return !v->has_control || (v->control.kind == FLOW_IPVS && flow_key_valid(&v->control));
}

bool flow_valid(const struct flow *f)
{
	if (!flow_key_valid(&f->key))
		return false;
	return f->key.kind == FLOW_IPVS ? ipvs_valid(&f->ipvs) : conntrack_valid(&f->ct);
}
