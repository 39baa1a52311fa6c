// SPDX-License-Identifier: GPL-2.0-or-later
/* See doctor.h. Every finding is one line: where, how grave, what, and what to do about it. */
#include <cap-ng.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "syncd/box/rivals.h"
#include "syncd/doctor.h"
#include "syncd/kernel/ct_probe.h"
#include "syncd/kernel/ipvs_bpf_source.h"
#include "syncd/kernel/ipvs_daemon.h"
#include "syncd/kernel/ipvs_genl.h"

enum { ASK_RCVBUF_BYTES = 1 << 16, TEXT_MAX = 256, PATH_TEXT_MAX = 128 };

enum level { LEVEL_OK, LEVEL_NOTE, LEVEL_WARN, LEVEL_FAIL };
static const char *const level_names[] = {"ok", "note", "warn", "fail"};

struct doctor {
	json_t *findings; /* [{area, level, text}] */
	json_t *sysctl, *backends;
	const char *chosen; /* back end of IPVS; NULL: none */
	bool failed;
};

static void __attribute__((format(printf, 4, 5)))
find(struct doctor *d, const char *area, enum level level, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	d->failed |= level == LEVEL_FAIL;
	(void)json_array_append_new(d->findings, json_pack("{ssssss}", "area", area, "level",
							   level_names[level], "text", text));
}

/* ---- rights ---------------------------------------------------------------------------------- */

static void look_at_rights(struct doctor *d)
{
	static const struct {
		const char *name, *why;
		unsigned capability;
		enum level without;
	} wanted[] = {
		{"CAP_NET_ADMIN", "nothing works without it", CAP_NET_ADMIN, LEVEL_FAIL},
		{"CAP_BPF", "no bpf back end of IPVS", CAP_BPF, LEVEL_WARN},
		{"CAP_PERFMON", "no bpf back end of IPVS", CAP_PERFMON, LEVEL_WARN},
		{"CAP_SYS_ADMIN", "no bpf back end of IPVS: it wants the module's BTF",
		 CAP_SYS_ADMIN, LEVEL_WARN},
		{"CAP_SYSLOG", "no bpf back end of IPVS where addresses are hidden", CAP_SYSLOG,
		 LEVEL_NOTE},
		{"CAP_NET_RAW", "no kernel-sync back end of IPVS", CAP_NET_RAW, LEVEL_NOTE},
	};
	bool all = true;

	if (capng_get_caps_process() < 0) {
		find(d, "rights", LEVEL_WARN, "capabilities of this process cannot be read");
		return;
	}
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!capng_have_capability(CAPNG_EFFECTIVE, wanted[i].capability)) {
			find(d, "rights", wanted[i].without, "%s is missing: %s", wanted[i].name,
			     wanted[i].why);
			all = false;
		}
	if (all)
		find(d, "rights", LEVEL_OK,
		     "all that any back end asks for, which syncd gives up "
		     "but for CAP_NET_ADMIN once it runs");
}

/* ---- sysctls --------------------------------------------------------------------------------- */

/* name: with slashes. Returns its value, or -1 where there is none. */
static long read_sysctl(struct doctor *d, const char *name)
{
	char path[PATH_TEXT_MAX];
	long value = -1;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/sys/%s", name);
	f = fopen(path, "re");
	if (f && fscanf(f, "%ld", &value) != 1)
		value = -1;
	if (f)
		(void)fclose(f);
	(void)json_object_set_new(d->sysctl, name, value < 0 ? json_null() : json_integer(value));
	return value;
}

static void look_at_conntrack_sysctls(struct doctor *d)
{
	long events = read_sysctl(d, "net/netfilter/nf_conntrack_events");

	if (events == 0)
		find(d, "conntrack", LEVEL_WARN,
		     "nf_conntrack_events is 0: syncd sets it to 1, but flows older than that "
		     "report nothing: set it at boot (sysctl.d)");
	else if (events == 2)
		find(d, "conntrack", LEVEL_NOTE,
		     "nf_conntrack_events is 2: flows born before syncd listens stay mute: set it "
		     "to 1 at boot (sysctl.d)");
	else if (events < 0)
		find(d, "conntrack", LEVEL_NOTE, "nf_conntrack is not loaded, or has no events");
	if (read_sysctl(d, "net/netfilter/nf_conntrack_tcp_loose") == 1)
		find(d, "conntrack", LEVEL_NOTE,
		     "nf_conntrack_tcp_loose is 1: what was not synchronised can go unnoticed");
}

static void look_at_ipvs_sysctls(struct doctor *d)
{
	static const char *const names[] = {
		"conn_reuse_mode", "expire_nodest_conn", "expire_quiescent_template",
		"sloppy_tcp",	   "sync_version",	 "sync_refresh_period"};
	char path[PATH_TEXT_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "net/ipv4/vs/%s", names[i]);
		(void)read_sysctl(d, path);
	}
	if (read_sysctl(d, "net/ipv4/vs/conntrack") == 0)
		find(d, "ipvs", LEVEL_NOTE,
		     "net.ipv4.vs.conntrack is 0: right for direct routing and tunnels; with NAT a "
		     "strict firewall wants 1, and so do newborn connections with kernel-sync");
	if (read_sysctl(d, "net/ipv4/vs/backup_only") == 1)
		find(d, "ipvs", LEVEL_WARN,
		     "net.ipv4.vs.backup_only is 1: while syncd runs this box would balance "
		     "nothing; set it to 0");
}

/* ---- conntrack ------------------------------------------------------------------------------- */

static void look_at_conntrack(struct doctor *d)
{
	uint64_t count = 0, max = 0;
	bool ipv4 = false, ipv6 = false;
	int err = ct_probe_table(&count, &max);

	if (err) {
		find(d, "conntrack", LEVEL_FAIL,
		     "no ctnetlink here: %s: modprobe nf_conntrack_netlink, or set conntrack "
		     "{ enabled = false }",
		     strerror(-err));
		return;
	}
	find(d, "conntrack", LEVEL_OK, "%llu of at most %llu flows", (unsigned long long)count,
	     (unsigned long long)max);
	look_at_conntrack_sysctls(d);
	if (ct_probe_nat(&ipv4, &ipv6) == 0)
		find(d, "conntrack", LEVEL_NOTE, "NAT chains: IPv4 %s, IPv6 %s",
		     ipv4 ? "yes" : "no", ipv6 ? "yes" : "no");
}

/* ---- IPVS ------------------------------------------------------------------------------------ */

static void offer(struct doctor *d, const char *name, bool usable, const char *why)
{
	(void)json_array_append_new(
		d->backends, json_pack("{sssbss}", "name", name, "usable", usable, "why", why));
	find(d, "ipvs", usable ? LEVEL_OK : LEVEL_NOTE, "%s: %s: %s", name,
	     usable ? "usable" : "not usable", why);
	if (usable && !d->chosen)
		d->chosen = name;
}

/* What both back ends of stock kernels insert by. Returns NULL where it can, else why not. */
static const char *sink_fault(void)
{
	char ifname[16];
	bool ours;
	int err = ipvs_daemon_look(IPVS_DAEMON_BACKUP, ifname, &ours);

	if (err)
		return "the kernel's sync threads cannot be asked for";
	if (ifname[0] && !ours)
		return "the kernel's backup sync thread works for another program: take "
		       "lvs_sync_daemon out of keepalived's configuration";
	err = ipvs_daemon_try_interface();
	if (err && err != -EPERM)
		return "this kernel has no dummy interfaces: modprobe dummy";
	return NULL;
}

static void offer_bpf(struct doctor *d, const char *fault)
{
	char why[TEXT_MAX];
	const char *step;
	int err = fault ? 0 : ipvs_bpf_source_try(&step);

	if (fault) {
		offer(d, "bpf", false, fault);
	} else if (err) {
		(void)snprintf(why, sizeof(why), "%s: %s", step, strerror(-err));
		offer(d, "bpf", false, why);
	} else {
		offer(d, "bpf", true,
		      "events and deletes at once; not carried: links to templates, servers of "
		      "another family, changed templates");
	}
}

static void offer_kernel_sync(struct doctor *d, const char *fault)
{
	char ifname[16];
	bool ours;

	if (fault)
		offer(d, "kernel-sync", false, fault);
	else if (ipvs_daemon_look(IPVS_DAEMON_MASTER, ifname, &ours) == 0 && ifname[0] && !ours)
		offer(d, "kernel-sync", false,
		      "the kernel's master sync thread works for another program");
	else
		offer(d, "kernel-sync", true,
		      "a connection may be told 3 s late (at once with NAT and vs.conntrack), its "
		      "end later; reading the table costs the square of its size: for up to "
		      "100,000 connections");
}

static void look_at_ipvs(struct doctor *d)
{
	struct ct_socket s = {.fd = -1};
	struct ipvs_genl genl = {0};
	const char *fault;
	int err = ipvs_genl_open(&s, ASK_RCVBUF_BYTES);

	if (err == 0)
		err = ipvs_genl_find(&s, &genl);
	ct_socket_close(&s);
	if (err) {
		find(d, "ipvs", LEVEL_NOTE, "%s",
		     err == -ENOENT ? "not loaded in this kernel: modprobe ip_vs"
				    : "the kernel cannot be asked for it");
		return;
	}
	offer(d, "netlink", genl.group_del != 0,
	      genl.group_del ? "everything, flow for flow"
			     : "its ip_vs has no connection API, which kpatch/ gives");
	fault = sink_fault();
	offer_bpf(d, fault);
	offer_kernel_sync(d, fault);
	if (d->chosen)
		find(d, "ipvs", LEVEL_OK, "backend = auto would choose %s", d->chosen);
	else
		find(d, "ipvs", LEVEL_WARN, "no back end: IPVS connections are left out");
	look_at_ipvs_sysctls(d);
}

/* ---- others ---------------------------------------------------------------------------------- */

static bool has_sync_thread(struct doctor *d, enum ipvs_daemon_kind kind, const char *name)
{
	char ifname[16];
	bool ours;

	if (ipvs_daemon_look(kind, ifname, &ours) || !ifname[0] || ours)
		return false;
	find(d, "rivals", LEVEL_WARN,
	     "the kernel's IPVS sync daemon runs (%s, on %s): take lvs_sync_daemon out of "
	     "keepalived's configuration, or ipvsadm --stop-daemon %s",
	     name, ifname, name);
	return true;
}

static void look_at_rivals(struct doctor *d)
{
	pid_t conntrackd = rivals_find_conntrackd();
	bool master = has_sync_thread(d, IPVS_DAEMON_MASTER, "master");
	bool backup = has_sync_thread(d, IPVS_DAEMON_BACKUP, "backup");

	if (conntrackd > 0)
		find(d, "rivals", LEVEL_WARN,
		     "conntrackd (pid %d) syncs connections here too: stop one of them",
		     (int)conntrackd);
	else if (!master && !backup)
		find(d, "rivals", LEVEL_OK, "nobody else syncs connections here");
}

static void look_at_port(struct doctor *d, const struct config_link *l, bool running)
{
	const bool v6 = l->family == CONFIG_IPV6;
	const char *family = v6 ? "IPv6" : "IPv4";
	bool tracked = false;
	int err = ct_probe_udp(v6 ? AF_INET6 : AF_INET, (uint16_t)l->port, &tracked);

	if (err)
		find(d, "links", LEVEL_NOTE,
		     "whether UDP port %u is tracked cannot be told (%s): Linux 5.8 and rights",
		     l->port, strerror(-err));
	else if (tracked)
		find(d, "links", LEVEL_WARN,
		     "what goes to UDP port %u (%s) is tracked: when the connection table is full "
		     "the nodes do not hear each other: load sync-link.nft (old entries are seen "
		     "for 30 s more)",
		     l->port, family);
	else if (running)
		find(d, "links", LEVEL_OK, "what goes to UDP port %u (%s) is not tracked", l->port,
		     family);
}

/*
 * A full connection table drops what has no entry, the stream between the nodes too. While a daemon
 * sends there are entries if its datagrams are tracked at all; by which link they go is not told.
 */
static void look_at_links(struct doctor *d, const struct config *config, bool running)
{
	for (size_t i = 0; config && i < config->links; i++) {
		const struct config_link *l = &config->link[i];
		size_t k = 0;

		while (config->link[k].family != l->family || config->link[k].port != l->port)
			k++;
		if (k == i)
			look_at_port(d, l, running);
	}
}

/* Nobody is heard: what came and could not be opened tells why. */
static void look_at_silence(struct doctor *d, const json_t *counters)
{
	const json_int_t sealed = json_integer_value(json_object_get(counters, "bad_tag")) +
				  json_integer_value(json_object_get(counters, "unknown_key"));

	if (sealed > 0)
		find(d, "peers", LEVEL_WARN,
		     "no other node is heard, and %" JSON_INTEGER_FORMAT
		     " datagrams were sealed with another key: the key files must be alike",
		     sealed);
	else
		find(d, "peers", LEVEL_WARN, "no other node is heard");
}

/* Whether the nodes are alike: what differs would cost its connections at a takeover. */
static void look_at_peers(struct doctor *d, const json_t *status)
{
	size_t i, alike = 0;
	json_t *peer;

	if (!status) {
		find(d, "peers", LEVEL_NOTE,
		     "no syncd answers: services and settings are not compared");
		return;
	}
	if (json_array_size(json_object_get(status, "peers")) == 0)
		look_at_silence(d, json_object_get(status, "counters"));
	json_array_foreach(json_object_get(status, "peers"), i, peer)
	{
		const char *name = json_string_value(json_object_get(peer, "name"));
		const char *differs = json_string_value(json_object_get(peer, "differs"));

		if (differs && *differs)
			find(d, "peers", LEVEL_WARN, "%s differs: %s: make both alike",
			     name ? name : "a node", differs);
		else
			alike++;
	}
	if (alike)
		find(d, "peers", LEVEL_OK, "%zu configured alike", alike);
}

static void print_text(const struct doctor *d, const char *kernel, FILE *to)
{
	size_t i;
	json_t *f;

	(void)fprintf(to, "%-10s %-5s Linux %s\n", "kernel", "", kernel);
	json_array_foreach(d->findings, i, f)(void)
		fprintf(to, "%-10s %-5s %s\n", json_string_value(json_object_get(f, "area")),
			json_string_value(json_object_get(f, "level")),
			json_string_value(json_object_get(f, "text")));
}

static void print_json(const struct doctor *d, const char *kernel, FILE *to)
{
	json_t *chosen = d->chosen ? json_string(d->chosen) : json_null();
	json_t *all = json_pack("{sssbsOs{sOso}sO}", "kernel", kernel, "ok", !d->failed, "findings",
				d->findings, "ipvs", "backends", d->backends, "chosen", chosen,
				"sysctl", d->sysctl);

	(void)json_dumpf(all, to, JSON_INDENT(2));
	(void)fputc('\n', to);
	json_decref(all);
}

int doctor_run(bool json, const struct config *config, const json_t *status, FILE *to)
{
	struct doctor d = {
		.findings = json_array(), .sysctl = json_object(), .backends = json_array()};
	struct utsname kernel = {.release = "unknown"};

	(void)uname(&kernel);
	look_at_rights(&d);
	look_at_conntrack(&d);
	look_at_ipvs(&d);
	look_at_rivals(&d);
	look_at_links(&d, config, status != NULL);
	look_at_peers(&d, status);
	if (json)
		print_json(&d, kernel.release, to);
	else
		print_text(&d, kernel.release, to);
	json_decref(d.findings);
	json_decref(d.sysctl);
	json_decref(d.backends);
	return d.failed || fflush(to) ? 1 : 0;
}
