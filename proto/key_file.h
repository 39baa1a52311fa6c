/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key files: /etc/syncd/keys/ID.key, text, mode 0600. docs/operations.md tells how to rotate. */
#ifndef PROTO_KEY_FILE_H
#define PROTO_KEY_FILE_H

#include "proto/seal.h"

enum { KEY_FILE_MAX = 4096 };

/*
 * Reads a key file's text, which need not end in NUL. Returns 0 or -EBADMSG: no key file, a line
 * missing, twice or of no known name, an id that is not 1 … 65535, a secret that is not 32 bytes.
 */
int key_file_parse(const char *text, size_t len, struct group_key *out);

/* Writes the text that key_file_parse reads, with a NUL. Returns its length; buf: KEY_FILE_MAX. */
size_t key_file_format(const struct group_key *k, char *buf);

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
