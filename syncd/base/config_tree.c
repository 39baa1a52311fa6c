// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recursive descent over the grammar of config_tree.h. Called by config.c and the fuzzer; knows no
 * option by name. There is no expansion of any kind: a file means the same in every environment,
 * so ${...} is refused and not passed through, since it would look as if it worked.
 */
#include "syncd/base/config_tree.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 4, WORD_MAX = 1024 };

enum token { T_END, T_WORD, T_STRING, T_EQUALS, T_OPEN, T_CLOSE, T_COMMA, T_BAD };

struct parser {
	const char *at;
	int line; /* of the token */
	int next_line;
	enum token token;
	char word[WORD_MAX];
	char *err;
	size_t err_len;
	int error_line;
	bool no_memory;
};

__attribute__((format(printf, 3, 4))) static int fail(struct parser *p, int line, const char *fmt,
						      ...)
{
	va_list ap;

	p->error_line = line;
	va_start(ap, fmt);
	(void)vsnprintf(p->err, p->err_len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static bool bad(struct parser *p, const char *what)
{
	(void)fail(p, p->line, "%s", what);
	p->token = T_BAD;
	return false;
}

/* Skips blanks and comments. Returns false where a comment does not end. */
static bool skip_blanks(struct parser *p)
{
	for (;;) {
		if (*p->at == '\n') {
			p->next_line++;
			p->at++;
		} else if (isspace((unsigned char)*p->at)) {
			p->at++;
		} else if (*p->at == '#' || (p->at[0] == '/' && p->at[1] == '/')) {
			p->at += strcspn(p->at, "\n");
		} else if (p->at[0] == '/' && p->at[1] == '*') {
			const char *end = strstr(p->at + 2, "*/");

			p->line = p->next_line;
			if (end == NULL)
				return bad(p, "the comment that begins here is not closed with */");
			for (; p->at < end; p->at++)
				p->next_line += *p->at == '\n';
			p->at = end + 2;
		} else {
			return true;
		}
	}
}

static bool read_quoted(struct parser *p)
{
	const char quote = *p->at++;
	size_t n = 0;

	for (; *p->at != quote; p->at++) {
		if (*p->at == '\0' || *p->at == '\n')
			return bad(p, "the string that begins here is not closed in its line");
		if (quote == '"' && *p->at == '\\') {
			if (p->at[1] != '"' && p->at[1] != '\\')
				return bad(p, "in \"...\" a backslash stands only before \" or \\");
			p->at++;
		}
		if (n + 1 >= WORD_MAX)
			return bad(p, "the string is too long");
		p->word[n++] = *p->at;
	}
	p->at++;
	p->word[n] = '\0';
	p->token = T_STRING;
	return true;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || (c != '\0' && strchr("_-./:%@+*", c) != NULL);
}

static bool read_word(struct parser *p)
{
	size_t n = 0;

	for (; is_word(*p->at); p->at++) {
		if (n + 1 >= WORD_MAX)
			return bad(p, "the word is too long");
		p->word[n++] = *p->at;
	}
	p->word[n] = '\0';
	p->token = T_WORD;
	return true;
}

/* Reads the next token. Returns false where there is none that is legal (the message is set). */
static bool advance(struct parser *p)
{
	static const char punctuation[] = "={},";
	static const enum token tokens[] = {T_EQUALS, T_OPEN, T_CLOSE, T_COMMA};
	const char *found;

	if (!skip_blanks(p))
		return false;
	p->line = p->next_line;
	if (*p->at == '\0') {
		p->token = T_END;
		return true;
	}
	found = strchr(punctuation, *p->at);
	if (found != NULL) {
		p->token = tokens[found - punctuation];
		p->at++;
		return true;
	}
	if (*p->at == '"' || *p->at == '\'') {
		if (!read_quoted(p))
			return false;
	} else if (is_word(*p->at)) {
		return read_word(p);
	} else if (*p->at != '$') {
		return bad(p, "a character that may stand only in a quoted string");
	}
	if (*p->at == '$' || strstr(p->word, "${") != NULL)
		return bad(p, "${...} is not expanded here: write the value itself");
	return true;
}

static int add_value(struct parser *p, struct config_item *it)
{
	struct config_text *more = reallocarray(it->value, it->values + 1, sizeof(*more));
	char *text = strdup(p->word);

	if (more != NULL)
		it->value = more;
	if (more == NULL || text == NULL) {
		free(text);
		p->no_memory = true;
		return -ENOMEM;
	}
	it->value[it->values++] = (struct config_text){.text = text, .line = p->line};
	return advance(p) ? 0 : -EINVAL;
}

static bool at_value(const struct parser *p)
{
	return p->token == T_WORD || p->token == T_STRING;
}

/* The token is behind the "=". */
static int parse_option(struct parser *p, struct config_item *it)
{
	int rc;

	if (p->token != T_OPEN) {
		if (!at_value(p))
			return fail(p, p->line, "option '%s': a value is missing after '='",
				    it->name);
		return add_value(p, it);
	}
	it->list = true;
	if (!advance(p))
		return -EINVAL;
	while (p->token != T_CLOSE) {
		if (!at_value(p))
			return fail(p, p->line,
				    "option '%s': the list opened in line %d is not closed with }",
				    it->name, it->line);
		rc = add_value(p, it);
		if (rc < 0)
			return rc;
		if (p->token == T_COMMA) {
			if (!advance(p))
				return -EINVAL;
		} else if (p->token != T_CLOSE) {
			return fail(p, p->line,
				    "option '%s': items of a list stand between commas, and the "
				    "list opened in line %d ends with }",
				    it->name, it->line);
		}
	}
	return advance(p) ? 0 : -EINVAL;
}

static int parse_items(struct parser *p, unsigned depth, const struct config_item *in,
		       struct config_item **first);

/* The token is behind the name, or behind the "{" of the section. */
static int parse_section(struct parser *p, unsigned depth, struct config_item *it)
{
	int rc;

	it->section = true;
	if (at_value(p)) {
		rc = add_value(p, it);
		if (rc < 0)
			return rc;
	}
	if (p->token != T_OPEN)
		return fail(p, it->line,
			    "'%s' is followed neither by = (an option) nor by { (a section)",
			    it->name);
	if (depth >= DEPTH_MAX)
		return fail(p, p->line, "sections are nested too deeply");
	if (!advance(p))
		return -EINVAL;
	rc = parse_items(p, depth + 1, it, &it->child);
	if (rc < 0)
		return rc;
	return advance(p) ? 0 : -EINVAL;
}

static int parse_item(struct parser *p, unsigned depth, struct config_item *it)
{
	if (!advance(p))
		return -EINVAL;
	if (p->token != T_EQUALS)
		return parse_section(p, depth, it);
	return advance(p) ? parse_option(p, it) : -EINVAL;
}

/* Reads items until the "}" of `in` (not consumed), or to the end of the file for in == NULL. */
static int parse_items(struct parser *p, unsigned depth, const struct config_item *in,
		       struct config_item **first)
{
	struct config_item **tail = first;

	while (p->token == T_WORD) {
		struct config_item *it = calloc(1, sizeof(*it));
		int rc;

		if (it != NULL)
			it->name = strdup(p->word);
		if (it == NULL || it->name == NULL) {
			free(it);
			p->no_memory = true;
			return -ENOMEM;
		}
		it->line = p->line;
		*tail = it;
		tail = &it->next;
		rc = parse_item(p, depth, it);
		if (rc < 0)
			return rc;
	}
	if (p->token == T_CLOSE)
		return in != NULL ? 0 : fail(p, p->line, "this } closes nothing");
	if (p->token != T_END)
		return fail(p, p->line, "the name of an option or of a section is expected here");
	if (in != NULL)
		return fail(p, in->line, "section '%s': its closing } is missing", in->name);
	return 0;
}

int config_tree_parse(const char *text, struct config_item **out, int *line, char *err,
		      size_t err_len)
{
	struct parser p = {.at = text, .next_line = 1, .line = 1, .err = err, .err_len = err_len};
	struct config_item *first = NULL;
	int rc;

	rc = advance(&p) ? parse_items(&p, 0, NULL, &first) : -EINVAL;
	if (rc < 0) {
		config_tree_free(first);
		*line = p.error_line;
		return p.no_memory ? -ENOMEM : rc;
	}
	*out = first;
	return 0;
}

void config_tree_free(struct config_item *first)
{
	while (first != NULL) {
		struct config_item *next = first->next;

		config_tree_free(first->child);
		for (size_t i = 0; i < first->values; i++)
			free(first->value[i].text);
		free(first->value);
		free(first->name);
		free(first);
		first = next;
	}
}
