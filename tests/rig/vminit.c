/*
 * vminit: the first process of a test guest (tests/rig/guest). It gives the guest a root file
 * system that is the host's, under a layer in memory that takes every change, runs one command in
 * it, leaves the command's status where the host finds it, and switches the guest off.
 *
 * Static, and without a fork but for the command: in user-mode Linux a fork costs 30 ms.
 *
 * From the kernel's command line, as environment:
 *   RIG_OUT      host folder that the guest can write, at the same path; holds `command`
 *   RIG_MODULES  folder that holds lib/modules of this kernel
 *   RIG_TOOLS    folder of modprobe and its like
 *   RIG_REPLACE  folder of modules to use instead of the kernel's own of the same name, or empty
 *   RIG_REBOOT   set where "off" is asked for by a reboot (QEMU with -no-reboot)
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

/* Says what failed on the console, which the host shows, and ends the guest without a status. */
static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	int error = errno;
	va_list args;

	fprintf(stderr, "vminit: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(error));
	sync();
	reboot(*env("RIG_REBOOT") ? RB_AUTOBOOT : RB_POWER_OFF);
	_exit(1);
}

static char *path_join(const char *a, const char *b)
{
	char *path;

	if (asprintf(&path, "%s%s", a, b) < 0)
		die("memory");
	return path;
}

static void make_folders(const char *path)
{
	char *copy = path_join(path, "/");

	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) && errno != EEXIST)
			die("mkdir %s", copy);
		*p = '/';
	}
	free(copy);
}

static void mount_at(const char *source, const char *target, const char *type, unsigned long flags,
		     const char *options)
{
	make_folders(target);
	if (mount(source, target, type, flags, options))
		die("mount %s on %s", type, target);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("write %s", path);
	close(fd);
}

/* ---- the way to the host's files --------------------------------------------------------------
 */

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
		die("load %s", path);
	close(fd);
}

/* User-mode Linux reaches the host's files at once, but may have overlayfs as a module only. */
static void load_overlay(void)
{
	struct utsname kernel;
	char *path;

	if (uname(&kernel) || asprintf(&path, "%s/lib/modules/%s/kernel/fs/overlayfs/overlay.ko",
				       env("RIG_MODULES"), kernel.release) < 0)
		die("uname");
	if (!access(path, R_OK))
		load_module(path);
	free(path);
}

static int is_module(const struct dirent *entry)
{
	return strstr(entry->d_name, ".ko") != NULL;
}

/* The modules that lead to the host's files are numbered in the order to load them. */
static void load_boot_modules(void)
{
	struct dirent **entries;
	int n = scandir("/modules", &entries, is_module, alphasort);

	if (n < 0)
		die("/modules");
	for (int i = 0; i < n; i++) {
		char *path = path_join("/modules/", entries[i]->d_name);

		load_module(path);
		free(path);
		free(entries[i]);
	}
	free(entries);
}

static void enter(const char *root)
{
	if (chdir(root) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		die("enter %s", root);
}

static void leave_initrd(void)
{
	load_boot_modules();
	mount_at("hostroot", "/root", "9p", MS_RDONLY,
		 "trans=virtio,version=9p2000.L,msize=262144,cache=loose");
	enter("/root");
}

/* ---- the guest's file system ------------------------------------------------------------------
 */

/* The host's files below, memory above: everything can be written, and nothing is kept. */
static void layer_root(void)
{
	mount_at("memory", "/mnt", "tmpfs", 0, "mode=755");
	make_folders("/mnt/upper");
	make_folders("/mnt/work");
	make_folders("/mnt/root");
	if (mount("overlay", "/mnt/root", "overlay", 0,
		  "lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work"))
		die("overlay");
	enter("/mnt/root");
}

static void mount_kernel_views(void)
{
	mount_at("proc", "/proc", "proc", 0, NULL);
	mount_at("sys", "/sys", "sysfs", 0, NULL);
	mount_at("memory", "/run", "tmpfs", 0, "mode=755");
	make_folders("/run/lock");
	mount_at("dev", "/dev", "devtmpfs", 0, NULL);
	mount_at("memory", "/dev/shm", "tmpfs", 0, "mode=1777");
	mount_at("devpts", "/dev/pts", "devpts", 0, NULL);
	(void)symlink("/proc/self/fd", "/dev/fd");
	/* Not every kernel has these, and few commands want them. */
	(void)mount("debug", "/sys/kernel/debug", "debugfs", 0, NULL);
	(void)mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL);
	(void)mount("cgroup", "/sys/fs/cgroup", "cgroup2", 0, NULL);
}

static void mount_out(bool from_qemu)
{
	const char *out = env("RIG_OUT");

	if (from_qemu)
		mount_at("hostout", out, "9p", 0,
			 "trans=virtio,version=9p2000.L,msize=262144,cache=none");
	else
		mount_at("none", out, "hostfs", 0, out);
}

/* Puts a file of RIG_REPLACE over the kernel's module of the same name. */
static int replace_module(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + ftw->base;
	size_t name_len = strcspn(name, ".");
	char *with;

	(void)st;
	if (type != FTW_F || !strstr(name, ".ko"))
		return 0;
	if (asprintf(&with, "%s/%.*s.ko", env("RIG_REPLACE"), (int)name_len, name) < 0)
		die("memory");
	if (!access(with, R_OK) && mount(with, path, NULL, MS_BIND, NULL))
		die("put %s over %s", with, path);
	free(with);
	return 0;
}

static void mount_modules(void)
{
	char *modules = path_join(env("RIG_MODULES"), "/lib/modules");
	char *helper = path_join(env("RIG_TOOLS"), "/modprobe");
	struct utsname kernel;
	char *ipvs;

	mount_at(modules, "/lib/modules", NULL, MS_BIND, NULL);
	write_file("/proc/sys/kernel/modprobe", helper, 0644);
	if (*env("RIG_REPLACE")) {
		if (uname(&kernel) || asprintf(&ipvs, "/lib/modules/%s/kernel/net/netfilter/ipvs",
					       kernel.release) < 0)
			die("uname");
		if (nftw(ipvs, replace_module, 8, FTW_PHYS))
			die("%s", ipvs);
		free(ipvs);
	}
	free(helper);
	free(modules);
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		die("loopback");
	close(fd);
}

/* ---- the command ------------------------------------------------------------------------------
 */

static void set_environment(void)
{
	char *path = path_join("/usr/sbin:/usr/bin:/sbin:/bin:", env("RIG_TOOLS"));
	static const char *const private_names[] = {"RIG_MODULES", "RIG_TOOLS", "RIG_REPLACE",
						    "RIG_REBOOT", "TERM"};

	setenv("PATH", path, 1);
	setenv("HOME", "/root", 1);
	setenv("OUT", env("RIG_OUT"), 1);
	for (size_t i = 0; i < ARRAY_LEN(private_names); i++)
		unsetenv(private_names[i]);
	free(path);
}

static void redirect(const char *path, int flags, int to)
{
	int fd = open(path, flags, 0644);

	if (fd < 0 || dup2(fd, to) < 0)
		die("open %s", path);
	close(fd);
}

static void __attribute__((noreturn)) run_command(const char *out)
{
	setsid();
	redirect("/dev/null", O_RDONLY, STDIN_FILENO);
	redirect(path_join(out, "/stdout"), O_WRONLY | O_CREAT | O_APPEND, STDOUT_FILENO);
	redirect(path_join(out, "/stderr"), O_WRONLY | O_CREAT | O_APPEND, STDERR_FILENO);
	set_environment();
	execl("/bin/bash", "bash", path_join(out, "/command"), NULL);
	_exit(127);
}

/* Reaps orphans too, as a first process must. Returns the command's status as a shell tells it. */
static int wait_for(pid_t command)
{
	int status = 0;
	pid_t pid;

	do {
		pid = wait(&status);
	} while (pid != command && (pid > 0 || errno == EINTR));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(void)
{
	bool from_qemu = !access("/modules", F_OK);
	char *out = path_join(env("RIG_OUT"), "");
	char *reboot_asked = path_join(env("RIG_REBOOT"), "");
	char status[16];
	pid_t pid;

	if (from_qemu)
		leave_initrd();
	else
		load_overlay();
	layer_root();
	mount_kernel_views();
	mount_out(from_qemu);
	mount_modules();
	write_file("/proc/sys/kernel/panic_on_oops", "1", 0644);
	loopback_up();

	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		run_command(out);
	snprintf(status, sizeof(status), "%d\n", wait_for(pid));
	write_file(path_join(out, "/status"), status, 0644);
	sync();
	reboot(*reboot_asked ? RB_AUTOBOOT : RB_POWER_OFF);
	for (;;)
		pause();
}
