// SPDX-License-Identifier: GPL-2.0-or-later
/* See ct_timeouts.h. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/netfilter/nf_conntrack_common.h>

#include "syncd/kernel/ct_timeouts.h"

static int sysctl_open(const char *name, int flags)
{
	char path[128];
	int n = snprintf(path, sizeof(path), "/proc/sys/net/netfilter/%s", name);
	int fd;

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

long ct_sysctl_read(const char *name)
{
	char text[32] = {0};
	int fd = sysctl_open(name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n <= 0 ? -EIO : strtol(text, NULL, 10);
}

int ct_sysctl_write(const char *name, long value)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", value);
	int fd = sysctl_open(name, O_WRONLY);
	int err;

	if (fd < 0)
		return fd;
	err = write(fd, text, (size_t)len) < 0 ? -errno : 0;
	close(fd);
	return err;
}

static void read_into(const char *name, uint32_t fallback, uint32_t *out)
{
	long v = ct_sysctl_read(name);

	*out = v > 0 ? (uint32_t)v : fallback;
}

static void read_tcp(uint32_t t[CT_TCP_STATES])
{
	static const struct {
		const char *name;
		uint32_t fallback;
	} by_state[CT_TCP_STATES] = {
		{"nf_conntrack_tcp_timeout_syn_sent", 120}, /* NONE: never kept */
		{"nf_conntrack_tcp_timeout_syn_sent", 120},
		{"nf_conntrack_tcp_timeout_syn_recv", 60},
		{"nf_conntrack_tcp_timeout_established", 432000},
		{"nf_conntrack_tcp_timeout_fin_wait", 120},
		{"nf_conntrack_tcp_timeout_close_wait", 60},
		{"nf_conntrack_tcp_timeout_last_ack", 30},
		{"nf_conntrack_tcp_timeout_time_wait", 120},
		{"nf_conntrack_tcp_timeout_close", 10},
		{"nf_conntrack_tcp_timeout_syn_sent", 120}, /* SYN_SENT2 */
	};

	for (int i = 0; i < CT_TCP_STATES; i++)
		read_into(by_state[i].name, by_state[i].fallback, &t[i]);
}

static void read_sctp(uint32_t t[CT_SCTP_STATES])
{
	static const struct {
		const char *name;
		uint32_t fallback;
	} by_state[CT_SCTP_STATES] = {
		{"nf_conntrack_sctp_timeout_closed", 10}, /* NONE: never kept */
		{"nf_conntrack_sctp_timeout_closed", 10},
		{"nf_conntrack_sctp_timeout_cookie_wait", 3},
		{"nf_conntrack_sctp_timeout_cookie_echoed", 3},
		{"nf_conntrack_sctp_timeout_established", 210},
		{"nf_conntrack_sctp_timeout_shutdown_sent", 3},
		{"nf_conntrack_sctp_timeout_shutdown_recd", 3},
		{"nf_conntrack_sctp_timeout_shutdown_ack_sent", 3},
		{"nf_conntrack_sctp_timeout_heartbeat_sent", 30},
		{"nf_conntrack_sctp_timeout_heartbeat_acked", 210},
	};

	for (int i = 0; i < CT_SCTP_STATES; i++)
		read_into(by_state[i].name, by_state[i].fallback, &t[i]);
}

static void read_dccp(uint32_t t[CT_DCCP_STATES])
{
	static const struct {
		const char *name;
		uint32_t fallback;
	} by_state[CT_DCCP_STATES] = {
		{"nf_conntrack_dccp_timeout_request", 240}, /* NONE: never kept */
		{"nf_conntrack_dccp_timeout_request", 240},
		{"nf_conntrack_dccp_timeout_respond", 480},
		{"nf_conntrack_dccp_timeout_partopen", 480},
		{"nf_conntrack_dccp_timeout_open", 43200},
		{"nf_conntrack_dccp_timeout_closereq", 64},
		{"nf_conntrack_dccp_timeout_closing", 64},
		{"nf_conntrack_dccp_timeout_timewait", 240},
		{"nf_conntrack_dccp_timeout_timewait", 240}, /* IGNORE, INVALID: never kept */
		{"nf_conntrack_dccp_timeout_timewait", 240},
	};

	for (int i = 0; i < CT_DCCP_STATES; i++)
		read_into(by_state[i].name, by_state[i].fallback, &t[i]);
}

void ct_timeouts_read(struct ct_timeouts *t)
{
	read_tcp(t->tcp_s);
	read_sctp(t->sctp_s);
	read_dccp(t->dccp_s);
	read_into("nf_conntrack_udp_timeout", 30, &t->udp_s);
	read_into("nf_conntrack_udp_timeout_stream", 120, &t->udp_stream_s);
	read_into("nf_conntrack_gre_timeout", 30, &t->gre_s);
	read_into("nf_conntrack_gre_timeout_stream", 180, &t->gre_stream_s);
	read_into("nf_conntrack_icmp_timeout", 30, &t->icmp_s);
	read_into("nf_conntrack_icmpv6_timeout", 30, &t->icmpv6_s);
	read_into("nf_conntrack_generic_timeout", 600, &t->generic_s);
}

uint32_t ct_timeouts_of(const struct ct_timeouts *t, const struct flow *f)
{
	unsigned state = f->ct.state;
	bool assured = f->ct.status & IPS_ASSURED;

	switch (f->key.l4proto) {
	case IPPROTO_TCP:
		return t->tcp_s[state < CT_TCP_STATES ? state : 0];
	case IPPROTO_SCTP:
		return t->sctp_s[state < CT_SCTP_STATES ? state : 0];
	case IPPROTO_DCCP:
		return t->dccp_s[state < CT_DCCP_STATES ? state : 0];
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return assured ? t->udp_stream_s : t->udp_s;
	case IPPROTO_GRE:
		return assured ? t->gre_stream_s : t->gre_s;
	case IPPROTO_ICMP:
		return t->icmp_s;
	case IPPROTO_ICMPV6:
		return t->icmpv6_s;
	default:
		return t->generic_s;
	}
}
