// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See ipvs_bpf_source.h. Events and the dump's records come through one ring, so that their order
 * is the kernel's. A dump walks some buckets a turn, as far as the ring has room.
 */
#include <errno.h>

#include "syncd/kernel/ipvs_bpf_source.h"

#ifdef HAVE_IPVS_BPF

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "syncd/kernel/ipvs_bpf.h"
#include "syncd/kernel/ipvs_flow.h"

/* Generated; it needs ipvs_bpf.h before it, and is not ours to warn about. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <ipvs.skel.h>
#pragma GCC diagnostic pop

enum {
	BUCKETS_PER_TURN = 4096,
	TICKS_SAMPLE_MS = 100,
	TABLE_BITS_MAX = 20, /* the kernel's own maximum */
};

struct ipvs_bpf_source {
	struct source base;
	struct source_events to;
	struct ipvs_bpf *program;
	struct ring_buffer *ring;
	int epoll_fd, dump_fd; /* dump_fd: an eventfd, readable while a dump has more to do */
	uint32_t table_size;
	bool dumping, walked;
	uint32_t bucket, generation;
	uint64_t lost; /* as last seen */
	unsigned left; /* of the turn's budget */
};

static struct ipvs_bpf_source *of(struct source *s)
{
	return (struct ipvs_bpf_source *)(void *)s;
}

static const struct ipvs_bpf_source *of_const(const struct source *s)
{
	return (const struct ipvs_bpf_source *)(const void *)s;
}

/* ---- records --------------------------------------------------------------------------------- */

/* Returns false where it is no flow that is synchronised. */
static bool to_flow(const struct ipvs_bpf_record *r, struct flow *f)
{
	struct flow_key *k = &f->key;
	struct flow_ipvs *v = &f->ipvs;

	memset(f, 0, sizeof(*f));
	if (r->daf != r->af)
		return false;
	k->kind = FLOW_IPVS;
	k->addr_len = v->dest_len = r->af == AF_INET6 ? 16 : 4;
	k->l4proto = (uint8_t)r->protocol;
	memcpy(k->src.b, r->caddr, sizeof(k->src.b));
	memcpy(k->dst.b, r->vaddr, sizeof(k->dst.b));
	memcpy(v->dest.b, r->daddr, sizeof(v->dest.b));
	k->sport = ntohs(r->cport);
	k->dport = ntohs(r->vport);
	v->dport = ntohs(r->dport);
	v->state = r->state;
	v->fwmark = r->fwmark;
	v->in_seq = (struct flow_ipvs_seq){r->in_seq.init_seq, (int32_t)r->in_seq.delta,
					   (int32_t)r->in_seq.previous_delta};
	v->out_seq = (struct flow_ipvs_seq){r->out_seq.init_seq, (int32_t)r->out_seq.delta,
					    (int32_t)r->out_seq.previous_delta};
	if (r->pe_data_len && r->flags & IPVS_F_TEMPLATE) {
		k->pe_data_len = r->pe_data_len;
		k->pe_data = r->pe_data;
		memcpy(v->pe_name, r->pe_name, strnlen(r->pe_name, FLOW_PE_NAME_MAX - 1));
	}
	return ipvs_flow_take(f, r->flags, r->timeout_ms);
}

static void take(struct ipvs_bpf_source *s, const struct ipvs_bpf_record *r)
{
	struct flow f;

	if (!to_flow(r, &f) || ipvs_flow_is_end(&f))
		return;
	if (r->what == IPVS_BPF_GONE) {
		s->to.on_event(s->to.ctx, FLOW_DESTROY, &f, FLOW_PART_ALL, false);
	} else if (!ipvs_flow_ripe(&f)) {
		return;
	} else if (r->what == IPVS_BPF_CHANGE) {
		s->to.on_event(s->to.ctx, FLOW_UPDATE, &f, FLOW_PART_ALL, false);
	} else if (s->dumping && r->generation == s->generation &&
		   (r->bound || s->program->bss->listening == SOURCE_ALL)) {
		/* One that a standby holds unbound came before its service: put again, it is bound.
		 */
		s->to.on_dump(s->to.ctx, &f, false);
	}
}

static int on_record(void *ctx, void *data, size_t len)
{
	struct ipvs_bpf_source *s = ctx;

	if (len >= IPVS_BPF_PLAIN)
		take(s, data);
	return --s->left ? 0 : -EAGAIN; /* the ring keeps its place */
}

/* ---- the dump -------------------------------------------------------------------------------- */

static int run_walk(struct ipvs_bpf_source *s, uint32_t from, uint32_t to)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct ipvs_bpf_walk *w = &s->program->bss->walk;
	int err;

	*w = (struct ipvs_bpf_walk){.bucket = from, .end = to, .generation = s->generation};
	err = bpf_prog_test_run_opts(bpf_program__fd(s->program->progs.dump), &opts);
	if (err)
		return -errno;
	return opts.retval ? -EFAULT : 0;
}

static void end_dump(struct ipvs_bpf_source *s, int err)
{
	uint64_t cleared;

	(void)!read(s->dump_fd, &cleared, sizeof(cleared));
	s->dumping = false;
	s->to.on_dump_end(s->to.ctx, err);
}

static void walk_on(struct ipvs_bpf_source *s)
{
	uint32_t end = s->bucket + BUCKETS_PER_TURN;
	int err;

	if (end > s->table_size)
		end = s->table_size;
	err = run_walk(s, s->bucket, end);
	if (err) {
		end_dump(s, err);
		return;
	}
	s->bucket = s->program->bss->walk.bucket;
	s->walked = s->bucket >= s->table_size;
}

static int source_dump(struct source *base)
{
	struct ipvs_bpf_source *s = of(base);
	const uint64_t one = 1;

	if (s->dumping)
		return -EBUSY;
	s->generation++;
	s->bucket = 0;
	s->walked = false;
	s->dumping = true;
	(void)!write(s->dump_fd, &one, sizeof(one));
	return 0;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static int source_poll(struct source *base, unsigned budget, uint64_t now_us)
{
	struct ipvs_bpf_source *s = of(base);
	uint64_t lost = s->program->bss->lost;
	int n;

	(void)now_us;
	s->left = budget ? budget : 1;
	n = ring_buffer__consume(s->ring);
	if (n < 0 && n != -EAGAIN)
		return n;
	if (lost != s->lost) {
		s->lost = lost;
		s->to.on_overrun(s->to.ctx);
	}
	if (s->dumping && s->left > 0) {
		/* The ring was empty after the walk's end, so all of its records have been seen. */
		if (s->walked)
			end_dump(s, 0);
		else
			walk_on(s);
	}
	return (int)(budget - s->left);
}

static int source_listen(struct source *base, enum source_listen what)
{
	of(base)->program->bss->listening = what;
	return 0;
}

static int source_fd(const struct source *base)
{
	return of_const(base)->epoll_fd;
}

static void source_free(struct source *base)
{
	struct ipvs_bpf_source *s = base ? of(base) : NULL;

	if (!s)
		return;
	ring_buffer__free(s->ring);
	ipvs_bpf__destroy(s->program);
	if (s->dump_fd >= 0)
		close(s->dump_fd);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s);
}

static const struct source_ops ops = {
	.name = "bpf",
	.listen = source_listen,
	.fd = source_fd,
	.poll = source_poll,
	.dump = source_dump,
	.free = source_free,
};

/* ---- opening --------------------------------------------------------------------------------- */

/* The address of IPVS's table; 0 where the kernel hides it or has another kind. */
static uint64_t find_table(void)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[256], name[64];
	uint64_t address = 0, at;

	while (f && !address && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNx64 " %*c %63s", &at, name) == 2 &&
		    strcmp(name, "ip_vs_conn_tab") == 0)
			address = at;
	if (f)
		(void)fclose(f);
	return address;
}

static uint32_t find_table_size(void)
{
	FILE *f = fopen("/sys/module/ip_vs/parameters/conn_tab_bits", "re");
	unsigned bits = 0;

	if (f && fscanf(f, "%u", &bits) != 1)
		bits = 0;
	if (f)
		(void)fclose(f);
	return bits == 0 || bits > TABLE_BITS_MAX ? 0 : 1u << bits;
}

static uint32_t own_netns(void)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) < 0 ? 0 : (uint32_t)st.st_ino;
}

/* The kernel's ticks a second: nothing tells it, so some are counted. */
static int count_ticks(struct ipvs_bpf_source *s)
{
	static const unsigned usual[] = {100, 250, 300, 1000};
	const struct timespec wait = {.tv_nsec = TICKS_SAMPLE_MS * 1000000L};
	struct timespec t0, t1;
	uint64_t begin, ms, rate;
	int err = run_walk(s, 0, 0);

	begin = s->program->bss->walk.jiffies;
	(void)clock_gettime(CLOCK_MONOTONIC, &t0);
	(void)nanosleep(&wait, NULL);
	err = err ? err : run_walk(s, 0, 0);
	(void)clock_gettime(CLOCK_MONOTONIC, &t1);
	if (err)
		return err;
	ms = (uint64_t)((t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000);
	rate = (s->program->bss->walk.jiffies - begin) * 1000 / (ms ? ms : 1);
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (i == 0 || llabs((long long)rate - usual[i]) <
				      llabs((long long)rate - s->program->data->ticks_per_s))
			s->program->data->ticks_per_s = usual[i];
	return 0;
}

static int load(struct ipvs_bpf_source *s, const char **step)
{

	*step = "its tables are hidden (kptr_restrict) or of another kind";
	s->table_size = find_table_size();
	s->program = ipvs_bpf__open();
	if (!s->program)
		return -errno;
	s->program->rodata->netns_inum = own_netns();
	s->program->rodata->table_address = find_table();
	if (!s->program->rodata->table_address || !s->table_size)
		return -ENOENT;
	*step = "the kernel refuses the BPF program (no BTF of ip_vs, or no rights)";
	return ipvs_bpf__load(s->program);
}

static int attach(struct ipvs_bpf_source *s, const char **step)
{
	*step = "the BPF program cannot be attached to ip_vs";
	bpf_program__set_autoattach(s->program->progs.dump, false);
	return ipvs_bpf__attach(s->program);
}

static int watch(struct ipvs_bpf_source *s, int fd)
{
	struct epoll_event e = {.events = EPOLLIN};

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int open_waits(struct ipvs_bpf_source *s)
{
	int err;

	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->dump_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->ring = ring_buffer__new(bpf_map__fd(s->program->maps.ring), on_record, s, NULL);
	if (s->epoll_fd < 0 || s->dump_fd < 0 || !s->ring)
		return -errno;
	err = watch(s, ring_buffer__epoll_fd(s->ring));
	return err ? err : watch(s, s->dump_fd);
}

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static struct ipvs_bpf_source *source_new(void)
{
	struct ipvs_bpf_source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (!getenv("SYNCD_LIBBPF_LOG"))
		(void)libbpf_set_print(silent);
	s->base.ops = &ops;
	s->epoll_fd = s->dump_fd = -1;
	return s;
}

int ipvs_bpf_source_try(const char **step)
{
	struct ipvs_bpf_source *s = source_new();
	int err = s ? load(s, step) : -ENOMEM;

	source_free(s ? &s->base : NULL);
	return err;
}

int ipvs_bpf_source_open(const struct source_events *events, struct source **out, const char **step)
{
	struct ipvs_bpf_source *s = source_new();
	int err;

	*step = "no memory";
	if (!s)
		return -ENOMEM;
	s->to = *events;
	err = load(s, step);
	if (err == 0)
		err = attach(s, step);
	if (err == 0)
		err = open_waits(s);
	if (err == 0)
		err = count_ticks(s);
	if (err) {
		source_free(&s->base);
		return err;
	}
	*out = &s->base;
	return 0;
}

#else

int ipvs_bpf_source_try(const char **step)
{
	*step = "this syncd was built without clang and bpftool";
	return -EOPNOTSUPP;
}

int ipvs_bpf_source_open(const struct source_events *events, struct source **out, const char **step)
{
	(void)events;
	(void)out;
	*step = "this syncd was built without clang and bpftool";
	return -EOPNOTSUPP;
}

#endif
