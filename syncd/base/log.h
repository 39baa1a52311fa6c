/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: lines on stderr, with systemd's <N> prefixes (sd-daemon(3)) where stderr is not a
 * terminal. The level is the project's only global. Floors 0 and 2 log at debug only; paths and
 * mains log once, with the reason and what the operator can do.
 */
#ifndef SYNCD_BASE_LOG_H
#define SYNCD_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);

/* One line, without its newline; control characters are written as '?'. */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *fmt, ...);

#define log_error(...)	 log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)	 log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                          \
	do {                                                    \
		if (log_is_on(LOG_LEVEL_DEBUG))                 \
			log_line(LOG_LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)

/* Where a peer or the kernel can cause the line: one of these per kind of line, zeroed. */
struct log_limit {
	uint64_t last_us;
	uint64_t suppressed;
	bool begun;
};

/*
 * True where a line may be written now (at most one per interval_us), with *suppressed the number
 * that were not since the last one; NULL where the caller does not tell it.
 */
bool log_allow(struct log_limit *l, uint64_t now_us, uint64_t interval_us, uint64_t *suppressed);

#endif
