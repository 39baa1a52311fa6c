/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rights: what the daemon needs at the start, and giving up everything else afterwards.
 * capabilities(7), seccomp(2).
 */
#ifndef SYNCD_BASE_PRIVILEGE_H
#define SYNCD_BASE_PRIVILEGE_H

#include <stdbool.h>

/* What stays. CAP_NET_ADMIN (conntrack, IPVS, nftables, socket buffers) always does. */
struct privilege {
	bool bpf;  /* the bpf system call, to run what is loaded: the bpf back end of IPVS */
	bool exec; /* programs: hooks are configured */
};

/* Returns 0, or -EPERM with the name of the capability that is missing (a constant). */
int privilege_check(const char **missing);

/*
 * Gives up all other capabilities for good, forbids gaining any (no_new_privs), and has the kernel
 * refuse (EPERM) system calls that the daemon has no use for: modules, mounts, tracing, clocks,
 * namespaces, keys, reboot, and where not kept bpf and execve. Capabilities are those of the
 * calling thread and of threads that it starts afterwards; the filter is the process's. Returns 0
 * or -errno; *failed then names the step.
 */
int privilege_drop(const struct privilege *p, const char **failed);

#endif
