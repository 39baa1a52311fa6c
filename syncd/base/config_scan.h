/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libconfuse 3.3 gets wrong in a text is put right before it reads it (measured, see
 * docs/adr/0004-configuration.md): comments shift its lines, ${...} becomes whatever the
 * environment holds, some characters are dropped without a word, strings run over lines, and an
 * empty list calls nobody back. Only config_tree.c includes this.
 */
#ifndef SYNCD_BASE_CONFIG_SCAN_H
#define SYNCD_BASE_CONFIG_SCAN_H

#include <stdio.h>

/*
 * Writes the text with the same lines, but words in double quotes, comments left out and a line
 * feed as the item of an empty list. Returns NULL with *open how many { are not closed, or what is
 * not allowed, with *line.
 */
const char *config_scan(const char *text, FILE *to, int *line, int *open);

#endif
