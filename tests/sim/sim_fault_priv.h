/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of faults share; nobody else includes this. */
#ifndef TESTS_SIM_FAULT_PRIV_H
#define TESTS_SIM_FAULT_PRIV_H

#include "tests/sim/sim_world.h"

uint64_t fault_in_us(struct sim_world *w, uint64_t us);
/* Mostly short, now and then longer than a peer is believed in. */
uint64_t fault_pick_us(struct sim_world *w);
unsigned fault_pick_node(struct sim_world *w);
uint32_t fault_pick_group(struct sim_world *w);

/* Each begins one fault and sees to its end. */
void fault_switch(struct sim_world *w);
void fault_switch_rushed(struct sim_world *w);
void fault_handover(struct sim_world *w);
void fault_idle(struct sim_world *w);
void fault_flush(struct sim_world *w);
void fault_nibble(struct sim_world *w);
void fault_tamper(struct sim_world *w);
void fault_storm(struct sim_world *w);
void fault_overrun(struct sim_world *w);
void fault_refuse(struct sim_world *w);
void fault_full(struct sim_world *w);
void fault_interrupt(struct sim_world *w);
void fault_reconcile(struct sim_world *w);
void fault_link(struct sim_world *w);
void fault_rotate(struct sim_world *w);

/* A kernel without faults. */
void fault_mend_kernel(struct sim_world *w, unsigned node);

#endif
