/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a daemon as OpenMetrics text (https://openmetrics.io): what Prometheus reads from
 * http://ADDRESS:PORT/metrics and what `syncctl metrics` prints. syncctl(8) lists all of them;
 * tests/net/test_daemon.c holds that.
 */
#ifndef SYNCD_METRICS_H
#define SYNCD_METRICS_H

#include <stdio.h>

#include "syncd/status_json.h"

void metrics_print(struct engine *e, const struct status_box *box, struct engine_now now, FILE *to);

#endif
