/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's own IPVS sync threads on a private dummy interface, as the kernel-sync edges use
 * them: nothing of theirs leaves the box. Interface and threads left by a crash are known by the
 * interface's name and taken over. For set-up: calls wait for the kernel.
 */
#ifndef SYNCD_KERNEL_IPVS_DAEMON_H
#define SYNCD_KERNEL_IPVS_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IPVS_DAEMON_ID = 181 }; /* its sync id; any would do on an interface of its own */

enum ipvs_daemon_kind { IPVS_DAEMON_MASTER = 1, IPVS_DAEMON_BACKUP = 2 }; /* IP_VS_STATE_* */

struct ipvs_daemon {
	char ifname[16];
	int ifindex; /* 0: not up */
	bool running;
	enum ipvs_daemon_kind kind;
	uint16_t family; /* generic netlink's number of IPVS */
};

/*
 * Makes the interface and starts the thread. maxlen: of a message, 0: what a frame holds. Returns
 * 0, -EBUSY where a thread of that kind runs already for somebody else (keepalived's
 * lvs_sync_daemon), or -errno.
 */
int ipvs_daemon_start(struct ipvs_daemon *d, enum ipvs_daemon_kind kind, unsigned maxlen);

/*
 * The interface that a thread of that kind works on, "" where none runs; whether it is one of ours.
 * Returns 0 or -errno.
 */
int ipvs_daemon_look(enum ipvs_daemon_kind kind, char ifname[16], bool *ours);

/*
 * Whether this kernel has interfaces of that sort: tried in a network namespace of its own, by a
 * child. Returns 0 or -errno; -EPERM where namespaces are not for us.
 */
int ipvs_daemon_try_interface(void);

/*
 * A text kept with the interface, which outlives a crash: up to 255 bytes. Reading gives "" where
 * there is none. Return 0 or -errno.
 */
int ipvs_daemon_set_note(struct ipvs_daemon *d, const char *note);
int ipvs_daemon_note(struct ipvs_daemon *d, char *note, size_t len);

/* Stops the thread and removes the interface. For one that was not started: nothing. */
void ipvs_daemon_stop(struct ipvs_daemon *d);

#endif
