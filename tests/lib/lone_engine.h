/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An engine by itself: no kernel, and whatever others say to it is made up by the test. */
#ifndef TESTS_LIB_LONE_ENGINE_H
#define TESTS_LIB_LONE_ENGINE_H

#include "proto/control.h"
#include "proto/seal.h"
#include "syncd/engine.h"

/* Key, cluster secret and all; cfg->key and keys are set to it. */
extern const struct group_key lone_engine_key;

/* Every flow is of group 1. send may be NULL. Aborts where there is no memory. */
struct engine *lone_engine_new(struct engine_config *cfg,
			       void (*send)(void *ctx, const uint8_t *dgram, size_t len));

/* A datagram of another node arrives: h, but for its key, and what it says. */
void lone_engine_hear(struct engine *e, struct frame_header h, const uint8_t *payload, size_t len,
		      struct engine_now now);
void lone_engine_hear_control(struct engine *e, struct frame_header h, const struct control *c,
			      struct engine_now now);

#endif
