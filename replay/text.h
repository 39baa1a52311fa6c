/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words and JSON for people and scripts. Text in records was made printable when it was read. */
#ifndef REPLAY_TEXT_H
#define REPLAY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TEXT_TIME_LEN = 32 };

/* "2026-11-22T03:15:00.123456Z" */
const char *text_time(uint64_t wall_us, char buf[TEXT_TIME_LEN]);

/* A flow or key from its encoding, "undecodable" where it is. buf holds FLOW_TEXT_MAX. */
const char *text_flow(const uint8_t *bytes, size_t len, char *buf);
const char *text_key(const uint8_t *bytes, size_t len, char *buf);

const char *text_state(unsigned state);
const char *text_role(unsigned role);

/* One object a line. `first` is the state between calls; each begins with json_begin. */
struct json_line {
	FILE *to;
	bool first;
};

void json_begin(struct json_line *j, FILE *to);
void json_string_member(struct json_line *j, const char *name, const char *value);
void json_number_member(struct json_line *j, const char *name, uint64_t value);
void json_real_member(struct json_line *j, const char *name, double value);
void json_bool_member(struct json_line *j, const char *name, bool value);
void json_hex_member(struct json_line *j, const char *name, uint64_t value);
void json_end(struct json_line *j);

/* A JSON string with its quotes; "</" cannot end a script in it. */
void json_print_string(FILE *to, const char *value);

#endif
