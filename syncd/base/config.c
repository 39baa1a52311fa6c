// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a file to struct config: the tree of config_tree.c is walked by the table of
 * config_table.c, then config_check.c looks at the whole. Called by both programs and by
 * `syncd -t`. The first error ends it: one message, at the line where it is.
 */
#include "syncd/base/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/base/config_check.h"
#include "syncd/base/config_table.h"
#include "syncd/base/config_tree.h"

enum { FILE_MAX = 1 << 20 };

struct reader {
	struct config *c;
	const char *path;
	char *err;
};

__attribute__((format(printf, 3, 4))) static int fail(const struct reader *r, int line,
						      const char *fmt, ...)
{
	int n = snprintf(r->err, CONFIG_ERROR_MAX, "%.*s:%d: ", CONFIG_PATH_MAX, r->path, line);
	va_list ap;

	if (n < 0)
		n = 0;
	va_start(ap, fmt);
	(void)vsnprintf(r->err + n, CONFIG_ERROR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static const struct config_section *find_section(const char *name)
{
	for (const struct config_section *s = config_sections + 1; s->option != NULL; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

static const struct config_option *find_option(const struct config_section *s, const char *name)
{
	for (const struct config_option *o = s->option; o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

/* The names legal in a section, or at the top level its sections too. */
static const char *allowed_names(const struct config_section *s, char *buf)
{
	size_t at = 0;

	buf[0] = '\0';
	for (const struct config_option *o = s->option; o->name != NULL; o++)
		at += (size_t)snprintf(buf + at, CONFIG_ERROR_MAX - at, "%s%s", at > 0 ? ", " : "",
				       o->name);
	if (s->name == NULL)
		for (s++; s->option != NULL; s++)
			at += (size_t)snprintf(buf + at, CONFIG_ERROR_MAX - at, ", %s {}", s->name);
	return buf;
}

/* An earlier item of the same name (and, for sections that there may be many of, title). */
static const struct config_item *find_earlier(const struct config_item *first,
					      const struct config_item *it, bool many)
{
	for (; first != it; first = first->next)
		if (strcmp(first->name, it->name) == 0 &&
		    (!many || (first->values == 1 && it->values == 1 &&
			       strcmp(first->value[0].text, it->value[0].text) == 0)))
			return first;
	return NULL;
}

static int read_option(const struct reader *r, const struct config_option *o,
		       const struct config_item *it, char *at)
{
	const char *text[CONFIG_LIST_MAX + 1];
	char allowed[CONFIG_ERROR_MAX];
	const size_t n = it->values <= CONFIG_LIST_MAX ? it->values : CONFIG_LIST_MAX + 1;
	const struct config_text *culprit;
	size_t bad;

	for (size_t i = 0; i < n; i++)
		text[i] = it->value[i].text;
	if (config_option_read(o, text, n, at + o->offset, &bad) == 0)
		return 0;
	(void)config_option_allowed(o, allowed);
	if (bad >= n)
		return fail(r, it->line, "option '%s' has no value; allowed: %s", o->name, allowed);
	if (bad == 0 && n > 1 && o->type < CONFIG_SET)
		return fail(r, it->line, "option '%s' is a list; allowed: %s", o->name, allowed);
	culprit = &it->value[bad];
	return fail(r, culprit->line, "option '%s': '%s' is not allowed; allowed: %s", o->name,
		    culprit->text, allowed);
}

static void set_defaults(const struct config_section *s, char *at)
{
	for (const struct config_option *o = s->option; o->name != NULL; o++) {
		const char *item[CONFIG_LIST_MAX];
		char *text, *save = NULL;
		size_t n = 0, bad;

		if (o->def == NULL)
			continue;
		text = strdup(o->def);
		if (text == NULL)
			abort(); /* a start without memory for a word */
		for (char *w = strtok_r(text, " ", &save); w != NULL;
		     w = strtok_r(NULL, " ", &save))
			item[n++] = w;
		if (config_option_read(o, item, n, at + o->offset, &bad) < 0)
			abort(); /* the table is wrong: the first test would have met it */
		free(text);
	}
}

/* Options of one section; `items` is its content. */
static int read_options(const struct reader *r, const struct config_section *s,
			const struct config_item *items, int line, char *at)
{
	char allowed[CONFIG_ERROR_MAX];

	for (const struct config_item *it = items; it != NULL; it = it->next) {
		const struct config_option *o = find_option(s, it->name);
		const struct config_item *earlier = find_earlier(items, it, false);
		int rc;

		if (it->section && s->name == NULL)
			continue; /* read_sections */
		if (it->section)
			return fail(r, it->line,
				    "section '%s' does not belong in '%s'; allowed: %s", it->name,
				    s->name, allowed_names(s, allowed));
		if (o == NULL)
			return fail(r, it->line, "unknown option '%s' %s%s; allowed: %s", it->name,
				    s->name != NULL ? "in section " : "at the top level",
				    s->name != NULL ? s->name : "", allowed_names(s, allowed));
		if (earlier != NULL)
			return fail(r, it->line,
				    "option '%s' is given twice; the first is in line %d, and one "
				    "is allowed",
				    it->name, earlier->line);
		rc = read_option(r, o, it, at);
		if (rc < 0)
			return rc;
	}
	for (const struct config_option *o = s->option; o->name != NULL; o++) {
		bool given = !o->mandatory;

		for (const struct config_item *it = items; it != NULL && !given; it = it->next)
			given = strcmp(it->name, o->name) == 0;
		if (!given)
			return fail(r, line, "section '%s' needs option '%s': %s", s->name, o->name,
				    config_option_allowed(o, allowed));
	}
	return 0;
}

static int read_title(const struct reader *r, const struct config_section *s,
		      const struct config_item *it, char *at)
{
	static const char legal[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	const struct config_option id = {.type = CONFIG_NUMBER, .min = 1, .max = 65535};
	const char *title = it->values > 0 ? it->value[0].text : NULL;
	size_t bad;

	if (s->title == CONFIG_NO_TITLE)
		return title == NULL ? 0 : fail(r, it->line, "section '%s' takes no name", s->name);
	if (title == NULL)
		return fail(r, it->line, "section '%s' needs a %s: %s %s { ... }", s->name,
			    s->title == CONFIG_TITLE_ID ? "number" : "name", s->name,
			    s->title == CONFIG_TITLE_ID ? "1" : "NAME");
	if (s->title == CONFIG_TITLE_ID) {
		if (config_option_read(&id, &title, 1, at + s->title_offset, &bad) == 0)
			return 0;
		return fail(r, it->line, "section '%s': '%s' is not allowed; allowed: 1 to 65535",
			    s->name, title);
	}
	/* Names become parts of paths: the socket's directory, the track files. */
	if (strlen(title) >= s->title_size || title[0] == '\0' || title[0] == '.' ||
	    title[strspn(title, legal)] != '\0')
		return fail(r, it->line,
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

static int read_section(const struct reader *r, const struct config_item *tree,
			const struct config_item *it)
{
	const struct config_section *s = find_section(it->name);
	const struct config_item *earlier;
	char allowed[CONFIG_ERROR_MAX];
	char *at;
	int rc;

	if (s == NULL)
		return fail(r, it->line, "unknown section '%s'; allowed: %s", it->name,
			    allowed_names(config_sections, allowed));
	earlier = find_earlier(tree, it, s->many);
	if (earlier != NULL)
		return fail(r, it->line,
			    "section '%s%s%s' is given twice; the first is in line %d, and one is "
			    "allowed",
			    it->name, s->many ? " " : "", s->many ? it->value[0].text : "",
			    earlier->line);
	if (s->many && *(size_t *)(void *)((char *)r->c + s->count_offset) == s->max)
		return fail(r, it->line, "section '%s': at most %zu are allowed", it->name, s->max);
	at = s->many ? add_instance(r->c, s) : (char *)r->c + s->offset;
	if (at == NULL)
		return -ENOMEM;
	set_defaults(s, at);
	rc = read_title(r, s, it, at);
	return rc < 0 ? rc : read_options(r, s, it->child, it->line, at);
}

static int read_tree(const struct reader *r, const struct config_item *tree)
{
	int rc;

	for (const struct config_section *s = config_sections; s->option != NULL; s++)
		if (!s->many)
			set_defaults(s, (char *)r->c + s->offset);
	rc = read_options(r, config_sections, tree, 1, (char *)r->c + config_sections->offset);
	for (const struct config_item *it = tree; it != NULL && rc == 0; it = it->next)
		if (it->section)
			rc = read_section(r, tree, it);
	return rc;
}

int config_parse(const char *text, const char *path, struct config **out, char *err)
{
	struct reader r = {.path = path, .err = err};
	struct config_item *tree = NULL;
	char what[CONFIG_ERROR_MAX] = "out of memory";
	int line = 0, rc;

	err[0] = '\0';
	r.c = calloc(1, sizeof(*r.c));
	if (r.c == NULL)
		return -ENOMEM;
	(void)snprintf(r.c->path, sizeof(r.c->path), "%s", path);
	rc = config_tree_parse(text, &tree, &line, what, sizeof(what));
	if (rc < 0) {
		(void)fail(&r, line, "%s", what);
		goto out;
	}
	rc = read_tree(&r, tree);
	if (rc < 0)
		goto out;
	rc = config_check(r.c, tree, &line, what);
	if (rc < 0) {
		(void)fail(&r, line, "%s", what);
		goto out;
	}
	*out = r.c;
	r.c = NULL;
out:
	config_tree_free(tree);
	config_free(r.c);
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
	free(c);
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
