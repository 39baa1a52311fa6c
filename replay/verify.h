/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What verify finds, for whoever shows it. */
#ifndef REPLAY_VERIFY_H
#define REPLAY_VERIFY_H

#include "replay/commands.h"

/* wall_us 0: of a segment, not of a record. */
typedef void verify_finding_fn(void *ctx, uint64_t wall_us, const char *what);

/* Verifies one journal without printing. 0 or an exit code; *findings grows. */
int verify_journal(const struct options *o, const struct input_journal *j, verify_finding_fn *fn,
		   void *ctx, uint64_t *findings);

#endif
