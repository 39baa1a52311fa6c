// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the text of a file to a text that libconfuse reads as it is meant. Called by config_tree.c;
 * knows tokens, but neither grammar nor options.
 */
#include "syncd/base/config_scan.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* A file means the same in every environment; passed through, ${...} would look as if it worked. */
#define NO_EXPANSION "${...} is not expanded here: write the value itself"

struct scan {
	const char *at;
	FILE *to;
	int line, open;
	char last[2]; /* the two tokens before: punctuation, or " for a value */
};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || (c != '\0' && strchr("_-./:%@+*", c) != NULL);
}

static bool at_comment(const char *p)
{
	return *p == '#' || (p[0] == '/' && (p[1] == '/' || p[1] == '*'));
}

static void write_blank(struct scan *s)
{
	s->line += *s->at == '\n';
	(void)fputc(*s->at == '\n' ? '\n' : ' ', s->to);
	s->at++;
}

static const char *skip_comment(struct scan *s)
{
	const bool block = s->at[0] == '/' && s->at[1] == '*';
	const char *end = block ? strstr(s->at + 2, "*/") : s->at + strcspn(s->at, "\n");

	if (end == NULL)
		return "the comment that begins here is not closed with */";
	while (s->at < end)
		write_blank(s);
	s->at += block ? 2 : 0;
	return NULL;
}

static const char *write_string(struct scan *s)
{
	const char quote = *s->at;

	for (s->at++; *s->at != quote; s->at++) {
		if (*s->at == '\0' || *s->at == '\n')
			return "the string that begins here is not closed in its line";
		if (s->at[0] == '$' && s->at[1] == '{')
			return NO_EXPANSION;
		if (quote == '"' && *s->at == '\\') {
			s->at++;
			if (*s->at != '"' && *s->at != '\\')
				return "in \"...\" a backslash stands only before \" or \\";
		}
		if (*s->at == '"' || *s->at == '\\')
			(void)fputc('\\', s->to);
		(void)fputc(*s->at, s->to);
	}
	s->at++;
	return NULL;
}

static const char *write_value(struct scan *s)
{
	const char *wrong = NULL;

	(void)fputc('"', s->to);
	if (is_word(*s->at))
		for (; is_word(*s->at); s->at++)
			(void)fputc(*s->at, s->to);
	else
		wrong = write_string(s);
	(void)fputc('"', s->to);
	return wrong;
}

static const char *write_token(struct scan *s)
{
	char c = *s->at;
	const char *wrong = NULL;

	if (is_word(c) || c == '"' || c == '\'') {
		c = '"';
		wrong = write_value(s);
	} else if (strchr("={},", c) != NULL) {
		s->open += (c == '{') - (c == '}');
		if (c == '}' && s->last[0] == '=' && s->last[1] == '{')
			(void)fputs("\"\\n\"", s->to); /* CONFIG_EMPTY_LIST */
		(void)fputc(c, s->to);
		s->at++;
	} else {
		wrong = c == '$' ? NO_EXPANSION
				 : "a character that may stand only in a quoted string";
	}
	s->last[0] = s->last[1];
	s->last[1] = c;
	return wrong;
}

const char *config_scan(const char *text, FILE *to, int *line, int *open)
{
	struct scan s = {.at = text, .to = to, .line = 1};
	const char *wrong = NULL;

	while (*s.at != '\0' && wrong == NULL) {
		if (isspace((unsigned char)*s.at))
			write_blank(&s);
		else
			wrong = at_comment(s.at) ? skip_comment(&s) : write_token(&s);
	}
	*line = s.line;
	*open = s.open;
	return wrong;
}
