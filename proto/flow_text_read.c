/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a key's text as flow_key_format writes it. The text comes from people and scripts: what is
 * not understood whole is refused, never guessed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "proto/flow.h"
#include "proto/flow_names.h"
#include "proto/flow_rules.h"

struct cursor {
	const char *p;
};

struct word {
	const char *p;
	size_t len;
};

/* The next word, up to a space, and beyond that space; false where there is none. */
static bool next_word(struct cursor *c, struct word *out)
{
	*out = (struct word){c->p, strcspn(c->p, " ")};
	c->p += out->len;
	c->p += strspn(c->p, " ");
	return out->len > 0;
}

static bool word_is(struct word w, const char *s)
{
	return w.len == strlen(s) && !memcmp(w.p, s, w.len);
}

/* Takes a word off if it is this one. */
static bool take_word(struct cursor *c, const char *s)
{
	struct cursor ahead = *c;
	struct word w;

	if (!next_word(&ahead, &w) || !word_is(w, s))
		return false;
	*c = ahead;
	return true;
}

static bool parse_number(struct word w, uint32_t max, uint32_t *out)
{
	uint64_t v = 0;

	if (!w.len || w.len > 10)
		return false;
	for (size_t i = 0; i < w.len; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(w.p[i] - '0');
	}
	*out = (uint32_t)v;
	return v <= max;
}

static bool next_number(struct cursor *c, uint32_t max, uint32_t *out)
{
	struct word w;

	return next_word(c, &w) && parse_number(w, max, out);
}

static bool parse_addr(struct word w, struct flow_addr *out, uint8_t *len)
{
	char s[INET6_ADDRSTRLEN];

	if (w.len >= sizeof(s))
		return false;
	memcpy(s, w.p, w.len);
	s[w.len] = '\0';
	*len = memchr(s, ':', w.len) ? 16 : 4;
	memset(out, 0, sizeof(*out));
	return inet_pton(*len == 4 ? AF_INET : AF_INET6, s, out->b) == 1;
}

/* Cuts ":port" off an endpoint, if it has one. An IPv6 address with a port is in brackets. */
static bool split_port(struct word *w, uint16_t *port)
{
	const char *colon = NULL;
	uint32_t n;

	*port = 0;
	if (w->len && w->p[0] == '[') {
		const char *close = memchr(w->p, ']', w->len);

		if (!close || close + 1 >= w->p + w->len || close[1] != ':')
			return false;
		colon = close + 1;
	} else {
		colon = memchr(w->p, ':', w->len);
		if (!colon || memchr(colon + 1, ':', w->len - (size_t)(colon + 1 - w->p)))
			return true; /* no port: IPv4 alone, or IPv6 without brackets */
	}
	if (!parse_number((struct word){colon + 1, (size_t)(w->p + w->len - colon - 1)}, UINT16_MAX,
			  &n))
		return false;
	*port = (uint16_t)n;
	w->len = (size_t)(colon - w->p);
	if (w->p[0] == '[')
		*w = (struct word){w->p + 1, w->len - 2};
	return true;
}

static bool parse_endpoints(struct cursor *c, struct flow_key *k)
{
	struct word w, src, dst;
	uint8_t src_len, dst_len;
	const char *gt;

	if (!next_word(c, &w))
		return false;
	gt = memchr(w.p, '>', w.len);
	if (!gt)
		return false;
	src = (struct word){w.p, (size_t)(gt - w.p)};
	dst = (struct word){gt + 1, (size_t)(w.p + w.len - gt - 1)};
	if (!split_port(&src, &k->sport) || !split_port(&dst, &k->dport) ||
	    !parse_addr(src, &k->src, &src_len) || !parse_addr(dst, &k->dst, &dst_len))
		return false;
	k->addr_len = src_len;
	return src_len == dst_len;
}

static bool parse_proto(struct cursor *c, struct flow_key *k)
{
	char name[16];
	struct word w;
	uint32_t n;

	if (!next_word(c, &w) || w.len >= sizeof(name))
		return false;
	if (word_is(w, "proto")) {
		if (!next_number(c, UINT8_MAX, &n))
			return false;
		k->l4proto = (uint8_t)n;
		return true;
	}
	memcpy(name, w.p, w.len);
	name[w.len] = '\0';
	return flow_proto_number(name, &k->l4proto);
}

static bool parse_icmp(struct cursor *c, struct flow_key *k)
{
	uint32_t type, code, id;

	if (!take_word(c, "type") || !next_number(c, UINT8_MAX, &type) || !take_word(c, "code") ||
	    !next_number(c, UINT8_MAX, &code) || !take_word(c, "id") ||
	    !next_number(c, UINT16_MAX, &id) || k->sport || k->dport)
		return false;
	k->sport = (uint16_t)id;
	k->dport = (uint16_t)(type << 8 | code);
	return true;
}

static bool parse_zone(struct cursor *c, struct flow_key *k)
{
	uint32_t n;

	if (!next_number(c, UINT16_MAX, &n))
		return false;
	k->zone = (uint16_t)n;
	if (take_word(c, "orig"))
		k->zone_dir = FLOW_ZONE_ORIG;
	else if (take_word(c, "reply"))
		k->zone_dir = FLOW_ZONE_REPLY;
	return true;
}

static bool parse_pe(struct cursor *c, struct flow_key *k)
{
	struct word w;

	if (!next_word(c, &w) || w.len > FLOW_PE_DATA_MAX)
		return false;
	k->pe_data = (const uint8_t *)w.p;
	k->pe_data_len = (uint8_t)w.len;
	return true;
}

static bool parse_options(struct cursor *c, struct flow_key *k)
{
	if (take_word(c, "zone") && !parse_zone(c, k))
		return false;
	if (take_word(c, "fwmark") && !next_number(c, UINT32_MAX, &k->fwmark))
		return false;
	if (take_word(c, "pe") && !parse_pe(c, k))
		return false;
	return *c->p == '\0';
}

int flow_key_parse(const char *text, struct flow_key *out)
{
	struct cursor c = {text};
	struct flow_key k;

	memset(&k, 0, sizeof(k));
	if (take_word(&c, "ipvs"))
		k.kind = FLOW_IPVS;
	if (!parse_proto(&c, &k) || !parse_endpoints(&c, &k))
		return -EINVAL;
	if ((k.l4proto == IPPROTO_ICMP || k.l4proto == IPPROTO_ICMPV6) && !parse_icmp(&c, &k))
		return -EINVAL;
	if (!parse_options(&c, &k) || !flow_key_valid(&k))
		return -EINVAL;
	*out = k;
	return 0;
}
