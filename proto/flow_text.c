/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows as one line of text, for logs, syncctl and sync-replay. Reading is in flow_text_read.c. */
#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/flow.h"
#include "proto/flow_names.h"

struct text {
	char *buf; /* FLOW_TEXT_MAX */
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, FLOW_TEXT_MAX - t->len, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	t->len += (size_t)n;
	if (t->len > FLOW_TEXT_MAX - 1)
		t->len = FLOW_TEXT_MAX - 1;
}

static bool has_ports(uint8_t l4proto)
{
	switch (l4proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case 33: /* DCCP */
		return true;
	}
	return false;
}

static bool is_icmp(uint8_t l4proto)
{
	return l4proto == IPPROTO_ICMP || l4proto == IPPROTO_ICMPV6;
}

static void add_addr(struct text *t, const struct flow_addr *a, uint8_t len, bool bracket)
{
	char s[INET6_ADDRSTRLEN];

	if (!inet_ntop(len == 4 ? AF_INET : AF_INET6, a->b, s, sizeof(s)))
		return;
	add(t, len == 16 && bracket ? "[%s]" : "%s", s);
}

static void add_endpoint(struct text *t, const struct flow_addr *a, uint8_t len, bool ports,
			 uint16_t port)
{
	add_addr(t, a, len, ports);
	if (ports)
		add(t, ":%" PRIu16, port);
}

/* A value that is one word of printable ASCII as it is; any other in hexadecimal. */
static void add_pe_data(struct text *t, const struct flow_key *k)
{
	bool word = true;

	for (unsigned i = 0; i < k->pe_data_len; i++)
		word = word && k->pe_data[i] > ' ' && k->pe_data[i] <= '~';
	if (word) {
		add(t, " pe %.*s", (int)k->pe_data_len, (const char *)k->pe_data);
		return;
	}
	add(t, " pe-hex ");
	for (unsigned i = 0; i < k->pe_data_len; i++)
		add(t, "%02x", k->pe_data[i]);
}

/* Ports stand with the addresses where there may be any, so that what was written reads back. */
static bool shows_ports(const struct flow_key *k)
{
	return has_ports(k->l4proto) || (!is_icmp(k->l4proto) && (k->sport || k->dport));
}

static void add_key(struct text *t, const struct flow_key *k)
{
	static const char *const zone_dirs[] = {"", " orig", " reply"};
	bool ports = shows_ports(k);
	const char *name = flow_proto_name(k->l4proto);

	add(t, k->kind == FLOW_IPVS ? "ipvs %s" : "%s", name);
	if (!strcmp(name, "proto"))
		add(t, " %" PRIu8, k->l4proto);
	add(t, " ");
	add_endpoint(t, &k->src, k->addr_len, ports, k->sport);
	add(t, ">");
	add_endpoint(t, &k->dst, k->addr_len, ports, k->dport);
	if (is_icmp(k->l4proto))
		add(t, " type %u code %u id %" PRIu16, k->dport >> 8, k->dport & 0xffu, k->sport);
	if (k->zone || k->zone_dir)
		add(t, " zone %" PRIu16 "%s", k->zone, zone_dirs[k->zone_dir % 3]);
	if (k->fwmark)
		add(t, " fwmark %" PRIu32, k->fwmark);
	if (k->pe_data_len)
		add_pe_data(t, k);
}

static void add_state(struct text *t, const struct flow_key *k, unsigned state)
{
	const char *name = flow_state_name(k->kind, k->l4proto, state);

	if (name)
		add(t, " %s", name);
	else if (state)
		add(t, " state %u", state);
}

/* Adds one more to a list of words in brackets; *n counts them. */
static void add_word(struct text *t, const char *word, unsigned *n)
{
	add(t, "%s%s", (*n)++ ? "," : " [", word);
}

static void add_translation(struct text *t, const struct flow *f)
{
	const struct flow_conntrack *ct = &f->ct;
	uint8_t len = f->key.addr_len;
	bool ports = shows_ports(&f->key);
	struct flow mirror = {.key = f->key};

	flow_mirror_reply(&mirror);
	if (memcmp(&ct->reply_src, &mirror.ct.reply_src, sizeof(ct->reply_src)) != 0 ||
	    (ports && ct->reply_sport != mirror.ct.reply_sport)) {
		add(t, " => ");
		add_endpoint(t, &ct->reply_src, len, ports, ct->reply_sport);
	}
	if (memcmp(&ct->reply_dst, &mirror.ct.reply_dst, sizeof(ct->reply_dst)) != 0 ||
	    ct->reply_dport != mirror.ct.reply_dport) {
		add(t, " <= ");
		add_endpoint(t, &ct->reply_dst, len, ports, ct->reply_dport);
		if (is_icmp(f->key.l4proto))
			add(t, " id %" PRIu16, ct->reply_dport);
	}
}

static void add_labels(struct text *t, const uint8_t *labels)
{
	size_t len = FLOW_LABELS_MAX;

	while (len && !labels[len - 1])
		len--;
	if (!len)
		return;
	add(t, " labels ");
	for (size_t i = 0; i < len; i++)
		add(t, "%02x", labels[i]);
}

static void add_seqadj(struct text *t, const char *dir, const struct flow_seqadj *s)
{
	if (s->correction_pos || s->offset_before || s->offset_after)
		add(t, " seqadj-%s %" PRIu32 ":%" PRId32 ":%" PRId32, dir, s->correction_pos,
		    s->offset_before, s->offset_after);
}

static void add_conntrack_rest(struct text *t, const struct flow_conntrack *ct)
{
	if (ct->mark)
		add(t, " mark %" PRIu32, ct->mark);
	add_labels(t, ct->labels);
	if (ct->helper[0])
		add(t, " helper %s", ct->helper);
	if (ct->vtag[0] || ct->vtag[1])
		add(t, " vtag %08" PRIx32 ":%08" PRIx32, ct->vtag[0], ct->vtag[1]);
	if (ct->dccp_role)
		add(t, " role %s", ct->dccp_role == 1 ? "client" : "server");
	add_seqadj(t, "orig", &ct->seqadj[FLOW_ORIG]);
	add_seqadj(t, "reply", &ct->seqadj[FLOW_REPLY]);
	if (ct->synproxy_isn || ct->synproxy_its || ct->synproxy_tsoff)
		add(t, " synproxy %" PRIu32 ":%" PRIu32 ":%" PRIu32, ct->synproxy_isn,
		    ct->synproxy_its, ct->synproxy_tsoff);
	if (ct->has_master) {
		add(t, " master ");
		add_key(t, &ct->master);
	}
}

static void add_conntrack(struct text *t, const struct flow *f)
{
	unsigned n = 0;

	add_translation(t, f);
	add_state(t, &f->key, f->ct.state);
	for (unsigned bit = 0; bit < 32; bit++) {
		const char *name = flow_status_bit_name(bit);

		if (f->ct.status >> bit & 1 && name)
			add_word(t, name, &n);
	}
	add(t, n ? "]" : "");
	add_conntrack_rest(t, &f->ct);
}

static void add_ipvs_seq(struct text *t, const char *dir, const struct flow_ipvs_seq *s)
{
	if (s->init_seq || s->delta || s->previous_delta)
		add(t, " %s-seq %" PRIu32 ":%" PRId32 ":%" PRId32, dir, s->init_seq, s->delta,
		    s->previous_delta);
}

static void add_ipvs_flags(struct text *t, uint32_t flags)
{
	const char *method = flow_ipvs_method_name(flags);
	unsigned n = 0;

	add_word(t, method ? method : "?", &n);
	for (unsigned bit = 0; bit < 32; bit++) {
		const char *name = flow_ipvs_flag_name(bit);

		if (flags >> bit & 1 && name)
			add_word(t, name, &n);
	}
	add(t, "]");
}

static void add_ipvs(struct text *t, const struct flow *f)
{
	const struct flow_ipvs *v = &f->ipvs;

	add(t, " => ");
	add_endpoint(t, &v->dest, v->dest_len, true, v->dport);
	add_state(t, &f->key, v->state);
	add_ipvs_flags(t, v->flags);
	if (v->fwmark)
		add(t, " mark %" PRIu32, v->fwmark);
	add_ipvs_seq(t, "in", &v->in_seq);
	add_ipvs_seq(t, "out", &v->out_seq);
	if (v->pe_name[0])
		add(t, " engine %s", v->pe_name);
	if (v->timeout_s)
		add(t, " timeout %" PRIu32 "s", v->timeout_s);
	if (v->has_control) {
		add(t, " template ");
		add_key(t, &v->control);
	}
}

size_t flow_key_format(const struct flow_key *k, char *buf)
{
	struct text t = {.buf = buf};

	add_key(&t, k);
	return t.len;
}

size_t flow_format(const struct flow *f, char *buf)
{
	struct text t = {.buf = buf};

	add_key(&t, &f->key);
	if (f->key.kind == FLOW_IPVS)
		add_ipvs(&t, f);
	else
		add_conntrack(&t, f);
	return t.len;
}
