// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guard against real TCP in namespaces of its own:
 *
 *   client 192.0.2.1 ---- veth ---- 192.0.2.2 balancer, virtual address 203.0.113.10
 *
 * A connection is made before conntrack runs in the balancer's namespace, so that its packets are
 * strays, as after a takeover.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "syncd/role/guard.h"
#include "tests/lib/netns.h"
#include "tests/lib/suite.h"

#define HEAD "node t { id = 1 }\nlink l { interface = x }\ninsecure = true\n"

static int client_ns, balancer_ns;
static struct config *config;
static struct guard *guard;

static void configure(const char *groups)
{
	char text[512], err[CONFIG_ERROR_MAX];

	snprintf(text, sizeof(text), HEAD "%s", groups);
	ck_assert_msg(config_parse(text, "t", &config, err) == 0, "%s", err);
}

static void setup(void)
{
	ck_assert_int_eq(netns_enter(), 0);
	balancer_ns = netns_current();
	client_ns = netns_new();
	ck_assert_int_ge(client_ns, 0);
	ck_assert_int_eq(netns_link(balancer_ns, "lan", client_ns, "lan"), 0);
	ck_assert_int_eq(netns_switch(client_ns), 0);
	ck_assert_int_eq(netns_sh("ip addr add 192.0.2.1/24 dev lan && "
				  "ip route add 203.0.113.0/24 via 192.0.2.2 && "
				  "ip -6 addr add 2001:db8::1/64 dev lan nodad"),
			 0);
	ck_assert_int_eq(netns_switch(balancer_ns), 0);
	ck_assert_int_eq(netns_sh("ip addr add 192.0.2.2/24 dev lan && "
				  "ip addr add 203.0.113.10/32 dev lo && "
				  "ip -6 addr add 2001:db8::2/64 dev lan nodad"),
			 0);
	ck_assert_int_eq(guard_new("t", &guard), 0);
}

static void teardown(void)
{
	guard_free(guard);
	config_free(config);
	close(client_ns);
	close(balancer_ns);
}

static socklen_t address(struct sockaddr_storage *a, const char *host)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)a;
	struct sockaddr_in *four = (struct sockaddr_in *)a;

	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(80);
		return sizeof(*six);
	}
	four->sin_family = AF_INET;
	four->sin_port = htons(80);
	ck_assert_int_eq(inet_pton(AF_INET, host, &four->sin_addr), 1);
	return sizeof(*four);
}

static int listener(const char *host)
{
	struct sockaddr_storage a;
	const socklen_t len = address(&a, host);
	const int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	return fd;
}

/* A connection from the client's namespace to the listener; *server is its other end. */
static int connection(int listening, const char *host, int *server)
{
	struct sockaddr_storage a;
	const socklen_t len = address(&a, host);
	int fd;

	ck_assert_int_eq(netns_switch(client_ns), 0);
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(netns_switch(balancer_ns), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, len), 0);
	*server = accept(listening, NULL, NULL);
	ck_assert_int_ge(*server, 0);
	return fd;
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

/* Packets that the guard's rules have dropped. */
static bool has_dropped(void *ctx)
{
	(void)ctx;
	return netns_sh("nft list table inet syncd_guard_t | grep -q 'counter packets [1-9]'") == 0;
}

static bool table_is_there(void)
{
	return netns_sh("nft list tables | grep -q syncd_guard_t") == 0;
}

/* A stray waits and is not reset; a new connection is let through; lowered, the old one goes on. */
static void strays_wait(const char *host, long loose)
{
	char buf[8];
	int listening, a, a_end, b, b_end;

	ck_assert_int_eq(netns_sysctl_set("net/netfilter/nf_conntrack_tcp_loose", loose), 0);
	listening = listener(host);
	a = connection(listening, host, &a_end);
	ck_assert_int_eq(guard_set(guard, &config->group[0], GUARD_STRAYS), 0);
	ck_assert_int_eq(guard_set(guard, &config->group[0], GUARD_STRAYS), 0);
	ck_assert_int_eq(write(a, "early", 5), 5);
	ck_assert_msg(netns_wait_for(has_dropped, NULL, 5000), "nothing was dropped");
	ck_assert(!readable(a_end, 0));
	ck_assert(!readable(a, 0)); /* a reset would show here */
	b = connection(listening, host, &b_end);
	ck_assert_int_eq(write(b, "new", 3), 3);
	ck_assert(readable(b_end, 5000));
	ck_assert_int_eq(guard_set(guard, &config->group[0], GUARD_DOWN), 0);
	ck_assert_int_eq(guard_set(guard, &config->group[0], GUARD_DOWN), 0);
	ck_assert(!table_is_there());
	ck_assert_msg(readable(a_end, 10000), "the retransmission did not arrive");
	ck_assert_int_eq(read(a_end, buf, sizeof(buf)), 5);
	close(a);
	close(a_end);
	close(b);
	close(b_end);
	close(listening);
}

START_TEST(test_virtual_address)
{
	configure("group g { id = 1 match = { 203.0.113.10, \"2001:db8::2\" } ports = { 80 } }\n");
	strays_wait("203.0.113.10", _i);
}
END_TEST

START_TEST(test_virtual_address_6)
{
	configure("group g { id = 1 match = { 203.0.113.10, \"2001:db8::2\" } ports = { 80 } }\n");
	strays_wait("2001:db8::2", _i);
}
END_TEST

/* Seen from the balancer, a real server is whoever sends from its address. */
START_TEST(test_real_server)
{
	configure("group g { id = 1 match = { 198.51.100.9 } servers = { 192.0.2.0/28 } }\n");
	strays_wait("203.0.113.10", _i);
}
END_TEST

/* A datagram without an entry waits for the commit's end, and only for that. */
START_TEST(test_udp)
{
	struct sockaddr_storage a;
	const socklen_t len = address(&a, "203.0.113.10");
	char buf[8];
	int server, client;

	configure("group g { id = 1 match = { 203.0.113.10 } ports = { 80 } }\n");
	server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(server, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(netns_switch(client_ns), 0);
	client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(netns_switch(balancer_ns), 0);
	ck_assert_int_eq(guard_set(guard, &config->group[0], GUARD_ALL), 0);
	ck_assert_int_eq(sendto(client, "early", 5, 0, (struct sockaddr *)&a, len), 5);
	ck_assert_msg(netns_wait_for(has_dropped, NULL, 5000), "nothing was dropped");
	ck_assert_int_eq(guard_set(guard, &config->group[0], GUARD_STRAYS), 0);
	ck_assert(table_is_there());
	ck_assert_int_eq(sendto(client, "now", 3, 0, (struct sockaddr *)&a, len), 3);
	ck_assert(readable(server, 5000));
	ck_assert_int_eq(read(server, buf, sizeof(buf)), 3);
	close(client);
	close(server);
}
END_TEST

START_TEST(test_others_pass)
{
	int listening, a, a_end;

	configure("group g { id = 1 match = { 203.0.113.10 } ports = { 81 } }\n");
	listening = listener("203.0.113.10");
	a = connection(listening, "203.0.113.10", &a_end);
	ck_assert_int_eq(guard_set(guard, &config->group[0], GUARD_STRAYS), 0);
	ck_assert_int_eq(write(a, "x", 1), 1);
	ck_assert(readable(a_end, 5000));
	close(a);
	close(a_end);
	close(listening);
}
END_TEST

START_TEST(test_two_groups)
{
	configure("group g { id = 1 match = { 203.0.113.10 } }\n"
		  "group h { id = 2 match = { 203.0.113.11 } }\ngroup rest { id = 3 }\n");
	ck_assert_int_eq(guard_set(guard, &config->group[0], GUARD_STRAYS), 0);
	ck_assert_int_eq(guard_set(guard, &config->group[1], GUARD_STRAYS), 0);
	ck_assert_int_eq(guard_set(guard, &config->group[2], GUARD_STRAYS), -ENODATA);
	ck_assert_int_eq(guard_set(guard, &config->group[0], GUARD_DOWN), 0);
	ck_assert_int_eq(
		netns_sh("nft list chain inet syncd_guard_t group2 | grep -q 203.0.113.11"), 0);
	ck_assert_int_ne(netns_sh("nft list chain inet syncd_guard_t group1 2>/dev/null"), 0);
	ck_assert_int_eq(guard_set(guard, &config->group[1], GUARD_DOWN), 0);
	ck_assert(!table_is_there());
}
END_TEST

static bool is_table(const char *name)
{
	return netns_sh("nft list tables | grep -q '%s$'", name) == 0;
}

static bool child_has_raised(void *ctx)
{
	(void)ctx;
	return is_table("syncd_guard_dies");
}

static bool child_left_nothing(void *ctx)
{
	return !child_has_raised(ctx);
}

/* A daemon that dies with its guard up takes it along: nobody waits for the next one. */
START_TEST(test_death)
{
	pid_t child;
	int status;

	configure("group g { id = 1 match = { 203.0.113.10 } }\n");
	child = fork();
	if (child == 0) {
		struct guard *own;

		if (guard_new("dies", &own) || guard_set(own, &config->group[0], GUARD_STRAYS))
			_exit(1);
		for (;;)
			(void)pause();
	}
	ck_assert(netns_wait_for(child_has_raised, NULL, 10000));
	/* Nor does a firewall that is loaded anew take it from one who lives. */
	ck_assert_int_eq(netns_sh("nft flush ruleset"), 0);
	ck_assert(child_has_raised(NULL));
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
	ck_assert(netns_wait_for(child_left_nothing, NULL, 10000));
}
END_TEST

/* What a daemon left on a kernel that knows no owners is gone when the next one starts. */
START_TEST(test_left_behind)
{
	guard_free(guard);
	ck_assert_int_eq(netns_sh("nft add table inet syncd_guard_t"), 0);
	ck_assert_int_eq(guard_new("t", &guard), 0);
	ck_assert(!table_is_there());
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guard");
	TCase *t = tcase_create("guard");

	if (!netns_usable("guard"))
		return 77;
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, test_virtual_address, 0, 2);
	tcase_add_loop_test(t, test_virtual_address_6, 0, 2);
	tcase_add_loop_test(t, test_real_server, 0, 2);
	tcase_add_test(t, test_udp);
	tcase_add_test(t, test_others_pass);
	tcase_add_test(t, test_two_groups);
	tcase_add_test(t, test_death);
	tcase_add_test(t, test_left_behind);
	suite_add_tcase(s, t);
	return suite_run(s);
}
