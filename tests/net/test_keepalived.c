// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What we promise of keepalived, held against a real one: it follows a track file that is renamed
 * into place, 1 takes the weight off and 254 is a fault, it uses a fifo that is there already and
 * does not remove it. Two of them on one network:
 *
 *   A, priority 120 ---- veth ---- B, priority 100
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "syncd/role/keepalived_fifo.h"
#include "syncd/role/track_file.h"
#include "tests/lib/netns.h"
#include "tests/lib/suite.h"
#include "tests/lib/tmpdir.h"

enum { WAIT_MS = 20000 };

struct node {
	int ns;
	char name;
	pid_t pid;
	struct keepalived_fifo *fifo;
	bool heard[5]; /* by enum vrrp_state */
	enum vrrp_state state;
};

static struct node a = {.name = 'a'}, b = {.name = 'b'};
static char dir[64];

static void on_event(void *ctx, const struct vrrp_event *ev)
{
	struct node *n = ctx;

	if (ev->sync_group || strcmp(ev->name, "VI_1") != 0)
		return;
	n->state = ev->state;
	n->heard[ev->state] = true;
}

static void read_fifos(void)
{
	ck_assert_int_ge(keepalived_fifo_on_readable(a.fifo, on_event, &a), 0);
	ck_assert_int_ge(keepalived_fifo_on_readable(b.fifo, on_event, &b), 0);
}

static void start(struct node *n, int priority)
{
	char conf[128], fifo[128], pids[128], text[1024];
	pid_t pid;

	snprintf(conf, sizeof(conf), "%s/%c.conf", dir, n->name);
	snprintf(fifo, sizeof(fifo), "%s/%c.fifo", dir, n->name);
	snprintf(pids, sizeof(pids), "%s/%c", dir, n->name);
	snprintf(text, sizeof(text),
		 "global_defs {\n  vrrp_notify_fifo %s\n  script_user root\n}\n"
		 "vrrp_track_file ready {\n  file %s/%c.ready\n  weight -60\n  init_file 1\n}\n"
		 "vrrp_instance VI_1 {\n  interface lan\n  virtual_router_id 51\n  state BACKUP\n"
		 "  priority %d\n  advert_int 0.1\n  version 3\n"
		 "  virtual_ipaddress {\n    203.0.113.10/32 dev lan\n  }\n"
		 "  track_file {\n    ready\n  }\n}\n",
		 fifo, dir, n->name, priority);
	tmpdir_write(conf, text);
	ck_assert_int_eq(chmod(conf, 0644), 0);
	if (n->fifo == NULL)
		ck_assert_int_eq(keepalived_fifo_open(fifo, &n->fifo), 0);
	pid = fork();
	if (pid == 0) {
		const int null = open("/dev/null", O_WRONLY);
		char pidfile[140], vrrp[140];

		snprintf(pidfile, sizeof(pidfile), "%s.pid", pids);
		snprintf(vrrp, sizeof(vrrp), "%s.vrrp.pid", pids);
		dup2(null, STDERR_FILENO);
		dup2(null, STDOUT_FILENO);
		if (netns_switch(n->ns) < 0)
			_exit(99);
		execlp("keepalived", "keepalived", "-P", "-n", "-l", "-f", conf, "-p", pidfile,
		       "-r", vrrp, NULL);
		_exit(98);
	}
	n->pid = pid;
}

static void end(struct node *n)
{
	if (n->pid > 0) {
		kill(n->pid, SIGTERM);
		waitpid(n->pid, NULL, 0);
	}
	n->pid = 0;
}

static void setup(void)
{
	tmpdir_make(dir);
	ck_assert_int_eq(netns_enter(), 0);
	a.ns = netns_current();
	b.ns = netns_new();
	ck_assert_int_ge(b.ns, 0);
	ck_assert_int_eq(netns_link(a.ns, "lan", b.ns, "lan"), 0);
	ck_assert_int_eq(netns_sh("ip addr add 192.0.2.1/24 dev lan"), 0);
	ck_assert_int_eq(netns_switch(b.ns), 0);
	ck_assert_int_eq(netns_sh("ip addr add 192.0.2.2/24 dev lan"), 0);
	ck_assert_int_eq(netns_switch(a.ns), 0);
}

static void teardown(void)
{
	end(&a);
	end(&b);
	keepalived_fifo_free(a.fifo);
	keepalived_fifo_free(b.fifo);
	close(b.ns);
	tmpdir_remove(dir);
}

static void write_track(const struct node *n, int value)
{
	const char group[2] = {n->name, '\0'};

	ck_assert_int_eq(track_file_write(dir, group, value), 0);
}

static enum vrrp_state want_a, want_b;
static bool states_are(void *unused)
{
	(void)unused;
	read_fifos();
	return a.state == want_a && b.state == want_b;
}

static void expect(enum vrrp_state in_a, enum vrrp_state in_b)
{
	want_a = in_a;
	want_b = in_b;
	ck_assert_msg(netns_wait_for(states_are, NULL, WAIT_MS), "A %u and B %u, not %u and %u",
		      a.state, b.state, in_a, in_b);
}

START_TEST(test_track_file)
{
	write_track(&a, TRACK_NOT_READY);
	write_track(&b, TRACK_READY);
	a.state = b.state = VRRP_DELETED;
	start(&a, 120);
	start(&b, 100);
	expect(VRRP_BACKUP, VRRP_MASTER); /* not ready: does not win */
	write_track(&a, TRACK_READY);
	expect(VRRP_MASTER, VRRP_BACKUP);
	write_track(&b, TRACK_NOT_READY);
	write_track(&a, TRACK_NOT_READY); /* nobody is ready: the best serves */
	end(&b);
	a.heard[VRRP_BACKUP] = false;
	start(&b, 100);
	b.state = VRRP_DELETED;
	expect(VRRP_MASTER, VRRP_BACKUP);
	ck_assert(!a.heard[VRRP_BACKUP]);
	write_track(&a, TRACK_NOT_READY_CLOSED); /* also how a handover gives the address up */
	expect(VRRP_FAULT, VRRP_MASTER);
	write_track(&b, TRACK_NOT_READY_CLOSED);
	expect(VRRP_FAULT, VRRP_FAULT); /* fail closed */
	write_track(&b, TRACK_READY);
	expect(VRRP_FAULT, VRRP_MASTER);
}
END_TEST

/* keepalived comes and goes; the fifo that we made stays, and so does what reads it. */
START_TEST(test_fifo_stays)
{
	write_track(&a, TRACK_READY);
	write_track(&b, TRACK_READY);
	a.state = b.state = VRRP_DELETED;
	start(&a, 120);
	start(&b, 100);
	expect(VRRP_MASTER, VRRP_BACKUP);
	end(&a);
	expect(VRRP_STOP, VRRP_MASTER);
	ck_assert_int_eq(keepalived_fifo_check(a.fifo), 0);
	start(&a, 120);
	expect(VRRP_MASTER, VRRP_BACKUP);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("keepalived");
	TCase *t = tcase_create("keepalived");

	if (!netns_usable("keepalived"))
		return 77;
	tcase_set_timeout(t, 150);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_track_file);
	tcase_add_test(t, test_fifo_stays);
	suite_add_tcase(s, t);
	return suite_run(s);
}
