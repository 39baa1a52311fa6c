/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim --seeds N --seed0 S --profile P [-v] [--regressions FILE] [--jobs N]: runs stories on all
 * cores and prints each that fails, with what is needed to see it again. Exit: 0 all passed, 1 some
 * failed, 2 usage.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim_world.h"

enum { JOBS_MAX = 64, HANG_S = 100 };

struct story {
	uint64_t seed;
	const struct sim_profile *profile;
};

/* What workers share. */
struct tally {
	_Atomic uint64_t next, passed, failed, flows, lost, datagrams, prefixes, again, takeovers;
	_Atomic uint64_t simulated_us;
	_Atomic uint64_t running[JOBS_MAX]; /* story + 1; 0: between two */
};

struct options {
	uint64_t seeds, seed0;
	const char *profile, *regressions;
	unsigned jobs;
	unsigned verbose;
	bool twice;
};

static void usage(void)
{
	(void)fprintf(stderr,
		      "usage: sim [--seeds N] [--seed0 S] [--profile P] [--regressions FILE]\n"
		      "           [--jobs N] [--twice] [-v]\nprofiles:");
	for (size_t i = 0; i < sim_profile_count; i++)
		(void)fprintf(stderr, " %s", sim_profiles[i].name);
	(void)fputc('\n', stderr);
}

static bool number(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	return !errno && *text && !*end;
}

static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"seeds", 1, NULL, 'n'}, {"seed0", 1, NULL, 's'},	{"profile", 1, NULL, 'p'},
		{"jobs", 1, NULL, 'j'},	 {"regressions", 1, NULL, 'r'}, {"twice", 0, NULL, 't'},
		{NULL, 0, NULL, 0},
	};
	uint64_t jobs = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	int c;

	*o = (struct options){.seeds = 100, .seed0 = 1};
	while ((c = getopt_long(argc, argv, "v", longs, NULL)) != -1) {
		bool good = true;

		if (c == 'n')
			good = number(optarg, &o->seeds);
		else if (c == 's')
			good = number(optarg, &o->seed0);
		else if (c == 'j')
			good = number(optarg, &jobs) && jobs > 0;
		else if (c == 'p')
			o->profile = optarg;
		else if (c == 'r')
			o->regressions = optarg;
		else if (c == 't')
			o->twice = true;
		else if (c == 'v')
			o->verbose++;
		else
			good = false;
		if (!good)
			return -EINVAL;
	}
	o->jobs = (unsigned)(jobs < JOBS_MAX ? jobs : JOBS_MAX);
	return optind == argc && (!o->profile || sim_profile_find(o->profile)) ? 0 : -EINVAL;
}

/* ---- which stories ---- */

static struct story *add_story(struct story *s, size_t *n, uint64_t seed,
			       const struct sim_profile *p)
{
	s = realloc(s, (*n + 1) * sizeof *s);
	if (s)
		s[(*n)++] = (struct story){.seed = seed, .profile = p};
	return s;
}

/* Lines of "profile seed  # what it found". */
static struct story *read_regressions(const char *path, struct story *s, size_t *n)
{
	FILE *f = fopen(path, "r");
	char line[512], name[32];
	uint64_t seed;

	if (!f) {
		perror(path);
		return NULL;
	}
	while (fgets(line, sizeof line, f)) {
		const struct sim_profile *p;

		if (sscanf(line, "%31s %" SCNu64, name, &seed) != 2 || name[0] == '#')
			continue;
		p = sim_profile_find(name);
		if (p)
			s = add_story(s, n, seed, p);
		else
			(void)fprintf(stderr, "%s: no profile %s\n", path, name);
	}
	(void)fclose(f);
	return s;
}

static struct story *list_stories(const struct options *o, size_t *n)
{
	const struct sim_profile *p = o->profile ? sim_profile_find(o->profile) : NULL;
	struct story *s = malloc(sizeof *s);

	*n = 0;
	if (s && o->regressions)
		s = read_regressions(o->regressions, s, n);
	for (uint64_t i = 0; s && i < o->seeds; i++)
		s = add_story(s, n, o->seed0 + i, p ? p : sim_profile_of(o->seed0 + i));
	return s;
}

/* ---- running them ---- */

static void say_failed(const char *text, const struct story *s)
{
	char line[2400];
	int n = snprintf(line, sizeof line,
			 "FAILED %s\n    again: sim --profile %s --seed0 %" PRIu64
			 " --seeds 1 -v\n",
			 text, s->profile->name, s->seed);

	if (n > 0 && write(STDOUT_FILENO, line, (size_t)n) < 0)
		_exit(3);
}

static bool run_story(const struct story *s, const struct options *o, struct tally *t)
{
	struct sim_result r, again;

	sim_world_run(s->profile, s->seed, o->verbose, &r);
	if (o->twice && !r.failed) {
		sim_world_run(s->profile, s->seed, 0, &again);
		if (again.trace != r.trace) {
			r.failed = true;
			(void)snprintf(r.text, sizeof r.text,
				       "seed %" PRIu64 " profile %s: two runs differ", s->seed,
				       s->profile->name);
		}
	}
	t->flows += r.flows_opened;
	t->lost += r.flows_lost;
	t->datagrams += r.datagrams;
	t->prefixes += r.prefixes;
	t->again += r.again;
	t->takeovers += r.takeovers;
	t->simulated_us += r.simulated_us;
	if (r.failed)
		say_failed(r.text, s);
	return !r.failed;
}

static void worker(unsigned id, const struct story *s, size_t n, const struct options *o,
		   struct tally *t)
{
	/* Of its own processor time: a busy machine is no hang. */
	const struct itimerval hang = {.it_value.tv_sec = HANG_S};

	for (;;) {
		uint64_t i = t->next++;

		if (i >= n)
			return;
		t->running[id] = i + 1;
		(void)setitimer(ITIMER_PROF, &hang, NULL);
		if (run_story(&s[i], o, t))
			t->passed++;
		else
			t->failed++;
		t->running[id] = 0;
	}
}

/* A worker that dies takes its story with it; another goes on. */
static void tend(const struct story *s, size_t n, const struct options *o, struct tally *t)
{
	pid_t pid[JOBS_MAX] = {0};
	unsigned alive = 0;

	for (unsigned i = 0; i < o->jobs; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			worker(i, s, n, o, t);
			exit(0);
		}
		alive += pid[i] > 0;
	}
	while (alive > 0) {
		int status;
		pid_t gone = wait(&status);
		unsigned i = 0;
		char text[128];

		while (i < o->jobs && pid[i] != gone)
			i++;
		if (gone < 0 || i == o->jobs)
			continue;
		alive--;
		if (t->running[i] == 0)
			continue;
		(void)snprintf(text, sizeof text, "seed %" PRIu64 " profile %s: %s %d",
			       s[t->running[i] - 1].seed, s[t->running[i] - 1].profile->name,
			       WIFSIGNALED(status) ? "ended by signal" : "exit",
			       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		say_failed(text, &s[t->running[i] - 1]);
		t->failed++;
		t->running[i] = 0;
		pid[i] = fork();
		if (pid[i] == 0) {
			worker(i, s, n, o, t);
			exit(0);
		}
		alive += pid[i] > 0;
	}
}

static void summary(const struct tally *t, double seconds)
{
	printf("sim: %.0f s of simulated time in %.1f s: %" PRIu64 " datagrams, %" PRIu64
	       " flows opened, %" PRIu64 " lost with their box, %" PRIu64 " takeovers, %" PRIu64
	       " prefixes compared, %" PRIu64 " recordings read\n",
	       (double)t->simulated_us / 1e6, seconds, t->datagrams, t->flows, t->lost,
	       t->takeovers, t->prefixes, t->again);
	/* The form that tests/run-checks.sh adds up, then the one for people. */
	printf("%" PRIu64 "%%: Checks: %" PRIu64 ", Failures: %" PRIu64 ", Errors: 0\n",
	       t->passed * 100 / (t->passed + t->failed ? t->passed + t->failed : 1),
	       t->passed + t->failed, t->failed);
	printf("%" PRIu64 " passed, %" PRIu64 " failed\n", t->passed, t->failed);
}

static double seconds_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct options o;
	struct story *s;
	struct tally *t;
	double begin = seconds_now();
	size_t n;

	if (read_options(argc, argv, &o)) {
		usage();
		return 2;
	}
	s = list_stories(&o, &n);
	t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!s || t == MAP_FAILED)
		return 2;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (o.verbose || o.jobs == 1 || n == 1)
		worker(0, s, n, &o, t);
	else
		tend(s, n, &o, t);
	summary(t, seconds_now() - begin);
	free(s);
	return t->failed == 0 && t->passed == n ? 0 : 1;
}
