/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of sections and options: type, place in struct config, default, bounds. Read by
 * config_tree.c, config.c and nobody else.
 */
#ifndef SYNCD_BASE_CONFIG_TABLE_H
#define SYNCD_BASE_CONFIG_TABLE_H

#include "syncd/base/config.h"

enum config_type {
	CONFIG_BOOL,
	CONFIG_NUMBER,
	CONFIG_WORD, /* text of a bounded length */
	CONFIG_ENUM, /* one of names: its index */
	CONFIG_ADDRESS,
	CONFIG_HEX,
	CONFIG_SET, /* from here on lists; this one of names: bits */
	CONFIG_PREFIXES,
	CONFIG_RANGES,
	CONFIG_MARKS,
	CONFIG_NAMES,
};

struct config_option {
	const char *name;
	enum config_type type;
	bool mandatory;
	size_t offset;		  /* in the section's structure */
	size_t size;		  /* CONFIG_WORD: bytes with the NUL */
	uint32_t min, max;	  /* CONFIG_NUMBER; CONFIG_RANGES: of each bound */
	const char *const *names; /* CONFIG_ENUM, CONFIG_SET; ends with NULL */
	const char *def;	  /* as one would write it; NULL: empty */
};

enum config_title { CONFIG_NO_TITLE, CONFIG_TITLE_NAME, CONFIG_TITLE_ID };

struct config_section {
	const char *name; /* NULL: the top level */
	enum config_title title;
	bool many;
	size_t max;	     /* many: how many at most */
	size_t offset;	     /* in struct config: the structure, or where many, the pointer to it */
	size_t count_offset; /* many: of the number of them */
	size_t size;	     /* of one */
	size_t title_offset, title_size;    /* in one */
	const struct config_option *option; /* ends with a name of NULL */
};

/* Ends with an option of NULL. The first is the top level. */
extern const struct config_section config_sections[];

/* NULL where there is none; of the options, those of one section. */
const struct config_section *config_find_section(const char *name);
const struct config_option *config_find_option(const struct config_section *s, const char *name);

/* What is allowed for an option, in words; buf holds CONFIG_ERROR_MAX. Returns buf. */
const char *config_option_allowed(const struct config_option *o, char *buf);

/*
 * Reads values (n texts) into the option's place. Returns 0, or -EINVAL with *bad the index of the
 * value that is not allowed.
 */
int config_option_read(const struct config_option *o, const char *const *text, size_t n, void *at,
		       size_t *bad);

#endif
