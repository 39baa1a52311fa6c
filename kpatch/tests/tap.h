/* tap: results in the form of the kernel's selftests (KTAP), one line a check. */
#ifndef KPATCH_TESTS_TAP_H
#define KPATCH_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct tap {
	unsigned int n, failed;
};

__attribute__((format(printf, 3, 4))) static inline bool tap_ok(struct tap *tap, bool good,
								const char *format, ...)
{
	va_list args;

	tap->n++;
	tap->failed += !good;
	printf("%sok %u - ", good ? "" : "not ", tap->n);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	return good;
}

/* Both are 0 or -errno. */
static inline bool tap_err(struct tap *tap, int expected, int got, const char *what)
{
	if (expected == got)
		return tap_ok(tap, true, "%s: %s", what, expected ? strerror(-expected) : "done");
	return tap_ok(tap, false, "%s: expected %d (%s), got %d (%s)", what, expected,
		      strerror(-expected), got, strerror(-got));
}

static inline bool tap_u32(struct tap *tap, unsigned int expected, unsigned int got,
			   const char *what)
{
	return tap_ok(tap, expected == got, "%s: %u, expected %u", what, got, expected);
}

/* Prints the plan. The program's exit status. */
static inline int tap_end(const struct tap *tap)
{
	printf("1..%u\n# Totals: pass:%u fail:%u\n", tap->n, tap->n - tap->failed, tap->failed);
	return tap->failed || !tap->n;
}

#endif
