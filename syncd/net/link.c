// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sockets of a link (link.h). One socket receives (bound to the group, or to the unicast port) and
 * one sends: a socket bound to a multicast address must not be the source of a datagram. See ip(7),
 * ipv6(7).
 */
#include "syncd/net/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LINK_BATCH = 32,
	LINK_RCVBUF = 8 << 20, /* a bulk's burst while the table is busy */
	IP_UDP_HEADERS = 28,
	IP6_UDP_HEADERS = 48,
};

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct link {
	char name[CONFIG_WORD_MAX];
	char interface[IFNAMSIZ];
	int rx, tx;
	bool ttl_check, v6;
	uint32_t datagram_max;
	size_t targets;
	union address target[CONFIG_LIST_MAX];
	socklen_t address_len;
	struct link_stats stats;
	struct mmsghdr msg[LINK_BATCH];
	struct iovec iov[LINK_BATCH];
	uint8_t control[LINK_BATCH][CMSG_SPACE(sizeof(int))];
	uint8_t buf[LINK_BATCH][DATAGRAM_MAX];
};

__attribute__((format(printf, 4, 5))) static int fail(const struct config_link *cfg, char *err,
						      int errnum, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	(void)snprintf(err, LINK_ERROR_MAX, "link %s: %s: %s", cfg->name, what, strerror(errnum));
	return -errnum;
}

static void address_fill(union address *a, const struct config_prefix *p, uint32_t port,
			 unsigned ifindex)
{
	memset(a, 0, sizeof(*a));
	if (p->addr_len == 16) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons((uint16_t)port);
		a->in6.sin6_scope_id = ifindex;
		memcpy(&a->in6.sin6_addr, p->addr.b, 16);
		return;
	}
	a->in.sin_family = AF_INET;
	a->in.sin_port = htons((uint16_t)port);
	memcpy(&a->in.sin_addr, p->addr.b, 4);
}

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

static int open_rx(struct link *l, const struct config_link *cfg, unsigned ifindex, char *err)
{
	struct config_prefix any = {.addr_len = l->v6 ? 16 : 4};
	union address a;
	int on;

	l->rx = socket(l->v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->rx < 0)
		return fail(cfg, err, errno, "socket");
	address_fill(&a, cfg->peers.n ? &any : &cfg->group, cfg->port, ifindex);
	(void)set_int(l->rx, SOL_SOCKET, SO_REUSEADDR, 1);
	if (setsockopt(l->rx, SOL_SOCKET, SO_BINDTODEVICE, cfg->interface,
		       (socklen_t)strlen(cfg->interface)))
		return fail(cfg, err, errno, "bind to interface %s", cfg->interface);
	if (bind(l->rx, &a.sa, l->address_len))
		return fail(cfg, err, errno, "bind to UDP port %u (is another syncd running?)",
			    cfg->port);
	on = set_int(l->rx, SOL_SOCKET, SO_RCVBUFFORCE, LINK_RCVBUF);
	if (on)
		(void)set_int(l->rx, SOL_SOCKET, SO_RCVBUF, LINK_RCVBUF);
	on = l->v6 ? set_int(l->rx, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1)
		   : set_int(l->rx, IPPROTO_IP, IP_RECVTTL, 1);
	return on ? fail(cfg, err, -on, "receive TTL") : 0;
}

static int join(struct link *l, const struct config_link *cfg, unsigned ifindex, char *err)
{
	struct ipv6_mreq m6 = {.ipv6mr_interface = ifindex};
	struct ip_mreqn m4 = {.imr_ifindex = (int)ifindex};
	int rc;

	if (cfg->peers.n)
		return 0;
	memcpy(&m6.ipv6mr_multiaddr, cfg->group.addr.b, 16);
	memcpy(&m4.imr_multiaddr, cfg->group.addr.b, 4);
	rc = l->v6 ? setsockopt(l->rx, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m6, sizeof(m6))
		   : setsockopt(l->rx, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m4, sizeof(m4));
	return rc ? fail(cfg, err, errno, "join the group on %s", cfg->interface) : 0;
}

static int set_multicast(struct link *l, unsigned ifindex)
{
	struct ip_mreqn m4 = {.imr_ifindex = (int)ifindex};
	int index = (int)ifindex, rc;

	if (l->v6) {
		rc = set_int(l->tx, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, SYNC_TTL);
		rc = rc ? rc : set_int(l->tx, IPPROTO_IPV6, IPV6_UNICAST_HOPS, SYNC_TTL);
		rc = rc ? rc : set_int(l->tx, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
		return rc ? rc : set_int(l->tx, IPPROTO_IPV6, IPV6_MULTICAST_IF, index);
	}
	rc = set_int(l->tx, IPPROTO_IP, IP_MULTICAST_TTL, SYNC_TTL);
	rc = rc ? rc : set_int(l->tx, IPPROTO_IP, IP_TTL, SYNC_TTL);
	rc = rc ? rc : set_int(l->tx, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
	if (rc)
		return rc;
	return setsockopt(l->tx, IPPROTO_IP, IP_MULTICAST_IF, &m4, sizeof(m4)) ? -errno : 0;
}

static int open_tx(struct link *l, const struct config_link *cfg, unsigned ifindex, char *err)
{
	union address a;
	int rc;

	l->tx = socket(l->v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->tx < 0)
		return fail(cfg, err, errno, "socket");
	if (setsockopt(l->tx, SOL_SOCKET, SO_BINDTODEVICE, cfg->interface,
		       (socklen_t)strlen(cfg->interface)))
		return fail(cfg, err, errno, "bind to interface %s", cfg->interface);
	rc = set_multicast(l, ifindex);
	if (rc)
		return fail(cfg, err, -rc, "multicast on %s", cfg->interface);
	(void)set_int(l->tx, SOL_SOCKET, SO_SNDBUFFORCE, LINK_RCVBUF);
	/* Never fragmented: what a path carries is proven by padded hellos. */
	(void)(l->v6 ? set_int(l->tx, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE)
		     : set_int(l->tx, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE));
	if (!cfg->address.addr_len)
		return 0;
	address_fill(&a, &cfg->address, 0, ifindex);
	return bind(l->tx, &a.sa, l->address_len) ? fail(cfg, err, errno, "bind to `address`") : 0;
}

static uint32_t interface_mtu(const struct link *l)
{
	struct ifreq r = {0};

	memcpy(r.ifr_name, l->interface, sizeof(r.ifr_name));
	return ioctl(l->tx, SIOCGIFMTU, &r) ? 1500 : (uint32_t)r.ifr_mtu;
}

static void set_targets(struct link *l, const struct config_link *cfg, unsigned ifindex)
{
	if (!cfg->peers.n) {
		address_fill(&l->target[0], &cfg->group, cfg->port, ifindex);
		l->targets = 1;
		return;
	}
	for (size_t i = 0; i < cfg->peers.n; i++)
		address_fill(&l->target[i], &cfg->peers.item[i], cfg->port, ifindex);
	l->targets = cfg->peers.n;
}

int link_open(const struct config_link *cfg, struct link **out, char *err)
{
	unsigned ifindex = if_nametoindex(cfg->interface);
	struct link *l;
	uint32_t mtu;
	int rc;

	if (!ifindex)
		return fail(cfg, err, ENODEV, "interface \"%s\" does not exist", cfg->interface);
	l = calloc(1, sizeof(*l));
	if (!l)
		return fail(cfg, err, ENOMEM, "memory");
	l->rx = l->tx = -1;
	l->v6 = cfg->peers.n ? cfg->peers.item[0].addr_len == 16 : cfg->group.addr_len == 16;
	l->address_len = l->v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	l->ttl_check = cfg->ttl_check;
	memcpy(l->name, cfg->name, sizeof(l->name));
	memcpy(l->interface, cfg->interface, sizeof(l->interface));
	rc = open_rx(l, cfg, ifindex, err);
	rc = rc ? rc : join(l, cfg, ifindex, err);
	rc = rc ? rc : open_tx(l, cfg, ifindex, err);
	if (rc) {
		link_close(l);
		return rc;
	}
	set_targets(l, cfg, ifindex);
	mtu = cfg->mtu ? cfg->mtu : interface_mtu(l);
	l->datagram_max = mtu - (l->v6 ? IP6_UDP_HEADERS : IP_UDP_HEADERS);
	if (l->datagram_max > DATAGRAM_MAX)
		l->datagram_max = DATAGRAM_MAX;
	*out = l;
	return 0;
}

void link_close(struct link *l)
{
	if (!l)
		return;
	if (l->rx >= 0)
		close(l->rx);
	if (l->tx >= 0)
		close(l->tx);
	free(l);
}

void link_send(struct link *l, const uint8_t *dgram, size_t len)
{
	for (size_t i = 0; i < l->targets; i++) {
		if (sendto(l->tx, dgram, len, 0, &l->target[i].sa, l->address_len) < 0) {
			l->stats.send_errors++;
			l->stats.last_error = errno;
			continue;
		}
		l->stats.sent++;
		l->stats.sent_bytes += len;
	}
}

/* RFC 5082: what did not start at 255 has crossed a router. */
static bool ttl_is_good(struct link *l, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		int ttl;

		if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) &&
		    !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT))
			continue;
		memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
		return ttl == SYNC_TTL;
	}
	return !l->ttl_check;
}

static int receive_batch(struct link *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		l->iov[i] = (struct iovec){.iov_base = l->buf[i], .iov_len = sizeof(l->buf[i])};
		l->msg[i].msg_hdr = (struct msghdr){
			.msg_iov = &l->iov[i],
			.msg_iovlen = 1,
			.msg_control = l->control[i],
			.msg_controllen = sizeof(l->control[i]),
		};
	}
	n = (unsigned)recvmmsg(l->rx, l->msg, n, MSG_DONTWAIT, NULL);
	if ((int)n >= 0)
		return (int)n;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int link_receive(struct link *l, unsigned budget, link_fn *fn, void *ctx)
{
	unsigned total = 0;

	while (total < budget) {
		unsigned want = budget - total < LINK_BATCH ? budget - total : LINK_BATCH;
		int n = receive_batch(l, want);

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++) {
			l->stats.received++;
			l->stats.received_bytes += l->msg[i].msg_len;
			if (l->ttl_check && !ttl_is_good(l, &l->msg[i].msg_hdr))
				l->stats.ttl_refused++;
			else
				fn(ctx, l->buf[i], l->msg[i].msg_len);
		}
		total += (unsigned)n;
		if ((unsigned)n < want)
			break;
	}
	return (int)total;
}

int link_fd(const struct link *l)
{
	return l->rx;
}

const char *link_name(const struct link *l)
{
	return l->name;
}

uint32_t link_datagram_max(const struct link *l)
{
	return l->datagram_max;
}

bool link_is_up(const struct link *l)
{
	struct ifreq r = {0};

	memcpy(r.ifr_name, l->interface, sizeof(r.ifr_name));
	if (ioctl(l->tx, SIOCGIFFLAGS, &r))
		return false;
	return (r.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
}

const struct link_stats *link_stats(const struct link *l)
{
	return &l->stats;
}
