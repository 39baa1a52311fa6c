// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines on stderr. Each is one write(2), so that lines of several threads do not mix. */
#include "syncd/base/log.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 };

static enum log_level threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	threshold = level;
}

bool log_is_on(enum log_level level)
{
	return level <= threshold;
}

static int syslog_priority(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return LOG_ERR;
	case LOG_LEVEL_WARNING:
		return LOG_WARNING;
	case LOG_LEVEL_NOTICE:
		return LOG_NOTICE;
	case LOG_LEVEL_INFO:
		return LOG_INFO;
	case LOG_LEVEL_DEBUG:
		return LOG_DEBUG;
	}
	return LOG_INFO;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	size_t n = 0, end;
	va_list ap;
	int len;

	if (!log_is_on(level))
		return;
	if (!isatty(STDERR_FILENO))
		n = (size_t)snprintf(line, sizeof(line), "<%d>", syslog_priority(level));
	va_start(ap, fmt);
	len = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	end = n + (size_t)len;
	if (end > sizeof(line) - 2)
		end = sizeof(line) - 2;
	for (; n < end; n++)
		if (iscntrl((unsigned char)line[n]))
			line[n] = '?';
	line[n++] = '\n';
	(void)!write(STDERR_FILENO, line, n);
}

bool log_allow(struct log_limit *l, uint64_t now_us, uint64_t interval_us, uint64_t *suppressed)
{
	if (l->begun && now_us - l->last_us < interval_us) {
		l->suppressed++;
		return false;
	}
	if (suppressed != NULL)
		*suppressed = l->suppressed;
	l->begun = true;
	l->last_us = now_us;
	l->suppressed = 0;
	return true;
}
