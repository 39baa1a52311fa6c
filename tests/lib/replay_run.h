/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs sync-replay, the one beside the test program's own folder. */
#ifndef TESTS_LIB_REPLAY_RUN_H
#define TESTS_LIB_REPLAY_RUN_H

/* Arguments as for a shell. Returns the exit code, with what it printed (both ways) in *out, valid
 * until the next call. */
__attribute__((format(printf, 2, 3))) int replay_run(const char **out, const char *fmt, ...);

#endif
