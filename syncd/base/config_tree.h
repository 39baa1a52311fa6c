/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration file as libconfuse has read it: sections by name, each value with its line.
 *
 *   file    = { option | section }
 *   option  = WORD "=" ( value | "{" [ value { "," value } [ "," ] ] "}" )
 *   section = WORD [ value ] "{" { option } "}"
 *   value   = WORD | STRING
 *   STRING  = '"' ... '"' with \" and \\  |  "'" ... "'"
 *   comments: # and // to the end of the line, and C's
 *
 * Values are texts here; config.c gives them their types. Only config*.c include this.
 */
#ifndef SYNCD_BASE_CONFIG_TREE_H
#define SYNCD_BASE_CONFIG_TREE_H

#include <confuse.h>
#include <stdbool.h>

#include "syncd/base/config.h"

enum { CONFIG_TREE_ERROR_MAX = CONFIG_ERROR_MAX - CONFIG_PATH_MAX - 16 }; /* "FILE:LINE: " */

/* The one item of a list that is written empty; no file can hold it as a value. */
#define CONFIG_EMPTY_LIST "\n"

/* What each value of each option points to (cfg_opt_getnptr). */
struct config_text {
	const cfg_t *in;
	const cfg_opt_t *opt;
	int line; /* 0: the default */
	char text[];
};

struct config_tree {
	cfg_t *root;
	int line;			 /* of the first error */
	char err[CONFIG_TREE_ERROR_MAX]; /* "": none */
	/* while reading */
	bool reading;
	cfg_t *in, *opened;    /* the section being read; the one that began last */
	const cfg_opt_t *last; /* the option in it that was given last */
};

/*
 * Reads the text. Every section that has no title is there afterwards, with its defaults. Returns
 * the tree, with err set where the text is wrong, to be freed by config_tree_free; NULL: no memory.
 */
struct config_tree *config_tree_read(const char *text);
void config_tree_free(struct config_tree *t);

/* Sets line and err, unless an error came before this one. Returns -EINVAL. */
__attribute__((format(printf, 3, 4))) int config_fail(struct config_tree *t, int line,
						      const char *fmt, ...);

/* Where an option of a section (or of the root) stands; where it is not given, and for NULL, where
 * the section begins. */
int config_tree_line(cfg_t *in, const char *option);

#endif
