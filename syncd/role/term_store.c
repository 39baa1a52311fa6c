// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Terms on disk. Text, a line a group, "end" as the last line: a file cut short by a full disk is
 * seen. Called by main.c for the engine's store_term, some times a day.
 */
#include "syncd/role/term_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syncd/role/fsm.h"

#define TERMS_HEAD "syncd terms 1\n"
#define ROLES_HEAD "syncd roles 1\n"

struct entry {
	uint32_t group;
	struct term_kept kept;
};

struct term_store {
	char state_dir[PATH_MAX], runtime_dir[PATH_MAX];
	size_t n;
	struct entry entry[GROUPS_MAX];
};

static struct entry *find(struct term_store *s, uint32_t group)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->entry[i].group == group)
			return &s->entry[i];
	return NULL;
}

static struct entry *find_or_add(struct term_store *s, uint32_t group)
{
	struct entry *e = find(s, group);

	if (e != NULL || s->n == GROUPS_MAX)
		return e;
	e = &s->entry[s->n++];
	*e = (struct entry){.group = group};
	return e;
}

static int make_dirs(const char *path)
{
	char part[PATH_MAX];

	for (size_t i = 1; i < sizeof(part) && i <= strlen(path); i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

/*
 * "group 1 term 7 node 2", in the file of roles with " role 2 held 1" behind it, of which an
 * earlier version did not write the last.
 */
static int read_line(struct term_store *s, const char *line, bool roles)
{
	unsigned group, node, role = 0, held = 0;
	struct term highest;
	struct entry *e;
	int end = 0;

	if (roles)
		(void)sscanf(line, "group %u term %" SCNu64 " node %u role %u%n held %u%n", &group,
			     &highest.number, &node, &role, &end, &held, &end);
	else
		(void)sscanf(line, "group %u term %" SCNu64 " node %u%n", &group, &highest.number,
			     &node, &end);
	if (end == 0 || strcmp(line + end, "\n") != 0 || node > UINT16_MAX || role > ROLE_ACTIVE)
		return -EBADMSG;
	highest.node = (uint16_t)node;
	e = find_or_add(s, group);
	if (e == NULL)
		return -EBADMSG;
	if (term_compare(e->kept.highest, highest) < 0)
		e->kept.highest = highest;
	if (roles) {
		e->kept.role = (enum node_role)role;
		e->kept.role_known = true;
		e->kept.held = held > 0;
	}
	return 0;
}

static int read_file(struct term_store *s, const char *path, const char *head, bool roles)
{
	char line[128];
	bool ended = false;
	FILE *f = fopen(path, "re");
	int rc = 0;

	if (f == NULL)
		return errno == ENOENT ? 0 : -errno;
	if (fgets(line, sizeof(line), f) == NULL || strcmp(line, head) != 0)
		rc = -EBADMSG;
	while (rc == 0 && fgets(line, sizeof(line), f) != NULL) {
		if (ended)
			rc = -EBADMSG;
		else if (strcmp(line, "end\n") == 0)
			ended = true;
		else
			rc = read_line(s, line, roles);
	}
	if (rc == 0 && !ended)
		rc = -EBADMSG;
	(void)fclose(f);
	return rc;
}

static void print_entries(const struct term_store *s, FILE *f, bool roles)
{
	(void)fputs(roles ? ROLES_HEAD : TERMS_HEAD, f);
	for (size_t i = 0; i < s->n; i++) {
		const struct term_kept *k = &s->entry[i].kept;

		if (roles && !k->role_known)
			continue;
		(void)fprintf(f, "group %u term %" PRIu64 " node %u", s->entry[i].group,
			      k->highest.number, k->highest.node);
		if (roles)
			(void)fprintf(f, " role %u held %u", (unsigned)k->role, k->held);
		(void)fputc('\n', f);
	}
	(void)fputs("end\n", f);
}

static int sync_dir(const char *dir)
{
	const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		rc = -errno;
	(void)close(fd);
	return rc;
}

static int write_file(const struct term_store *s, const char *dir, const char *name, bool roles)
{
	char path[PATH_MAX + 16], fresh[PATH_MAX + 24];
	FILE *f;
	int rc = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	f = fopen(fresh, "we");
	if (f == NULL)
		return -errno;
	print_entries(s, f, roles);
	if (fflush(f) != 0 || fsync(fileno(f)) < 0)
		rc = errno != 0 ? -errno : -EIO;
	if (fclose(f) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(fresh, path) < 0)
		rc = -errno;
	if (rc == 0)
		rc = sync_dir(dir);
	else
		(void)unlink(fresh);
	return rc;
}

static int load(struct term_store *s)
{
	char path[PATH_MAX + 16];
	int rc = make_dirs(s->state_dir);

	if (rc == 0)
		rc = make_dirs(s->runtime_dir);
	if (rc < 0)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/terms", s->state_dir);
	rc = read_file(s, path, TERMS_HEAD, false);
	if (rc < 0)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/role", s->runtime_dir);
	return read_file(s, path, ROLES_HEAD, true);
}

int term_store_open(const char *state_dir, const char *runtime_dir, struct term_store **out)
{
	struct term_store *s;
	int rc;

	if (strlen(state_dir) >= sizeof(s->state_dir) ||
	    strlen(runtime_dir) >= sizeof(s->runtime_dir))
		return -ENAMETOOLONG;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	memcpy(s->state_dir, state_dir, strlen(state_dir) + 1);
	memcpy(s->runtime_dir, runtime_dir, strlen(runtime_dir) + 1);
	rc = load(s);
	if (rc < 0) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void term_store_free(struct term_store *s)
{
	free(s);
}

int term_store_get(const struct term_store *s, uint32_t group, struct term_kept *out)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->entry[i].group == group) {
			*out = s->entry[i].kept;
			return 0;
		}
	return -ENOENT;
}

int term_store_put(struct term_store *s, uint32_t group, struct term highest, enum node_role role)
{
	struct entry *e = find_or_add(s, group);
	int rc;

	if (e == NULL)
		return -ENOSPC;
	if (term_compare(e->kept.highest, highest) < 0)
		e->kept.highest = highest;
	e->kept.held = e->kept.held && e->kept.role == ROLE_ACTIVE && role == ROLE_ACTIVE;
	e->kept.role = role;
	e->kept.role_known = true;
	rc = write_file(s, s->state_dir, "terms", false);
	return rc < 0 ? rc : write_file(s, s->runtime_dir, "role", true);
}

int term_store_hold(struct term_store *s, uint32_t group)
{
	struct entry *e = find(s, group);

	if (e == NULL || e->kept.role != ROLE_ACTIVE || e->kept.held)
		return 0;
	e->kept.held = true;
	return write_file(s, s->runtime_dir, "role", true);
}
