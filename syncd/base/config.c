// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a file to struct config: what libconfuse has read is walked by the table of
 * config_table.c, then config_check.c looks at the whole. Called by both programs and by
 * `syncd -t`. The first error ends it: one message, at the line where it is.
 */
#include "syncd/base/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/base/config_check.h"
#include "syncd/base/config_table.h"
#include "syncd/base/config_tree.h"

enum { FILE_MAX = 1 << 20 };

static int read_option(struct config_tree *t, const struct config_section *s,
		       const struct config_option *o, cfg_t *in, char *at)
{
	const struct config_text *given[CONFIG_LIST_MAX + 1];
	const char *text[CONFIG_LIST_MAX + 1];
	char allowed[CONFIG_ERROR_MAX];
	cfg_opt_t *opt = cfg_getopt(in, o->name);
	size_t n, bad;

	for (n = 0; n < cfg_opt_size(opt) && n <= CONFIG_LIST_MAX; n++) {
		given[n] = cfg_opt_getnptr(opt, (unsigned)n);
		text[n] = given[n]->text;
	}
	(void)config_option_allowed(o, allowed);
	if (n == 0)
		return !o->mandatory ? 0
				     : config_fail(t, config_tree_line(in, NULL),
						   "section '%s' needs option '%s': %s", s->name,
						   o->name, allowed);
	if (strcmp(text[0], CONFIG_EMPTY_LIST) == 0)
		n = 0;
	if (config_option_read(o, text, n, at + o->offset, &bad) == 0)
		return 0;
	return config_fail(t, given[bad]->line, "option '%s': '%s' is not allowed; allowed: %s",
			   o->name, text[bad], allowed);
}

static int read_title(struct config_tree *t, const struct config_section *s, cfg_t *in, char *at)
{
	static const char legal[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	const struct config_option id = {.type = CONFIG_NUMBER, .min = 1, .max = 65535};
	const char *title = cfg_title(in);
	const int line = config_tree_line(in, NULL);
	size_t bad;

	if (s->title == CONFIG_NO_TITLE)
		return 0;
	if (s->title == CONFIG_TITLE_ID) {
		if (config_option_read(&id, &title, 1, at + s->title_offset, &bad) == 0)
			return 0;
		return config_fail(t, line,
				   "section '%s': '%s' is not allowed; allowed: 1 to 65535",
				   s->name, title);
	}
	/* Names become parts of paths: the socket's directory, the track files. */
	if (strlen(title) >= s->title_size || title[0] == '\0' || title[0] == '.' ||
	    title[strspn(title, legal)] != '\0')
		return config_fail(
			t, line,
			"section '%s': name '%s' is not allowed; allowed: letters, digits, _ . "
			"- (less than %zu, not beginning with a dot)",
			s->name, title, s->title_size);
	memcpy(at + s->title_offset, title, strlen(title) + 1);
	return 0;
}

/* Room for one more of a section that there may be many of; NULL: no memory. */
static char *add_instance(struct config *c, const struct config_section *s)
{
	void *place = (char *)c + s->offset;
	size_t *count = (size_t *)(void *)((char *)c + s->count_offset);
	char *old, *more;

	memcpy(&old, place, sizeof(old));
	more = reallocarray(old, *count + 1, s->size);
	if (more == NULL)
		return NULL;
	memcpy(place, &more, sizeof(more));
	more += *count * s->size;
	memset(more, 0, s->size);
	++*count;
	return more;
}

/* The nth section of its kind. */
static int read_section(struct config *c, struct config_tree *t, const struct config_section *s,
			unsigned nth)
{
	cfg_t *in = s->name != NULL ? cfg_getnsec(t->root, s->name, nth) : t->root;
	const int line = config_tree_line(in, NULL);
	char *at;
	int rc;

	if (!s->many && nth > 0)
		return config_fail(
			t, line,
			"section '%s' is given twice; the first is in line %d, and one is "
			"allowed",
			s->name, config_tree_line(cfg_getsec(t->root, s->name), NULL));
	if (s->many && nth == s->max)
		return config_fail(t, line, "section '%s': at most %zu are allowed", s->name,
				   s->max);
	at = s->many ? add_instance(c, s) : (char *)c + s->offset;
	if (at == NULL)
		return -ENOMEM;
	rc = read_title(t, s, in, at);
	for (const struct config_option *o = s->option; o->name != NULL && rc == 0; o++)
		rc = read_option(t, s, o, in, at);
	return rc;
}

static int read_tree(struct config *c, struct config_tree *t)
{
	int rc = read_section(c, t, config_sections, 0);

	for (const struct config_section *s = config_sections + 1; s->option != NULL; s++)
		for (unsigned i = 0; i < cfg_size(t->root, s->name) && rc == 0; i++)
			rc = read_section(c, t, s, i);
	return rc;
}

int config_parse(const char *text, const char *path, struct config **out, char *err)
{
	struct config *c = calloc(1, sizeof(*c));
	int rc;

	if (c != NULL)
		c->tree = config_tree_read(text);
	if (c == NULL || c->tree == NULL) {
		(void)snprintf(err, CONFIG_ERROR_MAX, "%s: out of memory", path);
		free(c);
		return -ENOMEM;
	}
	(void)snprintf(c->path, sizeof(c->path), "%s", path);
	rc = c->tree->err[0] != '\0' ? -EINVAL : read_tree(c, c->tree);
	if (rc == 0)
		rc = config_check(c);
	if (rc == 0) {
		*out = c;
		return 0;
	}
	(void)snprintf(err, CONFIG_ERROR_MAX, "%.*s:%d: %s", CONFIG_PATH_MAX, path, c->tree->line,
		       rc == -ENOMEM ? "out of memory" : c->tree->err);
	config_free(c);
	return rc;
}

/* Returns the text, to be freed; NULL with errno. */
static char *read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = f != NULL ? malloc(FILE_MAX + 1) : NULL;
	size_t n;
	int err = errno;

	if (text == NULL)
		goto out;
	n = fread(text, 1, FILE_MAX, f);
	err = ferror(f) != 0 ? errno : n == FILE_MAX ? EFBIG : 0;
	text[n] = '\0';
	if (err == 0 && strlen(text) != n)
		err = EILSEQ; /* a NUL would hide what follows */
	if (err != 0) {
		free(text);
		text = NULL;
	}
out:
	if (f != NULL)
		(void)fclose(f);
	errno = err;
	return text;
}

int config_load(const char *path, struct config **out, char *err)
{
	char *text = read_file(path);
	int rc;

	if (text == NULL) {
		rc = errno != 0 ? -errno : -EIO;
		(void)snprintf(err, CONFIG_ERROR_MAX, "%s: %s", path, strerror(-rc));
		return rc;
	}
	rc = config_parse(text, path, out, err);
	free(text);
	return rc;
}

void config_free(struct config *c)
{
	if (c == NULL)
		return;
	free(c->link);
	free(c->key);
	free(c->group);
	config_tree_free(c->tree);
	free(c);
}

void config_print(const struct config *c, FILE *to)
{
	(void)cfg_print(c->tree->root, to);
}

const struct config_group *config_find_group(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->groups; i++)
		if (strcmp(c->group[i].name, name) == 0)
			return &c->group[i];
	return NULL;
}

const struct config_group *config_find_instance(const struct config *c, const char *instance)
{
	for (size_t i = 0; i < c->groups; i++)
		for (size_t k = 0; k < c->group[i].instances.n; k++)
			if (strcmp(c->group[i].instances.item[k], instance) == 0)
				return &c->group[i];
	for (size_t i = 0; i < c->groups; i++)
		if (c->group[i].instances.n == 0 && strcmp(c->group[i].name, instance) == 0)
			return &c->group[i];
	return NULL;
}
