// SPDX-License-Identifier: GPL-2.0-or-later
/* Words and JSON; see text.h. */
#include "replay/text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "proto/control.h"
#include "proto/flow_codec.h"

const char *text_time(uint64_t wall_us, char buf[TEXT_TIME_LEN])
{
	time_t s = (time_t)(wall_us / 1000000);
	struct tm tm;
	size_t n;

	if (!gmtime_r(&s, &tm))
		return "-";
	n = strftime(buf, TEXT_TIME_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(buf + n, TEXT_TIME_LEN - n, ".%06uZ", (unsigned)(wall_us % 1000000));
	return buf;
}

const char *text_flow(const uint8_t *bytes, size_t len, char *buf)
{
	struct flow f;

	if (flow_decode(bytes, len, &f))
		return "undecodable";
	(void)flow_format(&f, buf);
	return buf;
}

const char *text_key(const uint8_t *bytes, size_t len, char *buf)
{
	struct flow_key k;

	if (flow_key_decode(bytes, len, &k))
		return "undecodable";
	(void)flow_key_format(&k, buf);
	return buf;
}

const char *text_state(unsigned state)
{
	static const char *const name[STATES] = {
		[STATE_IDLE] = "idle",		 [STATE_JOINING] = "joining",
		[STATE_REPAIRING] = "repairing", [STATE_STANDBY] = "standby",
		[STATE_DEGRADED] = "degraded",	 [STATE_ACTIVE] = "active",
	};

	return state < STATES ? name[state] : "unknown";
}

const char *text_role(unsigned role)
{
	return role == ROLE_ACTIVE ? "active" : role == ROLE_STANDBY ? "standby" : "idle";
}

void json_print_string(FILE *to, const char *value)
{
	(void)fputc('"', to);
	for (const char *p = value; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '"' || c == '\\' || (c == '/' && p > value && p[-1] == '<'))
			(void)fprintf(to, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			(void)fprintf(to, "\\u%04x", c);
		else
			(void)fputc(c, to);
	}
	(void)fputc('"', to);
}

void json_begin(struct json_line *j, FILE *to)
{
	j->to = to;
	j->first = true;
	(void)fputc('{', to);
}

static void member(struct json_line *j, const char *name)
{
	(void)fprintf(j->to, "%s\"%s\":", j->first ? "" : ",", name);
	j->first = false;
}

void json_string_member(struct json_line *j, const char *name, const char *value)
{
	member(j, name);
	json_print_string(j->to, value);
}

void json_number_member(struct json_line *j, const char *name, uint64_t value)
{
	member(j, name);
	(void)fprintf(j->to, "%" PRIu64, value);
}

void json_real_member(struct json_line *j, const char *name, double value)
{
	member(j, name);
	(void)fprintf(j->to, "%.6g", value);
}

void json_bool_member(struct json_line *j, const char *name, bool value)
{
	member(j, name);
	(void)fputs(value ? "true" : "false", j->to);
}

/* 64 bits do not fit a JSON number everywhere. */
void json_hex_member(struct json_line *j, const char *name, uint64_t value)
{
	member(j, name);
	(void)fprintf(j->to, "\"%016" PRIx64 "\"", value);
}

void json_end(struct json_line *j)
{
	(void)fputs("}\n", j->to);
}
