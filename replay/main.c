// SPDX-License-Identifier: GPL-2.0-or-later
/* sync-replay: audits journals that syncd has written. See sync-replay(1). */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "replay/commands.h"

struct command {
	const char *name;
	command_fn *fn;
	const char *args, *help;
	bool follows; /* knows -f */
};

static const struct command commands[] = {
	{"info", command_info, "JOURNAL...", "what is there: nodes, sessions, segments, times",
	 false},
	{"dump", command_dump, "JOURNAL...", "the records, one a line; -v: flows too", true},
	{"verify", command_verify, "JOURNAL...", "is it whole, and were the tables equal?", true},
	{"at", command_at, "TIME JOURNAL...", "the tables as they were", false},
	{"history", command_history, "FLOW JOURNAL...", "what was said of a flow, and when", true},
	{"who", command_who, "FLOW TIME JOURNAL...", "which node held a flow, and as what", false},
	{"diff", command_diff, "JOURNAL JOURNAL [TIME]", "two nodes' tables, flow by flow", false},
	{"lag", command_lag, "JOURNAL JOURNAL", "from sent to applied, by quantiles", false},
	{"stats", command_stats, "JOURNAL...", "how much of what", false},
	{"inject", command_inject, "JOURNAL...", "put one's flows into this kernel, or a group",
	 false},
	{"export", command_export, "-o FILE JOURNAL...", "its datagrams as a capture (pcapng)",
	 false},
	{"report", command_report, "-o PAGE JOURNAL...", "all of it on one page of HTML", false},
};

static int usage(FILE *to)
{
	(void)fputs("usage: sync-replay COMMAND [OPTION...] ARGUMENT...\n"
		    "JOURNAL is a segment, a directory of them, a capture, or - (standard input)\n",
		    to);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		(void)fprintf(to, "  %-8s %-24s %s\n", commands[i].name, commands[i].args,
			      commands[i].help);
	(void)fputs("options: -k KEYFILE  --json  -f (follow)  -v  -q  -o FILE\n"
		    "filters: --from TIME --until TIME --group ID --node ID --op put|del|TYPE\n"
		    "         --kind conntrack|ipvs --proto NAME --addr PREFIX --port PORT\n"
		    "TIME is 2026-11-22T03:15:00, @EPOCH, +SECONDS from the start, or #COUNTER\n"
		    "inject: --into CONFIG --dry-run --speed FACTOR --pps N --topspeed "
		    "--one-at-a-time\n"
		    "exit codes: 0 consistent, 1 findings, 2 usage, 3 unreadable\n",
		    to);
	return to == stdout ? EXIT_CONSISTENT : EXIT_WRONG_USE;
}

int main(int argc, char **argv)
{
	struct options o;
	int rc;

	if (argc < 2)
		return usage(stderr);
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	if (strcmp(argv[1], "-V") == 0) {
		(void)puts("sync-replay " SYNCD_VERSION);
		return EXIT_CONSISTENT;
	}
	if (sodium_init() < 0)
		return EXIT_UNREADABLE;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, argv[1]) != 0)
			continue;
		rc = options_parse(argc - 1, argv + 1, &o);
		if (rc)
			return rc;
		if (o.follow && !commands[i].follows) {
			(void)fprintf(stderr, "sync-replay: %s cannot follow\n", argv[1]);
			return EXIT_WRONG_USE;
		}
		rc = commands[i].fn(&o);
		if (fflush(stdout) && errno != EPIPE)
			rc = command_failed("standard output", -errno);
		return rc;
	}
	return usage(stderr);
}
