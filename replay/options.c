// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line; see options.h. */
#define _XOPEN_SOURCE 700 /* strptime */
#include "replay/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/key_file.h"

enum {
	OPT_FROM = 256,
	OPT_UNTIL,
	OPT_GROUP,
	OPT_KIND,
	OPT_PROTO,
	OPT_ADDR,
	OPT_PORT,
	OPT_NODE,
	OPT_OP,
	OPT_JSON,
	OPT_DRY_RUN,
	OPT_SPEED,
	OPT_PPS,
	OPT_TOPSPEED,
	OPT_ONE,
	OPT_UDP_PORT,
	OPT_INTO,
};

static const struct option long_options[] = {
	{"from", required_argument, NULL, OPT_FROM},
	{"until", required_argument, NULL, OPT_UNTIL},
	{"group", required_argument, NULL, OPT_GROUP},
	{"kind", required_argument, NULL, OPT_KIND},
	{"proto", required_argument, NULL, OPT_PROTO},
	{"addr", required_argument, NULL, OPT_ADDR},
	{"port", required_argument, NULL, OPT_PORT},
	{"node", required_argument, NULL, OPT_NODE},
	{"op", required_argument, NULL, OPT_OP},
	{"json", no_argument, NULL, OPT_JSON},
	{"dry-run", no_argument, NULL, OPT_DRY_RUN},
	{"speed", required_argument, NULL, OPT_SPEED},
	{"pps", required_argument, NULL, OPT_PPS},
	{"topspeed", no_argument, NULL, OPT_TOPSPEED},
	{"one-at-a-time", no_argument, NULL, OPT_ONE},
	{"udp-port", required_argument, NULL, OPT_UDP_PORT},
	{"into", required_argument, NULL, OPT_INTO},
	{"key", required_argument, NULL, 'k'},
	{"output", required_argument, NULL, 'o'},
	{"follow", no_argument, NULL, 'f'},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{0},
};

static int number(const char *text, long max, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 0);
	return errno || end == text || *end || *out < 0 || *out > max ? -EINVAL : 0;
}

static int seconds_us(const char *text, uint64_t *out)
{
	char *end;
	double s;

	errno = 0;
	s = strtod(text, &end);
	if (errno || end == text || *end || !(s >= 0) || s > 1e12)
		return -EINVAL;
	*out = (uint64_t)(s * 1e6 + 0.5);
	return 0;
}

static int wall_parse(const char *text, struct when *out)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	uint64_t part_us = 0;
	char part[32] = "0";
	size_t n;

	if (!rest)
		return -EINVAL;
	n = strlen(rest);
	if (n && rest[n - 1] == 'Z')
		n--;
	if (n && (rest[0] != '.' || n >= sizeof(part) - 1))
		return -EINVAL;
	if (n)
		memcpy(part + 1, rest, n);
	if (seconds_us(part, &part_us))
		return -EINVAL;
	*out = (struct when){WHEN_WALL, (uint64_t)timegm(&tm) * 1000000u + part_us};
	return 0;
}

int when_parse(const char *text, struct when *out)
{
	struct when w = {WHEN_NONE, 0};
	char *end;

	switch (text[0]) {
	case '@':
		w.kind = WHEN_WALL;
		break;
	case '+':
		w.kind = WHEN_SINCE_START;
		break;
	case '#':
		*out = (struct when){WHEN_COUNTER, strtoull(text + 1, &end, 10)};
		return end == text + 1 || *end ? -EINVAL : 0;
	default:
		return wall_parse(text, out);
	}
	if (seconds_us(text + 1, &w.value))
		return -EINVAL;
	*out = w;
	return 0;
}

uint64_t when_wall_us(const struct when *w, uint64_t start_us)
{
	return w->kind == WHEN_WALL	     ? w->value
	       : w->kind == WHEN_SINCE_START ? start_us + w->value
					     : 0;
}

bool when_is_after(const struct when *w, const struct journal_record *r, uint64_t start_us)
{
	switch (w->kind) {
	case WHEN_NONE:
		return false;
	case WHEN_WALL:
	case WHEN_SINCE_START:
		return r->wall_us > when_wall_us(w, start_us);
	case WHEN_COUNTER:
		return (r->type == JOURNAL_SENT || r->type == JOURNAL_APPLIED ||
			r->type == JOURNAL_KEPT) &&
		       r->counter > w->value;
	}
	return false;
}

static int parse_prefix(const char *text, struct filter *f)
{
	char addr[INET6_ADDRSTRLEN + 1] = "";
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	long bits;

	if (n >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, n);
	if (inet_pton(AF_INET, addr, f->addr.b) == 1)
		f->addr_len = 4;
	else if (inet_pton(AF_INET6, addr, f->addr.b) == 1)
		f->addr_len = 16;
	else
		return -EINVAL;
	bits = f->addr_len * 8;
	if (slash && number(slash + 1, f->addr_len * 8, &bits))
		return -EINVAL;
	f->prefix = (uint8_t)bits;
	return 0;
}

static int parse_proto(const char *text, int *out)
{
	long n;

	for (int i = 0; i < 256; i++)
		if (strcmp(flow_proto_name((uint8_t)i), text) == 0) {
			*out = i;
			return strcmp(text, "proto") == 0 ? -EINVAL : 0;
		}
	if (number(text, 255, &n))
		return -EINVAL;
	*out = (int)n;
	return 0;
}

static int parse_op(const char *text, struct filter *f)
{
	if (strcmp(text, "put") == 0 || strcmp(text, "del") == 0) {
		f->put = text[0] == 'p';
		return 0;
	}
	for (unsigned i = 1; i < JOURNAL_TYPES; i++)
		if (strcmp(journal_type_name(i), text) == 0) {
			f->type = (int)i;
			return 0;
		}
	return -EINVAL;
}

static int parse_kind(const char *text, int *out)
{
	*out = strcmp(text, "ipvs") == 0 ? FLOW_IPVS : FLOW_CONNTRACK;
	return *out == FLOW_IPVS || strcmp(text, "conntrack") == 0 ? 0 : -EINVAL;
}

static int take_filter(int opt, struct filter *f)
{
	long n = 0;
	int rc;

	switch (opt) {
	case OPT_FROM:
		return when_parse(optarg, &f->from);
	case OPT_UNTIL:
		return when_parse(optarg, &f->until);
	case OPT_GROUP:
		rc = number(optarg, UINT32_MAX, &n);
		f->group = (uint32_t)n;
		return rc;
	case OPT_KIND:
		return parse_kind(optarg, &f->kind);
	case OPT_PROTO:
		return parse_proto(optarg, &f->proto);
	case OPT_ADDR:
		return parse_prefix(optarg, f);
	case OPT_PORT:
		rc = number(optarg, 65535, &n);
		f->port = (int)n;
		return rc;
	case OPT_NODE:
		rc = number(optarg, 65535, &n);
		f->node = (int)n;
		return rc;
	case OPT_OP:
		return parse_op(optarg, f);
	}
	return -EINVAL;
}

static int take(int opt, struct options *o)
{
	long n = 0;
	char *end;
	int rc;

	switch (opt) {
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_DRY_RUN:
		o->dry_run = true;
		return 0;
	case OPT_SPEED:
		o->speed = strtod(optarg, &end);
		return end == optarg || *end || !(o->speed > 0) ? -EINVAL : 0;
	case OPT_PPS:
		rc = number(optarg, 100000000, &n);
		o->pps = (uint64_t)n;
		return rc || n == 0 ? -EINVAL : 0;
	case OPT_TOPSPEED:
		o->top_speed = true;
		return 0;
	case OPT_ONE:
		o->one_at_a_time = true;
		return 0;
	case OPT_UDP_PORT:
		rc = number(optarg, 65535, &n);
		o->port = (uint32_t)n;
		return rc;
	case OPT_INTO:
		o->into = optarg;
		return 0;
	case 'k':
		o->key_path = optarg;
		return 0;
	case 'o':
		o->output = optarg;
		return 0;
	case 'f':
		o->follow = true;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	case 'v':
		o->verbose = true;
		return 0;
	}
	return take_filter(opt, &o->filter);
}

int options_parse(int argc, char **argv, struct options *out)
{
	struct options o = {.speed = 1, .port = SYNC_PORT};
	int opt, which = 0, rc;

	o.filter.kind = o.filter.proto = o.filter.port = o.filter.node = o.filter.type =
		o.filter.put = -1;
	while ((opt = getopt_long(argc, argv, "k:o:fqv", long_options, &which)) != -1) {
		if (opt == '?')
			return EXIT_WRONG_USE;
		if (take(opt, &o)) {
			(void)fprintf(stderr, "sync-replay: what is \"%s\"? See sync-replay(1)\n",
				      optarg ? optarg : "");
			return EXIT_WRONG_USE;
		}
	}
	o.arg = argv + optind;
	o.args = argc - optind;
	if (o.key_path) {
		rc = key_file_read(o.key_path, &o.key);
		if (rc) {
			(void)fprintf(stderr, "sync-replay: %s: %s\n", o.key_path,
				      rc == -EBADMSG ? "is no key file" : strerror(-rc));
			return EXIT_UNREADABLE;
		}
		o.has_key = true;
	}
	*out = o;
	return 0;
}

bool filter_has_flows(const struct filter *f)
{
	return f->kind >= 0 || f->proto >= 0 || f->port >= 0 || f->addr_len || f->put >= 0;
}

bool filter_record(const struct filter *f, const struct journal_record *r, uint64_t start_us)
{
	if (f->from.kind && !when_is_after(&f->from, r, start_us) &&
	    r->wall_us != when_wall_us(&f->from, start_us) &&
	    !(f->from.kind == WHEN_COUNTER && r->counter == f->from.value))
		return false;
	if (when_is_after(&f->until, r, start_us))
		return false;
	return (f->node < 0 || r->node == f->node) && (f->type < 0 || r->type == f->type);
}

bool filter_group(const struct filter *f, uint32_t group)
{
	return f->group == 0 || f->group == group;
}

static bool addr_matches(const struct filter *f, const struct flow_key *k,
			 const struct flow_addr *a)
{
	uint8_t bytes = f->prefix / 8, bits = f->prefix % 8;
	uint8_t mask = (uint8_t)(0xff00u >> bits);

	if (k->addr_len != f->addr_len || memcmp(a->b, f->addr.b, bytes) != 0)
		return false;
	return bits == 0 || ((a->b[bytes] ^ f->addr.b[bytes]) & mask) == 0;
}

bool filter_key(const struct filter *f, const struct flow_key *k)
{
	return (f->kind < 0 || k->kind == f->kind) && (f->proto < 0 || k->l4proto == f->proto) &&
	       (f->port < 0 || k->sport == f->port || k->dport == f->port) &&
	       (f->addr_len == 0 || addr_matches(f, k, &k->src) || addr_matches(f, k, &k->dst));
}
