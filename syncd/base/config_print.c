// SPDX-License-Identifier: GPL-2.0-or-later
/* struct config as a file again (`syncd -t -v`): what holds, defaults included. */
#include <string.h>

#include "syncd/base/config_table.h"

/* Options without a default may be absent; then there is nothing that could be written. */
static bool is_absent(const struct config_option *o, const char *at)
{
	static const char zeroes[sizeof(struct config_prefixes)];

	if (o->def != NULL)
		return false;
	switch (o->type) {
	case CONFIG_NUMBER:
		return *(const uint32_t *)(const void *)at < o->min;
	case CONFIG_WORD:
		return at[0] == '\0';
	case CONFIG_ADDRESS:
		return memcmp(at, zeroes, sizeof(struct config_prefix)) == 0;
	case CONFIG_HEX:
	case CONFIG_PREFIXES:
	case CONFIG_RANGES:
	case CONFIG_MARKS:
	case CONFIG_NAMES:
		return *(const size_t *)(const void *)at == 0;
	case CONFIG_BOOL:
	case CONFIG_ENUM:
	case CONFIG_SET:
		break;
	}
	return false;
}

static void print_options(const struct config_section *s, const char *at, FILE *to)
{
	for (const struct config_option *o = s->option; o->name != NULL; o++) {
		if (is_absent(o, at + o->offset))
			continue;
		(void)fprintf(to, "%s%s = ", s->name != NULL ? "  " : "", o->name);
		config_option_write(o, at + o->offset, to);
		(void)fputc('\n', to);
	}
}

static void print_section(const struct config_section *s, const char *at, FILE *to)
{
	if (s->name != NULL) {
		(void)fprintf(to, "%s ", s->name);
		if (s->title == CONFIG_TITLE_NAME)
			(void)fprintf(to, "%s ", at + s->title_offset);
		else if (s->title == CONFIG_TITLE_ID)
			(void)fprintf(to, "%u ",
				      *(const uint32_t *)(const void *)(at + s->title_offset));
		(void)fputs("{\n", to);
	}
	print_options(s, at, to);
	if (s->name != NULL)
		(void)fputs("}\n", to);
}

void config_print(const struct config *c, FILE *to)
{
	for (const struct config_section *s = config_sections; s->option != NULL; s++) {
		const char *place = (const char *)c + s->offset;
		const char *first;
		size_t count;

		if (!s->many) {
			print_section(s, place, to);
			continue;
		}
		memcpy(&first, place, sizeof(first));
		memcpy(&count, (const char *)c + s->count_offset, sizeof(count));
		for (size_t i = 0; i < count; i++)
			print_section(s, first + i * s->size, to);
	}
}
