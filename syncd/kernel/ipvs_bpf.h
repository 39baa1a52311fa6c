/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the BPF program of the bpf source and its reader have in common; included by both, so plain
 * types only. Addresses and ports are in network order.
 */
#ifndef SYNCD_KERNEL_IPVS_BPF_H
#define SYNCD_KERNEL_IPVS_BPF_H

enum {
	IPVS_BPF_CHANGE = 1,
	IPVS_BPF_GONE = 2,
	IPVS_BPF_DUMP = 3,
	IPVS_BPF_PE_DATA = 255,
	IPVS_BPF_PE_NAME = 16,
};

struct ipvs_bpf_seq {
	unsigned int init_seq, delta, previous_delta;
};

/* One connection as it is now. Without a persistence engine the record ends before pe_name. */
struct ipvs_bpf_record {
	unsigned short what, af, daf, protocol;
	unsigned short cport, vport, dport, state;
	unsigned char caddr[16], vaddr[16], daddr[16];
	unsigned int flags, fwmark;
	unsigned int timeout_ms;
	unsigned int generation; /* of the dump */
	struct ipvs_bpf_seq in_seq, out_seq;
	unsigned char pe_data_len, bound, pad[2]; /* bound: to a configured real server */
	char pe_name[IPVS_BPF_PE_NAME];
	unsigned char pe_data[IPVS_BPF_PE_DATA + 1];
};

#define IPVS_BPF_PLAIN __builtin_offsetof(struct ipvs_bpf_record, pe_name)

/* A run of the dump program: what to walk, and how far it came. */
struct ipvs_bpf_walk {
	unsigned int bucket;	 /* in: first; out: the first one that was not walked to its end */
	unsigned int end;	 /* in */
	unsigned int generation; /* in */
	unsigned int full;	 /* out: the ring had no room */
	unsigned long long jiffies; /* out */
};

#endif
