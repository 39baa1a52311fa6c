// SPDX-License-Identifier: GPL-2.0-or-later
/* syncctl: asks and commands a running daemon over its control socket. See syncctl(8). */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/key_file.h"
#include "syncd/base/config.h"
#include "syncd/ctl/ctl_client.h"
#include "syncd/ctl/ctl_server.h"
#include "syncd/ctl/ctl_text.h"
#include "syncd/doctor.h"

enum { EXIT_USAGE = 2, EXIT_UNREACHABLE = 3, ANSWER_MS = 30000, AGAIN_MS = 100, DEEP_S = 120 };

struct options {
	const char *config, *socket, *like;
	bool json, deep;
	long wait_s, limit, key_id;
	char **arg; /* behind the command */
	int args;
};

struct command {
	const char *name, *args;
	int max;	       /* number of arguments */
	bool waits;	       /* -w: ask until the answer is yes */
	const char *member[2]; /* of the request, in the order of the arguments */
	void (*print)(const json_t *response, FILE *to);
	const char *help;
};

static const struct command commands[] = {
	{"status", "", 0, false, {0}, ctl_text_status, "roles, tables, readiness, peers"},
	{"peers", "", 0, false, {0}, ctl_text_peers, "who else is heard"},
	{"flows", "[-n MAX] [GROUP]", 1, false, {"group"}, ctl_text_flows, "flows of a group"},
	{"stats", "", 0, false, {0}, ctl_text_stats, "counters"},
	{"metrics", "", 0, false, {0}, ctl_text_metrics, "everything, as OpenMetrics text"},
	{"ready",
	 "[-w S] [GROUP]",
	 1,
	 true,
	 {"group"},
	 ctl_text_ready,
	 "would a takeover lose nothing?"},
	{"verify",
	 "[-w S] [--deep] [GROUP]",
	 1,
	 true,
	 {"group"},
	 ctl_text_verify,
	 "is all equal? --deep: flow by flow"},
	{"role",
	 "[GROUP] [ROLE]",
	 2,
	 false,
	 {"group", "role"},
	 ctl_text_role,
	 "tell or take a role"},
	{"handover", "[-w S] [GROUP] [NODE]", 2, false, {"group", "node"}, NULL, "give roles away"},
	{"reconcile", "", 0, false, {0}, NULL, "compare table and kernel now"},
	{"reload", "", 0, false, {0}, ctl_text_reload, "read configuration and keys again"},
	{0},
};

static int usage(FILE *to)
{
	(void)fputs("usage: syncctl [-c FILE | -s SOCKET] [-j] COMMAND [ARGUMENT...]\n"
		    "  -c FILE    the daemon's configuration (default " CONFIG_FILE_DEFAULT ")\n"
		    "  -s SOCKET  its control socket, without reading a configuration\n"
		    "  -j         print JSON\n"
		    "commands:\n",
		    to);
	for (const struct command *c = commands; c->name != NULL; c++)
		(void)fprintf(to, "  %-9s %-23s %s\n", c->name, c->args, c->help);
	(void)fputs(
		"  doctor                            what this box can do, and what is in the way\n"
		"  genkey    [-i ID] [-l LIKE.key] FILE\n"
		"                                make a key; -l: of the same cluster as another "
		"one\n",
		to);
	return to == stdout ? 0 : EXIT_USAGE;
}

/* Without -i the id is the number that the file's name begins with, as in keys/2.key. */
static int key_id(const struct options *o)
{
	const char *base = strrchr(o->arg[0], '/');
	const long id =
		o->key_id != 0 ? o->key_id : strtol(base != NULL ? base + 1 : o->arg[0], NULL, 10);

	return id >= 1 && id <= UINT16_MAX ? (int)id : 0;
}

static void say_key(const struct options *o, int id)
{
	json_t *all;

	if (!o->json) {
		(void)printf("key %d is in %s: copy it to every node and add to its configuration\n"
			     "key %d { file = \"%s\" }\n",
			     id, o->arg[0], id, o->arg[0]);
		return;
	}
	all = json_pack("{siss}", "id", id, "file", o->arg[0]);
	(void)json_dumpf(all, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(all);
}

static int generate_key(const struct options *o)
{
	struct group_key key, like;
	const int id = o->args == 1 ? key_id(o) : 0;
	int rc = 0;

	if (o->args != 1 || id == 0) {
		(void)fputs("syncctl: genkey [-i ID] [-l LIKE.key] FILE, with ID from 1 to 65535 "
			    "(default: the number that FILE begins with)\n",
			    stderr);
		return EXIT_USAGE;
	}
	if (o->like != NULL)
		rc = key_file_read(o->like, &like);
	if (rc < 0) {
		(void)fprintf(stderr, "syncctl: %s: %s\n", o->like,
			      rc == -EBADMSG ? "not a key file" : strerror(-rc));
		return 1;
	}
	group_key_generate(&key, (uint16_t)id, o->like != NULL ? &like : NULL);
	rc = key_file_write(o->arg[0], &key);
	if (rc < 0) {
		(void)fprintf(stderr, "syncctl: %s: %s\n", o->arg[0], strerror(-rc));
		return 1;
	}
	say_key(o, id);
	return fflush(stdout) == 0 ? 0 : 1;
}

/* Reads the daemon's configuration. Returns 0, or the exit code after saying why. */
static int load_config(const struct options *o, struct config **out)
{
	char err[CONFIG_ERROR_MAX];

	if (config_load(o->config, out, err) == 0)
		return 0;
	(void)fprintf(stderr, "syncctl: %s\n", err);
	return EXIT_USAGE;
}

/* c: the configuration, or NULL where the socket itself is named. */
static void socket_path(const struct options *o, const struct config *c, char *path, size_t len)
{
	(void)snprintf(path, len, "%s%s", c != NULL ? c->top.runtime_dir : o->socket,
		       c != NULL ? "/ctl" : "");
}

/* Returns 0 with the socket's path, or the exit code. */
static int find_socket(const struct options *o, char *path, size_t len)
{
	struct config *c = NULL;
	int rc = o->socket != NULL ? 0 : load_config(o, &c);

	if (rc == 0)
		socket_path(o, c, path, len);
	config_free(c);
	return rc;
}

static bool is_role(const char *name)
{
	return strcmp(name, "active") == 0 || strcmp(name, "standby") == 0 ||
	       strcmp(name, "idle") == 0;
}

static json_t *make_request(const struct command *c, const struct options *o)
{
	json_t *request = json_pack("{ss}", "command", c->name);
	/* Where there is but one group, it need not be named: `role active`. */
	const int skip = c->max == 2 && o->args == 1 && is_role(o->arg[0]);

	for (int i = 0; i < o->args; i++)
		(void)json_object_set_new(request, c->member[i + skip], json_string(o->arg[i]));
	if (o->deep)
		(void)json_object_set_new(request, "deep", json_true());
	if (o->limit > 0)
		(void)json_object_set_new(request, "limit", json_integer(o->limit));
	return request;
}

/* One question and its answer. Returns the daemon's code, or -errno. */
static int ask(const char *path, const json_t *request, json_t **response)
{
	struct ctl_client *client = NULL;
	int rc = ctl_client_open(path, &client);

	if (rc == 0)
		rc = ctl_client_ask(client, request, ANSWER_MS, response);
	ctl_client_close(client);
	return rc;
}

/* Asks; with -w again until the answer is yes or the time is over. */
static int ask_until(const char *path, const json_t *request, long wait_s, json_t **response)
{
	const struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000l};
	struct timespec now, end;
	int rc;

	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += wait_s;
	for (;;) {
		rc = ask(path, request, response);
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		if (rc == CTL_CODE_YES || rc == CTL_CODE_USAGE || now.tv_sec > end.tv_sec ||
		    (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec))
			return rc;
		json_decref(*response);
		*response = NULL;
		(void)nanosleep(&pause, NULL);
	}
}

/* A deep comparison: begun, and waited for. */
static int ask_deep(const char *path, json_t *request, long wait_s, json_t **response)
{
	const struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000l};
	long tries = (wait_s > 0 ? wait_s : DEEP_S) * 1000 / AGAIN_MS;
	int rc = ask(path, request, response);

	(void)json_object_set_new(request, "again", json_true());
	while (rc >= 0 && tries-- > 0 && json_is_true(json_object_get(*response, "running"))) {
		(void)nanosleep(&pause, NULL);
		json_decref(*response);
		*response = NULL;
		rc = ask(path, request, response);
	}
	if (rc >= 0 && json_is_true(json_object_get(*response, "running")))
		(void)json_object_set_new(*response, "error",
					  json_string("not done yet: ask again, with a longer -w"));
	return rc;
}

/* True once no group (or not that one) is both active and being handed over. */
static bool is_handed_over(const char *path, const char *group)
{
	json_t *request = json_pack("{ss}", "command", "status"), *response = NULL, *g;
	bool over = ask(path, request, &response) == CTL_CODE_YES;
	size_t i;

	json_array_foreach(
		json_object_get(response, "groups"), i,
		g) if ((group == NULL ||
			strcmp(group, json_string_value(json_object_get(g, "name"))) == 0) &&
		       json_is_true(json_object_get(g, "handover"))) over = false;
	json_decref(request);
	json_decref(response);
	return over;
}

/* Waits for whoever decides to have taken the role away. Returns 0, or 1 when the time is over. */
static int wait_handed_over(const char *path, const struct options *o)
{
	const struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000l};
	const char *group = o->args > 0 ? o->arg[0] : NULL;

	for (long tries = o->wait_s * 1000 / AGAIN_MS; tries > 0; tries--) {
		if (is_handed_over(path, group))
			return 0;
		(void)nanosleep(&pause, NULL);
	}
	if (o->wait_s > 0)
		(void)fprintf(stderr, "syncctl: handover: still active after %ld s\n", o->wait_s);
	return o->wait_s > 0 ? 1 : 0;
}

static void print_response(const struct command *c, const struct options *o, json_t *response)
{
	const char *error = json_string_value(json_object_get(response, "error"));

	(void)json_object_del(response, "code");
	if (o->json) {
		(void)json_dumpf(response, stdout, JSON_INDENT(2));
		(void)putchar('\n');
	} else if (error != NULL) {
		(void)fprintf(stderr, "syncctl: %s: %s\n", c->name, error);
	} else if (c->print != NULL) {
		c->print(response, stdout);
	}
}

static int run(const struct command *c, const struct options *o)
{
	char path[CONFIG_PATH_MAX + 8];
	json_t *request, *response = NULL;
	int rc = find_socket(o, path, sizeof(path));

	if (rc != 0)
		return rc;
	request = make_request(c, o);
	if (o->deep)
		rc = ask_deep(path, request, o->wait_s, &response);
	else
		rc = ask_until(path, request, c->waits ? o->wait_s : 0, &response);
	json_decref(request);
	if (rc < 0) {
		(void)fprintf(stderr, "syncctl: %s: %s%s\n", path, strerror(-rc),
			      rc == -ENOENT || rc == -ECONNREFUSED ? ": is syncd running?" : "");
		return EXIT_UNREACHABLE;
	}
	print_response(c, o, response);
	json_decref(response);
	if (rc == CTL_CODE_YES && strcmp(c->name, "handover") == 0)
		rc = wait_handed_over(path, o);
	return fflush(stdout) == 0 ? rc : 1;
}

/* What is here, and what the daemon says of its peers where one runs. Without a configuration, or
 * with a wrong one, what can be told all the same. */
static int diagnose(const struct options *o)
{
	json_t *request = json_pack("{ss}", "command", "status"), *status = NULL;
	struct config *config = NULL;
	char path[CONFIG_PATH_MAX + 8];
	int rc;

	if (o->socket == NULL && o->config != NULL && access(o->config, R_OK) == 0)
		(void)load_config(o, &config);
	if (o->socket != NULL || config != NULL) {
		socket_path(o, config, path, sizeof(path));
		if (ask(path, request, &status) < 0)
			status = NULL;
	}
	rc = doctor_run(o->json, config, status, stdout);
	config_free(config);
	json_decref(request);
	json_decref(status);
	return rc;
}

static bool read_number(const char *text, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *out >= 0 && *out <= INT32_MAX;
}

/* Returns false where an option makes no sense. */
static bool read_options(int argc, char **argv, struct options *o)
{
	static const struct option long_options[] = {{"deep", no_argument, NULL, 'd'}, {0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "c:s:jw:n:i:l:Vh", long_options, NULL)) != -1) {
		switch (opt) {
		case 'd':
			o->deep = true;
			break;
		case 'c':
			o->config = optarg;
			break;
		case 's':
			o->socket = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case 'w':
			if (!read_number(optarg, &o->wait_s))
				return false;
			break;
		case 'n':
			if (!read_number(optarg, &o->limit))
				return false;
			break;
		case 'i':
			if (!read_number(optarg, &o->key_id))
				return false;
			break;
		case 'l':
			o->like = optarg;
			break;
		case 'V':
			(void)puts("syncctl " SYNCD_VERSION);
			exit(0);
		case 'h':
			exit(usage(stdout));
		default:
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct options o = {.config = CONFIG_FILE_DEFAULT};
	const char *name;

	if (!read_options(argc, argv, &o) || optind == argc)
		return usage(stderr);
	name = argv[optind];
	o.arg = argv + optind + 1;
	o.args = argc - optind - 1;
	if (strcmp(name, "genkey") == 0)
		return generate_key(&o);
	if (strcmp(name, "doctor") == 0)
		return o.args == 0 ? diagnose(&o) : usage(stderr);
	for (const struct command *c = commands; c->name != NULL; c++) {
		if (strcmp(c->name, name) != 0)
			continue;
		if (o.deep && strcmp(name, "verify") != 0)
			break;
		if (o.args <= c->max)
			return run(c, &o);
		(void)fprintf(stderr, "usage: syncctl %s %s\n", c->name, c->args);
		return EXIT_USAGE;
	}
	(void)fprintf(stderr, "syncctl: there is no command '%s%s'\n", name,
		      o.deep ? " --deep" : "");
	return usage(stderr);
}
