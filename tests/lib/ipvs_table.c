// SPDX-License-Identifier: GPL-2.0-or-later
/* See ipvs_table.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kpatch/tests/client.h"
#include "tests/lib/ipvs_memory.h"
#include "tests/lib/ipvs_table.h"

/* The rest are a kernel's own: hashed, inactive, inserted, … */
enum {
	FLAGS_ALIKE = IP_VS_CONN_F_FWD_MASK | IP_VS_CONN_F_SEQ_MASK | IP_VS_CONN_F_NO_CPORT |
		      IP_VS_CONN_F_TEMPLATE
};

struct reading {
	struct ipvs_table *t;
	size_t room;
	int err;
};

static int add(void *ctx, const struct ipvs_entry *e)
{
	struct reading *r = ctx;
	struct ipvs_table *t = r->t;

	if (t->count == r->room) {
		size_t room = r->room ? 2 * r->room : 4096;
		struct ipvs_entry *grown = realloc(t->entry, room * sizeof(*grown));

		if (!grown)
			return r->err = -ENOMEM;
		t->entry = grown;
		r->room = room;
	}
	t->entry[t->count] = *e;
	t->entry[t->count].flags &= FLAGS_ALIKE;
	/* Without the flags they are memory as it was found. */
	if (!(e->flags & IP_VS_CONN_F_SEQ_MASK)) {
		memset(t->entry[t->count].in_seq, 0, sizeof(e->in_seq));
		memset(t->entry[t->count].out_seq, 0, sizeof(e->out_seq));
	}
	t->count++;
	return 0;
}

static void add_conn(void *ctx, uint8_t cmd, uint32_t portid, const struct conn *c)
{
	struct reading *r = ctx;
	struct ipvs_entry e = {.cport = htons(c->cport),
			       .vport = htons(c->vport),
			       .dport = htons(c->dport),
			       .af = c->af,
			       .daf = c->daf ? c->daf : c->af,
			       .protocol = c->protocol,
			       .state = c->state,
			       .flags = c->flags,
			       .fwmark = c->fwmark};

	(void)cmd;
	(void)portid;
	memcpy(e.caddr, &c->caddr, e.af == AF_INET6 ? 16 : 4);
	memcpy(e.vaddr, &c->vaddr, e.af == AF_INET6 ? 16 : 4);
	memcpy(e.daddr, &c->daddr, e.daf == AF_INET6 ? 16 : 4);
	memcpy(e.in_seq, c->in_seq, sizeof(e.in_seq));
	memcpy(e.out_seq, c->out_seq, sizeof(e.out_seq));
	if (r->err == 0)
		(void)add(r, &e);
}

/* -EOPNOTSUPP where ip_vs is not patched. */
static int read_by_client(struct reading *r)
{
	struct client *c = client_open();
	int n;

	if (!c)
		return -EOPNOTSUPP;
	n = client_dump(c, NULL, add_conn, r);
	client_close(c);
	return n < 0 ? (r->t->count ? n : -EOPNOTSUPP) : r->err;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ipvs_entry));
}

int ipvs_table_read(struct ipvs_table *out)
{
	struct ipvs_table t = {.by = "netlink"};
	struct reading r = {.t = &t};
	int err = read_by_client(&r);

	if (err == -EOPNOTSUPP) {
		t.by = "kernel memory";
		err = ipvs_memory_walk(add, &r);
	}
	if (err) {
		free(t.entry);
		return err;
	}
	if (t.count)
		qsort(t.entry, t.count, sizeof(t.entry[0]), by_bytes);
	*out = t;
	return 0;
}

void ipvs_table_free(struct ipvs_table *t)
{
	free(t->entry);
	*t = (struct ipvs_table){0};
}

void ipvs_entry_format(const struct ipvs_entry *e, char text[IPVS_ENTRY_TEXT])
{
	char c[INET6_ADDRSTRLEN] = "?", v[INET6_ADDRSTRLEN] = "?", d[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(e->af, e->caddr, c, sizeof(c));
	(void)inet_ntop(e->af, e->vaddr, v, sizeof(v));
	(void)inet_ntop(e->daf, e->daddr, d, sizeof(d));
	(void)snprintf(text, IPVS_ENTRY_TEXT, "%u %s %u, %s %u, %s %u, state %u, flags %x, mark %u",
		       e->protocol, c, ntohs(e->cport), v, ntohs(e->vport), d, ntohs(e->dport),
		       e->state, e->flags, e->fwmark);
}
