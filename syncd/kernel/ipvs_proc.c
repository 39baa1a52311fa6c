// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_proc.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/kernel/ipvs_flow.h"
#include "syncd/kernel/ipvs_proc.h"

enum {
	WORD = 64,
	LINE_MAX_BYTES = 256,
	F_NOOUTPUT = 0x0080, /* IP_VS_CONN_F_NOOUTPUT */
};

/* ---- words ----------------------------------------------------------------------------------- */

/* ip_vs_proto_name */
static bool read_protocol(const char *name, uint8_t *out)
{
	static const struct {
		const char *name;
		uint8_t number;
	} known[] = {
		{"TCP", IPPROTO_TCP}, {"UDP", IPPROTO_UDP}, {"SCTP", IPPROTO_SCTP},
		{"IP", IPPROTO_IP},   {"AH", IPPROTO_AH},   {"ESP", IPPROTO_ESP},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0) {
			*out = known[i].number;
			return true;
		}
	return false;
}

/* "CB00710A" or "2001:0db8:..."; returns its length in bytes, 0 where it is neither. */
static uint8_t read_addr(const char *text, struct flow_addr *out)
{
	uint32_t word;
	char *end;

	memset(out, 0, sizeof(*out));
	if (strchr(text, ':'))
		return inet_pton(AF_INET6, text, out->b) == 1 ? 16 : 0;
	word = htonl((uint32_t)strtoul(text, &end, 16));
	memcpy(out->b, &word, sizeof(word));
	return *end || end == text ? 0 : 4;
}

static bool read_state(const char *name, bool template, uint8_t l4proto, uint16_t *out)
{
	const char *known;

	if (l4proto == IPPROTO_UDP && !template)
		return *out = 0, true; /* its one state is called UDP */
	for (uint16_t i = 0;
	     (known = flow_state_name(FLOW_IPVS, template ? IPPROTO_IP : l4proto, i)); i++)
		if (strcmp(known, name) == 0)
			return *out = i, true;
	return *out = 0, l4proto != IPPROTO_TCP && l4proto != IPPROTO_SCTP;
}

/* ---- connections ----------------------------------------------------------------------------- */

/* What follows the columns: the engine's name, and its data up to the end of the line. */
static void read_engine(const char *text, struct flow *f)
{
	size_t name = strcspn(text, " "), data;

	if (name == 0 || name >= FLOW_PE_NAME_MAX || text[name] != ' ')
		return;
	data = strlen(text + name + 1);
	if (data == 0 || data > FLOW_PE_DATA_MAX)
		return;
	memcpy(f->ipvs.pe_name, text, name);
	f->key.pe_data = (const uint8_t *)text + name + 1;
	f->key.pe_data_len = (uint8_t)data;
}

int ipvs_proc_read_line(const char *line, struct ipvs_proc_line *out)
{
	char proto[8], from[WORD], to[WORD], dest[WORD], state[WORD];
	struct flow_key *k = &out->flow.key;
	struct flow_ipvs *v = &out->flow.ipvs;
	unsigned cport, vport, dport, expires;
	int at = 0;

	memset(out, 0, sizeof(*out));
	if (sscanf(line, "%7s %63s %4x %63s %4x %63s %4x %63s %u%n", proto, from, &cport, to,
		   &vport, dest, &dport, state, &expires, &at) != 9)
		return -EINVAL;
	k->kind = FLOW_IPVS;
	k->addr_len = read_addr(from, &k->src);
	v->dest_len = read_addr(dest, &v->dest);
	if (!read_protocol(proto, &k->l4proto) || k->addr_len == 0 ||
	    read_addr(to, &k->dst) != k->addr_len || v->dest_len != k->addr_len ||
	    !read_state(state, cport == 0, k->l4proto, &v->state))
		return -EINVAL;
	k->sport = (uint16_t)cport;
	k->dport = (uint16_t)vport;
	v->dport = (uint16_t)dport;
	out->expires_s = expires;
	if (cport == 0 && line[at] == ' ')
		read_engine(line + at + 1, &out->flow);
	return 0;
}

/* ---- servers --------------------------------------------------------------------------------- */

struct service {
	bool by_mark;
	uint8_t l4proto;
	uint16_t port;
	uint32_t mark, timeout_s; /* timeout_s: of its templates */
	struct flow_addr addr;
};

struct server {
	struct service of;
	struct flow_addr addr;
	uint16_t port;
	uint32_t flags;
};

struct ipvs_servers {
	size_t n, room;
	struct server *server;
};

/* "CB00710A:0050" or "[2001:...]:0050" */
static bool read_endpoint(const char *text, struct flow_addr *addr, uint16_t *port)
{
	char inner[WORD];
	unsigned p;

	if (sscanf(text, "[%63[0-9a-fA-F:]]:%4x", inner, &p) != 2 &&
	    sscanf(text, "%63[0-9a-fA-F]:%4x", inner, &p) != 2)
		return false;
	*port = (uint16_t)p;
	return read_addr(inner, addr) != 0;
}

static bool read_service(const char *line, struct service *out)
{
	char proto[8], where[WORD];
	const char *persistent = strstr(line, " persistent ");

	memset(out, 0, sizeof(*out));
	if (sscanf(line, "%7s %63s", proto, where) != 2)
		return false;
	if (persistent)
		out->timeout_s = (uint32_t)strtoul(persistent + 12, NULL, 10);
	if (strcmp(proto, "FWM") == 0) {
		out->by_mark = true;
		out->mark = (uint32_t)strtoul(where, NULL, 16);
		return true;
	}
	return read_protocol(proto, &out->l4proto) && read_endpoint(where, &out->addr, &out->port);
}

/* ip_vs_fwd_name, and __ip_vs_update_dest for what goes with it */
static uint32_t method_flags(const char *name)
{
	static const char *const names[] = {"Masq", "Local", "Tunnel", "Route"};

	for (uint32_t i = 0; i < 4; i++)
		if (strcmp(names[i], name) == 0)
			return i ? i | F_NOOUTPUT : 0;
	return IPVS_F_BYPASS;
}

static int add_server(struct ipvs_servers *s, const struct service *of, const char *line)
{
	char where[WORD], method[16];
	struct server *grown, one = {.of = *of};

	if (sscanf(line, " -> %63s %15s", where, method) != 2 ||
	    !read_endpoint(where, &one.addr, &one.port))
		return 0;
	one.flags = method_flags(method);
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		grown = realloc(s->server, s->room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->server = grown;
	}
	s->server[s->n++] = one;
	return 0;
}

struct ipvs_servers *ipvs_servers_parse(const char *text)
{
	struct ipvs_servers *s = calloc(1, sizeof(*s));
	struct service of = {0};
	char line[LINE_MAX_BYTES];
	bool known = false;
	int err = s ? 0 : -ENOMEM;

	while (err == 0 && *text) {
		size_t len = strcspn(text, "\n");
		size_t keep = len < sizeof(line) - 1 ? len : sizeof(line) - 1;

		memcpy(line, text, keep);
		line[keep] = '\0';
		text += len + (text[len] == '\n');
		if (strncmp(line, "  -> ", 5) != 0)
			known = read_service(line, &of);
		else if (known)
			err = add_server(s, &of, line);
	}
	if (err) {
		ipvs_servers_free(s);
		s = NULL;
	}
	return s;
}

struct ipvs_servers *ipvs_servers_read(void)
{
	FILE *f = fopen("/proc/thread-self/net/ip_vs", "re");
	struct ipvs_servers *s;
	char *text = NULL;
	size_t size = 0;

	if (!f || getdelim(&text, &size, '\0', f) < 0)
		s = ipvs_servers_parse("");
	else
		s = ipvs_servers_parse(text);
	free(text);
	if (f)
		(void)fclose(f);
	return s;
}

void ipvs_servers_free(struct ipvs_servers *s)
{
	if (s)
		free(s->server);
	free(s);
}

/* A service of port 0 takes every port; one by mark is told by the server alone, but for templates.
 */
static bool is_of(const struct service *of, const struct flow_key *k)
{
	uint32_t mark;

	if (!of->by_mark)
		return of->l4proto == k->l4proto && (of->port == 0 || of->port == k->dport) &&
		       memcmp(&of->addr, &k->dst, sizeof(k->dst)) == 0;
	memcpy(&mark, k->dst.b, sizeof(mark));
	return k->l4proto != IPPROTO_IP || ntohl(mark) == of->mark;
}

static bool is_at(const struct server *r, const struct flow *f)
{
	/* A template of all ports leads to port 0 of its server, whatever that is configured for.
	 */
	return memcmp(&r->addr, &f->ipvs.dest, sizeof(r->addr)) == 0 &&
	       (r->port == f->ipvs.dport || r->port == 0 || f->ipvs.dport == 0 ||
		f->key.sport == 0);
}

bool ipvs_servers_complete(const struct ipvs_servers *s, struct flow *f, uint32_t *timeout_ms)
{
	const struct server *found = NULL;
	const struct flow_key *k = &f->key;

	for (size_t i = 0; i < s->n && !(found && !found->of.by_mark); i++)
		if (is_at(&s->server[i], f) && is_of(&s->server[i].of, k))
			found = &s->server[i];
	if (!found)
		return false;
	f->ipvs.flags = found->flags;
	*timeout_ms = found->of.timeout_s * 1000;
	if (k->sport == 0)
		f->ipvs.flags |= IPVS_F_TEMPLATE;
	ipvs_flow_set_state(f, f->ipvs.state);
	return true;
}
