/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Golden vectors: tests/golden/NAME.hex holds the bytes of one thing as hexadecimal text, with
 * comment lines (#) that say what it is. They fix the wire and the journal: a change that breaks
 * one breaks every version that is out there.
 */
#ifndef TESTS_LIB_GOLDEN_H
#define TESTS_LIB_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

/* Reads one; fails the running test where it is missing or not what it should be. */
size_t golden_read(const char *name, uint8_t *buf, size_t cap);

/*
 * Fails the running test where the bytes are not those of the file. With GOLDEN_WRITE=1 in the
 * environment it writes the file instead, with `what` as its comment: for a new vector only.
 */
void golden_expect(const char *name, const char *what, const uint8_t *bytes, size_t len);

#endif
