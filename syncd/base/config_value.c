// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Values of options, from text, by type. Called by config.c; knows no option by name.
 */
#include <arpa/inet.h>
#include <confuse.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/base/config_table.h"

static int read_number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	unsigned long long v;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10);
	if (errno != 0 || *end != '\0' || v < min || v > max)
		return -EINVAL;
	*out = (uint32_t)v;
	return 0;
}

static int read_bool(const char *text, bool *out)
{
	const int value = cfg_parse_boolean(text);

	if (value < 0)
		return -EINVAL;
	*out = value != 0;
	return 0;
}

static int read_name(const char *text, const char *const *names, uint32_t *out)
{
	for (uint32_t i = 0; names[i] != NULL; i++)
		if (strcmp(text, names[i]) == 0) {
			*out = i;
			return 0;
		}
	return -EINVAL;
}

/* True where no bit is set beyond the prefix. */
static bool is_network(const struct config_prefix *p)
{
	for (unsigned bit = p->bits; bit < p->addr_len * 8u; bit++)
		if (p->addr.b[bit / 8] & (0x80 >> bit % 8))
			return false;
	return true;
}

static int read_prefix(const char *text, bool prefix, struct config_prefix *out)
{
	struct config_prefix p = {0};
	char host[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	const size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	uint32_t bits;

	if (len >= sizeof(host) || (slash != NULL && !prefix))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, p.addr.b) == 1)
		p.addr_len = 4;
	else if (inet_pton(AF_INET6, host, p.addr.b) == 1)
		p.addr_len = 16;
	else
		return -EINVAL;
	bits = p.addr_len * 8u;
	if (slash != NULL && read_number(slash + 1, 0, bits, &bits) < 0)
		return -EINVAL;
	p.bits = (uint8_t)bits;
	if (!is_network(&p))
		return -EINVAL;
	*out = p;
	return 0;
}

/* "80" or "8000-8010" */
static int read_range(const char *text, uint32_t min, uint32_t max, struct config_range *out)
{
	char low[16];
	const char *dash = strchr(text, '-');
	const size_t len = dash != NULL ? (size_t)(dash - text) : strlen(text);
	struct config_range r;

	if (len >= sizeof(low))
		return -EINVAL;
	memcpy(low, text, len);
	low[len] = '\0';
	if (read_number(low, min, max, &r.first) < 0)
		return -EINVAL;
	r.last = r.first;
	if (dash != NULL && read_number(dash + 1, r.first, max, &r.last) < 0)
		return -EINVAL;
	*out = r;
	return 0;
}

/* "7" or "0x10/0xf0" */
static int read_mark(const char *text, struct config_mark *out)
{
	char value[16];
	const char *slash = strchr(text, '/');
	const size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	struct config_mark m = {.mask = UINT32_MAX};

	if (len >= sizeof(value))
		return -EINVAL;
	memcpy(value, text, len);
	value[len] = '\0';
	if (read_number(value, 0, UINT32_MAX, &m.value) < 0 ||
	    (slash != NULL && read_number(slash + 1, 1, UINT32_MAX, &m.mask) < 0) ||
	    (m.value & ~m.mask) != 0)
		return -EINVAL;
	*out = m;
	return 0;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c != '\0' ? strchr(digits, c | 0x20) : NULL;

	return found != NULL ? (int)(found - digits) : -1;
}

static int read_hex(const char *text, struct config_bytes *out)
{
	struct config_bytes b = {0};

	for (; *text != '\0'; text += 2) {
		const int hi = hex_digit(text[0]);
		const int lo = hi < 0 ? -1 : hex_digit(text[1]);

		if (lo < 0 || b.n == sizeof(b.item))
			return -EINVAL;
		b.item[b.n++] = (uint8_t)(hi << 4 | lo);
	}
	*out = b;
	return 0;
}

static int read_word(const char *text, size_t size, char *out)
{
	const size_t len = strlen(text);

	if (len >= size)
		return -EINVAL;
	memset(out, 0, size);
	memcpy(out, text, len);
	return 0;
}

static int read_one(const struct config_option *o, const char *text, void *at)
{
	switch (o->type) {
	case CONFIG_BOOL:
		return read_bool(text, at);
	case CONFIG_NUMBER:
		return read_number(text, o->min, o->max, at);
	case CONFIG_WORD:
		return read_word(text, o->size, at);
	case CONFIG_ENUM:
		return read_name(text, o->names, at);
	case CONFIG_ADDRESS:
		return read_prefix(text, false, at);
	case CONFIG_HEX:
		return read_hex(text, at);
	case CONFIG_SET:
	case CONFIG_PREFIXES:
	case CONFIG_RANGES:
	case CONFIG_MARKS:
	case CONFIG_NAMES:
		break;
	}
	return -EINVAL;
}

/* Adds one item to a list; at is the list. */
static int read_item(const struct config_option *o, const char *text, size_t index, void *at)
{
	uint32_t bit;
	int rc;

	if (o->type == CONFIG_SET) {
		rc = read_name(text, o->names, &bit);
		if (rc == 0)
			*(uint32_t *)at |= 1u << bit;
		return rc;
	}
	if (index >= (o->type == CONFIG_NAMES ? CONFIG_NAMES_MAX : CONFIG_LIST_MAX))
		return -EINVAL;
	if (o->type == CONFIG_PREFIXES)
		rc = read_prefix(text, true, &((struct config_prefixes *)at)->item[index]);
	else if (o->type == CONFIG_RANGES)
		rc = read_range(text, o->min, o->max, &((struct config_ranges *)at)->item[index]);
	else if (o->type == CONFIG_MARKS)
		rc = read_mark(text, &((struct config_marks *)at)->item[index]);
	else
		rc = read_word(text, CONFIG_WORD_MAX, ((struct config_names *)at)->item[index]);
	if (rc == 0)
		*(size_t *)at = index + 1; /* n is the first member of each list */
	return rc;
}

static bool is_list(const struct config_option *o)
{
	return o->type >= CONFIG_SET;
}

int config_option_read(const struct config_option *o, const char *const *text, size_t n, void *at,
		       size_t *bad)
{
	*bad = 0;
	if (!is_list(o))
		return n == 1 ? read_one(o, text[0], at) : -EINVAL;
	if (o->type == CONFIG_SET)
		*(uint32_t *)at = 0;
	else
		*(size_t *)at = 0;
	for (*bad = 0; *bad < n; ++*bad) {
		const int rc = read_item(o, text[*bad], *bad, at);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static void join_names(const char *const *names, char *buf, size_t len, size_t at)
{
	for (size_t i = 0; names[i] != NULL && at < len; i++)
		at += (size_t)snprintf(buf + at, len - at, "%s%s", i > 0 ? ", " : "", names[i]);
}

const char *config_option_allowed(const struct config_option *o, char *buf)
{
	const size_t len = CONFIG_ERROR_MAX;

	switch (o->type) {
	case CONFIG_BOOL:
		(void)snprintf(buf, len, "true or false");
		break;
	case CONFIG_NUMBER:
		(void)snprintf(buf, len, "a number from %u to %u", o->min, o->max);
		break;
	case CONFIG_WORD:
		(void)snprintf(buf, len, "a text of at most %zu bytes", o->size - 1);
		break;
	case CONFIG_ENUM:
		join_names(o->names, buf, len, (size_t)snprintf(buf, len, "one of "));
		break;
	case CONFIG_SET:
		join_names(o->names, buf, len, (size_t)snprintf(buf, len, "a list of "));
		break;
	case CONFIG_ADDRESS:
		(void)snprintf(buf, len, "an IPv4 or IPv6 address");
		break;
	case CONFIG_PREFIXES:
		(void)snprintf(buf, len,
			       "a list of at most %d addresses or prefixes without host bits",
			       CONFIG_LIST_MAX);
		break;
	case CONFIG_RANGES:
		(void)snprintf(buf, len,
			       "a list of at most %d numbers or ranges FIRST-LAST from %u to %u",
			       CONFIG_LIST_MAX, o->min, o->max);
		break;
	case CONFIG_MARKS:
		(void)snprintf(
			buf, len,
			"a list of at most %d marks VALUE or VALUE/MASK, no bit outside the mask",
			CONFIG_LIST_MAX);
		break;
	case CONFIG_NAMES:
		(void)snprintf(buf, len, "a list of at most %d names of less than %d bytes",
			       CONFIG_NAMES_MAX, CONFIG_WORD_MAX);
		break;
	case CONFIG_HEX:
		(void)snprintf(buf, len, "at most %d bytes in hexadecimal", FLOW_LABELS_MAX);
		break;
	}
	return buf;
}
