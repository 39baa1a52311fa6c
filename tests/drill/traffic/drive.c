/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drive SEED: the clients of a site in one process. Takes commands on standard input, a line each,
 * and answers each with a line:
 *   flows name=N class=synced|control proto=tcp|udp kind=KIND netns=PATH
 *         to=ADDR port=P count=N [from=ADDR sources=N] [pace_ms=N] [kib_s=N] [rate=N]
 *   settle MS         waits until every living flow completed an exchange begun from now on;
 *                     answers how many stay that need sync, or "late" and how many did not
 *   fault [NS]        something breaks now, or did at NS; answers the time (CLOCK_MONOTONIC)
 *   healed [NS]       it is whole again (since NS)
 *   doom N            server N dies: what becomes of its flows is not judged
 *   hang MS           how long a flow may make no progress
 *   demand excess_ms=X | excess_chance=X | newborn_ms=X | lives_lost=N | apart_moved=N |
 * udp_moved=N report OUT META PROBLEMS   writes OUT; META and PROBLEMS are files and ends at the
 * end of its input. */
#include "tests/drill/traffic/fleet.h"
#include "tests/drill/traffic/netns.h"
#include "tests/drill/traffic/report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES 65536
#define MS	       1000000u

struct drive {
	struct fleet fleet;
	struct report_demand demand;
	char input[8192];
	size_t have;
};

static int parse_address(const char *text, uint16_t port, struct sockaddr_storage *out,
			 socklen_t *len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		*len = sizeof(*in);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		*len = sizeof(*in6);
		return 0;
	}
	return -EINVAL;
}

static int parse_kind(const char *text, enum flow_kind *kind)
{
	static const char *const names[] = {"paced", "up", "down", "idle", "churn", "park", "mute"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*kind = (enum flow_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

struct flows_text {
	const char *to, *from;
	uint16_t port;
	uint32_t rate;
};

static int parse_option(const char *key, const char *value, struct flow_group *g,
			struct flows_text *text)
{
	uint32_t number = (uint32_t)strtoul(value, NULL, 10);

	if (strcmp(key, "name") == 0)
		snprintf(g->name, sizeof(g->name), "%s", value);
	else if (strcmp(key, "netns") == 0)
		snprintf(g->netns, sizeof(g->netns), "%s", value);
	else if (strcmp(key, "class") == 0)
		g->control = strcmp(value, "control") == 0;
	else if (strcmp(key, "proto") == 0)
		g->tcp = strcmp(value, "tcp") == 0;
	else if (strcmp(key, "kind") == 0)
		return parse_kind(value, &g->kind);
	else if (strcmp(key, "to") == 0)
		text->to = value;
	else if (strcmp(key, "from") == 0)
		text->from = value;
	else if (strcmp(key, "port") == 0)
		text->port = (uint16_t)number;
	else if (strcmp(key, "rate") == 0)
		text->rate = number;
	else if (strcmp(key, "count") == 0)
		g->count = number;
	else if (strcmp(key, "sources") == 0)
		g->sources = number;
	else if (strcmp(key, "pace_ms") == 0)
		g->pace_ms = number;
	else if (strcmp(key, "kib_s") == 0)
		g->pace_kib_s = number;
	else
		return -EINVAL;
	return 0;
}

static int do_flows(struct drive *d, char *args)
{
	struct flow_group group = {.tcp = true, .pace_ms = 1000};
	struct flows_text text = {.to = "", .from = "", .rate = 2000};
	socklen_t from_len;
	char *save = NULL;
	int rc = 0;

	for (char *w = strtok_r(args, " ", &save); w && rc == 0; w = strtok_r(NULL, " ", &save)) {
		char *value = strchr(w, '=');

		if (!value)
			return -EINVAL;
		*value++ = '\0';
		rc = parse_option(w, value, &group, &text);
	}
	if (rc == 0)
		rc = parse_address(text.to, text.port, &group.to, &group.addr_len);
	if (rc == 0 && *text.from)
		rc = parse_address(text.from, 0, &group.from, &from_len);
	if (rc == 0)
		rc = fleet_add(&d->fleet, &group, text.rate);
	return rc;
}

static int read_file(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return -errno;
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	fclose(f);
	return 0;
}

static int do_report(struct drive *d, char *args)
{
	static char meta[FILE_MAX_BYTES], problems[FILE_MAX_BYTES];
	char *save = NULL, line[256];
	const char *out_path = strtok_r(args, " ", &save);
	const char *meta_path = strtok_r(NULL, " ", &save);
	const char *problems_path = strtok_r(NULL, " ", &save);
	FILE *out;
	enum report_verdict verdict;

	if (!problems_path || read_file(meta_path, meta, sizeof(meta)) < 0 ||
	    read_file(problems_path, problems, sizeof(problems)) < 0)
		return -EINVAL;
	out = fopen(out_path, "w");
	if (!out)
		return -errno;
	verdict = report_write(&d->fleet, &d->demand, meta, problems, out, line, sizeof(line));
	if (fclose(out) != 0)
		return -EIO;
	printf("%s %s\n", report_verdict_name(verdict), line);
	return 0;
}

static int do_demand(struct drive *d, const char *args)
{
	if (sscanf(args, "excess_ms=%lf", &d->demand.excess_ms) == 1 ||
	    sscanf(args, "excess_chance=%lf", &d->demand.excess_chance) == 1 ||
	    sscanf(args, "newborn_ms=%lf", &d->demand.newborn_ms) == 1 ||
	    sscanf(args, "lives_lost=%lf", &d->demand.lives_lost) == 1 ||
	    sscanf(args, "apart_moved=%lf", &d->demand.apart_moved) == 1 ||
	    sscanf(args, "udp_moved=%lf", &d->demand.udp_moved) == 1)
		return 0;
	return -EINVAL;
}

/* Answers at once, but for a settling, which fleet_progress() answers. */
static void obey(struct drive *d, char *line)
{
	char *args = strchr(line, ' ');
	int rc = 0;

	if (args)
		*args++ = '\0';
	else
		args = line + strlen(line);
	if (strcmp(line, "settle") == 0) {
		fleet_settle(&d->fleet, strtoull(args, NULL, 10) * MS);
		return;
	}
	if (strcmp(line, "fault") == 0) {
		printf("ok %" PRIu64 "\n", fleet_fault(&d->fleet, strtoull(args, NULL, 10)));
		return;
	}
	if (strcmp(line, "report") == 0) {
		rc = do_report(d, args);
		if (rc < 0)
			printf("error %s\n", strerror(-rc));
		return;
	}
	if (strcmp(line, "flows") == 0)
		rc = do_flows(d, args);
	else if (strcmp(line, "healed") == 0)
		fleet_healed(&d->fleet, strtoull(args, NULL, 10));
	else if (strcmp(line, "doom") == 0)
		fleet_doom(&d->fleet, (unsigned)strtoul(args, NULL, 10));
	else if (strcmp(line, "hang") == 0)
		d->fleet.env.hang_ns = strtoull(args, NULL, 10) * MS;
	else if (strcmp(line, "demand") == 0)
		rc = do_demand(d, args);
	else
		rc = -EINVAL;
	if (rc < 0)
		printf("error %s\n", strerror(-rc));
	else
		puts("ok");
}

static void answer_settle(struct drive *d)
{
	struct fleet *fleet = &d->fleet;
	size_t late;

	if (!fleet->env.settle_from_ns)
		return;
	late = fleet_unsettled(fleet);
	if (late && netns_now_ns() < fleet->settle_limit_ns)
		return;
	fleet->env.settle_from_ns = 0;
	printf("%s %zu\n", late ? "late" : "ok", late ? late : fleet_staying(fleet));
}

/* Reads commands; returns false at the end of input. */
static bool take_commands(struct drive *d)
{
	ssize_t n = read(0, d->input + d->have, sizeof(d->input) - 1 - d->have);
	char *from = d->input, *end;

	if (n <= 0)
		return false;
	d->have += (size_t)n;
	d->input[d->have] = '\0';
	while ((end = strchr(from, '\n'))) {
		*end = '\0';
		obey(d, from);
		from = end + 1;
	}
	d->have -= (size_t)(from - d->input);
	memmove(d->input, from, d->have);
	return true;
}

int main(int argc, char **argv)
{
	static struct drive d = {.demand = {.excess_ms = -1,
					    .excess_chance = -1,
					    .newborn_ms = -1,
					    .lives_lost = -1,
					    .apart_moved = -1,
					    .udp_moved = -1}};
	uint64_t checked_ns = 0;

	if (argc != 2 || fleet_init(&d.fleet, strtoull(argv[1], NULL, 0)) < 0) {
		fprintf(stderr, "usage: drive SEED <commands\n");
		return 2;
	}
	netns_raise_file_limit();
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		if (fleet_turn(&d.fleet, 20) && !take_commands(&d))
			return 0;
		if (d.fleet.env.now_ns - checked_ns > 20u * MS) {
			checked_ns = d.fleet.env.now_ns;
			answer_settle(&d);
		}
	}
}
