/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every kind of IPVS connection, made by real traffic in a real kernel: what the source tells of
 * it, that a dump tells the same, and that another kernel into which it is put then says just that
 * of it. And what syncd leaves out: one-packet and bypassed connections, servers of another family.
 *
 * Runs itself in guests (tests/lib/guest.h), with the best back end that the guest can have or that
 * of IPVS_BACKEND. IPVS_KINDS=all (make check-ipvs) has it try every kind with every back end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "syncd/kernel/ipvs_flow.h"
#include "syncd/kernel/ipvs_genl.h"
#include "tests/lib/guest.h"
#include "tests/lib/ipvs_site.h"
#include "tests/lib/netns.h"
#include "tests/lib/suite.h"
#include "tests/lib/tmpdir.h"

#define VIP  "203.0.113.10"
#define VIP6 "2001:db8:1::10"

enum { HEAR_MS = 10000, DAEMON_MS = 20000, TEXT_MAX = 65536 };

static enum ipvs_backend backend; /* under test; set before the tests are run */

/* ---- one kind -------------------------------------------------------------------------------- */

static struct ipvs_site *open_site(const char *services)
{
	static struct ipvs_site site; /* ends with the process that the tests have for themselves */
	struct ipvs_site *s = &site;

	if (!s->box.edge.source) {
		ipvs_site_open(s);
		ipvs_site_edges(s, backend);
	}
	s->box.mark = s->box.events;
	ipvs_site_both(s, "ipvsadm -C");
	ipvs_site_both(s, services);
	return s;
}

static void check_equal(const struct flow *is, const struct flow *wanted, const char *who)
{
	char a[FLOW_TEXT_MAX], b[FLOW_TEXT_MAX];

	ck_assert_msg(is != NULL, "%s lacks it", who);
	(void)flow_format(is, a);
	(void)flow_format(wanted, b);
	ck_assert_msg(flow_equal(is, wanted), "%s has %s (%u s) for %s (%u s)", who, a,
		      is->ipvs.timeout_s, b, wanted->ipvs.timeout_s);
}

/* The backup thread has read the message, but may not have acted on it yet. */
static const struct flow *dumped_soon(struct ipvs_node *n, const struct flow_key *key)
{
	uint64_t end = netns_now_us() + HEAR_MS * MS_US;
	const struct flow *f;

	do {
		ipvs_site_dump(n);
		f = ipvs_site_dumped(n, key);
	} while (!f && netns_now_us() < end);
	return f;
}

/* What the other kernel is told it has, and nothing that differs. */
static void check_carried(struct ipvs_site *s, const struct flow *f)
{
	struct flow copy = *f;

	ipvs_site_dump(&s->box);
	check_equal(ipvs_site_dumped(&s->box, &copy.key), &copy, "a dump");
	ck_assert_int_eq(ipvs_site_put(&s->twin, &copy), 0);
	check_equal(dumped_soon(&s->twin, &copy.key), &copy, "the other kernel");
}

static const struct flow *heard(struct ipvs_site *s, ipvs_site_match *match)
{
	const struct flow *f = ipvs_site_hear(&s->box, match, HEAR_MS);

	ck_assert_msg(f != NULL, "the source does not tell of it");
	return f;
}

static int listener(const struct ipvs_site *s, int family, int type, uint16_t port)
{
	int fd = ipvs_site_socket(&(struct ipvs_socket){
		.ns = s->server,
		.family = family,
		.type = type,
		.ip = family == AF_INET ? "0.0.0.0" : "::",
		.port = port,
		.listens = type == SOCK_STREAM,
	});

	ck_assert_int_ge(fd, 0);
	return fd;
}

static int client(const struct ipvs_site *s, int family, int type)
{
	int fd = ipvs_site_socket(&(struct ipvs_socket){
		.ns = s->client,
		.family = family,
		.type = type,
		.ip = family == AF_INET ? "192.0.2.7" : "2001:db8::7",
	});

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void close_both(int a, int b)
{
	close(a);
	close(b);
}

static unsigned method(const struct flow *f)
{
	return f->ipvs.flags & IPVS_F_FWD_MASK;
}

static bool is_connection(const struct flow *f)
{
	return f->key.sport != 0;
}

static bool is_template(const struct flow *f)
{
	return f->key.sport == 0;
}

/* Once what it leads is established (ip_vs_control_assure_ct). */
static bool is_assured(const struct flow *f)
{
	return is_template(f) && f->ipvs.state == 1;
}

static void check_tcp(int family, const char *services, const char *to)
{
	struct ipvs_site *s = open_site(services);
	int a = listener(s, family, SOCK_STREAM, 8080), b = client(s, family, SOCK_STREAM);
	const struct flow *f;

	ck_assert_int_eq(ipvs_site_connect(b, to, 80, NULL), 0);
	f = heard(s, is_connection);
	ck_assert_uint_eq(f->key.l4proto, IPPROTO_TCP);
	ck_assert_uint_eq(f->key.addr_len, family == AF_INET ? 4 : 16);
	ck_assert_uint_eq(f->key.dport, 80);
	ck_assert_uint_eq(f->ipvs.dport, 8080);
	ck_assert_uint_eq(f->ipvs.state, 1);
	ck_assert_uint_eq(f->ipvs.flags, 0);
	check_carried(s, f);
	close_both(a, b);
}

static void test_tcp(void)
{
	check_tcp(AF_INET,
		  "ipvsadm -A -t " VIP ":80 -s rr && "
		  "ipvsadm -a -t " VIP ":80 -r 10.2.0.11:8080 -m",
		  VIP);
}

static void test_tcp6(void)
{
	check_tcp(AF_INET6,
		  "ipvsadm -A -t [" VIP6 "]:80 -s rr && "
		  "ipvsadm -a -t [" VIP6 "]:80 -r [fd00:2::11]:8080 -m",
		  VIP6);
}

/* The box is its own server: an entry like others, whose server is an address of each node. */
static void test_local_node(void)
{
	struct ipvs_site *s = open_site("ipvsadm -A -t " VIP ":80 -s rr && "
					"ipvsadm -a -t " VIP ":80 -r 10.2.0.1:8080 -m");
	int b = client(s, AF_INET, SOCK_STREAM);
	int a = ipvs_site_socket(&(struct ipvs_socket){.ns = s->box.ns,
						       .family = AF_INET,
						       .type = SOCK_STREAM,
						       .ip = "10.2.0.1",
						       .port = 8080,
						       .listens = true});
	const struct flow *f;

	ck_assert_int_ge(a, 0);
	ck_assert_int_eq(ipvs_site_connect(b, VIP, 80, NULL), 0);
	f = heard(s, is_connection);
	ck_assert_uint_eq(f->ipvs.dest.b[3], 1);
	check_carried(s, f);
	close_both(a, b);
}

/* Datagrams that nobody answers: each way of forwarding makes its entry at the first. */
struct forwarding {
	const char *how; /* of ipvsadm */
	unsigned method;
};
static const struct forwarding forwardings[] = {
	{"-m", 0},
	{"-g", 3},
	{"-i", 2},
	{"-i --tun-type gue --tun-port 6080", 2},
	{"-i --tun-type gre", 2},
};

static void test_forwarding(const struct forwarding *w)
{
	struct ipvs_site *s;
	const struct flow *f;
	char services[256];
	int b;

	(void)snprintf(services, sizeof(services),
		       "ipvsadm -A -u " VIP ":53 -s rr && "
		       "ipvsadm -a -u " VIP ":53 -r 10.2.0.11:53 %s",
		       w->how);
	s = open_site(services);
	b = client(s, AF_INET, SOCK_DGRAM);
	ck_assert_int_eq(ipvs_site_connect(b, VIP, 53, "q"), 0);
	f = heard(s, is_connection);
	ck_assert_uint_eq(f->key.l4proto, IPPROTO_UDP);
	ck_assert_uint_eq(method(f), w->method);
	check_carried(s, f);
	close(b);
}

static void test_sctp(void)
{
	struct ipvs_site *s = open_site("ipvsadm -A --sctp-service " VIP ":80 -s rr && "
					"ipvsadm -a --sctp-service " VIP ":80 -r 10.2.0.11:80 -m");
	const struct flow *f;
	int b = ipvs_site_socket(&(struct ipvs_socket){.ns = s->client,
						       .family = AF_INET,
						       .type = SOCK_STREAM,
						       .proto = IPPROTO_SCTP,
						       .ip = "192.0.2.7"});
	int a;

	if (b < 0) {
		printf("SKIP: no SCTP sockets in this kernel\n");
		return;
	}
	a = ipvs_site_socket(&(struct ipvs_socket){.ns = s->server,
						   .family = AF_INET,
						   .type = SOCK_STREAM,
						   .proto = IPPROTO_SCTP,
						   .ip = "10.2.0.11",
						   .port = 80,
						   .listens = true});
	ck_assert_int_ge(a, 0);
	ck_assert_int_eq(ipvs_site_connect(b, VIP, 80, NULL), 0);
	f = heard(s, is_connection);
	ck_assert_uint_eq(f->key.l4proto, IPPROTO_SCTP);
	ck_assert_uint_eq(f->ipvs.state, 8);
	check_carried(s, f);
	close_both(a, b);
}

/* A client on the box itself, since SO_MARK does not leave a namespace. */
static int marked(const struct ipvs_site *s, int type)
{
	int fd = ipvs_site_socket(&(struct ipvs_socket){
		.ns = s->box.ns, .family = AF_INET, .type = type, .ip = "10.2.0.1", .mark = 7});

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void test_fwmark(void)
{
	struct ipvs_site *s = open_site("ipvsadm -A -f 7 -s rr -p 60 && "
					"ipvsadm -a -f 7 -r 10.2.0.11 -m");
	int a = listener(s, AF_INET, SOCK_STREAM, 8080), b = marked(s, SOCK_STREAM);
	const struct flow *f;

	ck_assert_int_eq(ipvs_site_connect(b, VIP, 8080, NULL), 0);
	f = heard(s, is_connection);
	ck_assert_uint_eq(f->key.fwmark, 0);
	ck_assert_uint_eq(f->ipvs.fwmark, 7);
	ck_assert_uint_eq(f->ipvs.dport, 8080);
	f = heard(s, is_assured);
	ck_assert_uint_eq(f->key.fwmark, 7);
	ck_assert_uint_eq(f->key.l4proto, IPPROTO_IP);
	ck_assert_uint_eq(f->ipvs.timeout_s, 60);
	check_carried(s, f);
	check_carried(s, heard(s, is_connection));
	close_both(a, b);
}

static void test_persistence_netmask(void)
{
	struct ipvs_site *s = open_site("ipvsadm -A -t " VIP ":80 -s rr -p 90 -M 255.255.255.0 && "
					"ipvsadm -a -t " VIP ":80 -r 10.2.0.11:8080 -m");
	int a = listener(s, AF_INET, SOCK_STREAM, 8080), b = client(s, AF_INET, SOCK_STREAM);
	const struct flow *f;

	ck_assert_int_eq(ipvs_site_connect(b, VIP, 80, NULL), 0);
	f = heard(s, is_assured);
	ck_assert_uint_eq(f->key.src.b[2], 2);
	ck_assert_uint_eq(f->key.src.b[3], 0); /* the network */
	ck_assert_uint_eq(f->ipvs.timeout_s, 90);
	ck_assert(f->ipvs.flags & IPVS_F_TEMPLATE);
	check_carried(s, f);
	close_both(a, b);
}

static void test_sip_engine(void)
{
	static const char id[] = "7c1@192.0.2.7";
	struct ipvs_site *s = open_site("ipvsadm -A -u " VIP ":5060 -s rr -p 60 --pe sip && "
					"ipvsadm -a -u " VIP ":5060 -r 10.2.0.11:5060 -m");
	int b = client(s, AF_INET, SOCK_DGRAM);
	const struct flow *f;

	ck_assert_int_eq(ipvs_site_connect(b, VIP, 5060,
					   "INVITE sip:a@b SIP/2.0\r\n"
					   "Call-ID: 7c1@192.0.2.7\r\nCSeq: 1 INVITE\r\n\r\n"),
			 0);
	f = heard(s, is_template);
	ck_assert_str_eq(f->ipvs.pe_name, "sip");
	ck_assert_uint_eq(f->key.pe_data_len, strlen(id));
	ck_assert_int_eq(memcmp(f->key.pe_data, id, strlen(id)), 0);
	check_carried(s, f);
	close(b);
}

/* ---- FTP ------------------------------------------------------------------------------------- */

static bool is_ftp(const struct flow *f)
{
	return f->key.dport == 21;
}

/*
 * The helper of IPVS writes another address into the server's answer, which makes it longer. It
 * does so through conntrack, which keeps the difference of the sequences (ip_vs_ftp_out: "Not
 * setting 'diff' is intentional"): the connection of IPVS has none.
 */
static void test_ftp(void)
{
	static const char answer[] = "227 Entering Passive Mode (10,2,0,11,31,144)\r\n";
	struct ipvs_site *s;
	const struct flow *f;
	char got[128] = "";
	int a, b, c;

	if (netns_sh("modprobe -q ip_vs_ftp && nft add table ip t 2>/dev/null") != 0) {
		printf("SKIP: FTP: no ip_vs_ftp, or no nftables for IPv4\n");
		return;
	}
	s = open_site("sysctl -q -w net.ipv4.vs.conntrack=1 && nft add table ip t && "
		      "nft 'add chain ip t f { type filter hook forward priority 0; }' && "
		      "nft add rule ip t f ct state invalid drop && "
		      "ipvsadm -A -t " VIP ":21 -s rr && "
		      "ipvsadm -a -t " VIP ":21 -r 10.2.0.11:21 -m");
	a = listener(s, AF_INET, SOCK_STREAM, 21);
	b = client(s, AF_INET, SOCK_STREAM);
	ck_assert_int_eq(ipvs_site_connect(b, VIP, 21, "PASV\r\n"), 0);
	c = accept(a, NULL, NULL);
	ck_assert_int_ge(c, 0);
	ck_assert_int_gt(recv(c, got, sizeof(got) - 1, 0), 0);
	ck_assert_int_eq(send(c, answer, strlen(answer), 0), (ssize_t)strlen(answer));
	memset(got, 0, sizeof(got));
	ck_assert_int_gt(recv(b, got, sizeof(got) - 1, 0), 0);
	ck_assert_msg(strstr(got, "203,0,113,10") != NULL, "not translated: %s", got);
	f = heard(s, is_ftp);
	ck_assert_uint_eq(f->ipvs.flags & (IPVS_F_IN_SEQ | IPVS_F_OUT_SEQ), 0);
	check_carried(s, f);
	close_both(a, b);
	close(c);
}

/* ---- what is left out ------------------------------------------------------------------------ */

static bool is_dns(const struct flow *f)
{
	return f->key.dport == 53;
}

static bool is_left_out(const struct flow *f)
{
	return f->key.dport == 123;
}

/* By the time that a later one is told of, neither an event nor a dump has named an earlier one. */
static void check_left_out(struct ipvs_site *s)
{
	int b = client(s, AF_INET, SOCK_DGRAM);

	ck_assert_int_eq(ipvs_site_connect(b, VIP, 53, "q"), 0);
	(void)heard(s, is_dns);
	ck_assert_ptr_null(ipvs_site_hear(&s->box, is_left_out, 0));
	ipvs_site_dump(&s->box);
	for (size_t i = 0; i < s->box.dumps; i++)
		ck_assert(!is_left_out(&s->box.dumped[i].flow));
	close(b);
}

#define DNS "ipvsadm -A -u " VIP ":53 -s rr && ipvsadm -a -u " VIP ":53 -r 10.2.0.11:53 -m && "

static void test_one_packet(void)
{
	struct ipvs_site *s = open_site(DNS "ipvsadm -A -u " VIP ":123 -s rr -o && "
					    "ipvsadm -a -u " VIP ":123 -r 10.2.0.11:123 -m");
	int b = client(s, AF_INET, SOCK_DGRAM);

	ck_assert_int_eq(ipvs_site_connect(b, VIP, 123, "t"), 0);
	check_left_out(s);
	close(b);
}

/* No server, so past the services, to where the packet was sent. */
static void test_bypass(void)
{
	struct ipvs_site *s = open_site(DNS "sysctl -q -w net.ipv4.vs.cache_bypass=1 && "
					    "ipvsadm -A -f 7 -s rr");
	int b = marked(s, SOCK_DGRAM);

	ck_assert_int_eq(ipvs_site_connect(b, "10.2.0.12", 123, "t"), 0);
	ck_assert_msg(netns_sh("grep -q ' 0A02000C 007B 00000000 0000 ' "
			       "/proc/thread-self/net/ip_vs_conn") == 0,
		      "nothing went past the services");
	check_left_out(s);
	close(b);
}

/* The kernel's sync threads and servers of another family exclude each other; the netlink back end
 * carries them. */
static void test_mixed_family(void)
{
	static const char server[] = "ipvsadm -a -u " VIP ":124 -r [fd00:2::11]:124 -i";
	struct ipvs_site *s = open_site(DNS "ipvsadm -A -u " VIP ":124 -s rr");
	const struct flow *f;
	int b;

	if (backend != IPVS_NETLINK) {
		ck_assert_int_ne(netns_sh("%s 2>/dev/null", server), 0);
		return;
	}
	ipvs_site_both(s, server);
	b = client(s, AF_INET, SOCK_DGRAM);
	ck_assert_int_eq(ipvs_site_connect(b, VIP, 124, "t"), 0);
	f = heard(s, is_connection);
	ck_assert_uint_eq(f->key.addr_len, 4);
	ck_assert_uint_eq(f->ipvs.dest_len, 16);
	check_carried(s, f);
	close(b);
}

/* ---- the daemon ------------------------------------------------------------------------------ */

struct running {
	char dir[64], programs[512];
	pid_t pid;
};

static int ctl(const struct running *r, const char *args)
{
	return netns_sh("%s/syncctl -c %s/conf %s >%s/out 2>&1", r->programs, r->dir, args, r->dir);
}

static bool answers(void *r)
{
	return ctl(r, "status") == 0;
}

static bool said(const struct running *r, const char *text)
{
	static char got[TEXT_MAX];
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/out", r->dir);
	return strstr(tmpdir_read(path, got, sizeof(got)), text) != NULL;
}

static void find_programs(struct running *r)
{
	ssize_t n = readlink("/proc/self/exe", r->programs, sizeof(r->programs) - 1);

	ck_assert_int_gt(n, 0);
	r->programs[n] = '\0';
	*strrchr(r->programs, '/') = '\0';
	*strrchr(r->programs, '/') = '\0';
}

static void start_daemon(struct running *r)
{
	char path[96], program[600], text[1024];

	(void)snprintf(path, sizeof(path), "%s/conf", r->dir);
	(void)snprintf(text, sizeof(text),
		       "node a { id = 1 }\nlink s { interface = lo }\ninsecure = true\n"
		       "group all { id = 1 }\nconntrack { enabled = false }\n"
		       "ipvs { backend = %s }\nruntime_dir = \"%s/run\"\nstate_dir = \"%s/lib\"\n",
		       backend == IPVS_BPF	 ? "bpf"
		       : backend == IPVS_NETLINK ? "netlink"
						 : "kernel-sync",
		       r->dir, r->dir);
	tmpdir_write(path, text);
	(void)snprintf(program, sizeof(program), "%s/syncd", r->programs);
	r->pid = fork();
	if (r->pid == 0) {
		execl(program, "syncd", "-c", path, NULL);
		_exit(98);
	}
	ck_assert_msg(netns_wait_for(answers, r, DAEMON_MS), "syncd does not answer");
}

/* What /proc/PID/status says of its effective capabilities. */
static unsigned long long capabilities_of(pid_t pid)
{
	unsigned long long set = ~0ull;
	char path[64], line[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "CapEff: %llx", &set);
	(void)fclose(f);
	return set;
}

/* Its first dump as active has ended well. */
static bool is_complete(void *r)
{
	return ctl(r, "-j status") == 0 && said(r, "\"complete\": true");
}

/* Only CAP_NET_ADMIN is left once it runs, and with that it dumps. */
START_TEST(test_daemon_rights)
{
	struct running r = {0};
	int status;

	ck_assert_int_eq(netns_enter(), 0);
	find_programs(&r);
	tmpdir_make(r.dir);
	start_daemon(&r);
	ck_assert_uint_eq(capabilities_of(r.pid), 1ull << 12);
	ck_assert_int_eq(ctl(&r, "role all active"), 0);
	ck_assert_msg(netns_wait_for(is_complete, &r, DAEMON_MS), "no dump succeeds");
	kill(r.pid, SIGTERM);
	ck_assert_int_eq(waitpid(r.pid, &status, 0), r.pid);
	ck_assert_int_eq(status, 0);
	tmpdir_remove(r.dir);
}
END_TEST

/* ---- all of them ----------------------------------------------------------------------------- */

START_TEST(test_nothing_can_run)
{
	printf("SKIP: no IPVS in this kernel, and no guest in the cache: make rig, make "
	       "rig-qemu\n");
}
END_TEST

/* The best that this kernel has; IPVS_BACKEND=kernel-sync|bpf|netlink asks for another. */
static enum ipvs_backend choose(void)
{
	const char *name = getenv("IPVS_BACKEND");
	struct ct_socket socket = {.fd = -1};
	struct ipvs_genl g = {0};

	if (name && strcmp(name, "kernel-sync") == 0)
		return IPVS_KERNEL_SYNC;
	if (name && strcmp(name, "bpf") == 0)
		return IPVS_BPF;
	(void)ipvs_genl_open(&socket, 1 << 16);
	(void)ipvs_genl_find(&socket, &g);
	ct_socket_close(&socket);
	return g.group_del				? IPVS_NETLINK
	       : !access("/sys/kernel/btf/ip_vs", R_OK) ? IPVS_BPF
							: IPVS_KERNEL_SYNC;
}

static void test_forwardings(void)
{
	for (size_t i = 0; i < sizeof(forwardings) / sizeof(forwardings[0]); i++)
		test_forwarding(&forwardings[i]);
}

/* For all that takes long: make check-ipvs. */
static bool is_asked(void)
{
	return getenv("IPVS_KINDS") != NULL;
}

static void run_kind(const char *name, void (*kind)(void))
{
	uint64_t begin = netns_now_us();

	kind();
	printf("  %s: %.1f s\n", name, (double)(netns_now_us() - begin) / 1e6);
	(void)fflush(stdout);
}

/* In one process, since programs and threads are set up for seconds in a guest. */
START_TEST(test_kinds)
{
	run_kind("tcp", test_tcp);
	run_kind("persistence with netmask", test_persistence_netmask);
	run_kind("mixed family", test_mixed_family);
	/* The tap takes 3 s for each. */
	if (backend == IPVS_KERNEL_SYNC && !is_asked())
		return;
	run_kind("tcp over ipv6", test_tcp6);
	run_kind("local node", test_local_node);
	run_kind("forwarding methods", test_forwardings);
	run_kind("sctp", test_sctp);
	run_kind("fwmark", test_fwmark);
	run_kind("sip engine", test_sip_engine);
	run_kind("one packet", test_one_packet);
	run_kind("bypass", test_bypass);
	run_kind("ftp", test_ftp); /* the last: it changes the box */
}
END_TEST

static int run_here(bool here)
{
	Suite *s = suite_create("ipvs_kinds");
	TCase *kinds = tcase_create("kinds"), *process = tcase_create("daemon");

	tcase_set_timeout(kinds, 180);
	tcase_set_timeout(process, 60);
	suite_add_tcase(s, kinds);
	suite_add_tcase(s, process);
	if (!here) {
		tcase_add_test(kinds, test_nothing_can_run);
		return suite_run(s);
	}
	backend = choose();
	/* Under QEMU without KVM the site takes a minute to set up on a busy machine. */
	if (backend != IPVS_BPF || is_asked())
		tcase_add_test(kinds, test_kinds);
	tcase_add_test(process, test_daemon_rights);
	return suite_run(s);
}

int main(int argc, char **argv)
{
	static const struct guest guests[] = {
		{.kind = "uml"}, {.kind = "qemu"}, {.kind = "custom", .patched = true}};
	const char *name = getenv("IPVS_BACKEND");
	char setting[96];

	(void)argc;
	(void)snprintf(setting, sizeof(setting), "%s %s%.30s", is_asked() ? "IPVS_KINDS=all" : "",
		       name ? "IPVS_BACKEND=" : "", name ? name : "");
	return guest_run(argv[0], guests, sizeof(guests) / sizeof(guests[0]),
			 "ip_vs ip_vs_rr ip_vs_pe_sip veth dummy ipip ip_gre fou sctp nf_conntrack",
			 setting, run_here);
}
