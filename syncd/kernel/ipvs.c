// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "syncd/kernel/ipvs.h"
#include "syncd/kernel/ipvs_nl.h"

enum { ASK_RCVBUF_BYTES = 1 << 16 };

static int find_ipvs(struct ipvs_genl *out)
{
	struct ct_socket s = {.fd = -1};
	int err = ipvs_genl_open(&s, ASK_RCVBUF_BYTES);

	if (err == 0)
		err = ipvs_genl_find(&s, out);
	ct_socket_close(&s);
	return err;
}

static int open_netlink(const struct ipvs_config *c, const struct source_events *to_source,
			const struct sink_events *to_sink, struct ipvs_edge *out)
{
	int err = ipvs_nl_sink_open(c->lease_s, to_sink, &out->sink);

	if (err == 0)
		err = ipvs_nl_source_open(ipvs_nl_sink_portid(out->sink), c->rcvbuf_bytes,
					  to_source, &out->source);
	if (err == 0)
		return 0;
	if (out->sink)
		out->sink->ops->free(out->sink);
	out->sink = NULL;
	return err;
}

static int refuse(struct ipvs_edge *out, int err, const char *what)
{
	(void)snprintf(out->why, sizeof(out->why), "%s", what);
	return err;
}

int ipvs_open(const struct ipvs_config *c, const struct source_events *to_source,
	      const struct sink_events *to_sink, struct ipvs_edge *out)
{
	struct ipvs_genl genl;
	int err = find_ipvs(&genl);

	memset(out, 0, sizeof(*out));
	out->limits = "";
	if (err == -ENOENT)
		return refuse(out, err, "this kernel has no IPVS loaded: modprobe ip_vs");
	if (err)
		return refuse(out, err, "asking the kernel for IPVS failed");
	if (c->backend == IPVS_NETLINK || (c->backend == IPVS_AUTO && genl.group_del)) {
		if (!genl.group_del)
			return refuse(out, -EOPNOTSUPP,
				      "its ip_vs has no connection API: install kpatch/, or choose "
				      "another backend");
		err = open_netlink(c, to_source, to_sink, out);
		return err ? refuse(out, err, "opening the connection API failed") : 0;
	}
	return refuse(out, -EOPNOTSUPP, "its ip_vs has no connection API: install kpatch/");
}
