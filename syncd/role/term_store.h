/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Terms and roles over restarts. Two files: state_dir/terms survives a reboot and holds the
 * highest term seen of each group (a node must never take a term twice); runtime_dir/role is gone
 * after a reboot and holds the role too, so that a daemon restarted on the active resumes without
 * being told again. Both are written anew, fsynced and renamed over the old one.
 */
#ifndef SYNCD_ROLE_TERM_STORE_H
#define SYNCD_ROLE_TERM_STORE_H

#include "proto/control.h"

struct term_store;

/*
 * Opens (makes the directories, 0755) and reads. A missing file is an empty one. Returns 0,
 * -ENOMEM, -errno of mkdir or open, or -EBADMSG where a file is not ours or is damaged: a term
 * that cannot be read must not be guessed.
 */
int term_store_open(const char *state_dir, const char *runtime_dir, struct term_store **out);
void term_store_free(struct term_store *s);

/* What is kept of a group. Where only the term survived, role is ROLE_IDLE and role_known false. */
struct term_kept {
	struct term highest;
	enum node_role role;
	bool role_known;
	bool held; /* while active, the box had an address of the group */
};

/* Returns 0; -ENOENT where nothing is kept. */
int term_store_get(const struct term_store *s, uint32_t group, struct term_kept *out);

/*
 * Keeps term and role; who becomes active holds nothing yet. On 0 they are on disk. -ENOSPC, -EIO
 * and others: they are not; memory has them.
 */
int term_store_put(struct term_store *s, uint32_t group, struct term highest, enum node_role role);

/* Keeps that an active group's address is here; of any other nothing. Returns as term_store_put. */
int term_store_hold(struct term_store *s, uint32_t group);

#endif
