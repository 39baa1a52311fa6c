// SPDX-License-Identifier: GPL-2.0-or-later
/* syncd: the command line. The daemon itself is daemon.c. See syncd(8). */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "syncd/daemon.h"

static int usage(FILE *to)
{
	(void)fprintf(to, "usage: syncd [-c FILE] [-t | -p] [-d]\n"
			  "  -c FILE  configuration (default " CONFIG_FILE_DEFAULT ")\n"
			  "  -t       check it and exit\n"
			  "  -p       print it with all defaults and exit\n"
			  "  -d       log at debug level\n"
			  "  -V       print the version and exit\n");
	return to == stdout ? 0 : EXIT_USAGE;
}

static int run(struct config *cfg)
{
	static struct daemon d; /* large, and there is one */
	int rc = daemon_start(&d, cfg);

	if (rc == 0)
		rc = daemon_run(&d);
	daemon_stop(&d);
	return rc;
}

int main(int argc, char **argv)
{
	const char *path = CONFIG_FILE_DEFAULT;
	bool test = false, print = false, debug = false;
	char err[CONFIG_ERROR_MAX];
	struct config *cfg;
	int opt;

	while ((opt = getopt(argc, argv, "c:tpdVh")) != -1) {
		switch (opt) {
		case 'c':
			path = optarg;
			break;
		case 't':
			test = true;
			break;
		case 'p':
			print = true;
			break;
		case 'd':
			debug = true;
			break;
		case 'V':
			(void)puts("syncd " SYNCD_VERSION);
			return 0;
		case 'h':
			return usage(stdout);
		default:
			return usage(stderr);
		}
	}
	if (optind != argc)
		return usage(stderr);
	if (config_load(path, &cfg, err)) {
		log_error("%s", err);
		return EXIT_USAGE;
	}
	log_set_level(debug ? LOG_LEVEL_DEBUG : (enum log_level)cfg->top.log);
	if (print)
		config_print(cfg, stdout);
	if (test)
		log_notice("%s is good", path);
	if (test || print) {
		config_free(cfg);
		return 0;
	}
	return run(cfg);
}
