/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a kernel has of IPVS's connections, read by the tests' own means, none of them the daemon's,
 * and each linear in the table (/proc/net/ip_vs_conn is not: each 4 KiB of it cost a walk from the
 * table's start): with the patched ip_vs by the client of kpatch/tests, else out of the kernel's
 * memory, /proc/kcore, where its own type information says that the fields are.
 */
#ifndef TESTS_LIB_IPVS_TABLE_H
#define TESTS_LIB_IPVS_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Addresses and ports in network order; what each kernel sets for itself is not in it. */
struct ipvs_entry {
	uint8_t caddr[16], vaddr[16], daddr[16]; /* IPv4: the first four bytes */
	uint16_t cport, vport, dport;
	uint16_t af, daf, protocol, state;
	uint32_t flags; /* forwarding method, sequences, template, no client's port */
	uint32_t fwmark;
	uint32_t in_seq[3], out_seq[3];
};

struct ipvs_table {
	struct ipvs_entry *entry; /* sorted */
	size_t count;
	const char *by; /* how it was read */
};

/*
 * Reads the table of the calling thread's network namespace, which must not change meanwhile.
 * Returns 0 or -errno; -EOPNOTSUPP where this kernel has neither way.
 */
int ipvs_table_read(struct ipvs_table *out);
void ipvs_table_free(struct ipvs_table *t);

/* Fills text with what an entry says, for failures. */
enum { IPVS_ENTRY_TEXT = 256 };
void ipvs_entry_format(const struct ipvs_entry *e, char text[IPVS_ENTRY_TEXT]);

#endif
