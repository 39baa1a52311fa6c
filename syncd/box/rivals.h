/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who else syncs the same connections on this box: conntrackd, and the kernel's own IPVS sync
 * threads. Two that install the same flows undo each other's work, and nobody would think of it.
 */
#ifndef SYNCD_BOX_RIVALS_H
#define SYNCD_BOX_RIVALS_H

#include <stdbool.h>
#include <sys/types.h>

struct rivals {
	pid_t conntrackd;	       /* in this network namespace; 0: none */
	bool ipvs_master, ipvs_backup; /* kernel threads, of any namespace */
};

/*
 * Looks through /proc, own_syncid: of the IPVS sync threads that are this program's. Other
 * processes' namespaces can be told apart only with CAP_SYS_PTRACE: call it before rights are given
 * up. Returns 0 or -errno.
 */
int rivals_find(int own_syncid, struct rivals *out);

#endif
