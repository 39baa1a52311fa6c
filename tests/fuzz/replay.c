/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target over its committed seeds (tests/fuzz/seeds/NAME, NAME from the program's own
 * name, replay_NAME) with any compiler, as a part of `make check`. Each input stands at the end of
 * an allocation, so that a sanitizer sees a byte read too many.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	static uint8_t buf[1 << 20];
	FILE *f = fopen(path, "rb");
	uint8_t *exact;
	size_t len;

	if (!f) {
		perror(path);
		return -1;
	}
	len = fread(buf, 1, sizeof(buf), f);
	(void)fclose(f);
	exact = malloc(len ? len : 1);
	if (!exact)
		return -1;
	memcpy(exact, buf, len);
	printf("%s\n", path); /* the last one printed is the one that failed */
	(void)fflush(stdout);
	(void)LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return 0;
}

static int replay_all(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	if (!d) {
		perror(dir);
		return -1;
	}
	while ((e = readdir(d)) != NULL) {
		char path[512];

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (replay_file(path)) {
			n = -1;
			break;
		}
		n++;
	}
	(void)closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	const char *name = argc > 0 ? strstr(argv[0], "replay_") : NULL;
	char dir[256];
	int n;

	if (!name)
		return 2;
	(void)snprintf(dir, sizeof(dir), "tests/fuzz/seeds/%s", name + strlen("replay_"));
	n = replay_all(dir);
	if (n <= 0) {
		fprintf(stderr, "%s: no seeds\n", dir);
		return 1;
	}
	/* In the form of Check's summary, which tests/run-checks.sh counts. */
	printf("100%%: Checks: %d, Failures: 0, Errors: 0\n", n);
	return 0;
}
