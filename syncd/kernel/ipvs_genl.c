// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_genl.h. */
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/ip_vs_conn.h>

#include "syncd/kernel/ipvs_genl.h"
#include "syncd/kernel/ipvs_nl_message.h"

#define FAMILY_NAME "IPVS" /* IPVS_GENL_NAME of linux/ip_vs.h */

enum { ASK_TIMEOUT_MS = 2000, GROUP_NAME = 16 };

struct group {
	char name[GROUP_NAME + 1];
	uint32_t id;
};

static int take_group_part(const struct nlattr *a, void *ctx)
{
	struct group *g = ctx;

	if (mnl_attr_get_type(a) == CTRL_ATTR_MCAST_GRP_NAME &&
	    mnl_attr_get_payload_len(a) <= GROUP_NAME)
		memcpy(g->name, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
	else if (mnl_attr_get_type(a) == CTRL_ATTR_MCAST_GRP_ID)
		g->id = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

static int take_group(const struct nlattr *a, void *ctx)
{
	struct ipvs_genl *out = ctx;
	struct group g = {0};

	(void)mnl_attr_parse_nested(a, take_group_part, &g);
	if (strcmp(g.name, IPVS_CONN_GENL_MCGRP_NEW) == 0)
		out->group_new = g.id;
	else if (strcmp(g.name, IPVS_CONN_GENL_MCGRP_SET) == 0)
		out->group_set = g.id;
	else if (strcmp(g.name, IPVS_CONN_GENL_MCGRP_DEL) == 0)
		out->group_del = g.id;
	return MNL_CB_OK;
}

static int take_family(const struct nlattr *a, void *ctx)
{
	struct ipvs_genl *out = ctx;

	if (mnl_attr_get_type(a) == CTRL_ATTR_FAMILY_ID)
		out->family = mnl_attr_get_u16(a);
	else if (mnl_attr_get_type(a) == CTRL_ATTR_MCAST_GROUPS)
		(void)mnl_attr_parse_nested(a, take_group, out);
	return MNL_CB_OK;
}

static int on_family(void *ctx, const struct nlmsghdr *nlh)
{
	(void)mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_family, ctx);
	return 0;
}

int ipvs_genl_find(struct ct_socket *s, struct ipvs_genl *out)
{
	uint8_t buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = ipvs_nl_begin(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK, 1);
	int err;

	memset(out, 0, sizeof(*out));
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, FAMILY_NAME);
	err = ct_socket_ask(s, buf, nlh->nlmsg_len, ASK_TIMEOUT_MS, on_family, out);
	if (err)
		return err;
	return out->family ? 0 : -ENOENT;
}

int ipvs_genl_open(struct ct_socket *s, size_t rcvbuf_bytes)
{
	long got;
	int err = ct_socket_open(s, NETLINK_GENERIC);

	if (err)
		return err;
	got = ct_socket_set_rcvbuf(s, rcvbuf_bytes);
	return got < 0 ? (int)got : 0;
}
