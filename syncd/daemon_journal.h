/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon's files tell the journal; each does nothing where there is none. */
#ifndef SYNCD_DAEMON_JOURNAL_H
#define SYNCD_DAEMON_JOURNAL_H

#include "proto/journal.h"
#include "syncd/engine.h"

struct daemon;

/* Returns 0, or an exit code after logging why. After the engine's keys are known, before it runs.
 */
int daemon_open_journal(struct daemon *d);
int daemon_start_journal(struct daemon *d); /* once rights are dropped: a thread keeps its own */
void daemon_close_journal(struct daemon *d);

void daemon_journal_record(struct daemon *d, enum engine_record what, uint16_t node,
			   uint64_t session, uint64_t counter, const uint8_t *bytes, size_t len);
void daemon_journal_state(struct daemon *d, uint32_t group, enum node_state from,
			  enum node_state to, const char *reason);
void daemon_journal_term(struct daemon *d, uint32_t group, struct term highest,
			 enum node_role role);

/* The group's table has changed, or will, otherwise than by what is recorded: a keyframe follows.
 */
void daemon_journal_resync(struct daemon *d, uint32_t group, const char *why);

/* RECONCILE, KEY, CONFIG, ALARM and the like; group 0: the node. */
__attribute__((format(printf, 4, 5))) void
daemon_journal_note(struct daemon *d, enum journal_type type, uint32_t group, const char *fmt, ...);

/* Which keys and which groups there are now: at the start, and when they are read again. */
void daemon_journal_configuration(struct daemon *d);

/* At the end of each turn: some of a keyframe that is due. True where there is more to do. */
bool daemon_journal_tick(struct daemon *d);

/* Now and then: samples, reconciles, and what is wrong with the disk. */
void daemon_journal_second(struct daemon *d);

#endif
