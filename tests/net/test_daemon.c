// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs as an operator meets them: exit codes and messages for what is wrong, commands of
 * syncctl, reload, restart. Two nodes in namespaces of their own, joined by one link:
 *
 *   lb-a 10.9.0.1 ---- sync ---- 10.9.0.2 lb-b
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/key_file.h"
#include "tests/lib/netns.h"
#include "tests/lib/suite.h"
#include "tests/lib/tmpdir.h"

enum { WAIT_MS = 15000, TEXT_MAX = 65536 };

static char dir[64], programs[512];
static int ns[2];
static pid_t daemon_pid[2];

#define GROUPS "group web { id = 1 match = { 203.0.113.10 } }\ngroup rest { id = 2 }\n"

/* Writes NODE.conf; `more` stands behind what both have. */
static void configure(int n, const char *key, const char *more)
{
	char path[96], text[2048];

	snprintf(path, sizeof(path), "%s/%c.conf", dir, 'a' + n);
	snprintf(text, sizeof(text),
		 "node lb-%c { id = %d }\nlink s { interface = sync }\n"
		 "key 1 { file = \"%s/%s\" }\n%s"
		 "runtime_dir = \"%s/run-%c\"\nstate_dir = \"%s/lib-%c\"\n",
		 'a' + n, n + 1, dir, key, more, dir, 'a' + n, dir, 'a' + n);
	tmpdir_write(path, text);
}

static void make_key(const char *name)
{
	struct group_key key;
	char path[96];

	group_key_generate(&key, 1, NULL);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(key_file_write(path, &key), 0);
}

static void start(int n)
{
	char conf[96], log[96], program[600];

	snprintf(conf, sizeof(conf), "%s/%c.conf", dir, 'a' + n);
	snprintf(log, sizeof(log), "%s/%c.log", dir, 'a' + n);
	snprintf(program, sizeof(program), "%s/syncd", programs);
	daemon_pid[n] = fork();
	if (daemon_pid[n] == 0) {
		const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		if (netns_switch(ns[n]) < 0 || dup2(fd, STDERR_FILENO) < 0)
			_exit(99);
		execl(program, "syncd", "-c", conf, NULL);
		_exit(98);
	}
}

/* Waits for the end. Returns the exit code. */
static int ended(int n)
{
	int status;

	ck_assert_int_eq(waitpid(daemon_pid[n], &status, 0), daemon_pid[n]);
	daemon_pid[n] = 0;
	ck_assert_msg(WIFEXITED(status), "signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static int end_by(int n, int signo)
{
	int status;

	kill(daemon_pid[n], signo);
	if (signo != SIGKILL)
		return ended(n);
	ck_assert_int_eq(waitpid(daemon_pid[n], &status, 0), daemon_pid[n]);
	daemon_pid[n] = 0;
	return 0;
}

static bool logged(int n, const char *text)
{
	static char log[TEXT_MAX];
	char path[96];

	snprintf(path, sizeof(path), "%s/%c.log", dir, 'a' + n);
	return access(path, R_OK) == 0 && strstr(tmpdir_read(path, log, sizeof(log)), text) != NULL;
}

static int ctl(int n, const char *args)
{
	return netns_sh("%s/syncctl -c %s/%c.conf %s >%s/out 2>%s/err", programs, dir, 'a' + n,
			args, dir, dir);
}

static bool said(const char *file, const char *text)
{
	static char got[TEXT_MAX];
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return strstr(tmpdir_read(path, got, sizeof(got)), text) != NULL;
}

static bool answers(void *n)
{
	return ctl(*(int *)n, "status") == 0;
}

static void start_and_wait(int n)
{
	start(n);
	ck_assert_msg(netns_wait_for(answers, &n, WAIT_MS), "syncd does not answer");
}

static void setup(void)
{
	ssize_t n = readlink("/proc/self/exe", programs, sizeof(programs) - 1);

	ck_assert_int_gt(n, 0);
	programs[n] = '\0';
	*strrchr(programs, '/') = '\0';
	*strrchr(programs, '/') = '\0';
	tmpdir_make(dir);
	ck_assert_int_eq(netns_enter(), 0);
	ns[0] = netns_current();
	ns[1] = netns_new();
	ck_assert_int_ge(ns[1], 0);
	ck_assert_int_eq(netns_link(ns[0], "sync", ns[1], "sync"), 0);
	ck_assert_int_eq(netns_sh("ip addr add 10.9.0.1/24 dev sync"), 0);
	ck_assert_int_eq(netns_switch(ns[1]), 0);
	ck_assert_int_eq(netns_sh("ip addr add 10.9.0.2/24 dev sync"), 0);
	ck_assert_int_eq(netns_switch(ns[0]), 0);
	make_key("1.key");
	configure(0, "1.key", GROUPS);
	configure(1, "1.key", GROUPS);
}

static void teardown(void)
{
	for (int i = 0; i < 2; i++)
		if (daemon_pid[i] > 0) {
			kill(daemon_pid[i], SIGKILL);
			waitpid(daemon_pid[i], NULL, 0);
		}
	close(ns[1]);
	tmpdir_remove(dir);
}

/* ---- what is wrong at the start: exit code, and what the operator reads ---- */

static void expect_failure(int code, const char *text)
{
	start(0);
	ck_assert_int_eq(ended(0), code);
	ck_assert_msg(logged(0, text), "the log does not say: %s", text);
}

START_TEST(test_bad_configuration)
{
	configure(0, "1.key", GROUPS "colour = red\n");
	expect_failure(2, "a.conf:6: no such option 'colour'");
	ck_assert_int_eq(netns_sh("%s/syncd -t -c %s/a.conf 2>/dev/null", programs, dir), 2);
	ck_assert_int_eq(netns_sh("%s/syncd -t -c %s/b.conf 2>/dev/null", programs, dir), 0);
	ck_assert_int_eq(netns_sh("%s/syncd -c /nonexistent 2>/dev/null", programs), 2);
	ck_assert_int_eq(netns_sh("%s/syncd --what 2>/dev/null", programs), 2);
	ck_assert_int_eq(ctl(0, "status"), 2);
	ck_assert(said("err", "a.conf:6:"));
}
END_TEST

START_TEST(test_printed_configuration)
{
	ck_assert_int_eq(netns_sh("%s/syncd -p -c %s/a.conf >%s/c.conf && "
				  "%s/syncd -p -c %s/c.conf | cmp - %s/c.conf",
				  programs, dir, dir, programs, dir, dir),
			 0);
}
END_TEST

START_TEST(test_bad_keys)
{
	char path[96];

	configure(0, "2.key", GROUPS);
	expect_failure(2, "2.key: No such file or directory: make one with `syncctl genkey`");
	snprintf(path, sizeof(path), "%s/1.key", dir);
	ck_assert_int_eq(chmod(path, 0644), 0);
	configure(0, "1.key", GROUPS);
	expect_failure(3, "must be 0600");
	snprintf(path, sizeof(path), "%s/2.key", dir);
	tmpdir_write(path, "nonsense\n");
	ck_assert_int_eq(chmod(path, 0600), 0);
	configure(0, "2.key", GROUPS);
	expect_failure(2, "2.key: not a key file: make one with `syncctl genkey`");
}
END_TEST

START_TEST(test_no_interface)
{
	ck_assert_int_eq(netns_sh("ip link del sync"), 0);
	expect_failure(2, "sync");
}
END_TEST

START_TEST(test_no_rights)
{
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(netns_sh("setpriv --reuid 65534 --regid 65534 --clear-groups "
				  "%s/syncd -c %s/a.conf 2>%s/err",
				  programs, dir, dir),
			 3);
	ck_assert(said("err", "CAP_NET_ADMIN is missing"));
}
END_TEST

START_TEST(test_second_daemon)
{
	start_and_wait(0);
	ck_assert_int_eq(netns_sh("%s/syncd -c %s/a.conf 2>%s/err", programs, dir, dir), 1);
	ck_assert_int_eq(ctl(0, "status"), 0); /* the first has not suffered */
}
END_TEST

START_TEST(test_damaged_terms)
{
	char path[96];

	start_and_wait(0);
	ck_assert_int_eq(ctl(0, "role web active"), 0);
	ck_assert_int_eq(end_by(0, SIGTERM), 0);
	snprintf(path, sizeof(path), "%s/lib-a/terms", dir);
	tmpdir_write(path, "syncd terms 1\ngroup 1 te");
	start(0);
	ck_assert_int_eq(ended(0), 1);
	ck_assert(logged(0, "terms:"));
}
END_TEST

/* ---- a pair that runs ---- */

/* Each member of what lies in "out", a status, and each metric is in syncctl(8). */
static void check_manual(void)
{
	ck_assert_int_eq(
		netns_sh("%s/syncctl -c %s/a.conf metrics >%s/metrics", programs, dir, dir), 0);
	ck_assert_int_eq(
		netns_sh("python3 -c 'import json,re\n"
			 "man = set()\n"
			 "for l in open(\"docs/man/syncctl.8\"):\n"
			 "    if l.startswith((\".Li\", \".It Li\")):\n"
			 "        man |= set(re.findall(\"[a-z0-9_]+\", l))\n"
			 "def look(o):\n"
			 "    for k in o:\n"
			 "        assert not isinstance(o, dict) or k in man, k\n"
			 "        v = o[k] if isinstance(o, dict) else k\n"
			 "        if isinstance(v, (dict, list)): look(v)\n"
			 "look(json.load(open(\"%s/out\")))\n"
			 "n = 0\n"
			 "for l in open(\"%s/metrics\"):\n"
			 "    if l.startswith(\"# TYPE\"):\n"
			 "        name = l.split()[2]; n += 1\n"
			 "        names = {name[6:], name, name + \"_total\", name + \"_info\"}\n"
			 "        assert names & man, name\n"
			 "assert n > 60, n'",
			 dir, dir),
		0);
}

START_TEST(test_pair)
{
	start_and_wait(0);
	start_and_wait(1);
	ck_assert_int_eq(ctl(0, "role web active"), 0);
	ck_assert_int_eq(ctl(0, "role rest active"), 0);
	ck_assert_int_eq(ctl(0, "role web"), 0);
	ck_assert(said("out", "active\n"));
	ck_assert_int_eq(ctl(1, "verify -w 15"), 0);
	ck_assert_int_eq(ctl(0, "verify -w 15"), 0);
	ck_assert_int_eq(ctl(1, "ready -w 15 web"), 0);
	ck_assert_int_eq(ctl(1, "-j status"), 0);
	ck_assert_int_eq(
		netns_sh("python3 -c 'import json,sys\n"
			 "s = json.load(open(\"%s/out\"))\n"
			 "for k in \"node session version groups peers links kernel "
			 "counters\".split():\n"
			 "    assert k in s, k\n"
			 "for k in (\"name role state term active flows installed equal "
			 "equal_age_ms\"\n"
			 "          \" lag_ms would_lose reasons\").split():\n"
			 "    assert k in s[\"groups\"][0], k\n"
			 "for k in \"node session heard_ms rtt_us link\".split():\n"
			 "    assert k in s[\"peers\"][0], k\n"
			 "assert s[\"groups\"][0][\"active\"] == 1\n"
			 "assert \"conntrack\" in s[\"kernel\"] and \"ipvs\" in s[\"kernel\"]\n"
			 "assert s[\"peers\"][0][\"link\"] == \"s\" and \"code\" not in s'",
			 dir),
		0);
	check_manual();
	/* no keepalived here that would take the role away: it stays, until it is called off */
	ck_assert_int_eq(ctl(0, "handover web lb-c"), 1);
	ck_assert(said("err", "not a standby that is ready"));
	ck_assert_int_eq(ctl(0, "handover -w 1 web lb-b"), 1);
	ck_assert(said("err", "still active"));
	ck_assert_int_eq(netns_sh("grep -qx 254 %s/run-a/web.ready", dir), 0);
	ck_assert_int_eq(ctl(0, "role web active"), 0);
	ck_assert_int_eq(netns_sh("grep -qx 0 %s/run-a/web.ready", dir), 0);
	ck_assert_int_eq(ctl(0, "handover -w 1"), 1); /* all groups */
	ck_assert_int_eq(netns_sh("grep -qx 254 %s/run-a/rest.ready", dir), 0);
	/* whoever decides does so */
	ck_assert_int_eq(ctl(0, "role web standby"), 0);
	ck_assert_int_eq(ctl(0, "handover -w 5 web"), 1); /* no longer active here */
	ck_assert_int_eq(ctl(0, "role rest standby"), 0);
	/* no, wrong, and unknown */
	ck_assert_int_eq(end_by(0, SIGTERM), 0);
	ck_assert_int_eq(ctl(0, "status"), 3);
	ck_assert_int_eq(ctl(1, "role other active"), 2);
	ck_assert_int_eq(ctl(1, "role web king"), 2);
	ck_assert_int_eq(ctl(1, "flows"), 2); /* which group? */
	ck_assert_int_eq(ctl(1, "dance"), 2);
	ck_assert_int_eq(ctl(1, "ready -w soon web"), 2);
	ck_assert_int_eq(ctl(1, "flows -n -1 web"), 2);
	ck_assert_int_eq(ctl(1, "handover web"), 1);
	ck_assert(said("err", "not active here"));
	ck_assert_int_eq(netns_sh("%s/syncctl -s %s/run-b/ctl peers >/dev/null", programs, dir), 0);
	ck_assert_int_eq(end_by(1, SIGTERM), 0);
	ck_assert_int_ne(netns_sh("test -e %s/run-b/ctl", dir), 0);
}
END_TEST

/* Killed on the active and started again: it resumes without being told. */
START_TEST(test_restart)
{
	start_and_wait(0);
	ck_assert_int_eq(ctl(0, "role web active"), 0);
	ck_assert_int_eq(ctl(0, "verify web"), 1);
	ck_assert(said("out", "no standby is heard"));
	end_by(0, SIGKILL);
	start_and_wait(0);
	ck_assert_int_eq(ctl(0, "role web"), 0);
	ck_assert(said("out", "active\n"));
	ck_assert_int_eq(ctl(0, "role rest"), 0);
	ck_assert(said("out", "standby\n"));
}
END_TEST

static bool has_metric(void *text)
{
	return ctl(0, "metrics") == 0 && said("out", text);
}

static bool log_says(void *text)
{
	return logged(0, text);
}

/* Nonsense, what was routed, and the datagrams of another cluster: a counter each, and no more. */
START_TEST(test_strangers)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(SYNC_PORT)};
	char all_counted[] = "syncd_malformed_total 200";
	char routed_refused[] = "datagrams had passed a router and were refused";
	char other_key[] = "sealed with another key, 0 of them under an id that is not here";
	char all_refused[] = "syncd_link_ttl_refused_total{link=\"s\"} 3";
	int fd, ttl = 255, routed = 254;

	make_key("other.key");
	configure(1, "other.key", GROUPS);
	start_and_wait(0);
	start_and_wait(1);
	ck_assert_int_eq(netns_switch(ns[1]), 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, "224.0.0.181", &to.sin_addr);
	setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof(ttl));
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "sync", 5), 0);
	for (unsigned seed = 1, i = 0; i < 200; i++) {
		char junk[300];

		for (size_t b = 0; b < sizeof(junk); b++)
			junk[b] = (char)(seed = seed * 1103515245 + 12345);
		ck_assert_int_eq(sendto(fd, junk, 1 + i, 0, (struct sockaddr *)&to, sizeof(to)),
				 1 + i);
	}
	setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &routed, sizeof(routed));
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(sendto(fd, &to, 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	close(fd);
	ck_assert_int_eq(netns_switch(ns[0]), 0);
	ck_assert(netns_wait_for(has_metric, all_counted, WAIT_MS));
	ck_assert(netns_wait_for(has_metric, all_refused, WAIT_MS));
	ck_assert(netns_wait_for(log_says, routed_refused, WAIT_MS));
	ck_assert(netns_wait_for(log_says, other_key, WAIT_MS));
	ck_assert_int_eq(ctl(0, "doctor"), 0);
	ck_assert(said("out", "sealed with another key"));
	ck_assert_int_eq(ctl(0, "-j status"), 0);
	ck_assert(said("out", "\"peers\": []"));
	ck_assert(!said("out", "\"bad_tag\": 0"));
}
END_TEST

static bool impostor_seen(void *unused)
{
	(void)unused;
	return logged(0, "another node uses this node's id") &&
	       logged(1, "another node uses this node's id");
}

START_TEST(test_one_id_twice)
{
	char path[96], text[2048], *at;

	configure(1, "1.key", GROUPS);
	snprintf(path, sizeof(path), "%s/b.conf", dir);
	tmpdir_read(path, text, sizeof(text));
	at = strstr(text, "id = 2");
	ck_assert_ptr_nonnull(at);
	at[5] = '1';
	tmpdir_write(path, text);
	start_and_wait(0);
	start_and_wait(1);
	ck_assert_msg(netns_wait_for(impostor_seen, NULL, WAIT_MS), "no alarm");
}
END_TEST

static bool other_says_too(void *unused)
{
	(void)unused;
	return ctl(1, "status") == 0 && said("out", "differs in: nat rules, tcp_loose");
}

/* What differs from the other node is named, and named again when it changes; neither is less
 * ready. */
START_TEST(test_drift)
{
	char settings[] = "node lb-b differs from this one in: tcp_loose";
	char rules[] = "node lb-b differs from this one in: nat rules, tcp_loose";
	char nothing[] = "node lb-b differs in nothing any more";
	char offload[] = "flowtables (inet f ft)";

	ck_assert_int_eq(netns_sysctl_set("net/netfilter/nf_conntrack_tcp_loose", 0), 0);
	start_and_wait(0);
	start_and_wait(1);
	ck_assert(netns_wait_for(log_says, settings, WAIT_MS));
	ck_assert_int_eq(
		netns_sh("nft 'table ip n { chain c { type nat hook prerouting priority 0; "
			 "tcp dport 80 counter dnat to 192.0.2.9:8080; }; }'"),
		0);
	ck_assert(netns_wait_for(log_says, rules, WAIT_MS));
	ck_assert(netns_wait_for(other_says_too, NULL, WAIT_MS));
	ck_assert_int_eq(netns_sh("nft delete table ip n"), 0);
	ck_assert_int_eq(netns_sysctl_set("net/netfilter/nf_conntrack_tcp_loose", 1), 0);
	ck_assert(netns_wait_for(log_says, nothing, WAIT_MS));
	ck_assert(netns_sh("nft 'table inet f { flowtable ft { hook ingress priority 0; "
			   "devices = { sync }; }; }'") != 0 ||
		  netns_wait_for(log_says, offload, WAIT_MS));
}
END_TEST

START_TEST(test_rival)
{
	char path[160];

	/* by its name: a conntrackd of our own making */
	snprintf(path, sizeof(path), "%s/conntrackd", dir);
	ck_assert_int_eq(netns_sh("cp /bin/sleep %s", path), 0);
	ck_assert_int_eq(netns_sh("%s 60 >/dev/null 2>&1 & echo $! >%s/rival", path, dir), 0);
	start_and_wait(0);
	ck_assert(logged(0, "conntrackd (pid "));
	ck_assert_int_eq(netns_sh("kill $(cat %s/rival)", dir), 0);
}
END_TEST

START_TEST(test_events_off)
{
	ck_assert_int_eq(netns_sysctl_set("net/netfilter/nf_conntrack_events", 0), 0);
	start_and_wait(0);
	ck_assert_int_eq(netns_sysctl_get("net/netfilter/nf_conntrack_events"), 1);
	ck_assert(logged(0, "nf_conntrack_events was 0"));
}
END_TEST

START_TEST(test_metrics_listener)
{
	configure(0, "1.key", GROUPS "metrics { address = 127.0.0.1 port = 9850 }\n");
	start_and_wait(0);
	ck_assert_int_eq(
		netns_sh(
			"python3 -c 'import urllib.request as u\n"
			"r = u.urlopen(\"http://127.0.0.1:9850/metrics\")\n"
			"t = r.read().decode()\n"
			"assert "
			"r.headers[\"Content-Type\"].startswith(\"application/openmetrics-text\")\n"
			"assert t.endswith(\"# EOF\\n\")\n"
			"names = [l.split()[2] for l in t.splitlines() if l.startswith(\"# "
			"TYPE\")]\n"
			"assert len(names) == len(set(names)) and len(names) > 40'"),
		0);
	ck_assert_int_eq(netns_sh("python3 -c 'import urllib.request as u\n"
				  "u.urlopen(\"http://127.0.0.1:9850/\")' 2>/dev/null"),
			 1);
	/* the port is taken */
	configure(1, "1.key", GROUPS "metrics { address = 127.0.0.1 port = 9850 }\n");
	ns[1] = ns[0];
	start(1);
	ck_assert_int_eq(ended(1), 1);
}
END_TEST

START_TEST(test_reload)
{
	make_key("next.key");
	start_and_wait(0);
	ck_assert_int_eq(ctl(0, "reload"), 0);
	ck_assert(!said("out", "restarted"));
	configure(0, "1.key", "limits { max_flows = 99 }\nlog = debug\n" GROUPS);
	ck_assert_int_eq(ctl(0, "reload"), 0);
	ck_assert(said("out", "limits: has changed"));
	/* without hooks at the start it may not run programs */
	configure(0, "1.key", "hooks { state = /bin/true }\n" GROUPS);
	ck_assert_int_eq(ctl(0, "reload"), 0);
	ck_assert(said("out", "hooks: has changed"));
	configure(0, "1.key", "nonsense = 1\n" GROUPS);
	/* syncctl would find the file broken itself: by the socket */
	ck_assert_int_eq(netns_sh("%s/syncctl -s %s/run-a/ctl reload 2>%s/err", programs, dir, dir),
			 1);
	ck_assert(said("err", "no such option 'nonsense'"));
	configure(0, "missing.key", GROUPS);
	ck_assert_int_eq(ctl(0, "reload"), 1);
	ck_assert(said("err", "nothing has changed"));
	configure(0, "next.key", GROUPS);
	ck_assert_int_eq(ctl(0, "reload"), 0);
	ck_assert_int_eq(ctl(0, "status"), 0);
}
END_TEST

static bool has_role(void *role)
{
	return ctl(0, "role web") == 0 && said("out", role);
}

/* keepalived's fifo: who has no such instance any more takes nothing over. */
START_TEST(test_fifo)
{
	static const struct {
		const char *state;
		char role[16];
	} told[] = {{"MASTER", "active\n"}, {"FAULT", "standby\n"}, {"DELETED", "idle\n"}};
	char more[256];

	snprintf(more, sizeof(more), GROUPS "keepalived { fifo = \"%s/fifo\" }\n", dir);
	configure(0, "1.key", more);
	start_and_wait(0);
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		char role[16];

		memcpy(role, told[i].role, sizeof(role));
		ck_assert_int_eq(
			netns_sh("echo 'INSTANCE \"web\" %s 100' >%s/fifo", told[i].state, dir), 0);
		ck_assert_msg(netns_wait_for(has_role, role, WAIT_MS), "%s", told[i].state);
	}
}
END_TEST

/* A firewall that refuses what the daemon sends is named. */
START_TEST(test_refused)
{
	char unsent[] = "datagrams could not be sent: Operation not permitted";

	ck_assert_int_eq(netns_sh("nft 'table inet f { chain o { type filter hook output "
				  "priority 0; udp dport 8849 drop; }; }'"),
			 0);
	start_and_wait(0);
	ck_assert(netns_wait_for(log_says, unsent, WAIT_MS));
	ck_assert_int_eq(ctl(0, "status"), 0);
	ck_assert(said("out", " not sent)"));
}
END_TEST

/* The README's way: the example with the site's own names, a key, and it runs. */
START_TEST(test_example)
{
	char log[96];

	ck_assert_int_eq(netns_sh("rm %s/1.key && %s/syncctl genkey %s/1.key >/dev/null", dir,
				  programs, dir),
			 0);
	ck_assert_int_eq(netns_sh("{ echo 'runtime_dir = \"%s/run-a\" state_dir = \"%s/lib-a\"'; "
				  "sed 's/eth2/sync/; s|/etc/syncd/keys|%s|' "
				  "docs/examples/syncd.conf; } >%s/a.conf",
				  dir, dir, dir, dir),
			 0);
	start_and_wait(0);
	ck_assert_int_eq(ctl(0, "doctor"), 0);
	ck_assert_int_eq(ctl(0, "role active"), 0);
	ck_assert_int_eq(ctl(0, "status"), 0);
	ck_assert(said("out", "web          active   active "));
	snprintf(log, sizeof(log), "%s/a.log", dir);
	ck_assert_int_eq(netns_sh("! grep '<3>' %s", log), 0); /* no error */
}
END_TEST

START_TEST(test_genkey)
{
	struct group_key one, two, like;
	char path[96];

	ck_assert_int_eq(netns_sh("%s/syncctl genkey %s/7.key >/dev/null", programs, dir), 0);
	ck_assert_int_eq(netns_sh("%s/syncctl genkey -i 9 %s/nine >/dev/null", programs, dir), 0);
	ck_assert_int_eq(netns_sh("%s/syncctl -j genkey -l %s/7.key %s/8.key | python3 -c 'import "
				  "json,sys; k = json.load(sys.stdin)\n"
				  "assert k == {\"id\": 8, \"file\": \"%s/8.key\"}'",
				  programs, dir, dir, dir),
			 0);
	snprintf(path, sizeof(path), "%s/7.key", dir);
	ck_assert_int_eq(key_file_read(path, &one), 0);
	snprintf(path, sizeof(path), "%s/nine", dir);
	ck_assert_int_eq(key_file_read(path, &two), 0);
	snprintf(path, sizeof(path), "%s/8.key", dir);
	ck_assert_int_eq(key_file_read(path, &like), 0);
	ck_assert_uint_eq(one.id, 7);
	ck_assert_uint_eq(two.id, 9);
	ck_assert_mem_eq(one.cluster_secret, like.cluster_secret, sizeof(one.cluster_secret));
	ck_assert_mem_ne(one.cluster_secret, two.cluster_secret, sizeof(one.cluster_secret));
	ck_assert_mem_ne(one.secret, like.secret, sizeof(one.secret));
	/* not over another one, not without a number */
	ck_assert_int_eq(netns_sh("%s/syncctl genkey %s/7.key 2>/dev/null", programs, dir), 1);
	ck_assert_int_eq(netns_sh("%s/syncctl genkey %s/x.key 2>/dev/null", programs, dir), 2);
	ck_assert_int_eq(netns_sh("%s/syncctl genkey -i 70000 %s/x.key 2>/dev/null", programs, dir),
			 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("daemon");
	TCase *t = tcase_create("daemon");

	if (!netns_usable("daemon"))
		return 77;
	tcase_set_timeout(t, 90);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_bad_configuration);
	tcase_add_test(t, test_printed_configuration);
	tcase_add_test(t, test_bad_keys);
	tcase_add_test(t, test_no_interface);
	tcase_add_test(t, test_no_rights);
	tcase_add_test(t, test_second_daemon);
	tcase_add_test(t, test_damaged_terms);
	tcase_add_test(t, test_pair);
	tcase_add_test(t, test_restart);
	tcase_add_test(t, test_strangers);
	tcase_add_test(t, test_one_id_twice);
	tcase_add_test(t, test_drift);
	tcase_add_test(t, test_rival);
	tcase_add_test(t, test_events_off);
	tcase_add_test(t, test_metrics_listener);
	tcase_add_test(t, test_reload);
	tcase_add_test(t, test_fifo);
	tcase_add_test(t, test_refused);
	tcase_add_test(t, test_example);
	tcase_add_test(t, test_genkey);
	suite_add_tcase(s, t);
	return suite_run(s);
}
