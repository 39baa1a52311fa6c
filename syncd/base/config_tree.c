// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libconfuse over the table of options. Called by config.c. The library calls back while it reads,
 * when it still knows the line: on_value keeps it with each value, and a value dropped then is one
 * that was given twice. docs/adr/0004-configuration.md tells which of its gaps are closed how.
 */
#include "syncd/base/config_tree.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/base/config_scan.h"
#include "syncd/base/config_table.h"

/* An option at the end of each section that no file can name: its default is read when the section
 * begins, after all other defaults, and so marks the line. */
#define OPENED	       "\n"
#define OPENED_DEFAULT "here"

static_assert(sizeof(long) >= sizeof(void *), "def.number holds a pointer");

/* The library hands no pointer of ours to its callbacks: it stands in def.number, which options of
 * type CFGT_PTR do not use. */
static struct config_tree *tree_of(const cfg_opt_t *opt)
{
	return (struct config_tree *)opt->def.number;
}

int config_fail(struct config_tree *t, int line, const char *fmt, ...)
{
	va_list ap;

	if (t->err[0] != '\0')
		return -EINVAL;
	t->line = line;
	va_start(ap, fmt);
	(void)vsnprintf(t->err, sizeof(t->err), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct config_tree *t = tree_of(opt);
	const size_t len = strlen(value) + 1;
	struct config_text *text = malloc(sizeof(*text) + len);

	if (text == NULL)
		return -1;
	if (strcmp(opt->name, OPENED) == 0) {
		t->in = t->opened = cfg;
		t->last = NULL;
	} else if (t->in == cfg) {
		t->last = opt;
	}
	text->in = cfg;
	text->opt = opt;
	text->line = t->in == cfg ? cfg->line : 0;
	memcpy(text->text, value, len);
	*(void **)result = text;
	return 0;
}

/* A second "=" drops the values of the first; a second section of a title drops the first one. */
static void on_drop(void *value)
{
	struct config_text *text = value;
	struct config_tree *t = tree_of(text->opt);

	if (t->reading && strcmp(text->opt->name, OPENED) == 0)
		(void)config_fail(t, t->in->line,
				  "section '%s %s' is given twice; the first is in line %d, "
				  "and one is allowed",
				  text->in->name, text->in->title, text->line);
	else if (t->reading && t->in == text->in && text->line != 0)
		(void)config_fail(
			t, t->in->line,
			"option '%s' is given twice; the first is in line %d, and one is allowed",
			text->opt->name, text->line);
	free(text);
}

static int on_close(cfg_t *cfg, cfg_opt_t *opt)
{
	tree_of(opt)->in = cfg;
	tree_of(opt)->last = NULL;
	return 0;
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

/* The option behind whose "=" no value has come yet; NULL: none. */
static const struct config_option *find_pending(const struct config_section *s, const cfg_t *cfg)
{
	for (const cfg_opt_t *opt = cfg->opts; opt->name != NULL; opt++)
		if ((opt->flags & CFGF_RESET) != 0 && (opt->flags & CFGF_MODIFIED) != 0)
			return config_find_option(s, opt->name);
	return NULL;
}

/* Adds to what the library says where it is and what is allowed; name: what it speaks of, or "". */
static void explain(struct config_tree *t, cfg_t *cfg, const char *what, const char *name)
{
	static const char *const title[] = {"", "NAME ", "NUMBER "}; /* by enum config_title */
	const struct config_section *named = config_find_section(name), *s = config_sections;
	const struct config_option *o;
	const int opened = config_tree_line(cfg, NULL);
	char allowed[CONFIG_ERROR_MAX], where[CONFIG_ERROR_MAX] = " at the top level";

	if (cfg != t->root) {
		s = config_find_section(cfg->name);
		(void)snprintf(where, sizeof(where), " in section '%s' of line %d", s->name,
			       opened);
	}
	o = find_pending(s, cfg);
	if (o != NULL) {
		(void)config_option_allowed(o, allowed);
		(void)snprintf(where, sizeof(where), " where the value of option '%s' is missing",
			       o->name);
	} else if (t->last != NULL && (*name == '\0' || strncmp(what, "unexpected", 10) == 0)) {
		(void)snprintf(where, sizeof(where), " behind option '%s' of line %d",
			       t->last->name, config_tree_line(cfg, t->last->name));
		(void)snprintf(
			allowed, sizeof(allowed),
			"commas between the items of a list, its closing }, the next option");
	} else if ((o = config_find_option(s, name)) != NULL) {
		(void)config_option_allowed(o, allowed);
	} else if (named != NULL && cfg != t->root) {
		(void)config_fail(t, opened,
				  "section '%s': its closing } is missing before '%s' in line %d",
				  s->name, name, cfg->line);
		return;
	} else if (named != NULL) {
		(void)snprintf(allowed, sizeof(allowed), "%s %s{ ... }", named->name,
			       title[named->title]);
	} else {
		(void)allowed_names(s, allowed);
	}
	(void)config_fail(t, cfg->line, "%s%s; allowed: %s%s%s", what, where,
			  o != NULL ? o->name : "", o != NULL ? " = " : "", allowed);
}

__attribute__((format(printf, 2, 0))) static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char what[CONFIG_ERROR_MAX], name[CONFIG_ERROR_MAX] = "";
	const char *from, *to;

	(void)vsnprintf(what, sizeof(what), fmt, ap);
	from = strchr(what, '\'');
	to = strrchr(what, '\'');
	if (from != to)
		(void)snprintf(name, sizeof(name), "%.*s", (int)(to - from - 1), from + 1);
	explain(tree_of(cfg->opts), cfg, what, name);
}

static void print_value(cfg_opt_t *opt, unsigned i, FILE *to)
{
	static const char bare[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
	const struct config_text *text = cfg_opt_getnptr(opt, i);

	if (text == NULL || strcmp(text->text, CONFIG_EMPTY_LIST) == 0)
		return;
	if (text->text[0] != '\0' && text->text[strspn(text->text, bare)] == '\0') {
		(void)fputs(text->text, to);
		return;
	}
	(void)fputc('"', to);
	for (const char *c = text->text; *c != '\0'; c++)
		(void)fprintf(to, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
	(void)fputc('"', to);
}

static int is_hidden(cfg_t *cfg, cfg_opt_t *opt)
{
	(void)cfg;
	return strcmp(opt->name, OPENED) == 0;
}

static cfg_opt_t *add_option(struct config_tree *t, cfg_opt_t *to, const char *name, bool list,
			     const char *def)
{
	*to = (cfg_opt_t)CFG_PTR_CB(name, NULL, CFGF_NONE, on_value, on_drop);
	to->flags = list ? CFGF_LIST : CFGF_NONE;
	to->pf = print_value;
	to->def.number = (long)t;
	memcpy(&to->def.parsed, &def, sizeof(def)); /* copied by cfg_init, never written */
	return to + 1;
}

static cfg_opt_t *add_options(struct config_tree *t, cfg_opt_t *to, const struct config_section *s)
{
	for (const struct config_option *o = s->option; o->name != NULL; o++)
		to = add_option(t, to, o->name, o->type >= CONFIG_SET, o->def);
	return to;
}

/* The table as libconfuse wants it; NULL: no memory. */
static cfg_t *new_root(struct config_tree *t)
{
	size_t sections = 0, options = 0;
	cfg_opt_t *all, *top, *sub;
	cfg_t *root;

	assert(config_sections->option != NULL);
	for (const struct config_section *s = config_sections; s->option != NULL; s++, sections++)
		for (const struct config_option *o = s->option; o->name != NULL; o++)
			options++;
	/* Each array ends with OPENED and an empty one; the top's holds the sections too. */
	all = calloc(options + 3 * sections, sizeof(*all));
	if (all == NULL)
		return NULL;
	top = add_options(t, all, config_sections);
	sub = top + sections + 1;
	for (const struct config_section *s = config_sections + 1; s->option != NULL; s++) {
		*top = (cfg_opt_t)CFG_SEC(s->name, sub, CFGF_MULTI);
		top->flags |= s->title != CONFIG_NO_TITLE ? CFGF_TITLE : 0;
		top->def.number = (long)t;
		top->validcb = on_close;
		top++;
		sub = add_option(t, add_options(t, sub, s), OPENED, false, OPENED_DEFAULT) + 1;
	}
	(void)add_option(t, top, OPENED, false, OPENED_DEFAULT);
	root = cfg_init(all, CFGF_NONE);
	free(all);
	if (root != NULL) {
		(void)cfg_set_error_function(root, on_error);
		(void)cfg_set_print_filter_func(root, is_hidden);
	}
	return root;
}

static void parse(struct config_tree *t, const char *text, int open)
{
	int rc;

	t->reading = true;
	rc = cfg_parse_buf(t->root, text);
	t->reading = false;
	if (rc != CFG_SUCCESS) /* the library says so itself, but for an empty name */
		(void)config_fail(t, t->in->line,
				  "the name of an option or of a section is expected here");
	else if (open > 0) /* the library takes the end of the file for the brace */
		(void)config_fail(t, config_tree_line(t->opened, NULL),
				  "section '%s': its closing } is missing", t->opened->name);
	t->root->line = 1;
	for (const struct config_section *s = config_sections + 1; s->option != NULL; s++)
		if (s->title == CONFIG_NO_TITLE && cfg_size(t->root, s->name) == 0)
			if (cfg_setopt(t->root, cfg_getopt(t->root, s->name), NULL) == NULL)
				(void)config_fail(t, 1, "out of memory");
}

struct config_tree *config_tree_read(const char *text)
{
	struct config_tree *t = calloc(1, sizeof(*t));
	char *ready = NULL;
	size_t len;
	FILE *to = open_memstream(&ready, &len);
	const char *wrong;
	int open, line;

	if (t == NULL || to == NULL)
		goto out;
	wrong = config_scan(text, to, &line, &open);
	t->root = new_root(t);
	if (fclose(to) == 0 && t->root != NULL) {
		if (wrong != NULL)
			(void)config_fail(t, line, "%s", wrong);
		else
			parse(t, ready, open);
		free(ready);
		return t;
	}
	to = NULL;
out:
	if (to != NULL)
		(void)fclose(to);
	free(ready);
	config_tree_free(t);
	return NULL;
}

void config_tree_free(struct config_tree *t)
{
	if (t != NULL && t->root != NULL)
		(void)cfg_free(t->root);
	free(t);
}

static int first_line(cfg_t *in, const char *option)
{
	const struct config_text *text = cfg_opt_getnptr(cfg_getopt(in, option), 0);

	return text != NULL ? text->line : 0;
}

int config_tree_line(cfg_t *in, const char *option)
{
	int line = option != NULL ? first_line(in, option) : 0;

	if (line == 0)
		line = first_line(in, OPENED);
	return line > 0 ? line : 1;
}
