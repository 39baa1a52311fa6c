/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of sync-replay: options and filters that all commands share; see the manual. */
#ifndef REPLAY_OPTIONS_H
#define REPLAY_OPTIONS_H

#include "proto/flow.h"
#include "proto/journal.h"
#include "proto/seal.h"

enum { EXIT_CONSISTENT = 0, EXIT_FINDINGS = 1, EXIT_WRONG_USE = 2, EXIT_UNREADABLE = 3 };

enum when_kind { WHEN_NONE, WHEN_WALL, WHEN_SINCE_START, WHEN_COUNTER };

/* A moment, as an operator names it. */
struct when {
	enum when_kind kind;
	uint64_t value; /* microseconds, or the counter */
};

struct filter {
	struct when from, until;
	uint32_t group; /* 0: all, here and below -1: all */
	int kind, proto, port, node, type;
	int put; /* 1: puts, 0: deletes */
	struct flow_addr addr;
	uint8_t addr_len, prefix; /* addr_len 0: all */
};

struct options {
	struct filter filter;
	const char *key_path, *output;
	const char *into; /* configuration of the node to inject as */
	struct group_key key;
	bool has_key;
	bool json, follow, quiet, verbose;
	bool dry_run, top_speed, one_at_a_time;
	double speed;
	uint64_t pps;
	uint32_t port;
	char **arg; /* behind the command */
	int args;
};

/* Reads the options behind the command's name. Returns 0, or an exit code after saying why. */
int options_parse(int argc, char **argv, struct options *out);

/* Reads "2026-11-22T03:15:00.5", "@1763781300.5", "+12.5" (seconds from the journal's beginning) or
 * "#123" (a counter of the stream). 0 or -EINVAL. */
int when_parse(const char *text, struct when *out);

/* True where the moment of the record is before w; start_us is the journal's beginning. */
bool when_is_after(const struct when *w, const struct journal_record *r, uint64_t start_us);

/* The wall clock of w, or 0 where it has none. */
uint64_t when_wall_us(const struct when *w, uint64_t start_us);

bool filter_has_flows(const struct filter *f); /* it says something about flows */
bool filter_record(const struct filter *f, const struct journal_record *r, uint64_t start_us);
bool filter_group(const struct filter *f, uint32_t group);
bool filter_key(const struct filter *f, const struct flow_key *k);

#endif
