/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See pair.h. The daemon under test is $(B)/syncd beside the test program's own folder. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "proto/key_file.h"
#include "syncd/ctl/ctl_client.h"
#include "tests/lib/ct_lab.h"
#include "tests/lib/netns.h"
#include "tests/lib/pair.h"
#include "tests/lib/tmpdir.h"

enum { KINDS = 4, PER_KIND = 50000, CLIENT = 100, CLIENTS = 100 };

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

static void make_key(struct pair *p)
{
	struct group_key k;
	char path[PAIR_PATH];

	must(sodium_init() >= 0, "sodium_init");
	group_key_generate(&k, 1, NULL);
	(void)snprintf(path, sizeof(path), "%s/1.key", p->dir);
	must(key_file_write(path, &k) == 0, "key file");
}

void pair_open(struct pair *p, size_t nodes)
{
	memset(p, 0, sizeof(*p));
	tmpdir_make(p->dir);
	must(netns_enter() == 0, "network namespace");
	p->sw = netns_current();
	p->nodes = nodes;
	make_key(p);
	must(netns_sh("ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up") == 0,
	     "bridge");
	for (size_t i = 0; i < nodes; i++) {
		struct pair_node *n = &p->node[i];
		char port[24];

		n->ns = netns_new();
		(void)snprintf(n->dir, sizeof(n->dir), "%s/%zu", p->dir, i);
		(void)snprintf(port, sizeof(port), "p%zu", i);
		must(n->ns >= 0 && netns_link(p->sw, port, n->ns, "s0") == 0, "link");
		must(netns_sh("ip link set %s master br0", port) == 0, "port");
		must(netns_switch(n->ns) == 0, "setns");
		must(netns_sh("mkdir -p %s && ip addr add 10.9.9.%zu/24 dev s0 && "
			      "nft 'table inet nat { chain pre { type nat hook prerouting priority "
			      "dstnat; }; chain post { type nat hook postrouting priority srcnat; "
			      "}; }'",
			      n->dir, i + 1) == 0,
		     "node");
		must(netns_switch(p->sw) == 0, "setns");
		pair_configure(p, i, "group web { id = 1 match = { \"203.0.113.0/24\" } }", "");
	}
}

void pair_second_link(struct pair *p)
{
	p->second = true;
	must(netns_sh("ip link add br1 type bridge mcast_snooping 0 && ip link set br1 up") == 0,
	     "bridge");
	for (size_t i = 0; i < p->nodes; i++) {
		char port[24];

		(void)snprintf(port, sizeof(port), "q%zu", i);
		must(netns_link(p->sw, port, p->node[i].ns, "s1") == 0 &&
			     netns_sh("ip link set %s master br1", port) == 0,
		     "second link");
		pair_enter(p, i);
		must(netns_sh("ip addr add 10.9.10.%zu/24 dev s1", i + 1) == 0, "address");
		pair_leave(p);
		pair_configure(p, i, "group web { id = 1 match = { \"203.0.113.0/24\" } }", "");
	}
}

void pair_cable(struct pair *p, size_t i, unsigned link, bool up)
{
	must(netns_sh("ip link set %c%zu %s", link ? 'q' : 'p', i, up ? "up" : "down") == 0,
	     "cable");
	(void)p;
}

void pair_configure(struct pair *p, size_t i, const char *group, const char *extra)
{
	char path[PAIR_PATH + 16], text[2048];

	(void)snprintf(path, sizeof(path), "%s/conf", p->node[i].dir);
	(void)snprintf(text, sizeof(text),
		       "runtime_dir = \"%s/run\"\nstate_dir = \"%s/state\"\n"
		       "node lb-%zu { id = %zu }\nlink s0 { interface = \"s0\" %s }\n"
		       "%s%s%s\nkey 1 { file = \"%s/1.key\" }\n%s\n%s\n",
		       p->node[i].dir, p->node[i].dir, i, i + 1, p->link,
		       p->second ? "link s1 { interface = \"s1\" " : "", p->second ? p->link : "",
		       p->second ? " }" : "", p->dir, group, extra);
	tmpdir_write(path, text);
}

static void exec_daemon(const struct pair_node *n)
{
	char self[PATH_MAX] = "", conf[PAIR_PATH + 16], log[PAIR_PATH + 16], prog[PATH_MAX + 16];
	int fd;

	(void)snprintf(conf, sizeof(conf), "%s/conf", n->dir);
	(void)snprintf(log, sizeof(log), "%s/log", n->dir);
	must(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0, "readlink");
	(void)snprintf(prog, sizeof(prog), "%s/../%s", dirname(self),
		       n->program ? n->program : "syncd");
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	must(fd >= 0 && netns_switch(n->ns) == 0, "log, setns");
	(void)dup2(fd, 1);
	(void)dup2(fd, 2);
	if (n->manager)
		notify_child(n->manager);
	execl(prog, "syncd", "-c", conf, (char *)NULL);
	perror(prog);
	_exit(127);
}

struct waiting {
	struct pair *p;
	size_t i;
	const char *name;
	long long value;
	long long (*get)(struct pair *p, size_t i, const char *name);
};

static bool answers(void *ctx)
{
	struct waiting *w = ctx;
	json_t *r = NULL;
	int rc = pair_ask(w->p, w->i, "status", NULL, NULL, &r);

	json_decref(r);
	return rc == 0;
}

void pair_start(struct pair *p, size_t i, bool wait)
{
	struct pair_node *n = &p->node[i];
	struct waiting w = {.p = p, .i = i};

	n->pid = fork();
	must(n->pid >= 0, "fork");
	if (n->pid == 0)
		exec_daemon(n);
	if (wait && !netns_wait_for(answers, &w, 30000)) {
		char *log = pair_log(p, i);

		(void)fprintf(stderr, "node %zu does not answer:\n%s\n", i, log);
		abort();
	}
}

static int reap(struct pair_node *n)
{
	int st;

	must(waitpid(n->pid, &st, 0) == n->pid, "waitpid");
	n->pid = 0;
	return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}

int pair_stop(struct pair *p, size_t i, int sig)
{
	must(kill(p->node[i].pid, sig) == 0, "kill");
	return reap(&p->node[i]);
}

char *pair_log(struct pair *p, size_t i)
{
	char path[PAIR_PATH + 16], *text = NULL;
	size_t len = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/log", p->node[i].dir);
	f = fopen(path, "r");
	if (!f || getdelim(&text, &len, '\0', f) < 0) {
		free(text);
		text = strdup("");
	}
	if (f)
		(void)fclose(f);
	return text;
}

int pair_ask(struct pair *p, size_t i, const char *command, const char *group, const char *role,
	     json_t **response)
{
	json_t *request =
		json_pack("{s:s,s:s*,s:s*}", "command", command, "group", group, "role", role);
	char path[PAIR_PATH + 16];
	struct ctl_client *c;
	json_t *r = NULL;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/run/ctl", p->node[i].dir);
	rc = ctl_client_open(path, &c);
	if (rc == 0) {
		rc = ctl_client_ask(c, request, 10000, &r);
		ctl_client_close(c);
	}
	json_decref(request);
	if (response)
		*response = r;
	else
		json_decref(r);
	return rc;
}

static long long number_of(const json_t *v)
{
	return json_is_boolean(v)   ? json_is_true(v)
	       : json_is_integer(v) ? json_integer_value(v)
				    : -1;
}

long long pair_group(struct pair *p, size_t i, const char *member)
{
	json_t *r = NULL;
	long long v = -1;

	if (pair_ask(p, i, "status", NULL, NULL, &r) >= 0)
		v = number_of(
			json_object_get(json_array_get(json_object_get(r, "groups"), 0), member));
	json_decref(r);
	return v;
}

long long pair_counter(struct pair *p, size_t i, const char *name)
{
	json_t *r = NULL;
	long long v = -1;

	if (pair_ask(p, i, "stats", NULL, NULL, &r) >= 0)
		v = number_of(json_object_get(json_object_get(r, "counters"), name));
	json_decref(r);
	return v;
}

static bool reached(void *ctx)
{
	struct waiting *w = ctx;

	return w->get(w->p, w->i, w->name) >= w->value;
}

bool pair_wait_group(struct pair *p, size_t i, const char *member, long long value,
		     unsigned timeout_ms)
{
	struct waiting w = {p, i, member, value, pair_group};

	return netns_wait_for(reached, &w, timeout_ms);
}

bool pair_wait_counter(struct pair *p, size_t i, const char *name, long long value,
		       unsigned timeout_ms)
{
	struct waiting w = {p, i, name, value, pair_counter};

	return netns_wait_for(reached, &w, timeout_ms);
}

static bool is_equal(void *ctx)
{
	struct waiting *w = ctx;
	json_t *r = NULL, *g;
	bool good;

	if (pair_ask(w->p, w->i, "status", NULL, NULL, &r) < 0)
		return false;
	g = json_array_get(json_object_get(r, "groups"), 0);
	good = json_is_true(json_object_get(g, "equal")) &&
	       number_of(json_object_get(g, "flows")) == w->value &&
	       number_of(json_object_get(g, "installed")) == w->value;
	json_decref(r);
	return good && pair_kernel_count(w->p, w->i) == (size_t)w->value;
}

bool pair_wait_equal(struct pair *p, size_t i, long long flows, unsigned timeout_ms)
{
	struct waiting w = {.p = p, .i = i, .value = flows};

	return netns_wait_for(is_equal, &w, timeout_ms);
}

/* TCP and UDP, each with destination NAT alone and with both; a client of its own for each kind. */
struct flow pair_flow(const struct pair *p, unsigned n)
{
	unsigned kind = n / PER_KIND % (p->dnat_only ? CLIENTS : KINDS);
	bool both = kind % 2 && !p->dnat_only;
	struct flow f = ct_lab_flow(kind < 2 || p->dnat_only ? IPPROTO_TCP : IPPROTO_UDP, 4,
				    both ? CT_LAB_BOTH : CT_LAB_DNAT, n % PER_KIND);

	f.key.src.b[3] = (uint8_t)(CLIENT + kind);
	if (!both)
		f.ct.reply_dst = f.key.src;
	return f;
}

unsigned pair_flow_number(const struct flow *f)
{
	static const struct pair any;

	return (unsigned)(f->key.src.b[3] - CLIENT) * PER_KIND + f->key.sport -
	       pair_flow(&any, 0).key.sport;
}

void pair_set_loss(struct pair *p, unsigned percent)
{
	char rule[96] = "", random[48] = "";

	if (percent < 100)
		(void)snprintf(random, sizeof(random), "numgen random mod 100 < %u", percent);
	if (percent > 0)
		(void)snprintf(rule, sizeof(rule), "iifname s0 meta l4proto udp %s drop;", random);
	for (size_t i = 0; i < p->nodes; i++) {
		pair_enter(p, i);
		must(netns_sh("nft 'table inet loss; delete table inet loss; table inet loss { "
			      "chain in { type filter hook input priority -300; %s }; }'",
			      rule) == 0,
		     "loss");
		pair_leave(p);
	}
}

unsigned long long pair_sent_bytes(struct pair *p, size_t i)
{
	unsigned long long bytes = 0;
	char line[256];
	FILE *f;

	pair_enter(p, i);
	f = popen("ip -s -j link show s0 | sed -n 's/.*\"tx\":{\"bytes\":\\([0-9]*\\).*/\\1/p'",
		  "r");
	must(f && fgets(line, sizeof(line), f) && sscanf(line, "%llu", &bytes) == 1, "ip");
	(void)pclose(f);
	pair_leave(p);
	return bytes;
}

bool pair_is_alone(void *pair)
{
	json_t *r = NULL;
	size_t peers = 1;

	if (pair_ask(pair, 0, "status", NULL, NULL, &r) >= 0)
		peers = json_array_size(json_object_get(r, "peers"));
	json_decref(r);
	return peers == 0;
}

void pair_enter(struct pair *p, size_t i)
{
	must(netns_switch(p->node[i].ns) == 0, "setns");
}

void pair_leave(struct pair *p)
{
	must(netns_switch(p->sw) == 0, "setns");
}

static void settle(struct ct_lab *lab)
{
	must(lab->sink->ops->flush(lab->sink, netns_now_us()) >= 0 &&
		     lab->sink->ops->poll(lab->sink, netns_now_us()) >= 0,
	     "sink");
}

void pair_flows(struct pair *p, size_t i, unsigned first, unsigned n, bool del)
{
	struct ct_lab lab;

	pair_enter(p, i);
	must(ct_lab_open(&lab, NULL) == 0, "sink");
	for (unsigned k = first; k < first + n; k++) {
		struct flow f = pair_flow(p, k);

		while (lab.sink->ops->submit(lab.sink, del ? SINK_DEL : SINK_PUT, &f) == -EAGAIN)
			settle(&lab);
	}
	settle(&lab);
	must(lab.errors == 0, "flows");
	ct_lab_close(&lab);
	pair_leave(p);
}

static size_t count_lab(const struct ct_lab *lab)
{
	size_t n = 0;

	for (size_t k = 0; k < lab->dumped_count; k++) {
		const uint8_t *b = lab->dumped[k].key.dst.b;

		n += b[0] == 203 && b[1] == 0 && b[2] == 113;
	}
	return n;
}

size_t pair_kernel_count(struct pair *p, size_t i)
{
	struct ct_lab lab;
	size_t n;

	pair_enter(p, i);
	must(ct_lab_open(&lab, NULL) == 0 && ct_lab_dump(&lab) == 0, "dump");
	n = count_lab(&lab);
	ct_lab_close(&lab);
	pair_leave(p);
	return n;
}

void pair_close(struct pair *p)
{
	for (size_t i = 0; i < p->nodes; i++)
		if (p->node[i].pid)
			(void)pair_stop(p, i, SIGKILL);
	for (size_t i = 0; i < p->nodes; i++) {
		pair_enter(p, i);
		(void)netns_sh("conntrack -F >/dev/null 2>&1");
		pair_leave(p);
		close(p->node[i].ns);
	}
	close(p->sw);
	tmpdir_remove(p->dir);
}
