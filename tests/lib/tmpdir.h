/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory of the test's own below /tmp. */
#ifndef TESTS_LIB_TMPDIR_H
#define TESTS_LIB_TMPDIR_H

/* Makes one; path holds 64 bytes. Aborts where that fails. */
void tmpdir_make(char *path);

/* Removes it with everything in it. */
void tmpdir_remove(const char *path);

/* Writes or reads a whole small file; abort where that fails. tmpdir_read returns buf. */
void tmpdir_write(const char *path, const char *text);
const char *tmpdir_read(const char *path, char *buf, unsigned long len);

#endif
