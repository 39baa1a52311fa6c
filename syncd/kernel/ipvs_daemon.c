// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_daemon.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/ip_vs.h>
#include <linux/rtnetlink.h>

#include "syncd/kernel/ipvs_daemon.h"
#include "syncd/kernel/ipvs_genl.h"
#include "syncd/kernel/ipvs_nl_message.h"

enum { ASK_TIMEOUT_MS = 2000, RCVBUF_BYTES = 1 << 16, REQUEST_BYTES = 512 };

/* The threads want an address to send from: RFC 7600's dummy one, which means nobody. */
#define DUMMY_ADDRESS "192.0.0.8"

static const char *const names[] = {
	[IPVS_DAEMON_MASTER] = "syncd-ipvs-m",
	[IPVS_DAEMON_BACKUP] = "syncd-ipvs-b",
};

/* ---- the interface --------------------------------------------------------------------------- */

static int ask_route_for(struct nlmsghdr *nlh, ct_answer_fn *fn, void *ctx)
{
	struct ct_socket s = {.fd = -1};
	int err = ct_socket_open(&s, NETLINK_ROUTE);

	if (err)
		return err;
	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	err = ct_socket_ask(&s, nlh, nlh->nlmsg_len, ASK_TIMEOUT_MS, fn, ctx);
	ct_socket_close(&s);
	return err;
}

static int ask_route(struct nlmsghdr *nlh)
{
	return ask_route_for(nlh, NULL, NULL);
}

static int interface_make(const char *ifname)
{
	uint8_t buf[REQUEST_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;
	struct nlattr *info;

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, ifname);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_str(nlh, IFLA_INFO_KIND, "dummy");
	mnl_attr_nest_end(nlh, info);
	return ask_route(nlh);
}

static int interface_delete(int ifindex)
{
	uint8_t buf[REQUEST_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = RTM_DELLINK;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = ifindex;
	return ask_route(nlh);
}

static int interface_address(int ifindex)
{
	uint8_t buf[REQUEST_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa;
	struct in_addr addr;

	(void)inet_pton(AF_INET, DUMMY_ADDRESS, &addr);
	nlh->nlmsg_type = RTM_NEWADDR;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = 32;
	ifa->ifa_index = (uint32_t)ifindex;
	mnl_attr_put(nlh, IFA_LOCAL, sizeof(addr), &addr);
	mnl_attr_put(nlh, IFA_ADDRESS, sizeof(addr), &addr);
	return ask_route(nlh);
}

/* The interface's alias. */
int ipvs_daemon_set_note(struct ipvs_daemon *d, const char *note)
{
	uint8_t buf[REQUEST_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = RTM_NEWLINK;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = d->ifindex;
	mnl_attr_put_str(nlh, IFLA_IFALIAS, note);
	return ask_route(nlh);
}

struct note {
	char *text;
	size_t len;
};

static int take_note(const struct nlattr *a, void *ctx)
{
	const struct note *n = ctx;
	size_t len = mnl_attr_get_payload_len(a);

	if (mnl_attr_get_type(a) == IFLA_IFALIAS && len < n->len) {
		memcpy(n->text, mnl_attr_get_payload(a), len);
		n->text[len] = '\0';
	}
	return MNL_CB_OK;
}

static int on_link(void *ctx, const struct nlmsghdr *nlh)
{
	(void)mnl_attr_parse(nlh, sizeof(struct ifinfomsg), take_note, ctx);
	return 0;
}

int ipvs_daemon_note(struct ipvs_daemon *d, char *note, size_t len)
{
	uint8_t buf[REQUEST_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct note n = {note, len};
	struct ifinfomsg *ifi;

	note[0] = '\0';
	nlh->nlmsg_type = RTM_GETLINK;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = d->ifindex;
	return ask_route_for(nlh, on_link, &n);
}

static int interface_up(struct ipvs_daemon *d)
{
	int err = interface_make(d->ifname);

	if (err && err != -EEXIST)
		return err;
	d->ifindex = (int)if_nametoindex(d->ifname);
	if (!d->ifindex)
		return -errno;
	return interface_address(d->ifindex);
}

/* ---- the thread ------------------------------------------------------------------------------ */

struct found {
	enum ipvs_daemon_kind kind;
	bool there;
	char ifname[IP_VS_IFNAME_MAXLEN];
};

static int take_part(const struct nlattr *a, void *ctx)
{
	struct found *f = ctx;
	size_t len = mnl_attr_get_payload_len(a);

	if (mnl_attr_get_type(a) == IPVS_DAEMON_ATTR_STATE && len >= 4)
		f->there = mnl_attr_get_u32(a) == (uint32_t)f->kind;
	else if (mnl_attr_get_type(a) == IPVS_DAEMON_ATTR_MCAST_IFN && len < sizeof(f->ifname))
		memcpy(f->ifname, mnl_attr_get_payload(a), len);
	return MNL_CB_OK;
}

static int take_daemon(const struct nlattr *a, void *ctx)
{
	struct found *f = ctx, one = {.kind = f->kind};

	if (mnl_attr_get_type(a) != IPVS_CMD_ATTR_DAEMON)
		return MNL_CB_OK;
	(void)mnl_attr_parse_nested(a, take_part, &one);
	if (one.there)
		*f = one;
	return MNL_CB_OK;
}

static int on_daemon(void *ctx, const struct nlmsghdr *nlh)
{
	(void)mnl_attr_parse(nlh, sizeof(struct genlmsghdr), take_daemon, ctx);
	return 0;
}

static int ask_ipvs(struct ipvs_daemon *d, struct nlmsghdr *nlh, ct_answer_fn *fn, void *ctx)
{
	struct ct_socket s = {.fd = -1};
	int err = ipvs_genl_open(&s, RCVBUF_BYTES);

	if (err)
		return err;
	nlh->nlmsg_type = d->family;
	err = ct_socket_ask(&s, nlh, nlh->nlmsg_len, ASK_TIMEOUT_MS, fn, ctx);
	ct_socket_close(&s);
	return err;
}

static int thread_find(struct ipvs_daemon *d, struct found *out)
{
	uint8_t buf[REQUEST_BYTES] __attribute__((aligned(8)));

	*out = (struct found){.kind = d->kind};
	return ask_ipvs(d, ipvs_nl_begin(buf, 0, IPVS_CMD_GET_DAEMON, NLM_F_DUMP, 1), on_daemon,
			out);
}

static int thread_command(struct ipvs_daemon *d, uint8_t command, unsigned maxlen)
{
	uint8_t buf[REQUEST_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = ipvs_nl_begin(buf, 0, command, NLM_F_ACK, 1);
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPVS_CMD_ATTR_DAEMON);

	mnl_attr_put_u32(nlh, IPVS_DAEMON_ATTR_STATE, d->kind);
	mnl_attr_put_strz(nlh, IPVS_DAEMON_ATTR_MCAST_IFN, d->ifname);
	mnl_attr_put_u32(nlh, IPVS_DAEMON_ATTR_SYNC_ID, IPVS_DAEMON_ID);
	if (maxlen)
		mnl_attr_put_u16(nlh, IPVS_DAEMON_ATTR_SYNC_MAXLEN, (uint16_t)maxlen);
	mnl_attr_nest_end(nlh, nest);
	return ask_ipvs(d, nlh, NULL, NULL);
}

/* Ends a thread that a crash left. Debian's user-mode Linux 6.1.176 does it and does not answer. */
static int thread_end(struct ipvs_daemon *d)
{
	struct found found;
	int err = thread_command(d, IPVS_CMD_DEL_DAEMON, 0);

	if (err == -ETIMEDOUT && thread_find(d, &found) == 0 && !found.there)
		err = 0;
	return err;
}

static int family_of(uint16_t *out)
{
	struct ct_socket s = {.fd = -1};
	struct ipvs_genl genl = {0};
	int err = ipvs_genl_open(&s, RCVBUF_BYTES);

	if (err == 0)
		err = ipvs_genl_find(&s, &genl);
	ct_socket_close(&s);
	*out = genl.family;
	return err;
}

int ipvs_daemon_look(enum ipvs_daemon_kind kind, char ifname[16], bool *ours)
{
	struct ipvs_daemon d = {.kind = kind};
	struct found found = {0};
	int err = family_of(&d.family);

	if (err == 0)
		err = thread_find(&d, &found);
	memcpy(ifname, found.ifname, IP_VS_IFNAME_MAXLEN);
	*ours = strcmp(found.ifname, names[kind]) == 0;
	return err;
}

int ipvs_daemon_try_interface(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) < 0 ? errno
						: -interface_make(names[IPVS_DAEMON_BACKUP]));
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

int ipvs_daemon_start(struct ipvs_daemon *d, enum ipvs_daemon_kind kind, unsigned maxlen)
{
	struct found found;
	int err;

	memset(d, 0, sizeof(*d));
	d->kind = kind;
	strncpy(d->ifname, names[kind], sizeof(d->ifname) - 1);
	err = family_of(&d->family);
	if (err == 0)
		err = thread_find(d, &found);
	if (err)
		return err;
	if (found.there && strcmp(found.ifname, d->ifname) != 0)
		return -EBUSY;
	if (found.there) /* a crash left it: begun anew, for its settings */
		err = thread_end(d);
	if (err == 0)
		err = interface_up(d);
	if (err == 0)
		err = thread_command(d, IPVS_CMD_NEW_DAEMON, maxlen);
	d->running = err == 0;
	if (err)
		ipvs_daemon_stop(d);
	return err;
}

void ipvs_daemon_stop(struct ipvs_daemon *d)
{
	if (d->running)
		(void)thread_command(d, IPVS_CMD_DEL_DAEMON, 0);
	if (d->ifindex)
		(void)interface_delete(d->ifindex);
	d->running = false;
	d->ifindex = 0;
}
