// SPDX-License-Identifier: GPL-2.0-or-later
/* Rights given up for good. Each test is a child of its own (Check forks), or skips without root.
 */
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "syncd/base/privilege.h"
#include "tests/lib/netns.h"
#include "tests/lib/suite.h"

/* Runs f in a child; its exit code. */
static int in_child(int (*f)(void))
{
	const pid_t child = fork();
	int status;

	if (child == 0)
		_exit(f());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status), "signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static int drop(struct privilege p)
{
	const char *failed;

	return privilege_drop(&p, &failed);
}

#define NEED(cond)                                                                               \
	do {                                                                                     \
		if (!(cond)) {                                                                   \
			fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #cond, strerror(errno)); \
			return 1;                                                                \
		}                                                                                \
	} while (0)

static int child_minimal(void)
{
	NEED(netns_enter() == 0);
	NEED(drop((struct privilege){0}) == 0);
	/* what the daemon needs goes on working */
	NEED(netns_sysctl_set("net/ipv4/ip_forward", 1) == 0);
	NEED(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 12) >= 0);
	/* the rest does not */
	NEED(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM);
	NEED(mount("none", "/mnt", "tmpfs", 0, NULL) < 0 && errno == EPERM);
	NEED(unshare(CLONE_NEWUSER) < 0 && errno == EPERM);
	NEED(syscall(SYS_bpf, 0, NULL, 0) < 0 && errno == EPERM);
#ifndef __SANITIZE_ADDRESS__ /* whose leak checker needs it */
	NEED(syscall(SYS_ptrace, 0, 0, 0, 0) < 0 && errno == EPERM);
#endif
	NEED(syscall(SYS_init_module, NULL, 0, "") < 0 && errno == EPERM);
	NEED(setuid(65534) < 0);
	NEED(execl("/bin/true", "true", NULL) < 0 && errno == EPERM);
	return 0;
}

static int child_all(void)
{
	NEED(netns_enter() == 0);
	NEED(drop((struct privilege){.bpf = true, .exec = true}) == 0);
	NEED(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) < 0 && errno == EPERM);
	NEED(syscall(SYS_bpf, 9999, NULL, 0) < 0 && errno != EPERM);
	NEED(mount("none", "/mnt", "tmpfs", 0, NULL) < 0 && errno == EPERM);
	execl("/bin/true", "true", NULL);
	return 1;
}

static int child_check(void)
{
	const char *missing = NULL;

	NEED(privilege_check(&missing) == 0);
	NEED(drop((struct privilege){0}) == 0);
	NEED(privilege_check(&missing) == 0);
	return 0;
}

static int child_nobody(void)
{
	const char *missing = NULL;

	NEED(setuid(65534) == 0);
	NEED(privilege_check(&missing) == -EPERM && strcmp(missing, "CAP_NET_ADMIN") == 0);
	return 0;
}

START_TEST(test_minimal)
{
	ck_assert_int_eq(in_child(child_minimal), 0);
}
END_TEST

START_TEST(test_all)
{
	ck_assert_int_eq(in_child(child_all), 0);
}
END_TEST

START_TEST(test_check)
{
	ck_assert_int_eq(in_child(child_check), 0);
}
END_TEST

START_TEST(test_nobody)
{
	ck_assert_int_eq(in_child(child_nobody), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("privilege");
	TCase *t = tcase_create("privilege");

	if (!netns_usable("privilege"))
		return 77;
	tcase_add_test(t, test_minimal);
	tcase_add_test(t, test_all);
	tcase_add_test(t, test_check);
	tcase_add_test(t, test_nobody);
	suite_add_tcase(s, t);
	return suite_run(s);
}
