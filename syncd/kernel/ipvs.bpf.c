/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BPF program of the bpf source: hears IPVS's connections where every packet and every timer
 * passes, sends up what changed, and walks the table for a dump. Types are declared as far as they
 * are used; their true layout is the running kernel's, by its BTF.
 *
 * ip_vs_conn_put has the connection in hand after each packet; what was last told of it is kept by
 * its address, so that only changes go up. ip_vs_conn_expire may put an expiry off: a connection is
 * gone when it left the hash table (IP_VS_CONN_F_HASHED) by the time the function returns, where
 * the grace period cannot have ended.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "syncd/kernel/ipvs_bpf.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define KERNEL __attribute__((preserve_access_index))

struct hlist_node {
	struct hlist_node *next;
} KERNEL;
struct hlist_head {
	struct hlist_node *first;
} KERNEL;
struct timer_list {
	unsigned long expires;
} KERNEL;
struct ns_common {
	unsigned int inum;
} KERNEL;
struct net {
	struct ns_common ns;
} KERNEL;
struct netns_ipvs {
	struct net *net;
} KERNEL;
struct ip_vs_pe {
	char *name;
} KERNEL;
struct ip_vs_seq {
	u32 init_seq, delta, previous_delta;
} KERNEL;
union nf_inet_addr {
	u32 all[4];
} KERNEL;
struct ip_vs_conn {
	struct hlist_node c_list;
	u16 cport, dport, vport, af;
	union nf_inet_addr caddr, vaddr, daddr;
	u32 flags;
	u16 protocol, daf;
	struct netns_ipvs *ipvs;
	struct timer_list timer;
	unsigned long timeout;
	u16 state;
	struct ip_vs_conn *control;
	u32 fwmark;
	void *dest;
	struct ip_vs_seq in_seq, out_seq;
	const struct ip_vs_pe *pe;
	char *pe_data;
	u8 pe_data_len;
} KERNEL;

enum {
	AF_INET_ = 2,
	F_HASHED = 0x0040,
	F_SEQ = 0x0600,
	F_ONE_PACKET = 0x2000,
	CHAIN_MAX = 4096, /* of one bucket; a longer chain would be an attack already */
	LAST_MAX = 1 << 18,
};

/* Set before loading. Plain types, for the skeleton's sake. */
const volatile unsigned int netns_inum;
const volatile unsigned long long table_address; /* of the variable ip_vs_conn_tab */

/* Set while running. listening: enum source_listen. */
volatile unsigned int listening;
volatile unsigned int ticks_per_s = 250;
unsigned long long lost;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
} ring SEC(".maps");

/* What was last told of a connection, by its address: a digest of what can change. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LAST_MAX);
	__type(key, u64);
	__type(value, u64);
} last SEC(".maps");

static __always_inline int is_ours(struct ip_vs_conn *cp)
{
	return BPF_CORE_READ(cp, ipvs, net, ns.inum) == netns_inum;
}

static __always_inline void copy_addr(u8 *to, const union nf_inet_addr *from, u16 af)
{
	u32 words[4] = {};

	/* Of an IPv4 address the kernel leaves the rest as it was. */
	if (af == AF_INET_)
		bpf_core_read(&words[0], sizeof(words[0]), &from->all[0]);
	else
		bpf_core_read(&words, sizeof(words), from);
	__builtin_memcpy(to, words, sizeof(words));
}

static __always_inline void copy_seq(struct ipvs_bpf_seq *to, struct ip_vs_seq *from)
{
	to->init_seq = BPF_CORE_READ(from, init_seq);
	to->delta = BPF_CORE_READ(from, delta);
	to->previous_delta = BPF_CORE_READ(from, previous_delta);
}

static __always_inline void fill(struct ipvs_bpf_record *r, struct ip_vs_conn *cp, u16 what,
				 u32 generation)
{
	r->what = what;
	r->generation = generation;
	r->af = BPF_CORE_READ(cp, af);
	r->daf = BPF_CORE_READ(cp, daf);
	r->protocol = BPF_CORE_READ(cp, protocol);
	r->cport = BPF_CORE_READ(cp, cport);
	r->vport = BPF_CORE_READ(cp, vport);
	r->dport = BPF_CORE_READ(cp, dport);
	r->state = BPF_CORE_READ(cp, state);
	copy_addr(r->caddr, &cp->caddr, r->af);
	copy_addr(r->vaddr, &cp->vaddr, r->af);
	copy_addr(r->daddr, &cp->daddr, r->daf);
	r->flags = BPF_CORE_READ(cp, flags);
	r->fwmark = BPF_CORE_READ(cp, fwmark);
	r->timeout_ms = (u32)(BPF_CORE_READ(cp, timeout) * 1000 / ticks_per_s);
	copy_seq(&r->in_seq, &cp->in_seq);
	copy_seq(&r->out_seq, &cp->out_seq);
	r->pe_data_len = BPF_CORE_READ(cp, pe_data_len);
	r->bound = BPF_CORE_READ(cp, dest) != 0;
}

static __always_inline int emit_with_engine(struct ip_vs_conn *cp, u16 what, u32 generation)
{
	struct ipvs_bpf_record *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	if (!r)
		return -1;
	fill(r, cp, what, generation);
	if (bpf_probe_read_kernel_str(r->pe_name, sizeof(r->pe_name), BPF_CORE_READ(cp, pe, name)) <
		    0 ||
	    bpf_probe_read_kernel(r->pe_data, IPVS_BPF_PE_DATA & r->pe_data_len,
				  BPF_CORE_READ(cp, pe_data)))
		r->pe_data_len = 0;
	bpf_ringbuf_submit(r, 0);
	return 0;
}

static __always_inline int emit(struct ip_vs_conn *cp, u16 what, u32 generation)
{
	struct ipvs_bpf_record *r;

	if (BPF_CORE_READ(cp, pe_data_len))
		return emit_with_engine(cp, what, generation);
	r = bpf_ringbuf_reserve(&ring, IPVS_BPF_PLAIN, 0);
	if (!r)
		return -1;
	fill(r, cp, what, generation);
	bpf_ringbuf_submit(r, 0);
	return 0;
}

/* Of all that a packet can change; two that collide cost a change that the next dump finds. */
static __always_inline u64 digest(struct ip_vs_conn *cp)
{
	u64 d = cp->state | (u64)cp->cport << 16 | (u64)(cp->flags & 0xffbf) << 32 |
		(u64)cp->dport << 48;

	if (cp->flags & F_SEQ)
		d ^= ((u64)cp->in_seq.init_seq << 20) ^ ((u64)cp->out_seq.init_seq << 28) ^
		     ((u64)cp->in_seq.delta << 8) ^ ((u64)cp->out_seq.delta << 12);
	return d | 1ull << 63;
}

static __always_inline void tell_change(struct ip_vs_conn *cp)
{
	u64 key = (u64)cp, now = digest(cp), *was = bpf_map_lookup_elem(&last, &key);

	if (was && *was == now)
		return;
	if (emit(cp, IPVS_BPF_CHANGE, 0))
		__sync_fetch_and_add(&lost, 1);
	else
		bpf_map_update_elem(&last, &key, &now, BPF_ANY);
}

/* A template is put when it leads a new connection, and assured later, when that is established. */
SEC("fentry/ip_vs_conn_put")
int BPF_PROG(on_put, struct ip_vs_conn *cp)
{
	struct ip_vs_conn *control;

	if (listening < 2 || cp->flags & F_ONE_PACKET || cp->ipvs->net->ns.inum != netns_inum)
		return 0;
	tell_change(cp);
	control = cp->control;
	if (control)
		tell_change(control);
	return 0;
}

SEC("fexit/ip_vs_conn_expire")
int BPF_PROG(on_expired, struct timer_list *t)
{
	struct ip_vs_conn *cp = (void *)t - bpf_core_field_offset(struct ip_vs_conn, timer);
	u64 key = (u64)cp;
	u32 flags = BPF_CORE_READ(cp, flags);

	if (flags & (F_HASHED | F_ONE_PACKET) || !is_ours(cp))
		return 0;
	bpf_map_delete_elem(&last, &key);
	if (listening && emit(cp, IPVS_BPF_GONE, 0))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

/* ---- the dump -------------------------------------------------------------------------------- */

struct position {
	struct ipvs_bpf_walk *walk;
	u64 table;
	struct hlist_node *node;
};

static long walk_node(u32 i, void *ctx)
{
	struct position *at = ctx;
	struct ip_vs_conn *cp;

	if (!at->node)
		return 1;
	cp = (void *)at->node - bpf_core_field_offset(struct ip_vs_conn, c_list);
	if (!(BPF_CORE_READ(cp, flags) & F_ONE_PACKET) && is_ours(cp) &&
	    emit(cp, IPVS_BPF_DUMP, at->walk->generation)) {
		at->walk->full = 1;
		return 1;
	}
	at->node = BPF_CORE_READ(cp, c_list.next);
	return 0;
}

static long walk_bucket(u32 i, void *ctx)
{
	struct position *at = ctx;
	u32 size = bpf_core_type_size(struct hlist_head);

	if (bpf_probe_read_kernel(&at->node, sizeof(at->node),
				  (void *)(at->table + (u64)at->walk->bucket * size)))
		return 1;
	bpf_loop(CHAIN_MAX, walk_node, at, 0);
	if (at->walk->full)
		return 1;
	at->walk->bucket++;
	return 0;
}

/* In and out of user space: what BPF_PROG_TEST_RUN is to do, and how far it came. */
struct ipvs_bpf_walk walk;

/* Run by user space through BPF_PROG_TEST_RUN, under RCU: no connection met can be freed. */
SEC("raw_tp")
int dump(void *ctx)
{
	struct ipvs_bpf_walk w = walk;
	struct position at = {.walk = &w};

	w.full = 0;
	w.jiffies = bpf_jiffies64();
	if (bpf_probe_read_kernel(&at.table, sizeof(at.table), (void *)table_address))
		return -1;
	if (w.end > w.bucket)
		bpf_loop(w.end - w.bucket, walk_bucket, &at, 0);
	walk = w;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
