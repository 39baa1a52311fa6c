// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "syncd/kernel/ipvs.h"
#include "syncd/kernel/ipvs_bpf_source.h"
#include "syncd/kernel/ipvs_nl.h"
#include "syncd/kernel/ipvs_sync_sink.h"
#include "syncd/kernel/ipvs_sync_source.h"

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

static int refuse(struct ipvs_edge *out, int err, const char *what)
{
	(void)snprintf(out->why, sizeof(out->why), "%s", what);
	return err;
}

/* Both or neither. */
static int close_half(struct ipvs_edge *out, int err, const char *what)
{
	if (out->sink)
		out->sink->ops->free(out->sink);
	out->sink = NULL;
	return refuse(out, err, what);
}

static int open_netlink(const struct ipvs_config *c, const struct source_events *to_source,
			const struct sink_events *to_sink, struct ipvs_edge *out)
{
	int err = ipvs_nl_sink_open(c->lease_s, to_sink, &out->sink);

	if (err == 0)
		err = ipvs_nl_source_open(ipvs_nl_sink_portid(out->sink), c->rcvbuf_bytes,
					  to_source, &out->source);
	if (err == -EOPNOTSUPP)
		return close_half(out, err,
				  "its ip_vs has no connection API: install kpatch/, or choose "
				  "another backend");
	return err ? close_half(out, err, "opening the connection API failed") : 0;
}

static int open_sync_sink(const struct ipvs_config *c, const struct sink_events *to_sink,
			  struct ipvs_edge *out)
{
	int err = ipvs_sync_sink_open(c->lease_s, to_sink, &out->sink);

	if (err == -EBUSY)
		return refuse(out, err,
			      "the kernel's backup sync thread works for another program: take "
			      "lvs_sync_daemon out of keepalived's configuration");
	if (err == -EOPNOTSUPP)
		return refuse(out, err, "this kernel has no dummy interfaces: modprobe dummy");
	return err ? refuse(out, err, "starting the kernel's backup sync thread failed") : 0;
}

static int open_bpf(const struct ipvs_config *c, const struct source_events *to_source,
		    const struct sink_events *to_sink, struct ipvs_edge *out)
{
	const char *step;
	int err = open_sync_sink(c, to_sink, out);

	if (err)
		return err;
	err = ipvs_bpf_source_open(to_source, &out->source, &step);
	if (err)
		return close_half(out, err, step);
	out->limits = "a connection's link to its template, servers of another family and changed "
		      "templates are not carried";
	return 0;
}

static int open_kernel_sync(const struct ipvs_config *c, const struct source_events *to_source,
			    const struct sink_events *to_sink, struct ipvs_edge *out)
{
	int err = open_sync_sink(c, to_sink, out);

	if (err)
		return err;
	err = ipvs_sync_source_open(c->rcvbuf_bytes, to_source, &out->source);
	if (err == -EBUSY)
		return close_half(out, err,
				  "the kernel's master sync thread works for another program: take "
				  "lvs_sync_daemon out of keepalived's configuration");
	if (err == -EPERM)
		return close_half(out, err, "CAP_NET_RAW is missing");
	if (err)
		return close_half(out, err, "tapping the kernel's master sync thread failed");
	ipvs_sync_sink_watch(out->sink, ipvs_sync_source_on_done, out->source);
	out->limits =
		"a connection may be told 3 s late, its end by minutes in a large table; links "
		"to templates, servers of another family and changed templates are not carried";
	return 0;
}

static int open_best(const struct ipvs_config *c, const struct ipvs_genl *genl,
		     const struct source_events *to_source, const struct sink_events *to_sink,
		     struct ipvs_edge *out)
{
	char why[IPVS_WHY_MAX];
	int err;

	if (genl->group_del)
		return open_netlink(c, to_source, to_sink, out);
	err = open_bpf(c, to_source, to_sink, out);
	if (err == 0 || err == -EBUSY)
		return err;
	(void)snprintf(why, sizeof(why), "not bpf: %.200s: %s", out->why, strerror(-err));
	err = open_kernel_sync(c, to_source, to_sink, out);
	return err ? err : refuse(out, 0, why);
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
	switch (c->backend) {
	case IPVS_AUTO:
		return open_best(c, &genl, to_source, to_sink, out);
	case IPVS_NETLINK:
		return open_netlink(c, to_source, to_sink, out);
	case IPVS_BPF:
		return open_bpf(c, to_source, to_sink, out);
	case IPVS_KERNEL_SYNC:
		return open_kernel_sync(c, to_source, to_sink, out);
	}
	return refuse(out, -EINVAL, "no such backend");
}
