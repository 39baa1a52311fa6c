/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `syncctl doctor`: what this kernel, this network namespace and the caller's rights allow syncd to
 * do, which back ends it would choose and why, and what stands in its way. It changes nothing.
 */
#ifndef SYNCD_DOCTOR_H
#define SYNCD_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "syncd/base/config.h"

/*
 * Prints what it found. config: the daemon's, NULL: not known; status: what a running daemon
 * answers to `status`, NULL: none does; both borrowed. Returns the exit code: 0 nothing is in the
 * way, 1 something is.
 */
int doctor_run(bool json, const struct config *config, const json_t *status, FILE *to);

#endif
