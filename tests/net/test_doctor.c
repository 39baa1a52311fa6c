/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `syncctl doctor` says, as JSON: where IPVS is missing, where rights are, where events are
 * off, where a peer is configured otherwise, where the stream is tracked; and, in a guest
 * (tests/lib/guest.h) where this kernel has no IPVS, which back end it would choose, what a foreign
 * sync daemon changes, and a service that only one node has.
 */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/guest.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/suite.h"

enum { PEER_MS = 20000, PATH = 512 };

static struct pair p;

/* ---- asking ---------------------------------------------------------------------------------- */

struct answer {
	json_t *json;
	int code;
};

static void drop_all_rights(void)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_BOUNDS) < 0 || capng_apply(CAPNG_SELECT_CAPS) < 0)
		_exit(97);
}

static void exec_doctor(int out, const char *config, bool rights)
{
	char self[PATH] = "", program[PATH + 16];

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		_exit(96);
	*strrchr(self, '/') = '\0';
	(void)snprintf(program, sizeof(program), "%s/../syncctl", self);
	(void)dup2(out, 1);
	if (!rights)
		drop_all_rights();
	execl(program, "syncctl", "-c", config, "-j", "doctor", NULL);
	_exit(98);
}

/* In the present namespace, which the child inherits. */
static struct answer doctor(const char *config, bool rights)
{
	struct answer a;
	json_error_t error;
	int fd[2], status;
	pid_t pid;
	FILE *f;

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		exec_doctor(fd[1], config, rights);
	close(fd[1]);
	f = fdopen(fd[0], "r");
	ck_assert_ptr_nonnull(f);
	a.json = json_loadf(f, 0, &error);
	(void)fclose(f);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	a.code = WEXITSTATUS(status);
	ck_assert_msg(a.json != NULL, "%s (code %d)", error.text, a.code);
	return a;
}

/* Whether a finding of that area and level holds the text. */
static bool found(const struct answer *a, const char *area, const char *level, const char *text)
{
	json_t *f;
	size_t i;

	json_array_foreach(json_object_get(a->json, "findings"), i, f)
	{
		if (strcmp(json_string_value(json_object_get(f, "area")), area) == 0 &&
		    strcmp(json_string_value(json_object_get(f, "level")), level) == 0 &&
		    strstr(json_string_value(json_object_get(f, "text")), text))
			return true;
	}
	return false;
}

static void check_found(const struct answer *a, const char *area, const char *level,
			const char *text)
{
	ck_assert_msg(found(a, area, level, text), "%s %s \"%s\" is not in %s", area, level, text,
		      json_dumps(json_object_get(a->json, "findings"), JSON_INDENT(1)));
}

static const char *chosen(const struct answer *a)
{
	return json_string_value(json_object_get(json_object_get(a->json, "ipvs"), "chosen"));
}

static struct answer ask_node(size_t i)
{
	char config[PAIR_PATH + 16];
	struct answer a;

	(void)snprintf(config, sizeof(config), "%s/conf", p.node[i].dir);
	pair_enter(&p, i);
	a = doctor(config, true);
	pair_leave(&p);
	return a;
}

/* ---- any kernel ------------------------------------------------------------------------------ */

START_TEST(test_no_ipvs)
{
	struct answer a;

	if (access("/proc/net/ip_vs", R_OK) == 0) {
		printf("SKIP: this kernel has IPVS\n");
		return;
	}
	ck_assert_int_eq(netns_enter(), 0);
	a = doctor("/nonexistent", true);
	check_found(&a, "ipvs", "note", "not loaded in this kernel: modprobe ip_vs");
	check_found(&a, "conntrack", "ok", "of at most");
	check_found(&a, "rivals", "ok", "nobody else");
	check_found(&a, "peers", "note", "no syncd answers");
	ck_assert_ptr_null(chosen(&a));
	ck_assert_int_eq(a.code, 0);
}
END_TEST

START_TEST(test_no_rights)
{
	struct answer a;

	ck_assert_int_eq(netns_enter(), 0);
	a = doctor("/nonexistent", false);
	check_found(&a, "rights", "fail", "CAP_NET_ADMIN is missing");
	check_found(&a, "rights", "warn", "CAP_BPF is missing");
	check_found(&a, "rights", "warn", "CAP_SYS_ADMIN is missing");
	ck_assert(json_is_false(json_object_get(a.json, "ok")));
	ck_assert_int_eq(a.code, 1);
}
END_TEST

START_TEST(test_events_off)
{
	struct answer a;

	ck_assert_int_eq(netns_enter(), 0);
	a = doctor("/nonexistent", true); /* it brings conntrack into the namespace */
	if (netns_sysctl_set("net/netfilter/nf_conntrack_events", 0) != 0) {
		printf("SKIP: no nf_conntrack_events\n");
		return;
	}
	a = doctor("/nonexistent", true);
	check_found(&a, "conntrack", "warn", "nf_conntrack_events is 0");
	ck_assert_int_eq(netns_sysctl_set("net/netfilter/nf_conntrack_events", 1), 0);
	a = doctor("/nonexistent", true);
	ck_assert(!found(&a, "conntrack", "warn", ""));
	ck_assert_int_eq(a.code, 0);
}
END_TEST

struct wanted {
	const char *level, *text;
};

static bool peers_say(void *ctx)
{
	const struct wanted *w = ctx;
	struct answer a = ask_node(0);
	bool so = found(&a, "peers", w->level, w->text);

	json_decref(a.json);
	return so;
}

static void start_both(void)
{
	pair_start(&p, 0, true);
	pair_start(&p, 1, true);
}

/* A setting that the nodes have otherwise is named, and no more once it is alike. */
START_TEST(test_peers)
{
	struct wanted differs = {"warn", "lb-1 differs: tcp_loose"}, alike = {"ok", "1 configured"};

	pair_open(&p, 2);
	pair_enter(&p, 1);
	ck_assert_int_eq(netns_sysctl_set("net/netfilter/nf_conntrack_tcp_loose", 0), 0);
	pair_leave(&p);
	start_both();
	ck_assert(netns_wait_for(peers_say, &differs, PEER_MS));
	pair_enter(&p, 1);
	ck_assert_int_eq(netns_sysctl_set("net/netfilter/nf_conntrack_tcp_loose", 1), 0);
	pair_leave(&p);
	ck_assert(netns_wait_for(peers_say, &alike, PEER_MS));
	pair_close(&p);
}
END_TEST

struct tracking {
	size_t node;
	const char *level, *text;
};

static bool links_say(void *ctx)
{
	const struct tracking *t = ctx;
	struct answer a = ask_node(t->node);
	bool so = found(&a, "links", t->level, t->text);

	json_decref(a.json);
	return so;
}

/* The sample's rules leave the stream untracked, both ways; where they are missing it says so. */
START_TEST(test_tracked)
{
	struct tracking tracked = {0, "warn", "port 8849 (IPv4) is tracked"},
			not_tracked = {1, "ok", "port 8849 (IPv4) is not tracked"};
	struct answer a;

	pair_open(&p, 2);
	pair_enter(&p, 1);
	ck_assert_int_eq(netns_sh("sed 's/eth2/s0/' dist/nftables/sync-link.nft | nft -f -"), 0);
	pair_leave(&p);
	start_both();
	ck_assert(netns_wait_for(links_say, &tracked, PEER_MS));
	ck_assert(netns_wait_for(links_say, &not_tracked, PEER_MS));
	/* A daemon that does not run proves nothing. */
	(void)pair_stop(&p, 1, SIGTERM);
	a = ask_node(1);
	ck_assert(!found(&a, "links", "ok", ""));
	ck_assert(!found(&a, "links", "warn", ""));
	pair_close(&p);
}
END_TEST

/* ---- a kernel with IPVS, unpatched ------------------------------------------------------------
 */

/* keepalived's lvs_sync_daemon, say, stands in the way of both back ends of stock kernels. */
START_TEST(test_foreign_daemon)
{
	struct answer a;

	ck_assert_int_eq(netns_enter(), 0);
	a = doctor("/nonexistent", true);
	check_found(&a, "ipvs", "note", "netlink: not usable: its ip_vs has no connection API");
	ck_assert_ptr_nonnull(chosen(&a));
	ck_assert_int_eq(netns_sh("ip link add mine type dummy && ip addr add 192.0.2.1/32 dev "
				  "mine && ip link set mine up && "
				  "ipvsadm --start-daemon backup --mcast-interface mine"),
			 0);
	a = doctor("/nonexistent", true);
	check_found(&a, "ipvs", "note", "kernel-sync: not usable: the kernel's backup sync thread");
	check_found(&a, "ipvs", "note", "bpf: not usable: the kernel's backup sync thread");
	check_found(&a, "ipvs", "warn", "no back end");
	check_found(&a, "rivals", "warn", "(backup, on mine)");
	ck_assert_ptr_null(chosen(&a));
	ck_assert_int_eq(netns_sh("ipvsadm --stop-daemon backup"), 0);
	a = doctor("/nonexistent", true);
	ck_assert_ptr_nonnull(chosen(&a));
}
END_TEST

START_TEST(test_service)
{
	static const char service[] = "ipvsadm -A -t 203.0.113.10:80 -s rr && "
				      "ipvsadm -a -t 203.0.113.10:80 -r 10.0.0.1:80 -m";
	struct wanted differs = {"warn", "203.0.113.10"}, alike = {"ok", "1 configured"};

	pair_open(&p, 2);
	for (size_t i = 0; i < 2; i++) {
		pair_configure(&p, i, "group web { id = 1 match = { \"203.0.113.0/24\" } }",
			       "conntrack { enabled = false }\nipvs { backend = kernel-sync }");
		pair_enter(&p, i);
		ck_assert_int_eq(netns_sh("%s", service), 0);
		pair_leave(&p);
	}
	start_both();
	ck_assert(netns_wait_for(peers_say, &alike, PEER_MS));
	pair_enter(&p, 1);
	ck_assert_int_eq(netns_sh("ipvsadm -a -t 203.0.113.10:80 -r 10.0.0.2:80 -m"), 0);
	pair_leave(&p);
	ck_assert(netns_wait_for(peers_say, &differs, PEER_MS));
	pair_close(&p);
}
END_TEST

/* ---- all ------------------------------------------------------------------------------------- */

static int run_here(bool here)
{
	Suite *s = suite_create("doctor of IPVS");
	TCase *t = tcase_create("ipvs");

	if (!here) {
		printf("SKIP: what the doctor says of IPVS: no guest in the cache: make "
		       "rig-custom\n");
		return EXIT_SUCCESS;
	}
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	tcase_add_test(t, test_foreign_daemon);
	tcase_add_test(t, test_service);
	return suite_run(s);
}

static int run_anywhere(void)
{
	Suite *s = suite_create("doctor");
	TCase *t = tcase_create("any kernel");

	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	tcase_add_test(t, test_no_ipvs);
	tcase_add_test(t, test_no_rights);
	tcase_add_test(t, test_events_off);
	tcase_add_test(t, test_peers);
	tcase_add_test(t, test_tracked);
	return suite_run(s);
}

int main(int argc, char **argv)
{
	static const struct guest guests[] = {{.kind = "custom"}};
	int failed;

	(void)argc;
	if (getenv("SYNCD_TEST_HERE"))
		return run_here(true);
	if (!netns_usable("doctor"))
		return 77;
	failed = run_anywhere();
	return guest_run(argv[0], guests, 1,
			 "ip_vs ip_vs_rr veth bridge dummy nf_conntrack nf_conntrack_netlink "
			 "nft_ct nf_nat",
			 NULL, run_here) ||
	       failed;
}
