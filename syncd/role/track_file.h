/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A group's track file, runtime_dir/GROUP.ready: one number that keepalived multiplies by a
 * (negative) weight and adds to the priority (keepalived.conf(5), track_file). Written anew and
 * renamed, so that a reader never meets half of it.
 */
#ifndef SYNCD_ROLE_TRACK_FILE_H
#define SYNCD_ROLE_TRACK_FILE_H

#include <stdbool.h>

enum {
	TRACK_READY = 0, /* or active: nothing is taken off */
	TRACK_NOT_READY = 1,
	/* times any negative weight below -253: keepalived goes to FAULT (ready = fail-closed) */
	TRACK_NOT_READY_CLOSED = 254,
};

/* What the file says for a node that is (not) shown as ready. */
int track_value(bool ready, bool fail_closed);

/* Returns 0 or -errno. dir and group as configured; the group's name is a legal file name. */
int track_file_write(const char *dir, const char *group, int value);

#endif
