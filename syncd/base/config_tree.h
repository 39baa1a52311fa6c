/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The syntax of a configuration file, without any meaning: text into a tree of sections, options
 * and values, each with its line.
 *
 *   file    = { option | section }
 *   option  = WORD "=" ( value | "{" [ value { "," value } [ "," ] ] "}" )
 *   section = WORD [ value ] "{" { option | section } "}"
 *   value   = WORD | STRING
 *   STRING  = '"' ... '"' with \" and \\  |  "'" ... "'"
 *   comments: # and // to the end of the line, and C's
 *
 * Only config.c and config_tree's test include this.
 */
#ifndef SYNCD_BASE_CONFIG_TREE_H
#define SYNCD_BASE_CONFIG_TREE_H

#include <stdbool.h>
#include <stddef.h>

struct config_text {
	char *text;
	int line;
};

struct config_item {
	char *name;
	int line;
	bool section;
	bool list;		   /* option: written with braces */
	struct config_text *value; /* option: its values; section: its title, if any */
	size_t values;
	struct config_item *child, *next; /* section: what it holds, in order */
};

/*
 * Returns 0 with *out the first item (NULL: an empty file), or -EINVAL with *line and a message in
 * err, or -ENOMEM.
 */
int config_tree_parse(const char *text, struct config_item **out, int *line, char *err,
		      size_t err_len);
void config_tree_free(struct config_item *first);

#endif
