// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads the ruleset whenever its generation has changed. Listing a large one takes long and
 * libnftables is not made for two threads, so a child process does it and sends what it found
 * through a pipe; asking for the generation costs one small message.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "syncd/box/rules.h"

struct rules_watch {
	struct mnl_socket *nl;
	uint32_t seq, generation;
	bool begun;
	pid_t child; /* 0: none */
	int from_child;
};

static int on_attr(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == NFTA_GEN_ID && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
		*(uint32_t *)data = ntohl(mnl_attr_get_u32(attr));
	return MNL_CB_OK;
}

static int on_message(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct nfgenmsg), on_attr, data);
}

/* The ruleset's generation; 0 where it cannot be had (no nftables in this kernel). */
static uint32_t read_generation(struct rules_watch *w)
{
	char buf[4096] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;
	uint32_t generation = 0;
	ssize_t n;

	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = ++w->seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->version = NFNETLINK_V0;
	if (mnl_socket_sendto(w->nl, nlh, nlh->nlmsg_len) < 0)
		return 0;
	n = mnl_socket_recvfrom(w->nl, buf, sizeof(buf));
	if (n <= 0 || mnl_cb_run(buf, (size_t)n, w->seq, mnl_socket_get_portid(w->nl), on_message,
				 &generation) < 0)
		return 0;
	return generation;
}

/* In the child. Its exit code says whether it has written. */
static int list_rules(int to)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	struct rules_found found = {0};

	if (nft == NULL)
		return 1;
	(void)nft_ctx_buffer_output(nft);
	(void)nft_ctx_buffer_error(nft);
	nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_STATELESS);
	if (nft_run_cmd_from_buffer(nft, "list ruleset") != 0 ||
	    rules_parse(nft_ctx_get_output_buffer(nft), &found) < 0)
		return 1;
	return write(to, &found, sizeof(found)) == (ssize_t)sizeof(found) ? 0 : 1;
}

static int start_child(struct rules_watch *w)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	w->child = fork();
	if (w->child == 0)
		_exit(list_rules(p[1]));
	(void)close(p[1]);
	w->from_child = p[0];
	if (w->child > 0)
		return 0;
	w->child = 0;
	(void)close(p[0]);
	return -EAGAIN;
}

static void end_child(struct rules_watch *w)
{
	(void)close(w->from_child);
	(void)waitpid(w->child, NULL, WNOHANG); /* or the caller's loop reaps it */
	w->child = 0;
}

int rules_watch_new(struct rules_watch **out)
{
	struct rules_watch *w = calloc(1, sizeof(*w));
	int rc = 0;

	if (w == NULL)
		return -ENOMEM;
	w->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (w->nl == NULL || mnl_socket_bind(w->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		rc = -errno;
	if (rc < 0)
		rules_watch_free(w);
	else
		*out = w;
	return rc;
}

void rules_watch_free(struct rules_watch *w)
{
	if (w == NULL)
		return;
	if (w->child > 0)
		end_child(w); /* writes into nothing, and ends */
	if (w->nl != NULL)
		(void)mnl_socket_close(w->nl);
	free(w);
}

bool rules_watch_get(struct rules_watch *w, struct rules_found *out)
{
	struct rules_found found;
	uint32_t generation;
	ssize_t n;

	if (w->child > 0) {
		n = read(w->from_child, &found, sizeof(found));
		if (n < 0 && errno == EAGAIN)
			return false;
		end_child(w);
		if (n != (ssize_t)sizeof(found))
			return false;
		*out = found;
		return true;
	}
	generation = read_generation(w);
	if (w->begun && generation == w->generation)
		return false;
	if (start_child(w) == 0) {
		w->begun = true;
		w->generation = generation;
	}
	return false;
}
