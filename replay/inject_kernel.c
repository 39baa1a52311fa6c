// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inject into the kernel of the present network namespace, as a standby's sink would put it; with
 * --dry-run into a namespace of its own. It uses the daemon's conntrack sink.
 */
#include <errno.h>
#include <nftables/libnftables.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/flow_codec.h"
#include "replay/inject.h"
#include "replay/text.h"
#include "syncd/kernel/ct_sink.h"

enum { SHOWN_MAX = 100, WAIT_MS = 100 };

struct to_kernel {
	struct injector base;
	struct sink *sink;
};

static void on_result(void *ctx, enum sink_op op, const struct flow *f, int err)
{
	struct to_kernel *k = ctx;
	struct injector_stats *st = &k->base.stats;
	char text[FLOW_TEXT_MAX];
	struct json_line j;

	if (!err)
		return;
	for (size_t i = 0; i < REASONS_MAX; i++) {
		if (st->reason[i].n && st->reason[i].err != err)
			continue;
		st->reason[i].err = err;
		st->reason[i].n++;
		break;
	}
	if (st->refused++ >= SHOWN_MAX)
		return;
	(void)flow_format(f, text);
	if (k->base.o->json) {
		json_begin(&j, stdout);
		json_string_member(&j, "refused", op == SINK_DEL ? "del" : "put");
		json_string_member(&j, "flow", text);
		json_string_member(&j, "why", strerror(-err));
		json_end(&j);
		return;
	}
	(void)printf("refused %s %s: %s\n", op == SINK_DEL ? "delete" : "put", text,
		     strerror(-err));
}

/* Sends what is batched and waits until all of it has its result. */
static void kernel_settle(struct injector *base)
{
	struct to_kernel *k = (struct to_kernel *)base;
	struct pollfd p = {.fd = k->sink->ops->fd(k->sink), .events = POLLIN};

	while (k->sink->ops->pending(k->sink) > 0 && !base->failed) {
		int err = k->sink->ops->flush(k->sink, inject_now_us());

		if (err < 0 && err != -EAGAIN)
			base->failed = true;
		(void)poll(&p, 1, WAIT_MS);
		if (k->sink->ops->poll(k->sink, inject_now_us()) < 0)
			base->failed = true;
	}
}

static void kernel_wait(struct injector *base, uint64_t until_us)
{
	uint64_t now;

	kernel_settle(base);
	now = inject_now_us();
	if (until_us > now)
		(void)nanosleep(
			&(struct timespec){.tv_sec = (time_t)((until_us - now) / S_US),
					   .tv_nsec = (long)((until_us - now) % S_US * 1000)},
			NULL);
}

static void kernel_submit(struct injector *base, bool put, const struct flow *f)
{
	struct to_kernel *k = (struct to_kernel *)base;

	if (f->key.kind != FLOW_CONNTRACK) {
		base->stats.skipped++; /* IPVS services are not this tool's to make */
		return;
	}
	while (k->sink->ops->submit(k->sink, put ? SINK_PUT : SINK_DEL, f) == -EAGAIN &&
	       !base->failed)
		kernel_settle(base);
	base->stats.puts += put;
	base->stats.dels += !put;
}

static void kernel_begin(struct injector *base)
{
	kernel_settle(base);
}

static int kernel_finish(struct injector *base)
{
	const struct injector_stats *st = &base->stats;

	if (!base->o->json)
		(void)puts(st->skipped ? "; what was left out is of IPVS" : "");
	if (base->failed)
		return command_failed("the kernel", -EIO);
	return st->refused ? EXIT_FINDINGS : EXIT_CONSISTENT;
}

static void kernel_free(struct injector *base)
{
	struct to_kernel *k = (struct to_kernel *)base;

	k->sink->ops->free(k->sink);
	free(k);
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

int inject_kernel_open(const struct options *o, struct injector **out)
{
	static const struct injector_ops ops = {
		.submit = kernel_submit,
		.begin = kernel_begin,
		.settle = kernel_settle,
		.wait = kernel_wait,
		.finish = kernel_finish,
		.free = kernel_free,
	};
	struct to_kernel *k = calloc(1, sizeof(*k));
	const struct sink_events ev = {.on_result = on_result, .ctx = k};
	struct ct_config c;
	int err = !k ? -ENOMEM : o->dry_run ? enter_own_namespace() : 0;

	ct_config_init(&c);
	err = err ? err : ct_sink_open(&c, &ev, &k->sink);
	if (err) {
		(void)fprintf(stderr, "sync-replay: conntrack%s: %s\n",
			      o->dry_run ? " in a namespace of its own" : "", strerror(-err));
		free(k);
		return EXIT_UNREADABLE;
	}
	k->base = (struct injector){.ops = &ops, .o = o};
	*out = &k->base;
	return 0;
}
