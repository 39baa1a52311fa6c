// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See ipvs_memory.h. /proc/kcore is an ELF core file of the running kernel; where a field lies in a
 * structure is in the BTF of kernel and module, where the table lies in /proc/kallsyms. Linux 6.1
 * to 6.12: one table of all namespaces, ip_vs_conn_tab.
 */
#include "tests/lib/ipvs_memory.h"

#include <errno.h>

#ifdef HAVE_IPVS_BPF

#include <assert.h>
#include <bpf/btf.h>
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEGMENTS_MAX = 64, CONN_BYTES_MAX = 1024, PAGE = 4096, PAGES_MAX = 1 << 17 };

struct page {
	uint64_t at; /* 0: none */
	char *bytes;
};

/* Pages that were read are kept: a read of the file costs more than what it brings. */
struct core {
	int fd;
	Elf64_Phdr segment[SEGMENTS_MAX];
	unsigned segments, pages;
	struct page *page; /* PAGES_MAX places, hashed by address */
};

/* Byte offsets. */
struct layout {
	size_t conn_bytes, list, cport, dport, vport, af, caddr, vaddr, daddr, flags, protocol, daf;
	size_t ipvs, state, fwmark, in_seq, out_seq;
	size_t ipvs_net, net_ns, ns_inum;
};

/* ---- memory ---------------------------------------------------------------------------------- */

static int core_open(struct core *c)
{
	Elf64_Ehdr head;

	c->page = calloc(PAGES_MAX, sizeof(*c->page));
	c->fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	if (!c->page || c->fd < 0)
		return -errno;
	if (pread(c->fd, &head, sizeof(head), 0) != sizeof(head) || head.e_phnum > SEGMENTS_MAX)
		return -EBADMSG;
	c->segments = head.e_phnum;
	if (pread(c->fd, c->segment, c->segments * sizeof(c->segment[0]), (off_t)head.e_phoff) !=
	    (ssize_t)(c->segments * sizeof(c->segment[0])))
		return -EBADMSG;
	return 0;
}

static void core_close(struct core *c)
{
	for (size_t i = 0; c->page && i < PAGES_MAX; i++)
		free(c->page[i].bytes);
	free(c->page);
	if (c->fd >= 0)
		close(c->fd);
}

static int read_page(const struct core *c, uint64_t at, char *out)
{
	for (unsigned i = 0; i < c->segments; i++) {
		const Elf64_Phdr *p = &c->segment[i];

		if (p->p_type == PT_LOAD && at >= p->p_vaddr && at - p->p_vaddr < p->p_memsz)
			return pread(c->fd, out, PAGE, (off_t)(p->p_offset + (at - p->p_vaddr))) ==
					       PAGE
				       ? 0
				       : -EFAULT;
	}
	return -EFAULT;
}

/* The page that begins at `at`; NULL where it cannot be read. */
static const char *find_page(struct core *c, uint64_t at)
{
	size_t i = (at / PAGE * 0x9e3779b97f4a7c15u) >> 47;
	char *bytes;

	static_assert(PAGES_MAX == 1 << (64 - 47), "the hash gives a place");
	while (c->page[i].at && c->page[i].at != at)
		i = (i + 1) % PAGES_MAX;
	if (c->page[i].at)
		return c->page[i].bytes;
	bytes = c->pages < PAGES_MAX - 1 ? malloc(PAGE) : NULL;
	if (!bytes || read_page(c, at, bytes)) {
		free(bytes);
		return NULL;
	}
	c->pages++;
	c->page[i] = (struct page){at, bytes};
	return bytes;
}

static int core_read(struct core *c, uint64_t at, void *out, size_t len)
{
	char *to = out;

	while (len) {
		size_t within = at % PAGE, n = PAGE - within < len ? PAGE - within : len;
		const char *page = find_page(c, at - within);

		if (!page)
			return -EFAULT;
		memcpy(to, page + within, n);
		at += n;
		to += n;
		len -= n;
	}
	return 0;
}

/* ---- where things are ------------------------------------------------------------------------ */

enum { NESTING_MAX = 4 }; /* of structures without a name */

/* Sets *bits to a member's offset, also where it is in a nameless structure within the type. */
static bool find_offset(const struct btf *btf, const struct btf_type *type, const char *member,
			unsigned depth, unsigned *bits)
{
	for (unsigned i = 0; depth < NESTING_MAX && i < btf_vlen(type); i++) {
		const struct btf_member *m = &btf_members(type)[i];
		const char *name = btf__name_by_offset(btf, m->name_off);
		const struct btf_type *inner = btf__type_by_id(btf, m->type);
		unsigned within = 0;
		bool found = name && strcmp(name, member) == 0;

		if (!found && name && !*name && inner && btf_is_composite(inner))
			found = find_offset(btf, inner, member, depth + 1, &within);
		if (found) {
			*bits = btf_member_bit_offset(type, i) + within;
			return true;
		}
	}
	return false;
}

/* Sets *out to a member's offset. Returns its structure's size; 0 where there is no such member. */
static size_t find_member(const struct btf *btf, const char *type, const char *member, size_t *out)
{
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, (unsigned)id);
	unsigned bits;

	if (!t || !find_offset(btf, t, member, 0, &bits))
		return 0;
	*out = bits / 8;
	return t->size;
}

static int find_layout(const struct btf *btf, struct layout *l)
{
	const struct {
		const char *type, *member;
		size_t *offset;
	} wanted[] = {
		{"ip_vs_conn", "c_list", &l->list},   {"ip_vs_conn", "cport", &l->cport},
		{"ip_vs_conn", "dport", &l->dport},   {"ip_vs_conn", "vport", &l->vport},
		{"ip_vs_conn", "af", &l->af},	      {"ip_vs_conn", "caddr", &l->caddr},
		{"ip_vs_conn", "vaddr", &l->vaddr},   {"ip_vs_conn", "daddr", &l->daddr},
		{"ip_vs_conn", "flags", &l->flags},   {"ip_vs_conn", "protocol", &l->protocol},
		{"ip_vs_conn", "daf", &l->daf},	      {"ip_vs_conn", "ipvs", &l->ipvs},
		{"ip_vs_conn", "state", &l->state},   {"ip_vs_conn", "fwmark", &l->fwmark},
		{"ip_vs_conn", "in_seq", &l->in_seq}, {"ip_vs_conn", "out_seq", &l->out_seq},
		{"netns_ipvs", "net", &l->ipvs_net},  {"net", "ns", &l->net_ns},
		{"ns_common", "inum", &l->ns_inum},
	};
	size_t bytes;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		bytes = find_member(btf, wanted[i].type, wanted[i].member, wanted[i].offset);
		if (!bytes)
			return -ENOENT;
		if (i == 0)
			l->conn_bytes = bytes;
	}
	return l->conn_bytes <= CONN_BYTES_MAX ? 0 : -E2BIG;
}

static int read_layout(struct layout *l)
{
	static struct layout known; /* it takes a second in a guest, and does not change */
	struct btf *kernel, *module;
	int err = -ENOENT;

	if (known.conn_bytes) {
		*l = known;
		return 0;
	}
	kernel = btf__load_vmlinux_btf();
	if (!kernel)
		return -errno;
	module = btf__load_module_btf("ip_vs", kernel);
	if (module)
		err = find_layout(module, l);
	btf__free(module);
	btf__free(kernel);
	if (err == 0)
		known = *l;
	return err;
}

static uint64_t find_symbol(const char *wanted)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[256], name[64];
	uint64_t found = 0, at;

	while (f && !found && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNx64 " %*c %63s", &at, name) == 2 &&
		    strcmp(name, wanted) == 0)
			found = at;
	if (f)
		(void)fclose(f);
	return found;
}

static unsigned count_buckets(void)
{
	FILE *f = fopen("/sys/module/ip_vs/parameters/conn_tab_bits", "re");
	unsigned bits = 0;

	if (f && fscanf(f, "%u", &bits) != 1)
		bits = 0;
	if (f)
		(void)fclose(f);
	return bits && bits <= 20 ? 1u << bits : 0;
}

/* ---- the walk -------------------------------------------------------------------------------- */

struct walk {
	struct core core;
	struct layout at;
	uint32_t netns;	  /* the caller's */
	uint64_t ipvs[2]; /* struct netns_ipvs met last: of the caller, of another */
	ipvs_memory_fn *fn;
	void *ctx;
};

static bool is_ours(struct walk *w, uint64_t ipvs)
{
	uint64_t net;
	uint32_t inum;

	if (ipvs == w->ipvs[0] || ipvs == w->ipvs[1])
		return ipvs == w->ipvs[0];
	if (core_read(&w->core, ipvs + w->at.ipvs_net, &net, sizeof(net)) ||
	    core_read(&w->core, net + w->at.net_ns + w->at.ns_inum, &inum, sizeof(inum)))
		return false;
	w->ipvs[inum == w->netns ? 0 : 1] = ipvs;
	return inum == w->netns;
}

static void copy_address(uint8_t to[16], const char *from, uint16_t af)
{
	memcpy(to, from, af == AF_INET6 ? 16 : 4);
}

static void copy(const struct layout *at, const char *conn, struct ipvs_entry *e)
{
	memset(e, 0, sizeof(*e));
	memcpy(&e->af, conn + at->af, sizeof(e->af));
	memcpy(&e->daf, conn + at->daf, sizeof(e->daf));
	memcpy(&e->protocol, conn + at->protocol, sizeof(e->protocol));
	memcpy(&e->state, conn + at->state, sizeof(e->state));
	memcpy(&e->cport, conn + at->cport, sizeof(e->cport));
	memcpy(&e->vport, conn + at->vport, sizeof(e->vport));
	memcpy(&e->dport, conn + at->dport, sizeof(e->dport));
	memcpy(&e->flags, conn + at->flags, sizeof(e->flags));
	memcpy(&e->fwmark, conn + at->fwmark, sizeof(e->fwmark));
	memcpy(e->in_seq, conn + at->in_seq, sizeof(e->in_seq));
	memcpy(e->out_seq, conn + at->out_seq, sizeof(e->out_seq));
	copy_address(e->caddr, conn + at->caddr, e->af);
	copy_address(e->vaddr, conn + at->vaddr, e->af);
	copy_address(e->daddr, conn + at->daddr, e->daf);
}

static int walk_chain(struct walk *w, uint64_t node)
{
	char conn[CONN_BYTES_MAX];
	struct ipvs_entry e;
	uint64_t ipvs;
	int err = 0;

	while (node && err == 0) {
		err = core_read(&w->core, node - w->at.list, conn, w->at.conn_bytes);
		if (err)
			return err;
		memcpy(&ipvs, conn + w->at.ipvs, sizeof(ipvs));
		memcpy(&node, conn + w->at.list, sizeof(node));
		copy(&w->at, conn, &e);
		if (is_ours(w, ipvs))
			err = w->fn(w->ctx, &e);
	}
	return err;
}

static int walk_table(struct walk *w)
{
	uint64_t variable = find_symbol("ip_vs_conn_tab"), table;
	unsigned buckets = count_buckets();
	uint64_t *first = calloc(buckets ? buckets : 1, sizeof(*first));
	int err = !first ? -ENOMEM : !variable || !buckets ? -EOPNOTSUPP : 0;

	if (err == 0)
		err = core_read(&w->core, variable, &table, sizeof(table));
	if (err == 0)
		err = core_read(&w->core, table, first, buckets * sizeof(*first));
	for (unsigned i = 0; i < buckets && err == 0; i++)
		err = walk_chain(w, first[i]);
	free(first);
	return err;
}

int ipvs_memory_walk(ipvs_memory_fn *fn, void *ctx)
{
	struct walk w = {.core = {.fd = -1}, .fn = fn, .ctx = ctx};
	struct stat st;
	int err;

	if (stat("/proc/thread-self/ns/net", &st) < 0)
		return -errno;
	w.netns = (uint32_t)st.st_ino;
	err = core_open(&w.core);
	if (err == 0)
		err = read_layout(&w.at);
	if (err == 0)
		err = walk_table(&w);
	core_close(&w.core);
	return err;
}

#else

int ipvs_memory_walk(ipvs_memory_fn *fn, void *ctx)
{
	(void)fn;
	(void)ctx;
	return -EOPNOTSUPP;
}

#endif
