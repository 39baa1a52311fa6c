// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is installed beside the programs: keepalived reads the sample configurations, the notify
 * script and the OCF agent tell the daemon's control socket the right things. A stand-in answers on
 * the socket, so that every answer, also the failing ones, can be given. Run from the top of the
 * tree.
 */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syncd/ctl/ctl_server.h"
#include "tests/lib/netns.h"
#include "tests/lib/suite.h"
#include "tests/lib/tmpdir.h"

static char dir[64], top[512], programs[512];
static struct ctl_server *server;
static pthread_t thread;
static atomic_bool stop, ready, deaf, handover;
static _Atomic(const char *) role;
static atomic_int told;

/* The server's thread writes it while the test's reads it. */
static void set_role(const char *wanted)
{
	static const char *const known[] = {"active", "standby", "idle"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(wanted, known[i]) == 0)
			role = known[i];
}

static int cmd_role(void *ctx, const json_t *request, json_t *response)
{
	const char *want = json_string_value(json_object_get(request, "role"));
	const char *group = json_string_value(json_object_get(request, "group"));

	(void)ctx;
	if (group == NULL || strcmp(group, "web") != 0)
		return CTL_CODE_USAGE;
	if (want != NULL) {
		told++;
		if (!atomic_load(&deaf))
			set_role(want);
	} else {
		json_object_set_new(response, "role", json_string(role));
	}
	return CTL_CODE_YES;
}

static int cmd_ready(void *ctx, const json_t *request, json_t *response)
{
	(void)ctx;
	(void)request;
	(void)response;
	return atomic_load(&ready) ? CTL_CODE_YES : CTL_CODE_NO;
}

static int cmd_status(void *ctx, const json_t *request, json_t *response)
{
	(void)ctx;
	(void)request;
	json_object_set_new(response, "groups",
			    json_pack("[{s:s,s:b},{s:s,s:b}]", "name", "other", "handover", 1,
				      "name", "web", "handover", atomic_load(&handover) ? 1 : 0));
	return CTL_CODE_YES;
}

static const struct ctl_command commands[] = {
	{"role", cmd_role}, {"ready", cmd_ready}, {"status", cmd_status}, {NULL, NULL}};

static void *serve(void *arg)
{
	struct pollfd p = {.fd = ctl_server_fd(server), .events = POLLIN};

	(void)arg;
	while (!atomic_load(&stop))
		if (poll(&p, 1, 10) > 0)
			ctl_server_on_readable(server);
	return NULL;
}

static void start_server(void)
{
	char path[96];
	const struct ctl_server_config cfg = {
		.path = path, .group = (gid_t)-1, .command = commands, .ctx = NULL};

	snprintf(path, sizeof(path), "%s/ctl", dir);
	ck_assert_int_eq(ctl_server_new(&cfg, &server), 0);
	atomic_store(&stop, false);
	pthread_create(&thread, NULL, serve, NULL);
}

static void stop_server(void)
{
	if (server == NULL)
		return;
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	ctl_server_free(server);
	server = NULL;
}

static void setup(void)
{
	char path[160], text[512];
	ssize_t n;

	ck_assert_ptr_nonnull(getcwd(top, sizeof(top)));
	n = readlink("/proc/self/exe", programs, sizeof(programs) - 1);
	ck_assert_int_gt(n, 0);
	programs[n] = '\0';
	*strrchr(programs, '/') = '\0'; /* build/V/tests */
	*strrchr(programs, '/') = '\0';
	tmpdir_make(dir);
	snprintf(path, sizeof(path), "%s/syncd.conf", dir);
	snprintf(text, sizeof(text),
		 "node a { id = 1 }\nlink l { interface = lo }\ninsecure = true\n"
		 "group web { id = 1 }\nruntime_dir = \"%s\"\nstate_dir = \"%s\"\n",
		 dir, dir);
	tmpdir_write(path, text);
	/* Pacemaker's program, as far as the agent needs it: keeps the score in a file. */
	snprintf(path, sizeof(path), "%s/crm_attribute", dir);
	snprintf(text, sizeof(text),
		 "#!/bin/sh\nfor a; do last=$a; done\n"
		 "[ \"$1 $2 $3\" = '--promotion --lifetime reboot' ] || exit 1\n"
		 "case $last in -D) echo none ;; *) echo $last ;; esac >%s/score\n",
		 dir);
	tmpdir_write(path, text);
	ck_assert_int_eq(chmod(path, 0755), 0);
	role = "idle";
	told = 0;
	atomic_store(&ready, false);
	atomic_store(&deaf, false);
	atomic_store(&handover, false);
	atomic_store(&handover, false);
}

static void teardown(void)
{
	stop_server();
	tmpdir_remove(dir);
}

static int notify(const char *args)
{
	return netns_sh("%s/dist/keepalived/syncd-notify -c %s/syncd.conf -S %s/syncctl %s "
			"2>/dev/null",
			top, dir, programs, args);
}

START_TEST(test_notify)
{
	static const struct {
		const char *args, *role;
	} said[] = {
		{"INSTANCE web MASTER 100", "active"},
		{"INSTANCE web BACKUP 100", "standby"},
		{"-g web INSTANCE VI_1 MASTER 100", "active"},
		{"-g web GROUP VG FAULT 0", "standby"},
		{"-g web INSTANCE VI_1 MASTER_RX_LOWER_PRI 100", "standby"},
		{"-g web INSTANCE VI_1 DELETED 100", "idle"},
		{"INSTANCE web MASTER", "active"},
		{"INSTANCE web STOP 0", "standby"},
	};

	start_server();
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		ck_assert_int_eq(notify(said[i].args), 0);
		ck_assert_str_eq(role, said[i].role);
	}
	ck_assert_int_eq(notify("INSTANCE other MASTER 100"), 2);
	ck_assert_int_eq(notify("INSTANCE"), 2);
}
END_TEST

static bool was_asked(void *path)
{
	return access(path, F_OK) == 0;
}

static void *start_late(void *path)
{
	ck_assert(netns_wait_for(was_asked, path, 10000));
	start_server();
	return NULL;
}

/* The daemon restarts in the very moment of a takeover: it is told all the same. */
START_TEST(test_notify_waits)
{
	char asked[96], path[96], text[1200];
	pthread_t late;

	snprintf(asked, sizeof(asked), "%s/asked", dir);
	snprintf(path, sizeof(path), "%s/noting", dir);
	snprintf(text, sizeof(text), "#!/bin/sh\n%s/syncctl \"$@\"; rc=$?; : >%s; exit $rc\n",
		 programs, asked);
	tmpdir_write(path, text);
	ck_assert_int_eq(chmod(path, 0755), 0);
	pthread_create(&late, NULL, start_late, asked);
	ck_assert_int_eq(netns_sh("%s/dist/keepalived/syncd-notify -c %s/syncd.conf -S %s "
				  "INSTANCE web MASTER 100 2>/dev/null",
				  top, dir, path),
			 0);
	pthread_join(late, NULL);
	ck_assert_str_eq(role, "active");
	stop_server();
	ck_assert_int_eq(notify("INSTANCE web BACKUP 100"), 3);
}
END_TEST

static int agent(const char *action)
{
	return netns_sh("PATH=%s:$PATH OCF_RESKEY_group=web OCF_RESKEY_config=%s/syncd.conf "
			"OCF_RESKEY_syncctl=%s/syncctl %s/dist/ocf/syncd %s 2>/dev/null",
			dir, dir, programs, top, action);
}

static const char *score(char buf[16])
{
	char path[96];

	snprintf(path, sizeof(path), "%s/score", dir);
	return tmpdir_read(path, buf, 16);
}

/* Exit codes of the agent: OCF resource agent API 1.1. */
START_TEST(test_agent_life)
{
	char buf[16];

	start_server();
	ck_assert_int_eq(agent("validate-all"), 0);
	ck_assert_int_eq(agent("monitor"), 7);
	ck_assert_int_eq(agent("start"), 0);
	ck_assert_str_eq(role, "standby");
	ck_assert_str_eq(score(buf), "5\n");
	ck_assert_int_eq(agent("monitor"), 0);
	atomic_store(&ready, true);
	ck_assert_int_eq(agent("monitor"), 0);
	ck_assert_str_eq(score(buf), "100\n");
	ck_assert_int_eq(agent("promote"), 0);
	ck_assert_str_eq(role, "active");
	ck_assert_str_eq(score(buf), "200\n");
	ck_assert_int_eq(agent("monitor"), 8);
	ck_assert_int_eq(agent("notify"), 0);
	ck_assert_str_eq(score(buf), "200\n");
	atomic_store(&handover, true); /* below a ready one, above one that is not */
	ck_assert_int_eq(agent("monitor"), 8);
	ck_assert_str_eq(score(buf), "50\n");
	ck_assert_int_eq(agent("demote"), 0);
	ck_assert_str_eq(role, "standby");
	ck_assert_str_eq(score(buf), "100\n");
	ck_assert_int_eq(agent("stop"), 0);
	ck_assert_str_eq(role, "idle");
	ck_assert_str_eq(score(buf), "none\n");
	ck_assert_int_eq(agent("monitor"), 7);
	ck_assert_int_eq(agent("stop"), 0); /* twice is legal */
	ck_assert_int_eq(agent("migrate_to"), 3);
}
END_TEST

START_TEST(test_agent_failures)
{
	char buf[16];

	ck_assert_int_eq(agent("monitor"), 7); /* no daemon */
	ck_assert_int_eq(agent("stop"), 0);
	start_server();
	atomic_store(&deaf, true);
	ck_assert_int_eq(agent("promote"), 1); /* told, and not done */
	ck_assert_int_eq(netns_sh("%s/dist/ocf/syncd start 2>/dev/null", top), 6);
	ck_assert_int_eq(
		netns_sh("OCF_RESKEY_group=web OCF_RESKEY_config=/nonexistent "
			 "OCF_RESKEY_syncctl=%s/syncctl %s/dist/ocf/syncd start 2>/dev/null",
			 programs, top),
		5);
	atomic_store(&deaf, false);
	role = "standby";
	ck_assert_int_eq(netns_sh("PATH=%s:$PATH OCF_RESKEY_group=web OCF_RESKEY_fail_closed=true "
				  "OCF_RESKEY_config=%s/syncd.conf OCF_RESKEY_syncctl=%s/syncctl "
				  "%s/dist/ocf/syncd monitor",
				  dir, dir, programs, top),
			 0);
	ck_assert_str_eq(score(buf), "none\n");
}
END_TEST

START_TEST(test_agent_metadata)
{
	ck_assert_int_eq(netns_sh("%s/dist/ocf/syncd meta-data | python3 -c 'import sys\n"
				  "import xml.etree.ElementTree as e\n"
				  "r = e.parse(sys.stdin).getroot()\n"
				  "have = {a.get(\"name\") for a in r.find(\"actions\")}\n"
				  "need = {\"start\", \"stop\", \"monitor\", \"promote\", "
				  "\"demote\", \"notify\", "
				  "\"meta-data\", \"validate-all\"}\n"
				  "sys.exit(r.get(\"name\") != \"syncd\" or have != need)'",
				  top),
			 0);
}
END_TEST

/* The cluster project's own judges of agents, where they are installed. */
START_TEST(test_agent_judges)
{
	start_server();
	ck_assert_int_eq(
		netns_sh(
			"dtd=/usr/share/resource-agents/ra-api-1.dtd\n"
			"[ -e $dtd ] && command -v xmllint >/dev/null || "
			"{ echo 'dist: no ra-api-1.dtd or xmllint here: not looked at'; exit 0; }\n"
			"%s/dist/ocf/syncd meta-data | grep -v DOCTYPE | "
			"xmllint --noout --dtdvalid $dtd -",
			top),
		0);
	ck_assert_int_eq(
		netns_sh("command -v ocf-tester >/dev/null || "
			 "{ echo 'dist: no ocf-tester here: not run'; exit 0; }\n"
			 "PATH=%s:$PATH ocf-tester -n web -o group=web -o config=%s/syncd.conf "
			 "-o syncctl=%s/syncctl %s/dist/ocf/syncd >%s/said 2>&1 || "
			 "{ cat %s/said; exit 1; }",
			 dir, dir, programs, top, dir, dir),
		0);
}
END_TEST

/* What the unit runs when it is stopped: systemctl's and syncctl's parts are played by scripts. */
static int unit_stops(const char *job)
{
	char path[160], text[256];

	snprintf(path, sizeof(path), "%s/systemctl", dir);
	snprintf(text, sizeof(text), "#!/bin/sh\necho '12 syncd.service %s running'\n", job);
	tmpdir_write(path, text);
	ck_assert_int_eq(chmod(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/syncctl", dir);
	snprintf(text, sizeof(text), "#!/bin/sh\necho \"$@\" >%s/asked\nexit 1\n", dir);
	tmpdir_write(path, text);
	ck_assert_int_eq(chmod(path, 0755), 0);
	return netns_sh("PATH=%s:$PATH %s/dist/systemd/syncd-stop /x.conf", dir, top);
}

START_TEST(test_unit_stops)
{
	char path[96], text[64];

	snprintf(path, sizeof(path), "%s/asked", dir);
	ck_assert_int_eq(unit_stops("restart"), 0);
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_int_eq(unit_stops("stop"), 0); /* also where nobody is ready to take over */
	ck_assert_str_eq(tmpdir_read(path, text, sizeof(text)), "-c /x.conf handover -w 10\n");
}
END_TEST

/* keepalived's own check of each sample, with interfaces of those names and the paths of this tree.
 */
START_TEST(test_samples)
{
	ck_assert_int_eq(netns_enter(), 0);
	ck_assert_int_eq(
		netns_sh(
			"for i in eth0 eth1 vrrp; do ip link add $i type veth peer name $i-peer && "
			"ip link set $i up || exit 1; done"),
		0);
	ck_assert_int_eq(netns_sh("for f in dist/keepalived/*.conf; do "
				  "sed 's|/usr/local/libexec/syncd|%s/dist/keepalived|; "
				  "s|/usr/bin/ping|/bin/true|' $f >%s/k.conf && "
				  "keepalived -t -f %s/k.conf 2>%s/said || "
				  "{ echo $f; cat %s/said; exit 1; }; done",
				  top, dir, dir, dir, dir),
			 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dist");
	TCase *t = tcase_create("dist");

	if (!netns_usable("dist"))
		return 77;
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_notify);
	tcase_add_test(t, test_notify_waits);
	tcase_add_test(t, test_agent_life);
	tcase_add_test(t, test_agent_failures);
	tcase_add_test(t, test_agent_metadata);
	tcase_add_test(t, test_agent_judges);
	tcase_add_test(t, test_unit_stops);
	tcase_add_test(t, test_samples);
	suite_add_tcase(s, t);
	return suite_run(s);
}
