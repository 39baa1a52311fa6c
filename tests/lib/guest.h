/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Test programs that need IPVS. Where this kernel has none they run themselves in the guests of
 * tests/rig/ that are in the cache.
 */
#ifndef TESTS_LIB_GUEST_H
#define TESTS_LIB_GUEST_H

#include <stdbool.h>
#include <stddef.h>

struct guest {
	const char *kind; /* of tests/rig/prepare */
	bool patched;	  /* with the ip_vs of kpatch/ */
	unsigned seconds; /* that it may take; 0: the usual 200 */
	bool counted;	  /* QEMU: its clock counts instructions, so that no load shows */
};

/*
 * Runs run_here where this kernel has IPVS, or this is a guest already; else this program in each
 * of the guests (with modprobe of `modules`, and with the variable `setting` of the environment, as
 * "NAME=VALUE", if not NULL). Where no guest can be had, run_here with `here` false, which must say
 * so. Returns the exit code of the program.
 */
int guest_run(const char *program, const struct guest *guests, size_t n, const char *modules,
	      const char *setting, int (*run_here)(bool here));

#endif
