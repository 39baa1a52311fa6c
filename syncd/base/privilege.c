// SPDX-License-Identifier: GPL-2.0-or-later
/* Rights. Called by main.c: the check first of all, the drop once everything is open. */
#include "syncd/base/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

/* The leak checker stops the threads of its own process by ptrace. */
#ifdef __SANITIZE_ADDRESS__
static const bool under_sanitizer = true;
#else
static const bool under_sanitizer = false;
#endif

int privilege_check(const char **missing)
{
	if (capng_get_caps_process() < 0) {
		*missing = "capabilities of the process";
		return -EPERM;
	}
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN) == 0) {
		*missing = "CAP_NET_ADMIN";
		return -EPERM;
	}
	return 0;
}

/*
 * What is open needs no more: the kernel asks for CAP_NET_RAW where a packet socket is made, and
 * for CAP_BPF and CAP_PERFMON where a program is loaded and attached (kernel/bpf/syscall.c), not
 * where it is run.
 */
static int drop_capabilities(void)
{
	const capng_type_t set =
		(capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET);
	int rc;

	capng_clear(CAPNG_SELECT_ALL);
	rc = capng_update(CAPNG_ADD, set, CAP_NET_ADMIN);
	if (rc < 0)
		return -EPERM;
	/* The bounding set can be cut only with CAP_SETPCAP; without it there is nothing to gain.
	 */
	if (capng_apply(CAPNG_SELECT_ALL) < 0 && capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	return 0;
}

static int deny(scmp_filter_ctx ctx, const int *call, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), call[i], 0);
	return rc;
}

static int filter_calls(const struct privilege *p)
{
	static const int never[] = {
		SCMP_SYS(acct),
		SCMP_SYS(add_key),
		SCMP_SYS(adjtimex),
		SCMP_SYS(chroot),
		SCMP_SYS(clock_adjtime),
		SCMP_SYS(clock_settime),
		SCMP_SYS(delete_module),
		SCMP_SYS(finit_module),
		SCMP_SYS(init_module),
		SCMP_SYS(kexec_load),
		SCMP_SYS(kexec_file_load),
		SCMP_SYS(keyctl),
		SCMP_SYS(mount),
		SCMP_SYS(move_mount),
		SCMP_SYS(fsmount),
		SCMP_SYS(fsopen),
		SCMP_SYS(open_tree),
		SCMP_SYS(open_by_handle_at),
		SCMP_SYS(perf_event_open),
		SCMP_SYS(pivot_root),
		SCMP_SYS(process_vm_readv),
		SCMP_SYS(process_vm_writev),
		SCMP_SYS(quotactl),
		SCMP_SYS(reboot),
		SCMP_SYS(request_key),
		SCMP_SYS(setdomainname),
		SCMP_SYS(sethostname),
		SCMP_SYS(setns),
		SCMP_SYS(settimeofday),
		SCMP_SYS(swapon),
		SCMP_SYS(swapoff),
		SCMP_SYS(syslog),
		SCMP_SYS(umount2),
		SCMP_SYS(unshare),
		SCMP_SYS(userfaultfd),
	};
	static const int trace[] = {SCMP_SYS(ptrace)};
	static const int bpf[] = {SCMP_SYS(bpf)};
	static const int exec[] = {SCMP_SYS(execve), SCMP_SYS(execveat)};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc;

	if (ctx == NULL)
		return -ENOMEM;
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1); /* threads that run already, too */
	if (rc == 0)
		rc = deny(ctx, never, sizeof(never) / sizeof(never[0]));
	if (rc == 0 && !under_sanitizer)
		rc = deny(ctx, trace, sizeof(trace) / sizeof(trace[0]));
	if (rc == 0 && !p->bpf)
		rc = deny(ctx, bpf, sizeof(bpf) / sizeof(bpf[0]));
	if (rc == 0 && !p->exec)
		rc = deny(ctx, exec, sizeof(exec) / sizeof(exec[0]));
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc;
}

int privilege_drop(const struct privilege *p, const char **failed)
{
	int rc;

	*failed = "capabilities";
	rc = drop_capabilities();
	if (rc < 0)
		return rc;
	*failed = "no_new_privs";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	*failed = "seccomp filter";
	return filter_calls(p);
}
