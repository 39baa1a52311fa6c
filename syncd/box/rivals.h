/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who else syncs the same connections on this box: conntrackd (the kernel's own IPVS sync threads
 * are asked for by ipvs_daemon_look). Two that install the same flows undo each other's work, and
 * nobody would think of it.
 */
#ifndef SYNCD_BOX_RIVALS_H
#define SYNCD_BOX_RIVALS_H

#include <sys/types.h>

/*
 * Looks through /proc for conntrackd in this network namespace. Other processes' namespaces can be
 * told apart only with CAP_SYS_PTRACE: call it before rights are given up. Returns its pid, 0 where
 * there is none, or -errno.
 */
pid_t rivals_find_conntrackd(void);

#endif
