/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key files: /etc/syncd/keys/ID.key, text, mode 0600. docs/operations.md tells how to rotate. */
#ifndef PROTO_KEY_FILE_H
#define PROTO_KEY_FILE_H

#include "proto/seal.h"

/*
 * Reads a key file. Returns 0; -errno of open(2) or read(2); -EBADMSG where it is not a key file;
 * -EACCES where others than the owner can read it.
 */
int key_file_read(const char *path, struct group_key *out);

/* Writes a new file (O_EXCL, 0600, fsync). Returns 0 or -errno. */
int key_file_write(const char *path, const struct group_key *k);

/* Random secrets; the cluster's is kept where `like` (another key of the cluster) is given. */
void group_key_generate(struct group_key *out, uint16_t id, const struct group_key *like);

#endif
