// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The systemd unit: that systemd takes it, and that the daemon runs within just what it leaves: its
 * bounding set, address families, no namespaces, no memory both written and executed, no new
 * privileges, and a file system that can be written in its own folders alone. In guests
 * (tests/lib/guest.h) also with the back ends of IPVS: kernel-sync; and bpf with IPVS_KINDS=all
 * (make check-ipvs), for it takes minutes.
 */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/guest.h"
#include "tests/lib/netns.h"
#include "tests/lib/suite.h"
#include "tests/lib/tmpdir.h"

enum { TEXT = 16384, ANSWER_MS = 60000 };

static char unit[TEXT];
static bool ipvs; /* a back end of it is to be found */

/* What follows NAME= in the unit, up to the line's end; "" where there is no such line. */
static const char *setting(const char *name)
{
	static char value[512];
	char line[64], *at;

	(void)snprintf(line, sizeof(line), "\n%s=", name);
	at = strstr(unit, line);
	if (!at)
		return "";
	at += strlen(line);
	(void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\n"), at);
	return value;
}

static bool is_set(const char *name, const char *wanted)
{
	return strcmp(setting(name), wanted) == 0;
}

/* ---- within the unit ------------------------------------------------------------------------- */

static bool names_family(const char *families, int family)
{
	static const struct {
		const char *name;
		int number;
	} known[] = {{"AF_UNIX", AF_UNIX},
		     {"AF_INET", AF_INET},
		     {"AF_INET6", AF_INET6},
		     {"AF_NETLINK", AF_NETLINK},
		     {"AF_PACKET", AF_PACKET}};
	char list[512], *word, *rest = list;

	(void)snprintf(list, sizeof(list), "%s", families);
	while ((word = strsep(&rest, " ")))
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strcmp(word, known[i].name) == 0 && known[i].number == family)
				return true;
	return false;
}

/* As src/shared/seccomp-util.c of systemd does it, for the architecture of this program. */
static int filter_calls(void)
{
	static const int makes_namespaces[] = {SCMP_SYS(unshare), SCMP_SYS(setns)};
	static const int mounts[] = {
		SCMP_SYS(mount),   SCMP_SYS(umount2), SCMP_SYS(move_mount), SCMP_SYS(fsopen),
		SCMP_SYS(fsmount), SCMP_SYS(fspick),  SCMP_SYS(pivot_root), SCMP_SYS(init_module)};
	const char *families = setting("RestrictAddressFamilies");
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int err = 0;

	for (int family = 0; family < AF_MAX && err == 0; family++)
		if (!names_family(families, family))
			err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket),
					       1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family));
	for (size_t i = 0; i < 2 && err == 0 && is_set("RestrictNamespaces", "yes"); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), makes_namespaces[i], 0);
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]) && err == 0 &&
			   is_set("SystemCallFilter", "~@mount @module @reboot @swap");
	     i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), mounts[i], 0);
	if (err == 0 && is_set("MemoryDenyWriteExecute", "yes"))
		err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mmap), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE,
					       PROT_EXEC | PROT_WRITE));
	if (err == 0 && is_set("MemoryDenyWriteExecute", "yes"))
		err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mprotect), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	if (err == 0)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}

static int bound_capabilities(void)
{
	char list[512], *word, *rest = list;

	(void)snprintf(list, sizeof(list), "%s", setting("CapabilityBoundingSet"));
	capng_clear(CAPNG_SELECT_BOTH);
	while ((word = strsep(&rest, " "))) {
		int capability = capng_name_to_capability(word + strlen("CAP_"));

		if (capability < 0 ||
		    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				 (unsigned)capability) < 0)
			return -EINVAL;
	}
	return capng_apply(CAPNG_SELECT_BOTH) < 0 ? -EPERM : 0;
}

/* ProtectSystem=strict; `dir` stands for the folders that the unit gives it. */
static int protect_files(const char *dir)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(dir, dir, NULL, MS_BIND, NULL) < 0)
		return -errno;
	return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0 ? -errno : 0;
}

static void enter_unit(const char *dir)
{
	if (protect_files(dir) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(91);
	if (filter_calls())
		_exit(92);
	if (bound_capabilities())
		_exit(93);
}

/* ---- the daemon ------------------------------------------------------------------------------ */

struct running {
	char dir[64], programs[512];
	pid_t pid;
};

static bool answers(void *ctx)
{
	const struct running *r = ctx;

	return netns_sh("%s/syncctl -c %s/conf status >/dev/null 2>&1", r->programs, r->dir) == 0;
}

static bool is_complete(void *ctx)
{
	const struct running *r = ctx;

	return netns_sh("%s/syncctl -c %s/conf -j status | grep -q '\"complete\": true'",
			r->programs, r->dir) == 0;
}

static void find_programs(struct running *r)
{
	ssize_t n = readlink("/proc/self/exe", r->programs, sizeof(r->programs) - 1);

	ck_assert_int_gt(n, 0);
	r->programs[n] = '\0';
	*strrchr(r->programs, '/') = '\0';
	*strrchr(r->programs, '/') = '\0';
}

static void start(struct running *r)
{
	char path[96], log[96], program[600], text[1024];

	(void)snprintf(path, sizeof(path), "%s/conf", r->dir);
	(void)snprintf(log, sizeof(log), "%s/log", r->dir);
	(void)snprintf(text, sizeof(text),
		       "node a { id = 1 }\nlink s { interface = lo }\ninsecure = true\n"
		       "group all { id = 1 }\njournal { dir = \"%s/journal\" }\n"
		       "runtime_dir = \"%s/run\"\nstate_dir = \"%s/lib\"\n",
		       r->dir, r->dir, r->dir);
	tmpdir_write(path, text);
	(void)snprintf(program, sizeof(program), "%s/syncd", r->programs);
	r->pid = fork();
	if (r->pid == 0) {
		if (!freopen(log, "a", stderr))
			_exit(94);
		enter_unit(r->dir);
		execl(program, "syncd", "-c", path, NULL);
		_exit(95);
	}
}

static const char *log_of(const struct running *r)
{
	static char got[TEXT];
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/log", r->dir);
	return tmpdir_read(path, got, sizeof(got));
}

START_TEST(test_runs_within)
{
	struct running r = {0};
	int status;

	ck_assert_int_eq(netns_enter(), 0);
	find_programs(&r);
	tmpdir_make(r.dir);
	start(&r);
	ck_assert_msg(netns_wait_for(answers, &r, ANSWER_MS), "no answer: %s", log_of(&r));
	ck_assert_int_eq(
		netns_sh("%s/syncctl -c %s/conf role all active >/dev/null", r.programs, r.dir), 0);
	ck_assert_msg(netns_wait_for(is_complete, &r, ANSWER_MS), "no dump: %s", log_of(&r));
	if (ipvs)
		ck_assert_msg(strstr(log_of(&r), access("/sys/kernel/btf/ip_vs", R_OK) == 0
							 ? "ipvs: source bpf"
							 : "ipvs: source kernel-sync"),
			      "%s", log_of(&r));
	kill(r.pid, SIGTERM);
	ck_assert_int_eq(waitpid(r.pid, &status, 0), r.pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x: %s", status, log_of(&r));
	ck_assert_msg(!strstr(log_of(&r), "not permitted") && !strstr(log_of(&r), "denied") &&
			      !strstr(log_of(&r), "Read-only"),
		      "%s", log_of(&r));
	tmpdir_remove(r.dir);
}
END_TEST

/* That the test's walls stand: what the unit forbids fails within it. */
START_TEST(test_walls)
{
	char dir[64];
	int status;
	pid_t pid;

	ck_assert_int_eq(netns_enter(), 0);
	tmpdir_make(dir);
	pid = fork();
	if (pid == 0) {
		enter_unit(dir);
		_exit((socket(AF_VSOCK, SOCK_STREAM, 0) >= 0 ? 1 : 0) |
		      (unshare(CLONE_NEWUSER) == 0 ? 2 : 0) |
		      (open("/etc/syncd-test", O_CREAT | O_WRONLY, 0600) >= 0 ? 4 : 0) |
		      (mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0) != MAP_FAILED
			       ? 8
			       : 0) |
		      (mount("none", dir, "tmpfs", 0, NULL) == 0 ? 16 : 0));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	tmpdir_remove(dir);
}
END_TEST

START_TEST(test_systemd_takes_it)
{
	char dir[64];

	if (netns_sh("command -v systemd-analyze >/dev/null") != 0) {
		printf("SKIP: no systemd-analyze\n");
		return;
	}
	tmpdir_make(dir);
	/* The programs are not where they will be installed. */
	ck_assert_int_eq(netns_sh("sed 's|@SBINDIR@/[a-z]*|/bin/true|; s|@LIBEXECDIR@/[a-z-]*|"
				  "/bin/true|' dist/systemd/syncd.service >%s/syncd.service",
				  dir),
			 0);
	ck_assert_int_eq(netns_sh("systemd-analyze verify --man=no %s/syncd.service >%s/said 2>&1",
				  dir, dir),
			 0);
	ck_assert_int_eq(netns_sh("! grep syncd.service %s/said", dir), 0);
	tmpdir_remove(dir);
}
END_TEST

/* In a guest: with the back end of IPVS that `auto` finds, which needs rights of its own. */
static int run_here(bool here)
{
	Suite *s = suite_create("unit, with IPVS");
	TCase *t = tcase_create("unit");

	if (!here) {
		printf("SKIP: the unit with IPVS: no guest in the cache: make rig-custom\n");
		return EXIT_SUCCESS;
	}
	ipvs = true;
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	tcase_add_test(t, test_runs_within);
	return suite_run(s);
}

static int run_anywhere(void)
{
	Suite *s = suite_create("unit");
	TCase *t = tcase_create("unit");

	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	tcase_add_test(t, test_systemd_takes_it);
	tcase_add_test(t, test_walls);
	tcase_add_test(t, test_runs_within);
	return suite_run(s);
}

int main(int argc, char **argv)
{
	static const struct guest guests[] = {{.kind = "custom"},
					      {.kind = "qemu", .seconds = 600, .counted = true}};
	int failed;

	(void)argc;
	tmpdir_read("dist/systemd/syncd.service", unit, sizeof(unit));
	if (getenv("SYNCD_TEST_HERE"))
		return run_here(true);
	if (!netns_usable("unit"))
		return 77;
	failed = run_anywhere();
	return guest_run(argv[0], guests, getenv("IPVS_KINDS") ? 2 : 1,
			 "ip_vs ip_vs_rr dummy nf_conntrack nf_conntrack_netlink", NULL,
			 run_here) ||
	       failed;
}
