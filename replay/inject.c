// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inject: puts a journal's flows into the kernel of the present network namespace, as a standby's
 * sink would: the table as it was at --from, then what follows until --until, at the journal's own
 * pace or another. With --dry-run into a namespace of its own, which says what a kernel would
 * refuse, and why. The one place here that knows a kernel: it uses the daemon's conntrack sink.
 */
#include <errno.h>
#include <inttypes.h>
#include <nftables/libnftables.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/flow_codec.h"
#include "replay/state.h"
#include "replay/text.h"
#include "syncd/kernel/ct_sink.h"

enum { SHOWN_MAX = 100, WAIT_MS = 100, REASONS = 16 };

struct inject {
	const struct options *o;
	struct sink *sink;
	struct tables *tables; /* that records are read through */
	struct when from, until;
	uint64_t start_us;	    /* journal's beginning */
	uint64_t first_us, mono_us; /* the first record played, and when that was */
	uint64_t ops, puts, dels, refused, skipped;
	struct {
		int err;
		uint64_t n;
	} reason[REASONS];
	bool failed;
};

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * S_US + (uint64_t)t.tv_nsec / 1000;
}

static void on_result(void *ctx, enum sink_op op, const struct flow *f, int err)
{
	struct inject *in = ctx;
	char text[FLOW_TEXT_MAX];

	if (!err)
		return;
	for (size_t i = 0; i < REASONS; i++) {
		if (in->reason[i].n && in->reason[i].err != err)
			continue;
		in->reason[i].err = err;
		in->reason[i].n++;
		break;
	}
	if (in->refused++ >= SHOWN_MAX)
		return;
	(void)flow_format(f, text);
	(void)printf("refused %s %s: %s\n", op == SINK_DEL ? "delete" : "put", text,
		     strerror(-err));
}

/* Sends what is batched and waits until all of it has its result. */
static void settle(struct inject *in)
{
	struct pollfd p = {.fd = in->sink->ops->fd(in->sink), .events = POLLIN};

	while (in->sink->ops->pending(in->sink) > 0 && !in->failed) {
		int err = in->sink->ops->flush(in->sink, now_us());

		if (err < 0 && err != -EAGAIN)
			in->failed = true;
		(void)poll(&p, 1, WAIT_MS);
		if (in->sink->ops->poll(in->sink, now_us()) < 0)
			in->failed = true;
	}
}

static void wait_until(struct inject *in, uint64_t at_us)
{
	uint64_t now = now_us();

	if (at_us <= now)
		return;
	settle(in);
	now = now_us();
	if (at_us > now)
		(void)nanosleep(&(struct timespec){.tv_sec = (time_t)((at_us - now) / S_US),
						   .tv_nsec = (long)((at_us - now) % S_US * 1000)},
				NULL);
}

static void submit(struct inject *in, enum sink_op op, const struct flow *f)
{
	if (f->key.kind != FLOW_CONNTRACK) {
		in->skipped++; /* IPVS services are not this tool's to make */
		return;
	}
	if (!in->mono_us)
		in->mono_us = now_us();
	if (in->o->pps)
		wait_until(in, in->mono_us + in->ops * S_US / in->o->pps);
	while (in->sink->ops->submit(in->sink, op, f) == -EAGAIN && !in->failed)
		settle(in);
	in->ops++;
	in->puts += op == SINK_PUT;
	in->dels += op == SINK_DEL;
	if (in->o->one_at_a_time)
		settle(in);
}

static int install_flow(void *ctx, uint64_t hash, const uint8_t *bytes, size_t len)
{
	struct inject *in = ctx;
	struct flow f;

	(void)hash;
	if (flow_decode(bytes, len, &f) == 0 && filter_key(&in->o->filter, &f.key))
		submit(in, SINK_PUT, &f);
	return in->failed;
}

static void on_piece(void *ctx, const struct journal_record *r, const struct data_info *info,
		     bool put, const uint8_t *bytes, size_t len)
{
	struct inject *in = ctx;
	struct flow f = {0};

	if (r->type == JOURNAL_KEYFRAME || !filter_group(&in->o->filter, info->group) ||
	    (put ? flow_decode(bytes, len, &f) : flow_key_decode(bytes, len, &f.key)) ||
	    !filter_key(&in->o->filter, &f.key))
		return;
	submit(in, put ? SINK_PUT : SINK_DEL, &f);
}

static int play(void *ctx, const struct journal_record *r)
{
	struct inject *in = ctx;

	if (in->from.kind && !when_is_after(&in->from, r, in->start_us))
		return 0; /* in the table that was put in first */
	if (when_is_after(&in->until, r, in->start_us) || in->failed)
		return 1;
	if (!in->first_us) {
		in->first_us = r->wall_us;
		in->mono_us = now_us();
	}
	if (!in->o->top_speed && !in->o->pps && r->wall_us > in->first_us)
		wait_until(in, in->mono_us + (uint64_t)((double)(r->wall_us - in->first_us) /
							in->o->speed));
	tables_apply(in->tables, r);
	return 0;
}

/* A namespace with the NAT hooks that a balancer has. */
static int enter_own_namespace(void)
{
	static const char rules[] =
		"table inet nat { chain pre { type nat hook prerouting priority dstnat; }; "
		"chain post { type nat hook postrouting priority srcnat; }; }";
	struct nft_ctx *nft;
	int rc;

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!nft)
		return -ENOMEM;
	(void)nft_ctx_buffer_error(nft);
	rc = nft_run_cmd_from_buffer(nft, rules) ? -EPROTONOSUPPORT : 0;
	nft_ctx_free(nft);
	return rc;
}

static int open_kernel(struct inject *in)
{
	const struct sink_events ev = {.on_result = on_result, .ctx = in};
	struct ct_config c;
	int err = in->o->dry_run ? enter_own_namespace() : 0;

	ct_config_init(&c);
	err = err ? err : ct_sink_open(&c, &ev, &in->sink);
	if (err)
		(void)fprintf(stderr, "sync-replay: conntrack%s: %s\n",
			      in->o->dry_run ? " in a namespace of its own" : "", strerror(-err));
	return err ? EXIT_UNREADABLE : 0;
}

static int run(struct inject *in, const struct input_journal *j)
{
	const struct tables_events tev = {.piece = on_piece, .ctx = in};
	const struct input_events ev = {0};
	struct input_range range = {0};
	struct state s = {0};
	const struct tables_group *g;
	int rc = 0;

	in->tables = tables_new(NULL, &tev);
	if (!in->tables)
		return command_failed(j->name, -ENOMEM);
	if (in->from.kind) {
		rc = state_load(in->o, j, &in->from, NULL, &s);
		for (size_t i = 0; !rc && (g = tables_at(s.tables, i)) != NULL; i++)
			if (filter_group(&in->o->filter, g->id))
				(void)table_walk(g->table, (struct hash_range){0, 0}, install_flow,
						 in);
		settle(in);
		range.first = s.first;
		state_fini(&s);
		in->mono_us = 0;
		in->ops = 0;
	}
	if (!rc)
		rc = input_read(j, &range, &ev, play, in);
	settle(in);
	tables_free(in->tables);
	return rc < 0 ? command_failed(j->name, rc) : 0;
}

static int summary(const struct inject *in)
{
	(void)printf("%s%" PRIu64 " put, %" PRIu64 " deleted, %" PRIu64 " refused",
		     in->o->dry_run ? "dry run: " : "", in->puts, in->dels, in->refused);
	if (in->skipped)
		(void)printf(", %" PRIu64 " of IPVS left out", in->skipped);
	for (size_t i = 0; i < REASONS && in->reason[i].n; i++)
		(void)printf("%s%s: %" PRIu64, i ? ", " : " (", strerror(-in->reason[i].err),
			     in->reason[i].n);
	(void)puts(in->reason[0].n ? ")" : "");
	if (in->failed)
		return command_failed("the kernel", -EIO);
	return in->refused ? EXIT_FINDINGS : EXIT_CONSISTENT;
}

int command_inject(const struct options *o)
{
	struct inject in = {.o = o, .from = o->filter.from, .until = o->filter.until};
	struct input input;
	int rc = command_open(o, 0, o->args, &input);

	if (rc)
		return rc;
	if (input.journals != 1) {
		(void)fputs("sync-replay: inject plays one node's journal\n", stderr);
		rc = EXIT_WRONG_USE;
	}
	in.start_us = input.journal[0].file[0].header.wall_us;
	rc = rc ? rc : open_kernel(&in);
	rc = rc ? rc : run(&in, &input.journal[0]);
	rc = rc ? rc : summary(&in);
	if (in.sink)
		in.sink->ops->free(in.sink);
	input_free(&input);
	return rc;
}
