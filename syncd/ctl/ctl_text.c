// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables and lines. Columns fit a terminal of 100; names are short by configuration. */
#include "syncd/ctl/ctl_text.h"

#include <stdbool.h>
#include <string.h>

enum { CELL_MAX = 64 };

static const char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL ? s : "-";
}

static json_int_t number(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

static const char *yes(const json_t *o, const char *name)
{
	return json_is_true(json_object_get(o, name)) ? "yes" : "no";
}

/* "0.2 s", "3 min", "2 h": the largest unit that leaves something before the point. */
static const char *duration(json_int_t ms, char buf[CELL_MAX])
{
	if (ms < 60000)
		(void)snprintf(buf, CELL_MAX, "%.1f s", (double)ms / 1e3);
	else if (ms < 7200000)
		(void)snprintf(buf, CELL_MAX, "%" JSON_INTEGER_FORMAT " min", ms / 60000);
	else if (ms < 172800000)
		(void)snprintf(buf, CELL_MAX, "%" JSON_INTEGER_FORMAT " h", ms / 3600000);
	else
		(void)snprintf(buf, CELL_MAX, "%" JSON_INTEGER_FORMAT " d", ms / 86400000);
	return buf;
}

/* Nodes are numbers on the wire; their names are known from the peers. */
static const char *node_name(const json_t *response, json_int_t id, char buf[CELL_MAX])
{
	const json_t *peer;
	size_t i;

	if (id == 0)
		return "-";
	if (id == number(response, "node_id"))
		return text(response, "node");
	json_array_foreach(json_object_get(response, "peers"), i,
			   peer) if (number(peer, "node") == id) return text(peer, "name");
	(void)snprintf(buf, CELL_MAX, "%" JSON_INTEGER_FORMAT, id);
	return buf;
}

static const char *equal_age(const json_t *g, char buf[CELL_MAX])
{
	if (strcmp(text(g, "role"), "standby") != 0)
		return "-";
	if (!json_is_true(json_object_get(g, "equal")))
		return "no";
	return duration(number(g, "equal_age_ms"), buf);
}

static void print_reasons(const json_t *o, const char *before, FILE *to)
{
	const json_t *reason;
	size_t i;

	json_array_foreach(json_object_get(o, "reasons"), i, reason)(void)
		fprintf(to, "%s%s\n", before, json_string_value(reason));
}

static void print_group(const json_t *response, const json_t *g, FILE *to)
{
	char active[CELL_MAX], age[CELL_MAX];
	const json_t *repair = json_object_get(g, "repair");

	(void)fprintf(to,
		      "%-12s %-8s %-10s %5" JSON_INTEGER_FORMAT " %-10s %9" JSON_INTEGER_FORMAT
		      " %9" JSON_INTEGER_FORMAT " %8s %8.1f ms %6" JSON_INTEGER_FORMAT " %s\n",
		      text(g, "name"), text(g, "role"), text(g, "state"), number(g, "term"),
		      node_name(response, number(g, "active"), active), number(g, "flows"),
		      number(g, "installed"), equal_age(g, age),
		      json_number_value(json_object_get(g, "lag_ms")), number(g, "would_lose"),
		      yes(g, "ready"));
	if (json_is_true(json_object_get(repair, "running")))
		(void)fprintf(to,
			      "    repairing: %" JSON_INTEGER_FORMAT
			      " flows received, %" JSON_INTEGER_FORMAT " ranges outstanding\n",
			      number(repair, "flows"), number(repair, "outstanding"));
	print_reasons(g, "    not ready: ", to);
}

/* On one line, with what each loses by itself. */
static void print_links(const json_t *response, FILE *to)
{
	const json_t *l;
	size_t i;

	(void)fputs("links:", to);
	json_array_foreach(json_object_get(response, "links"), i, l)
	{
		(void)fprintf(to, "%s %s %s", i > 0 ? "," : "", text(l, "name"),
			      json_is_true(json_object_get(l, "up")) ? "up" : "down");
		if (number(l, "send_errors") > 0)
			(void)fprintf(to, " (%" JSON_INTEGER_FORMAT " not sent)",
				      number(l, "send_errors"));
		if (number(l, "ttl_refused") > 0)
			(void)fprintf(to, " (%" JSON_INTEGER_FORMAT " refused for their TTL)",
				      number(l, "ttl_refused"));
	}
	(void)fputc('\n', to);
}

void ctl_text_status(const json_t *response, FILE *to)
{
	const json_t *groups = json_object_get(response, "groups"), *g;
	const json_t *kernel = json_object_get(response, "kernel");
	char up[CELL_MAX];
	size_t i;

	(void)fprintf(to, "%s (id %" JSON_INTEGER_FORMAT "), session %s, version %s, up %s\n",
		      text(response, "node"), number(response, "node_id"),
		      text(response, "session"), text(response, "version"),
		      duration(number(response, "uptime_ms"), up));
	(void)fprintf(to, "kernel: conntrack %s, ipvs %s\n", text(kernel, "conntrack"),
		      text(kernel, "ipvs"));
	print_links(response, to);
	(void)fputc('\n', to);
	(void)fprintf(to, "%-12s %-8s %-10s %5s %-10s %9s %9s %8s %11s %6s %s\n", "GROUP", "ROLE",
		      "STATE", "TERM", "ACTIVE", "FLOWS", "INSTALLED", "EQUAL", "LAG", "LOSE",
		      "READY");
	json_array_foreach(groups, i, g) print_group(response, g, to);
	(void)fputc('\n', to);
	ctl_text_peers(response, to);
}

void ctl_text_peers(const json_t *response, FILE *to)
{
	const json_t *p;
	char heard[CELL_MAX];
	size_t i;

	(void)fprintf(to, "%-12s %5s  %-16s %-6s %7s %10s %9s %s\n", "PEER", "ID", "SESSION",
		      "PROVEN", "ENCODER", "HEARD", "RTT", "LINK");
	json_array_foreach(json_object_get(response, "peers"), i, p)
	{
		const char *differs = json_string_value(json_object_get(p, "differs"));

		(void)fprintf(to,
			      "%-12s %5" JSON_INTEGER_FORMAT "  %-16s %-6s %7" JSON_INTEGER_FORMAT
			      " %10s %6" JSON_INTEGER_FORMAT " us %s\n",
			      text(p, "name"), number(p, "node"), text(p, "session"),
			      yes(p, "proven"), number(p, "encoder"),
			      duration(number(p, "heard_ms"), heard), number(p, "rtt_us"),
			      text(p, "link"));
		if (differs != NULL && differs[0] != '\0')
			(void)fprintf(to, "    differs in: %s\n", differs);
	}
}

void ctl_text_flows(const json_t *response, FILE *to)
{
	const json_t *f;
	size_t i;

	json_array_foreach(json_object_get(response, "flows"), i, f)(void)
		fprintf(to, "%s\n", json_string_value(f));
}

void ctl_text_stats(const json_t *response, FILE *to)
{
	json_t *counters = json_object_get(response, "counters"), *value;
	const char *name;

	json_object_foreach(counters, name, value)(void)
		fprintf(to, "%-24s %" JSON_INTEGER_FORMAT "\n", name, json_integer_value(value));
}

void ctl_text_ready(const json_t *response, FILE *to)
{
	const bool ready = json_is_true(json_object_get(response, "ready"));

	(void)fputs(ready ? "ready\n" : "not ready\n", to);
	print_reasons(response, "    ", to);
}

/* A line or two for each flow found not to be as it should, and how the comparison went. */
static void print_deep(const json_t *deep, FILE *to)
{
	const json_t *f, *list = json_object_get(deep, "findings");
	size_t i;

	if (deep == NULL)
		return;
	(void)fprintf(to,
		      "    %" JSON_INTEGER_FORMAT
		      " flows looked at, table%s compared at counter %" JSON_INTEGER_FORMAT
		      ", kernel%s compared, %" JSON_INTEGER_FORMAT " differences%s\n",
		      number(deep, "flows"),
		      json_is_true(json_object_get(deep, "compared")) ? "" : " not",
		      number(deep, "counter"),
		      json_is_true(json_object_get(deep, "kernel_compared")) ? "" : " not",
		      number(deep, "found"),
		      json_is_true(json_object_get(deep, "repaired")) ? ", tables are equal now"
								      : "");
	json_array_foreach(list, i, f)
	{
		const char *here = json_string_value(json_object_get(f, "here"));
		const char *expected = json_string_value(json_object_get(f, "expected"));

		(void)fprintf(to, "    %s, %s: %s\n", text(f, "where"), text(f, "what"),
			      here != NULL ? here : expected);
		if (here != NULL && expected != NULL)
			(void)fprintf(to, "        expected: %s\n", expected);
	}
	if (number(deep, "found") > (json_int_t)json_array_size(list))
		(void)fprintf(to, "    and %" JSON_INTEGER_FORMAT " more\n",
			      number(deep, "found") - (json_int_t)json_array_size(list));
	if (number(deep, "unsettled") > 0)
		(void)fprintf(to,
			      "    too many to remember: %" JSON_INTEGER_FORMAT
			      " of these may be flows whose event came since; look again\n",
			      number(deep, "unsettled"));
}

void ctl_text_verify(const json_t *response, FILE *to)
{
	const json_t *g, *s;
	size_t i, k;

	json_array_foreach(json_object_get(response, "groups"), i, g)
	{
		const bool good = json_is_true(json_object_get(g, "verified"));
		const bool active = strcmp(text(g, "role"), "active") == 0;
		const bool alone = json_array_size(json_object_get(g, "standbys")) == 0;

		(void)fprintf(to,
			      "%s: %s, %" JSON_INTEGER_FORMAT " flows, %" JSON_INTEGER_FORMAT
			      " in the kernel: %s\n",
			      text(g, "name"), text(g, "state"), number(g, "flows"),
			      number(g, "installed"),
			      good		? "equal"
			      : active && alone ? "no standby is heard"
			      : active		? "not all standbys are equal"
						: "not equal");
		json_array_foreach(json_object_get(g, "standbys"), k, s)(void)
			fprintf(to, "    %s: %s, %" JSON_INTEGER_FORMAT " flows, %s\n",
				text(s, "name"), text(s, "state"), number(s, "flows"),
				json_is_true(json_object_get(s, "ready")) ? "ready" : "not ready");
		if (!active)
			print_reasons(g, "    ", to);
		print_deep(json_object_get(g, "deep"), to);
	}
}

/* Nothing where a role was taken. */
void ctl_text_role(const json_t *response, FILE *to)
{
	if (json_object_get(response, "role") != NULL)
		(void)fprintf(to, "%s\n", text(response, "role"));
}

/* What has changed and waits for a restart of the daemon. */
void ctl_text_reload(const json_t *response, FILE *to)
{
	const json_t *section;
	size_t i;

	json_array_foreach(json_object_get(response, "restart"), i, section)(void)
		fprintf(to, "%s: has changed; takes effect when syncd is restarted\n",
			json_string_value(section));
}

void ctl_text_metrics(const json_t *response, FILE *to)
{
	(void)fputs(text(response, "text"), to);
}
